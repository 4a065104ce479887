"""Pitch from a spectrogram: its peaks, their tuning, and the fundamental frequency."""

import numpy as np
import scipy.fft

OCTAVE_COST, VOICED, SILENCE = 0.01, 0.45, 0.03  # the defaults of Praat's "To Pitch (ac)"


def peaks(
    spectrum: np.ndarray, rate: int, *, fmin: float = 150.0, fmax: float = 4000.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return frequency in Hz (n,) and magnitude (n,) of all spectral peaks, as librosa.piptrack finds them.

    A peak is a bin above both neighbours and a tenth of its frame's maximum, refined by a parabola
    (J. O. Smith, Spectral Audio Signal Processing, "sinusoidal peak interpolation").

    Args:
        spectrum: (frames, n_fft // 2 + 1) float32, magnitude or power.
    """
    n_fft = 2 * (spectrum.shape[1] - 1)
    frequency = np.fft.rfftfreq(n_fft, 1 / rate)
    low = max(1, int(np.searchsorted(frequency, fmin)))
    high = int(np.searchsorted(frequency, min(fmax, rate / 2)))
    loud = spectrum[:, low - 1 : high + 1]
    loud = np.where(loud > np.float32(0.1) * spectrum.max(axis=1, keepdims=True), loud, 0)
    middle = loud[:, 1:-1]
    frame, column = np.nonzero((middle > loud[:, :-2]) & (middle >= loud[:, 2:]))
    column += low
    left, centre, right = (spectrum[frame, column + step] for step in (-1, 0, 1))
    curve = (left + right) - 2 * centre.astype(np.float64)  # in double, as the stencil in librosa
    slope = (right - left).astype(np.float64) / 2
    within = np.abs(slope) < np.abs(curve)
    shift = np.divide(-slope, curve, out=np.zeros_like(curve), where=within).astype(np.float32)
    hertz = ((column + shift) * float(rate) / n_fft).astype(np.float32)
    return hertz, centre + np.float32(0.5) * (slope.astype(np.float32) * shift)


def tuning(power: np.ndarray, rate: int) -> float:
    """Return the deviation from A440 in semitones, -0.5 to 0.49 in steps of 0.01, as librosa.estimate_tuning.

    Args:
        power: (frames, n_fft // 2 + 1) float32 power spectrogram. Without any peak the tuning is 0.
    """
    hertz, magnitude = peaks(power, rate)
    if not len(hertz):
        return 0.0
    hertz = hertz[magnitude >= np.median(magnitude)]
    residual = np.mod(12 * np.log2(hertz / np.float32(440 / 16)), 1.0)
    residual[residual >= 0.5] -= 1.0
    counts, edges = np.histogram(residual, np.linspace(-0.5, 0.5, 101))
    return float(edges[np.argmax(counts)])


def fundamental(
    power: np.ndarray, rate: int, window: np.ndarray, *, fmin: float = 70.0, fmax: float = 500.0
) -> np.ndarray:
    """Return the fundamental frequency (frames,) in Hz, 0 where unvoiced.

    The highest peak of each frame's autocorrelation divided by that of the window, with Praat's octave cost,
    voicing and silence thresholds, without its path search: Boersma, IFA Proceedings 17 (1993), 97-110.

    Args:
        power: (frames, n_fft // 2 + 1) power spectrogram.
        window: (n_fft,) the window it was made with.
    """
    n_fft = len(window)
    first, last = int(rate / fmax), min(int(rate / fmin) + 2, n_fft // 2)
    voiced = power.copy()
    voiced[:, : int(np.ceil(0.5 * fmin * n_fft / rate)) + 1] = 0  # hum and offset correlate at every lag
    taper = scipy.fft.irfft(np.abs(scipy.fft.rfft(window)) ** 2)
    correlation = scipy.fft.irfft(voiced, axis=1)[:, : last + 1]
    energy = correlation[:, :1].copy()
    correlation = correlation / np.maximum(energy, np.finfo(np.float32).tiny) / (taper[: last + 1] / taper[0])
    lag = np.arange(first, last)
    inner = correlation[:, first:last]
    is_peak = (inner > correlation[:, first - 1 : last - 1]) & (inner >= correlation[:, first + 1 : last + 1])
    strength = np.where(is_peak, inner - OCTAVE_COST * np.log2(fmin * lag / rate), -1)
    best = strength.argmax(axis=1)
    rows = np.arange(len(power))
    left, centre, right = (correlation[rows, best + first + step] for step in (-1, 0, 1))
    curve = left - 2 * centre + right
    shift = np.divide((left - right) / 2, curve, out=np.zeros_like(curve), where=curve < 0)
    voiced = is_peak[rows, best] & (centre > VOICED) & (energy[:, 0] > SILENCE**2 * energy.max())
    return np.where(voiced, rate / (best + first + shift), 0).astype(np.float32)
