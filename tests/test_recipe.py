"""A recipe: other settings are another folder of the cache, the same ones the folder that they have always been."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from augmentation.base.variants import Variant
from extract_feats import Layout
from extract_feats.base import recipe
from extract_feats.base.recipe import Recipe
from utils import plugins

CLIP = {"offset": 0.0, "seconds": None, "trim_db": None, "level": None}
VOLUME = {"name": "volume", "gain_db": [-3.0, 3.0]}


def logmel(*, frames: bool = False, rate: int = 16000, version: str = "1", clip: dict = CLIP, **arguments) -> Recipe:
    return Recipe("logmel", arguments, Layout("", frames, arguments, version), rate, clip)


def copy(number: int) -> Variant:
    return Variant(VOLUME, VOLUME | {"version": "1"}, 1, number, 2)


def test_the_folder_of_a_recipe_is_the_one_that_caches_already_have():
    own = Recipe("logmel", {"n_mels": 64}, Layout("64", True, {"n_mels": 64}, "1"), 16000, CLIP)
    assert own.folder == "logmel-64-720287206e82"
    assert own.of_variant(copy(2)).folder == "logmel-64+volume-3e23e2c8d149"
    assert own.text == (
        '{"arguments": {"n_mels": 64}, "audio": 1, "clip": {"level": null, "offset": 0.0, "seconds": null, '
        '"trim_db": null}, "plugin": "logmel", "rate": 16000, "version": "1"}'
    )


def test_a_key_of_clip_that_a_cache_does_not_know_changes_nothing_where_it_is_not_used():
    section = {"name": "logmel", **plugins.arguments("features", {"name": "logmel"})}
    old, new = (Recipe.of(section, 16000, clip) for clip in (CLIP, CLIP | {"trim": None}))
    assert old == new and old.folder == new.folder
    assert Recipe.of(section, 16000, CLIP | {"trim": "adaptive"}) != old


def test_level_and_silence_of_a_copy_are_made_equal_again():
    section = {"name": "logmel", **plugins.arguments("features", {"name": "logmel"})}
    own = Recipe.of(section, 16000, CLIP | {"trim": "adaptive", "level": "active"})
    wave = np.random.default_rng(1).normal(0, 0.05, 16000).astype(np.float32)
    louder, as_it_is = (own.of_variant(Variant(v, v, 1, 1, 1)) for v in (VOLUME, VOLUME | {"gain_db": [0.0, 0.0]}))
    np.testing.assert_allclose(louder.varied(wave, "d"), as_it_is.varied(wave, "d"), atol=1e-5)


def test_recipes_share_a_wave_where_rate_and_clip_are_equal_and_a_copy_where_it_is_the_same():
    own, other = logmel(), logmel(n_mels=64)
    assert own.wave == other.wave and own.copy == other.copy
    assert len({own.wave, logmel(rate=8000).wave, logmel(clip=CLIP | {"level": "rms"}).wave}) == 3
    assert own.of_variant(copy(1)).wave == own.wave
    assert own.of_variant(copy(1)).copy == other.of_variant(copy(1)).copy
    assert len({own.copy, own.of_variant(copy(1)).copy, own.of_variant(copy(2)).copy}) == 3


def test_a_recipe_needs_neither_arrow_nor_pydantic():
    code = "import sys, extract_feats.base.recipe; print({'pyarrow', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=plugins.ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_every_part_of_a_recipe_leads_to_a_folder_of_its_own():
    variants = [
        logmel(),
        logmel(n_mels=64),
        logmel(n_mels=65),
        logmel(rate=22050),
        logmel(version="2"),
        *(logmel(clip=CLIP | {key: value}) for key, value in [("offset", 0.5), ("seconds", 3.0), ("trim_db", 30.0)]),
        logmel(clip=CLIP | {"level": "rms"}),
    ]
    assert len({variant.folder for variant in variants}) == len(variants)
    assert logmel(a=1, b=2).folder == logmel(b=2, a=1).folder and logmel(a=1, b=2) == logmel(b=2, a=1)
    assert len({logmel(a=1, b=2), logmel(b=2, a=1)}) == 1


def test_a_new_audio_version_is_a_new_folder(monkeypatch):
    before = logmel().folder
    monkeypatch.setattr(recipe, "AUDIO_VERSION", recipe.AUDIO_VERSION + 1)
    assert logmel().folder != before


def of_config(**features) -> Recipe:
    return Recipe.of({"name": features["name"], **plugins.arguments("features", features)}, 16000, CLIP)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"set": "IS10"}, {"set": "IS10_paraling"}, True),
        ({"set": "IS13"}, {"set": "IS13_ComParE"}, True),
        ({"set": "IS10"}, {"set": "IS10", "level": "functionals"}, True),
        ({"set": "IS10"}, {"set": "IS10", "level": "lld"}, False),
        ({"set": "IS10"}, {"set": "IS09"}, False),
    ],
)
def test_one_meaning_is_one_folder(one, other, same):
    assert (of_config(name="opensmile", **one).folder == of_config(name="opensmile", **other).folder) is same


@pytest.mark.parametrize("name", plugins.every("features"))
def test_every_plugin_has_a_recipe_that_survives_a_pickle(name):
    made = of_config(name=name)
    assert made.folder.startswith(name) and json.loads(made.text)["plugin"] == name
    assert pickle.loads(pickle.dumps(made)).folder == made.folder
    assert made.layout.version and len(made.names()) == len(set(made.names()))
