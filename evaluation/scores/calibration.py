"""Calibration of networks by one temperature, and how far confidence and accuracy lie apart.

The temperature that is shipped is fitted on all out-of-fold predictions: each of a clip whose speaker its
network had not heard, as its users will not have been heard. The clips of a fold are scored with one that
was fitted on the other folds' predictions, so no clip has a say in its own probabilities. The alternative,
the speakers that stopped a fold's training, are a seventh as many, and the epoch was chosen to suit them,
so that the network looks surer and better on them than on strangers. Estimators keep temperature 1: those
without probabilities of their own are calibrated where they are fitted.
"""

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from evaluation.scores import metrics
from models.temperature import FLOOR, apply_temperature

LIMITS = (0.1, 10.0)  # between which a temperature is looked for
BINS = 10  # of the reliability diagram


def fit(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the temperature of the lowest log loss (Guo et al. 2017, arXiv:1706.04599), .1 to 10.

    Args:
        truth: (n,) class index.
        probabilities: (n, C) of clips that the network did not learn from.
    """
    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), FLOOR))
    own = logits[np.arange(len(truth)), truth]

    def loss(log_temperature: float) -> float:
        cold = logits / np.exp(log_temperature)
        top = cold.max(axis=1)
        total = top + np.log(np.exp(cold - top[:, None]).sum(axis=1))
        return float(np.mean(total - own / np.exp(log_temperature)))

    found = minimize_scalar(loss, bounds=tuple(np.log(LIMITS)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def cross_fitted(truth: np.ndarray, probabilities: np.ndarray, fold: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """Return calibrated out-of-fold probabilities, and what ``metrics.json`` says of it.

    Args:
        truth: (n,) class index.
        probabilities: (n, C) as the networks gave them.
        fold: (n,) the fold that tested each clip, from 0; -1 where none did.

    Returns:
        (n, C) float32, and ``temperature`` (what is shipped), ``fold_temperatures``, and ``ece``, ``log_loss``
        and ``brier`` as {before, after}. With one fold no other says how sure to be: every temperature is 1.
    """
    tested, numbers = fold >= 0, range(int(fold.max()) + 1)
    calibrated = np.array(probabilities, np.float32)
    each = [1.0 for _ in numbers]
    if len(numbers) > 1:
        for number in numbers:
            others, mine = tested & (fold != number), fold == number
            each[number] = fit(truth[others], probabilities[others])
            calibrated[mine] = apply_temperature(probabilities[mine], each[number])
    whole = fit(truth[tested], probabilities[tested]) if len(numbers) > 1 else 1.0
    found: dict[str, Any] = {"temperature": whole, "fold_temperatures": each}
    for name in ("ece", "log_loss", "brier"):
        score = getattr(metrics, name)
        before, after = (score(truth[tested], np.float64(p[tested])) for p in (probabilities, calibrated))
        found[name] = {"before": before, "after": after}
    return calibrated, found


def reliability(truth: np.ndarray, probabilities: np.ndarray, *, bins: int = BINS) -> dict[str, np.ndarray]:
    """Return the points of a reliability diagram over bins (low, high] of the top probability.

    Returns:
        ``count`` (bins,) clips; ``confidence`` and ``accuracy`` (bins,) their mean top probability and share
        of right answers, nan where a bin is empty.
    """
    confidence = np.asarray(probabilities, np.float64).max(axis=1)
    hit = np.argmax(probabilities, axis=1) == truth
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(bin_of, minlength=bins)
    sums = [np.bincount(bin_of, weights=values, minlength=bins) for values in (confidence, hit)]
    means = [np.divide(total, count, where=count > 0, out=np.full(bins, np.nan)) for total in sums]
    return {"count": count, "confidence": means[0], "accuracy": means[1]}
