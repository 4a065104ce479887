"""K nearest neighbours in standardised features.

Cover & Hart 1967, doi 10.1109/TIT.1967.1053964.
"""

from typing import Literal

from sklearn.neighbors import KNeighborsClassifier

INPUT = "vector"


def build(*, neighbours: int = 9, weights: Literal["uniform", "distance"] = "uniform") -> KNeighborsClassifier:
    """Return the unfitted estimator; Euclidean distance.

    Args:
        neighbours: training clips that vote, 1 or more.
        weights: "distance" gives nearer clips more weight, "uniform" gives all the same.
    """
    return KNeighborsClassifier(
        neighbours, weights=weights, algorithm="brute"
    )  # trees are slower in so many dimensions
