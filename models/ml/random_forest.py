"""Random forest.

Breiman 2001, doi 10.1023/A:1010933404324.
"""

from typing import Literal

from sklearn.ensemble import RandomForestClassifier

INPUT = "vector"


def build(
    *,
    trees: int = 500,
    depth: int | None = None,
    leaf: int = 1,
    class_weight: Literal["balanced"] | None = None,
) -> RandomForestClassifier:
    """Return the unfitted estimator.

    Args:
        trees: number of trees, 1 or more.
        depth: greatest depth of a tree, 1 or more; None for no limit.
        leaf: fewest clips in a leaf, 1 or more.
        class_weight: "balanced" weights each clip by the inverse frequency of its emotion.
    """
    return RandomForestClassifier(trees, max_depth=depth, min_samples_leaf=leaf, class_weight=class_weight)
