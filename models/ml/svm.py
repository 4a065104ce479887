"""Support vector machine, one against one, with probabilities calibrated on held-out speakers.

Cortes & Vapnik 1995, doi 10.1007/BF00994018; sigmoid calibration after Platt 1999.
"""

from typing import Literal

from sklearn.svm import SVC

INPUT = "vector"


def build(
    *,
    C: float = 10.0,
    kernel: Literal["rbf", "linear", "poly", "sigmoid"] = "rbf",
    gamma: Literal["scale", "auto"] | float = "scale",
    class_weight: Literal["balanced"] | None = None,
) -> SVC:
    """Return the unfitted estimator; it gets standardised features."""
    return SVC(C=C, kernel=kernel, gamma=gamma, class_weight=class_weight)
