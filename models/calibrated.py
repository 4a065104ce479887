"""Probabilities of estimators: their scores divided by one temperature, fitted on clips they were not fitted on.

One temperature for all classes never changes the answer: the most probable class is that of the highest score. Platt's
sigmoids, one per class, change it with the folds that they are fitted on.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.svm import SVC, NuSVC

from models.kernel_ridge import KernelRidgeClassifier
from models.one_against_rest import OneAgainstRestSVC
from models.temperature import fit_temperature
from utils.errors import ConfigError

LIMITS = (1e-3, 1e3)  # of the temperature: decision values come in many units
SMALLEST = 0.01  # smaller probabilities count as this one: no vote of nine neighbours for a class does not rule it out
Folds = Sequence[tuple[np.ndarray, np.ndarray]]  # rows to fit on, rows held out


def has_scores(estimator: BaseEstimator) -> bool:
    """Return whether a fitted estimator's decision values are one per class: kernel machines here, linear models."""
    if isinstance(estimator, (KernelRidgeClassifier, OneAgainstRestSVC)):
        return True
    if isinstance(estimator, (NuSVC, SVC)):  # the votes of pairs of classes
        return False
    classes, rows = len(estimator.classes_), len(getattr(estimator, "coef_", []))
    return hasattr(estimator, "decision_function") and rows == (1 if classes == 2 else classes)


def scores(estimator: BaseEstimator, X: np.ndarray) -> np.ndarray:
    """Return what the temperature divides, (n, C) float64: decision values, or logarithms of probabilities.

    Args:
        estimator: fitted. One decision value per row, as scikit-learn gives for two classes, is that of the second
            class; that of the first is 0.
        X: (n, dims).

    Raises:
        ConfigError: the estimator has neither decision values per class nor probabilities.
    """
    if not has_scores(estimator):
        if not hasattr(estimator, "predict_proba"):
            raise ConfigError(
                f"{type(estimator).__name__} has neither probabilities nor one decision value per class to make them "
                "of. Build models.one_against_rest.OneAgainstRestSVC, or an estimator with predict_proba."
            )
        return np.log(np.maximum(estimator.predict_proba(X).astype(np.float64), SMALLEST))
    values = np.asarray(estimator.decision_function(X), np.float64)
    return values if values.ndim == 2 else np.stack([np.zeros_like(values), values], axis=1)


class CalibratedClassifier(ClassifierMixin, BaseEstimator):
    """An estimator with the probabilities softmax(score / temperature).

    Args:
        estimator: unfitted, of those that ``scores`` takes.
        cv: folds that give the temperature: pairs of rows to fit on and rows held out, each row held out at most once.

    Attributes:
        classes_: (C,) the classes.
        estimator_: fitted on all rows.
        temperature_: above 0.
    """

    def __init__(self, estimator: BaseEstimator, cv: Folds):
        self.estimator, self.cv = estimator, cv

    @classmethod
    def of_fitted(cls, estimator: BaseEstimator, temperature: float) -> "CalibratedClassifier":
        """Return a fitted estimator with a known temperature."""
        calibrated = cls(estimator, [])
        calibrated._take(estimator, temperature)
        return calibrated

    def fit(self, X: np.ndarray, y: np.ndarray) -> "CalibratedClassifier":
        """Learn from features (n, dims) and classes (n,); the estimator is fitted once per fold and once on all rows.

        Every fold's rows to fit on must hold all classes.
        """
        of_held = [scores(clone(self.estimator).fit(X[train], y[train]), X[held]) for train, held in self.cv]
        _, truth = np.unique(y, return_inverse=True)
        truth = np.concatenate([truth[held] for _, held in self.cv])
        temperature = fit_temperature(np.concatenate(of_held), truth, LIMITS, unsure=1.0)
        self._take(clone(self.estimator).fit(X, y), temperature)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probabilities (n, C)."""
        return softmax(scores(self.estimator_, X) / self.temperature_, axis=1)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the most probable class (n,)."""
        return self.classes_[scores(self.estimator_, X).argmax(axis=1)]

    def _take(self, estimator: BaseEstimator, temperature: float) -> None:
        self.estimator_, self.temperature_ = estimator, temperature
        self.classes_, self.n_features_in_ = estimator.classes_, estimator.n_features_in_
