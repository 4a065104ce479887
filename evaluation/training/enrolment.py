"""What a model gains from unlabelled clips of the test speaker: enrolment with a few, or all of them (transductive)."""

from typing import Any, Protocol

import numpy as np

from evaluation.scores import metrics
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
        for speaker in np.unique(test.speakers):
            rows = np.flatnonzero(test.speakers == speaker)
            for draw in range(DRAWS):
                given = rng.permutation(len(rows))[: min(clips, len(rows) - 1)]
                if not len(given):
                    continue  # a speaker with one clip has none left to score
                scored = np.delete(rows, given)
                statistics = model.enrolled_statistics(test.features[rows[given]], len(scored))
                predicted[name][draw, scored] = model.probabilities(test.features[scored], statistics).argmax(axis=1)
    return predicted


def confusion_of_draws(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the confusion matrix (n_classes, n_classes) of predictions (m,) or (draws, m); -1 is not counted."""
    predicted = np.atleast_2d(predicted)
    scored = predicted >= 0
    return metrics.confusion(np.broadcast_to(truth, predicted.shape)[scored], predicted[scored], n_classes)
