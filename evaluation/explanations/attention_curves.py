"""Where a network's attention lies: over a clip's relative time, on average, and over the seconds of one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from evaluation.explanations.maps import Blocks, Map, Part
from models.common import EmotionModel
from prediction.frame_times import frame_seconds
from utils.config import Config
from utils.dataset import Frames
from utils.errors import ConfigError

POINTS = 50  # of a curve over relative time


def attends(model: EmotionModel) -> bool:
    """Return whether a model weighs the frames of a clip."""
    if not hasattr(model, "attention"):
        return False
    try:
        model.attention(Frames([np.repeat(model.mean_[None], 16, axis=0)]))
    except ConfigError:
        return False
    return True


def weigher(model: EmotionModel, blocks: Blocks) -> Map:
    """Return the map of a model with attention: the weight of each block; it is the same for every label."""

    def weigh(clip: np.ndarray, label: int) -> np.ndarray:
        (weights,) = model.attention(Frames([clip]))
        return blocks.sums(np.repeat(weights[:, None] / clip.shape[1], clip.shape[1], axis=1))

    return weigh


def over_time(parts: Sequence[Part]) -> dict[str, Any]:
    """Return mean attention over relative time, (POINTS,) each; 1 is the weight that all frames have on average.

    Padding has none. Keys: all, right, wrong, classes {label: curve}; None where there is no clip.
    """
    curves = np.stack([profile(w) for model, data in parts for w in model.attention(data.features)])
    truth = np.concatenate([data.truth for _, data in parts])
    right = np.concatenate([model.probabilities(data.features).argmax(axis=1) == data.truth for model, data in parts])

    def mean(mine: np.ndarray) -> list[float] | None:
        return curves[mine].mean(axis=0).tolist() if mine.any() else None

    labels = parts[0].data.labels
    return {
        "all": curves.mean(axis=0).tolist(), "right": mean(right), "wrong": mean(~right), "n_right": int(right.sum()),
        "n_wrong": int((~right).sum()), "classes": {label: mean(truth == k) for k, label in enumerate(labels)},
    }  # fmt: skip


def profile(weights: np.ndarray) -> np.ndarray:
    """Return weights (frames,) as a density over relative time (POINTS,) of mean 1, for weights of sum 1.

    >>> profile(np.full(7, 1 / 7)).round(6).tolist() == [1.0] * POINTS
    True
    """
    reached = np.concatenate([[0], np.cumsum(weights, dtype=np.float64)])
    at = np.interp(np.linspace(0, 1, POINTS + 1), np.linspace(0, 1, len(reached)), reached)
    return np.diff(at) * POINTS


def at(model: EmotionModel, clip: np.ndarray, config: Config, seconds: float) -> tuple[np.ndarray, ...]:
    """Return when the frames of a clip are, in seconds, and their attention, 1 on average; (frames,) both."""
    (weights,) = model.attention(Frames([clip]))
    return frame_seconds(config.features, config.rate, len(weights), seconds), weights * len(weights)
