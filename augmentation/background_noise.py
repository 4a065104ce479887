"""On audio: recordings of the user's, of streets, offices or other voices, mixed in at a signal-to-noise ratio."""

import numpy as np

from augmentation.base import recordings
from augmentation.gaussian_noise import mixed
from utils.plugins import Folder, Range

ON = "audio"
VERSION = "1"


def augment(
    wave: np.ndarray, rate: int, rng: np.random.Generator, *, folder: Folder, snr_db: Range = [5.0, 20.0]
) -> np.ndarray:
    """Return the wave over one of the recordings, from a random place of it on and again where it ends.

    Args:
        folder: audio files below $SER_DATA, or absolute.
        snr_db: dB of the wave's mean power over the noise's, in what is mixed.

    Raises:
        ConfigError: the folder holds no recordings.
        DataError: one that cannot be read, or is silent.
    """
    noise = recordings.chosen(folder, rate, rng)
    start, snr = rng.integers(len(noise)), rng.uniform(*snr_db)
    part = np.resize(np.roll(noise, -start), len(wave))
    if not part.any():  # a pause of the recording; noise of no power cannot be brought to any level
        part = np.resize(np.roll(noise, -int(np.abs(noise).argmax())), len(wave))
    return mixed(wave, part, snr)
