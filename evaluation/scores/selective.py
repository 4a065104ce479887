"""What the top probability is worth: how right a model is that may stay silent, and its most confident errors."""

from typing import Any

import numpy as np

from utils.dataset import Dataset

STEPS = tuple(n / 10 for n in range(10, 0, -1))  # shares of the clips answered
ERRORS = 20


def risk_coverage(truth: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of clips answered and the accuracy on them, for every threshold on the top probability.

    El-Yaniv & Wiener 2010, jmlr.org/papers/v11/el-yaniv10a. Clips of equal probability are answered together.

    Args:
        truth: (n,) class index.
        probabilities: (n, C).

    Returns:
        coverage (k,) ascending to 1, accuracy (k,), both 0 to 1; k different top probabilities.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    hits = np.cumsum((probabilities.argmax(axis=1) == truth)[order])
    last = np.append(np.diff(confidence[order]) != 0, True)  # of its equals
    answered = np.arange(1, len(order) + 1)
    return answered[last] / len(order), hits[last] / answered[last]


def abstaining(truth: np.ndarray, probabilities: np.ndarray) -> list[dict[str, Any]]:
    """Return for coverages of 100, 90, ... 10 % the ``--abstain-below`` that leaves them, and the accuracy then.

    Returns:
        [{``coverage`` answered (a tie answers more), ``below``, ``n_clips``, ``accuracy``}].
    """
    confidence = probabilities.max(axis=1)
    hit, ordered = probabilities.argmax(axis=1) == truth, np.sort(confidence)[::-1]
    rows = []
    for share in STEPS:
        below = ordered[int(np.ceil(round(share * len(ordered), 9))) - 1]
        kept = confidence >= below
        row = {"coverage": float(kept.mean()), "below": float(below), "n_clips": int(kept.sum())}
        rows.append(row | {"accuracy": float(hit[kept].mean())})
    return rows


def errors(data: Dataset, probabilities: np.ndarray, *, most: int = ERRORS) -> list[dict[str, Any]]:
    """Return the errors made with the highest probability, {id, path, truth, predicted, p, p_truth}, worst first.

    Args:
        data: the n clips.
        probabilities: (n, C), out of fold.
        most: rows at most.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != data.truth)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    paths = data.facts.get("path", np.full(len(data), ""))
    return [
        {
            "id": str(data.ids[row]),
            "path": str(paths[row]),
            "truth": data.labels[data.truth[row]],
            "predicted": data.labels[predicted[row]],
            "p": round(float(confidence[row]), 6),
            "p_truth": round(float(probabilities[row, data.truth[row]]), 6),
        }
        for row in wrong
    ]
