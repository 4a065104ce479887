"""Several features side by side: vectors as one vector, or frames on one time grid, e.g. log-mel 128 and HuBERT 768.

Vectors are joined as they are. Every part that gives frames tells when they are (its layout's grid), and is read
between them at the times of the rows. The rows stand on the frames of the first part whose hop is ``hop_ms``, which
so goes in as it is; if no part has that hop, they begin at 0. Before a part's first frame and after its last, that
frame holds.
"""

from typing import Literal

import numpy as np

from extract_feats import Layout, mono
from utils import plugins
from utils.errors import ConfigError
from utils.plugins import Section

VERSION = "1"


def extract(
    wave: np.ndarray,
    rate: int,
    *,
    parts: list[Section] = [{"name": "logmel", "n_mels": 128}, {"name": "hubert"}],
    hop_ms: float = 20.0,
    between: Literal["linear", "nearest"] = "linear",
) -> np.ndarray:
    """Return (dims,) or (frames, dims) float32 of a mono wave (n,): the columns of the parts in their order.

    Args:
        rate: Hz, as every part takes it.
        parts: two or more ``features`` sections, all of which give one vector, or all frames.
        hop_ms: from one row of frames to the next.
        between: how frames are read between two of them.

    Raises:
        ConfigError: vectors beside frames, frames that do not say when they are, or as the parts do.
        DataError: as the parts do.
    """
    layouts = _layouts(parts, hop_ms)
    wave = mono(wave, rate)
    values = [plugins.call("features", part, "extract", wave, rate) for part in parts]
    if not layouts[0].frames:
        return np.concatenate(values)
    grids = [layout.grid.in_ms(rate) for layout in layouts]
    times = [start + hop * np.arange(len(frames)) for (hop, start), frames in zip(grids, values, strict=True)]
    rows = next((t for t, (hop, _) in zip(times, grids, strict=True) if np.isclose(hop, hop_ms)), None)
    if rows is None:
        rows = np.arange(0, 1000 * len(wave) / rate, hop_ms)
    return np.hstack([_read(frames, t, rows, between) for frames, t in zip(values, times, strict=True)])


def layout(
    *,
    parts: list[Section] = [{"name": "logmel", "n_mels": 128}, {"name": "hubert"}],
    hop_ms: float = 20.0,
    between: Literal["linear", "nearest"] = "linear",
) -> Layout:
    """Return the layout; its recipe and version are made of those of the parts."""
    layouts = _layouts(parts, hop_ms)
    made = [{"plugin": part["name"], "arguments": layout.recipe} for part, layout in zip(parts, layouts, strict=True)]
    frames = layouts[0].frames
    recipe = {"parts": made} | ({"hop_ms": float(hop_ms), "between": between} if frames else {})
    version = " + ".join([VERSION, *(layout.version for layout in layouts)])
    return Layout("-".join(part["name"] for part in parts), frames, recipe, version)


def names(
    rate: int,
    *,
    parts: list[Section] = [{"name": "logmel", "n_mels": 128}, {"name": "hubert"}],
    hop_ms: float = 20.0,
    between: Literal["linear", "nearest"] = "linear",
) -> list[str]:
    """Return the names of the parts' columns after the part's, e.g. logmel.mel_0, hubert.e_0."""
    _layouts(parts, hop_ms)
    kinds = [part["name"] for part in parts]
    prefixes = [f"{kind}{i + 1}" if kinds.count(kind) > 1 else kind for i, kind in enumerate(kinds)]
    columns = [plugins.call("features", part, "names", rate) for part in parts]
    return [f"{prefix}.{name}" for prefix, names in zip(prefixes, columns, strict=True) for name in names]


def _read(frames: np.ndarray, times: np.ndarray, rows: np.ndarray, between: str) -> np.ndarray:
    """Return frames (T, D) at times (T,), both in ms, at the rows (R,): (R, D) float32."""
    place = np.interp(rows, times, np.arange(len(times)))  # (R,), held at both ends
    if between == "nearest":
        return frames[np.floor(place + 0.5).astype(int)]
    before = place.astype(int)
    after = np.minimum(before + 1, len(frames) - 1)
    share = (place - before).astype(np.float32)[:, None]
    return frames[before] * (1 - share) + frames[after] * share


def _layouts(parts: list[Section], hop_ms: float) -> list[Layout]:
    if len(parts) < 2:
        raise ConfigError(
            f"fusion needs two parts or more, got {len(parts)}: parts: [{{name: logmel}}, {{name: hubert}}]."
        )
    if not 1 <= hop_ms <= 1000:
        raise ConfigError(f"fusion needs hop_ms of 1 to 1000, got {hop_ms:g}.")
    layouts = [plugins.call("features", part, "layout") for part in parts]
    if not any(layout.frames for layout in layouts):
        return layouts
    for part, layout in zip(parts, layouts, strict=True):
        if layout.grid is None:
            what = "does not say when its frames are" if layout.frames else "gives one vector per clip"
            raise ConfigError(
                f"fusion joins frames with frames, and {part['name']} {what} with these settings. "
                "Frames come from logmel, librosa_frames, opensmile (level: lld), hubert and yamnet (pool: frames)."
            )
    return layouts
