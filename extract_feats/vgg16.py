"""VGG16: 512 values per window of 128 log-mel frames, from a network trained on the photographs of ImageNet.

``vgg16.onnx`` below $SER_PRETRAINED (``pretrained/``) is made once from the weights that Keras offers, by
``python -m extract_feats.convert vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 vgg16.onnx``.

A clip's log-mel frames (as ``logmel`` makes them at its default frame sizes) get mean 0 and deviation 1 over the
whole clip, so that its level does not count, and are scaled to the contrast of the photographs, as in the network
``vgg16`` of the zoo; there the training set's statistics of each band scale them. Windows of 128 frames every 64;
frames after the last whole window are dropped, a shorter clip is padded to one; the last pooling is averaged. Simonyan
& Zisserman 2015, arXiv 1409.1556.

Licence: CC BY 4.0, the weights that were trained on ImageNet, www.robots.ox.ac.uk/~vgg/research/very_deep.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from extract_feats import Grid, Layout, logmel
from extract_feats.pretrained import encoder
from utils.errors import ConfigError
from utils.imagenet import CONTRAST

WINDOW, HOP, SMALLEST = 128, 64, 32  # frames; bands that five poolings need
FRAME_HOP = 160  # samples, logmel's default
DIMS, INPUT, EMBEDDING = 512, "images", "embedding"
WEIGHTS = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
VERSION = "1"


def extract(
    wave: np.ndarray,
    rate: int,
    *,
    model: str = "vgg16.onnx",
    n_mels: int = 128,
    pool: Literal["frames", "stats"] = "frames",
) -> np.ndarray:
    """Return (windows, 512) float32 of a mono wave (n,), or (1024,) their mean and standard deviation.

    Args:
        rate: Hz.
        model: the ONNX file, absolute or below $SER_PRETRAINED (``pretrained/``).
        n_mels: bands of the log-mel spectrogram, at least 32.
        pool: one embedding per window, or statistics over them.

    Raises:
        ConfigError: no such file, not VGG16, or too few bands.
        DataError: less than 400 samples.
    """
    graph = encoder.located(model, _remedy)
    _need_bands(n_mels)
    if EMBEDDING not in encoder.output_names(graph):
        raise ConfigError(f"{graph}: no output {EMBEDDING}. {_remedy(graph)}")
    cut = images(logmel.extract(wave, rate, n_mels=n_mels))
    frames = np.concatenate([encoder.run(graph, {INPUT: image[None]}, EMBEDDING) for image in cut])
    return frames if pool == "frames" else encoder.pooled(frames)


def layout(*, model: str = "vgg16.onnx", n_mels: int = 128, pool: Literal["frames", "stats"] = "frames") -> Layout:
    """Return the layout; the recipe holds what identifies the network, not where it lies."""
    digest = encoder.digest(encoder.located(model, _remedy))
    _need_bands(n_mels)
    recipe = {"digest": digest, "n_mels": n_mels, "pool": pool}
    grid = Grid(hop=HOP * FRAME_HOP, start=(WINDOW - 1) / 2 * FRAME_HOP, unit="samples")
    label = "-".join([*([] if n_mels == 128 else [str(n_mels)]), *([] if pool == "frames" else [pool])])
    version = f"{VERSION} logmel {logmel.VERSION} {digest}"
    return Layout(label, pool == "frames", recipe, version, grid if pool == "frames" else None)


def names(
    rate: int, *, model: str = "vgg16.onnx", n_mels: int = 128, pool: Literal["frames", "stats"] = "frames"
) -> list[str]:
    """Return e_0, e_1, ... or mean_0, ..., std_0, ...

    Raises:
        ConfigError: too few bands, or more than the rate has room for.
    """
    _need_bands(n_mels)
    logmel.names(rate, n_mels=n_mels)
    return encoder.column_names(DIMS, pool)


def images(frames: np.ndarray) -> np.ndarray:
    """Return (windows, 128, bands) float32 of log-mel frames (frames, bands).

    >>> images(np.eye(200, 64, dtype=np.float32)).shape
    (2, 128, 64)
    """
    scaled = (frames - frames.mean()) * (CONTRAST / max(float(frames.std()), 1e-6))
    padded = np.pad(scaled, ((0, max(0, WINDOW - len(scaled))), (0, 0)))
    cut = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=0)[::HOP]  # (windows, bands, 128)
    return np.ascontiguousarray(cut.transpose(0, 2, 1), np.float32)


def _need_bands(n_mels: int) -> None:
    if n_mels < SMALLEST:
        raise ConfigError(f"vgg16 needs n_mels of at least {SMALLEST}, got {n_mels}.")


def _remedy(graph: Path) -> str:
    where = "https://storage.googleapis.com/tensorflow/keras-applications/vgg16"
    make = f"python -m extract_feats.convert {WEIGHTS} {graph}"
    return f"Keras has its weights: curl -O {where}/{WEIGHTS}; make the graph by {make}"
