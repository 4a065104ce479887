"""Contours of a voice over time that neither gain nor, for the most part, the channel changes.

Each band's level is taken relative to its own mean over the active frames, so a fixed filter, which adds the same
number everywhere, falls out (Atal 1974, doi 10.1121/1.1914702). A floor under each band's mean hides weaker noise.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
from scipy.ndimage import median_filter, uniform_filter1d

from extract_feats.base.layout import mono
from extract_feats.dsp.filters import hz_to_mel, mel_to_hz
from extract_feats.dsp.pitch_path import WINDOW_MS, pitch_path
from utils.errors import ConfigError, DataError

HOP_MS, FRAME_MS = 10.0, 32.0
LOW, HIGH = 20, 6  # bands from 200 to 3500 Hz, which a telephone passes, and on to 7600 Hz
EDGES = (200.0, 3500.0, 7600.0)  # Hz
FLOOR_DB = -28.0  # of a band, below its mean over the active frames
CEPSTRA = 12
SHORTEST_MS = 250.0
VOICED_RUN = 4  # frames of the shortest voiced stretch
PITCH_RANGE = 16.0  # semitones around the median
TINY = 1e-12  # of the loudest power: digital silence has no logarithm


@dataclass(frozen=True)
class Contours:
    """Contours of T frames, 10 ms apart.

    Attributes:
        active, voiced: (T,) bool; frames with speech, and those of them with a pitch.
        level: (T,) dB, 200 to 3500 Hz, relative to the mean of the active frames.
        bands: (T, 26) dB of each band, relative to its mean of the active frames.
        cepstrum: (T, 12) cosine transform of the lower 20 bands.
        hertz: (T,) fundamental frequency.
        pitch: (T,) semitones around the median of the voiced frames; straight lines between voiced stretches.
        periodic: (T,) 0 to about 1.
        flux: (T,) mean change of the lower bands since the frame before, dB.
        tilt: (T,) dB of the bands below 1000 Hz above those from there to 3500 Hz.
        brilliance: (T,) dB of the bands above 3500 Hz above those below.
        centroid: (T,) octaves above 1 Hz, of the lower bands.
        spectrum: (26,) dB, the mean of the active frames, relative to that of its lower bands.
        voiced_spectrum: (26,) the same of the voiced frames.
    """

    active: np.ndarray
    voiced: np.ndarray
    level: np.ndarray
    bands: np.ndarray
    cepstrum: np.ndarray
    hertz: np.ndarray
    pitch: np.ndarray
    periodic: np.ndarray
    flux: np.ndarray
    tilt: np.ndarray
    brilliance: np.ndarray
    centroid: np.ndarray
    spectrum: np.ndarray
    voiced_spectrum: np.ndarray


def contours(wave: np.ndarray, rate: int) -> Contours:
    """Return the contours of a mono wave (n,).

    Raises:
        ConfigError: the rate is too low for the highest band.
        DataError: shorter than a quarter of a second, or silent throughout.
    """
    filters, centres = band_filters(rate)
    wave = mono(wave, rate, shortest=round(SHORTEST_MS * rate / 1000))
    if not wave.any():
        raise DataError("the wave is silent: every sample is 0.")
    power = _powers(wave, rate) @ filters.T  # (T, 26)
    power += TINY * power.max()
    voice = power[:, :LOW].sum(axis=1)
    active = _active(voice)
    floored = _decibels(power, active)
    mean = floored[active].mean(axis=0)
    bands, level = floored - mean, _decibels(voice[:, None], active)[:, 0]
    hertz, periodic = pitch_path(_frames(wave, rate, WINDOW_MS), rate)
    periodic = uniform_filter1d(periodic, 3)
    voiced = _voiced(active, periodic)
    lower = bands[:, :LOW]
    voiced_mean = floored[voiced].mean(axis=0)
    return Contours(
        active=active,
        voiced=voiced,
        level=level - level[active].mean(),
        bands=bands,
        cepstrum=lower @ cosines(CEPSTRA, LOW).T,
        hertz=hertz,
        pitch=_semitones(hertz, voiced),
        periodic=periodic,
        flux=np.concatenate([[0], np.abs(np.diff(lower, axis=0)).mean(axis=1)]),
        tilt=bands[:, centres < 1000].mean(axis=1) - bands[:, (centres > 1000) & (centres < EDGES[1])].mean(axis=1),
        brilliance=bands[:, LOW:].mean(axis=1) - lower.mean(axis=1),
        centroid=np.log2(power[:, :LOW] @ centres[:LOW] / voice),
        spectrum=mean - mean[:LOW].mean(),
        voiced_spectrum=voiced_mean - voiced_mean[:LOW].mean(),
    )


@lru_cache
def band_filters(rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Return triangular filters (26, bins) that sum to 1 each, equally wide in mel, and their centres (26,) in Hz.

    Raises:
        ConfigError: half the rate is below the highest band.
    """
    if rate < 2 * EDGES[2]:
        raise ConfigError(
            f"functionals reads bands up to {EDGES[2]:.0f} Hz: rate must be {2 * EDGES[2]:.0f} Hz or more."
        )
    frequency = np.arange(_n_fft(rate) // 2 + 1) * rate / _n_fft(rate)
    filters = []
    for low, high, n in ((EDGES[0], EDGES[1], LOW), (EDGES[1], EDGES[2], HIGH)):
        edges = mel_to_hz(np.linspace(*hz_to_mel(np.array([low, high])), n + 2))
        for left, centre, right in zip(edges, edges[1:], edges[2:], strict=False):
            rising, falling = (frequency - left) / (centre - left), (right - frequency) / (right - centre)
            triangle = np.clip(np.minimum(rising, falling), 0, None)
            if triangle.sum() < 0.5:  # narrower than the bins are apart
                triangle[np.abs(frequency - centre).argmin()] = 1
            filters.append(triangle / triangle.sum())
    filters = np.array(filters)
    return filters, filters @ frequency


def cosines(n: int, bands: int) -> np.ndarray:
    """Return the cosine transform (n, bands) of so many bands, without its constant term."""
    phase = np.outer(np.arange(1, n + 1), np.arange(bands) + 0.5) / bands
    return np.sqrt(2 / bands) * np.cos(np.pi * phase)


def runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return first frame, and frame after the last, of each stretch in which the mask (T,) is true."""
    steps = np.diff(np.concatenate([[0], mask.astype(int), [0]]))
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)


def _n_fft(rate: int) -> int:
    return 1 << (round(FRAME_MS * rate / 1000) - 1).bit_length()


def _frames(wave: np.ndarray, rate: int, window_ms: float) -> np.ndarray:
    """Return (T, samples), centred on the same times for every window."""
    hop, shortest, window = (round(ms * rate / 1000) for ms in (HOP_MS, FRAME_MS, window_ms))
    count, margin = (len(wave) - shortest) // hop + 1, (window - shortest) // 2
    padded = np.pad(wave, (margin, window))
    return np.lib.stride_tricks.sliding_window_view(padded, window)[::hop][:count]


def _powers(wave: np.ndarray, rate: int) -> np.ndarray:
    frames = _frames(wave, rate, FRAME_MS)
    window = np.hanning(frames.shape[1]).astype(np.float32)
    return np.abs(scipy.fft.rfft(frames * window, _n_fft(rate), axis=1)).astype(np.float64) ** 2


def _active(power: np.ndarray) -> np.ndarray:
    """Return which frames hold speech: a third of the way from the quietest to the loudest, and 28 dB below at most."""
    level = 10 * np.log10(uniform_filter1d(power, 5) + TINY * power.max())
    low, high = np.quantile(level, (0.05, 0.95))
    low = max(low, high - 60)
    active = level > max(high + FLOOR_DB, low + 0.3 * (high - low))
    return active if active.sum() >= 10 else level >= np.quantile(level, 0.3)


def _decibels(power: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Return dB of (T, bands), with each band's floor added."""
    return 10 * np.log10(power + power[active].mean(axis=0) * 10 ** (FLOOR_DB / 10))


def _voiced(active: np.ndarray, periodic: np.ndarray) -> np.ndarray:
    """Return which active frames are periodic; the threshold follows the clip, since noise makes all less periodic."""
    of_active = periodic[active]
    voiced = active & (periodic > np.clip(0.6 * np.quantile(of_active, 0.9), 0.25, 0.42))
    for first, end in zip(*runs(voiced), strict=True):
        if end - first < VOICED_RUN:
            voiced[first:end] = False
    return voiced if voiced.sum() >= 8 else active & (periodic >= np.quantile(of_active, 0.6))


def _semitones(hertz: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    pitch = 12 * np.log2(hertz)
    pitch = np.clip(pitch - np.median(pitch[voiced]), -PITCH_RANGE, PITCH_RANGE)
    where = np.flatnonzero(voiced)
    between = np.interp(np.arange(len(pitch)), where, pitch[where])
    return median_filter(np.where(voiced, pitch, between), 5)
