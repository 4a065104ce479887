"""Runs of dimensions set to the mean, 0: bands, where the features are a spectrum.

SpecAugment, Park et al. 2019, doi 10.21437/Interspeech.2019-2680.
"""

import numpy as np

from augmentation.time_mask import masked

ON = "frames"


def augment(clips, targets, rng: np.random.Generator, *, count: int = 2, share: float = 0.1):
    """Blank ``count`` runs of up to ``share`` of the dimensions of each clip."""
    return [masked(clip.T, rng, count, share).T for clip in clips], targets
