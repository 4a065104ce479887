"""Fusion: parts with other hops and other first frames meet at the same time in the same row."""

import numpy as np
import pytest

from extract_feats import fusion, hubert, logmel
from extract_feats.fusion import _read
from tests.toy_encoders import write_hubert
from utils import plugins
from utils.errors import ConfigError

RATE = 16000
LOGMEL = {"name": "logmel", "n_mels": 20, "n_fft": 512}
SMILE = {"name": "opensmile", "set": "IS09", "level": "lld"}


def step(seconds: float, length: float = 3.0) -> np.ndarray:
    """Return faint noise that is loud from ``seconds`` on."""
    wave = np.random.default_rng(0).normal(0, 0.3, int(length * RATE)).astype(np.float32)
    wave[: int(seconds * RATE)] *= 1e-3
    return wave


def rise(values: np.ndarray) -> float:
    """Return at which row, counted between rows, the level over all columns passes half of its way up."""
    level = values.mean(axis=1)
    low, high = np.median(level[:20]), np.median(level[-20:])
    level = (level - low) / (high - low)
    first = int(np.flatnonzero(level > 0.5)[0])
    return first - (level[first] - 0.5) / (level[first] - level[first - 1])


@pytest.fixture(scope="module")
def loudness(tmp_path_factory) -> dict:
    """Return a part whose frames rise with the level: the size of what the seven convolutions give."""
    return {"name": "hubert", "model": str(write_hubert(tmp_path_factory.mktemp("models") / "net"))}


def test_logmel_and_hubert_make_896_columns_of_the_published_sizes(tmp_path):
    parts = [{"name": "logmel", "n_mels": 128}, {"name": "hubert", "model": str(write_hubert(tmp_path, dims=768))}]
    values = fusion.extract(step(1.0), RATE, parts=parts)
    assert values.shape == (149, 896)
    assert values.dtype == np.float32
    columns = fusion.names(RATE, parts=parts)
    assert (columns[0], columns[128], len(columns)) == ("logmel.mel_0", "hubert.e_0", 896)


@pytest.mark.parametrize("hop_ms", [10.0, 20.0, 25.0])
@pytest.mark.parametrize("seconds", [1.0, 1.337, 2.0])
def test_a_step_rises_at_its_time_in_both_parts(loudness, hop_ms, seconds):
    values = fusion.extract(step(seconds), RATE, parts=[LOGMEL, loudness], hop_ms=hop_ms)
    start = 12.5 if hop_ms == 20 else 0.0
    mel, hidden = rise(10 ** (values[:, :20] / 20)), rise(np.abs(values[:, 20:]))
    expected = (1000 * seconds - start) / hop_ms
    assert abs(mel - expected) * hop_ms < 10
    assert abs(hidden - expected) * hop_ms < 20
    assert abs(mel - hidden) * hop_ms < 20


@pytest.mark.parametrize("name", ["IS09", "ComParE_2016"])
def test_opensmile_and_logmel_agree_on_the_time_of_a_step(name):
    parts = [LOGMEL, {**SMILE, "set": name}]
    rows = fusion.extract(step(1.337), RATE, parts=parts, hop_ms=10.0)
    at = fusion.names(RATE, parts=parts).index("opensmile.pcm_RMSenergy_sma")
    assert abs(rise(rows[:, at : at + 1]) - rise(10 ** (rows[:, :20] / 20))) * 10 < 5


def test_the_part_that_has_the_hop_goes_in_as_it_is(loudness):
    wave = step(1.0)
    values = fusion.extract(wave, RATE, parts=[LOGMEL, loudness], hop_ms=20.0)
    np.testing.assert_array_equal(values[:, 20:], hubert.extract(wave, RATE, model=loudness["model"]))
    mel = logmel.extract(
        wave, RATE, n_mels=20, n_fft=512
    )  # rows at 12.5, 32.5, ... ms: between frames 1 and 2, 3 and 4
    expected = 0.75 * mel[1:-1:2][: len(values)] + 0.25 * mel[2::2][: len(values)]
    np.testing.assert_allclose(values[:, :20], expected[: len(values)], atol=1e-4)


