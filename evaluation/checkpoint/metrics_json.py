"""metrics.json: every score of a run, with its protocol and its uncertainty."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from evaluation.checkpoint import analysis
from evaluation.checkpoint.outcome import Outcome
from evaluation.checkpoint.protocol import EvaluationProtocol, Protocol
from evaluation.scores import guessing, metrics, significance
from evaluation.splits.folds import Fold, holdout
from models.common import EmotionModel
from models.speaker_offset import score_statistics
from utils.config import Config
from utils.dataset import Dataset


def scores(data: Dataset, config: Config, outcome: Outcome, protocol: Protocol | EvaluationProtocol) -> dict[str, Any]:
    """Return the content of metrics.json that a run and an evaluation have in common.

    Returns:
        name, labels, protocol, n_clips, n_speakers, uar, uar_ci95 [lo, hi], uar_ci95_informative, chance, verdict
        (``guessing.verdict``), uar_fold_mean, the scores of ``metrics.scores``, folds [{name, test_speakers, n_clips,
        uar, accuracy}], by_information, calibration, adaptation (``models.speaker_offset``), what ``analysis.scores``
        adds (subgroups, conformal, ...), and seconds.
    """
    part, probabilities = data[outcome.tested], outcome.probabilities[outcome.tested]
    pooled = metrics.scores(part.truth, probabilities, data.labels)
    predicted = probabilities.argmax(axis=1)
    interval = significance.uar_interval(part.truth, predicted, part.speakers, len(data.labels), seed=config.seed)
    folds = [_fold_scores(data, fold, outcome.probabilities) for fold in outcome.folds]
    uar, chance = pooled.pop("uar"), guessing.chance(part.truth)
    return {
        "name": config.name,
        "labels": list(data.labels),
        "protocol": protocol.as_json(),
        "n_clips": len(part),
        "n_speakers": len(set(part.speakers.tolist()) - {""}),
        "uar": uar,
        "uar_ci95": [interval.lo, interval.hi],
        "uar_ci95_informative": interval.informative,
        "chance": chance,
        "verdict": guessing.verdict(uar, interval, chance),
        "uar_fold_mean": float(np.mean([fold["uar"] for fold in folds])),
        **pooled,
        "folds": folds,
        "by_information": outcome.by_information,
        "calibration": outcome.calibration,
        "adaptation": score_statistics(probabilities, part.truth, part.speakers),
        "score_temperature": float(np.exp(np.mean(np.log(outcome.score_temperatures or [1.0])))),
        **analysis.scores(part, probabilities, seed=config.seed),
        "seconds": round(outcome.seconds, 1),
    }


def _fold_scores(data: Dataset, fold: Fold, probabilities: np.ndarray) -> dict[str, Any]:
    matrix = metrics.confusion(data.truth[fold.test], probabilities[fold.test].argmax(axis=1), len(data.labels))
    return {
        "name": fold.name,
        "test_speakers": sorted(set(data.speakers[fold.test].tolist())),
        "n_clips": len(fold.test),
        "uar": float(metrics.uar(matrix)),
        "accuracy": float(np.trace(matrix) / matrix.sum()),
    }


def holdout_scores(data: Dataset, config: Config, model: EmotionModel) -> dict[str, Any] | None:
    """Return ``holdout`` of metrics.json: {speakers, n_clips, and the scores of the shipped model on these clips}.

    None if no speaker is held out.
    """
    _, held_out = holdout(data, config.split.model_dump())
    if not len(held_out):
        return None
    part = data[held_out]
    model.usage.add("test", part)
    return {"speakers": sorted(set(part.speakers.tolist())), "n_clips": len(part)} | metrics.scores(
        part.truth, model.probabilities(part.features), data.labels
    )


def uar_text(scored: Mapping[str, Any]) -> str:
    """Return the UAR of metrics.json with its interval, and over whom it was bootstrapped."""
    lo, hi = scored["uar_ci95"]
    over = "speakers" if scored["n_speakers"] > 1 else "clips"
    few = "" if scored["uar_ci95_informative"] else ": too few to tell"
    return f"{scored['uar']:.3f}  [{lo:.3f}, {hi:.3f}] 95 % over {scored['n_' + over]} {over}{few}"
