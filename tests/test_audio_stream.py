"""Audio block by block: files, pipes, and what is refused."""

import io
import itertools

import numpy as np
import pytest
import soundfile
from toy import toy_speech

from utils.audio import stream
from utils.audio.decode import decode
from utils.audio.voice_activity import RATE
from utils.errors import ConfigError, DataError


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".m4a"])
def test_blocks_of_a_file_are_what_decoding_it_at_once_gives(tmp_path, suffix):
    rng = np.random.default_rng(0)
    wave = np.stack([toy_speech(), 0.01 * rng.normal(size=len(toy_speech()))], axis=1).astype(np.float32)
    path = tmp_path / f"a{suffix}"
    write_aac(path, wave) if suffix == ".m4a" else soundfile.write(path, wave, RATE)
    source = stream.open_file(path)
    whole, rate = decode(path)
    assert (source.rate, source.channels) == (rate, 2)
    heard = np.concatenate(list(source.blocks))
    np.testing.assert_allclose(heard, whole, atol=1e-6)
    opened = stream.open_file(io.BytesIO(path.read_bytes()))
    np.testing.assert_array_equal(np.concatenate(list(opened.blocks)), heard)


def write_aac(path, wave):
    import av

    with av.open(str(path), "w") as container:
        track = container.add_stream("aac", rate=RATE, layout="stereo")
        for start in range(0, len(wave), 1024):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(wave[start : start + 1024].T), format="fltp", layout="stereo"
            )
            frame.sample_rate, frame.pts = RATE, start
            container.mux(track.encode(frame))
        container.mux(track.encode(None))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("none.wav", None, "No such file"), ("empty.wav", b"", "empty"), ("bad.wav", b"RIFF nonsense", "not audio"),
     ("bad.m4a", b"nonsense" * 9, "not audio"), ("lfs.wav", b"version https://git-lfs", "Git-LFS")],
)  # fmt: skip
def test_what_is_no_audio_is_named(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        stream.open_file(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    if content is not None:
        with pytest.raises(DataError, match=words) as caught:
            stream.open_file(io.BytesIO(content))
        assert str(caught.value).startswith("standard input: ")


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_32", "FLOAT"])
@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
def test_a_wav_on_a_pipe_is_read_as_from_a_file(subtype, kind):
    wave = np.random.default_rng(0).uniform(-1, 1, (30001, 2)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, wave, 8000, subtype, format=kind)
    file.seek(0)
    expected = soundfile.read(file, dtype="float32")[0]
    source = stream.open_pipe(io.BufferedReader(io.BytesIO(file.getvalue())))
    assert (source.rate, source.channels) == (8000, 2)
    np.testing.assert_array_equal(np.concatenate(list(source.blocks))[: len(wave)], expected)


def test_samples_on_a_pipe_need_a_rate():
    raw = np.arange(-50, 50, dtype="<i2")
    source = stream.open_pipe(io.BufferedReader(io.BytesIO(raw.tobytes())), rate=16000, channels=2)
    np.testing.assert_array_equal(np.concatenate(list(source.blocks)), raw.reshape(-1, 2) / 32768)
    with pytest.raises(ConfigError, match="--rate 16000"):
        stream.open_pipe(io.BufferedReader(io.BytesIO(raw.tobytes())))
    with pytest.raises(DataError, match="empty"):
        stream.open_pipe(io.BufferedReader(io.BytesIO(b"")))


def test_pieces_keep_every_sample():
    blocks = [np.arange(a, b)[:, None] for a, b in itertools.pairwise([0, 1, 9, 9, 30, 31])]
    result = list(stream.pieces(blocks, 4))
    assert [len(piece) for piece in result] == [4] * 7 + [3]
    np.testing.assert_array_equal(np.concatenate(result)[:, 0], np.arange(31))
