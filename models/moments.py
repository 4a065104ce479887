"""Mean and deviation, by which features are scaled: of a training set, of a speaker, or of a few clips of one."""

from collections.abc import Sequence

import numpy as np

SHRINKAGE_CLIPS = 5  # enrolment of n clips moves the statistics n / (n + 5) of the way to the speaker's own

Moments = tuple[np.ndarray, np.ndarray]  # mean and standard deviation, (dims,) float32 each


def moments(parts: Sequence[np.ndarray]) -> Moments:
    """Return the moments over the rows of all parts, each (rows, dims)."""
    count = sum(len(part) for part in parts)
    mean = sum(part.sum(axis=0, dtype=np.float64) for part in parts) / count
    variance = sum(np.square(part - mean).sum(axis=0) for part in parts) / count
    return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)


def safe_std(std: np.ndarray, size: np.ndarray, fallback: np.ndarray | float = 1.0) -> np.ndarray:
    """Return deviations that can be divided by: the fallback for a feature that moves no more than rounding does.

    Args:
        std: (dims,) deviations.
        size: (dims,) what they are small against, > 1e-6 of it counts. No absolute floor: some openSMILE
            functionals live below 1e-9 and are as good as any once scaled.
        fallback: deviation of a feature that stands still.
    """
    return np.where(std > 1e-6 * size, std, fallback).astype(np.float32)


def shrunk(own: Moments, train: Moments, clips: int) -> Moments:
    """Return a speaker's moments from few clips, drawn towards the training set's: n / (n + 5) of the way."""
    share = clips / (clips + SHRINKAGE_CLIPS)
    mean, std = (share * mine + (1 - share) * theirs for mine, theirs in zip(own, train, strict=True))
    return mean.astype(np.float32), std.astype(np.float32)
