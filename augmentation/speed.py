"""On audio: played faster or slower, tempo and pitch together.

Ko et al. 2015, "Audio augmentation for speech recognition", doi 10.21437/Interspeech.2015-711.
"""

import numpy as np
import soxr

from utils.plugins import Range

ON = "audio"
VERSION = "1"
LIMITS = {"factor": (0.25, 4.0)}


def augment(wave: np.ndarray, rate: int, rng: np.random.Generator, *, factor: Range = [0.9, 1.1]) -> np.ndarray:
    """Return (n / factor,) float32: every frequency times factor, the duration divided by it.

    Args:
        factor: of the speed; above 1 is faster, 0.25 to 4.
    """
    return faster(wave, rate, rng.uniform(*factor))


def faster(wave: np.ndarray, rate: int, factor: float) -> np.ndarray:
    """Return a wave (n,) played ``factor`` times as fast, (about n / factor,) float32."""
    return soxr.resample(wave, factor * rate, rate, quality="HQ")
