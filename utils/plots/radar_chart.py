"""The radar chart of one clip's emotions."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from utils.errors import DataError
from utils.plots.style import BLUE, GREY, INK, LINE, SIDE, new_figure, text_size, wrap


def radar(
    probabilities: np.ndarray,
    labels: Sequence[str],
    *,
    title: str | None = None,
    limit: float | None = None,
    grey: bool = False,
) -> Figure:
    """Return a radar chart of one clip's emotions, each labelled with its probability.

    Args:
        probabilities: (C,), 0 to 1.
        labels: C class names; the first is at the top, the others follow clockwise.
        title: instead of the most probable emotion.
        limit: probability of the outer ring; without it 25, 50, 75 or 100 %, the first that holds them all.
        grey: draw it in grey, with no label emphasised: the probabilities answer nothing.

    Raises:
        DataError: not one finite probability a label, or fewer than two.
    """
    values = np.asarray(probabilities, dtype=np.float64).ravel()
    if len(values) != len(labels) or len(values) < 2 or not np.isfinite(values).all():
        raise DataError(f"radar: {len(values)} probabilities for {len(labels)} labels; one finite number each.")
    limit = limit or max(0.25, np.ceil(values.max() * 4 - 1e-9) / 4)
    best = int(values.argmax())
    figure = new_figure(SIDE, SIDE, layout=None)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, SIDE), ylim=(0, SIDE), aspect="equal")  # data in inches
    axes.set_axis_off()
    head = axes.text(0.25, SIDE - 0.25, title or f"{labels[best]}, {values[best]:.0%}", va="top", color=INK, size=15)
    head.set_size(15 * min(1, (SIDE - 0.5) / text_size(figure, head)[0]))
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(values)) / len(values)
    spokes = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    words = [f"{wrap(label)}\n{value:.0%}" for label, value in zip(labels, values, strict=True)]
    texts = [axes.text(0, 0, word, ha="center", va="center", color=GREY, size=11) for word in words]
    if not grey:
        texts[best].set(weight="bold", color=INK)
    colour = GREY if grey else BLUE
    centre, radius = _place(figure, texts, spokes)
    _rings(axes, centre, radius, limit, spokes)
    corners = centre + radius * np.minimum(values / limit, 1)[:, None] * spokes
    axes.fill(*corners.T, facecolor=colour, alpha=0.22, zorder=2)
    axes.fill(*corners.T, fill=False, edgecolor=colour, linewidth=2, joinstyle="round", zorder=3)
    axes.scatter(*corners.T, s=24, color=colour, zorder=4)
    return figure


def _place(figure: Figure, texts: Sequence[Text], spokes: np.ndarray) -> tuple[np.ndarray, float]:
    """Put the labels around the largest circle that leaves them all inside; return its centre and radius."""
    gap, sheet = 0.14, np.array([SIDE, SIDE - 0.6])  # inches; the title is above
    boxes = np.array([text_size(figure, text) for text in texts])
    room = sheet / 2 - 0.2 - boxes / 2 - np.abs(spokes) * boxes / 2
    radius = max(0.5, np.min(room / np.maximum(np.abs(spokes), 1e-9)) - gap)
    for text, spoke, box in zip(texts, spokes, boxes, strict=True):
        text.set_position(sheet / 2 + spoke * (radius + gap + box / 2))
    return sheet / 2, radius


def _rings(axes: Axes, centre: np.ndarray, radius: float, limit: float, spokes: np.ndarray) -> None:
    turn = np.linspace(0, 2 * np.pi, 181)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    between = np.pi / 2 - np.pi / len(spokes)  # halfway to the next spoke, where no line runs
    halo = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.75}
    style = {"size": 7.5, "color": GREY, "ha": "center", "va": "center", "bbox": halo, "zorder": 5}
    rings = next((n for n in (4, 3, 5) if 100 * limit / n % 5 == 0), 4)  # each a round number of percent
    for share in np.arange(1, rings + 1) / rings:
        axes.plot(*(centre + radius * share * circle).T, color=LINE, linewidth=0.9, zorder=1)
        x, y = centre + radius * share * np.array([np.cos(between), np.sin(between)])
        axes.text(x, y, f"{100 * limit * share:.3g}%", **style)
    for spoke in spokes:
        axes.plot(*np.stack([centre, centre + radius * spoke], axis=1), color=LINE, linewidth=0.9, zorder=1)
