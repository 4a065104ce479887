"""On audio: several augmentations of audio after one another, as one."""

import numpy as np

from augmentation.base.variants import applied
from utils.plugins import Section

ON = "audio"
VERSION = "1"


def augment(
    wave: np.ndarray,
    rate: int,
    rng: np.random.Generator,
    *,
    steps: list[Section] = [{"name": "speed"}, {"name": "gaussian_noise"}],
) -> np.ndarray:
    """Return the wave (m,) float32 after every step.

    Args:
        steps: augmentations on audio, ``{name, argument: value}`` each, in their order.
    """
    for step in steps:
        wave = applied(step, wave, rate, rng)
    return wave
