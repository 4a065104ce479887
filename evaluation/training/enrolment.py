"""What a model gains from unlabelled clips of the test speaker: enrolment with a few, or all of them (transductive)."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from evaluation.checkpoint.outcome import Outcome
from evaluation.scores import metrics
from models.speaker_offset import score_statistics, shifted, speaker_offset
from utils.dataset import Dataset, Features

ENROLMENT = {"enrolment_5": 5, "enrolment_20": 20}  # unlabelled clips that a test speaker gives first
DRAWS = 5  # random choices of those clips; their predictions are pooled
LEVELS = (*ENROLMENT, "transductive")


class Adaptable(Protocol):
    """What ``adapted_predictions`` needs of a model: EmotionModel has it, and so has a shipped graph."""

    def probabilities(self, features: Features, statistics: Any = None) -> np.ndarray: ...

    def speaker_statistics(self, data: Dataset) -> Any: ...

    def enrolled_statistics(self, features: Features, clips: int) -> Any: ...


def adapted_predictions(model: Adaptable, test: Dataset, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the predicted classes of a test part where the model is given unlabelled clips of each speaker.

    Returns:
        "transductive": (m,), scaled by all clips of the test speaker; "enrolment_5", "enrolment_20": (DRAWS, m), scaled
        by that many clips of the speaker. -1 marks the clips that were given: they are not scored in that draw.
    """
    predicted = {"transductive": model.probabilities(test.features, model.speaker_statistics(test)).argmax(axis=1)}
    for name, clips in ENROLMENT.items():
        predicted[name] = np.full((DRAWS, len(test)), -1)
        for draw, given, scored in _draws(test.speakers, clips, rng):
            statistics = model.enrolled_statistics(test.features[given], len(scored))
            predicted[name][draw, scored] = model.probabilities(test.features[scored], statistics).argmax(axis=1)
    return predicted


def adapted_scores(outcome: Outcome, data: Dataset, *, seed: int) -> dict[str, float | None]:
    """Return UAR by level of ``LEVELS`` where out-of-fold probabilities are shifted by ``models.speaker_offset``.

    The statistics of a fold's speakers come from the other folds. None for every level where a tested speaker is
    unknown or the statistics cannot be had.
    """
    scores: dict[str, float | None] = dict.fromkeys(LEVELS)
    tested, n_classes = data[outcome.tested], len(data.labels)
    probabilities, fold_of = outcome.probabilities[outcome.tested], outcome.fold[outcome.tested]
    predicted = {"transductive": np.full((1, len(tested)), -1)}
    predicted |= {name: np.full((DRAWS, len(tested)), -1) for name in ENROLMENT}
    for number in np.unique(fold_of):
        here, others = np.flatnonzero(fold_of == number), fold_of != number
        statistics = score_statistics(probabilities[others], tested.truth[others], tested.speakers[others])
        if statistics is None or (tested.speakers[here] == "").any():
            return scores
        rng = np.random.default_rng([seed, int(number)])
        part, speakers = probabilities[here], tested.speakers[here]
        draws = [("transductive", 0, rows, rows) for rows in _rows_by_speaker(speakers)]
        draws += [(name, *draw) for name, clips in ENROLMENT.items() for draw in _draws(speakers, clips, rng)]
        for name, draw, given, scored in draws:
            adapted = shifted(part[scored], speaker_offset(part[given], statistics))
            predicted[name][draw, here[scored]] = adapted.argmax(axis=1)
    for name, classes in predicted.items():
        scores[name] = uar_of_counts(confusion_of_draws(tested.truth, classes, n_classes))
    return scores


def _rows_by_speaker(speakers: np.ndarray) -> list[np.ndarray]:
    return [np.flatnonzero(speakers == name) for name in np.unique(speakers)]


def _draws(speakers: np.ndarray, clips: int, rng: np.random.Generator) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield draw, rows given and rows scored, for each speaker; one with a single clip has none left to score."""
    for rows in _rows_by_speaker(speakers):
        for draw in range(DRAWS):
            given = rng.permutation(len(rows))[: min(clips, len(rows) - 1)]
            if len(given):
                yield draw, rows[given], np.delete(rows, given)


def confusion_of_draws(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the confusion matrix (n_classes, n_classes) of predictions (m,) or (draws, m); -1 is not counted."""
    predicted = np.atleast_2d(predicted)
    scored = predicted >= 0
    return metrics.confusion(np.broadcast_to(truth, predicted.shape)[scored], predicted[scored], n_classes)


def uar_of_counts(counts: np.ndarray) -> float | None:
    """Return the UAR of a confusion matrix (n_classes, n_classes), None if nothing was counted."""
    return float(metrics.uar(counts)) if counts.any() else None
