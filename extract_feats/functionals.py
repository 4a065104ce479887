"""724 functionals of the voice in numpy, which gain does not change and a fixed filter hardly does.

Intonation, level, periodicity, spectral shape and rhythm: how each contour varies over the active and the voiced
frames, how the spectrum follows level and pitch, how fast it is modulated. Means, which microphone and room decide, are
left out. Only the last group, ``register``, depends on the speaker and the channel.
After Eyben et al. 2016 (GeMAPS, doi 10.1109/TAFFC.2015.2457417) in kind, not in the numbers.
"""

from functools import lru_cache

import numpy as np
import scipy.fft
from scipy.ndimage import uniform_filter1d

from extract_feats import Layout
from extract_feats.dsp.voice_contours import CEPSTRA, HIGH, HOP_MS, LOW, Contours, contours, cosines, runs

VERSION = "1"
STATISTICS = (
    "std", "p10", "p25", "p75", "p90", "skew", "kurtosis", "delta_abs", "delta_std", "delta2_std", "slope", "curve",
    "first_third", "last_third",
)  # fmt: skip
MODULATION_HZ = ((0.4, 1.5), (1.5, 3), (3, 5), (5, 8), (8, 12), (12, 20))  # bands of the modulation spectrum
WIDE_CEPSTRA = 8  # of all 26 bands
PEAK_DB, PEAK_FRAMES = 3.0, 6  # a syllable's peak rises so far above its surroundings, and lies so far from the next
FRAMES_PER_SECOND = 1000 / HOP_MS


def extract(wave: np.ndarray, rate: int) -> np.ndarray:
    """Return (724,) float32 of a mono wave (n,).

    Args:
        rate: Hz, 15,200 or more.

    Raises:
        ConfigError: the rate is too low for the highest band.
        DataError: shorter than a quarter of a second, or silent throughout.
    """
    values = np.array(list(_described(wave, rate).values()), np.float32)
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def layout() -> Layout:
    """Return the layout."""
    return Layout("", False, {}, VERSION)


@lru_cache
def names(rate: int) -> list[str]:
    """Return one name per dimension, group_contour_statistic, e.g. voiced_pitch_std.

    Raises:
        ConfigError: the rate is too low for the highest band.
    """
    time = np.arange(rate) / rate  # any second of sound has all the names
    return list(_described(np.sin(2 * np.pi * 150 * time) * np.sin(2 * np.pi * 3 * time), rate))


def _described(wave: np.ndarray, rate: int) -> dict[str, float]:
    c = contours(wave, rate)
    cepstrum = {f"cepstrum_{n}": c.cepstrum[:, n - 1] for n in range(1, CEPSTRA + 1)}
    of_active = {"level": c.level, "flux": c.flux, "periodic": c.periodic, **cepstrum}
    of_voiced = {
        "pitch": c.pitch, "level": c.level, "periodic": c.periodic, "tilt": c.tilt, "centroid": c.centroid,
        "flux": c.flux, **cepstrum, "brilliance": c.brilliance,
    }  # fmt: skip
    return {
        **_functionals("active", of_active, c.active),
        **_functionals("voiced", of_voiced, c.voiced),
        **_means(c),
        **_couplings(c),
        **_modulation(c),
        **_rhythm(c),
        **_register(c),
    }


def _numbered(prefix: str, values: np.ndarray) -> dict[str, float]:
    return {f"{prefix}_{n}": value for n, value in enumerate(values)}


