"""Calibration of networks and ensembles by one temperature, and how far confidence and accuracy lie apart.

The shipped temperature is fitted on all out-of-fold predictions: no network was trained on the speaker of a clip that
it predicts there, as no network is trained on the speakers of its users. The clips of a fold are scored with a
temperature that was fitted on the other folds, so that no clip's own prediction is used. (The networks of the other
folds were trained on this clip; only one number per fold depends on it.) The alternative would be the speakers that
stop a fold's training. They are a seventh as many, and the epoch is chosen to suit them, so the network is more
confident and better on them than on unseen speakers. Estimators are fitted in seconds, so each finds its temperature in
folds of its own training part (``models.calibrated``), and no prediction is needed here.
"""

from typing import TypedDict

import numpy as np

from evaluation.scores import metrics
from models.temperature import apply_temperature, fit_temperature, log_probabilities

BINS = 10  # of the reliability diagram


class Change(TypedDict):
    """A score before and after calibration."""

    before: float
    after: float


class Calibration(TypedDict):
    """What ``metrics.json`` says of the calibration.

    Keys:
        temperature: of the shipped model.
        fold_temperatures: one per fold.
        ece: expected calibration error, 0 to 1.
        log_loss: nats.
        brier: 0 to 2.
    """

    temperature: float
    fold_temperatures: list[float]
    ece: Change
    log_loss: Change
    brier: Change


class Reliability(TypedDict):
    """Points of a reliability diagram, one per bin of the top probability.

    Keys:
        count: (bins,) clips.
        confidence: (bins,) mean top probability, nan where the bin is empty.
        accuracy: (bins,) share of right answers, nan where the bin is empty.
    """

    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def fit(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the temperature of the lowest log loss, .1 to 10.

    Args:
        truth: (n,) class index.
        probabilities: (n, C) of clips that the model was not trained on.
    """
    return fit_temperature(log_probabilities(probabilities), truth)


def cross_fitted(truth: np.ndarray, probabilities: np.ndarray, fold: np.ndarray) -> tuple[np.ndarray, Calibration]:
    """Return calibrated out-of-fold probabilities (n, C) float32, and what calibration changes.

    With one fold there is no other to fit a temperature on: every temperature is 1.

    Args:
        truth: (n,) class index.
        probabilities: (n, C) as the networks gave them.
        fold: (n,) the fold that tested each clip, from 0; -1 where none did.
    """
    tested, numbers = fold >= 0, range(int(fold.max()) + 1)
    calibrated = np.array(probabilities, np.float32)
    temperature, fold_temperatures = 1.0, [1.0 for _ in numbers]
    if len(numbers) > 1:
        temperature = fit(truth[tested], probabilities[tested])
        for number in numbers:
            others, mine = tested & (fold != number), fold == number
            fold_temperatures[number] = fit(truth[others], probabilities[others])
            calibrated[mine] = apply_temperature(probabilities[mine], fold_temperatures[number])
    changes = {}
    for name, score in (("ece", metrics.ece), ("log_loss", metrics.log_loss), ("brier", metrics.brier)):
        before, after = (score(truth[tested], np.float64(p[tested])) for p in (probabilities, calibrated))
        changes[name] = Change(before=before, after=after)
    return calibrated, {"temperature": temperature, "fold_temperatures": fold_temperatures, **changes}


def reliability(truth: np.ndarray, probabilities: np.ndarray, *, bins: int = BINS) -> Reliability:
    """Return the points of a reliability diagram.

    Args:
        truth: (n,) class index.
        probabilities: (n, C).
        bins: number of equally wide bins (low, high] of the top probability.
    """
    confidence = np.asarray(probabilities, np.float64).max(axis=1)
    hit = np.argmax(probabilities, axis=1) == truth
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(bin_of, minlength=bins)
    sums = [np.bincount(bin_of, weights=values, minlength=bins) for values in (confidence, hit)]
    means = [np.divide(total, count, where=count > 0, out=np.full(bins, np.nan)) for total in sums]
    return {"count": count, "confidence": means[0], "accuracy": means[1]}
