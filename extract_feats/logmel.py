"""Log-mel spectrogram: what convolutional and attention networks read as an image.

The frame sizes are in samples. At 16,000 Hz the defaults are the usual 25 and 10 ms; the published
128 x 563 inputs are ``n_mels: 128, n_fft: 1024, window: 512, hop: 256`` at 48,000 Hz for 3 s. A band
narrower than a bin of the transform (n_mels large, n_fft small) can stay at the floor throughout, as in
librosa; 64 bands at n_fft 1024 and 16,000 Hz have none.
"""

from typing import Literal

import numpy as np

from extract_feats import Grid, Layout
from extract_feats.dsp.filters import mel_filters
from extract_feats.dsp.spectrum import Spectrum, check_sizes, decibels
from utils.errors import ConfigError

VERSION = "1"


def extract(
    wave: np.ndarray,
    rate: int,
    *,
    n_mels: int = 64,
    n_fft: int = 1024,
    window: int = 400,
    hop: int = 160,
    fmin: float = 0.0,
    fmax: float | None = None,
    floor: float = 1e-10,
    scale: Literal["db", "ln"] = "db",
) -> np.ndarray:
    """Return (1 + n // hop, n_mels) float32 of a mono wave (n,); frames are centred on multiples of the hop.

    Args:
        rate: Hz.
        n_mels: bands on Slaney's mel scale, of unit area, 64 to 128 as a rule.
        n_fft, window, hop: samples; the Hann window is padded to n_fft.
        fmin, fmax: Hz; fmax None is half the rate.
        floor: smallest power (full scale 1) before the logarithm; 1e-10 is -100 dB.
        scale: 10 log10 or the natural logarithm.

    Raises:
        ConfigError: sizes that make no frame, or a range above half the rate.
        DataError: fewer than ``window`` samples.
    """
    layout(n_mels=n_mels, n_fft=n_fft, window=window, hop=hop, fmin=fmin, fmax=fmax, floor=floor, scale=scale)
    mel = Spectrum(wave, rate, n_fft=n_fft, hop=hop, window=window, n_mels=n_mels, fmin=fmin, fmax=fmax).mel
    level = decibels(mel, floor, range_db=None)
    return level if scale == "db" else level * np.float32(np.log(10) / 10)


def layout(
    *,
    n_mels: int = 64,
    n_fft: int = 1024,
    window: int = 400,
    hop: int = 160,
    fmin: float = 0.0,
    fmax: float | None = None,
    floor: float = 1e-10,
    scale: Literal["db", "ln"] = "db",
) -> Layout:
    """Return the layout; every argument bears on the output."""
    check_sizes(n_fft, hop, window, n_mels)
    if not 1e-30 <= floor < 1:
        raise ConfigError(f"floor is a power, 1e-30 to 1 (full scale), got {floor:g}.")
    if fmin < 0 or (fmax is not None and fmax <= fmin):
        raise ConfigError(f"mel bands need 0 <= fmin < fmax in Hz, got {fmin:g} to {fmax}.")
    recipe = {
        "n_mels": n_mels, "n_fft": n_fft, "window": window, "hop": hop,
        "fmin": float(fmin), "fmax": None if fmax is None else float(fmax),
        "floor": float(floor), "scale": scale,
    }  # fmt: skip
    return Layout(f"{n_mels}", True, recipe, VERSION, Grid(hop=hop, start=0, unit="samples"))


def names(rate: int, **arguments) -> list[str]:
    """Return mel_0, mel_1, ... from the lowest band; the arguments are those of ``layout``.

    Raises:
        ConfigError: as ``layout``, or a range above half the rate.
    """
    recipe = layout(**arguments).recipe
    mel_filters(rate, recipe["n_fft"], recipe["n_mels"], recipe["fmin"], recipe["fmax"])
    return [f"mel_{i}" for i in range(recipe["n_mels"])]
