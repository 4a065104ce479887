"""Multinomial logistic regression: linear, quick, and well calibrated by itself.

Cox 1958, doi 10.1111/j.2517-6161.1958.tb00292.x.
"""

from typing import Literal

from sklearn.linear_model import LogisticRegression

INPUT = "vector"


def build(
    *, C: float = 0.01, class_weight: Literal["balanced"] | None = None, iterations: int = 1000
) -> LogisticRegression:
    """Return the unfitted estimator; it gets standardised features."""
    return LogisticRegression(C=C, class_weight=class_weight, max_iter=iterations)
