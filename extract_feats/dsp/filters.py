"""Tables that turn spectra into descriptors: window, mel and chroma filters, contrast bands, delta kernel.

Each equals what librosa 0.11 builds with the same parameters, without its import; tests hold them to it.
Tables are computed once per process and set of parameters, and are read-only.
"""

import itertools
import math
from functools import lru_cache

import numpy as np

from utils.errors import ConfigError

N_CHROMA = 12
N_CONTRAST = 7  # the octave bands up to 200, 400, ..., 6400 Hz and what lies above
CONTRAST_FMIN = 200.0  # Hz
CONTRAST_QUANTILE = 0.02
DELTA_WIDTH = 9


def _fixed(table: np.ndarray) -> np.ndarray:
    table.setflags(write=False)
    return table


@lru_cache
def hann(window: int, n_fft: int) -> np.ndarray:
    """Return the periodic Hann window (n_fft,) of ``window`` samples, zeros on both sides."""
    left = (n_fft - window) // 2
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    return _fixed(np.pad(taper, (left, n_fft - window - left)))


def hz_to_mel(hz: np.ndarray) -> np.ndarray:
    """Return Slaney's mel scale: linear below 1 kHz, logarithmic above (Auditory Toolbox, 1998)."""
    hz = np.asarray(hz, dtype=float)
    return np.where(hz < 1000, hz * 3 / 200, 15 + np.log(np.maximum(hz, 1000) / 1000) * 27 / np.log(6.4))


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    """Return the inverse of ``hz_to_mel``."""
    mel = np.asarray(mel, dtype=float)
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((np.maximum(mel, 15) - 15) * np.log(6.4) / 27))


@lru_cache
def mel_edges(n_mels: int, fmin: float, fmax: float) -> np.ndarray:
    """Return the n_mels + 2 corner frequencies in Hz; band i rises from i, peaks at i + 1, ends at i + 2."""
    low, high = hz_to_mel([fmin, fmax])
    return _fixed(mel_to_hz(np.linspace(low, high, n_mels + 2)))


@lru_cache
def mel_filters(rate: int, n_fft: int, n_mels: int, fmin: float = 0.0, fmax: float | None = None) -> np.ndarray:
    """Return triangular filters of unit area (n_fft // 2 + 1, n_mels); fmax None is half the rate.

    Raises:
        ConfigError: fmin and fmax do not lie in this order between 0 and half the rate.
    """
    top = rate / 2 if fmax is None else fmax
    if not 0 <= fmin < top <= rate / 2:
        raise ConfigError(
            f"mel bands need 0 <= fmin < fmax <= {rate / 2:g} Hz (half the rate), got {fmin:g} to {top:g}."
        )
    edges = mel_edges(n_mels, fmin, top)
    ramps = np.fft.rfftfreq(n_fft, 1 / rate)[:, None] - edges
    widths = np.diff(edges)
    triangles = np.minimum(ramps[:, :-2] / widths[:-1], -ramps[:, 2:] / widths[1:])
    areas = 2 / (edges[2:] - edges[:-2])
    return _fixed((np.maximum(0, triangles) * areas).astype(np.float32))


@lru_cache(maxsize=256)
def chroma_filters(rate: int, n_fft: int, tuning: float = 0.0) -> np.ndarray:
    """Return the pitch-class filters (n_fft // 2 + 1, 12), C first, of Ellis (2007), as in librosa.

    Args:
        tuning: deviation from A440 in fractions of a semitone.
    """
    a440 = 440 * 2 ** (tuning / N_CHROMA)
    bins = N_CHROMA * np.log2(np.arange(1, n_fft) * (rate / n_fft) / (a440 / 16))
    bins = np.concatenate([[bins[0] - 1.5 * N_CHROMA], bins])  # the DC bin: one and a half octaves lower
    widths = np.append(np.maximum(np.diff(bins), 1), 1)
    distance = np.remainder(bins[:, None] - np.arange(N_CHROMA) + N_CHROMA / 2, N_CHROMA) - N_CHROMA / 2
    weights = np.exp(-0.5 * (2 * distance / widths[:, None]) ** 2)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    octave = bins[:, None] / N_CHROMA
    weights *= np.exp(-0.5 * ((octave - 5) / 2) ** 2)  # from A440 / 16: centred on 880 Hz
    return _fixed(np.roll(weights[: n_fft // 2 + 1], -3, axis=1).astype(np.float32))  # from A to C


@lru_cache
def contrast_bands(rate: int, n_fft: int) -> tuple[tuple[int, int, int], ...]:
    """Return (first bin, last bin + 1, bins in a peak or valley) of the seven contrast bands.

    Raises:
        ConfigError: the rate or n_fft is too low for one of the bands.
    """
    edges = np.concatenate([[0], CONTRAST_FMIN * 2 ** np.arange(N_CONTRAST)])
    if edges[-2] >= rate / 2:
        raise ConfigError(f"contrast needs a rate above {2 * edges[-2]:g} Hz, got {rate}: raise rate or leave it out.")
    frequency = np.fft.rfftfreq(n_fft, 1 / rate)
    bands = []
    for k, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = np.flatnonzero((frequency >= low) & (frequency <= high))
        last = k == N_CONTRAST - 1
        if len(inside) < 2:
            raise ConfigError(
                f"contrast needs a larger n_fft than {n_fft} at {rate} Hz: {low:g} to {high:g} Hz is empty."
            )
        first = inside[0] - (k > 0)
        end = len(frequency) if last else inside[-1] + 1
        count = max(1, int(np.rint(CONTRAST_QUANTILE * (end - first))))
        bands.append((int(first), int(end if last else end - 1), count))
    return tuple(bands)


@lru_cache
def delta_kernel(order: int) -> np.ndarray:
    """Return the 9 weights of the order-th derivative of the order-th degree polynomial fitted to 9 frames.

    Savitzky & Golay, Anal. Chem. 36 (1964), doi 10.1021/ac60214a047.
    """
    position = np.arange(DELTA_WIDTH) - DELTA_WIDTH // 2
    fit = np.linalg.pinv(np.vander(position, order + 1, increasing=True))  # (order + 1, 9)
    return _fixed((math.factorial(order) * fit[order]).astype(np.float32))
