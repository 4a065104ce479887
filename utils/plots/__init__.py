"""Plots: each function returns a matplotlib Figure and touches no global state; ``save`` writes it.

pyplot is never imported: it keeps every figure in a global list.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from utils.errors import ConfigError, DataError
from utils.plots.style import (
    BLUE,
    BLUES,
    GREY,
    INK,
    LINE,
    ORANGE,
    SIDE,
    darken,
    label_ends,
    new_figure,
    shrink,
    text_size,
    tidy,
    wrap,
)

SUFFIXES = (".png", ".svg", ".pdf")
History = Mapping[str, Sequence[float]]


def radar(
    probabilities: np.ndarray, labels: Sequence[str], *, title: str | None = None, limit: float | None = None
) -> Figure:
    """Return a radar chart of one clip's emotions, each labelled with its probability.

    Args:
        probabilities: (C,), 0 to 1.
        labels: C class names; the first is at the top, the others follow clockwise.
        title: instead of the most probable emotion.
        limit: probability of the outer ring; without it 25, 50, 75 or 100 %, the first that holds them all.

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
    texts[best].set(weight="bold", color=INK)
    centre, radius = _place(figure, texts, spokes)
    _rings(axes, centre, radius, limit, spokes)
    corners = centre + radius * np.minimum(values / limit, 1)[:, None] * spokes
    axes.fill(*corners.T, facecolor=BLUE, alpha=0.22, zorder=2)
    axes.fill(*corners.T, fill=False, edgecolor=BLUE, linewidth=2, joinstyle="round", zorder=3)
    axes.scatter(*corners.T, s=24, color=BLUE, zorder=4)
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


def curves(
    history: History | Sequence[History],
    *,
    best_epoch: int | Sequence[int] | None = None,
    title: str | None = None,
) -> Figure:
    """Return the learning curves: a panel for the loss and for each score, a line a fold.

    Args:
        history: name -> one value an epoch, "val_" before the validation's; or several, one a fold.
            Learning rates are not drawn.
        best_epoch: the epoch kept, counted from 1; one a fold where there are several.
        title: above the panels.

    Raises:
        DataError: nothing to draw, or not one best epoch a fold.
    """
    runs = [history] if isinstance(history, Mapping) else list(history)
    bests = list(best_epoch) if isinstance(best_epoch, Sequence) else [best_epoch] * len(runs)
    names = dict.fromkeys(key.removeprefix("val_") for run in runs for key, values in run.items() if len(values))
    names = [name for name in names if name not in ("lr", "learning_rate")]
    if not names or len(bests) != len(runs):
        raise DataError(
            f"curves: {len(runs)} histories with {len(names)} things to draw and {len(bests)} best epochs. "
            "A history is {'loss': [...], 'val_loss': [...]}, with one best epoch each."
        )
    figure = new_figure(max(SIDE, 3.9 * len(names)), 3.8)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        _panel(axes, name, runs, bests)
    if title:
        figure.suptitle(title, x=0.012, ha="left", size=14, color=INK)
    return figure


def _panel(axes: Axes, name: str, runs: Sequence[History], bests: Sequence[int | None]) -> None:
    tidy(axes)
    ends, longest = {}, 1
    for key, word, colour in ((name, "training", BLUE), (f"val_{name}", "validation", ORANGE)):
        lines = [np.asarray(run.get(key, ()), dtype=np.float64) for run in runs]
        for values, best in zip(lines, bests, strict=True):
            longest = max(longest, len(values))
            style = {"color": colour, "lw": 1.6, "alpha": 0.55 if len(runs) > 1 else 1.0}
            axes.plot(np.arange(1, len(values) + 1), values, marker="." if len(values) == 1 else "", **style)
            if best and best <= len(values) and word == "validation":
                axes.plot(best, values[best - 1], "o", color=colour, ms=6.5, mec="white", zorder=3)
        if last := [values[-1] for values in lines if len(values)]:
            ends[word] = (colour, float(np.mean(last)))
    axes.set_title(name.replace("_", " "), loc="left", size=12, color=INK)
    axes.set_xlabel("epoch (dot: the one kept)" if any(bests) else "epoch", color=GREY, size=10)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axes.set_xlim(1 - 0.02 * longest, longest + 0.02 * longest)
    label_ends(axes, ends)


