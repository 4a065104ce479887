"""Audio reading: every container gives the same samples, every defect its reason, a tone stays where it was."""

import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from utils import plugins
from utils.audio import stream
from utils.audio.decode import decode
from utils.audio.prepare import inspect, prepare, read_wave
from utils.errors import DataError

RATE = 16000


def tone(seconds: float = 0.5, rate: int = RATE, hz: float = 440.0, peak: float = 0.5) -> np.ndarray:
    return (peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def loudest_hz(wave: np.ndarray, rate: int) -> float:
    """Return the frequency of the largest spectral peak."""
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 16 * len(wave)))
    return float(spectrum.argmax() * rate / (16 * len(wave)))


def chunk(name: bytes, content: bytes, length: int | None = None) -> bytes:
    stated = len(content) if length is None else length
    return struct.pack("<4sI", name, stated) + content + b"\0" * (len(content) % 2)


def riff(*chunks: bytes, length: int | None = None) -> bytes:
    content = b"WAVE" + b"".join(chunks)
    return struct.pack("<4sI", b"RIFF", len(content) if length is None else length) + content


FORMAT = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))
SAMPLES = np.round(tone() * 32768).astype("<i2")
DATA = SAMPLES.tobytes()


@pytest.mark.parametrize(
    ("suffix", "subtype", "error"),
    [
        ("wav", "PCM_U8", 1 / 128),
        ("wav", "PCM_16", 1 / 32768),
        ("wav", "PCM_24", 1e-6),
        ("wav", "PCM_32", 1e-6),
        ("wav", "FLOAT", 0),
        ("wav", "DOUBLE", 0),
        ("flac", "PCM_16", 1 / 32768),
        ("flac", "PCM_24", 1e-6),
        ("aiff", "PCM_16", 1 / 32768),
    ],
)
def test_exact_formats_give_the_samples(tmp_path, suffix, subtype, error):
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone(), RATE, subtype=subtype)
    samples, rate = decode(path)
    assert (samples.shape, samples.dtype, rate) == ((8000, 1), np.float32, RATE)
    assert np.abs(samples[:, 0] - tone()).max() <= error


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
def test_lossy_formats_give_the_tone(tmp_path, suffix):
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone(1.0), RATE)
    wave = read_wave(path, RATE)
    assert abs(len(wave) - RATE) < 0.1 * RATE and abs(loudest_hz(wave, RATE) - 440) < 1
    assert abs(np.sqrt(np.mean(wave**2)) - 0.5 / np.sqrt(2)) < 0.02


@pytest.mark.parametrize(
    ("suffix", "codec", "rate"), [("mp4", "aac", 44100), ("m4a", "aac", 16000), ("webm", "libopus", 48000)]
)
@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_containers_of_video_give_the_tone(tmp_path, suffix, codec, rate, layout):
    av = pytest.importorskip("av")
    path = tmp_path / f"tone.{suffix}"
    channels = 1 if layout == "mono" else 2
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        block = np.tile(tone(1.0, rate), (channels, 1))
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=layout)
        frame.rate = rate
        resampler = av.AudioResampler(format=stream.format.name, layout=layout, rate=rate, frame_size=stream.frame_size)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    samples, stored = decode(path)
    assert stored == rate and samples.shape[1] == channels and abs(len(samples) / rate - 1) < 0.1
    wave = read_wave(path, RATE)
    assert abs(loudest_hz(wave, RATE) - 440) < 1 and abs(np.abs(wave[2000:-2000]).max() - 0.5) < 0.05
    assert np.array_equal(read_wave(io.BytesIO(path.read_bytes()), RATE), wave)  # as on stdin


