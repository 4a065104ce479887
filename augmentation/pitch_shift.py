"""On audio: a higher or lower voice at the same tempo, formants moved along: stretched, then resampled back."""

import numpy as np

from augmentation.speed import faster
from augmentation.time_stretch import stretched
from utils.plugins import Range

ON = "audio"
VERSION = "1"
LIMITS = {"semitones": (-24.0, 24.0)}


def augment(wave: np.ndarray, rate: int, rng: np.random.Generator, *, semitones: Range = [-2.0, 2.0]) -> np.ndarray:
    """Return (n,) float32, every frequency times 2 ** (semitones / 12).

    Args:
        semitones: up; below 0 is down, -24 to 24.
    """
    factor = 2 ** (rng.uniform(*semitones) / 12)
    shifted = faster(stretched(wave, rate, factor), rate, factor)
    return np.pad(shifted, (0, max(0, len(wave) - len(shifted))))[: len(wave)]  # rounding: a sample more or less
