"""Split-conformal label sets: each clip gets so many labels that the true one is in the set as often as asked.

A label is in the set if it is as probable as the true label of most held-out clips was (LAC: Sadinle et al.
2019, doi 10.1080/01621459.2017.1395341; Angelopoulos & Bates, arXiv:2107.07511). The guarantee needs new clips
that are exchangeable with those of the out-of-fold predictions. Clips of one speaker are alike, so it holds on
average over speakers like these, not for each of them: ``coverage`` gives the lowest share of a speaker.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

COVERAGES = (0.8, 0.9, 0.95)  # what a checkpoint has thresholds for


class Coverage(TypedDict):
    """How often label sets hold the true label.

    Keys:
        coverage: share of the clips, 0 to 1.
        mean_size: labels per set.
        lowest: lowest coverage of a group (speaker).
        lowest_group: its name.
    """

    coverage: float
    mean_size: float
    lowest: float
    lowest_group: str


class LabelSets(Coverage):
    """``threshold``: least probability of a label in the set; with the coverage of these sets."""

    threshold: float


def threshold(truth: np.ndarray, probabilities: np.ndarray, asked: float) -> float:
    """Return the least probability of a label in the set, so that sets hold the true label as often as asked or more.

    One minus the ceil((n + 1) asked) / n quantile of 1 - p of the true label. It is 0, so that every label is in
    the set, where n is too small.

    Args:
        truth: (n,) class index.
        probabilities: (n, C), out of fold.
        asked: share of clips whose set is to hold the true label, 0 to 1.
    """
    own = np.sort(np.asarray(probabilities)[np.arange(len(truth)), truth])[::-1]
    rank = int(np.ceil(round((len(own) + 1) * asked, 9)))
    return float(own[rank - 1]) if rank <= len(own) else 0.0


def sets(probabilities: np.ndarray, least: float) -> np.ndarray:
    """Return (n, C) bool, the labels of each clip's set; the most probable label is always in it.

    Args:
        probabilities: (n, C).
        least: least probability of a label in the set, of ``threshold``.

    >>> sets(np.array([[0.6, 0.3, 0.1]]), 0.3).tolist(), sets(np.array([[0.6, 0.3, 0.1]]), 0.9).tolist()
    ([[True, True, False]], [[True, False, False]])
    """
    probabilities = np.asarray(probabilities)
    return probabilities >= np.minimum(least, probabilities.max(axis=-1, keepdims=True))


def coverage(truth: np.ndarray, probabilities: np.ndarray, groups: np.ndarray, asked: float) -> Coverage:
    """Return the coverage of sets whose threshold comes from the other groups (speakers), each held out in turn.

    Args:
        truth: (n,) class index.
        probabilities: (n, C), out of fold.
        groups: (n,) names of the speakers, two at least.
        asked: coverage asked for, 0 to 1.
    """
    truth, groups = np.asarray(truth), np.asarray(groups)
    inside = np.zeros(np.shape(probabilities), bool)
    for name in np.unique(groups):
        held_out = groups == name
        least = threshold(truth[~held_out], probabilities[~held_out], asked)
        inside[held_out] = sets(probabilities[held_out], least)
    return _coverage_of(inside, truth, groups)


def with_thresholds(
    truth: np.ndarray, probabilities: np.ndarray, speakers: np.ndarray, thresholds: Mapping[str, float]
) -> dict[str, LabelSets]:
    """Return what ``scores`` does, for the thresholds of a finished model on other clips.

    On clips unlike those that the thresholds come from, the coverage can be far from what was asked for.

    Args:
        truth: (n,) class index.
        probabilities: (n, C).
        speakers: (n,) names.
        thresholds: coverage asked for, as text -> least probability of a label in the set.
    """
    truth, groups = np.asarray(truth), np.asarray(speakers)
    return {
        share: {"threshold": least} | _coverage_of(sets(probabilities, least), truth, groups)
        for share, least in thresholds.items()
    }


def _coverage_of(inside: np.ndarray, truth: np.ndarray, groups: np.ndarray) -> Coverage:
    """Return the coverage of sets (n, C) bool."""
    names = np.unique(groups)
    hit = inside[np.arange(len(truth)), truth]
    shares = [float(hit[groups == name].mean()) for name in names]
    worst = int(np.argmin(shares))
    return {
        "coverage": float(hit.mean()),
        "mean_size": float(inside.sum(axis=1).mean()),
        "lowest": shares[worst],
        "lowest_group": str(names[worst]),
    }


def scores(
    truth: np.ndarray, probabilities: np.ndarray, speakers: np.ndarray, *, asked: Sequence[float] = COVERAGES
) -> dict[str, LabelSets]:
    """Return coverage asked for, as text ("0.9") -> threshold and coverage; empty with fewer than two known speakers.

    The threshold is that of all clips, the coverage that of thresholds from the other speakers.

    Args:
        truth: (n,) class index.
        probabilities: (n, C), out of fold.
        speakers: (n,) names, "" if unknown.
        asked: coverages, 0 to 1.
    """
    if (speakers == "").any() or len(np.unique(speakers)) < 2:
        return {}
    return {
        f"{share:g}": {"threshold": threshold(truth, probabilities, share)}
        | coverage(truth, probabilities, speakers, share)
        for share in asked
    }