def test_channels_are_averaged(tmp_path):
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([tone(), np.zeros_like(tone())], axis=1), RATE, subtype="FLOAT")
    np.testing.assert_allclose(read_wave(path, RATE), tone() / 2, atol=1e-7)
    assert inspect(*decode(path)).channels == 2


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("wanted", [8000, 16000, 22050])
def test_resampling_keeps_pitch_length_and_level(rate, wanted):
    wave = prepare(tone(1.0, rate)[:, None], rate, wanted)
    assert abs(len(wave) - wanted) <= 1 and wave.dtype == np.float32
    middle = wave[wanted // 4 : -wanted // 4]
    assert abs(loudest_hz(middle, wanted) - 440) < 0.5
    assert abs(np.sqrt(np.mean(middle**2)) - 0.5 / np.sqrt(2)) < 1e-3


def test_resampling_leaves_no_alias():
    high = prepare(tone(1.0, 48000, hz=11000)[:, None], 48000, 16000)
    assert np.abs(high[1000:-1000]).max() < 1e-3  # 11 kHz does not fold to 5 kHz


@pytest.mark.parametrize("top_db", [10, 30, 60])
@pytest.mark.parametrize("seed", range(5))
def test_trimming_is_librosas(seed, top_db):
    import librosa

    generator = np.random.default_rng(seed)
    envelope = np.repeat(10 ** generator.uniform(-4, 0, 40), 500)
    wave = (envelope * generator.normal(0, 0.1, len(envelope))).astype(np.float32)[: generator.integers(9000, 20000)]
    expected, _ = librosa.effects.trim(wave, top_db=top_db)
    assert np.array_equal(prepare(wave[:, None], RATE, RATE, trim_db=top_db), expected)


def test_offset_and_seconds_cut_in_seconds_of_the_wanted_rate():
    ramp = np.arange(16000, dtype=np.float32)[:, None] / 16000
    wave = prepare(ramp, RATE, RATE, offset=0.25, seconds=0.5)
    assert len(wave) == 8000 and wave[0] == 0.25
    assert len(prepare(ramp, RATE, RATE, offset=0.25, seconds=9)) == 12000


def test_levels():
    quiet = tone(peak=0.01)[:, None]
    assert np.abs(prepare(quiet, RATE, RATE, level="peak")).max() == pytest.approx(1)
    rms = np.sqrt(np.mean(prepare(quiet, RATE, RATE, level="rms").astype(float) ** 2))
    assert 20 * np.log10(rms) == pytest.approx(-25, abs=1e-3)
    assert np.array_equal(prepare(quiet, RATE, RATE), quiet[:, 0])


@pytest.mark.parametrize("level", ["peak", "rms"])
def test_no_level_is_made_of_nothing(level):
    half_silent = np.concatenate([tone(), np.zeros(8000, np.float32)])[:, None]
    with pytest.raises(DataError, match=r"silent: nothing but zeros is left after offset 0\.5 s"):
        prepare(half_silent, RATE, RATE, offset=0.5, level=level)


def test_too_little_left_is_refused():
    with pytest.raises(DataError, match=r"too short: 0\.00 s are left after offset 1\.0 s"):
        prepare(tone()[:, None], RATE, RATE, offset=1.0)
    with pytest.raises(DataError, match="too short"):
        prepare(np.zeros((8000, 1), np.float32), RATE, RATE, trim_db=30)


def test_a_sound_states_its_facts(tmp_path):
    path = tmp_path / "loud.wav"
    wave = tone(1.0, peak=1.5).clip(-1, 1)
    soundfile.write(path, wave, RATE)
    sound = inspect(*decode(path))
    assert (sound.seconds, sound.rate, sound.channels) == (1.0, RATE, 1)
    assert sound.peak > 0.999 and sound.clipped == pytest.approx(np.mean(np.abs(wave) >= 0.999), abs=1e-3)
    assert sound.rms_db == pytest.approx(20 * np.log10(np.sqrt(np.mean(wave.astype(float) ** 2))), abs=0.01)


def test_a_digest_is_of_the_samples_rate_and_channels(tmp_path):
    def digest(name: str, wave: np.ndarray, rate: int = RATE, **options) -> str:
        soundfile.write(tmp_path / name, wave, rate, **options)
        return inspect(*decode(tmp_path / name)).digest

    first = digest("a.wav", SAMPLES)
    assert len(first) == 32 and bytes.fromhex(first)
    assert digest("a.flac", SAMPLES) == digest("b.wav", SAMPLES) == digest("a.aiff", SAMPLES) == first
    changed = SAMPLES.copy()
    changed[100] += 1
    others = [digest("c.wav", changed), digest("d.wav", SAMPLES, 22050), digest("e.wav", SAMPLES[:-1])]
    others.append(digest("f.wav", np.stack([SAMPLES, SAMPLES], axis=1)))
    assert len({first, *others}) == 5


@pytest.mark.parametrize(
    "content",
    [
        riff(chunk(b"LIST", b"x" * 1001), FORMAT, chunk(b"data", DATA)),
        riff(
            chunk(b"JUNK", b"\0" * 28), FORMAT, chunk(b"fact", b"\0" * 4), chunk(b"data", DATA), chunk(b"LIST", b"INFO")
        ),
        riff(FORMAT, chunk(b"data", DATA, 0xFFFFFFFF), length=0xFFFFFFFF),  # FFmpeg writing to a pipe
        riff(FORMAT, chunk(b"data", DATA, 0x7FFFF000), length=0x7FFFF024),  # SoX writing to a pipe
        riff(FORMAT, chunk(b"data", DATA, 0x80000000), length=0x80000024),  # arecord
    ],
    ids=["list first", "chunks around", "ffmpeg pipe", "sox pipe", "arecord"],
)
def test_odd_but_whole_wavs_are_read(tmp_path, content):
    path = tmp_path / "odd.wav"
    path.write_bytes(content)
    samples, rate = decode(path)
    assert rate == RATE and np.array_equal(samples[:, 0] * 32768, SAMPLES)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
NOT_AUDIO = {
    "empty.wav": (b"", "empty file"),
    "pointer.wav": (POINTER, "a Git-LFS pointer, not audio"),
    "pointer.mp4": (POINTER, "git lfs pull"),
    "half.wav": (riff(FORMAT, chunk(b"data", DATA))[:9044], "truncated: the header promises 7000 bytes more than"),
    "late.wav": (riff(chunk(b"bext", b"\0" * 602), FORMAT, chunk(b"data", DATA))[:9000], "truncated: the header"),
    "no_data.wav": (riff(FORMAT), "not audio that can be read"),
    "nothing.wav": (riff(FORMAT, chunk(b"data", b"")), "too short: 0 ms, at least 50 ms are needed"),
    "short.wav": (riff(FORMAT, chunk(b"data", DATA[:1000])), "too short: 31 ms"),
    "silent.wav": (riff(FORMAT, chunk(b"data", bytes(16000))), "silent: its peak is -180 dB of full scale"),
    "text.wav": (b"this is no audio at all, only text", "not audio that can be read"),
    "text.mp4": (b"this is no audio at all, only text" * 99, "not audio that can be read"),
    "half.flac": (None, "not audio that can be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_AUDIO)
def test_what_is_no_audio_is_refused_with_path_and_reason(tmp_path, name):
    path = tmp_path / name
    content, reason = NOT_AUDIO[name]
    if content is None:
        soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 16000), RATE)
        content = path.read_bytes()[:9000]
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_wave(path, RATE)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and reason in message and "\n" not in message


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"gone\.wav: No such file or directory"):
        read_wave(tmp_path / "gone.wav", RATE)
    with pytest.raises(DataError, match=r"Is a directory|Permission denied"):
        read_wave(tmp_path, RATE)


