"""Whether a UAR is better than that of guessing."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from evaluation.scores.significance import Interval

BETTER, NO_BETTER = "better than guessing", "no better than guessing"
UNCERTAIN = "too few known speakers to say if the model is better"


def chance(truth: np.ndarray) -> float:
    """Return the UAR of guessing, 0 to 1: one over the number of classes that are tested.

    Always naming one of these classes reaches it, however many clips each has.

    Args:
        truth: (n,) class index.
    """
    return 1 / len(np.unique(truth))


def verdict(uar: float, interval: Interval, chance: float) -> str | None:
    """Return BETTER if the whole 95 % interval lies above the guessing level, NO_BETTER if it holds the level.

    NO_BETTER also if the UAR itself does not exceed the level. None where the interval is not informative.
    """
    if uar <= chance:
        return NO_BETTER
    if not interval.informative:
        return None
    return BETTER if interval.lo > chance else NO_BETTER


def remark(scored: Mapping[str, Any]) -> str:
    """Return the verdict of metrics.json in words; "" of a run that an older version wrote."""
    if "verdict" not in scored:
        return ""
    return f"the model is {scored['verdict']}" if scored["verdict"] else UNCERTAIN


def sentence(scored: Mapping[str, Any], chance: float) -> str:
    """Return the guessing level and the verdict of metrics.json.

    >>> sentence({"verdict": "better than guessing"}, 0.125)
    'Guessing has a UAR of 0.125: the model is better than guessing.'
    """
    words = remark(scored)
    return f"Guessing has a UAR of {chance:.3f}{f': {words}' if words else ''}."
