"""Plots of what a corpus holds: classes, speakers, recordings. Each returns a Figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from utils.plots.palette import OTHERS, colours
from utils.plots.style import BLUE, BLUES, GREY, INK, LINE, ORANGE, colour_bar, new_figure, tidy

SEXES = {"female": ORANGE, "male": BLUE, "unknown": "#9aa5ae"}
COLUMNS = 3  # corpora side by side
NAMED = 30  # more speakers have no room for their names
COUNTED = 26  # nor for numbers in their cells
BINS = 40


def class_counts(counts: Mapping[str, Mapping[str, np.ndarray]], labels: Sequence[str], *, title: str = "") -> Figure:
    """Return the clips of each label as bars, stacked by sex, one panel per corpus.

    Args:
        counts: corpus -> sex -> (C,) clips.
        labels: C class names, the first on top.
        title: above.
    """
    columns = min(COLUMNS, len(counts))
    rows = -(-len(counts) // columns)
    figure = new_figure(4.2 + 2.6 * columns, 1.3 + rows * (0.5 + 0.34 * len(labels)))
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes in grid[len(counts) :]:
        axes.set_axis_off()
    for axes, (corpus, by_sex) in zip(grid, counts.items(), strict=False):
        _sideways(axes)
        left = np.zeros(len(labels), int)
        for sex, clips in by_sex.items():
            axes.barh(range(len(labels)), clips, 0.72, left, color=SEXES.get(sex, OTHERS[0]))
            left = left + clips
        for y, clips in enumerate(left):
            axes.annotate(f"{clips:,}", (clips, y), (4, 0), textcoords="offset points", va="center", size=9, color=INK)
        axes.set_xlim(0, 1.16 * max(left.max(), 1))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.set_yticks(range(len(labels)), [label.replace("_", " ") for label in labels])
        axes.set_title(f"{corpus}, {left.sum():,} clips", loc="left", size=11, color=INK)
    present = [sex for sex in (*SEXES, "") if any(sex in by_sex for by_sex in counts.values())]
    _key(figure, {sex: SEXES[sex] for sex in present} if present != ["unknown"] else {})
    figure.suptitle(title, x=0.012, ha="left", size=13, color=INK)
    return figure


def speaker_counts(rows: Sequence[Mapping[str, Any]], labels: Sequence[str], *, title: str = "") -> Figure:
    """Return the clips of each speaker by label as a heat map, one panel per corpus.

    Args:
        rows: ``corpus``, ``speaker`` and ``counts`` (C,).
        labels: C class names.
        title: above.
    """
    names = list(dict.fromkeys(row["corpus"] for row in rows))
    figure = new_figure(10.4, 1.0 + len(names) * (1.3 + 0.27 * len(labels)))
    most = max(1, max(int(row["counts"].max()) for row in rows))
    for axes, corpus in zip(figure.subplots(len(names), 1, squeeze=False)[:, 0], names, strict=True):
        own = [row for row in rows if row["corpus"] == corpus]
        counts = np.stack([row["counts"] for row in own], axis=1)  # (C, speakers)
        image = axes.pcolormesh(
            counts, cmap=BLUES, vmin=0, vmax=most, edgecolors="white", linewidth=0.8 if len(own) <= 2 * NAMED else 0
        )
        axes.invert_yaxis()
        axes.spines[:].set_visible(False)
        axes.set_yticks(np.arange(len(labels)) + 0.5, [label.replace("_", " ") for label in labels])
        words = [row["speaker"].rpartition("/")[2] or "unknown" for row in own]
        _speaker_ticks(axes, words)
        axes.tick_params(length=0, labelsize=9, labelcolor=INK)
        if len(own) <= COUNTED and most < 1000:
            for (y, x), clips in np.ndenumerate(counts):
                colour = "white" if clips > 0.55 * most else INK
                axes.annotate(str(clips), (x + 0.5, y + 0.5), ha="center", va="center", size=8, color=colour)
        voices = len([word for word in own if word["speaker"]])
        axes.set_title(f"{corpus}, {voices:,} speaker{'s' * (voices != 1)} known", loc="left", size=11, color=INK)
        colour_bar(figure, image, axes, "clips", aspect=18, ticks=MaxNLocator(6, integer=True))
    figure.suptitle(title, x=0.012, ha="left", size=13, color=INK)
    return figure


def _speaker_ticks(axes: Axes, words: Sequence[str]) -> None:
    if len(words) <= NAMED:
        long = max(map(len, words)) * len(words) > 90
        slant = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if long else {}
        shown = [word if len(word) <= 14 else f"{word[:13]}…" for word in words]
        axes.set_xticks(np.arange(len(words)) + 0.5, shown, **slant)
        axes.set_xlabel("speaker", color=GREY, size=10)
        return
    step = next(step for step in (10, 20, 50, 100, 200, 500, 1000, 10**9) if len(words) / step <= 20)
    ticks = np.array([1, *range(step, len(words) + 1, step)])
    axes.set_xticks(ticks - 0.5, [str(tick) for tick in ticks])
    axes.set_xlabel("speakers, in the order of speakers.csv", color=GREY, size=10)


def recording_histograms(
    facts: Mapping[str, np.ndarray], corpus: np.ndarray, words: Mapping[str, str], *, title: str
) -> Figure:
    """Return histograms of what the recordings are like, one panel per measure, one line per corpus.

    Args:
        facts: (n,) values each, NaN where not known; one that is not known of any clip is left out.
        corpus: (n,) of each clip.
        words: what a fact is, with its unit.
        title: above.
    """
    known = {name: values for name, values in facts.items() if not np.isnan(values).all()}
    rows = -(-len(known) // 2)
    figure = new_figure(10.4, 1.1 + 2.3 * rows)
    grid = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes in grid[len(known) :]:
        axes.set_axis_off()
    shades = dict(zip(np.unique(corpus).tolist(), (BLUE, ORANGE, "#009e73", "#8458a8", *OTHERS), strict=False))
    for axes, (name, values) in zip(grid, known.items(), strict=False):
        tidy(axes)
        low, high = np.nanmin(values), np.nanmax(values)
        wide = 0 if high > low else 0.1 * max(abs(high), 1.0)
        edges = np.linspace(low - wide, high + wide, BINS + 1 - (not high > low))
        for one in np.unique(corpus):
            heights = np.histogram(values[(corpus == one) & ~np.isnan(values)], edges)[0]
            colour = shades.get(str(one), GREY)
            axes.stairs(heights, edges, fill=True, alpha=0.25, color=colour)
            axes.stairs(heights, edges, color=colour, linewidth=1.3)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_ylabel("clips", color=GREY, size=10)
        axes.set_xlabel(words[name], color=GREY, size=10)
    _key(figure, shades if len(np.unique(corpus)) > 1 else {})
    figure.suptitle(title, x=0.012, ha="left", size=13, color=INK)
    return figure


def boxes_by_emotion(
    columns: Sequence[tuple[str, np.ndarray]],
    truth: np.ndarray,
    labels: Sequence[str],
    *,
    title: str = "",
    across: int = 4,
) -> Figure:
    """Return box plots, a panel a column, a box an emotion: the middle half, whiskers from 5 to 95 % of the clips.

    Args:
        columns: heading and (n,) values, NaN where not known; one that is not known of any clip is left out.
        truth: (n,) index into labels.
        labels: C class names, the first on top.
        title: above.
        across: panels side by side.
    """
    known = [(name, values) for name, values in columns if not np.isnan(values).all()]
    rows, across = -(-len(known) // across), min(across, len(known))
    figure = new_figure(1.2 + 3.0 * across, 0.9 + rows * (0.75 + 0.24 * len(labels)))
    grid = figure.subplots(rows, across, sharey=True, squeeze=False).ravel()
    shades = list(colours(labels).values())
    for axes in grid[len(known) :]:
        axes.set_axis_off()
    for axes, (name, values) in zip(grid, known, strict=False):
        _sideways(axes)
        parts = [values[(truth == label) & ~np.isnan(values)] for label in range(len(labels))]
        drawn = axes.boxplot(
            parts, orientation="horizontal", positions=range(len(labels)), widths=0.62, whis=(5, 95), showfliers=False,
            patch_artist=True, medianprops={"color": INK, "linewidth": 1.6}, capprops={"linewidth": 0},
            whiskerprops={"color": GREY},
        )  # fmt: skip
        for box, shade in zip(drawn["boxes"], shades, strict=True):
            box.set(facecolor=shade, edgecolor=GREY, linewidth=0.7)
        axes.set_yticks(range(len(labels)), [label.replace("_", " ") for label in labels])
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.set_title(name, loc="left", size=9, color=INK)
    figure.suptitle(title, x=0.012, ha="left", size=13, color=INK)
    return figure


def _sideways(axes: Axes) -> None:
    tidy(axes, grid=False)
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", labelcolor=INK)


def _key(figure: Figure, shades: Mapping[str, str]) -> None:
    if shades:
        handles = [Patch(facecolor=shade, label=word) for word, shade in shades.items()]
        figure.legend(
            handles=handles, loc="outside lower center", ncols=min(6, len(handles)), frameon=False, fontsize=9.5,
            labelcolor=INK,
        )  # fmt: skip
