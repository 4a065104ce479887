"""312 functionals per clip of descriptors with librosa's numbers, computed without importing it.

Flatness, zero crossings, magnitude, centroid, pitch, tuning and RMS statistics (15), mean, standard
deviation and maximum of 50 MFCC (150), mean chroma (12), mel (128) and contrast (7): the set of
github.com/Renovamen/Speech-Emotion-Recognition, at 2048 and 512 samples a frame and hop.

What is wrong there and not repeated here:

- its pitch takes the bin that is loudest in the second frame for all frames, so that most values are 0;
  and the strongest partial between 70 and 400 Hz is often not the fundamental. Here: autocorrelation,
  70 to 500 Hz, statistics over the voiced frames alone (0 if there are none).
- its tuning is a histogram over all partials, however weak. Here: librosa.estimate_tuning's.
- its centroid is divided by the sum over the clip, which makes the mean one over the number of frames:
  the clip's length, not its timbre. Here: Hz.
- its chroma is made from magnitudes where librosa's own, and ours, is from power.
- its mean mel power spans many orders of magnitude, which standardising does not mend. Here: dB of that mean
  (``mel: power`` gives theirs).
- its padding to the longest clip pads by nothing, each clip keeps its file's rate, its scaler sees the test
  set, and the MFCC are computed three times.
"""

from typing import Literal

import numpy as np

from extract_feats import Layout
from extract_feats.dsp.filters import contrast_bands
from extract_feats.dsp.spectrum import Spectrum, decibels
from extract_feats.librosa_frames import column_names

N_MFCC, N_MELS, N_FFT = 50, 128, 2048
STATISTICS = {"mean": np.mean, "std": np.std, "max": np.max}
VERSION = "1"


def extract(wave: np.ndarray, rate: int, *, mel: Literal["db", "power"] = "db") -> np.ndarray:
    """Return (312,) float32 of a mono wave (n,).

    Args:
        rate: Hz, above 12,800.
        mel: mean mel spectrum in dB, or as power.

    Raises:
        ConfigError: the rate is too low for the highest contrast band.
        DataError: fewer than 2048 samples.
    """
    spectrum = Spectrum(wave, rate, n_fft=N_FFT, n_mels=N_MELS)
    mfcc = spectrum.cepstrum[:, :N_MFCC]
    mean_mel = spectrum.mel.mean(axis=0)
    parts = [
        _scalars(spectrum),
        *(statistic(mfcc, axis=0) for statistic in STATISTICS.values()),
        spectrum.chroma().mean(axis=0),
        decibels(mean_mel) if mel == "db" else mean_mel,
        spectrum.contrast.mean(axis=0),
    ]
    return np.concatenate(parts, dtype=np.float32)


def layout(*, mel: Literal["db", "power"] = "db") -> Layout:
    """Return the layout."""
    return Layout("" if mel == "db" else mel, False, {"mel": mel}, VERSION)


def names(rate: int, *, mel: Literal["db", "power"] = "db") -> list[str]:
    """Return one name a dimension, descriptor_statistic, e.g. f0_mean, mfcc_3_std.

    Raises:
        ConfigError: the rate is too low for the highest contrast band.
    """
    contrast_bands(rate, N_FFT)
    mfcc = column_names("mfcc", n_mfcc=N_MFCC)
    means = column_names("chroma") + column_names("mel", n_mels=N_MELS) + column_names("contrast")
    return [
        *("flatness_mean", "zcr_mean", "tuning"),
        *(f"{series}_{how}" for series in ("magnitude", "centroid", "f0", "rms") for how in STATISTICS),
        *(f"{column}_{how}" for how in STATISTICS for column in mfcc),
        *(f"{column}_mean" for column in means),
    ]


def _scalars(spectrum: Spectrum) -> np.ndarray:
    voiced = spectrum.f0[spectrum.f0 > 0]
    f0 = voiced if len(voiced) else np.zeros(1, np.float32)
    series = (spectrum.magnitude, spectrum.centroid, f0, spectrum.rms)
    numbers = [statistic(values) for values in series for statistic in STATISTICS.values()]
    return np.array([spectrum.flatness.mean(), spectrum.zcr.mean(), spectrum.tuning, *numbers], np.float32)
