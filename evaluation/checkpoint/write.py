"""A checkpoint folder: the shipped model, its card, and the numbers with their protocol."""

import csv
import json
import os
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from evaluation import audit
from evaluation.checkpoint import analysis, tables
from evaluation.leakage import record as audit_record
from evaluation.leakage import rules as leakage
from evaluation.leakage import training_set as heard
from evaluation.scores import conformal, glossary, metrics
from evaluation.scores import significance as statistics
from evaluation.splits import folds as splits
from evaluation.training.cross_validation import Outcome
from models.common import EmotionModel
from prediction import out_of_domain
from utils import plots, plugins
from utils.config import Config
from utils.dataset import Dataset, Frames

LIBRARIES = ("keras", "tensorflow", "scikit-learn", "librosa", "opensmile", "numpy", "onnxruntime")
TESTED = ("name", "corpora", "merge", "drop", "labels")  # of a config, what an evaluation goes by


def kind_text(protocol: Mapping[str, Any]) -> str:
    """Return whether the tested speakers were strangers, in the words that stand wherever a number does."""
    return "speaker-independent" if protocol["speaker_disjoint"] else "SPEAKER-DEPENDENT"


def protocol_text(protocol: Mapping[str, Any]) -> str:
    """Return the protocol in words: who was tested by what."""
    kind = kind_text(protocol)
    if protocol["by"] == "evaluation":
        return _evaluation_text(kind, protocol)
    how = protocol["by"] if isinstance(protocol["folds"], int) else f"{protocol['by']}: {protocol['folds']}"
    return f"{kind}, {protocol['n_folds']} folds by {how}{marks(protocol)}"


def marks(protocol: Mapping[str, Any]) -> str:
    """Return what keeps a number from being quoted, each after a comma: a trial, a choice on the same speakers."""
    trial = f", A TRIAL on {protocol['limit']} clips a class" if protocol["limit"] else ""
    return trial + (", TUNED on the same speakers: quote the held-out ones" if protocol["tuned"] else "")


def _evaluation_text(kind: str, protocol: Mapping[str, Any]) -> str:
    known = [
        "speakers of training not recorded" if protocol["shared_speakers"] is None else "",
        f"{protocol['shared_speakers']} speakers heard in training" if protocol["shared_speakers"] else "",
        f"{protocol['shared_clips']} clips heard in training" if protocol["shared_clips"] else "",
        f"a choice among {', '.join(protocol['shared_labels'])} alone" if protocol["shared_labels"] else "",
        f"no clip of {', '.join(protocol['absent'])}" if protocol["absent"] else "",
        f"A TRIAL on {protocol['limit']} clips a class" if protocol["limit"] else "",
    ]
    way = f"trained on {', '.join(protocol['trained_on'])}, tested on {', '.join(protocol['tested_on'])}"
    return ", ".join([kind, way, *filter(None, known)])


def uar_text(found: Mapping[str, Any]) -> str:
    """Return the UAR of metrics.json with what it is worth: its interval, and over whom."""
    lo, hi = found["uar_ci95"]
    over = "speakers" if found["n_speakers"] > 1 else "clips"
    few = "" if found["uar_ci95_informative"] else ": too few to mean much"
    return f"{found['uar']:.3f}  [{lo:.3f}, {hi:.3f}] 95 % over {found['n_' + over]} {over}{few}"


def scores(
    data: Dataset, config: Config, outcome: Outcome, *, limit: int | None = None, protocol: Mapping | None = None
) -> dict[str, Any]:
    """Return the content of metrics.json.

    Args:
        limit: clips a class, if this was a trial.
        protocol: who was tested by what; read off the folds unless given.
    """
    if protocol is None:
        protocol = stated(data, config, outcome.folds, validation=outcome.validation)
        protocol |= {"limit": limit, "tuned": bool(config.tuned)} | outcome.marks
    tested = np.flatnonzero(outcome.fold >= 0)
    part, probabilities = data[tested], outcome.probabilities[tested]
    found = metrics.scores(part.truth, probabilities, data.labels)
    predicted = probabilities.argmax(axis=1)
    interval = statistics.uar_interval(part.truth, predicted, part.speakers, len(data.labels), seed=config.seed)
    folds = [_fold_scores(data, fold, outcome.probabilities) for fold in outcome.folds]
    return {
        "name": config.name,
        "labels": list(data.labels),
        "protocol": dict(protocol),
        "n_clips": len(part),
        "n_speakers": len(set(part.speakers.tolist()) - {""}),
        "uar": found.pop("uar"),
        "uar_ci95": [interval.lo, interval.hi],
        "uar_ci95_informative": interval.informative,
        "uar_fold_mean": float(np.mean([fold["uar"] for fold in folds])),
        **found,
        "folds": folds,
        "by_information": outcome.by_information,
        "calibration": outcome.calibration,
        **analysis.scores(part, probabilities, seed=config.seed),
        "seconds": round(outcome.seconds, 1),
    }


