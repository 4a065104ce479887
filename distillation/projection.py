"""The teacher's frames in fewer values: principal components, whose errors weigh as a classifier would weigh them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FRAMES_EACH = 6  # frames of each piece that the components are taken of
MOST_PIECES = 6000
AT_ONCE = 20_000  # frames projected at once


@dataclass(frozen=True)
class Projection:
    """Principal components of frames, each value scaled by the deviation of the pieces' means, as a classifier sees it.

    Attributes:
        mean, std: (D,) of the pieces' means over time.
        axes: (D, E), the largest first.
        frame_variance, pooled_variance: of the frames and of the pieces' means about ``mean``, in all D values.
    """

    mean: np.ndarray
    std: np.ndarray
    axes: np.ndarray
    frame_variance: float
    pooled_variance: float

    def apply(self, frames: np.ndarray) -> np.ndarray:
        """Return (T, E) float16 of frames (T, D)."""
        parts = [frames[start : start + AT_ONCE].astype(np.float32) for start in range(0, len(frames), AT_ONCE)]
        return np.concatenate([(((part - self.mean) / self.std) @ self.axes).astype(np.float16) for part in parts])


def fitted(pieces: Sequence[np.ndarray], size: int, seed: int) -> Projection:
    """Return the ``size`` largest components of pieces, each (T, D); at most 6,000 pieces are read."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(pieces))[:MOST_PIECES]
    means, frames = [], []
    for number in chosen:
        piece = pieces[number].astype(np.float32)
        means.append(piece.mean(axis=0))
        frames.append(rng.choice(piece, FRAMES_EACH))
    means, frames = np.stack(means), np.concatenate(frames)
    mean, std = means.mean(axis=0), means.std(axis=0) + 1e-6
    scaled = (frames - mean) / std
    variance, axes = np.linalg.eigh((scaled.T @ scaled / len(scaled)).astype(np.float64))
    pooled = np.square((means - mean) / std).sum(axis=1).mean()
    return Projection(mean, std, axes[:, ::-1][:, :size].astype(np.float32), float(variance.sum()), float(pooled))
