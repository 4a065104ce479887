"""Probabilities over time made steady: a hidden Markov model whose states are the emotions.

What a window says is evidence for the emotion of its hop, and an emotion tends to last. The chain is symmetric: in
each instant an emotion ends with rate 1 / dwell, and then any is as likely. As neighbouring windows share audio, each
counts by hop / window only. Rabiner 1989, "A tutorial on hidden Markov models", doi 10.1109/5.18626.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FLOOR = 1e-6  # least probability that a window can give: one window must not forbid an emotion for good


class Chain:
    """The emotions as states of a Markov chain, seen through windows."""

    def __init__(self, classes: int, *, hop: float, window: float, dwell: float):
        """Make the chain for hops and windows of so many seconds, and emotions that last ``dwell`` on average.

        ``dwell`` 0 leaves every probability as it is.
        """
        self.weight = hop / window if dwell else 1.0
        self._same = np.exp(-hop / dwell) if dwell else 0.0  # the chance that nothing ended within a hop
        self.start = np.full(classes, 1 / classes)

    def step(self, before: np.ndarray, raw: np.ndarray) -> np.ndarray:
        """Return what is believed (C,) after one more hop that says ``raw`` (C,); NaN says nothing."""
        now = self._moved(before) * self._evidence(raw)
        return now / now.sum()

    def smooth(self, raw: np.ndarray) -> np.ndarray:
        """Return (n, C) probabilities of each hop given all n, past and future (forward-backward)."""
        forward = np.empty(raw.shape)
        belief = self.start
        for hop, row in enumerate(raw):
            forward[hop] = belief = self.step(belief, row)
        backward = np.ones(raw.shape[1])
        for hop in range(len(raw) - 2, -1, -1):
            backward = self._moved(self._evidence(raw[hop + 1]) * backward)  # the chain is symmetric
            backward /= backward.sum()
            forward[hop] *= backward / (forward[hop] @ backward)
        return forward

    def _moved(self, belief: np.ndarray) -> np.ndarray:
        return self._same * belief + (1 - self._same) * belief.mean()

    def _evidence(self, raw: np.ndarray) -> np.ndarray:
        if np.isnan(raw).any():
            return np.ones(len(raw))
        return np.maximum(raw.astype(np.float64), FLOOR) ** self.weight


def settled(labels: Sequence[int], least: int) -> np.ndarray:
    """Return the labels (n,) where only what lasts ``least`` hops in a row counts.

    Shorter runs take the label before them, those at the start the first that lasts; where none lasts, the most
    frequent one holds throughout.

    >>> settled([0, 0, 0, 1, 0, 2, 2, 2], 3).tolist()
    [0, 0, 0, 0, 0, 2, 2, 2]
    """
    labels = np.asarray(labels, int)
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    lengths = np.diff(starts, append=len(labels))
    lasting = lengths >= least
    if not lasting.any():
        return np.full(len(labels), np.bincount(labels).argmax()) if len(labels) else labels
    held = np.maximum.accumulate(np.where(lasting, np.arange(len(starts)), -1))
    held[held < 0] = np.argmax(lasting)
    return np.repeat(labels[starts][held], lengths)


@dataclass(frozen=True)
class Spell:
    """A stretch of speech with one settled emotion: seconds, its label's number, mean probabilities (C,).

    ``change``: it begins with another emotion than the speech before it had.
    """

    start: float
    end: float
    label: int
    probabilities: np.ndarray
    change: bool


def spells(times: np.ndarray, probabilities: np.ndarray, *, least: float) -> list[Spell]:
    """Return the spells of one channel.

    Args:
        times: (n, 2) start and end of the hops with speech, in seconds.
        probabilities: (n, C) smoothed, of these hops.
        least: seconds of speech that a new emotion must last to count as a change.
    """
    if not len(times):
        return []
    longest = np.max(times[:, 1] - times[:, 0])
    labels = settled(probabilities.argmax(axis=1), max(1, int(np.ceil(least / longest - 1e-6))))
    turned = np.diff(labels, prepend=labels[0]) != 0
    apart = np.append(True, times[1:, 0] - times[:-1, 1] > longest / 2)
    cuts = np.flatnonzero(turned | apart)
    return [
        Spell(times[a, 0], times[b - 1, 1], int(labels[a]), probabilities[a:b].mean(axis=0), bool(turned[a]))
        for a, b in zip(cuts, [*cuts[1:], len(times)], strict=True)
    ]
