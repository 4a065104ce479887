"""Distilled: frames of a small encoder of this project, trained to imitate Whisper's middle layers; or their mean.

The encoder is in the repository, ``pretrained/distilled/encoder.onnx``, and reads the log-mel spectrogram of
``extract_feats/logmel.py``: neither a download nor librosa or openSMILE is needed. ``python -m distillation`` trained
it, on speech whose labels it did not read; encoder.json beside it lists which. It takes clips at an equal level,
``clip: {level: active, trim: adaptive}``. Frame i is centred on 40 ms * i.

The mean over time is what it was trained for. Its axes are turned at random, so that all values have about the same
variance and standardising them changes no distance between clips.

Licence: CC BY-NC-SA 4.0, the network and its weights, which learned from RAVDESS; its teacher is Whisper, MIT.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from extract_feats import Grid, Layout, logmel, mono
from extract_feats.pretrained import encoder
from utils.plugins import ROOT

RATE, SHORTEST = 16000, 800  # Hz, samples
VERSION = "1"


def extract(
    wave: np.ndarray, rate: int, *, model: str = "distilled", pool: Literal["frames", "stats", "mean"] = "mean"
) -> np.ndarray:
    """Return (E,) float32, the mean over time of a mono wave (n,); or frames (T, E), T = ceil((1 + n // 160) / 4).

    For ``stats`` it is the mean and the standard deviation over time, (2 E,).

    Args:
        rate: Hz, 16,000.
        model: folder with ``encoder.onnx``, absolute, below ``pretrained/`` here, or below $SER_PRETRAINED.
        pool: "frames" at 25 Hz, or statistics over them.

    Raises:
        ConfigError: no such encoder, or another rate.
        DataError: fewer than 800 samples.
    """
    encoder.need_rate(rate, RATE, "distilled")
    columns = logmel.extract(mono(wave, rate, SHORTEST), rate)
    feed = {"log_mel": columns[None], "lengths": np.array([len(columns)])}
    frames = encoder.run(_graph(model), feed, "frames")[0]
    return frames if pool == "frames" else encoder.pooled(frames, pool)


def layout(*, model: str = "distilled", pool: Literal["frames", "stats", "mean"] = "mean") -> Layout:
    """Return the layout; the recipe holds what identifies the network, not where it lies."""
    digest = encoder.digest(_graph(model))
    grid = Grid(hop=40.0, start=0.0, unit="ms") if pool == "frames" else None
    return Layout(pool, pool == "frames", {"digest": digest, "pool": pool}, f"{VERSION} {digest}", grid)


def names(rate: int, *, model: str = "distilled", pool: Literal["frames", "stats", "mean"] = "mean") -> list[str]:
    """Return e_0, e_1, ... or mean_0, ..., std_0, ...

    Raises:
        ConfigError: as ``extract``.
    """
    encoder.need_rate(rate, RATE, "distilled")
    return encoder.column_names(encoder.session(_graph(model)).get_outputs()[0].shape[-1], pool)


def _graph(model: str) -> Path:
    tracked = ROOT / "pretrained" / model / "encoder.onnx"
    return tracked if tracked.is_file() else encoder.located(f"{model}/encoder.onnx", _remedy)


def _remedy(graph: Path) -> str:
    return f"Train one: python -m distillation --config config/general.yaml --out {graph.parent}"
