"""On audio: a recording level set too high, which cuts the loudest samples off."""

import numpy as np

from utils.plugins import Range

ON = "audio"
VERSION = "1"
LIMITS = {"share": (0.0, 0.5)}


def augment(wave: np.ndarray, rate: int, rng: np.random.Generator, *, share: Range = [0.01, 0.1]) -> np.ndarray:
    """Return the wave (n,) float32, its loudest samples cut off flat; the others keep their level.

    Args:
        share: of the samples that are cut off, 0 to 0.5.
    """
    limit = np.quantile(np.abs(wave), 1 - rng.uniform(*share))
    return np.clip(wave, -limit, limit)
