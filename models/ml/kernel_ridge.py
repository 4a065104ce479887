"""Kernel ridge regression on an RBF kernel, one against the rest; strong on embeddings of pretrained encoders.

Features are cut off at 2.5 deviations, so that one strange value decides nothing. A fit takes seconds for some
thousand clips; memory grows with their number squared, or, with ``landmarks``, with their number. Rifkin, Yeo &
Poggio 2003, Regularized least-squares classification.
"""

from models.kernel_ridge import KernelRidgeClassifier

INPUT = "vector"


def build(*, ridge: float = 0.2, limit: float = 2.5, landmarks: int | None = None) -> KernelRidgeClassifier:
    """Return the unfitted estimator; it gets standardised features.

    Args:
        ridge: weight of the squared penalty, above 0; .2 for clips alone, .3 with one augmented copy each, .5 with two.
        limit: deviations at which features are cut off, above 0.
        landmarks: training clips, drawn at random, that the model keeps; null keeps all. 600 make a small model.
    """
    return KernelRidgeClassifier(ridge=ridge, limit=limit, landmarks=landmarks)
