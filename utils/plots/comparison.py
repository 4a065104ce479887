"""The table of runs side by side as a picture: each with its interval, guessing, and how it differs from the first."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from utils.plots.style import BLUE, GREY, INK, LINE, new_figure, shrink, tidy

ROW, NAMES, FIGURES, SCALE = 0.4, 2.35, 4.85, 2.8  # inches: a row's height, and the three columns
Row = Mapping[str, Any]


def comparison(rows: Sequence[Row], *, title: str) -> Figure:
    """Return the runs from top to bottom: name, UAR with its interval as a bar on a scale, the same in figures.

    Args:
        rows: of ``evaluation.studies.comparison.compare``, UARs 0 to 1; ``n_classes`` says what guessing gives.
        title: the protocol.
    """
    height = ROW * len(rows) + 1.4
    width = NAMES + SCALE + FIGURES
    figure = new_figure(width, height, layout=None)
    axes = figure.add_axes((NAMES / width, 0.6 / height, SCALE / width, ROW * len(rows) / height))
    places = np.arange(len(rows), dtype=float)
    _scale(axes, rows, places)
    for place, row in zip(places, rows, strict=True):
        style = {"xycoords": ("figure fraction", "data"), "va": "center", "annotation_clip": False, "size": 10}
        name = axes.annotate(row["name"], (0.2 / width, place), color=INK, **style)
        shrink(figure, name, NAMES - 0.35)
        uar = f"{row['uar']:.3f}  [{row['uar_lo']:.3f}, {row['uar_hi']:.3f}]"
        axes.annotate(uar, ((NAMES + SCALE + 0.15) / width, place), color=INK, **style)
        axes.annotate(_difference(row), ((NAMES + SCALE + 2.05) / width, place), color=GREY, **style)
    top = {"y": 1 - 0.5 / height, "va": "top", "size": 9, "color": GREY}
    figure.text((NAMES + SCALE + 0.15) / width, s="UAR  [95 % over speakers]", **top)
    if any(row["difference"] is not None for row in rows):
        figure.text((NAMES + SCALE + 2.05) / width, s=f"to {rows[0]['name']}, paired", **top)
    head = figure.text(0.2 / width, 1 - 0.15 / height, title, va="top", size=12.5, color=INK)
    shrink(figure, head, width - 0.4)
    return figure


def _scale(axes: Axes, rows: Sequence[Row], places: np.ndarray) -> None:
    chance = 1 / rows[0]["n_classes"]
    lowest = min(chance, *(row["uar_lo"] for row in rows))
    highest = max(row["uar_hi"] for row in rows)
    tidy(axes, grid=False)
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.axvline(chance, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    for place, row in zip(places, rows, strict=True):
        ends = [row["uar_lo"], row["uar_hi"]]
        axes.plot(ends, [place, place], color=BLUE, linewidth=2.5, alpha=0.45, solid_capstyle="butt")
        axes.plot(row["uar"], place, "o", color=BLUE, markersize=6.5)
    axes.set(xlim=(lowest - 0.03, min(1.0, highest + 0.03)), ylim=(len(rows) - 0.5, -0.5), yticks=[])
    axes.set_xlabel(f"UAR; dashes: guessing, {chance:.3f}", color=GREY, size=9)


def _difference(row: Row) -> str:
    if row["difference"] is None:
        return ""
    ends = f"[{row['difference_lo']:+.3f}, {row['difference_hi']:+.3f}]"
    return f"{row['difference']:+.3f}  {ends}  p = {row['p']:.3f}"
