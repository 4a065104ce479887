"""Multinomial logistic regression: linear, fast, and nearly calibrated by itself.

Cox 1958, doi 10.1111/j.2517-6161.1958.tb00292.x.
"""

from typing import Literal

from sklearn.linear_model import LogisticRegression

INPUT = "vector"


def build(
    *, C: float = 0.01, class_weight: Literal["balanced"] | None = None, iterations: int = 1000
) -> LogisticRegression:
    """Return the unfitted estimator; it gets standardised features.

    Args:
        C: inverse of the weight of the squared penalty, above 0; a smaller C gives a simpler model.
        class_weight: "balanced" weights each clip by the inverse frequency of its emotion.
        iterations: of the solver, at most.
    """
    return LogisticRegression(C=C, class_weight=class_weight, max_iter=iterations)
