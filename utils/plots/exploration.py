"""Plots of what features know of emotions and speakers, before any model. Each returns a Figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from utils.plots.palette import MANY, palette
from utils.plots.style import BLUE, DIVERGING, GREY, INK, LINE, ORANGE, colour_bar, new_figure, tidy, wrap

FAMILIES = 14


def variance_shares(
    emotion: np.ndarray,
    speaker: np.ndarray | None,
    families: Sequence[Mapping[str, Any]],
    chance: tuple[float, float],
    *,
    title: str = "",
) -> Figure:
    """Return eta squared of every feature over emotions against that over speakers, and by family.

    Args:
        emotion: (columns,) share of the variance between emotions.
        speaker: (columns,) between speakers, None where they are not known.
        families: ``family``, ``features``, ``emotion`` and ``speaker``, the means, the highest first.
        chance: what either would be by chance.
        title: above.
    """
    shown = families[:FAMILIES]
    figure = new_figure(10.4, max(4.4, 1.6 + 0.42 * len(shown)))
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.1))
    if speaker is None:
        tidy(left)
        left.hist(emotion, 40, color=BLUE, alpha=0.6)
        left.axvline(chance[0], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
        left.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        left.set_ylabel("features", color=GREY, size=10)
        left.set_title(f"{len(emotion):,} features; dashes: chance", loc="left", size=10.5, color=INK)
    else:
        _against(left, emotion, speaker, chance)
    left.set_xlabel("share of the variance between emotions", color=GREY, size=10)
    _bars(right, shown, ("emotion", "speaker") if speaker is not None else ("emotion",))
    figure.suptitle(title, x=0.012, ha="left", size=13, color=INK)
    return figure


def _against(axes: Axes, emotion: np.ndarray, speaker: np.ndarray, chance: tuple[float, float]) -> None:
    tidy(axes)
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    top = 1.05 * max(emotion.max(), speaker.max(), 1e-3)
    axes.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    axes.axvline(chance[0], color=GREY, linewidth=1, linestyle=":")
    axes.axhline(chance[1], color=GREY, linewidth=1, linestyle=":")
    size = float(np.clip(4000 / len(emotion), 3, 24))
    axes.scatter(emotion, speaker, s=size, color=BLUE, alpha=0.35, linewidths=0)
    axes.set(xlim=(0, top), ylim=(0, top), aspect="equal")
    axes.set_ylabel("share of the variance between speakers", color=GREY, size=10)
    axes.set_title(f"{len(emotion):,} features; dotted: chance", loc="left", size=10.5, color=INK)


def _bars(axes: Axes, rows: Sequence[Mapping[str, Any]], kinds: Sequence[str]) -> None:
    tidy(axes, grid=False)
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    tall = 0.76 / len(kinds)
    for number, (kind, colour) in enumerate(zip(kinds, (BLUE, ORANGE), strict=False)):
        places = np.arange(len(rows)) + (number - (len(kinds) - 1) / 2) * tall
        axes.barh(places, [row[kind] for row in rows], tall, color=colour, label=f"between {kind}s")
    axes.set_yticks(range(len(rows)), [f"{row['family'][:24]}  {row['features']}" for row in rows])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("share of the variance, mean over a family's features", color=GREY, size=10)
    axes.legend(frameon=False, labelcolor=INK, fontsize=9.5, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def feature_means(values: np.ndarray, names: Sequence[str], labels: Sequence[str], *, title: str = "") -> Figure:
    """Return the mean of each feature over each emotion as a heat map with its figures.

    Args:
        values: (m, C) in standard deviations from the mean of all clips.
        names: m features.
        labels: C class names.
        title: above.
    """
    figure = new_figure(4.6 + 0.78 * len(labels), 1.4 + 0.3 * len(names))
    axes = figure.add_subplot()
    most = max(float(np.abs(values).max()), 1e-6)
    image = axes.imshow(values, cmap=DIVERGING, vmin=-most, vmax=most, aspect="auto")
    for (y, x), value in np.ndenumerate(values):
        colour = "white" if abs(value) > 0.62 * most else INK
        axes.annotate(f"{round(value, 1) + 0:+.1f}", (x, y), ha="center", va="center", size=8.5, color=colour)
    axes.set_xticks(range(len(labels)), [wrap(label) for label in labels])
    axes.set_yticks(range(len(names)), [shortened(name) for name in names])
    axes.tick_params(length=0, labelsize=9, labelcolor=INK)
    axes.spines[:].set_visible(False)
    colour_bar(figure, image, axes, "standard deviations from the mean of all clips", aspect=32)
    figure.suptitle(title, x=0.012, ha="left", size=13, color=INK)
    return figure


def correlation_map(r: np.ndarray, names: Sequence[str], *, title: str = "") -> Figure:
    """Return correlations (m, m) from -1 to 1 as a heat map; names on the left, numbered below."""
    side = 0.23 * len(names)
    figure = new_figure(4.4 + side, 1.5 + side)
    axes = figure.add_subplot()
    image = axes.pcolormesh(r, cmap=DIVERGING, vmin=-1, vmax=1, edgecolors="white", linewidth=0.4)
    axes.set(aspect="equal", xlim=(0, len(r)), ylim=(len(r), 0))
    axes.spines[:].set_visible(False)
    numbers = [f"{number + 1}" for number in range(len(names))]
    words = [f"{shortened(name)}  {number}" for name, number in zip(names, numbers, strict=True)]
    axes.set_yticks(np.arange(len(r)) + 0.5, words)
    axes.set_xticks(np.arange(len(r)) + 0.5, numbers)
    axes.tick_params(length=0, labelsize=8, labelcolor=INK)
    colour_bar(figure, image, axes, "correlation", aspect=32)
    figure.suptitle(title, x=0.012, ha="left", size=13, color=INK)
    return figure


def clips_on_plane(
    points: np.ndarray, groupings: Mapping[str, tuple[np.ndarray, Sequence[str]]], axes_words: tuple[str, str],
    *, title: str = "",
) -> Figure:  # fmt: skip
    """Return the clips on a plane, once for each grouping, coloured by it.

    Args:
        points: (n, 2).
        groupings: heading -> group of each clip (n,), -1 where not known, and the names; "emotion" has its own colours.
        axes_words: what is drawn to the right and upwards.
        title: above.
    """
    figure = new_figure(0.6 + 5.2 * len(groupings), 6.2)
    order = np.random.default_rng(0).permutation(len(points))  # no group is painted over by the next
    size = float(np.clip(16000 / len(points), 5, 45))
    for axes, (word, (groups, names)) in zip(
        figure.subplots(1, len(groupings), sharex=True, sharey=True, squeeze=False)[0], groupings.items(), strict=True
    ):
        tidy(axes, grid=False)
        axes.spines[:].set(visible=True, color=LINE)
        shades = palette(names, emotions=word == "emotion")
        colour = np.array([*shades, "#d9dfe4"])[groups]
        axes.scatter(*points[order].T, s=size, c=colour[order], alpha=0.85, linewidths=0.25, edgecolors="white")
        axes.set(xticks=[], yticks=[])
        axes.set_xlabel(axes_words[0], color=GREY, size=9.5)
        axes.set_ylabel(axes_words[1], color=GREY, size=9.5)
        axes.set_title(f"by {word}", loc="left", size=11.5, color=INK)
        _named(axes, f"{word}s", names, shades)
    figure.suptitle(title, x=0.012, ha="left", size=13, color=INK)
    return figure


def _named(axes: Axes, word: str, names: Sequence[str], shades: Sequence[str]) -> None:
    """Name the groups below the panel, or where there are too many say how they are coloured."""
    if len(names) > MANY:
        text = f"{len(names):,} {word}, coloured in order from {shortened(names[0], 18)} (blue) "
        text += f"to {shortened(names[-1], 18)} (red)"
        axes.annotate(text, (0.5, -0.09), xycoords="axes fraction", ha="center", va="top", size=9, color=GREY)
        return
    handles = [Patch(facecolor=shade, label=shortened(name, 16)) for name, shade in zip(names, shades, strict=True)]
    axes.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.06), frameon=False, fontsize=9, labelcolor=INK,
        handlelength=1.0, columnspacing=1.2, ncols=4 if max(map(len, names)) <= 10 else 3,
    )  # fmt: skip


def shortened(name: str, most: int = 42) -> str:
    """Return a name of at most so many letters, its middle left out.

    >>> shortened("abcdefghij", 5)
    'ab…ij'
    """
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"
