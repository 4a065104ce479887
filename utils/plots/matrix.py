"""The heat map of training corpus by test corpus."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from utils.plots.style import BLUES, GREY, INK, new_figure, wrap


def uar_matrix(panels: Mapping[str, np.ndarray], names: Sequence[str], *, chance: float, title: str) -> Figure:
    """Return a heat map a panel, rows trained on, columns tested on, each cell with its interval.

    Args:
        panels: heading -> (n, n, 3) UAR and the ends of its interval, 0 to 1.
        names: n corpora.
        chance: UAR of guessing, which has the lightest colour.
        title: above.
    """
    n = len(names)
    side = max(3.6, 1.25 * n)
    figure = new_figure((side + 1.2) * len(panels) + 0.6, side + 1.6)
    for axes, (heading, values) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        _heat(axes, values, chance)
        axes.set_xticks(np.arange(n) + 0.5, [wrap(name) for name in names])
        axes.set_yticks(np.arange(n) + 0.5, [wrap(name) for name in names])
        axes.set_xlabel("tested on", color=GREY, size=10)
        axes.set_ylabel("trained on", color=GREY, size=10)
        axes.set_title(heading, loc="left", size=11, color=GREY)
    figure.suptitle(title, x=0.02, ha="left", size=13, color=INK)
    note = f"in brackets: 95 % over speakers; chance {chance:.3f}; a corpus on itself: other speakers of it"
    figure.supxlabel(note, x=0.02, ha="left", color=GREY, size=8.5)
    return figure


def _heat(axes: Axes, values: np.ndarray, chance: float) -> None:
    n = len(values)
    axes.pcolormesh(values[..., 0], cmap=BLUES, vmin=chance, vmax=1, edgecolors="white", linewidth=1.5)
    axes.set(aspect="equal", xlim=(0, n), ylim=(n, 0))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=10.5, labelcolor=INK)
    for (row, column), uar in np.ndenumerate(values[..., 0]):
        lo, hi = values[row, column, 1:]
        style = {"ha": "center", "color": "white" if uar > 0.45 * chance + 0.55 else INK}
        axes.text(column + 0.5, row + 0.5, f"{uar:.3f}", va="bottom", size=13, **style)
        axes.text(column + 0.5, row + 0.53, f"[{lo:.2f}, {hi:.2f}]", va="top", size=8.5, **style)