def test_samples_that_are_not_finite_are_refused(tmp_path):
    wave = tone()
    wave[7] = np.nan
    soundfile.write(tmp_path / "nan.wav", wave, RATE, subtype="FLOAT")
    with pytest.raises(DataError, match=r"nan\.wav: holds samples that are not finite"):
        read_wave(tmp_path / "nan.wav", RATE)


def test_a_video_without_sound_is_refused(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "mute.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(DataError, match=r"mute\.mp4: holds no audio stream"):
        read_wave(path, RATE)


@pytest.mark.parametrize("content", [b"", b"text" * 50])
def test_standard_input_that_is_no_audio_is_refused_by_name(content):
    with pytest.raises(DataError, match=r"^standard input: "):
        read_wave(io.BytesIO(content), RATE)


def test_standard_input_gives_what_the_file_gives(tmp_path):
    soundfile.write(tmp_path / "a.flac", SAMPLES, RATE)
    stream = io.BytesIO((tmp_path / "a.flac").read_bytes())
    assert np.array_equal(read_wave(stream, 8000), read_wave(tmp_path / "a.flac", 8000))


def test_reading_a_wav_at_its_own_rate_loads_neither_resampler_nor_ffmpeg(tmp_path):
    soundfile.write(tmp_path / "a.wav", SAMPLES, RATE)
    code = (
        "import sys; from utils.audio.prepare import read_wave\n"
        f"read_wave({str(tmp_path / 'a.wav')!r}, {RATE}, trim_db=30.0, level='rms')\n"
        "print([m for m in ('soxr', 'av', 'librosa', 'scipy.signal') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=plugins.ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_ravdess_is_heard_as_published(speech):
    path = next(iter(sorted((speech / "RAVDESS").rglob("03-01-01-01-01-01-01.*"))))
    sound = inspect(*decode(path))
    assert sound.channels in (1, 2) and 2.9 < sound.seconds < 5.3 and sound.peak < 1 and sound.clipped == 0
    assert len(read_wave(path, RATE)) == pytest.approx(sound.seconds * RATE, abs=1)


def aac(path, layout: str) -> bytes:
    """Return half a second of a tone as AAC frames, which a player may join one after the other."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format="adts") as container:
        stream = container.add_stream("aac", rate=RATE, layout=layout)
        block = np.ascontiguousarray(np.tile(tone(), (len(stream.layout.channels), 1)))
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate = RATE
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=RATE, frame_size=1024)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path.read_bytes()


def both_ways(source) -> list[str]:
    """Return why a file is refused when it is read as a whole and block by block."""
    reasons = []
    for read in (lambda: decode(source), lambda: list(stream.open_file(source).blocks)):
        if not isinstance(source, Path):
            source.seek(0)
        with pytest.raises(DataError) as caught:
            read()
        reasons.append(str(caught.value))
    return reasons


def test_sound_that_changes_its_channels_on_the_way_is_refused(tmp_path):
    joined = tmp_path / "joined.aac"
    joined.write_bytes(aac(tmp_path / "mono.aac", "mono") + aac(tmp_path / "six.aac", "5.1"))
    for source in (joined, io.BytesIO(joined.read_bytes())):
        for reason in both_ways(source):
            assert "changes its rate or its channels on the way" in reason


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.m4a", "ffconcat version 1.0\nfile secret.wav\n"),
        ("list.m4a", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.wav\n#EXT-X-ENDLIST\n"),
        ("list.aac", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 50000 RTP/AVP 0\n"),
    ],
)
def test_a_playlist_opens_no_other_file(tmp_path, monkeypatch, name, content):
    """Somebody else's upload must not name a file or an address of ours."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("secret.wav", tone(), RATE)
    Path(name).write_text(content, encoding="utf8")
    upload = io.BytesIO(content.encode())
    upload.name = name
    for source in (Path(name), upload):
        for reason in both_ways(source):
            assert reason.startswith(f"{name}: not audio that can be read")


def test_samples_without_a_header_are_refused(tmp_path):
    (tmp_path / "a.raw").write_bytes(DATA)
    upload = io.BytesIO(DATA)
    upload.name = "a.RAW"
    for source in (tmp_path / "a.raw", upload):
        for reason in both_ways(source):
            assert "nobody knows their rate" in reason


def test_samples_beyond_all_scales_are_refused():
    with pytest.raises(DataError, match="samples reach 1e\\+18"):
        inspect(np.full((RATE, 1), 1e18, np.float32), RATE)
