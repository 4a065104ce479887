"""The fundamental frequency of every frame, as the best path through all frames.

Autocorrelation of the compressed, whitened spectrum (Tolonen & Karjalainen 2000, doi 10.1109/89.876309): harmonics of
any strength count alike, and formants and the channel hardly do. The path is Viterbi's, with a cost for each step in
pitch, as in Praat (Boersma, IFA Proceedings 17 (1993), 97-110).
"""

import numpy as np
import scipy.fft
from scipy.ndimage import uniform_filter1d

LOWEST, STEPS, PER_OCTAVE = 60.0, 120, 36  # 60 to 600 Hz in thirds of semitones
WINDOW_MS = 45.0  # three periods of the lowest male voices
BAND = (70.0, 3600.0)  # Hz of the harmonics that count
COMPRESSION = 0.35  # exponent of the power
ENVELOPE_HZ = 480.0  # width over which the spectrum's envelope is averaged before it is divided out
STEP_COST = 0.01  # of a third of a semitone per frame
OCTAVE_BONUS = 0.012  # per octave upwards: half the true pitch correlates as well as the pitch itself
CANDIDATES = LOWEST * 2 ** (np.arange(STEPS) / PER_OCTAVE)  # Hz


def pitch_path(frames: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the fundamental frequency (T,) in Hz, and how periodic each frame is (T,), 0 to about 1.

    Args:
        frames: (T, samples) of some 45 ms each, 10 ms apart.
        rate: Hz, above 7,200.
    """
    strength = _strength(frames, rate)
    path = _best_path(strength)
    return CANDIDATES[path], strength[np.arange(len(path)), path]


def _strength(frames: np.ndarray, rate: int) -> np.ndarray:
    """Return the correlation at each candidate's period, (T, STEPS)."""
    samples = frames.shape[1]
    n_fft = 1 << (2 * samples - 1).bit_length()
    frequency = np.arange(n_fft // 2 + 1) * rate / n_fft
    outside = (frequency < BAND[0]) | (frequency > BAND[1])
    power = np.abs(scipy.fft.rfft(frames * np.hanning(samples).astype(np.float32), n_fft, axis=1)) ** 2
    power[:, outside] = 0
    compressed = power**COMPRESSION
    envelope = uniform_filter1d(compressed, round(ENVELOPE_HZ * n_fft / rate), axis=1, mode="nearest")
    # weak stretches are not raised to the full, else their noise would count as much as harmonics
    level = envelope + 0.15 * compressed.mean(axis=1, keepdims=True)
    white = np.divide(compressed, level, out=np.zeros_like(compressed), where=(level > 0) & ~outside)
    correlation = scipy.fft.irfft(white, axis=1)
    correlation /= np.maximum(correlation[:, :1], 1e-9)
    lag = rate / CANDIDATES
    whole = lag.astype(int)
    between = lag - whole
    at_lag = correlation[:, whole] * (1 - between) + correlation[:, whole + 1] * between
    return at_lag + OCTAVE_BONUS * np.log2(CANDIDATES / LOWEST)


def _best_path(strength: np.ndarray) -> np.ndarray:
    """Return the candidates (T,) of the highest summed strength less the cost of the steps between them."""
    states = np.arange(STEPS)
    cost = STEP_COST * np.abs(states[:, None] - states)
    best, before = strength[0].copy(), np.zeros(strength.shape, np.int16)
    for t in range(1, len(strength)):
        arriving = best - cost  # (to, from)
        before[t] = arriving.argmax(axis=1)
        best = arriving[states, before[t]] + strength[t]
    path = np.zeros(len(strength), int)
    path[-1] = best.argmax()
    for t in range(len(strength) - 1, 0, -1):
        path[t - 1] = before[t, path[t]]
    return path
