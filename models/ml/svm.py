"""Support vector machine, each emotion against all others.

Cortes & Vapnik 1995, doi 10.1007/BF00994018; Rifkin & Klautau 2004, In defense of one-vs-all classification. Memory
grows with the square of the number of clips. A linear kernel wants a smaller C than with pairs of emotions: on IS10
.001 is better than .01 (RAVDESS .577 and .551, EMO-DB .749 and .720), and the default kernel is best (.579, .770).
"""

from typing import Literal

from models.one_against_rest import OneAgainstRestSVC

INPUT = "vector"


def build(
    *,
    C: float = 10.0,
    kernel: Literal["rbf", "linear", "poly", "sigmoid"] = "rbf",
    gamma: Literal["scale", "auto"] | float = "scale",
    class_weight: Literal["balanced"] | None = None,
) -> OneAgainstRestSVC:
    """Return the unfitted estimator; it gets standardised features.

    Args:
        C: inverse of the penalty's weight, above 0; a smaller C gives a simpler model.
        kernel: shape of the boundary: "linear" is straight, the others are curved.
        gamma: inverse of the squared distance that a training clip reaches, above 0; "scale" is 1 over the number of
            features times their variance, "auto" is 1 over the number of features. Not for the linear kernel.
        class_weight: "balanced" weights each clip by the inverse frequency of its emotion.
    """
    return OneAgainstRestSVC(C=C, kernel=kernel, gamma=gamma, class_weight=class_weight)