def stated(data: Dataset, config: Config, folds: Sequence[splits.Fold], *, validation: str) -> dict[str, Any]:
    """Return the folds' protocol; a network started from one of the same corpus has heard the test speakers."""
    found = splits.protocol(data, config.split.model_dump(), folds, validation=validation)
    if config.init:
        source = json.loads((Path(config.init) / "model.json").read_text(encoding="utf8"))
        shared = heard.corpora(Path(config.init), source) & set(data.facts["corpus"].tolist())
        found |= {"init": source["name"], "speaker_disjoint": found["speaker_disjoint"] and not shared}
    return found


def _fold_scores(data: Dataset, fold: splits.Fold, probabilities: np.ndarray) -> dict[str, Any]:
    matrix = metrics.confusion(data.truth[fold.test], probabilities[fold.test].argmax(axis=1), len(data.labels))
    return {
        "name": fold.name,
        "test_speakers": sorted(set(data.speakers[fold.test].tolist())),
        "n_clips": len(fold.test),
        "uar": float(metrics.uar(matrix)),
        "accuracy": float(np.trace(matrix) / matrix.sum()),
    }


def holdout_scores(data: Dataset, config: Config, model: EmotionModel) -> dict[str, Any] | None:
    """Return the shipped model's scores on the held-out speakers, or None if there are none."""
    _, held = splits.holdout(data, config.split.model_dump())
    if not len(held):
        return None
    part = data[held]
    model.used.add("test", part)
    return {"speakers": sorted(set(part.speakers.tolist())), "n_clips": len(part)} | metrics.scores(
        part.truth, model.probabilities(part.features), data.labels
    )


def card(config: Config, data: Dataset, model: EmotionModel, found: Mapping, fingerprint: str) -> dict[str, Any]:
    """Return the content of model.json: all that prediction needs beside the graphs."""
    notes = [plugins.get("corpora", entry["name"]).constants.get("NOTE") for entry in config.corpora]
    return {
        "name": config.name,
        "labels": list(data.labels),
        **(model.card() if config.members else _inputs(config, data, model)),
        "model": config.model,
        "corpora": sorted(set(data.facts["corpus"].tolist())),
        "notes": sorted({note for note in notes if note}),
        "protocol": found["protocol"],
        "uar": found["uar"],
        "uar_ci95": found["uar_ci95"],
        "evidence": f"UAR {uar_text(found)}, {protocol_text(found['protocol'])}",
        "temperature": found["calibration"]["temperature"] if found["calibration"] else 1.0,
        "conformal": found["conformal"],
        "fingerprint": fingerprint,
        "versions": _versions(),
    }


def _inputs(config: Config, data: Dataset, model: EmotionModel) -> dict[str, Any]:
    """What the graph of a single model reads, and how that is made of a wav."""
    arguments = {key: value for key, value in config.features.items() if key != "name"}
    layout = plugins.get("features", config.features["name"]).load().layout(**arguments)
    speaker = config.normalise == "speaker"
    trained = data[splits.holdout(data, config.split.model_dump())[0]]
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
    found = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):  # not everyone has installed openSMILE, or under this very name
            found[name] = version(name)
    return found


