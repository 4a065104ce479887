"""On audio: white Gaussian noise at a signal-to-noise ratio, measured over the whole clip."""

import numpy as np

from utils.plugins import Range

ON = "audio"
VERSION = "1"


def augment(wave: np.ndarray, rate: int, rng: np.random.Generator, *, snr_db: Range = [10.0, 30.0]) -> np.ndarray:
    """Return the wave with noise, (n,) float32.

    Args:
        snr_db: signal-to-noise ratio: dB of the wave's mean power over the noise's.
    """
    return mixed(wave, rng.standard_normal(len(wave), np.float32), rng.uniform(*snr_db))


def mixed(wave: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Return a wave with noise of the same length, scaled to lie exactly ``snr_db`` below it."""
    signal, power = (np.mean(np.square(x, dtype=np.float64)) for x in (wave, noise))
    return wave + noise * np.float32(np.sqrt(signal / power / 10 ** (snr_db / 10)))
