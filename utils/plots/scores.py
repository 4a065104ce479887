"""Plots of what out-of-fold predictions are worth: reliability, confidence, groups. Each returns a Figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from utils.plots.style import BLUE, GREY, INK, LINE, ORANGE, SIDE, new_figure, shrink, tidy

FEWEST = 20  # clips that an accuracy means something for
Part = tuple[str, np.ndarray, str]  # name, top probabilities, colour
MOST = 26  # groups of one kind in the picture: the lowest half and the highest


def reliability(
    points: Mapping[str, np.ndarray], *, before: Mapping[str, np.ndarray] | None = None, title: str = ""
) -> Figure:
    """Return the share of right answers against the top probability, above the number of clips.

    Args:
        points: ``count``, ``confidence``, ``accuracy`` (bins,) over equal-width bins of 0 to 1; nan where empty.
        before: the same before calibration.
        title: above.
    """
    figure = new_figure(SIDE, SIDE)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    for axes in (above, below):
        tidy(axes)
    above.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    above.annotate("as sure as right", (0.12, 0.05), color=GREY, size=9)
    if before is not None:
        _points(above, before, color=ORANGE, marker="s", label="before calibration")
    _points(above, points, color=BLUE, marker="o", label="as shipped")
    above.set(ylim=(0, 1.03), xlim=(0, 1))
    above.set_ylabel("share right", color=GREY, size=10)
    shrink(figure, above.set_title(title, loc="left", size=13, color=INK), SIDE - 1.0)
    if before is not None:
        above.legend(frameon=False, loc="upper left", labelcolor=INK, fontsize=10)
    _counts(below, points["count"])
    return figure


def _points(axes: Axes, bins: Mapping[str, np.ndarray], *, label: str, **style: Any) -> None:
    there, few = bins["count"] > 0, (bins["count"] > 0) & (bins["count"] < FEWEST)
    style |= {"markersize": 5, "linewidth": 1.6}
    axes.plot(bins["confidence"][there], bins["accuracy"][there], label=label, **style)
    style |= {"linestyle": "", "markerfacecolor": "white"}
    axes.plot(bins["confidence"][few], bins["accuracy"][few], **style)


def _counts(axes: Axes, count: np.ndarray) -> None:
    middle = (np.arange(len(count)) + 0.5) / len(count)
    axes.bar(middle, count, width=0.9 / len(count), color=BLUE)
    for x, clips in zip(middle, count, strict=True):
        axes.annotate(str(clips), (x, clips), (0, 2), textcoords="offset points", ha="center", size=8.5, color=GREY)
    axes.set(ylim=(0, 1.3 * max(count.max(), 1)), yticks=[])
    axes.set_ylabel("clips", color=GREY, size=10)
    axes.set_xlabel(f"top probability (hollow: fewer than {FEWEST} clips)", color=GREY, size=10)


def confidence(top: np.ndarray, right: np.ndarray, curve: tuple[np.ndarray, np.ndarray], *, title: str = "") -> Figure:
    """Return the top probability of right and wrong answers as histogram and box plot, and what abstaining gains.

    Args:
        top: (n,) the highest probability of each clip.
        right: (n,) bool.
        curve: share answered (k,) and accuracy on it (k,), 0 to 1.
        title: above.
    """
    figure = new_figure(10.4, 4.4)
    spread, boxes, silent = figure.subplots(1, 3, width_ratios=(1.25, 0.8, 1.25))
    parts = [(f"right\n{right.sum()}", top[right], BLUE), (f"wrong\n{(~right).sum()}", top[~right], ORANGE)]
    for axes in (spread, boxes, silent):
        tidy(axes)
    _histogram(spread, parts)
    _boxes(boxes, parts)
    enough = curve[0] * len(top) >= min(FEWEST, len(top))
    _abstaining(silent, curve[0][enough], curve[1][enough])
    figure.suptitle(title, x=0.012, ha="left", size=13, color=INK)
    return figure


def _histogram(axes: Axes, parts: Sequence[Part]) -> None:
    edges = np.linspace(0, 1, 21)
    for word, values, colour in parts:
        style = {"color": colour, "linewidth": 1.8}
        heights = np.histogram(values, edges)[0]
        axes.stairs(heights, edges, fill=True, alpha=0.22, color=colour)
        axes.stairs(heights, edges, label=word.partition("\n")[0], **style)
    axes.legend(frameon=False, labelcolor=INK, fontsize=10)
    axes.set(xlim=(0, 1))
    axes.set_ylabel("clips", color=GREY, size=10)
    axes.set_xlabel("top probability", color=GREY, size=10)


def _boxes(axes: Axes, parts: Sequence[Part]) -> None:
    drawn = axes.boxplot(
        [values for _, values, _ in parts], tick_labels=[word for word, _, _ in parts], widths=0.55,
        patch_artist=True, flierprops={"marker": ".", "markersize": 3, "markeredgecolor": GREY},
        medianprops={"color": INK, "linewidth": 1.8},
    )  # fmt: skip
    for box, (_, _, colour) in zip(drawn["boxes"], parts, strict=True):
        box.set(facecolor=colour, alpha=0.45, edgecolor=colour)
    axes.set(ylim=(0, 1.02))
    axes.set_ylabel("top probability", color=GREY, size=10)


def _abstaining(axes: Axes, answered: np.ndarray, accuracy: np.ndarray) -> None:
    axes.plot(answered, accuracy, color=BLUE, linewidth=1.8)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    axes.set_xlabel("share answered, the surest first", color=GREY, size=10)
    axes.set_ylabel("accuracy on it", color=GREY, size=10)


def subgroups(columns: Mapping[str, Mapping[str, Any]], *, whole: float, title: str = "") -> Figure:
    """Return the UAR of every group as a dot with its interval; the worst of its kind in orange, small ones hollow.

    Args:
        columns: ``subgroups`` of metrics.json: {column: {"groups": {name: {n_clips, uar, ...}}, "worst"}}.
        whole: UAR of all clips.
        title: above.
    """
    lines = [(by, *line) for by, column in columns.items() for line in _lines(column)]
    blocks = [by for by, _, _, _ in lines]
    heights = np.arange(len(lines)) + 0.9 * np.cumsum([a != b for a, b in zip(blocks, ["", *blocks], strict=False)])
    figure = new_figure(SIDE + 0.8, 1.5 + 0.205 * heights[-1])
    axes = figure.add_subplot()
    tidy(axes, grid=False)
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.axvline(whole, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    _dots(axes, heights, lines)
    _block_names(axes, blocks, heights)
    all_classes = max(group["n_classes"] for _, _, group, _ in lines)
    axes.set_yticks(heights, [_name(name, group, all_classes) for _, name, group, _ in lines])
    axes.tick_params(axis="y", labelsize=8.5, labelcolor=INK)
    axes.set(xlim=(-0.015, 1.015), ylim=(heights[-1] + 0.8, -0.8))
    note = (
        "UAR. Behind each name its clips; bar: 95 % over speakers; dashes: all clips; orange: lowest; hollow: too few"
    )
    figure.supxlabel(note, x=0.012, ha="left", color=GREY, size=8.5)
    shrink(figure, axes.set_title(title, loc="left", size=13, color=INK), SIDE - 2.4)
    return figure


def _dots(axes: Axes, heights: np.ndarray, lines: Sequence[tuple]) -> None:
    for y, (_, _, group, worst) in zip(heights, lines, strict=True):
        colour = ORANGE if worst else BLUE
        if group["uar_ci95"]:
            axes.plot(group["uar_ci95"], [y, y], color=colour, linewidth=2, alpha=0.5, solid_capstyle="butt")
        axes.plot(
            group["uar"], y, "o", color=colour, markersize=5.5, markerfacecolor="white" if group["small"] else colour
        )


def _lines(column: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any], bool]]:
    """Name, group and whether it is the worst; more than a few by their score, of many those at the two ends."""
    groups = list(column["groups"].items())
    if len(groups) > 8:
        groups.sort(key=lambda item: item[1]["uar"])
    if len(groups) > MOST:
        groups = groups[: MOST // 2] + groups[-MOST // 2 :]
    return [(name, group, name == column["worst"]) for name, group in groups]


def _block_names(axes: Axes, blocks: Sequence[str], heights: np.ndarray) -> None:
    for by in dict.fromkeys(blocks):
        first = heights[blocks.index(by)]
        style = {"size": 9, "weight": "bold", "color": INK, "va": "bottom"}
        axes.annotate(f"by {by}", (0, first - 0.55), (4, 0), textcoords="offset points", **style)


def _name(name: str, group: Mapping[str, Any], all_classes: int) -> str:
    """The group's name, how many of the classes it has if not all, and its clips."""
    short = name if len(name) <= 30 else f"{name[:29]}…"
    lacking = f", {group['n_classes']} of {all_classes} classes" if group["n_classes"] < all_classes else ""
    return f"{short}{lacking}  {group['n_clips']}"