def write(
    folder: Path,
    config: Config,
    data: Dataset,
    outcome: Outcome,
    model: EmotionModel,
    fingerprint: str,
    *,
    limit: int | None = None,
) -> dict[str, Any]:
    """Write a whole checkpoint, in place of an older one only when it is complete; return its metrics."""
    aside = _aside(folder)
    if folder.is_dir() and not (folder / "model.json").exists():  # what lengths.py found before anything was trained
        shutil.copytree(folder, aside, dirs_exist_ok=True)
    found = scores(data, config, outcome, limit=limit)
    held = holdout_scores(data, config, model)
    if held:
        found["holdout"] = held
    record = [*outcome.used, audit_record.fitted(model, data, audit_record.SHIPPED)]
    audit_record.write(aside / audit_record.FILE, record)
    found["audit"] = leakage.judge(pa.concat_tables(record), config, members=audit.members(folder.parent, config))
    model.save(aside)
    (aside / "config.yaml").write_text(yaml.safe_dump(config.model_dump(), sort_keys=False), encoding="utf8")
    _json(aside / "model.json", card(config, data, model, found, fingerprint))
    heard.write(aside, config, data)
    _write_scores(aside, config, data, outcome, found)
    _replace(folder, aside)
    return found


def write_evaluation(
    folder: Path,
    name: str,
    config: Config,
    data: Dataset,
    outcome: Outcome,
    *,
    protocol: Mapping[str, Any],
    thresholds: Mapping[str, float],
) -> dict[str, Any]:
    """Write what a finished model's predictions on other clips are worth, in place of an older one; return its metrics.

    Args:
        folder: below the checkpoint's ``evaluations``.
        name: heads the results.
        config: which clips, under which words.
        data: the clips.
        outcome: the predictions.
        protocol: of ``metrics.json``.
        thresholds: of the model's label sets, {coverage asked: least probability}.
    """
    aside = _aside(folder)
    clips = {key: value for key, value in config.model_dump().items() if key in TESTED}
    (aside / "config.yaml").write_text(yaml.safe_dump(clips, sort_keys=False), encoding="utf8")
    named = config.model_copy(update={"name": name})
    found = scores(data, named, outcome, protocol=protocol)
    found["conformal"] = conformal.kept(data.truth, outcome.probabilities, data.speakers, thresholds)
    _write_scores(aside, named, data, outcome, found)
    _replace(folder, aside)
    return found


def _aside(folder: Path) -> Path:
    """Return an empty folder beside, to be put in the place of this one when all is written."""
    aside = folder.with_name(f".{folder.name}.part")
    if aside.exists():  # of a run that was killed while writing
        shutil.rmtree(aside)
    aside.mkdir(parents=True)
    return aside


def _write_scores(aside: Path, config: Config, data: Dataset, outcome: Outcome, found: Mapping[str, Any]) -> None:
    """All that tells what predictions are worth, of a run as of an evaluation: metrics, predictions, plots."""
    _json(aside / "metrics.json", found)
    (aside / "metrics.txt").write_text(text(found) + "\n", encoding="utf8")
    header, rows = _predictions(data, outcome)
    tables.write_csv(aside / "predictions.csv", header, [_digits(row) for row in rows])
    tested = np.flatnonzero(outcome.fold >= 0)
    before = None if outcome.uncalibrated is None else outcome.uncalibrated[tested]
    analysis.write(aside, found, data[tested], outcome.probabilities[tested], (header, rows), before=before)
    title = f"{config.name}: UAR {found['uar']:.3f}"
    plots.save(plots.confusion(np.array(found["confusion"]), data.labels, title=title), aside / "confusion.png")
    if outcome.histories:
        kept = [int(np.argmax(history["val_uar"])) + 1 for history in outcome.histories]
        curves = plots.curves(outcome.histories, best_epoch=kept, title=f"{config.name}, {len(outcome.folds)} folds")
        plots.save(curves, aside / "curves.png")


def _replace(folder: Path, by: Path) -> None:
    """Put one folder in the place of another; killed at any moment, what stands there is whole or nothing."""
    old = folder.with_name(f".{folder.name}.old")
    if old.exists():
        shutil.rmtree(old)
    if folder.exists():
        os.replace(folder, old)
    os.replace(by, folder)
    if old.exists():
        shutil.rmtree(old)


def _json(path: Path, content: Mapping) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf8")


