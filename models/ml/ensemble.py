"""Combines the probabilities of finished runs: their mean, a weighted mean, or a regression on top of them.

Weighted: non-negative weights that sum to 1, of least log loss (the linear opinion pool; Genest & Zidek 1986,
doi 10.1214/ss/1177013825). Stacked: Wolpert 1992, doi 10.1016/S0893-6080(05)80023-1; Ting & Witten 1999,
doi 10.1613/jair.594.
"""

from typing import Literal

import numpy as np

from models.combination import combined, logarithms
from utils.errors import ConfigError

INPUT = "members"  # the probabilities of other runs


def build(
    *,
    members: list[str],
    combine: Literal["weighted", "stacked", "mean"] = "weighted",
    inner_folds: int = 3,
    C: float = 0.01,
) -> "Combiner":
    """Return the unfitted combiner of the members' probabilities.

    Args:
        members: names of finished runs, two or more.
        combine: "weighted" learns one weight per member, "stacked" a regression on their log-probabilities; "mean"
            learns nothing, so its members are not trained on inner folds.
        inner_folds: speaker-disjoint parts of each training part, 2 or more; members are trained without each part in
            turn, so that weights are learned from clips that the members have not seen.
        C: inverse of the squared penalty on the stacked regression, above 0; with few speakers it overfits easily.

    Raises:
        ConfigError: fewer than two inner folds.
    """
    if inner_folds < 2:
        raise ConfigError(f"model ensemble: inner_folds must be 2 or more, got {inner_folds}.")
    return Combiner(combine, C)


class Combiner:
    """The learned part of an ensemble; ``combination_`` is an argument of ``models.combination.combined``."""

    def __init__(self, combine: str, C: float):
        self.combine, self.C = combine, C

    @property
    def learns(self) -> bool:
        """Whether ``fit`` depends on the clips."""
        return self.combine != "mean"

    def fit(self, probabilities: np.ndarray, truth: np.ndarray) -> "Combiner":
        """Learn from clips (n, members, classes) that no member was fitted on, and their classes (n,)."""
        if self.combine == "stacked":
            self.combination_ = _stacked(probabilities, truth, self.C)
        else:
            weights = _weights(probabilities, truth) if self.learns else np.full(probabilities.shape[1], 1.0)
            self.combination_ = {"weights": (weights / weights.sum()).tolist()}
        return self

    def probabilities(self, probabilities: np.ndarray) -> np.ndarray:
        """Return (n, classes) float32 of members' probabilities (n, members, classes)."""
        return combined(probabilities, self.combination_)


def _weights(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the weights (members,) of least log loss; the problem is convex, so the answer is unique."""
    from scipy.optimize import minimize

    of_truth = np.maximum(probabilities[np.arange(len(truth)), :, truth].astype(np.float64), 1e-12)  # (n, members)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mixed = of_truth @ weights
        return -np.log(mixed).mean(), -(of_truth / mixed[:, None]).mean(axis=0)

    members = of_truth.shape[1]
    start, sum_is_1 = np.full(members, 1 / members), {"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like}
    solution = minimize(
        loss, start, jac=True, method="SLSQP", bounds=[(1e-9, 1)] * members, constraints=sum_is_1,
        options={"ftol": 1e-12, "maxiter": 500},
    )  # fmt: skip
    return np.where(solution.x > 1e-6, solution.x, 0.0)


def _stacked(probabilities: np.ndarray, truth: np.ndarray, C: float) -> dict[str, list]:
    """Return the coefficients of a multinomial logistic regression on log-probabilities."""
    from sklearn.linear_model import LogisticRegression

    regression = LogisticRegression(C=C, max_iter=2000).fit(logarithms(probabilities), truth)
    coefficients, intercept = regression.coef_, regression.intercept_
    if len(coefficients) == 1:  # two classes: scikit-learn has only the scores of the second; those of the first are 0
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        intercept = np.array([0.0, intercept[0]])
    return {"coefficients": coefficients.tolist(), "intercept": intercept.tolist()}
