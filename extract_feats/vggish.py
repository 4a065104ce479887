"""VGGish: 128 values per patch of .96 s, from a VGG-like network trained on the sounds of 8 million videos.

``vggish.onnx`` below $SER_PRETRAINED (``pretrained/``) is made once from Google's checkpoint, by
``python -m extract_feats.convert vggish_model.ckpt vggish.onnx``. With ``pca: true`` the embeddings are whitened and
rounded to 8 bits (0 to 255) by ``vggish_pca_params.npz`` beside it, as in AudioSet's own features.

Frames of 25 ms every 10 ms, periodic Hann, 512 points; magnitudes in 64 mel bands from 125 to 7500 Hz; ln(mel + .01);
patches of 96 frames. Frames after the last whole patch are dropped, as in the reference code; a clip shorter than a
patch is padded with zeros. Hershey et al. 2017, doi 10.1109/ICASSP.2017.7952132.

Licence: Apache-2.0, network and weights, github.com/tensorflow/models/tree/master/research/audioset/vggish.
"""

from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from extract_feats import Grid, Layout, mono
from extract_feats.pretrained import encoder
from utils.errors import ConfigError

RATE, WINDOW, HOP, N_FFT = 16000, 400, 160, 512  # Hz, samples
FRAMES, BANDS, FMIN, FMAX, OFFSET = 96, 64, 125.0, 7500.0, 0.01
DIMS, INPUT, EMBEDDING, WHITEST = 128, "patches", "embedding", 2.0
PCA_FILE = "vggish_pca_params.npz"
VERSION = "1"


def extract(
    wave: np.ndarray,
    rate: int,
    *,
    model: str = "vggish.onnx",
    hop_ms: float = 960.0,
    pca: bool = False,
    pool: Literal["frames", "stats"] = "frames",
) -> np.ndarray:
    """Return (patches, 128) float32 of a mono wave (n,), or (256,) their mean and standard deviation.

    Args:
        rate: Hz, 16,000.
        model: the ONNX file, absolute or below $SER_PRETRAINED (``pretrained/``).
        hop_ms: from one patch to the next, a multiple of 10; 960 is no overlap, as published.
        pca: whiten and round as AudioSet's features are, 0 to 255.
        pool: one embedding per patch, or statistics over them.

    Raises:
        ConfigError: no such file, not VGGish, another rate, or a hop that is not of whole frames.
        DataError: less than 25 ms.
    """
    graph = _graph(model, pca)
    encoder.need_rate(rate, RATE, "vggish")
    if EMBEDDING not in encoder.output_names(graph):
        raise ConfigError(f"{graph}: no output {EMBEDDING}. {_remedy(graph)}")
    cut = patches(mono(wave, rate, WINDOW), _hop(hop_ms))
    frames = np.concatenate([encoder.run(graph, {INPUT: patch[None]}, EMBEDDING) for patch in cut])
    if pca:
        frames = whitened(frames, *_pca(graph.parent / PCA_FILE))
    return frames if pool == "frames" else encoder.pooled(frames)


def layout(
    *,
    model: str = "vggish.onnx",
    hop_ms: float = 960.0,
    pca: bool = False,
    pool: Literal["frames", "stats"] = "frames",
) -> Layout:
    """Return the layout; the recipe holds what identifies the network, not where it lies."""
    graph = _graph(model, pca)
    _hop(hop_ms)
    digest = encoder.digest(graph) + (f" {encoder.digest(graph.parent / PCA_FILE)}" if pca else "")
    recipe = {"digest": digest, "hop_ms": float(hop_ms), "pca": pca, "pool": pool}
    grid = Grid(hop=hop_ms, start=500 * ((FRAMES - 1) * HOP + WINDOW) / RATE, unit="ms")
    label = "-".join([*(["pca"] if pca else []), *([] if pool == "frames" else [pool])])
    return Layout(label, pool == "frames", recipe, f"{VERSION} {digest}", grid if pool == "frames" else None)


def names(
    rate: int,
    *,
    model: str = "vggish.onnx",
    hop_ms: float = 960.0,
    pca: bool = False,
    pool: Literal["frames", "stats"] = "frames",
) -> list[str]:
    """Return e_0, e_1, ... or mean_0, ..., std_0, ...

    Raises:
        ConfigError: another rate.
    """
    encoder.need_rate(rate, RATE, "vggish")
    return encoder.column_names(DIMS, pool)


def patches(wave: np.ndarray, hop: int = FRAMES) -> np.ndarray:
    """Return (patches, 96, 64) float32: the log-mel frames of a wave (n,), cut every ``hop`` frames.

    >>> patches(np.zeros(48000, np.float32)).shape
    (3, 96, 64)
    """
    frames = log_mel(np.pad(wave, (0, max(0, (FRAMES - 1) * HOP + WINDOW - len(wave)))))
    cut = np.lib.stride_tricks.sliding_window_view(frames, FRAMES, axis=0)[::hop]  # (patches, 64, 96)
    return np.ascontiguousarray(cut.transpose(0, 2, 1))


def log_mel(wave: np.ndarray) -> np.ndarray:
    """Return (1 + (n - 400) // 160, 64) float32: ln(mel + .01) of a wave (n,) at 16,000 Hz."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    frames = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP] * window
    magnitude = np.abs(np.fft.rfft(frames, N_FFT, axis=1))  # (T, 257)
    return np.log(magnitude @ mel_weights() + OFFSET).astype(np.float32)


@lru_cache
def mel_weights() -> np.ndarray:
    """Return (257, 64): triangles that are straight on the mel scale 1127 ln(1 + f / 700), of height 1.

    librosa's are straight in Hz. The bin at 0 Hz belongs to none.
    """
    bins = _mel(np.fft.rfftfreq(N_FFT, 1 / RATE))[:, None]
    edges = np.linspace(_mel(FMIN), _mel(FMAX), BANDS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    weights[0] = 0
    weights.flags.writeable = False
    return weights


def whitened(embeddings: np.ndarray, vectors: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return (n, 128) whole numbers of 0 to 255: embeddings (n, 128) along vectors (128, 128) about means (128,)."""
    white = (embeddings - means) @ vectors.T
    return np.floor((np.clip(white, -WHITEST, WHITEST) + WHITEST) * (255 / (2 * WHITEST))).astype(np.float32)


def _mel(hz: np.ndarray | float) -> np.ndarray:
    return 1127 * np.log1p(np.asarray(hz) / 700)


def _hop(hop_ms: float) -> int:
    hop = round(hop_ms * RATE / 1000 / HOP)
    if hop < 1 or abs(hop * HOP * 1000 / RATE - hop_ms) > 1e-6:
        raise ConfigError(f"vggish needs a hop_ms of whole frames of 10 ms, e.g. 960 or 480, got {hop_ms:g}.")
    return hop


def _pca(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path) as stored:
        return stored["pca_eigen_vectors"], stored["pca_means"].reshape(-1)


def _graph(model: str, pca: bool) -> Path:
    graph = encoder.locate(model)
    lacking = [graph.name] if not graph.is_file() else []
    if pca and not (graph.parent / PCA_FILE).is_file():
        lacking.append(PCA_FILE)
    if lacking:
        raise encoder.missing(graph.parent, lacking, _remedy(graph))
    return graph


def _remedy(graph: Path) -> str:
    where = "curl -O https://storage.googleapis.com/audioset"
    make = f"python -m extract_feats.convert vggish_model.ckpt {graph}"
    return f"Google has both: {where}/vggish_model.ckpt; {where}/{PCA_FILE}; make the graph by {make}"
