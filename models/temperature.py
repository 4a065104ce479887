"""Temperature scaling (Guo et al. 2017, arXiv 1706.04599): one number calibrates probabilities.

Networks, estimators and ensembles are all calibrated by it, so calibration never changes which class is answered.
"""

import numpy as np

FLOOR = 1e-12  # a float32 probability of 0 has no logarithm
LIMITS = (0.1, 10.0)  # of the temperature of probabilities


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return softmax(log p / temperature) over the last axis, float32; the order of the classes does not change.

    A temperature above 1 makes the probabilities more equal, one below 1 more unequal, 1 changes nothing. For the
    softmax of a network it is the same as dividing its logits.

    >>> print(apply_temperature(np.array([[0.8, 0.2]]), 2.0).round(2))
    [[0.67 0.33]]
    """
    if temperature == 1:
        return np.asarray(probabilities, np.float32)
    logits = log_probabilities(probabilities) / temperature
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)


def log_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Return the natural logarithms of probabilities, float64; a probability of 0 counts as ``FLOOR``."""
    return np.log(np.maximum(np.asarray(probabilities, np.float64), FLOOR))


def fit_temperature(
    scores: np.ndarray, truth: np.ndarray, limits: tuple[float, float] = LIMITS, *, unsure: float = 0.0
) -> float:
    """Return the temperature at which softmax(scores / temperature) has the lowest log loss.

    The loss is convex in 1 / temperature, so there is one minimum. If the highest score is right for every clip, only
    the limit stops the temperature from falling; ``unsure`` stops it earlier, and later the more clips there are.

    Args:
        scores: (n, C) of clips that the model was not fitted on: logits, or logarithms of probabilities.
        truth: (n,) class index.
        limits: lowest and highest temperature, above 0.
        unsure: the weight, in clips, of the loss that the same clips would have if any class were as likely as another;
            Platt 1999 smooths his targets as much.
    """
    from scipy.optimize import minimize_scalar  # here, because prediction imports this module and does not fit
    from scipy.special import log_softmax

    rows, scores = np.arange(len(truth)), np.asarray(scores, np.float64)

    def loss(log_temperature: float) -> float:
        logarithms = log_softmax(scores / np.exp(log_temperature), axis=1)
        return -float(logarithms[rows, truth].sum() + unsure * logarithms.mean()) / len(truth)

    lowest = minimize_scalar(loss, bounds=tuple(np.log(limits)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(lowest.x))
