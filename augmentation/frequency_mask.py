"""Runs of neighbouring dimensions set to the mean, 0; of a spectrum these are frequency bands.

SpecAugment, Park et al. 2019, doi 10.21437/Interspeech.2019-2680.
"""

import numpy as np

from augmentation.time_mask import masked

ON = "frames"


def augment(clips, targets, rng: np.random.Generator, *, count: int = 2, share: float = 0.1):
    """Set runs of neighbouring dimensions of each clip to 0.

    Args:
        count: runs per clip.
        share: of the dimensions that a run may cover at most, 0 to 1.
    """
    return [masked(clip.T, rng, count, share).T for clip in clips], targets
