"""Plots of a hyper-parameter search. Each function returns a Figure."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from utils.errors import DataError
from utils.plots.style import BLUE, GREY, INK, LINE, ORANGE, SIDE, label_ends, new_figure, tidy


def search_history(values: Sequence[float | None], *, title: str | None = None) -> Figure:
    """Return the UAR of every trial in the order they were started, and the best so far.

    Args:
        values: one per trial, 0 to 1; None for a pruned trial, which is marked at the bottom.
        title: above the axes.

    Raises:
        DataError: no trial has a value.
    """
    uar = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    done = np.isfinite(uar)
    if not done.any():
        raise DataError(f"search_history: none of {len(uar)} trials has a value.")
    number = np.arange(1, len(uar) + 1)
    best = np.maximum.accumulate(np.where(done, uar, -np.inf))
    figure = new_figure(1.25 * SIDE, 3.8)
    axes = figure.subplots()
    tidy(axes)
    axes.scatter(number[done], uar[done], s=26, color=BLUE, alpha=0.75, linewidths=0, zorder=3)
    axes.step(number[best > 0], best[best > 0], where="post", color=ORANGE, lw=1.8)
    low, high = uar[done].min(), uar[done].max()
    room = max(high - low, 0.02)
    axes.set_ylim(low - 0.22 * room, high + 0.1 * room)
    if not done.all():
        pruned = number[~done]
        axes.scatter(pruned, np.full(len(pruned), low - 0.12 * room), s=22, marker="x", color=GREY, linewidths=1.2)
    axes.set_xlim(1 - 0.02 * len(uar), len(uar) * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.set_xlabel(
        "trial" + (f" (crosses: the {(~done).sum()} pruned)" if not done.all() else ""), color=GREY, size=10
    )
    label_ends(axes, {"best so far": (ORANGE, float(best[-1]))})
    axes.set_title(title or "UAR on the speakers of the search", loc="left", size=12, color=INK)
    return figure


def setting_importance(shares: Mapping[str, float], *, title: str | None = None) -> Figure:
    """Return a bar per setting: its share of the variance of the score, the largest at the top.

    Args:
        shares: config key -> share, 0 to 1.
        title: above the axes.

    Raises:
        DataError: no shares.
    """
    if not shares:
        raise DataError("setting_importance: no setting has a share.")
    ordered = sorted(shares.items(), key=lambda item: item[1])
    figure = new_figure(1.25 * SIDE, 1.3 + 0.42 * len(ordered))
    axes = figure.subplots()
    tidy(axes, grid=False)
    bars = axes.barh([key for key, _ in ordered], [share for _, share in ordered], color=BLUE, height=0.62)
    axes.bar_label(bars, [f"{share:.0%}" for _, share in ordered], padding=5, color=INK, size=10)
    axes.set_xlim(0, 1.12 * max(max(shares.values()), 1e-9))
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.axvline(0, color=LINE, lw=1)
    axes.tick_params(axis="y", labelcolor=INK, labelsize=10)
    axes.set_title(title or "share of the variance of UAR", loc="left", size=12, color=INK)
    return figure