def waveform(wave: np.ndarray, rate: int, *, title: str | None = None, width: float = 8.0) -> Figure:
    """Return the wave over time: per pixel the range that the samples cover.

    Args:
        wave: (n,), full scale 1.
        rate: Hz.
        title: above it.
        width: inches.
    """
    wave = _mono(wave)
    figure = new_figure(width, 2.6)
    axes = figure.add_subplot()
    tidy(axes, grid=False)
    starts = np.unique(np.linspace(0, len(wave), min(len(wave), 1600), endpoint=False).astype(int))
    seconds = starts / rate
    low, high = np.minimum.reduceat(wave, starts), np.maximum.reduceat(wave, starts)
    axes.fill_between(seconds, low, high, color=BLUE, linewidth=0.6)
    peak = max(float(np.abs(wave).max()), 1e-6)
    axes.set(xlim=(0, len(wave) / rate), ylim=(-1.05 * peak, 1.05 * peak))
    axes.set_xlabel("seconds", color=GREY, size=10)
    axes.set_ylabel("amplitude", color=GREY, size=10)
    axes.set_title(title or "", loc="left", size=12, color=INK)
    return figure


def levels(
    wave: np.ndarray, rate: int, *, window_ms: float = 25.0, hop_ms: float = 10.0, max_hz: float = 8000.0
) -> tuple[np.ndarray, float]:
    """Return the level (bins, columns) in dB of a full-scale sine over frequency and time, and the top bin's kHz."""
    wave = _mono(wave)
    size = round(window_ms * rate / 1000)
    hop = max(1, round(hop_ms * rate / 1000), len(wave) // 2000)  # more columns than dots show nothing more
    fft = 1 << (2 * size - 1).bit_length()  # twice the window at least, for smooth harmonics
    window = np.hanning(size + 1)[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, size // 2), size)[::hop]
    level = np.abs(np.fft.rfft(frames * window, fft)) * 2 / window.sum()  # (frames, bins)
    kept = level[:, : int(min(max_hz, rate / 2) / rate * fft) + 1].T
    decibels = 20 * np.log10(np.maximum(kept, 1e-7))
    return decibels, (len(decibels) - 1) * rate / fft / 1000


def spectrogram(
    wave: np.ndarray,
    rate: int,
    *,
    window_ms: float = 25.0,
    hop_ms: float = 10.0,
    range_db: float = 80.0,
    max_hz: float = 8000.0,
    title: str | None = None,
    width: float = 8.0,
) -> Figure:
    """Return the level over time and frequency; a sine of full scale has 0 dB.

    Args:
        wave: (n,), full scale 1.
        rate: Hz.
        window_ms: length of the Hann window.
        hop_ms: from frame to frame.
        range_db: shown below the loudest point.
        max_hz: top of the picture, at most half the rate.
        title: above it.
        width: inches.
    """
    decibels, top = levels(wave, rate, window_ms=window_ms, hop_ms=hop_ms, max_hz=max_hz)
    figure = new_figure(width, 3.6)
    axes = figure.add_subplot()
    image = axes.imshow(
        decibels,
        origin="lower",
        aspect="auto",
        cmap="magma",
        extent=(0, len(wave) / rate, 0, top),
        vmax=decibels.max(),
        vmin=decibels.max() - range_db,
    )
    axes.tick_params(color=LINE, labelcolor=GREY, labelsize=9)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("seconds", color=GREY, size=10)
    axes.set_ylabel("kHz", color=GREY, size=10)
    axes.set_title(title or "", loc="left", size=12, color=INK)
    bar = figure.colorbar(image, ax=axes, pad=0.015, aspect=28)
    bar.set_label("dB of full scale", color=GREY, size=9)
    bar.ax.tick_params(color=LINE, labelcolor=GREY, labelsize=8)
    bar.outline.set_visible(False)
    return figure


def png(figure: Figure, *, dark: bool = False) -> bytes:
    """Return the figure as a PNG, in the colours for a dark page if asked for."""
    if dark:
        darken(figure)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def save(figure: Figure, path: Path | str) -> None:
    """Write the figure as PNG, SVG or PDF, by the path's suffix; missing folders are made.

    Raises:
        ConfigError: another suffix.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: a plot's name must end in .png, .svg or .pdf.")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _mono(wave: np.ndarray) -> np.ndarray:
    wave = np.asarray(wave, dtype=np.float32)
    if wave.ndim != 1 or not len(wave):
        raise DataError(f"a plot needs a mono wave (n,), got shape {wave.shape}.")
    return wave
