"""Emotions over a recording as a picture: one panel per channel, readable for ten seconds and for two hours."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter

from utils.plots.palette import colours
from utils.plots.style import GREY, INK, LINE, new_figure, tidy

NO_ANSWER = "no answer"
HATCHED = {"facecolor": LINE, "edgecolor": "white", "hatch": "////", "linewidth": 0}  # neutral has a grey of its own
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)  # seconds between two ticks
WIDTH, HEAD, PANEL, FOOT = 12.8, 0.5, 2.75, 0.5  # inches
EACH_SHOWN, COLUMNS = 900, 240  # up to so many hops are drawn one by one; more are averaged into so many columns
CHANGES = 40  # more are not marked one by one: the band's colours tell
WORD = 0.7  # inches that a word needs


def timeline(document: Mapping[str, Any], *, width: float = WIDTH) -> Figure:
    """Return probabilities over time, one panel per channel; above each its emotion, changes and speech.

    Args:
        document: what ``prediction.timeline.make_timeline`` returns.
        width: inches.
    """
    channels, end = document["channels"], max(document["seconds"], document["hop"])
    shades = colours(document["labels"])
    beside = round(9 * width / WIDTH)  # words of the legend in a row
    foot = FOOT + 0.2 * ((len(shades) - 1) // beside)
    height = HEAD + PANEL * len(channels) + foot
    figure = new_figure(width, height, layout=None)

    def panel(number: int, bottom: float, tall: float) -> Axes:
        low = foot + PANEL * (len(channels) - 1 - number) + bottom
        return figure.add_axes((0.7 / width, low / height, 1 - 1 / width, tall / height), xlim=(0, end))

    for number, channel in enumerate(channels):
        areas = panel(number, 0.4, 1.5)
        _areas(areas, channel, shades, end, document["hop"])
        areas.xaxis.set_major_formatter(FuncFormatter(lambda second, _: clock(second)))
        areas.xaxis.set_major_locator(FixedLocator(ticks(end)))
        _bands(panel(number, 1.98, 0.42), channel, shades, end)
    handles = [Patch(facecolor=shade, label=label.replace("_", " ")) for label, shade in shades.items()]
    if any(hop["emotion"] is None for channel in channels for hop in channel["hops"]):
        handles.append(Patch(**HATCHED, label=NO_ANSWER))
    figure.legend(handles=handles, loc="lower center", ncols=beside, frameon=False, fontsize=9, labelcolor=INK)
    title = f"{Path(document['file']).name}, {document['model']}"
    figure.text(0.25 / width, 1 - 0.15 / height, title, va="top", size=13, color=INK)
    return figure


def ticks(end: float) -> np.ndarray:
    """Return about ten round times from 0 to the end, seconds.

    >>> ticks(7200)[:3].tolist()
    [0, 900, 1800]
    """
    step = next((step for step in STEPS if end / step <= 10), STEPS[-1])
    return np.arange(0, end + 1e-6, step).astype(int)


def clock(second: float) -> str:
    """Return seconds as m:ss or h:mm:ss.

    >>> clock(75), clock(7260)
    ('1:15', '2:01:00')
    """
    minutes, seconds = divmod(round(second), 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours}:{rest:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _bands(axes: Axes, channel: Mapping[str, Any], shades: Mapping[str, str], end: float) -> None:
    """Settled emotions as a band, named where the word fits; change points; under it a thin line where one speaks."""
    axes.set(ylim=(0, 1), yticks=[])
    axes.spines[:].set_visible(False)
    axes.tick_params(bottom=False, labelbottom=False)
    for start, stop, emotion in held(channel):
        axes.broken_barh([(start, stop - start)], (0.28, 0.5), **_fill(shades, emotion), alpha=0.35)
        if stop - start >= WORD / axes.figure.get_figwidth() * end:
            halo = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1}
            style = {"ha": "center", "va": "center", "size": 8, "color": INK, "bbox": halo}
            axes.text((start + stop) / 2, 0.53, (emotion or NO_ANSWER).replace("_", " "), **style)
    for spell in channel["spells"]:
        width = spell["end"] - spell["start"]
        axes.broken_barh([(spell["start"], width)], (0.28, 0.5), **_fill(shades, spell["emotion"]))
    speech = [(start, stop - start) for start, stop in channel["speech"]]
    axes.broken_barh(speech, (0.06, 0.12), color=INK, linewidth=0)
    marks = marked(channel)
    axes.vlines(marks, 0.2, 0.95, color=INK, linewidth=1.1)
    axes.plot(marks, [0.95] * len(marks), "v", color=INK, markersize=4, clip_on=False)
    spoken = sum(length for _, length in speech)
    count = len(channel["changes"])
    changes = f"{count} change{'s' * (count != 1)}"
    axes.set_title(f"{channel['name']}: {clock(spoken)} of speech, {changes}", loc="left", size=10, color=INK, pad=3)


def marked(channel: Mapping[str, Any]) -> Sequence[float]:
    """Return the changes that get a mark of their own: all, or none where there is no room."""
    return channel["changes"] if len(channel["changes"]) <= CHANGES else []


def held(channel: Mapping[str, Any]) -> list[tuple[float, float, str]]:
    """Return start, end and emotion from change to change, pauses included; None where no emotion is named."""
    spells = channel["spells"]
    cuts = spells[:1] + [after for before, after in pairwise(spells) if before["emotion"] != after["emotion"]]
    ends = [spell["start"] for spell in cuts[1:]] + [spells[-1]["end"]] if spells else []
    return [(spell["start"], stop, spell["emotion"]) for spell, stop in zip(cuts, ends, strict=True)]


def _areas(axes: Axes, channel: Mapping[str, Any], shades: Mapping[str, str], end: float, hop: float) -> None:
    """The probabilities stacked, the first label lowest; grey without an emotion, nothing where no one speaks."""
    tidy(axes, grid=False)
    axes.tick_params(bottom=True)
    axes.set(ylim=(0, 1), yticks=[0, 0.5, 1])
    axes.set_ylabel("probability", color=GREY, size=9)
    labels = [*shades, None]
    edges, shares = columns(channel["hops"], labels, end, hop)
    tops = np.cumsum(shares, axis=1)
    below = np.zeros(len(shares))
    for number, label in enumerate(labels):
        top = tops[:, number]
        axes.stairs(top, edges, baseline=below, fill=True, **_fill(shades, label))
        below = np.nan_to_num(top)
    axes.vlines(marked(channel), 0, 1, color=INK, linewidth=0.8, alpha=0.7)
    axes.axhline(0, color=LINE, linewidth=0.8)


def _fill(shades: Mapping[str, str], emotion: str | None) -> dict[str, Any]:
    return {"color": shades[emotion], "linewidth": 0} if emotion else HATCHED


def columns(
    hops: Sequence[Mapping[str, Any]], labels: Sequence[str], end: float, hop: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return edges (k + 1,) in seconds and mean probabilities (k, C) of the columns; NaN: no speech.

    The label None stands for hops of which no emotion is named.
    """
    each = hop if end / hop <= EACH_SHOWN else hop * int(np.ceil(end / hop / COLUMNS - 1e-9))
    edges = np.append(np.arange(0, end - 1e-6, each), end)
    sums, counts = np.zeros((len(edges) - 1, len(labels))), np.zeros((len(edges) - 1, 1))
    for said in hops:
        place = min(int((said["start"] + said["end"]) / 2 / each), len(counts) - 1)
        sums[place] += [said["probabilities"].get(label, 0.0) if said["emotion"] else label is None for label in labels]
        counts[place] += 1
    return edges, np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
