"""Made-up clips and small experiments for the tests of models, training and the scripts."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from corpora.base import synthesis
from utils import cli
from utils.dataset import Dataset, Frames
from utils.plugins import arguments as plugin_arguments
from utils.plugins import every

LABELS = ("angry", "sad", "neutral")
MODELS = {name: plugin for name, plugin in every("models").items() if plugin.constants["INPUT"] != "members"}
SPEECH_RATE = 16000  # Hz of ``toy_speech``
# several chunks in a clip of 9 to 31 frames
CHUNKS = {"chunk": 12, "hop": 6, "filters": [8, 16], "pools": [2, 2], "units": 32}
SETTINGS = {  # small models, because tests spend their time on compiling and converting them; no weights to download
    "cnn2d": {"filters": [16, 32], "pools": [2, 2], "dense": 32},
    "cnn_lstm": {"filters": [16, 32], "units": 32},
    "cnn_lstm_attention": {"filters": [16, 32], "depth": 1, "units": 32},
    "dilated_cnn": {"levels": 2},
    "parallel_cnn_attention_lstm": {"filters": [16, 32], "pools": [2, 4], "units": 32},
    "parallel_cnn_transformer": {"filters": [16, 32], "pools": [2, 4], "layers": 1},
    "random_forest": {"trees": 50},
    "stacked_cnn_attention_lstm": CHUNKS,
    "stacked_cnn_lstm": CHUNKS,
    "transformer": {"layers": 1, "width": 32},
    "whisper": {"blocks": 1, "unfreeze": 1, "rate": 1.0, "units": 16},
    "vgg16": {"weights": None, "window": 32, "hop": 16, "dense": [16]},
}


def arguments(name: str) -> dict:
    """Return a config's ``model`` section for tests, complete: small, and with little dropout, for few epochs."""
    quick = {"dropout": 0.1} if "dropout" in MODELS[name].arguments else {}
    return {"name": name, **plugin_arguments("models", {"name": name, **quick, **SETTINGS.get(name, {})})}


def kinds(name: str) -> list[str]:
    """Return the inputs a model takes: "vector", "frames" or both (estimators pool frames over time)."""
    plugin = MODELS[name]
    if plugin.constants["INPUT"] == "frames":
        return ["frames"]
    both = plugin.constants["INPUT"] == "either" or plugin.package == "models.ml"
    return ["vector", "frames"] if both else ["vector"]


def dataset(
    kind: str = "vector",
    *,
    speakers: int = 6,
    takes: int = 4,
    labels=LABELS,
    dims: int = 8,
    noise: float = 2.0,
    seed: int = 0,
) -> Dataset:
    """Return takes clips of every label by every speaker; frames are 9 to 31 long."""
    rng = np.random.default_rng(seed)
    truth = np.tile(np.repeat(np.arange(len(labels)), takes), speakers)
    speaker = np.repeat(np.arange(speakers), takes * len(labels))
    centres = 2 * rng.normal(size=(len(labels), dims))[truth] + rng.normal(size=(speakers, dims))[speaker]
    centres += noise * rng.normal(size=centres.shape)
    scale, offset = 10.0 ** rng.integers(-3, 3, dims), 50 * rng.normal(size=dims)  # as unlike as real features
    clips = []
    for centre in centres:
        shape = (int(rng.integers(9, 32)), dims) if kind == "frames" else (dims,)
        values = centre + rng.normal(size=shape) * (kind == "frames")
        clips.append((scale * (values + offset)).astype(np.float32))
    n = len(truth)
    return Dataset(
        features=Frames(clips) if kind == "frames" else np.stack(clips),
        labels=tuple(labels),
        truth=truth.astype(np.int64),
        ids=np.array([f"toy/{i:03}" for i in range(n)]),
        speakers=np.array([f"toy/s{s}" for s in speaker]),
        digests=np.array([f"{i:032x}" for i in range(n)]),
        facts={"corpus": np.full(n, "toy"), "sex": np.where(speaker % 2, "female", "male")},
    )


def arrays(features) -> list[np.ndarray]:
    """Return one array a clip."""
    return list(features.clips) if isinstance(features, Frames) else list(features)


def outcome(main: Callable, monkeypatch, capsys, *arguments) -> tuple[int, str, str]:
    """Run a script's main as its command line would; return exit status, stdout and stderr."""
    monkeypatch.setattr(sys, "argv", ["script.py", *map(str, arguments)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        cli.run(main)
    said = capsys.readouterr()
    return caught.value.code, said.out, said.err


def write_config(folder: Path, stem: str, **keys) -> Path:
    """Write an experiment on the demo corpus, an SVM on pooled MFCC unless the keys say otherwise."""
    content = {
        "name": stem,
        "corpora": [{"name": "demo", "root": "demo"}],
        "features": {"name": "librosa_frames", "preset": "mfcc"},
        "split": {"by": "speaker", "folds": 3, "holdout": ["m08"]},
        "model": {"name": "svm"},
    }
    path = folder / f"{stem}.yaml"
    path.write_text(yaml.safe_dump(content | keys), encoding="utf8")
    return path


def toy_speech(seconds_of_silence: float = 1.0) -> np.ndarray:
    """Return silence, a synthetic sentence said twice, silence; 16 kHz."""
    voice = synthesis.say(synthesis.voice(1, seed=1), "angry", 1, seed=1)[0]
    silence = np.zeros(round(seconds_of_silence * SPEECH_RATE), np.float32)
    return np.concatenate([silence, voice, voice, silence]).astype(np.float32)
