"""Probabilities over time made steady: a hidden Markov model whose states are the emotions.

The probabilities of a window are evidence for the emotion of its hop, and an emotion tends to last. The Markov chain
is symmetric: an emotion ends with rate 1 / dwell, and then any is equally likely. Neighbouring windows share audio, so
each counts by hop / window only. Rabiner 1989, "A tutorial on hidden Markov models", doi 10.1109/5.18626.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FLOOR = 1e-6  # least probability that a window can give: one window must not exclude an emotion


class HiddenMarkovModel:
    """The emotions as hidden states; what is observed are the probabilities of windows.

    Attributes:
        prior: (C,) probabilities before the first hop, all equal.
        weight: exponent of a window's probabilities, hop / window.
    """

    def __init__(self, classes: int, *, hop: float, window: float, dwell: float):
        """Prepare for C classes, hops and windows of so many seconds, and emotions that last ``dwell`` s on average.

        ``dwell`` 0 leaves every probability as it is.
        """
        self.weight = hop / window if dwell else 1.0
        self._stay = np.exp(-hop / dwell) if dwell else 0.0  # the chance that no emotion ended within a hop
        self.prior = np.full(classes, 1 / classes)

    def step(self, before: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Return the probabilities (C,) after one more hop, given those before; NaN in ``observed`` is no evidence."""
        now = self._predicted(before) * self._likelihood(observed)
        return now / now.sum()

    def smooth(self, observed: np.ndarray) -> np.ndarray:
        """Return (n, C) probabilities of each hop given all n, past and future (forward-backward)."""
        forward = np.empty(observed.shape)
        state = self.prior
        for hop, row in enumerate(observed):
            forward[hop] = state = self.step(state, row)
        backward = np.ones(observed.shape[1])
        for hop in range(len(observed) - 2, -1, -1):
            backward = self._predicted(self._likelihood(observed[hop + 1]) * backward)  # the chain is symmetric
            backward /= backward.sum()
            forward[hop] *= backward / (forward[hop] @ backward)
        return forward

    def _predicted(self, state: np.ndarray) -> np.ndarray:
        return self._stay * state + (1 - self._stay) * state.mean()

    def _likelihood(self, observed: np.ndarray) -> np.ndarray:
        if np.isnan(observed).any():
            return np.ones(len(observed))
        return np.maximum(observed.astype(np.float64), FLOOR) ** self.weight


def min_duration_filter(labels: Sequence[int], min_hops: int) -> np.ndarray:
    """Return the labels (n,) without runs shorter than ``min_hops`` hops.

    Shorter runs take the label before them, those at the start that of the first long run; without any long run, the
    most frequent label holds throughout.

    >>> min_duration_filter([0, 0, 0, 1, 0, 2, 2, 2], 3).tolist()
    [0, 0, 0, 0, 0, 2, 2, 2]
    """
    labels = np.asarray(labels, int)
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    lengths = np.diff(starts, append=len(labels))
    is_long = lengths >= min_hops
    if not is_long.any():
        return np.full(len(labels), np.bincount(labels).argmax()) if len(labels) else labels
    run = np.maximum.accumulate(np.where(is_long, np.arange(len(starts)), -1))  # the long run whose label each takes
    run[run < 0] = np.argmax(is_long)
    return np.repeat(labels[starts][run], lengths)


@dataclass(frozen=True)
class EmotionSegment:
    """A stretch of speech with one emotion.

    Attributes:
        start, end: seconds.
        label: its number; None outside what the model knows.
        probabilities: (C,) mean over its hops.
        change: whether the speech before it, as far as the model knows it, had another emotion.
    """

    start: float
    end: float
    label: int | None
    probabilities: np.ndarray
    change: bool


def emotion_segments(
    times: np.ndarray, probabilities: np.ndarray, *, min_duration: float, outside: np.ndarray | None = None
) -> list[EmotionSegment]:
    """Return the segments of one channel; a pause of more than half a hop ends a segment as well.

    Args:
        times: (n, 2) start and end of the hops with speech, in seconds.
        probabilities: (n, C) smoothed, of these hops.
        min_duration: seconds of speech that a new emotion must last to count as a change.
        outside: (n,) bool, hops outside what the model knows; they make segments without a label. None: none is.
    """
    if not len(times):
        return []
    hop = np.max(times[:, 1] - times[:, 0])
    known = np.ones(len(times), bool) if outside is None else ~outside
    labels, changed = np.full(len(times), -1), np.zeros(len(times), bool)
    best = min_duration_filter(probabilities[known].argmax(axis=1), max(1, int(np.ceil(min_duration / hop - 1e-6))))
    labels[known], changed[known] = best, np.diff(best, prepend=best[:1]) != 0
    after_pause = np.append(True, times[1:, 0] - times[:-1, 1] > hop / 2)
    cuts = np.flatnonzero((np.diff(labels, prepend=labels[0]) != 0) | after_pause)
    return [
        EmotionSegment(
            times[a, 0], times[b - 1, 1], int(labels[a]) if known[a] else None, probabilities[a:b].mean(axis=0),
            bool(changed[a]),
        )
        for a, b in zip(cuts, [*cuts[1:], len(times)], strict=True)
    ]  # fmt: skip
