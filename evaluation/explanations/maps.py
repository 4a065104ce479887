"""Which parts of a clip a model's answer rests on, and whether that is so: occlusion, deletion, insertion.

A part is a block of a twentieth or a tenth of the time and a family of features. Removing one puts the training mean in
its place, which for a network is a zero after scaling. That clip is unlike any that the model has learned from, so the
curves compare maps with chance on the same footing; they do not say what a real clip without that part would get.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from models.common import EmotionModel
from utils.dataset import Dataset, Features, Frames

STEPS = 10  # of a curve, at most: one a block where there are fewer
Map = Callable[[np.ndarray, int], np.ndarray]  # a clip and a label -> the worth of each block


class Part(NamedTuple):
    """A model and clips that it has not learned from."""

    model: EmotionModel
    data: Dataset


@dataclass(frozen=True)
class Blocks:
    """How a clip is cut: ``times`` equal parts of its frames by families of columns; a vector has one time.

    Attributes:
        names: families.
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
        for number, mine in enumerate(families.values()):
            columns[mine] = number
        return cls(tuple(families), columns, times)

    def __len__(self) -> int:
        return self.times * len(self.names)

    def numbers(self, clip: np.ndarray) -> np.ndarray:
        """Return the block of each value of a clip (frames, dims) or (dims,): time * families + family."""
        if clip.ndim == 1:
            return self.columns
        part = np.arange(len(clip)) * self.times // len(clip)
        return part[:, None] * len(self.names) + self.columns

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sum (times * families,) over each block of values in the shape of a clip."""
        return np.bincount(self.numbers(values).ravel(), values.ravel(), len(self))


def removed(clip: np.ndarray, numbers: np.ndarray, gone: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return the clip with the mean (dims,) of training where ``gone`` (blocks,) is true."""
    return np.where(gone[numbers], mean, clip).astype(np.float32)


def occlusion(model: EmotionModel, clip: np.ndarray, label: int, blocks: Blocks) -> np.ndarray:
    """Return how much the label's probability falls without each block (blocks,); negative where it rises.

    Zeiler & Fergus 2014, arXiv 1311.2901.
    """
    numbers = blocks.numbers(clip)
    variants = [removed(clip, numbers, gone, model.mean_) for gone in np.eye(len(blocks), dtype=bool)]
    said = _said(model, [clip, *variants], label)
    return said[0] - said[1:]


def curves(
    model: EmotionModel, clip: np.ndarray, label: int, blocks: Blocks, orders: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the label's probability as blocks go (deletion) and come (insertion) in each order.

    Both are (orders, steps + 1), with at most STEPS equal steps.

    Petsiuk, Das & Saenko 2018, arXiv 1806.07421.

    Args:
        orders: permutations of the blocks, the first to go or to come first.
    """
    numbers, steps = blocks.numbers(clip), min(STEPS, len(blocks))
    shares, variants = np.round(np.linspace(0, len(blocks), steps + 1)).astype(int), []
    for order in orders:
        rank = np.argsort(order)
        gone = rank < shares[:, None]  # (steps + 1, blocks)
        variants += [removed(clip, numbers, which, model.mean_) for which in (*gone, *~gone)]
    said = _said(model, variants, label).reshape(len(orders), 2, steps + 1)
    return said[:, 0], said[:, 1]


def area(curve: np.ndarray) -> np.ndarray:
    """Return the mean height of curves (..., steps + 1): the area below them, 0 to 1."""
    return np.trapezoid(curve, dx=1 / (curve.shape[-1] - 1), axis=-1)


def faithfulness(deletion: np.ndarray, insertion: np.ndarray) -> dict[str, Any]:
    """Return how much better than random orders a map's order is, over n clips.

    Deletion: random area minus the map's, since what matters is to go first; insertion: the map's minus the random
    one. A map is called faithful where both 95 % intervals (Student's t over clips) are above 0.

    Args:
        deletion, insertion: (n, 1 + random orders, steps + 1), the map's own order first.
    """
    found: dict[str, Any] = {}
    for name, given, sign in (("deletion", deletion, -1), ("insertion", insertion, 1)):
        areas = area(given)
        gain = sign * (areas[:, 0] - areas[:, 1:].mean(axis=1))
        found[name] = {
            "area": float(areas[:, 0].mean()), "random": float(areas[:, 1:].mean()), "gain": float(gain.mean()),
            "gain_ci95": interval(gain), "curve": given[:, 0].mean(axis=0).tolist(),
            "random_curve": given[:, 1:].mean(axis=(0, 1)).tolist(),
        }  # fmt: skip
    found["faithful"] = all(found[name]["gain_ci95"] and found[name]["gain_ci95"][0] > 0 for name in found)
    return found


def interval(values: np.ndarray) -> list[float] | None:
    """Return the 95 % interval of the mean of independent values, or None of fewer than two."""
    n = len(values)
    if n < 2:
        return None
    half = stdtrit(n - 1, 0.975) * values.std(ddof=1) / np.sqrt(n)
    return [float(values.mean() - half), float(values.mean() + half)]


def _said(model: EmotionModel, clips: list[np.ndarray], label: int) -> np.ndarray:
    features: Features = Frames(clips) if clips[0].ndim == 2 else np.stack(clips)
    return model.probabilities(features)[:, label].astype(np.float64)
