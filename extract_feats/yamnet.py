"""YAMNet: 1024 values per patch of .975 s, from a MobileNet trained on the 521 sound classes of AudioSet.

``yamnet.onnx`` below $SER_PRETRAINED (``pretrained/``) is made once from Google's LiteRT file, by
``python -m extract_feats.convert yamnet.tflite yamnet.onnx``; its 8-bit weights are kept, the arithmetic
is float32. LiteRT computing in float32 gives the same within 1e-4; its default kernels also round the activations
to 8 bits, each in its own way, and differ from one another by more than from this.

Patches of 96 frames of 25 ms every 10 ms follow one another at half overlap, .48 s; the clip's end is padded with
zeros to a whole patch, as in the reference code. Gemmeke et al. 2017, doi 10.1109/ICASSP.2017.7952261 (AudioSet);
Howard et al. 2017, arXiv 1704.04861 (MobileNet).

Licence: Apache-2.0, network and weights, github.com/tensorflow/models/tree/master/research/audioset/yamnet.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from extract_feats import Grid, Layout, mono
from extract_feats.pretrained import encoder
from utils.errors import ConfigError

RATE, PATCH, HOP, SHORTEST = 16000, 15600, 7680, 400  # Hz, samples; the shortest is one frame of the spectrogram
DIMS = 1024
EMBEDDING = "yamnet_frames/global_average_pooling2d/Mean"
VERSION = "1"


def extract(
    wave: np.ndarray, rate: int, *, model: str = "yamnet.onnx", pool: Literal["frames", "stats"] = "frames"
) -> np.ndarray:
    """Return (patches, 1024) float32 of a mono wave (n,), or (2048,) their mean and standard deviation.

    Args:
        rate: Hz, 16,000.
        model: the ONNX file, absolute or below $SER_PRETRAINED (``pretrained/``).
        pool: an embedding every .48 s, or statistics over them.

    Raises:
        ConfigError: no such file, not YAMNet, or another rate.
        DataError: less than 25 ms.
    """
    graph = encoder.located(model, _remedy)
    encoder.need_rate(rate, RATE, "yamnet")
    if EMBEDDING not in encoder.output_names(graph):
        raise ConfigError(f"{graph}: no output {EMBEDDING}. {_remedy(graph)}")
    entry = encoder.session(graph).get_inputs()[0].name
    frames = [encoder.run(graph, {entry: patch[None]}, EMBEDDING) for patch in patches(mono(wave, rate, SHORTEST))]
    frames = np.concatenate(frames)  # (patches, 1024)
    return frames if pool == "frames" else encoder.pooled(frames)


def layout(*, model: str = "yamnet.onnx", pool: Literal["frames", "stats"] = "frames") -> Layout:
    """Return the layout; the recipe holds what identifies the network, not where it lies."""
    digest = encoder.digest(encoder.located(model, _remedy))
    grid = Grid(hop=1000 * HOP / RATE, start=500 * PATCH / RATE, unit="ms")
    label, frames = ("", True) if pool == "frames" else (pool, False)
    return Layout(label, frames, {"digest": digest, "pool": pool}, f"{VERSION} {digest}", grid if frames else None)


def names(rate: int, *, model: str = "yamnet.onnx", pool: Literal["frames", "stats"] = "frames") -> list[str]:
    """Return e_0, e_1, ... or mean_0, ..., std_0, ...

    Raises:
        ConfigError: another rate.
    """
    encoder.need_rate(rate, RATE, "yamnet")
    return encoder.column_names(DIMS, pool)


def patches(wave: np.ndarray) -> np.ndarray:
    """Return (patches, 15600): the wave (n,) cut at half overlap, its end padded with zeros.

    >>> patches(np.ones(15601, np.float32)).shape
    (2, 15600)
    """
    n_hops = max(0, -(-(len(wave) - PATCH) // HOP))
    padded = np.pad(wave, (0, PATCH + n_hops * HOP - len(wave)))
    return np.lib.stride_tricks.sliding_window_view(padded, PATCH)[::HOP]


def _remedy(graph: Path) -> str:
    source = graph.with_suffix(".tflite")
    return f"Make it from Google's LiteRT file: python -m extract_feats.convert {source} {graph}"
