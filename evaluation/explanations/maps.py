"""Which parts of a clip a model's answer depends on, and a test of that: occlusion, deletion, insertion.

A part is a block: a twentieth or a tenth of the time, and a family of features. Removing a block puts the training mean
in its place, which for a network is a zero after scaling. Such a clip is unlike every training clip. The curves
therefore only compare maps with random orders, under equal conditions; they do not predict the answer for a real clip
that lacks this part.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from models.common import EmotionModel
from utils.dataset import Features, Frames

STEPS = 10  # of a curve, at most: one per block where there are fewer blocks
Map = Callable[[np.ndarray, int], np.ndarray]  # a clip and a label -> the worth of each block


@dataclass(frozen=True)
class Blocks:
    """How a clip is cut: ``times`` equal parts of its frames, by families of columns; a vector has one time.

    Attributes:
        names: of the families.
        columns: (dims,) family of each column.
        times: parts of the time.
    """

    names: tuple[str, ...]
    columns: np.ndarray
    times: int

    @classmethod
    def of(cls, families: dict[str, np.ndarray], times: int) -> "Blocks":
        """Return the blocks of families that hold every column once."""
        columns = np.empty(sum(map(len, families.values())), np.int64)
        for number, of_family in enumerate(families.values()):
            columns[of_family] = number
        return cls(tuple(families), columns, times)

    def __len__(self) -> int:
        return self.times * len(self.names)

    def numbers(self, clip: np.ndarray) -> np.ndarray:
        """Return the block number of each value of a clip (frames, dims) or (dims,): time * families + family."""
        if clip.ndim == 1:
            return self.columns
        time = np.arange(len(clip)) * self.times // len(clip)
        return time[:, None] * len(self.names) + self.columns

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sum (times * families,) over each block of values in the shape of a clip."""
        return np.bincount(self.numbers(values).ravel(), values.ravel(), len(self))


def without_blocks(clip: np.ndarray, numbers: np.ndarray, removed: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return the clip with the training mean (dims,) in the blocks where ``removed`` (blocks,) is true."""
    return np.where(removed[numbers], mean, clip).astype(np.float32)


def occlusion(model: EmotionModel, clip: np.ndarray, label: int, blocks: Blocks) -> np.ndarray:
    """Return how much the label's probability falls without each block (blocks,); negative where it rises.

    Zeiler & Fergus 2014, arXiv 1311.2901.
    """
    numbers = blocks.numbers(clip)
    variants = [without_blocks(clip, numbers, one, model.mean_) for one in np.eye(len(blocks), dtype=bool)]
    probabilities = _probabilities(model, [clip, *variants], label)
    return probabilities[0] - probabilities[1:]


def curves(
    model: EmotionModel, clip: np.ndarray, label: int, blocks: Blocks, orders: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the label's probability while blocks are removed (deletion) and put back (insertion) in each order.

    Both are (orders, steps + 1), with at most STEPS equal steps. Petsiuk, Das & Saenko 2018, arXiv 1806.07421.

    Args:
        model: that answers.
        clip: (frames, dims) or (dims,).
        label: index of the class.
        blocks: how the clip is cut.
        orders: permutations of the blocks; the first block is removed, or put back, first.
    """
    numbers, steps = blocks.numbers(clip), min(STEPS, len(blocks))
    shares, variants = np.round(np.linspace(0, len(blocks), steps + 1)).astype(int), []
    for order in orders:
        rank = np.argsort(order)
        removed = rank < shares[:, None]  # (steps + 1, blocks)
        variants += [without_blocks(clip, numbers, which, model.mean_) for which in (*removed, *~removed)]
    probabilities = _probabilities(model, variants, label).reshape(len(orders), 2, steps + 1)
    return probabilities[:, 0], probabilities[:, 1]


def area(curve: np.ndarray) -> np.ndarray:
    """Return the mean height of curves (..., steps + 1): the area below them, 0 to 1."""
    return np.trapezoid(curve, dx=1 / (curve.shape[-1] - 1), axis=-1)


def faithfulness(deletion: np.ndarray, insertion: np.ndarray) -> dict[str, Any]:
    """Return how much better than random orders a map's order is, over n clips.

    The gain in deletion is the random area minus the map's (removing what matters first lowers the curve), in insertion
    the map's minus the random one. A map is called faithful where both 95 % intervals (Student's t over clips) are
    above 0.

    Args:
        deletion: (n, 1 + random orders, steps + 1), the map's own order first.
        insertion: the same.

    Returns:
        ``deletion`` and ``insertion``, each with ``area`` and ``curve`` of the map, ``random`` (area) and
        ``random_curve`` of the random orders, ``gain`` and ``gain_ci95`` (None for one clip); ``faithful``.
    """
    result: dict[str, Any] = {}
    for name, given, sign in (("deletion", deletion, -1), ("insertion", insertion, 1)):
        areas = area(given)
        gain = sign * (areas[:, 0] - areas[:, 1:].mean(axis=1))
        result[name] = {
            "area": float(areas[:, 0].mean()), "random": float(areas[:, 1:].mean()), "gain": float(gain.mean()),
            "gain_ci95": interval(gain), "curve": given[:, 0].mean(axis=0).tolist(),
            "random_curve": given[:, 1:].mean(axis=(0, 1)).tolist(),
        }  # fmt: skip
    result["faithful"] = all(result[name]["gain_ci95"] and result[name]["gain_ci95"][0] > 0 for name in result)
    return result


def interval(values: np.ndarray) -> list[float] | None:
    """Return the 95 % interval of the mean of independent values, or None of fewer than two."""
    n = len(values)
    if n < 2:
        return None
    half = stdtrit(n - 1, 0.975) * values.std(ddof=1) / np.sqrt(n)
    return [float(values.mean() - half), float(values.mean() + half)]


def _probabilities(model: EmotionModel, clips: list[np.ndarray], label: int) -> np.ndarray:
    features: Features = Frames(clips) if clips[0].ndim == 2 else np.stack(clips)
    return model.probabilities(features)[:, label].astype(np.float64)