def _predictions(data: Dataset, outcome: Outcome) -> tuple[list[str], list[list]]:
    """Header and rows of predictions.csv, a row a clip that was tested."""
    rows = []
    for row in np.flatnonzero(outcome.fold >= 0):
        p = outcome.probabilities[row]
        labels = (data.labels[data.truth[row]], data.labels[p.argmax()])
        who = (str(data.ids[row]), str(data.speakers[row]))
        rows.append([*who, *labels, int(outcome.fold[row]) + 1, *(round(float(value), 6) for value in p)])
    return ["id", "speaker", "truth", "predicted", "fold", *(f"p_{label}" for label in data.labels)], rows


def _digits(row: Sequence) -> list:
    """The row with probabilities of six digits each, 0.000001 and not 1e-06."""
    return [f"{value:.6f}" if isinstance(value, float) else value for value in row]


@dataclass(frozen=True)
class Predictions:
    """What predictions.csv holds: ids, speakers (n,), truth and predicted as labels (n,), fold (n,) from 0,
    probabilities (n, classes)."""

    ids: np.ndarray
    speakers: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    fold: np.ndarray
    probabilities: np.ndarray


def read_predictions(folder: Path) -> Predictions:
    """Return the out-of-fold predictions of a finished run."""
    with (folder / "predictions.csv").open(newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    words = (np.array([row[key] for row in rows]) for key in ("id", "speaker", "truth", "predicted"))
    fold = np.array([int(row["fold"]) - 1 for row in rows])
    return Predictions(*words, fold, np.array([[float(row[key]) for key in row if key[:2] == "p_"] for row in rows]))


def text(found: Mapping[str, Any]) -> str:
    """Return metrics.json for people."""
    lines = [
        found["name"],
        *textwrap.wrap(protocol_text(found["protocol"]), 80),
        f"{found['n_clips']} clips, {found['n_speakers']} speakers, validation: {found['protocol']['validation']}",
        "",
        f"UAR                {uar_text(found)}",
        *(_score(key, found[key]) for key in ("accuracy", "macro_f1", "weighted_f1")),
        _score("ece", found["ece"], _cooled(found["calibration"])),
        *([audit.line(found["audit"])] if "audit" in found else []),  # an evaluation trains nothing
        *analysis.lines(found),
    ]
    known = {name: value for name, value in found["by_information"].items() if value is not None}
    if len(known) > 1:
        lines += ["", "UAR by what is known of the test speaker:"]
        lines += [f"  {name.replace('_', ' '):<17}{value:.3f}" for name, value in known.items()]
    if held := found.get("holdout"):
        lines += ["", f"held-out speakers: UAR {held['uar']:.3f}, {held['n_clips']} clips"]
        lines += textwrap.wrap(", ".join(held["speakers"]), 80, initial_indent="  ", subsequent_indent="  ")
    return "\n".join([*lines, "", *_table(found["per_class"])])


def _score(metric: str, value: float, remark: str = "") -> str:
    """A number with its name and what it is."""
    return f"{glossary.name(metric):<19}{value:.3f}  {remark or glossary.TERMS[metric].brief}"


def _cooled(calibration: Mapping[str, Any] | None) -> str:
    if not calibration:
        return ""
    return f"({calibration['ece']['before']:.3f} before temperature {calibration['temperature']:.2f})"


def _table(per_class: Mapping[str, Mapping]) -> list[str]:
    width = max(len(label) for label in per_class) + 2
    lines = [f"{'':<{width}}precision  recall     F1  clips"]
    for label, row in per_class.items():
        figures = f"{row['precision']:9.3f}{row['recall']:8.3f}{row['f1']:7.3f}{row['support']:7d}"
        lines.append(f"{label:<{width}}{figures}")
    return lines


def changed_keys(folder: Path, config: Config) -> list[str]:
    """Return the config keys, ``a.b``, in which a finished run differs from this config."""
    old = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf8"))
    return _differences(old, json.loads(config.model_dump_json()), "")


def _differences(old: Any, new: Any, where: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys: Sequence[str] = sorted(set(old) | set(new))
        return [d for key in keys for d in _differences(old.get(key), new.get(key), f"{where}.{key}".lstrip("."))]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [d for n, pair in enumerate(zip(old, new, strict=True)) for d in _differences(*pair, f"{where}.{n}")]
    return [] if old == new else [where]
