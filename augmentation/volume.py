"""On audio: louder or softer; nothing is clipped, since the wave stays in floating point."""

import numpy as np

from utils.plugins import Range

ON = "audio"
VERSION = "1"


def augment(wave: np.ndarray, rate: int, rng: np.random.Generator, *, gain_db: Range = [-10.0, 10.0]) -> np.ndarray:
    """Return the wave (n,) float32 at another level.

    Args:
        gain_db: dB by which it is louder; below 0 is softer.
    """
    return wave * np.float32(10 ** (rng.uniform(*gain_db) / 20))
