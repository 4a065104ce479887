"""How well features separate emotions, and how well they separate speakers, before any model.

The same is computed for emotions and for speakers: features that are closer by speaker than by emotion are the reason
why a score on seen speakers is too high.
"""

from typing import Any

import numpy as np

from evaluation.exploration.standardise import UNKNOWN, group_codes, sample, scaled, scaled_within
from utils.dataset import Dataset

SCALED = "emotion, speakers scaled"


def eta_squared(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the share of each column's variance that lies between the groups, (columns,) 0 to 1.

    For k groups of n clips chance alone gives (k - 1) / (n - 1). A constant column has 0. Fisher's correlation
    ratio squared; Cohen 1973, Eta-squared and partial eta-squared in fixed factor ANOVA designs,
    doi 10.1177/001316447303300111.

    Args:
        values: (n, columns).
        groups: (n,) whole numbers; clips of UNKNOWN are left out.
    """
    z = scaled(values[groups != UNKNOWN])
    _, numbers, counts = np.unique(groups[groups != UNKNOWN], return_inverse=True, return_counts=True)
    sums = np.stack([z[numbers == group].sum(axis=0, dtype=np.float64) for group in range(len(counts))])  # (k, columns)
    rest = np.square(sums.sum(axis=0)) / len(z)  # what rounding leaves of a mean of 0
    total = np.einsum("ij,ij->j", z, z, dtype=np.float64) - rest
    between = (np.square(sums) / counts[:, None]).sum(axis=0) - rest
    return np.divide(between, total, out=np.zeros_like(total), where=total > 0).clip(0, 1)


def chance(groups: np.ndarray, scaled_groups: int = 1) -> float:
    """Return the mean eta squared that these groups give a column by chance.

    Args:
        groups: (n,) whole numbers; clips of UNKNOWN are left out.
        scaled_groups: number of groups of clips that were scaled separately, which removes one mean per group.
    """
    known = groups[groups != UNKNOWN]
    degrees = len(known) - scaled_groups
    return min(1.0, (len(np.unique(known)) - 1) / degrees) if degrees > 0 else 0.0


def separation(
    values: np.ndarray, groups: np.ndarray, speakers: np.ndarray, *, seed: int, scaled_groups: int = 1
) -> dict[str, Any]:
    """Return how well the features separate the groups.

    Args:
        values: (n, columns).
        groups: (n,) whole numbers; clips of UNKNOWN are left out.
        speakers: (n,) the speaker of each clip; UNKNOWN where not known.
        seed: of the sample, where there are more than MOST_COMPARED clips.
        scaled_groups: as of ``chance``; with more than one, ``nearest_chance`` is None.

    Returns:
        ``groups`` and ``n_clips``; ``variance``, the mean eta squared over the columns that vary, and
        ``variance_chance``; over the standardised features ``silhouette`` (-1 to 1, Rousseeuw 1987,
        doi 10.1016/0377-0427(87)90125-7); ``nearest``, the share of the clips whose nearest other clip is of their
        group, and ``nearest_chance``; ``stranger``, the same for the nearest clip of another speaker. None where it
        has no meaning: fewer than two groups, a group for every clip, one speaker per group.
    """
    known = groups != UNKNOWN
    values, groups, speakers = values[known], groups[known], speakers[known]
    n, k = len(groups), len(np.unique(groups))
    keys = ("variance", "variance_chance", "silhouette", "nearest", "nearest_chance", "stranger")
    row = {"groups": k, "n_clips": n} | dict.fromkeys(keys)
    if not 2 <= k < n:
        return row
    z = scaled(values)
    varying = z.any(axis=0)
    if not varying.any():
        return row
    row |= {
        "variance": float(eta_squared(values, groups)[varying].mean()),
        "variance_chance": chance(groups, scaled_groups),
    }
    chosen = sample(n, seed=seed)
    row |= _neighbours(z[chosen], groups[chosen], speakers[chosen])
    return row if scaled_groups == 1 else row | {"nearest_chance": None}


def _neighbours(z: np.ndarray, groups: np.ndarray, speakers: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import pairwise_distances, silhouette_score

    counts = np.unique(groups, return_counts=True)[1]
    n, k = len(groups), len(counts)
    if not 2 <= k < n:  # a sample can hold fewer groups than all clips
        return {}
    distances = pairwise_distances(z)  # (n, n)
    np.fill_diagonal(distances, 0)
    result = {
        "silhouette": float(silhouette_score(distances, groups, metric="precomputed")),
        "nearest_chance": float((counts * (counts - 1)).sum() / (n * (n - 1))),
    }
    np.fill_diagonal(distances, np.inf)
    result["nearest"] = float((groups[distances.argmin(axis=1)] == groups).mean())
    known = speakers != UNKNOWN
    mixed = any(len(np.unique(speakers[known & (groups == group)])) > 1 for group in np.unique(groups))
    if mixed:
        same_speaker = speakers[known, None] == speakers[None, known]
        to_others = np.where(same_speaker, np.inf, distances[np.ix_(known, known)])
        result["stranger"] = float((groups[known][to_others.argmin(axis=1)] == groups[known]).mean())
    return result


def structure(values: np.ndarray, data: Dataset, *, seed: int) -> list[dict[str, Any]]:
    """Return one row per grouping: by emotion, by speaker, by emotion with each speaker scaled separately, and by
    corpus where there are several; then the same for each of several corpora alone.

    Args:
        values: (n, columns).
        data: the n clips.
        seed: of the samples.

    Returns:
        ``corpus`` ("" for all), ``by``, and the keys of ``separation``.
    """
    corpora = np.unique(data.facts["corpus"])
    parts = {"": np.full(len(data), True)}
    if len(corpora) > 1:
        parts |= {str(name): data.facts["corpus"] == name for name in corpora}
    rows = []
    for corpus, chosen in parts.items():
        speakers, names = group_codes(data.speakers[chosen])
        separations = {"emotion": separation(values[chosen], data.truth[chosen], speakers, seed=seed)}
        if len(names) > 1:
            separations["speaker"] = separation(values[chosen], speakers, speakers, seed=seed)
            separations[SCALED] = _scaled_separation(values[chosen], data.truth[chosen], speakers, seed=seed)
        if not corpus and len(corpora) > 1:
            separations["corpus"] = separation(values, group_codes(data.facts["corpus"])[0], speakers, seed=seed)
        rows += [{"corpus": corpus, "by": name} | row for name, row in separations.items()]
    return rows


def _scaled_separation(values: np.ndarray, truth: np.ndarray, speakers: np.ndarray, *, seed: int) -> dict[str, Any]:
    """Return the separation by emotion with each speaker scaled separately; speakers with one clip are left out."""
    codes, numbers, counts = np.unique(speakers, return_inverse=True, return_counts=True)
    scalable = (codes != UNKNOWN) & (counts > 1)
    known = np.where(scalable[numbers], truth, UNKNOWN)
    z = scaled_within(values, speakers)
    return separation(z, known, speakers, seed=seed, scaled_groups=max(1, int(scalable.sum())))


def pairs_that_occur(truth: np.ndarray, speakers: np.ndarray) -> tuple[int, int]:
    """Return how many pairs of a known speaker and an emotion occur, and how many are possible."""
    known = speakers != UNKNOWN
    pairs = set(zip(truth[known].tolist(), speakers[known].tolist(), strict=True))
    return len(pairs), len(set(truth[known].tolist())) * len(set(speakers[known].tolist()))
