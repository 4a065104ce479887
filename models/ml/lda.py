"""Linear discriminant analysis with shrunken covariance, which more features than clips need.

Ledoit & Wolf 2004, doi 10.1016/S0047-259X(03)00096-4.
"""

from typing import Literal

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

INPUT = "vector"


def build(*, shrinkage: Literal["auto"] | float = "auto") -> LinearDiscriminantAnalysis:
    """Return the unfitted estimator.

    Args:
        shrinkage: of the covariance, 0 (none) to 1 (diagonal), or "auto" by Ledoit & Wolf.
    """
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)
