"""Kernel ridge regression as a classifier: least squares on the classes in the space of an RBF kernel.

Rifkin, Yeo & Poggio 2003, Regularized least-squares classification (NATO Science Series III 190). Classes are
balanced by the ridge of their clips. With landmarks the functions are sums over some of the clips alone, the subset of
regressors (Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, section 8.3.1).
"""

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import Interval

JITTER = 1e-6  # added to the diagonal of the kernel matrix of the landmarks, two of which may be alike


class KernelRidgeClassifier(ClassifierMixin, BaseEstimator):
    """One regression per class on an RBF kernel.

    Args:
        ridge: added to the diagonal of the kernel matrix, above 0, divided by the weight of the clip's class.
        limit: standardised features are cut off at so many deviations, above 0.
        landmarks: number of training rows, drawn at random, that the model keeps; None, or more than there are: all.
            Those that are kept are rounded to half precision.
        random_state: seed of that draw.

    Attributes:
        classes_: (C,) the classes.
        rows_: (m, dims) float32 training rows that are kept, cut off at ``limit``.
        weights_: (m, C) float32.
        unit_: mean squared norm of the training rows, the scale of the kernel.
    """

    _parameter_constraints: ClassVar[dict] = {
        "ridge": [Interval(Real, 0, None, closed="neither")],
        "limit": [Interval(Real, 0, None, closed="neither")],
        "landmarks": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": [Interval(Integral, 0, None, closed="left"), None],
    }

    def __init__(
        self, ridge: float = 0.2, limit: float = 2.5, landmarks: int | None = None, random_state: int | None = None
    ):
        self.ridge, self.limit, self.landmarks, self.random_state = ridge, limit, landmarks, random_state

    def fit(self, X: np.ndarray, y: np.ndarray) -> "KernelRidgeClassifier":
        """Learn from standardised features (n, dims) and classes (n,); memory grows with n squared."""
        self.classes_, y = np.unique(y, return_inverse=True)
        rows, n_classes = self._cut(X), len(self.classes_)
        self.n_features_in_ = rows.shape[1]
        self.rows_, self.unit_ = rows, float(np.square(rows).sum(axis=1).mean())
        targets = np.eye(n_classes, dtype=np.float32)[y] - np.float32(1 / n_classes)
        weight = len(y) / (n_classes * np.bincount(y))
        if self.landmarks is not None and self.landmarks < len(rows):
            return self._fit_landmarks(rows, targets, weight[y])
        kernel = self._kernel(rows)
        kernel[np.diag_indices(len(rows))] += (self.ridge / weight[y]).astype(np.float32)
        factor = cho_factor(kernel, lower=True, overwrite_a=True, check_finite=False)
        self.weights_ = cho_solve(factor, targets, check_finite=False).astype(np.float32)
        return self

    def _fit_landmarks(self, rows: np.ndarray, targets: np.ndarray, weight: np.ndarray) -> "KernelRidgeClassifier":
        kept = np.random.default_rng(self.random_state or 0).permutation(len(rows))[: self.landmarks]
        self.rows_ = rows[kept].astype(np.float16).astype(np.float32)
        to_landmarks = self._kernel(rows).astype(np.float64)  # (n, m)
        weighted = to_landmarks * weight[:, None]
        between = self._kernel(self.rows_).astype(np.float64)
        between[np.diag_indices(len(kept))] += JITTER
        factor = cho_factor(to_landmarks.T @ weighted + self.ridge * between, lower=True, overwrite_a=True)
        self.weights_ = cho_solve(factor, weighted.T @ targets).astype(np.float32)
        return self

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return the scores (n, C): 0 where a class is as probable as any other."""
        return self._kernel(self._cut(X)) @ self.weights_

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the class of the highest score (n,)."""
        return self.classes_[self.decision_function(X).argmax(axis=1)]

    def _cut(self, X: np.ndarray) -> np.ndarray:
        return np.clip(np.asarray(X, np.float32), -self.limit, self.limit)

    def _kernel(self, rows: np.ndarray) -> np.ndarray:
        """Return exp(-d^2 / 2 u) between rows (m, dims) and the training rows, (m, n) float32."""
        distances = np.square(rows).sum(axis=1)[:, None] + np.square(self.rows_).sum(axis=1) - 2 * rows @ self.rows_.T
        return np.exp(np.maximum(distances, 0) / np.float32(-2 * self.unit_))
