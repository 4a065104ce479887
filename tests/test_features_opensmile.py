"""The openSMILE plug-in: published dimensions, the library's own numbers, and the traps around it."""

import subprocess
import sys

import numpy as np
import pytest

from extract_feats import opensmile as plugin
from tests.test_features import voice
from utils.errors import ConfigError, DataError
from utils.plugins import ROOT

DIMENSIONS = {  # functionals, low-level descriptors
    "IS09": (384, 16), "IS10": (1582, 38), "IS11": (4368, 59), "IS12": (6125, 64), "IS13": (6373, 65),
    "ComParE_2016": (6373, 65), "eGeMAPSv02": (88, 25), "GeMAPSv01b": (62, 18), "emobase": (988, 26),
}  # fmt: skip


def test_every_set_is_listed():
    assert set(DIMENSIONS) == set(plugin.SETS)


@pytest.mark.parametrize("name", DIMENSIONS)
def test_published_dimensions(name):
    functionals, descriptors = DIMENSIONS[name]
    vector = plugin.extract(voice(), 16000, set=name)
    frames = plugin.extract(voice(), 16000, set=name, level="lld")
    assert vector.shape == (functionals,)
    assert frames.shape[1] == descriptors
    assert 135 <= len(frames) <= 150  # one every 10 ms of 1.5 s, less what the windows take at the ends
    assert len(set(plugin.names(16000, set=name))) == functionals
    assert len(set(plugin.names(16000, set=name, level="lld"))) == descriptors


@pytest.mark.parametrize("level", ["functionals", "lld"])
def test_the_numbers_are_the_librarys_under_its_names(level):
    import opensmile

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel[plugin.LEVELS[level]])
    table = smile.process_signal(voice(), 16000)
    ours = plugin.extract(voice(), 16000, set="eGeMAPSv02", level=level)
    np.testing.assert_array_equal(np.atleast_2d(ours), table.to_numpy())
    assert plugin.names(16000, set="eGeMAPSv02", level=level) == list(table.columns)


@pytest.mark.parametrize(("alias", "name"), plugin.ALIASES.items())
def test_long_names_are_the_same_recipe(alias, name):
    assert plugin.layout(set=alias) == plugin.layout(set=name)
    assert plugin.layout(set=alias).label == name
    assert plugin.layout(set=alias, level="lld").frames


def test_the_pitch_of_a_harmonic_tone_is_its_frequency():
    time = np.arange(32000) / 16000
    wave = 0.1 * sum(np.cos(2 * np.pi * k * 200 * time) / k for k in range(1, 10)).astype(np.float32)
    values = dict(
        zip(plugin.names(16000, set="eGeMAPSv02"), plugin.extract(wave, 16000, set="eGeMAPSv02"), strict=True)
    )
    semitones = values["F0semitoneFrom27.5Hz_sma3nz_amean"]
    assert semitones == pytest.approx(12 * np.log2(200 / 27.5), abs=0.1)


def test_full_scale_does_not_wrap_around():
    """The library multiplies by 32768 and casts to 16 bits: 1.0 would become -32768, a click."""
    wave = voice()
    wave /= np.abs(wave).max()
    wave[np.argmax(np.abs(wave))] = 1.0
    almost = np.minimum(wave, 32767 / 32768).astype(np.float32)
    np.testing.assert_array_equal(plugin.extract(wave, 16000, set="IS09"), plugin.extract(almost, 16000, set="IS09"))
    wrapped = wave.copy()
    wrapped[wave == 1.0] = -1.0
    assert not np.array_equal(plugin.extract(wave, 16000, set="IS09"), plugin.extract(wrapped, 16000, set="IS09"))


@pytest.mark.parametrize("name", DIMENSIONS)
@pytest.mark.filterwarnings("error")
def test_a_clip_without_one_frame_is_a_data_error_not_a_row_of_nan(name):
    with pytest.raises(DataError, match=f"too short: openSMILE makes no {name} functionals"):
        plugin.extract(voice()[:160], 16000, set=name)
    assert np.isfinite(plugin.extract(voice()[:1280], 16000, set=name)).all()  # 80 ms


def test_an_unknown_set_names_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'ComParE_2016'"):
        plugin.layout(set="ComParE2016")


def test_extracts_after_tensorflow_was_imported():
    """TensorFlow's C++ symbols, loaded first, once crashed openSMILE's library."""
    code = (
        "import tensorflow, numpy as np; from extract_feats import opensmile;"
        "wave = np.random.default_rng(1).normal(0, 0.1, 16000).astype(np.float32);"
        "print(opensmile.extract(wave, 16000, set='IS09').shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.strip() == "(384,)"