def _functionals(group: str, series: dict[str, np.ndarray], where: np.ndarray) -> dict[str, float]:
    """Return the statistics of contours (T,) over frames (T,); a constant added to a contour changes none."""
    every = np.column_stack(list(series.values()))
    chosen = every[where] - every[where].mean(axis=0)
    n, std = len(chosen), chosen.std(axis=0) + 1e-6
    p10, p25, middle, p75, p90 = np.quantile(chosen, (0.1, 0.25, 0.5, 0.75, 0.9), axis=0)
    delta = _slopes(every)
    time = np.linspace(-1, 1, n)[:, None]
    bow = time**2 - (time**2).mean()
    third = max(1, n // 3)
    statistics = (
        std, p10 - middle, p25 - middle, p75 - middle, p90 - middle,
        np.clip(((chosen / std) ** 3).mean(axis=0), -5, 5), np.clip(((chosen / std) ** 4).mean(axis=0), 0, 15),
        np.abs(delta[where]).mean(axis=0), delta[where].std(axis=0), np.gradient(delta, axis=0)[where].std(axis=0),
        (chosen * time).sum(axis=0) / (time**2).sum(), (chosen * bow).sum(axis=0) / ((bow**2).sum() + 1e-9),
        chosen[:third].mean(axis=0), chosen[-third:].mean(axis=0),
    )  # fmt: skip
    table = np.stack(statistics, axis=1)
    return {
        f"{group}_{name}_{how}": value
        for name, row in zip(series, table, strict=True)
        for how, value in zip(STATISTICS, row, strict=True)
    }


def _slopes(series: np.ndarray) -> np.ndarray:
    """Return the regression slope over five frames at each of (T, k) contours, 0 at both ends."""
    slopes = np.zeros_like(series)
    slopes[2:-2] = (2 * (series[4:] - series[:-4]) + series[3:-1] - series[1:-3]) / 10
    return slopes


def _means(c: Contours) -> dict[str, float]:
    """Return how the voiced frames differ from all active ones, whose bands' means are 0."""
    means = {f"voiced_cepstrum_{n}_mean": c.cepstrum[c.voiced, n - 1].mean() for n in range(1, CEPSTRA + 1)}
    of_voiced = {name: getattr(c, name) for name in ("level", "flux", "tilt", "brilliance", "periodic")}
    means |= {f"voiced_{name}_mean": series[c.voiced].mean() for name, series in of_voiced.items()}
    return means | {f"active_{name}_mean": of_voiced[name][c.active].mean() for name in ("flux", "periodic")}


def _couplings(c: Contours) -> dict[str, float]:
    """Return how the spectrum follows level and pitch: a raised voice is not a soft one played louder."""
    loudness = c.level[c.active]
    low, middle, high = np.quantile(loudness, (0.3, 0.6, 0.8))
    loud, medium = c.active & (c.level >= high), c.active & (c.level >= low) & (c.level < middle)
    loudness = loudness - loudness.mean()
    level, pitch = (series[c.voiced] - series[c.voiced].mean() for series in (c.level, c.pitch))
    wide = (c.bands @ cosines(WIDE_CEPSTRA, LOW + HIGH).T)[c.active]
    level_squares, pitch_squares = np.square(level).sum(), np.square(pitch).sum()
    return {
        **_numbered("loud_less_medium_band", c.bands[loud].mean(axis=0) - c.bands[medium].mean(axis=0)),
        **_numbered("per_level_band", level @ c.bands[c.voiced] / (level_squares + 1e-3)),
        **_numbered("per_level_cepstrum", loudness @ wide / (np.square(loudness).sum() + 1e-3)),
        **_numbered("per_pitch_band", pitch @ c.bands[c.voiced] / (pitch_squares + 20)),  # a monotone has no slope
        "level_pitch_correlation": level @ pitch / np.sqrt(level_squares * pitch_squares + 1e-3),
    }


def _stretch(c: Contours) -> slice:
    first, last = np.flatnonzero(c.active)[[0, -1]]
    return slice(first, last + 1)


def _modulation(c: Contours) -> dict[str, float]:
    """Return the logarithm of the share of each modulation rate, of contours from first to last active frame."""
    groups = c.bands[:, :LOW].reshape(len(c.bands), -1, 4).mean(axis=2)
    series = {f"bands_{4 * n}": group for n, group in enumerate(groups.T)}
    series |= {"bands_high": c.bands[:, LOW:].mean(axis=1), "level": c.level, "pitch": c.pitch, "flux": c.flux}
    series |= {"periodic": c.periodic, "tilt": c.tilt}
    chosen = np.column_stack(list(series.values()))[_stretch(c)]
    tapered = (chosen - chosen.mean(axis=0)) * np.hanning(len(chosen) + 2)[1:-1, None]
    n_fft = max(1024, 1 << (len(chosen) - 1).bit_length())
    power = np.abs(scipy.fft.rfft(tapered, n_fft, axis=0)) ** 2
    hertz = np.arange(len(power)) * FRAMES_PER_SECOND / n_fft
    energy = np.stack([power[(hertz >= low) & (hertz < high)].sum(axis=0) for low, high in MODULATION_HZ], axis=1)
    energy += 1e-6
    shares = np.log10(energy / energy.sum(axis=1, keepdims=True) + 1e-4)
    return {
        f"modulation_{name}_{low:g}_hz": share
        for name, row in zip(series, shares, strict=True)
        for (low, _), share in zip(MODULATION_HZ, row, strict=True)
    }


def _rhythm(c: Contours) -> dict[str, float]:
    """Return durations in seconds, rates per second, and how pitch (semitones) and level (dB) step per frame."""
    stretch = _stretch(c)
    seconds = (stretch.stop - stretch.start) / FRAMES_PER_SECOND
    first, end = runs(c.voiced)
    lengths, gaps = (end - first) / FRAMES_PER_SECOND, (first[1:] - end[:-1]) / FRAMES_PER_SECOND
    gaps = gaps if len(gaps) else np.zeros(1)
    pitch, level = (_steps(series, of) for series, of in ((c.pitch, c.voiced), (c.level, c.active)))
    spread = np.quantile(c.pitch[c.voiced], (0.05, 0.95))
    return {
        "log_duration": np.log(seconds + 0.1),
        "voiced_share": c.voiced[stretch].mean(),
        "active_share": c.active[stretch].mean(),
        "voiced_of_active": c.voiced.sum() / c.active.sum(),
        "voiced_stretches_per_second": len(first) / seconds,
        "peaks_per_second": peaks(uniform_filter1d(c.level, 7)[stretch]) / seconds,
        **{f"voiced_length_{how}": getattr(lengths, how)() for how in ("mean", "std", "max")},
        **{f"gap_{how}": getattr(gaps, how)() for how in ("mean", "std", "max")},
        "pitch_step": np.abs(pitch).mean(),
        "pitch_rising": (pitch > 0).mean(),
        "pitch_rise": np.maximum(pitch, 0).sum() / max(1, (pitch > 0).sum()),
        "pitch_fall": np.minimum(pitch, 0).sum() / max(1, (pitch < 0).sum()),
        "level_step": np.abs(level).mean(),
        "level_rising": (level > 0).mean(),
        "pitch_range": spread[1] - spread[0],
        "pitch_jitter": np.abs(np.diff(pitch)).mean() if len(pitch) > 1 else 0.0,
    }


def _steps(series: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return the differences between neighbouring frames that both are chosen, a 0 if there are none."""
    steps = np.diff(series)[where[1:] & where[:-1]]
    return steps if len(steps) else np.zeros(1)


def peaks(level: np.ndarray) -> int:
    """Return the number of peaks of a contour in dB that rise 3 dB above the lowest points on both sides.

    A peak ends where the contour has fallen by 3 dB, and a new one needs a rise by 3 dB from the lowest point since;
    peaks less than six frames apart count once.
    """
    count, top, bottom, rising, last = 0, level[0], level[0], False, -PEAK_FRAMES
    at = 0
    for t, value in enumerate(level):
        if rising and value > top:
            top, at = value, t
        elif rising and value < top - PEAK_DB:
            count, last = count + (at - last >= PEAK_FRAMES), at
            rising, bottom = False, value
        elif not rising and value < bottom:
            bottom = value
        elif not rising and value > bottom + PEAK_DB:
            rising, top, at = True, value, t
    return int(count)


def _register(c: Contours) -> dict[str, float]:
    """Return what depends on speaker and channel: semitones above 100 Hz, and the long-term spectrum in dB."""
    semitones = 12 * np.log2(c.hertz[c.voiced] / 100)
    return {
        "register_pitch_median": np.median(semitones),
        "register_pitch_mean": semitones.mean(),
        "register_pitch_p10": np.quantile(semitones, 0.1),
        "register_pitch_p90": np.quantile(semitones, 0.9),
        **_numbered("register_voiced_band", c.voiced_spectrum),
        **_numbered("register_band", c.spectrum),
    }
