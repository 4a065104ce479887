"""The teacher's frames in fewer values, without what they tell of their place in the clip.

Whisper adds a code of the time to its input, so that half of the variance of its frames is their position. The mean of
all pieces at the same time is subtracted; what is left is reduced to principal components.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MOST_PIECES = 6000  # that the statistics are taken of
FRAMES_EACH = 6  # frames of each of them for the components
FEWEST = 100  # pieces that a mean at one time is taken of
AT_ONCE = 20_000  # frames projected at once


@dataclass(frozen=True)
class Projection:
    """Principal components of frames, each value scaled by the deviation of the pieces' means, as a classifier sees it.

    Attributes:
        position: (T, D), the mean at each frame of a piece; later frames are like the last.
        std: (D,) of the pieces' means over time, once ``position`` is subtracted.
        axes: (D, E), the largest first.
        frame_variance, pooled_variance: of the scaled frames and of the pieces' means, in all D values.
    """

    position: np.ndarray
    std: np.ndarray
    axes: np.ndarray
    frame_variance: float
    pooled_variance: float

    def scaled(self, frames: np.ndarray) -> np.ndarray:
        """Return (T, D) float32 without the position, scaled, of the frames (T, D) of a whole piece."""
        at = np.minimum(np.arange(len(frames)), len(self.position) - 1)
        return (frames.astype(np.float32) - self.position[at]) / self.std

    def apply(self, frames: np.ndarray) -> np.ndarray:
        """Return (T, E) float16 of the frames (T, D) of a whole piece."""
        return (self.scaled(frames) @ self.axes).astype(np.float16)


def fitted(pieces: Sequence[np.ndarray], size: int, seed: int) -> Projection:
    """Return the ``size`` largest components of pieces, each (T, D); at most 6,000 pieces are read."""
    rng = np.random.default_rng(seed)
    chosen = [pieces[number] for number in np.sort(rng.permutation(len(pieces))[:MOST_PIECES])]
    position = _position(chosen)
    first = Projection(position, np.ones(position.shape[1], np.float32), np.empty(0), 0.0, 0.0)
    means, frames = [], []
    for piece in chosen:
        rest = first.scaled(piece)
        means.append(rest.mean(axis=0))
        frames.append(rng.choice(rest, FRAMES_EACH))
    means, frames = np.stack(means), np.concatenate(frames)
    std = means.std(axis=0) + 1e-6
    frames /= std
    variance, axes = np.linalg.eigh((frames.T @ frames / len(frames)).astype(np.float64))
    pooled = np.square(means / std).sum(axis=1).mean()
    return Projection(position, std, axes[:, ::-1][:, :size].astype(np.float32), float(variance.sum()), float(pooled))


def _position(pieces: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean (T, D) of all pieces at each of their frames, as far as enough of them are so long."""
    longest = max(map(len, pieces))
    total, count = np.zeros((longest, pieces[0].shape[1]), np.float32), np.zeros(longest)
    for piece in pieces:
        total[: len(piece)] += piece
        count[: len(piece)] += 1
    enough = max(1, int((count >= min(FEWEST, count[0])).sum()))
    return total[:enough] / count[:enough, None].astype(np.float32)
