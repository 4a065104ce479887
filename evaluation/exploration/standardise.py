"""Features of clips as standardised columns, and groups of clips as numbers."""

from collections.abc import Sequence

import numpy as np

from models.moments import moments, safe_std
from utils.dataset import Features, Frames

MOST_COMPARED = 3000  # clips over which silhouettes, nearest clips and t-SNE are computed; a random part of more
UNKNOWN = -1  # group of a clip whose group is not known


def pooled(features: Features, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Return vectors as they are, and frames as their mean and standard deviation over time.

    Args:
        features: (n, dims) or Frames of n clips.
        names: of the dims.

    Returns:
        (n, columns) float32 and the names of the columns.
    """
    if not isinstance(features, Frames):
        return features, list(names)
    rows = [np.concatenate([clip.mean(axis=0, dtype=np.float64), clip.std(axis=0)]) for clip in features.clips]
    return np.stack(rows).astype(np.float32), [f"{name} ({of})" for of in ("mean", "std") for name in names]


def scaled(values: np.ndarray) -> np.ndarray:
    """Return columns of mean 0 and standard deviation 1, (n, columns) float32; a constant column is 0."""
    mean, std = moments([values])
    return (values - mean) / safe_std(std, np.abs(mean), np.inf)


def scaled_within(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the same with each group, e.g. each speaker, scaled by its own statistics; 0 where the group is unknown.

    Args:
        values: (n, columns).
        groups: (n,) whole numbers from 0; UNKNOWN where not known.
    """
    result = np.zeros(values.shape, np.float32)
    for group in np.unique(groups[groups != UNKNOWN]):
        result[groups == group] = scaled(values[groups == group])
    return result


def group_codes(words: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return the group of each clip and the names of the groups, sorted; "" is UNKNOWN.

    >>> group_codes(np.array(["b", "", "a", "b"]))[0].tolist()
    [1, -1, 0, 1]
    """
    names = sorted(set(words.tolist()) - {""})
    index = {name: number for number, name in enumerate(names)} | {"": UNKNOWN}
    return np.array([index[word] for word in words.tolist()], np.int64), names


def sample(n: int, *, seed: int) -> np.ndarray:
    """Return the indices of at most MOST_COMPARED of n clips, drawn at random, ascending."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:MOST_COMPARED])
