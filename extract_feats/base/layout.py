"""What a feature plug-in states of its output (``Layout``, ``Grid``), and the check of its input (``mono``)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from utils.errors import DataError


@dataclass(frozen=True)
class Grid:
    """When the frames are: frame t is centred on ``start + t * hop``.

    Attributes:
        hop: from one centre to the next.
        start: the first centre; 0 is the clip's first sample.
        unit: "ms", or "samples" at the wave's own rate, which a layout does not know.
    """

    hop: float
    start: float
    unit: Literal["ms", "samples"]

    def in_ms(self, rate: int) -> tuple[float, float]:
        """Return hop and start in ms for a wave at ``rate`` Hz.

        >>> Grid(hop=160, start=0, unit="samples").in_ms(16000)
        (10.0, 0.0)
        """
        scale = 1.0 if self.unit == "ms" else 1000 / rate
        return self.hop * scale, self.start * scale


@dataclass(frozen=True)
class Layout:
    """What a feature plug-in says about its output before it has computed any.

    Attributes:
        label: short name for people and folder names, e.g. "IS10", "stack187"; may be "".
        frames: True for (frames, dims) output, False for (dims,).
        recipe: the arguments in one canonical spelling; equal output means equal recipe.
        version: of our code, the libraries and the weights that make the numbers; a change means other numbers.
        grid: when the frames are; None for vectors, and where a plug-in does not say, which fusion then refuses.
    """

    label: str
    frames: bool
    recipe: dict
    version: str
    grid: Grid | None = None


def mono(wave: np.ndarray, rate: int, shortest: int = 1) -> np.ndarray:
    """Return the wave (n,) as contiguous float32.

    Raises:
        DataError: not one channel, fewer than ``shortest`` samples, or samples that are not finite.
    """
    wave = np.ascontiguousarray(wave, dtype=np.float32)
    if wave.ndim != 1:
        raise DataError(f"extraction needs a mono wave of shape (n,), got {wave.shape}.")
    if len(wave) < shortest:
        raise DataError(
            f"too short: {len(wave) / rate * 1000:.0f} ms, one frame of these features "
            f"needs {shortest / rate * 1000:.0f} ms ({shortest} samples at {rate} Hz)."
        )
    if not np.isfinite(wave).all():
        raise DataError("the wave holds samples that are not finite.")
    return wave
