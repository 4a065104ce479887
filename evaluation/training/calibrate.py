"""Calibration of out-of-fold predictions: those of networks and of ensembles."""

from evaluation.checkpoint.outcome import Outcome
from evaluation.leakage import record
from evaluation.scores import calibration
from models.usage import Clips
from utils.dataset import Dataset


def calibrate(data: Dataset, outcome: Outcome) -> None:
    """Calibrate each fold's probabilities by the temperature that the other folds give; note whose clips gave it."""
    outcome.uncalibrated = outcome.probabilities
    for number in range(len(outcome.folds)):
        others = data[(outcome.fold >= 0) & (outcome.fold != number)]
        outcome.used.append(record.rows(number + 1, "temperature", Clips.of(others)))
    outcome.probabilities, outcome.calibration = calibration.cross_fitted(
        data.truth, outcome.uncalibrated, outcome.fold
    )
