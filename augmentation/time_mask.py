"""Spans of frames set to the mean, 0.

SpecAugment, Park et al. 2019, doi 10.21437/Interspeech.2019-2680.
"""

import numpy as np

ON = "frames"


def augment(clips, targets, rng: np.random.Generator, *, count: int = 2, share: float = 0.1):
    """Set spans of frames of each clip to 0.

    Args:
        count: spans per clip.
        share: of the clip that a span may cover at most, 0 to 1.
    """
    return [masked(clip, rng, count, share) for clip in clips], targets


def masked(clip: np.ndarray, rng: np.random.Generator, count: int, share: float) -> np.ndarray:
    """Return a copy (rows, columns) with ``count`` runs of up to ``share`` of its rows set to 0."""
    clip = clip.copy()
    for _ in range(count):
        width = int(rng.integers(0, round(share * len(clip)) + 1))
        start = int(rng.integers(0, len(clip) - width + 1))
        clip[start : start + width] = 0
    return clip
