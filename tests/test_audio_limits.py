"""Sounds that claim, unpack to or wait for more than a machine has: one line each, and never their memory."""

import io
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from extract_feats import channel
from extract_feats.dsp import spectrum, whisper_mel
from utils.audio import activity, decode, limits, prepare, stream
from utils.audio.prepare import read_wave
from utils.errors import DataError
from web import uploads

RATE = 16000


def noise(seconds: float = 1.0, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.float32(0.1 * rng.standard_normal((round(seconds * RATE), channels)))


def encoded(kind: str, wave: np.ndarray, rate: int = RATE, subtype: str | None = None) -> bytearray:
    file = io.BytesIO()
    soundfile.write(file, wave, rate, subtype, format=kind)
    return bytearray(file.getvalue())


def flac_of(frames: int, wave: np.ndarray) -> bytearray:
    """Return a FLAC whose header states so many frames, 0 for unknown; the field has 36 bits from byte 21.5."""
    content = encoded("FLAC", wave)
    content[21] = content[21] & 0xF0 | frames >> 32
    content[22:26] = struct.pack(">I", frames & 0xFFFFFFFF)
    return content


def mp3_of_terabytes(wave: np.ndarray) -> bytearray:
    content = encoded("MP3", wave)
    place = content.index(b"Xing") + 8  # the number of frames
    content[place : place + 4] = b"\xff" * 4
    return content


CLAIMS = {
    "unknown.flac": lambda: flac_of(0, noise()),
    "endless.flac": lambda: flac_of(2**36 - 1, noise()),
    "terabytes.mp3": lambda: mp3_of_terabytes(noise()),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_header_that_does_not_know_or_lies_costs_no_memory(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(CLAIMS[name]())
    for source in (path, io.BytesIO(path.read_bytes())):
        tracemalloc.start()
        samples, rate = decode.decode(source)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert rate == RATE and 0 <= len(samples) - RATE < 1200 and peak < 8e6
        if name.endswith(".flac"):
            np.testing.assert_allclose(samples, noise(), atol=1 / 32768)
        source = source if isinstance(source, Path) else io.BytesIO(path.read_bytes())
        assert sum(map(len, stream.open_file(source).blocks)) == len(samples)


def refused(source: Path) -> set[str]:
    """Return why a file is refused: as a whole, block by block, and by the page."""
    reasons = set()
    upload = uploads.Clip("key", str(source), source.read_bytes()) if source.is_file() else None
    reads = [lambda: read_wave(source, RATE), lambda: list(stream.open_file(source).blocks)]
    for read in [*reads, *([lambda: uploads.seconds(upload)] if upload else [])]:
        with pytest.raises(DataError) as caught:
            read()
        message = str(caught.value)
        assert message.startswith(f"{source}: ") and "\n" not in message
        reasons.add(message.removeprefix(f"{source}: "))
    return reasons


@pytest.mark.parametrize(("rate", "channels"), [(1, 1), (3999, 1), (400_000, 1), (8000, 65), (48000, 33)])
def test_rates_and_channels_of_no_speech_are_refused_everywhere(tmp_path, rate, channels):
    path = tmp_path / "odd.wav"
    path.write_bytes(encoded("WAV", noise(0.1, channels), rate))
    (reason,) = refused(path)
    assert reason.startswith("its header states ") and f" {rate} Hz" in reason
    with pytest.raises(DataError, match=r"^standard input: its header states"):
        stream.open_pipe(io.BufferedReader(io.BytesIO(path.read_bytes())))


@pytest.mark.parametrize("length", [True, False])
def test_more_seconds_times_channels_than_a_clip_may_have_are_refused(tmp_path, monkeypatch, length):
    monkeypatch.setattr(limits, "MOST_SAMPLES", 3 * RATE)
    path = tmp_path / "long.flac"
    path.write_bytes(flac_of(RATE if length else 0, noise(1, 4)))
    with pytest.raises(DataError, match=r"long\.flac: too long for one clip.*--timeline"):
        decode.decode(path)
    assert len(stream.pieces(stream.open_file(path).blocks, RATE).__next__()) == RATE  # over time it can be read


def test_more_samples_than_a_clip_may_have_once_resampled_are_refused(monkeypatch):
    monkeypatch.setattr(prepare, "MOST_SAMPLES", 3 * RATE)
    with pytest.raises(DataError, match="too long for one clip"):
        prepare.prepare(noise(1), 4000, RATE)


def test_a_recording_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(stream, "LONGEST_HOURS", 1 / 3600)
    source = stream.open_file(io.BytesIO(encoded("WAV", noise(4))))
    with pytest.raises(DataError, match="too long: more than"):
        list(source.blocks)


def test_a_long_wave_is_measured_in_blocks_as_it_is_at_once(monkeypatch):
    wave = noise(8)[:, 0] * np.repeat([0.1, 1, 0.01, 2], 2 * RATE).astype(np.float32)

    def measures() -> list[np.ndarray]:
        sound = prepare.inspect(wave[:, None], RATE)
        short = spectrum.Spectrum(wave, RATE)
        return [
            np.array([sound.peak, sound.rms_db, sound.clipped]), channel.extract(wave, RATE),
            prepare.prepare(wave[:, None], RATE, RATE, trim_db=30.0), activity.without_rumble(wave, RATE),
            activity.smoothed_power(wave, RATE), short.mel, short.magnitude, whisper_mel.log_mel(wave),
        ]  # fmt: skip

    at_once, digest = measures(), prepare.inspect(wave[:, None], RATE).digest
    for module in (prepare, channel, spectrum):
        monkeypatch.setattr(module, "LARGEST_BLOCK", 3 * RATE)
    monkeypatch.setattr(activity, "LARGEST_BLOCK", 2 * RATE + 7)
    monkeypatch.setattr(activity, "spans", lambda length, size=2 * RATE + 7: limits.spans(length, size))
    monkeypatch.setattr(whisper_mel, "BLOCK", 99)
    assert prepare.inspect(wave[:, None], RATE).digest == digest
    for whole, blocks in zip(at_once, measures(), strict=True):
        np.testing.assert_allclose(blocks, whole, rtol=2e-5, atol=1e-6)


def test_the_channel_of_two_hours_takes_little_memory():
    wave = np.zeros(2 * 3600 * 1000, np.float32)  # at 1 kHz, where a frame is as long in seconds
    tracemalloc.start()
    channel.extract(wave, 1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 160e6  # the whole spectrum would take more than 300 MB


@pytest.mark.parametrize(("kind", "subtype"), [("WAV", "GSM610"), ("WAV", "IMA_ADPCM"), ("AIFF", "GSM610")])
def test_formats_that_cannot_seek_are_read_block_by_block_too(tmp_path, kind, subtype):
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(encoded(kind, noise(5)[::2], 8000, subtype))
    samples, _ = decode.decode(path)
    assert len(samples) >= 5 * 8000
    np.testing.assert_array_equal(np.concatenate(list(stream.open_file(path).blocks)), samples)
    assert uploads.seconds(uploads.Clip("key", path.name, path.read_bytes())) == len(samples) / 8000


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "null.wav").symlink_to(os.devnull)
    assert refused(tmp_path / "pipe.wav") == {"a named pipe; give its sound on standard input: -."}
    assert refused(tmp_path / "null.wav") == {"a device, not a file."}


def test_a_name_that_is_no_text_is_read(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    path.write_bytes(encoded("WAV", noise()))
    assert len(read_wave(path, RATE)) == RATE == sum(map(len, stream.open_file(path).blocks))


def test_headers_of_many_or_large_chunks_cost_neither_time_nor_memory(tmp_path):
    path = tmp_path / "chunks.wav"
    path.write_bytes(b"RIFF\xff\xff\xff\x7fWAVE" + b"JUNK\0\0\0\0" * 20_000)
    assert all("more than 10000 chunks" in reason for reason in refused(path))
    wav = encoded("WAV", noise(0.1))
    large = wav[:12] + b"JUNK" + struct.pack("<I", 20_000_000) + bytes(20_000_000) + wav[12:]
    pipe = io.BufferedReader(io.BytesIO(large))
    tracemalloc.start()
    source = stream.open_pipe(pipe)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert source.rate == RATE and peak < 1e6
    assert sum(map(len, source.blocks)) == RATE // 10


@pytest.mark.parametrize(
    "error", [ValueError("array is too big"), MemoryError(), OverflowError("x"), RuntimeError("y")]
)
def test_whatever_a_library_raises_for_one_file_is_its_one_line(tmp_path, monkeypatch, error):
    path = tmp_path / "a.wav"
    path.write_bytes(encoded("WAV", noise()))

    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(soundfile.SoundFile, "read", fail)
    words = f"{type(error).__name__}: {error}".removesuffix(": ")
    assert refused(path) == {f"cannot be read ({words})."}
