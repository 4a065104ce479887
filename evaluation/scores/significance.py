"""How uncertain a score is: intervals and comparisons over speakers.

Clips of one speaker are alike, so speakers are resampled and swapped, not clips. The trained models are held
fixed: these figures do not contain the variation between training runs.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import bdtr, ndtr, stdtrit

FEWEST = 6  # speakers; with 5, swapping can never reach p < .05
EXACT = 14  # speakers; up to so many all 2**n swaps are tried


class Interval(NamedTuple):
    """A 95 % interval; ``informative`` is False with fewer than 6 speakers."""

    lo: float
    hi: float
    informative: bool


class Difference(NamedTuple):
    """UAR of a minus UAR of b, its 95 % interval, and the two-sided p-value of no difference."""

    difference: float
    lo: float
    hi: float
    p: float


def uar_interval(
    truth: np.ndarray,
    predicted: np.ndarray,
    speakers: np.ndarray,
    n_classes: int,
    *,
    draws: int = 2000,
    seed: int,
) -> Interval:
    """Return the bootstrap interval of the pooled UAR, speakers drawn with replacement.

    The expanded percentile interval, since the plain one is too narrow with few speakers (Hesterberg 2015,
    doi 10.1080/00031305.2015.1089789). With unknown speakers, or only one, clips are drawn instead, and the
    interval is not informative.

    Args:
        truth: (n,) class index.
        predicted: (n,) class index, out of fold.
        speakers: (n,) names, "" if unknown.
        n_classes: C.
        draws: bootstrap samples.
        seed: of the draws.
    """
    hits = (np.asarray(predicted) == truth)[:, None]
    rng = np.random.default_rng(seed)
    units, copies, by_speaker = _units(truth, hits, speakers, n_classes)
    n = int(copies.sum())
    return Interval(*_limits(_bootstrap(units, copies, draws, rng)[:, 0], n), by_speaker and n >= FEWEST)


def uar_difference(
    truth: np.ndarray,
    predicted_a: np.ndarray,
    predicted_b: np.ndarray,
    speakers: np.ndarray,
    n_classes: int,
    *,
    draws: int = 2000,
    seed: int,
) -> Difference:
    """Return how much better a is than b on the same clips, in UAR.

    The interval is that of ``uar_interval``, of the difference, with the same speakers drawn for both. The
    p-value is that of a permutation test: a and b are swapped within a speaker (within a clip, if speakers are
    not known or there is only one). All swaps are tried up to 14 speakers, ``draws`` random ones with more
    (Good 2005, doi 10.1007/b138696; Phipson & Smyth 2010, doi 10.2202/1544-6115.1585).

    Args:
        truth: (n,) class index.
        predicted_a: (n,) class index.
        predicted_b: (n,) class index of the other model on the same clips.
        speakers: (n,) names, "" if unknown.
        n_classes: C.
        draws: bootstrap samples and random swaps.
        seed: of both.
    """
    hits = np.stack([np.asarray(predicted_a) == truth, np.asarray(predicted_b) == truth], axis=1)
    units, copies, _ = _units(truth, hits, speakers, n_classes)
    rng = np.random.default_rng(seed)
    a, b = _bootstrap(units, copies, draws, rng).T
    limits = _limits(a - b, copies.sum())
    whole_a, whole_b = _recalls(np.tensordot(copies, units, axes=1))
    return Difference(float(whole_a - whole_b), *limits, _swap_test(units, copies, draws, rng))


def mcnemar(truth: np.ndarray, predicted_a: np.ndarray, predicted_b: np.ndarray) -> float:
    """Return the exact two-sided p-value of the hypothesis that a and b err equally often (McNemar 1947).

    It takes clips as independent, which those of one speaker are not: prefer ``uar_difference``.

    Args:
        truth: (n,) class index.
        predicted_a: (n,) class index.
        predicted_b: (n,) class index of the other model on the same clips.
    """
    a, b = np.asarray(predicted_a) == truth, np.asarray(predicted_b) == truth
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    return float(min(1.0, 2 * bdtr(min(only_a, only_b), only_a + only_b, 0.5))) if only_a + only_b else 1.0


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Return the p-values (n,) adjusted for n comparisons, in the order given (Holm 1979).

    >>> holm([0.01, 0.04, 0.03, 0.005]).tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return adjusted


def _units(
    truth: np.ndarray, hits: np.ndarray, speakers: np.ndarray, n_classes: int
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return what is drawn: the different units (U, C, 1 + models), the number of each (U,), and if of speakers.

    A unit is a speaker, or a clip where no two speakers are known. Its numbers are the clips of each class and
    the hits of each model, which is all that UAR needs. Clips with equal numbers are one unit with many copies.
    """
    truth, speakers = np.asarray(truth), np.asarray(speakers)
    names, unit = np.unique(speakers, return_inverse=True)
    by_speaker = len(names) > 1 and not (speakers == "").any()
    if not by_speaker:
        unit = np.arange(len(truth))
    n_units = unit.max() + 1
    cell = unit * n_classes + truth
    columns = [np.bincount(cell, weights=w, minlength=n_units * n_classes) for w in (None, *hits.T)]
    rows = np.stack(columns, axis=1).reshape(n_units, -1)
    different, copies = np.unique(rows, axis=0, return_counts=True)
    return different.reshape(len(different), n_classes, -1), copies, by_speaker


def _recalls(counts: np.ndarray) -> np.ndarray:
    """Return the UAR (..., models) of counts (..., C, 1 + models), over the classes that have clips."""
    clips, hits = counts[..., :1], counts[..., 1:]
    recall = np.divide(hits, clips, where=clips > 0, out=np.zeros(hits.shape))
    return recall.sum(axis=-2) / (clips > 0).sum(axis=-2)


def _bootstrap(units: np.ndarray, copies: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return the UAR (draws, models) of as many units as there are, drawn with replacement."""
    n = copies.sum()
    times = rng.multinomial(n, copies / n, size=draws)  # (draws, U)
    return _recalls(np.tensordot(times, units, axes=1))


def _limits(values: np.ndarray, n: int) -> tuple[float, float]:
    """Return Hesterberg's expanded 95 % percentile limits for n units."""
    tail = ndtr(np.sqrt(n / max(n - 1, 1)) * stdtrit(max(n - 1, 1), 0.025))
    lo, hi = np.quantile(values, [tail, 1 - tail])
    return float(lo), float(hi)


def _swap_test(units: np.ndarray, copies: np.ndarray, draws: int, rng: np.random.Generator) -> float:
    """Return the two-sided p-value of swapping the two models within units at random.

    Swapping leaves the clips of a class as they are, so the difference is a sum over units, each of
    which keeps or changes its sign.
    """
    clips = units[..., 0].T @ copies  # (C,)
    gains = (units[..., 1] - units[..., 2])[:, clips > 0] @ (1 / clips[clips > 0])  # (U,)
    observed = abs(gains @ copies) * (1 - 1e-9)  # ties are equal in spite of rounding
    n = copies.sum()
    if n <= EXACT:
        signs = (np.arange(2**n)[:, None] >> np.arange(n) & 1) * 2 - 1  # (2**n, n)
        return float(np.mean(np.abs(signs @ np.repeat(gains, copies)) >= observed))
    signs = 2 * rng.binomial(copies, 0.5, size=(draws, len(copies))) - copies  # sums over equal units
    return float((1 + np.sum(np.abs(signs @ gains) >= observed)) / (1 + draws))
