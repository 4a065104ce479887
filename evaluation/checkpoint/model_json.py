"""model.json: all that prediction needs beside the graphs, and where the model comes from."""

from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from evaluation.checkpoint import protocol
from evaluation.checkpoint.metrics_json import uar_text
from evaluation.splits.folds import holdout
from models.common import EmotionModel
from models.speaker_offset import ScoreStatistics, rescaled
from prediction import out_of_domain
from utils import plugins
from utils.config import Config
from utils.dataset import Dataset, Frames

LIBRARIES = ("keras", "tensorflow", "scikit-learn", "librosa", "opensmile", "numpy", "onnxruntime")


def card(
    config: Config, data: Dataset, model: EmotionModel, scored: Mapping[str, Any], fingerprint: str
) -> dict[str, Any]:
    """Return the content of model.json.

    Args:
        config: of the run.
        data: all clips, those held out too.
        model: the one that is shipped.
        scored: the content of metrics.json.
        fingerprint: digest of the data and of the weights that training began with.
    """
    notes = [plugins.get("corpora", entry["name"]).constants.get("NOTE") for entry in config.corpora]
    return {
        "name": config.name,
        "labels": list(data.labels),
        **(model.card() if config.members else _inputs(config, data, model)),
        "model": config.model,
        "corpora": sorted(set(data.facts["corpus"].tolist())),
        "notes": sorted({note for note in notes if note}),
        "protocol": scored["protocol"],
        "uar": scored["uar"],
        "uar_ci95": scored["uar_ci95"],
        "chance": scored["chance"],
        "verdict": scored["verdict"],
        "evidence": f"UAR {uar_text(scored)}, {protocol.read(scored['protocol']).describe()}",
        "temperature": scored["calibration"]["temperature"] if scored["calibration"] else 1.0,
        "conformal": scored["conformal"],
        "adaptation": None if config.normalise == "speaker" else _adaptation(scored, model),
        "fingerprint": fingerprint,
        "versions": _versions(),
    }


def _adaptation(scored: Mapping[str, Any], model: EmotionModel) -> ScoreStatistics | None:
    """Return the statistics of unseen speakers' scores as the shipped model would have given them.

    The estimators of the folds and the one that is shipped divide their scores by temperatures of their own.
    """
    if scored["adaptation"] is None:
        return None
    return rescaled(scored["adaptation"], scored.get("score_temperature", 1.0) / model.score_temperature)


def _inputs(config: Config, data: Dataset, model: EmotionModel) -> dict[str, Any]:
    """What the graph of a single model reads, and how that is made of a wav."""
    layout = plugins.call("features", config.features, "layout")
    speaker = config.normalise == "speaker"
    trained = data[holdout(data, config.split.model_dump())[0]]
    return {
        "features": config.features,
        "feature_version": layout.version,
        "frames": isinstance(data.features, Frames),
        "rate": config.rate,
        "clip": config.clip.model_dump(),
        "normalise": config.normalise,
        "training_statistics": {"mean": model.mean_.tolist(), "std": model.std_.tolist()} if speaker else None,
        "familiar": out_of_domain.ranges_of(trained),
    }


def _versions() -> dict[str, str]:
    versions = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):  # not everyone has installed openSMILE, or under this very name
            versions[name] = version(name)
    return versions
