"""Adaptation of any model to a speaker by the log-probabilities of a few unlabelled clips of the speaker.

For one voice a model leans towards some emotions. The offset is the mean of the speaker's centred log-probabilities
less that of the training speakers. It is subtracted before the next answer. If all the clips show the same emotion,
their mean is that emotion and must not be subtracted. So the offset is multiplied by the square of ``variety``: how
much the clips differ from one another, from 0 (as little as clips of one speaker in one emotion) to 1 (as much as those
of one speaker in all emotions), measured on training speakers. It is also shrunk by n / (n + 5) for n clips, as in
``moments.shrunk``.

numpy alone, for prediction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from models.combination import SMALLEST
from models.moments import SHRINKAGE_CLIPS

FEWEST_SPEAKERS = 2
ALIKE = 0.5  # variety under which the clips are probably of one emotion, so that they adapt little


class ScoreStatistics(TypedDict):
    """How the centred log-probabilities of unseen speakers vary; ``adaptation`` in ``model.json``.

    Keys:
        mean: (C,) mean over the classes' means.
        total: mean squared distance of a clip from its speaker's mean, summed over the C log-probabilities.
        within: the same from the mean of its speaker and emotion.
    """

    mean: list[float]
    total: float
    within: float


@dataclass(frozen=True)
class SpeakerOffset:
    """What is subtracted from a speaker's log-probabilities.

    Attributes:
        values: (C,) natural logarithms.
        variety: of the enrolled clips, 0 to 1.
        clips: how many were enrolled.
    """

    values: np.ndarray
    variety: float
    clips: int

    @property
    def note(self) -> str:
        """Return how far the clips adapt the model, in a sentence; "" if they do so fully."""
        if self.variety >= ALIKE:
            return ""
        return (
            f"Clips of the speaker that sound alike adapt the model little (variety {self.variety:.2f} of 1); give "
            "clips in several emotions."
        )


def centred_logarithms(probabilities: np.ndarray) -> np.ndarray:
    """Return log-probabilities (n, C) less the mean of each row; probabilities under 1e-6 count as 1e-6."""
    logarithms = np.log(np.maximum(np.asarray(probabilities, np.float64), SMALLEST))
    return logarithms - logarithms.mean(axis=1, keepdims=True)


def score_statistics(probabilities: np.ndarray, truth: np.ndarray, speakers: np.ndarray) -> ScoreStatistics | None:
    """Return the statistics of predictions for speakers whom the model did not know.

    Args:
        probabilities: (n, C), out of fold.
        truth: (n,) class index.
        speakers: (n,) names, "" if unknown.

    Returns:
        None where speakers are unknown, fewer than two have two clips, or no speaker has two clips of one emotion.
    """
    if not len(truth) or (speakers == "").any():
        return None
    scores = centred_logarithms(probabilities)
    by_speaker = [np.flatnonzero(speakers == name) for name in np.unique(speakers)]
    by_emotion = [rows[truth[rows] == k] for rows in by_speaker for k in np.unique(truth[rows])]
    if sum(len(rows) > 1 for rows in by_speaker) < FEWEST_SPEAKERS or all(len(rows) < 2 for rows in by_emotion):
        return None
    mean = np.mean([scores[truth == k].mean(axis=0) for k in np.unique(truth)], axis=0)
    return {"mean": mean.tolist(), "total": _spread(scores, by_speaker), "within": _spread(scores, by_emotion)}


def rescaled(statistics: ScoreStatistics, factor: float) -> ScoreStatistics:
    """Return the statistics of log-probabilities that are ``factor`` times as large, as at another temperature."""
    return {
        "mean": [factor * value for value in statistics["mean"]],
        "total": factor**2 * statistics["total"],
        "within": factor**2 * statistics["within"],
    }


def speaker_offset(
    probabilities: np.ndarray, statistics: ScoreStatistics | Mapping, *, mixed: bool = False
) -> SpeakerOffset:
    """Return the offset of a speaker who gave unlabelled clips.

    Args:
        probabilities: (n, C) of the clips, without adaptation; one clip alone has no variety and adapts nothing.
        statistics: of the model.
        mixed: the clips are known to show several emotions, about as often each: their variety counts as 1. For a
            corpus that is unlike the training data this adapts more, as all clips look alike to the model there.
    """
    scores, n = centred_logarithms(probabilities), len(probabilities)
    variety = float(mixed)
    if n > 1 and not mixed:
        explained = _spread(scores, [np.arange(n)]) - statistics["within"]
        variety = float(np.clip(explained / max(statistics["total"] - statistics["within"], 1e-9), 0, 1))
    share = variety**2 * n / (n + SHRINKAGE_CLIPS)
    return SpeakerOffset(share * (scores.mean(axis=0) - np.array(statistics["mean"])), variety, n)


def shifted(probabilities: np.ndarray, offset: SpeakerOffset) -> np.ndarray:
    """Return the probabilities (n, C) float32 of clips of the speaker, rows that sum to 1."""
    scores = centred_logarithms(probabilities) - offset.values
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def _spread(scores: np.ndarray, groups: list[np.ndarray]) -> float:
    """Return the variance within groups of rows, summed over columns; unbiased, groups of one row left out."""
    squares = rows = 0.0
    for group in groups:
        if len(group) > 1:
            squares += np.square(scores[group] - scores[group].mean(axis=0)).sum()
            rows += len(group) - 1
    return float(squares / rows)
