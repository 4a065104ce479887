"""Combines the probabilities of an ensemble's members by the numbers in its model.json, with numpy alone."""

from collections.abc import Mapping, Sequence

import numpy as np

from models.temperature import apply_temperature

SMALLEST = 1e-6  # smaller probabilities count as this one; predictions.csv has six digits


def logarithms(probabilities: np.ndarray) -> np.ndarray:
    """Return the natural logarithms of the members' probabilities side by side, (n, members, classes) -> (n, -1)."""
    return np.log(np.maximum(probabilities, SMALLEST)).reshape(len(probabilities), -1)


def combined(probabilities: np.ndarray, combination: Mapping[str, Sequence | float]) -> np.ndarray:
    """Return (n, classes) float32, rows that sum to 1.

    Args:
        probabilities: (n, members, classes), rows that sum to 1.
        combination: {weights (members,)}: their weighted mean; or {coefficients (classes, members * classes),
            intercept (classes,)}: the softmax of a linear function of their logarithms. ``temperature`` calibrates
            either; without it, as in ensembles of earlier versions, it is 1.
    """
    probabilities = np.asarray(probabilities, np.float64)
    if "weights" in combination:
        joint = np.einsum("nmc,m->nc", probabilities, combination["weights"])
        return apply_temperature(joint, combination.get("temperature", 1.0))
    scores = logarithms(probabilities) @ np.array(combination["coefficients"]).T + combination["intercept"]
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return apply_temperature(powers / powers.sum(axis=1, keepdims=True), combination.get("temperature", 1.0))
