"""Write a checkpoint folder: the shipped model, its card, and its scores with their protocol."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from evaluation.checkpoint import analysis, finished, model_json, predictions, protocol
from evaluation.checkpoint.metrics_json import holdout_scores, scores
from evaluation.checkpoint.outcome import Outcome
from evaluation.checkpoint.protocol import EvaluationProtocol
from evaluation.checkpoint.text import text
from evaluation.leakage import record, rules, training_set
from evaluation.scores import conformal, speaker_emotions
from evaluation.splits.folds import holdout
from models.common import EmotionModel
from utils import config as configs
from utils import plots
from utils.config import Config
from utils.dataset import Dataset

TESTED = ("name", "corpora", "merge", "drop", "labels")  # keys of a config that an evaluation goes by


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
    """Write a whole checkpoint, in place of an older one only when it is complete; return its metrics.

    Args:
        folder: ``checkpoints/NAME``.
        config: of the run.
        data: all clips, those held out too.
        outcome: of its cross-validation.
        model: the one to ship.
        fingerprint: digest of the data and of the weights it began with.
        limit: clips per class if this is a trial.
    """
    aside = _empty_folder_beside(folder)
    if folder.is_dir() and not (folder / "model.json").exists():  # what lengths.py wrote before anything was trained
        shutil.copytree(folder, aside, dirs_exist_ok=True)
    stated = protocol.of_run(
        data, config, outcome.folds, limit=limit, **{"validation": outcome.validation} | outcome.protocol_notes
    )
    scored = scores(data, config, outcome, stated)
    scored |= speaker_emotions.scores(data[holdout(data, config.split.model_dump())[0]])
    if held_out := holdout_scores(data, config, model):
        scored["holdout"] = held_out
    tables = [*outcome.used, record.fitted(model, data, record.SHIPPED)]
    record.write(aside / record.FILE, tables)
    verdicts = finished.member_verdicts(folder.parent, config)
    scored["audit"] = rules.judge(pa.concat_tables(tables), config, members=verdicts)
    model.save(aside)
    (aside / "config.yaml").write_text(configs.dump_yaml(config.model_dump()), encoding="utf8")
    _write_json(aside / "model.json", model_json.card(config, data, model, scored, fingerprint))
    training_set.write(aside, config, data)
    _write_scores(aside, config, data, outcome, scored)
    _replace(folder, aside)
    return scored


def write_evaluation(
    folder: Path,
    name: str,
    config: Config,
    data: Dataset,
    outcome: Outcome,
    *,
    protocol: EvaluationProtocol,
    thresholds: Mapping[str, float],
) -> dict[str, Any]:
    """Write the scores of a finished model on other clips, in place of older ones; return its metrics.

    Args:
        folder: below the checkpoint's ``evaluations``.
        name: heads the results.
        config: which clips, under which words.
        data: the clips.
        outcome: the predictions.
        protocol: of ``metrics.json``.
        thresholds: of the model's label sets, {coverage asked: least probability}.
    """
    aside = _empty_folder_beside(folder)
    clips = {key: value for key, value in config.model_dump().items() if key in TESTED}
    (aside / "config.yaml").write_text(configs.dump_yaml(clips), encoding="utf8")
    named = config.model_copy(update={"name": name})
    scored = scores(data, named, outcome, protocol)
    scored["conformal"] = conformal.with_thresholds(data.truth, outcome.probabilities, data.speakers, thresholds)
    _write_scores(aside, named, data, outcome, scored)
    _replace(folder, aside)
    return scored


def _empty_folder_beside(folder: Path) -> Path:
    """Return an empty folder that takes the place of this one when all is written."""
    aside = folder.with_name(f".{folder.name}.part")
    if aside.exists():  # of a run that was killed while writing
        shutil.rmtree(aside)
    aside.mkdir(parents=True)
    return aside


def _write_scores(aside: Path, config: Config, data: Dataset, outcome: Outcome, scored: Mapping[str, Any]) -> None:
    """Write what a run and an evaluation have in common: metrics, predictions, plots."""
    _write_json(aside / "metrics.json", scored)
    (aside / "metrics.txt").write_text(text(scored) + "\n", encoding="utf8")
    header, rows = predictions.rows(data, outcome)
    predictions.write(aside, header, rows)
    tested = outcome.tested
    before = None if outcome.uncalibrated is None else outcome.uncalibrated[tested]
    analysis.write(aside, scored, data[tested], outcome.probabilities[tested], (header, rows), before=before)
    title = f"{config.name}: UAR {scored['uar']:.3f}"
    plots.save(plots.confusion(np.array(scored["confusion"]), data.labels, title=title), aside / "confusion.png")
    if outcome.histories:
        best = [int(np.argmax(history["val_uar"])) + 1 for history in outcome.histories]
        curves = plots.curves(outcome.histories, best_epoch=best, title=f"{config.name}, {len(outcome.folds)} folds")
        plots.save(curves, aside / "curves.png")


def _replace(folder: Path, by: Path) -> None:
    """Put one folder in the place of another; killed at any moment, what is there is whole or nothing."""
    old = folder.with_name(f".{folder.name}.old")
    if old.exists():
        shutil.rmtree(old)
    if folder.exists():
        os.replace(folder, old)
    os.replace(by, folder)
    if old.exists():
        shutil.rmtree(old)


def _write_json(path: Path, content: Mapping) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf8")
