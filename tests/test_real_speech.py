"""Every network learns from 48 clips of RAVDESS, as a graph; every estimator from 96, and ships what it has learned.

That every network ships what it has learned is tested in test_models.py.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from toy import MODELS, arguments, arrays, kinds

from corpora import ravdess
from extract_feats.base.recipe import Recipe
from models.classes import model_class
from models.common import EmotionModel
from prediction.predictor import Predictor
from utils import plugins
from utils.audio.prepare import read_wave
from utils.config import Train
from utils.dataset import Dataset, Frames

RATE, CLIP = 16000, {"offset": 1.0, "seconds": 1.5}  # the words; a second of silence comes before them
RECIPES = {
    "frames": {"name": "librosa_frames", "preset": "stack187"},
    "vector": {"name": "opensmile", "set": "IS09"},
    "whisper": {"name": "whisper_logmel"},  # what the network of that name reads
}
TRAIN = Train(epochs=2, batch_size=16, learning_rate=0.001)

pytestmark = pytest.mark.usefixtures("narrow_vgg16")


def first_takes(root: Path, actors: int) -> list:
    """Return the first statement and repetition of the first actors, at normal intensity: one clip an emotion each."""
    paths = [ravdess.parse(path) for path in sorted((root / "RAVDESS").rglob("03-01-??-01-01-01-*"))]
    return [utterance for utterance in paths if int(utterance.speaker) <= actors]


@pytest.fixture(scope="session")
def clips(speech) -> dict[str, Dataset]:
    """Return the same 96 clips, 12 of each emotion by 12 speakers, as frames and as vectors."""
    chosen = first_takes(speech, actors=12)
    assert len(chosen) == 96
    waves = [read_wave(u.path, RATE, **CLIP) for u in chosen]
    labels = tuple(sorted({u.emotion for u in chosen}))
    names = np.array([u.id for u in chosen])
    result = {}
    for kind, section in RECIPES.items():
        filled = {"name": section["name"], **plugins.arguments("features", section)}
        rows = [Recipe.of(filled, RATE, CLIP).extract(wave) for wave in waves]
        result[kind] = Dataset(
            features=np.stack(rows) if kind == "vector" else Frames(rows),
            labels=labels,
            truth=np.array([labels.index(u.emotion) for u in chosen]),
            ids=names,
            speakers=np.array([u.speaker for u in chosen]),
            digests=names,
            facts={},
        )
    return result


def fitted(name: str, data: Dataset, **options) -> EmotionModel:
    return model_class({"name": name})(arguments(name), data.labels, seed=1).fit(data, **options)


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name].package == "models.dnn"])
def test_a_network_learns_from_speech(name, clips):
    data = clips.get(name, clips[kinds(name)[0]])
    if name != "vgg16":  # its convolutions are random here: it needs more to learn from
        data = data[data.speakers <= "06"]  # one shape of batches, to train and to predict: less to compile
    model = fitted(name, data, train=TRAIN)
    first, second = model.histories[0]["loss"]
    assert np.isfinite([first, second]).all() and second < first


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name].package == "models.ml"])
def test_an_estimator_learns_from_speech_and_ships_what_it_learned(name, clips, tmp_path):
    data = clips["vector"]
    model = fitted(name, data)
    model.save(tmp_path)
    card = {"name": name, "labels": data.labels, "frames": False}
    (tmp_path / "model.json").write_text(json.dumps(card), encoding="utf8")
    shipped = Predictor(tmp_path).probabilities(arrays(data.features))
    right = model.probabilities(data.features).argmax(axis=1) == data.truth
    assert right.mean() > 0.25  # of clips it was fitted on; chance is .125
    np.testing.assert_allclose(shipped, model.probabilities(data.features), atol=1e-4)
