"""openSMILE's feature sets: the INTERSPEECH challenges, GeMAPS and emobase, as functionals or as frames.

Licence: openSMILE is under the audEERING research licence. Commercial use needs a licence from audEERING;
the librosa features do not need it.

| set | functionals | a frame | source |
|---|---|---|---|
| IS09 | 384 | 16 | Schuller et al. 2009, the INTERSPEECH emotion challenge |
| IS10 | 1582 | 38 | Schuller et al. 2010, paralinguistic challenge |
| IS11 | 4368 | 59 | Schuller et al. 2011, speaker state challenge |
| IS12 | 6125 | 64 | Schuller et al. 2012, speaker trait challenge |
| IS13 | 6373 | 65 | Schuller et al. 2013, ComParE |
| ComParE_2016 | 6373 | 65 | Schuller et al. 2016 |
| eGeMAPSv02, GeMAPSv01b | 88, 62 | 25, 18 | Eyben et al. 2016, doi 10.1109/TAFFC.2015.2457417 |
| emobase | 988 | 26 | Eyben, Woellmer & Schuller 2010, doi 10.1145/1873951.1874246 |

Frames come every 10 ms. Samples are limited to the range of 16 bits, in which the library computes:
a sample at full scale (1.0) would otherwise come back as -1. A value that is not finite (a ratio over an
empty stretch) becomes 0, which is openSMILE's own word for "none".
"""

import ctypes
import importlib.metadata
import importlib.util
import os
import platform
import sys
import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from extract_feats import Grid, Layout, mono
from utils.errors import ConfigError, DataError
from utils.plugins import nearest

if TYPE_CHECKING:
    from opensmile import Smile

ALIASES = {
    "IS09_emotion": "IS09",
    "IS10_paraling": "IS10",
    "IS10_paraling_compat": "IS10",
    "IS11_speaker_state": "IS11",
    "IS12_speaker_trait": "IS12",
    "IS12_speaker_trait_compat": "IS12",
    "IS13_ComParE": "IS13",
}
SETS = ("IS09", "IS10", "IS11", "IS12", "IS13", "ComParE_2016", "eGeMAPSv02", "GeMAPSv01b", "emobase")
FRAME_MS = {"IS09": 25, "IS10": 25, "emobase": 25}  # of the energies, from the clip's start; the others 20; pitch 60
HOP_MS = 10
LEVELS = {"functionals": "Functionals", "lld": "LowLevelDescriptors"}
LARGEST = np.float32(32767 / 32768)
VERSION = "1"


def extract(
    wave: np.ndarray,
    rate: int,
    *,
    set: Literal[
        "IS09", "IS10", "IS11", "IS12", "IS13", "ComParE_2016", "eGeMAPSv02", "GeMAPSv01b", "emobase",
        "IS09_emotion", "IS10_paraling", "IS10_paraling_compat", "IS11_speaker_state", "IS12_speaker_trait",
        "IS12_speaker_trait_compat", "IS13_ComParE",
    ] = "IS10",
    level: Literal["functionals", "lld"] = "functionals",
) -> np.ndarray:  # fmt: skip
    """Return (dims,) float32 functionals, or (frames, dims) low-level descriptors, of a mono wave (n,).

    Args:
        set: of the table above, or under its long name.
        level: "functionals", one vector per clip, or "lld", the frames that they are made of.

    Raises:
        ConfigError: no such set.
        DataError: too short for one openSMILE frame of that set (25 to 70 ms).
    """
    name = _canonical(set)
    wave = np.clip(mono(wave, rate), -1, LARGEST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "too short, filling with NaN": an error below
        values = _smile(name, level)(wave, rate)[0]  # (dims, frames)
    if np.isnan(values).all():
        length = f"{len(wave) / rate * 1000:.0f} ms"
        raise DataError(f"too short: openSMILE makes no {name} {level} of {length}; 70 ms are enough.")
    values = np.nan_to_num(values.astype(np.float32, copy=False), nan=0.0, posinf=0.0, neginf=0.0)
    return values[:, 0] if level == "functionals" else np.ascontiguousarray(values.T)


def layout(*, set: str = "IS10", level: str = "functionals") -> Layout:
    """Return the layout; long names of a set stand for the short one."""
    name = _canonical(set)
    label = name if level == "functionals" else f"{name}-{level}"
    version = f"{VERSION} opensmile-{importlib.metadata.version('opensmile')}"
    grid = Grid(hop=HOP_MS, start=FRAME_MS.get(name, 20) / 2, unit="ms") if level == "lld" else None
    return Layout(label, level == "lld", {"set": name, "level": level}, version, grid)


def names(rate: int, *, set: str = "IS10", level: str = "functionals") -> list[str]:
    """Return openSMILE's own names."""
    return list(_smile(_canonical(set), level).feature_names)


def _canonical(name: str) -> str:
    short = ALIASES.get(name, name)
    if short not in SETS:
        raise ConfigError(f"{name!r} is not an openSMILE set.{nearest(name, SETS)} Known: {', '.join(SETS)}.")
    return short


@lru_cache
def _smile(name: str, level: str) -> "Smile":
    _bind_to_itself()
    import opensmile  # 2.6 s of CPU: not for reading a layout

    return opensmile.Smile(opensmile.FeatureSet[name], opensmile.FeatureLevel[LEVELS[level]], num_workers=1)


def _bind_to_itself() -> None:
    """On Linux openSMILE's library calls TensorFlow's C++ symbols where those were loaded first, and crashes.

    Loaded once with its own symbols before all others, it keeps to them; the package then finds it loaded.
    """
    if sys.platform == "linux":
        package = Path(importlib.util.find_spec("opensmile").origin).parent
        for library in package.glob(f"core/bin/*_{platform.machine()}/libSMILEapi.so"):
            ctypes.CDLL(str(library), mode=os.RTLD_NOW | os.RTLD_DEEPBIND)
