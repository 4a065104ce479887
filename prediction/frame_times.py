"""The times of the frames that a model pays attention to."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from utils import plugins


def frame_seconds(features: Mapping[str, Any], rate: int, frames: int, seconds: float) -> np.ndarray:
    """Return the centre (frames,) of each frame in seconds.

    Args:
        features: a config's or a card's ``features`` section, of a recipe of frames.
        rate: Hz of the wave.
        frames: number of frames.
        seconds: duration of the clip; where a plug-in does not say when its frames are, they divide it evenly.
    """
    grid = plugins.call("features", features, "layout").grid
    numbers = np.arange(frames)
    if grid is None:
        return (numbers + 0.5) / frames * seconds
    hop, start = grid.in_ms(rate)
    return (start + numbers * hop) / 1000
