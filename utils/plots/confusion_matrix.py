"""The confusion matrix, rows the truth, columns the prediction."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from utils.errors import DataError
from utils.plots.style import BLUES, GREY, INK, SIDE, new_figure, shrink, wrap


def confusion(matrix: np.ndarray, labels: Sequence[str], *, normalise: bool = True, title: str | None = None) -> Figure:
    """Return the confusion matrix, rows the truth, columns the prediction.

    Args:
        matrix: (C, C) counts.
        labels: C class names.
        normalise: each cell shows its share of the row in percent (on the diagonal the recall) above the
            count, and is coloured by it; otherwise the count alone.
        title: instead of UAR and number of clips.

    Raises:
        DataError: not (C, C).
    """
    matrix, n = np.asarray(matrix), len(labels)
    if matrix.shape != (n, n):
        raise DataError(f"confusion: a matrix of shape {matrix.shape} for {n} labels; it must be {(n, n)}.")
    support = matrix.sum(axis=1)
    share = matrix / np.maximum(support, 1)[:, None]
    figure = new_figure(SIDE, SIDE)
    axes = figure.add_subplot()
    _cells(axes, matrix, share if normalise else matrix / max(matrix.max(), 1), normalise)
    rows = [f"{wrap(label)}  {clips}" for label, clips in zip(labels, support, strict=True)]
    words = [wrap(label) for label in labels]
    crowded = max(len(line) for word in words for line in word.split("\n")) * n > 68
    slant = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    axes.set_yticks(np.arange(n) + 0.5, rows)
    axes.set_xticks(np.arange(n) + 0.5, words, **slant)
    axes.tick_params(length=0, labelsize=11 if n <= 5 else 9.5, labelcolor=INK)
    axes.set_xlabel("predicted", color=GREY, size=10)
    axes.set_ylabel("truth, with number of clips", color=GREY, size=10)
    uar = share.diagonal()[support > 0].mean() if support.any() else 0.0
    head = axes.set_title(title or f"UAR {uar:.1%}, {matrix.sum()} clips", loc="left", size=14, color=INK, pad=22)
    shrink(figure, head, SIDE - 1.5)
    note = "cells: % of the row, count" if normalise else "cells: count"
    axes.text(0, 1.015, note, transform=axes.transAxes, size=9, color=GREY, va="bottom")
    return figure


def _cells(axes: Axes, matrix: np.ndarray, shade: np.ndarray, normalise: bool) -> None:
    n = len(matrix)
    axes.pcolormesh(shade, cmap=BLUES, vmin=0, vmax=1, edgecolors="white", linewidth=1.5)
    axes.set(aspect="equal", xlim=(0, n), ylim=(n, 0))
    axes.spines[:].set_visible(False)
    size = 13 if n <= 5 else 11 if n <= 8 else 8.5
    for row, column in np.argwhere(matrix):
        style = {
            "ha": "center",
            "color": "white" if shade[row, column] > 0.5 else INK,
            "annotation_clip": False,
        }
        style |= {"xy": (column + 0.5, row + 0.5), "textcoords": "offset points"}
        bold = "bold" if row == column else "normal"
        count = str(matrix[row, column])
        if normalise:
            percent = f"{100 * shade[row, column]:.0f}"
            axes.annotate(percent, xytext=(0, -0.1 * size), va="bottom", size=size, weight=bold, **style)
            axes.annotate(count, xytext=(0, -0.25 * size), va="top", size=0.68 * size, **style)
        else:
            axes.annotate(count, xytext=(0, 0), va="center", size=size, weight=bold, **style)
