"""On audio: a room, made up or from measured impulse responses.

A made-up room answers with the direct sound and noise that decays exponentially: Moorer 1979, "About this
reverberation business", doi 10.2307/3680280.
"""

import numpy as np

from augmentation.base import recordings
from utils.plugins import Folder, Range

ON = "audio"
VERSION = "1"
LIMITS = {"rt60": (0.05, 10.0)}


def augment(
    wave: np.ndarray,
    rate: int,
    rng: np.random.Generator,
    *,
    rt60: Range = [0.2, 0.8],
    direct_db: Range = [0.0, 10.0],
    folder: Folder | None = None,
) -> np.ndarray:
    """Return the wave (n,) float32 in a room, its level kept; what rings on after the clip is cut off.

    Args:
        rt60: seconds in which the reverberation falls by 60 dB.
        direct_db: dB of the direct sound's energy over the reverberation's.
        folder: impulse responses, audio files below $SER_DATA or absolute; the two arguments above are not read then.

    Raises:
        ConfigError: the folder holds no recordings.
        DataError: one that cannot be read, or is silent.
    """
    if folder is None:
        answer = room(rate, rng, rng.uniform(*rt60), rng.uniform(*direct_db))
    else:
        answer = recordings.chosen(folder, rate, rng)
        answer = answer[np.abs(answer).argmax() :]  # the direct sound comes at once: the clip does not move
    size = 1 << (len(wave) + len(answer)).bit_length()
    wet = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(answer, size), size)[: len(wave)]
    level = np.sqrt(np.mean(np.square(wave, dtype=np.float64)) / max(np.mean(np.square(wet)), 1e-20))
    return (level * wet).astype(np.float32)


def room(rate: int, rng: np.random.Generator, rt60: float, direct_db: float) -> np.ndarray:
    """Return an impulse response (rt60 * rate,): 1, then noise that decays by 60 dB in ``rt60`` seconds."""
    time = np.arange(1, round(rt60 * rate)) / rate
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / rt60)
    tail *= np.sqrt(10 ** (-direct_db / 10) / np.sum(np.square(tail)))
    return np.concatenate([[1.0], tail])
