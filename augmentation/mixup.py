"""Pairs of clips mixed, and their targets with them.

Zhang et al. 2018, arXiv 1710.09412.
"""

import numpy as np

ON = "either"


def augment(clips, targets, rng: np.random.Generator, *, alpha: float = 0.2):
    """Mix each clip with another one of the batch; the length is that of the longer one.

    Args:
        alpha: of the distribution Beta(alpha, alpha) of the shares; the larger, the nearer to equal shares.
    """
    partners = rng.permutation(len(clips))
    shares = rng.beta(alpha, alpha, len(clips)).astype(np.float32)
    mixed = [_mixed(clip, clips[other], share) for clip, other, share in zip(clips, partners, shares, strict=True)]
    return mixed, shares[:, None] * targets + (1 - shares[:, None]) * targets[partners]


def _mixed(one: np.ndarray, other: np.ndarray, share: np.float32) -> np.ndarray:
    if one.ndim == 1:
        return share * one + (1 - share) * other
    out = np.zeros((max(len(one), len(other)), one.shape[1]), np.float32)
    out[: len(one)] += share * one
    out[: len(other)] += (1 - share) * other
    return out
