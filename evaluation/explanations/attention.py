"""Where a network's attention lies: on average over a clip's relative time, and over the seconds of one clip."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from evaluation.explanations.maps import Blocks, Map
from evaluation.explanations.unseen import ModelAndClips
from models.common import EmotionModel
from prediction.frame_times import frame_seconds
from utils.config import Config
from utils.dataset import Frames
from utils.errors import ConfigError

POINTS = 50  # of a curve over relative time


def has_attention(model: EmotionModel) -> bool:
    """Return whether a model gives each frame of a clip a weight."""
    if not hasattr(model, "attention"):
        return False
    try:
        model.attention(Frames([np.repeat(model.mean_[None], 16, axis=0)]))
    except ConfigError:
        return False
    return True


def attention_map(model: EmotionModel, blocks: Blocks) -> Map:
    """Return the map of a model with attention: the weight of each block; it is the same for every label."""

    def block_weights(clip: np.ndarray, label: int) -> np.ndarray:
        (weights,) = model.attention(Frames([clip]))
        return blocks.sums(np.repeat(weights[:, None] / clip.shape[1], clip.shape[1], axis=1))

    return block_weights


def over_time(parts: Sequence[ModelAndClips]) -> dict[str, Any]:
    """Return mean attention over relative time; 1 is the weight that all frames have on average.

    Returns:
        curves of POINTS values each: ``all``, ``right`` and ``wrong`` (by the model's answer), ``classes`` {label:
        curve}, None where there is no such clip; and the numbers of clips ``n_right`` and ``n_wrong``. Padding has no
        weight.
    """
    curves = np.stack([profile(w) for model, data in parts for w in model.attention(data.features)])
    truth = np.concatenate([data.truth for _, data in parts])
    right = np.concatenate([model.probabilities(data.features).argmax(axis=1) == data.truth for model, data in parts])

    def mean(chosen: np.ndarray) -> list[float] | None:
        return curves[chosen].mean(axis=0).tolist() if chosen.any() else None

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
    cumulative = np.concatenate([[0], np.cumsum(weights, dtype=np.float64)])
    edges = np.interp(np.linspace(0, 1, POINTS + 1), np.linspace(0, 1, len(cumulative)), cumulative)
    return np.diff(edges) * POINTS


def over_seconds(
    model: EmotionModel, clip: np.ndarray, config: Config, seconds: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the time of each frame of a clip in seconds, and its attention, 1 on average; (frames,) both."""
    (weights,) = model.attention(Frames([clip]))
    return frame_seconds(config.features, config.rate, len(weights), seconds), weights * len(weights)
