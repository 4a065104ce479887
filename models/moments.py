"""Mean and deviation, by which features are scaled: of a training set, of a speaker, or of a few clips of a speaker."""

from collections.abc import Sequence

import numpy as np

SHRINKAGE_CLIPS = 5  # n enrolled clips move the statistics n / (n + 5) of the way to the speaker's own

Moments = tuple[np.ndarray, np.ndarray]  # mean and standard deviation, (dims,) float32 each


def moments(parts: Sequence[np.ndarray]) -> Moments:
    """Return the moments over the rows of all parts, each (rows, dims)."""
    count = sum(len(part) for part in parts)
    mean = sum(part.sum(axis=0, dtype=np.float64) for part in parts) / count
    variance = sum(np.square(part - mean).sum(axis=0) for part in parts) / count
    return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)


def safe_std(std: np.ndarray, size: np.ndarray, fallback: np.ndarray | float = 1.0) -> np.ndarray:
    """Return deviations (dims,) float32 that features can be divided by.

    Args:
        std: (dims,) deviations.
        size: (dims,) sizes of the features. A deviation of 1e-6 of it or less is rounding, and is replaced. There is no
            absolute limit: some openSMILE functionals are below 1e-9 and as useful as any once they are scaled.
        fallback: deviation of a constant feature.
    """
    return np.where(std > 1e-6 * size, std, fallback).astype(np.float32)


def shrunk(speaker: Moments, train: Moments, clips: int) -> Moments:
    """Return the moments for a speaker known from few clips: n / (n + 5) of the way from the training set's."""
    share = clips / (clips + SHRINKAGE_CLIPS)
    mean, std = (share * own + (1 - share) * general for own, general in zip(speaker, train, strict=True))
    return mean.astype(np.float32), std.astype(np.float32)
