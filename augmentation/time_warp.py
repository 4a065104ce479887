"""One moment of the clip moved in time; the parts before and after it are stretched or compressed.

SpecAugment, Park et al. 2019, doi 10.21437/Interspeech.2019-2680, with linear interpolation.
"""

import numpy as np

ON = "frames"


def augment(clips, targets, rng: np.random.Generator, *, share: float = 0.1):
    """Move one moment in the middle half of each clip.

    Args:
        share: of the clip's length by which it is moved at most, 0 to 1.
    """
    return [_warped(clip, rng, share) for clip in clips], targets


def _warped(clip: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    last = len(clip) - 1
    if last < 3:
        return clip  # too short to have a middle
    place = rng.uniform(0.25, 0.75) * last
    moved = np.clip(place + rng.uniform(-share, share) * last, 1, last - 1)
    source = np.interp(np.arange(last + 1), [0, moved, last], [0, place, last])
    low = np.minimum(source.astype(int), last - 1)
    part = (source - low)[:, None].astype(np.float32)
    return clip[low] * (1 - part) + clip[low + 1] * part
