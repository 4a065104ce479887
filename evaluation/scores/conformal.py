"""Split-conformal label sets: so many labels that the true one is among them as often as asked.

A label is in the set if it is as probable as the true label of most held-out clips was (LAC: Sadinle et al.
2019, doi 10.1080/01621459.2017.1395341; Angelopoulos & Bates, arXiv:2107.07511). The promise needs new clips
to be exchangeable with those of the out-of-fold predictions. Clips of one speaker are alike, so it holds on
average over speakers like these, not for each of them: ``coverage`` says how low it falls.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

COVERAGES = (0.8, 0.9, 0.95)  # what a checkpoint has thresholds for


def threshold(truth: np.ndarray, probabilities: np.ndarray, asked: float) -> float:
    """Return the least probability of a label in the set, so that sets hold the truth at least as often as asked.

    One minus the ceil((n + 1) asked) / n quantile of 1 - p of the true label; 0, every label, where n is
    too small for any less.

    Args:
        truth: (n,) class index.
        probabilities: (n, C), out of fold.
        asked: share of clips whose set holds the truth, 0 to 1.
    """
    own = np.sort(np.asarray(probabilities)[np.arange(len(truth)), truth])[::-1]
    rank = int(np.ceil(round((len(own) + 1) * asked, 9)))
    return float(own[rank - 1]) if rank <= len(own) else 0.0


def sets(probabilities: np.ndarray, least: float) -> np.ndarray:
    """Return (n, C) bool, the labels of each clip's set; the most probable is always in, so none is empty.

    >>> sets(np.array([[0.6, 0.3, 0.1]]), 0.3).tolist(), sets(np.array([[0.6, 0.3, 0.1]]), 0.9).tolist()
    ([[True, True, False]], [[True, False, False]])
    """
    probabilities = np.asarray(probabilities)
    return probabilities >= np.minimum(least, probabilities.max(axis=-1, keepdims=True))


def coverage(truth: np.ndarray, probabilities: np.ndarray, groups: np.ndarray, asked: float) -> dict[str, Any]:
    """Return how often sets held the truth when each group (speaker) was held out of the threshold in turn.

    Args:
        truth: (n,) class index.
        probabilities: (n, C), out of fold.
        groups: (n,) speakers; two at least.
        asked: 0 to 1.

    Returns:
        ``coverage`` pooled over all clips, ``mean_size`` labels a set, ``lowest`` coverage of a group and
        ``lowest_group``.
    """
    truth, groups = np.asarray(truth), np.asarray(groups)
    inside = np.zeros(np.shape(probabilities), bool)
    names = np.unique(groups)
    for name in names:
        out = groups == name
        inside[out] = sets(probabilities[out], threshold(truth[~out], probabilities[~out], asked))
    return _told(inside, truth, groups)


def with_thresholds(
    truth: np.ndarray, probabilities: np.ndarray, speakers: np.ndarray, thresholds: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """Return what ``scores`` does, for sets by a finished model's thresholds, {coverage asked: least probability}.

    On clips unlike those that the thresholds come from the coverage is what it is, and no longer what was asked.
    """
    truth, groups = np.asarray(truth), np.asarray(speakers)
    return {
        share: {"threshold": least} | _told(sets(probabilities, least), truth, groups)
        for share, least in thresholds.items()
    }


def _told(inside: np.ndarray, truth: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    """Coverage and size of sets (n, C) bool, and the group that they serve least."""
    names = np.unique(groups)
    held = inside[np.arange(len(truth)), truth]
    each = [float(held[groups == name].mean()) for name in names]
    worst = int(np.argmin(each))
    return {
        "coverage": float(held.mean()),
        "mean_size": float(inside.sum(axis=1).mean()),
        "lowest": each[worst],
        "lowest_group": str(names[worst]),
    }


def scores(
    truth: np.ndarray, probabilities: np.ndarray, speakers: np.ndarray, *, asked: Sequence[float] = COVERAGES
) -> dict[str, dict[str, Any]]:
    """Return {"0.9": {threshold, coverage, mean_size, lowest, lowest_group}}; empty under two known speakers.

    Args:
        truth: (n,) class index.
        probabilities: (n, C), out of fold.
        speakers: (n,), "" if unknown.
        asked: coverages, 0 to 1.
    """
    if (speakers == "").any() or len(np.unique(speakers)) < 2:
        return {}
    return {
        f"{share:g}": {"threshold": threshold(truth, probabilities, share)}
        | coverage(truth, probabilities, speakers, share)
        for share in asked
    }
