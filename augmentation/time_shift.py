"""On audio: shifted in time; what leaves at one end comes back at the other."""

import numpy as np

from utils.plugins import Range

ON = "audio"
VERSION = "1"


def augment(wave: np.ndarray, rate: int, rng: np.random.Generator, *, seconds: Range = [-0.3, 0.3]) -> np.ndarray:
    """Return the same samples (n,) float32, shifted in time.

    Args:
        seconds: by how much they come later; below 0 is earlier.
    """
    return np.roll(wave, round(rng.uniform(*seconds) * rate))
