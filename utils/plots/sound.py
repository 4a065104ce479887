"""Waveform and spectrogram of one clip."""

import numpy as np
from matplotlib.figure import Figure

from utils.errors import DataError
from utils.plots.style import BLUE, GREY, INK, LINE, colour_bar, new_figure, tidy


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
    colour_bar(figure, image, axes, "dB of full scale", aspect=28)
    return figure


def _mono(wave: np.ndarray) -> np.ndarray:
    wave = np.asarray(wave, dtype=np.float32)
    if wave.ndim != 1 or not len(wave):
        raise DataError(f"a plot needs a mono wave (n,), got shape {wave.shape}.")
    return wave