def test_reading_between_frames():
    frames, times = np.array([[0.0], [10.0], [20.0]], np.float32), np.array([5.0, 15.0, 25.0])
    rows = np.array([0.0, 5.0, 9.0, 11.0, 25.0, 99.0])
    np.testing.assert_allclose(_read(frames, times, rows, "linear")[:, 0], [0, 0, 4, 6, 20, 20], atol=1e-5)
    np.testing.assert_allclose(_read(frames, times, rows, "nearest")[:, 0], [0, 0, 0, 10, 20, 20])
    np.testing.assert_allclose(_read(frames[:1], times[:1], rows, "linear")[:, 0], np.zeros(6))


def test_frame_sizes_in_samples_are_aligned_at_any_rate():
    wave = np.repeat(step(1.5), 3)  # 48,000 Hz: the hops stay in samples, so that they are 3.3 and 5 ms
    parts = [{"name": "logmel"}, {"name": "logmel", "hop": 240, "n_mels": 40}]
    values = fusion.extract(wave, 48000, parts=parts, hop_ms=7.0)
    first, second = rise(10 ** (values[:, :64] / 20)), rise(10 ** (values[:, 64:] / 20))
    assert len(values) == np.ceil(3000 / 7)
    assert abs(first - 1500 / 7) * 7 < 7 and abs(first - second) * 7 < 3
    assert fusion.names(48000, parts=parts)[64] == "logmel2.mel_0"


def test_the_recipe_is_made_of_the_parts_recipes(tmp_path):
    parts = [LOGMEL, {"name": "hubert", "model": str(write_hubert(tmp_path / "a"))}]
    one = fusion.layout(parts=parts)
    assert fusion.layout(parts=[{**LOGMEL, "hop": 160}, parts[1]]) == one
    assert fusion.layout(parts=parts[::-1]).recipe != one.recipe
    assert fusion.layout(parts=parts, between="nearest").recipe != one.recipe
    write_hubert(tmp_path / "a", seed=1, dims=17)
    other = fusion.layout(parts=parts)
    assert other.recipe != one.recipe and other.version != one.version


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([LOGMEL], "two parts or more, got 1"),
        ([LOGMEL, {"name": "librosa_stats"}], "librosa_stats gives one vector per clip"),
        ([LOGMEL, {"name": "opensmile"}], "level: lld"),
        ([LOGMEL, {"name": "fusion"}], "fusion does not say when"),
    ],
)
def test_parts_that_cannot_be_joined_are_config_errors(parts, says):
    with pytest.raises(ConfigError, match=says):
        fusion.layout(parts=parts)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([{"name": "logmal"}], "Did you mean 'logmel'"),
        ([{"name": "logmel", "n_mel": 3}], "Did you mean 'n_mels'"),
        ([{"name": "logmel", "n_mels": "many"}], "n_mels must be int, got 'many'"),
        ([{"n_mels": 3}], "parts: .* has no name"),
        (["logmel"], r"parts must be list\[Section\]"),
    ],
)
def test_a_config_checks_the_parts_as_it_checks_a_section(parts, says):
    with pytest.raises(ConfigError, match=says):
        plugins.arguments("features", {"name": "fusion", "parts": parts})


def test_a_config_fills_in_what_the_parts_leave_out():
    filled = plugins.arguments("features", {"name": "fusion", "parts": [{"name": "logmel"}, SMILE]})
    assert filled["parts"][0]["hop"] == 160 and filled["parts"][1] == SMILE


def test_vectors_are_joined_as_they_are():
    wave = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    parts = [{"name": "librosa_stats"}, {"name": "channel"}]
    parts = [{"name": part["name"]} | plugins.arguments("features", part) for part in parts]
    made = fusion.extract(wave, 16000, parts=parts)
    expected = [plugins.call("features", part, "extract", wave, 16000) for part in parts]
    np.testing.assert_array_equal(made, np.concatenate(expected))
    assert not fusion.layout(parts=parts).frames and "hop_ms" not in fusion.layout(parts=parts).recipe
    names = fusion.names(16000, parts=parts)
    assert len(names) == len(made) == len(set(names)) and names[-1] == "channel.crest_db"
