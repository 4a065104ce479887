"""Gaussian noise on the features themselves.

Bishop 1995, "Training with noise is equivalent to Tikhonov regularization", doi 10.1162/neco.1995.7.1.108.
"""

import numpy as np

ON = "either"


def augment(clips, targets, rng: np.random.Generator, *, deviation: float = 0.1):
    """Add Gaussian noise to every value.

    Args:
        deviation: of the noise; 1 is the standard deviation of the features.
    """
    return [clip + np.float32(deviation) * rng.standard_normal(clip.shape, np.float32) for clip in clips], targets
