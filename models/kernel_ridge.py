"""Kernel ridge regression as a classifier: least squares on the classes in the space of an RBF kernel.

Rifkin, Yeo & Poggio 2003, Regularized least-squares classification (NATO Science Series III 190). Classes are
balanced by the ridge of their clips; one temperature, fitted on clips that the machine was not fitted on, makes the
scores probabilities (Guo et al. 2017, arXiv 1706.04599).
"""

from collections.abc import Sequence
from numbers import Real
from typing import ClassVar

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import Interval

SHARPNESS = (0.5, 50.0)  # limits of the factor between scores and logits
Folds = Sequence[tuple[np.ndarray, np.ndarray]]  # rows to fit on, rows held out


class KernelRidgeClassifier(ClassifierMixin, BaseEstimator):
    """One regression per class on an RBF kernel, with probabilities.

    Args:
        ridge: added to the diagonal of the kernel matrix, above 0, divided by the weight of the clip's class.
        limit: standardised features are cut off at so many deviations, above 0.
        cv: folds for the probabilities: pairs of rows to fit on and rows held out, each row held out once. Without
            them the scores are sharpened by a fixed factor of 8.

    Attributes:
        classes_: (C,) the classes.
        rows_: (n, dims) float32 training rows, cut off at ``limit``.
        weights_: (n, C) float32.
        unit_: mean squared norm of the training rows, the scale of the kernel.
        sharpness_: factor between scores and logits.
    """

    _parameter_constraints: ClassVar[dict] = {
        "ridge": [Interval(Real, 0, None, closed="neither")],
        "limit": [Interval(Real, 0, None, closed="neither")],
        "cv": [list, None],
    }

    def __init__(self, ridge: float = 0.2, limit: float = 2.5, cv: Folds | None = None):
        self.ridge, self.limit, self.cv = ridge, limit, cv

    def fit(self, X: np.ndarray, y: np.ndarray) -> "KernelRidgeClassifier":
        """Learn from standardised features (n, dims) and classes (n,); memory grows with n squared."""
        self.classes_, y = np.unique(y, return_inverse=True)
        rows = self._cut(X)
        self.n_features_in_ = rows.shape[1]
        self.sharpness_ = 8.0
        if self.cv is not None:
            scores = np.zeros((len(rows), len(self.classes_)))
            for train, held in self.cv:
                self._solve(rows[train], y[train])
                scores[held] = self._scores(rows[held])
            held = np.concatenate([held for _, held in self.cv])
            self.sharpness_ = _sharpness(scores[held], y[held])
        self._solve(rows, y)
        return self

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return the scores (n, C): 0 where a class is as probable as any other."""
        return self._scores(self._cut(X))

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probabilities (n, C)."""
        return softmax(self.sharpness_ * self.decision_function(X), axis=1)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the most probable class (n,)."""
        return self.classes_[self.decision_function(X).argmax(axis=1)]

    def _cut(self, X: np.ndarray) -> np.ndarray:
        return np.clip(np.asarray(X, np.float32), -self.limit, self.limit)

    def _solve(self, rows: np.ndarray, y: np.ndarray) -> None:
        self.rows_, self.unit_ = rows, float(np.square(rows).sum(axis=1).mean())
        targets = np.eye(len(self.classes_), dtype=np.float32)[y] - np.float32(1 / len(self.classes_))
        weight = len(y) / (len(self.classes_) * np.bincount(y, minlength=len(self.classes_)).clip(1))
        kernel = self._kernel(rows)
        kernel[np.diag_indices(len(rows))] += (self.ridge / weight[y]).astype(np.float32)
        factor = cho_factor(kernel, lower=True, overwrite_a=True, check_finite=False)
        self.weights_ = cho_solve(factor, targets, check_finite=False).astype(np.float32)

    def _kernel(self, rows: np.ndarray) -> np.ndarray:
        """Return exp(-d^2 / 2 u) between rows (m, dims) and the training rows, (m, n) float32."""
        distances = np.square(rows).sum(axis=1)[:, None] + np.square(self.rows_).sum(axis=1) - 2 * rows @ self.rows_.T
        return np.exp(np.maximum(distances, 0) / np.float32(-2 * self.unit_))

    def _scores(self, rows: np.ndarray) -> np.ndarray:
        return self._kernel(rows) @ self.weights_


def _sharpness(scores: np.ndarray, y: np.ndarray) -> float:
    """Return the factor that gives scores (n, C) the least log loss on the classes (n,)."""

    def log_loss(logarithm: float) -> float:
        return -log_softmax(np.exp(logarithm) * scores, axis=1)[np.arange(len(y)), y].mean()

    return float(np.exp(minimize_scalar(log_loss, bounds=np.log(SHARPNESS), method="bounded").x))
