"""Feature names in families: a model is explained by families, because single features of 6373 mean little."""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

OPENSMILE = {  # of the low-level descriptor; the first that matches
    "rhythm": r"Turn_|PerSec|SegmentLength",
    "formants": r"F[123](frequency|bandwidth|amplitude)",
    "voice quality": r"voic|jitter|shimmer|HNR|logRelF0",
    "F0": r"F0",
    "energy": r"RMSenergy|loudness|intensity|lengthL1norm|SoundLevel",
    "MFCC": r"mfcc",
    "line spectral pairs": r"lspFreq",
    "auditory bands": r"logMelFreqBand|audSpec",
    "zero crossings": r"zcr",
    "spectral shape": r"fftMag|spectral|alphaRatio|hammarberg|slope",
}
WIDE, PARTS = 40, 4  # a family of frames with more than WIDE columns is shown in PARTS parts


def families(names: Sequence[str], *, opensmile: bool) -> dict[str, np.ndarray]:
    """Return family -> its columns, in the order in which they come first.

    openSMILE's names are grouped by low-level descriptor, others by the word before the first underscore.

    >>> {k: v.tolist() for k, v in families(["mfcc_0", "f0_mean", "mfcc_1"], opensmile=False).items()}
    {'mfcc': [0, 2], 'f0': [1]}
    """
    columns_of: dict[str, list[int]] = {}
    for column, name in enumerate(names):
        columns_of.setdefault(_smile_family(name) if opensmile else name.partition("_")[0], []).append(column)
    return {family: np.array(columns) for family, columns in columns_of.items()}


def bands(names: Sequence[str], *, opensmile: bool) -> dict[str, np.ndarray]:
    """Return the families of frame features, wide ones (mel bands, embeddings) in parts from low to high."""
    groups = {}
    for family, columns in families(names, opensmile=opensmile).items():
        if len(columns) <= WIDE:
            groups[family] = columns
            continue
        starts = np.cumsum([0] + [len(part) for part in np.array_split(columns, PARTS)])
        for low, high in pairwise(starts):
            groups[f"{family} {low}-{high - 1}"] = columns[low:high]
    return groups


def _smile_family(name: str) -> str:
    return next((family for family, pattern in OPENSMILE.items() if re.search(pattern, name, re.IGNORECASE)), "other")
