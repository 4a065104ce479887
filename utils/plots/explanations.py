"""Plots of what a model answers by: attention over time, maps by class, importance, deletion and insertion."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from utils.plots.style import BLUE, DIVERGING, GREY, INK, LINE, ORANGE, colour_bar, new_figure, tidy, wrap

COLUMNS = 3


def attention_over_time(attention: Mapping[str, Any], *, title: str = "") -> Figure:
    """Return mean attention over relative time: right against wrong answers, then each class against all.

    Args:
        attention: ``attention`` of explanations.json.
        title: above.
    """
    classes = {label: curve for label, curve in attention["classes"].items() if curve}
    figure, grid = _grid(1 + len(classes), height=1.9)
    top = max(
        max(curve) for curve in [attention["all"], attention["right"], attention["wrong"], *classes.values()] if curve
    )
    for axes, (label, curve) in zip(grid, [("all clips", None), *classes.items()], strict=False):
        tidy(axes)
        axes.axhline(1, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
        if curve is None:
            for word, colour, style in (("right", BLUE, "-"), ("wrong", ORANGE, "--")):
                if attention[word]:
                    axes.plot(
                        _middles(attention[word]), attention[word], style, color=colour, linewidth=1.8, label=word
                    )
            axes.legend(frameon=False, labelcolor=INK, fontsize=9)
        else:
            axes.plot(_middles(curve), attention["all"], color=GREY, linewidth=1.2)
            axes.plot(_middles(curve), curve, color=BLUE, linewidth=1.8)
        axes.set(xlim=(0, 100), ylim=(0, 1.06 * top))
        axes.set_title(label, loc="left", size=10.5, color=INK)
    figure.supxlabel("% of the clip. Dashes: equal weight; grey: all clips", color=GREY, size=9.5)
    figure.supylabel("attention, mean 1", color=GREY, size=9.5)
    figure.suptitle(title, x=0.012, ha="left", size=13, color=INK)
    return figure


def mean_maps(maps: Mapping[str, Any], *, title: str = "") -> Figure:
    """Return mean maps over all clips and by class: families by time, or by class where there is none.

    Args:
        maps: one of ``maps`` of explanations.json.
        title: above.
    """
    panels = {"all clips": maps["mean"], **maps["classes"]}
    most = max(np.abs(values).max() for values in panels.values()) or 1.0
    shade = {"cmap": DIVERGING, "vmin": -most, "vmax": most, "aspect": "auto"}
    figure, shown, image = (_table if maps["times"] == 1 else _panels)(panels, maps["families"], shade)
    colour_bar(figure, image, shown, "change of the answer's probability", aspect=40)
    figure.suptitle(title, x=0.012, ha="left", size=13, color=INK)
    return figure


def _panels(panels: Mapping[str, Sequence], names: Sequence[str], shade: Mapping[str, Any]) -> tuple:
    """Time by family, one picture per class."""
    figure, grid = _grid(len(panels), height=0.75 + 0.17 * len(names))
    for number, (axes, (label, values)) in enumerate(zip(grid, panels.items(), strict=False)):
        image = axes.imshow(np.transpose(values), extent=(0, 100, len(names) - 0.5, -0.5), **shade)
        axes.set_yticks(range(len(names)), names if number % COLUMNS == 0 else [])
        axes.set_xticks([0, 50, 100])
        axes.tick_params(color=LINE, labelcolor=INK, labelsize=8, left=False)
        axes.spines[:].set_visible(False)
        axes.set_title(label, loc="left", size=10.5, color=INK)
    figure.supxlabel("% of the clip. Blue: speaks for the answer; orange: against it", color=GREY, size=9.5)
    return figure, list(grid), image


def _table(panels: Mapping[str, Sequence], names: Sequence[str], shade: Mapping[str, Any]) -> tuple:
    """Family by class, with the figures: of vectors, which have no time."""
    figure = new_figure(2.6 + 0.72 * len(panels), 1.6 + 0.36 * len(names))
    axes = figure.add_subplot()
    values = np.stack([np.array(one)[0] for one in panels.values()], axis=1)  # (families, classes)
    image = axes.imshow(values, **shade)
    for (y, x), value in np.ndenumerate(values):
        colour = "white" if abs(value) > 0.6 * shade["vmax"] else INK
        axes.annotate(f"{round(value, 2) + 0:+.2f}", (x, y), ha="center", va="center", size=8.5, color=colour)
    axes.set_xticks(range(len(panels)), [wrap(label) for label in panels])
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(color=LINE, labelcolor=INK, labelsize=9, left=False, bottom=False)
    axes.spines[:].set_visible(False)
    figure.supxlabel("Blue: speaks for the answer; orange: against it", color=GREY, size=9.5)
    return figure, axes, image


def family_importance(importance: Sequence[Mapping[str, Any]], *, title: str = "") -> Figure:
    """Return the UAR lost without each family, with its interval, the highest first.

    Args:
        importance: ``importance`` of explanations.json.
        title: above.
    """
    figure = new_figure(7.4, 1.6 + 0.34 * len(importance))
    axes = figure.add_subplot()
    tidy(axes, grid=False)
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.axvline(0, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    for y, line in enumerate(importance):
        colour = BLUE if line["p_holm"] < 0.05 else GREY
        axes.plot(line["loss_ci95"], [y, y], color=colour, linewidth=2.5, alpha=0.5, solid_capstyle="butt")
        axes.plot(line["loss"], y, "o", color=colour, markersize=6)
    axes.set_yticks(range(len(importance)), [f"{line['family']}  {line['n_features']}" for line in importance])
    axes.tick_params(axis="y", labelsize=9.5, labelcolor=INK)
    axes.set_ylim(len(importance) - 0.5, -0.5)
    note = "UAR lost when the family changes clips; behind its name its features.\n"
    note += "Bar: 95 % over speakers; grey: may be chance (p ≥ .05 after Holm)"
    figure.supxlabel(note, x=0.012, ha="left", color=GREY, size=9)
    axes.set_title(title, loc="left", size=13, color=INK)
    return figure


def deletion_and_insertion(maps: Mapping[str, Mapping[str, Any]], *, title: str = "") -> Figure:
    """Return the answer's probability as blocks go and come, in the order of each map and at random.

    Args:
        maps: ``maps`` of explanations.json.
        title: above.
    """
    figure = new_figure(8.6, 0.9 + 2.4 * len(maps))
    grid = figure.subplots(len(maps), 2, squeeze=False, sharex=True, sharey=True)
    for row, (name, one) in zip(grid, maps.items(), strict=True):
        for axes, kind in zip(row, ("deletion", "insertion"), strict=True):
            tidy(axes)
            part = one["faithfulness"][kind]
            share = np.linspace(0, 100, len(part["curve"]))
            axes.plot(share, part["random_curve"], color=GREY, linewidth=1.4, linestyle=(0, (4, 3)), label="random")
            axes.plot(share, part["curve"], color=BLUE, linewidth=1.8, label="strongest first")
            beats = part["gain_ci95"] and part["gain_ci95"][0] > 0
            said = "better than chance" if beats else "not better than chance"
            axes.set_title(f"{name}, {kind}: {said}", loc="left", size=10, color=INK if beats else ORANGE)
            axes.set(xlim=(0, 100))
    grid[0, 0].set_ylim(0, 1.06 * max(line.get_ydata().max() for axes in grid.ravel() for line in axes.lines))
    grid[0, 0].legend(frameon=False, labelcolor=INK, fontsize=9)
    grid[-1, 0].set_xlabel("% of the blocks taken away", color=GREY, size=9.5)
    grid[-1, 1].set_xlabel("% of the blocks put back", color=GREY, size=9.5)
    figure.supylabel("probability of the answer", color=GREY, size=9.5)
    figure.suptitle(title, x=0.012, ha="left", size=13, color=INK)
    return figure


def clip_explanation(
    decibels: np.ndarray,
    seconds: float,
    khz: float,
    maps: Mapping[str, Mapping[str, Any]],
    *,
    attention: tuple[np.ndarray, np.ndarray] | None = None,
    title: str = "",
    width: float = 8.6,
) -> Figure:
    """Return a clip's spectrogram, its attention over it, and below its maps on the same time axis.

    Args:
        decibels: (bins, columns) level.
        seconds, khz: extent of the spectrogram.
        maps: name -> {families, times, mean, deletion_beats, insertion_beats} of this clip.
        attention: seconds and weights (frames,) of mean 1.
        title: above.
        width: inches.
    """
    shown = {name: one for name, one in maps.items() if len(one["families"]) > 1}
    heights = [2.6, *(0.5 + 0.19 * len(one["families"]) for one in shown.values())]
    figure = new_figure(width, 1.1 + sum(heights))
    first, *rest = figure.subplots(1 + len(shown), 1, height_ratios=heights, squeeze=False)[:, 0]
    first.imshow(
        decibels, origin="lower", aspect="auto", cmap="Greys" if attention else "magma", extent=(0, seconds, 0, khz),
        vmin=decibels.max() - 80, vmax=decibels.max(),
    )  # fmt: skip
    _bare(first)
    first.set_ylabel("kHz", color=GREY, size=9.5)
    if attention:
        over = first.twinx()
        over.fill_between(*attention, color=ORANGE, alpha=0.3, linewidth=0)
        over.plot(*attention, color=ORANGE, linewidth=1.8)
        over.set(ylim=(0, 1.15 * attention[1].max()))
        over.set_ylabel("attention, mean 1", color=ORANGE, size=9.5)
        _bare(over)
    first.set(xlim=(0, seconds))
    first.set_title(title, loc="left", size=12, color=INK)
    for axes, (name, one) in zip(rest, shown.items(), strict=True):
        _clip_map(axes, name, one, seconds)
    [first, *rest][-1].set_xlabel("seconds" if all(o["times"] > 1 for o in shown.values()) else "", color=GREY, size=10)
    return figure


def _clip_map(axes: Axes, name: str, one: Mapping[str, Any], seconds: float) -> None:
    values, names = np.array(one["mean"]), one["families"]
    most = np.abs(values).max() or 1.0
    _bare(axes)
    beats = f"beats {one['deletion_beats']} and {one['insertion_beats']} random orders"
    axes.set_title(f"{name}: blue for the answer, orange against it; {beats}", loc="left", size=10, color=INK)
    if one["times"] == 1:
        axes.barh(range(len(names)), values[0], color=[BLUE if v >= 0 else ORANGE for v in values[0]])
        axes.set_xlabel("change of the answer's probability", color=GREY, size=9)
        axes.set_ylim(len(names) - 0.5, -0.5)
    else:
        extent = (0, seconds, len(names) - 0.5, -0.5)
        axes.imshow(values.T, cmap=DIVERGING, vmin=-most, vmax=most, aspect="auto", extent=extent)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", labelsize=8, labelcolor=INK)


def _bare(axes: Axes) -> None:
    axes.spines[:].set_visible(False)
    axes.tick_params(color=LINE, labelcolor=GREY, labelsize=8.5)


def _grid(panels: int, *, height: float) -> tuple[Figure, np.ndarray]:
    rows = -(-panels // COLUMNS)
    figure = new_figure(9.2, 1.0 + rows * height)
    grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in grid[panels:]:
        axes.set_visible(False)
    return figure, grid


def _middles(curve: Sequence[float]) -> np.ndarray:
    return 100 * (np.arange(len(curve)) + 0.5) / len(curve)
