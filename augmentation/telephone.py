"""On audio: a telephone line, band-limited and coded in 8 bits at 8 kHz by the mu-law of ITU-T G.711."""

import numpy as np
import soxr

from utils.errors import ConfigError

ON = "audio"
VERSION = "1"
LINE_RATE, MU = 8000, 255


def augment(
    wave: np.ndarray, rate: int, rng: np.random.Generator, *, low_hz: float = 300.0, high_hz: float = 3400.0
) -> np.ndarray:
    """Return the wave (n,) float32 as it comes out of the line; nothing is drawn, so one copy is all there is.

    Args:
        low_hz, high_hz: the band, 0 < low_hz < high_hz < 4000; 40 dB less is left well outside it.

    Raises:
        ConfigError: no such band.
    """
    from scipy import signal  # .6 s: not for every worker

    if not 0 < low_hz < high_hz < LINE_RATE / 2:
        raise ConfigError(f"augment: telephone needs 0 < low_hz < high_hz < 4000, got {low_hz:g} and {high_hz:g}.")
    line = soxr.resample(wave, rate, LINE_RATE, quality="HQ")
    line = signal.sosfilt(signal.ellip(6, 0.5, 50, (low_hz, high_hz), "bandpass", fs=LINE_RATE, output="sos"), line)
    received = soxr.resample(coded(line).astype(np.float32), LINE_RATE, rate, quality="HQ")
    return np.pad(received, (0, max(0, len(wave) - len(received))))[: len(wave)]


def coded(line: np.ndarray) -> np.ndarray:
    """Return samples of -1 to 1, what lies beyond clipped, after coding and decoding in 8 bits."""
    pressed = np.sign(line) * np.log1p(MU * np.minimum(np.abs(line), 1)) / np.log1p(MU)
    pressed = np.round(pressed * 127) / 127
    return np.sign(pressed) * np.expm1(np.abs(pressed) * np.log1p(MU)) / MU
