"""Plots of what other channels and shorter clips cost; as ``utils.plots``."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from utils.plots.style import BLUE, BLUES, GREY, INK, LINE, ORANGE, SIDE, new_figure, tidy

TITLE_COLUMNS = 60  # letters per line of a title that fit above the axes


def channels(rows: Sequence[Mapping[str, Any]], name: str, against: str | None = None, *, title: str = "") -> Figure:
    """Return the UAR in every condition as a dot with its interval, and another model's beside it.

    Args:
        rows: {condition, uar, lo, hi[, against_uar]}; the first is of the clips as recorded.
        name: of the model.
        against: of the other.
        title: above.
    """
    heights = np.arange(len(rows))
    figure = new_figure(SIDE + 0.8, 1.5 + 0.26 * len(rows))
    axes = figure.add_subplot()
    tidy(axes, grid=False)
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.axvline(rows[0]["uar"], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    for y, row in zip(heights, rows, strict=True):
        axes.plot([row["lo"], row["hi"]], [y, y], color=BLUE, linewidth=2, alpha=0.4, solid_capstyle="butt")
    axes.plot([row["uar"] for row in rows], heights, "o", color=BLUE, markersize=6, label=name)
    if against:
        axes.plot([row["against_uar"] for row in rows], heights, "D", color=ORANGE, markersize=5, label=against)
        figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=9, labelcolor=INK)
    axes.set_yticks(heights, [row["condition"] for row in rows])
    axes.tick_params(axis="y", labelcolor=INK)
    most = max(max(row["hi"], row.get("against_uar", 0)) for row in rows)
    axes.set(xlim=(0, min(1, most + 0.05)), ylim=(len(rows) - 0.4, -0.6))
    axes.set_xlabel("UAR; bar: 95 % over speakers; dashes: the clips as recorded", color=GREY, size=9)
    axes.set_title(textwrap.fill(title, TITLE_COLUMNS), loc="left", size=11, color=INK)
    return figure


def lengths(matrix: np.ndarray, names: Sequence[str], *, title: str = "") -> Figure:
    """Return a heat map of the UAR by the length trained on (rows) and tested on (columns).

    Args:
        matrix: (L, L), 0 to 1.
        names: L lengths, "1 s", ...
        title: above.
    """
    figure = new_figure(SIDE, SIDE - 0.6)
    axes = figure.add_subplot()
    low, high = matrix.min(), max(matrix.max(), matrix.min() + 0.01)
    axes.imshow(matrix, cmap=BLUES, vmin=low, vmax=high, aspect="auto")
    for row, column in np.ndindex(*matrix.shape):
        dark = (matrix[row, column] - low) / (high - low) > 0.55
        best = matrix[row, column] == matrix[:, column].max()
        axes.text(
            column, row, f"{matrix[row, column]:.3f}", ha="center", va="center", size=11,
            color="white" if dark else INK, weight="bold" if best else "normal",
        )  # fmt: skip
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelcolor=INK, labelsize=10)
    axes.set_xlabel("tested on; bold: the best training length for it", color=GREY, size=10)
    axes.set_ylabel("trained on", color=GREY, size=10)
    axes.set_title(textwrap.fill(title, TITLE_COLUMNS), loc="left", size=11, color=INK)
    return figure
