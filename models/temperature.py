"""Temperature scaling of probabilities (Guo et al. 2017, arXiv 1706.04599)."""

import numpy as np

FLOOR = 1e-12  # a float32 probability of 0 has no logarithm


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return softmax(log p / temperature) over the last axis, float32; the order of the classes does not change.

    A temperature above 1 makes the probabilities more equal, one below 1 more unequal, 1 changes nothing. For the
    softmax of a network it is the same as dividing its logits.

    >>> print(apply_temperature(np.array([[0.8, 0.2]]), 2.0).round(2))
    [[0.67 0.33]]
    """
    if temperature == 1:
        return np.asarray(probabilities, np.float32)
    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), FLOOR)) / temperature
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
