"""Support vector machines, one per class against all others; libsvm solves each on a kernel matrix made once.

Rifkin & Klautau 2004, In defense of one-vs-all classification (JMLR 5). libsvm's own way, the votes of pairs of
classes, has few values to make probabilities of, and answers worse on RAVDESS (docs/results.md).
"""

from numbers import Real
from typing import ClassVar, Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.svm import SVC
from sklearn.utils._param_validation import Interval, StrOptions

Kernel = Literal["rbf", "linear", "poly", "sigmoid"]
DEGREE = 3  # of the polynomial kernel


class OneAgainstRestSVC(ClassifierMixin, BaseEstimator):
    """One support vector machine per class against all others.

    Args:
        C: inverse of the penalty's weight, above 0.
        kernel: "rbf" exp(-gamma d^2), "linear" x y, "poly" (gamma x y)^3, "sigmoid" tanh(gamma x y).
        gamma: above 0; "scale" is 1 / (dims * variance of the training rows), "auto" is 1 / dims.
        class_weight: "balanced" multiplies the C of a row by n / (classes * rows of its class).

    Attributes:
        classes_: (C,) the classes.
        gamma_: as a number.
        rows_: (m, dims) float32 training rows that are a support vector of any class; of the linear kernel (0, dims).
        weights_: (m, C) float32 of the rows; of the linear kernel (dims, C), of the features themselves.
        intercept_: (C,) float32.
    """

    _parameter_constraints: ClassVar[dict] = {
        "C": [Interval(Real, 0, None, closed="neither")],
        "kernel": [StrOptions({"rbf", "linear", "poly", "sigmoid"})],
        "gamma": [Interval(Real, 0, None, closed="neither"), StrOptions({"scale", "auto"})],
        "class_weight": [StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        C: float = 10.0,
        kernel: Kernel = "rbf",
        gamma: Literal["scale", "auto"] | float = "scale",
        class_weight: Literal["balanced"] | None = None,
    ):
        self.C, self.kernel, self.gamma, self.class_weight = C, kernel, gamma, class_weight

    def fit(self, X: np.ndarray, y: np.ndarray) -> "OneAgainstRestSVC":
        """Learn from standardised features (n, dims) and classes (n,); memory grows with n squared."""
        self.classes_, y = np.unique(y, return_inverse=True)
        rows = np.asarray(X, np.float32)
        self.n_features_in_ = rows.shape[1]
        self.gamma_ = self._gamma(rows)
        matrix = self._kernel(rows, rows).astype(np.float64)
        of_row = (len(y) / (len(self.classes_) * np.bincount(y)))[y] if self.class_weight == "balanced" else None
        weights, intercepts = np.zeros((len(rows), len(self.classes_)), np.float32), []
        for k in range(len(self.classes_)):
            machine = SVC(C=self.C, kernel="precomputed").fit(matrix, y == k, sample_weight=of_row)
            weights[machine.support_, k] = machine.dual_coef_[0]
            intercepts.append(machine.intercept_[0])
        used = weights.any(axis=1)
        linear = self.kernel == "linear"
        self.rows_ = rows[:0] if linear else rows[used]
        self.weights_ = rows.T @ weights if linear else weights[used]
        self.intercept_ = np.array(intercepts, np.float32)
        return self

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return the scores (n, C): signed distances from each class's boundary, in units of its margin."""
        rows = np.asarray(X, np.float32)
        values = rows if self.kernel == "linear" else self._kernel(rows, self.rows_)
        return values @ self.weights_ + self.intercept_

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the class of the highest score (n,)."""
        return self.classes_[self.decision_function(X).argmax(axis=1)]

    def _gamma(self, rows: np.ndarray) -> float:
        if self.gamma == "auto":
            return 1 / rows.shape[1]
        if self.gamma == "scale":
            return 1 / (rows.shape[1] * float(rows.var(dtype=np.float64)) or 1.0)
        return float(self.gamma)

    def _kernel(self, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the kernel between rows (n, dims) and (m, dims), (n, m) float32."""
        products = rows @ others.T
        if self.kernel == "rbf":
            distances = np.square(rows).sum(axis=1)[:, None] + np.square(others).sum(axis=1) - 2 * products
            return np.exp(np.maximum(distances, 0) * np.float32(-self.gamma_))
        if self.kernel == "poly":
            return (products * np.float32(self.gamma_)) ** DEGREE
        return np.tanh(products * np.float32(self.gamma_)) if self.kernel == "sigmoid" else products
