"""Scores of a classifier, all from one confusion matrix and the probabilities; rows are the truth.

scikit-learn has the same scores. They are computed here so that thousands of bootstrapped matrices are scored
at once, and so that evaluation needs no scikit-learn. Tests compare every figure with ``sklearn.metrics``.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from utils.errors import DataError
from utils.uar import confusion, ratio, uar, uar_score  # noqa: F401  (also names of this module)

BINS = 15  # of the calibration error, as in Guo et al. 2017


class ClassScores(TypedDict):
    """Scores of one class: precision, recall and f1, 0 to 1, and support, its number of clips."""

    precision: float
    recall: float
    f1: float
    support: int


class Scores(TypedDict):
    """Scores of n predictions, as plain Python numbers; shares are 0 to 1.

    The macro means are over the classes that occur in the truth or the predictions. The precision of a class
    that is never predicted is 0, as is the recall of a class without clips, so macro_recall differs from uar.

    Keys:
        uar: unweighted average recall, the mean over the classes that have clips.
        accuracy: share of right predictions.
        macro_f1, macro_precision, macro_recall: means over classes.
        weighted_f1, weighted_precision, weighted_recall: means over classes, weighted by their clips.
        log_loss: nats per clip.
        brier: mean over clips of the sum of squares over classes, 0 to 2.
        ece: expected calibration error.
        per_class: label -> its scores.
        confusion: (C, C) counts, rows are the truth.
        confusion_rates: (C, C) shares of each row.
    """

    uar: float
    accuracy: float
    macro_f1: float
    weighted_f1: float
    macro_precision: float
    weighted_precision: float
    macro_recall: float
    weighted_recall: float
    log_loss: float
    brier: float
    ece: float
    per_class: dict[str, ClassScores]
    confusion: list[list[int]]
    confusion_rates: list[list[float]]


def scores(truth: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]) -> Scores:
    """Return every score of ``metrics.json`` that follows from the predictions alone.

    Args:
        truth: (n,) index into labels.
        probabilities: (n, C), rows sum to 1; the largest is the prediction.
        labels: C class names.

    Raises:
        DataError: no clips, or shapes or probabilities that do not fit.
    """
    truth, probabilities = np.asarray(truth), np.asarray(probabilities, dtype=np.float64)
    _check(truth, probabilities, labels)
    matrix = confusion(truth, probabilities.argmax(axis=1), len(labels))
    hits, support, predicted = np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    precision, recall = ratio(hits, predicted), ratio(hits, support)
    f1 = ratio(2 * hits, support + predicted)
    occurs = support + predicted > 0
    columns = zip(labels, precision.tolist(), recall.tolist(), f1.tolist(), support.tolist(), strict=True)
    return {
        "uar": float(uar(matrix)),
        "accuracy": float(hits.sum() / len(truth)),
        "macro_f1": float(f1[occurs].mean()),
        "weighted_f1": float(f1 @ support / len(truth)),
        "macro_precision": float(precision[occurs].mean()),
        "weighted_precision": float(precision @ support / len(truth)),
        "macro_recall": float(recall[occurs].mean()),
        "weighted_recall": float(recall @ support / len(truth)),
        "log_loss": log_loss(truth, probabilities),
        "brier": brier(truth, probabilities),
        "ece": ece(truth, probabilities),
        "per_class": {label: {"precision": p, "recall": r, "f1": f, "support": n} for label, p, r, f, n in columns},
        "confusion": matrix.tolist(),
        "confusion_rates": ratio(matrix, np.broadcast_to(support[:, None], matrix.shape)).tolist(),
    }


def log_loss(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean negative log probability of the true class, nats; a probability of 0 counts as 2.2e-16.

    Args:
        truth: (n,) class index.
        probabilities: (n, C).
    """
    own = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.clip(own, np.finfo(np.float64).eps, 1)).mean())


def brier(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean over clips of the squared distance to the truth, summed over classes, 0 to 2 (Brier 1950).

    Args:
        truth: (n,) class index.
        probabilities: (n, C).
    """
    return float(np.square(probabilities - np.eye(probabilities.shape[1])[truth]).sum(axis=1).mean())


def ece(truth: np.ndarray, probabilities: np.ndarray, *, bins: int = BINS) -> float:
    """Return the expected calibration error, 0 to 1 (Guo et al. 2017, arXiv:1706.04599).

    Mean distance between confidence and accuracy over equal-width bins (low, high] of the top
    probability, weighted by clips.

    Args:
        truth: (n,) class index.
        probabilities: (n, C).
        bins: number of bins.
    """
    confidence = probabilities.max(axis=1)
    hit = probabilities.argmax(axis=1) == truth
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(bin_of, weights=confidence - hit, minlength=bins)
    return float(np.abs(gaps).sum() / len(truth))


def _check(truth: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]) -> None:
    expected = (len(truth), len(labels))
    if probabilities.shape != expected or not len(truth):
        raise DataError(f"scores: probabilities must have shape {expected}, got {probabilities.shape}.")
    sums = probabilities.sum(axis=1)
    if not np.allclose(sums, 1, atol=1e-3):
        worst = int(np.nan_to_num(np.abs(sums - 1), nan=np.inf).argmax())
        raise DataError(f"scores: the probabilities of clip {worst} sum to {sums[worst]:.4g}, not to 1.")
