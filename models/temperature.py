"""The temperature of probabilities: one number that makes a network as sure as it is right (Guo et al. 2017)."""

import numpy as np

FLOOR = 1e-12  # a float32 probability of 0 has no logarithm


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return softmax(log p / temperature) over the last axis, float32; the largest stays the largest.

    Above 1 they come closer to each other, below 1 they move apart, at 1 they stay. For the softmax of
    a network it is the same as dividing its logits (arXiv:1706.04599).

    >>> print(apply_temperature(np.array([[0.8, 0.2]]), 2.0).round(2))
    [[0.67 0.33]]
    """
    if temperature == 1:
        return np.asarray(probabilities, np.float32)
    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), FLOOR)) / temperature
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (raised / raised.sum(axis=-1, keepdims=True)).astype(np.float32)
