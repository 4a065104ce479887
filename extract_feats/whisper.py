"""Whisper: frames of the middle layers of its speech encoder, or their mean and standard deviation.

Of Whisper's encoder the middle layers tell most about emotion, and a linear model reads it: layers 2 to 4 of the base
size. ``encoder.onnx`` in the model's folder holds the blocks that are needed. This fetches the encoder and makes it:

    python -m extract_feats.download whisper-base --blocks 4

The input is Whisper's log-mel spectrogram of the clip alone: the reference pads every clip with silence to 30 s, which
makes a clip of 3 s ten times as slow. Clips of more than 30 s are read in overlapping pieces. Frame i is
centred on 20 ms * i. A change of gain shifts the log-mel; ``clip: {level: active}`` makes the level equal first. Clips
are computed one at a time: batches of equal length are hardly faster (benchmarks/whisper_precision.py), and in 8 bits
the numbers of a clip would depend on its neighbours.

Radford et al. 2022, arXiv 2212.04356.

Licence: MIT, network and weights, huggingface.co/openai/whisper-base.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from extract_feats import Grid, Layout, mono
from extract_feats.dsp.whisper_mel import N_FFT, RATE, log_mel
from extract_feats.pretrained import encoder
from utils.errors import ConfigError

PIECE, OVERLAP = 3000, 200  # columns of the spectrogram at 100 Hz: 30 s are what the positions reach, 2 s are shared
FILES = {"full": "encoder.onnx", "half": "encoder-half.onnx", "int8": "encoder-int8.onnx"}
SIZES = ("whisper-tiny", "whisper-base", "whisper-small", "whisper-medium", "whisper-large-v3")  # can be fetched
VERSION = "1"


def extract(
    wave: np.ndarray,
    rate: int,
    *,
    model: str = "whisper-base",
    layers: list[int] = [2, 3, 4],
    combine: Literal["join", "mean"] = "join",
    pool: Literal["frames", "stats", "mean"] = "stats",
    precision: Literal["full", "half", "int8"] = "full",
) -> np.ndarray:
    """Return (T, D) float32 frames of a mono wave (n,), T = ceil(n // 160 / 2), or statistics of them over time.

    The statistics are mean and deviation (2 D,), or the mean alone (D,).

    D is the encoder's width (512 of the base size) times the number of layers, or the width alone for ``mean``.

    Args:
        rate: Hz, 16,000.
        model: the encoder's folder, absolute or below $SER_PRETRAINED (``pretrained/``).
        layers: numbers of the blocks whose outputs are taken, from 1.
        combine: "join" puts the layers side by side, "mean" averages them.
        pool: "frames" at 50 Hz; "stats", their mean and standard deviation over time; "mean" alone, which is less exact
            on clips as recorded and more robust against noise, other channels and other corpora.
        precision: which graph: in float32, with matrices stored in half precision, or in 8 bits.

    Raises:
        ConfigError: no such encoder, another rate, or a layer that the graph does not have.
        DataError: fewer than 400 samples.
    """
    graph = _graph_with(model, layers, precision)
    encoder.need_rate(rate, RATE, "whisper")
    columns = log_mel(mono(wave, rate, N_FFT), _bands(graph))
    outputs = [f"layer_{number}" for number in layers]
    parts = [_frames(graph, outputs, columns[:, start:end], combine) for start, end in _pieces(columns.shape[1])]
    frames = _overlapped(parts)
    return frames if pool == "frames" else encoder.pooled(frames, pool)


def layout(
    *,
    model: str = "whisper-base",
    layers: list[int] = [2, 3, 4],
    combine: Literal["join", "mean"] = "join",
    pool: Literal["frames", "stats", "mean"] = "stats",
    precision: Literal["full", "half", "int8"] = "full",
) -> Layout:
    """Return the layout; the recipe holds what identifies the network, not where it lies."""
    digest = encoder.digest(_graph(model, layers, precision))
    recipe = {"digest": digest, "layers": list(layers), "combine": combine, "pool": pool}
    label = "-".join([Path(model).name, "layers" + "".join(f"{number}." for number in layers).rstrip("."), pool])
    grid = Grid(hop=20.0, start=0.0, unit="ms") if pool == "frames" else None
    return Layout(label, pool == "frames", recipe, f"{VERSION} {digest}", grid)


def names(
    rate: int,
    *,
    model: str = "whisper-base",
    layers: list[int] = [2, 3, 4],
    combine: Literal["join", "mean"] = "join",
    pool: Literal["frames", "stats", "mean"] = "stats",
    precision: Literal["full", "half", "int8"] = "full",
) -> list[str]:
    """Return e_0, e_1, ... or mean_0, ..., std_0, ...

    Raises:
        ConfigError: as ``extract``.
    """
    encoder.need_rate(rate, RATE, "whisper")
    width = encoder.session(_graph_with(model, layers, precision)).get_outputs()[0].shape[-1]
    return encoder.column_names(width * (len(layers) if combine == "join" else 1), pool)


def _graph(model: str, layers: list[int], precision: str) -> Path:
    """Return the graph's file; it is not loaded, so that reading a layout stays cheap."""
    folder = encoder.locate(model)
    graph = folder / FILES[precision]
    if not graph.is_file():
        raise encoder.missing(folder, [graph.name], _remedy(folder, layers, precision))
    return graph


def _graph_with(model: str, layers: list[int], precision: str) -> Path:
    """Return the graph's file, once it is known to have these layers."""
    graph = _graph(model, layers, precision)
    available = len(encoder.output_names(graph))
    if not layers or not all(1 <= number <= available for number in layers):
        raise ConfigError(
            f"{graph}: layers must be numbers from 1 to {available}, got {layers}. "
            f"For more blocks: {_remedy(graph.parent, layers, precision)}"
        )
    return graph


def _remedy(folder: Path, layers: list[int], precision: str) -> str:
    blocks = f" --blocks {max(layers)}" if layers else ""
    kind = "" if precision == "full" else f" --precision {precision}"
    if folder.name in SIZES:
        where = "" if folder == encoder.locate(folder.name) else f" --to {folder.parent}"
        return f"Get it: python -m extract_feats.download {folder.name}{blocks}{kind}{where}"
    weights, graph = folder / "model.safetensors", folder / FILES[precision]
    return f"Make it: python -m extract_feats.convert {weights} {graph}{blocks}{kind}"


def _bands(graph: Path) -> int:
    return encoder.session(graph).get_inputs()[0].shape[1]


def _pieces(columns: int) -> list[tuple[int, int]]:
    """Return first and last column of each piece; all but the last are 30 s, neighbours share 2 s."""
    starts = range(0, max(1, columns - OVERLAP), PIECE - OVERLAP)
    return [(start, min(columns, start + PIECE)) for start in starts]


def _frames(graph: Path, outputs: list[str], columns: np.ndarray, combine: str) -> np.ndarray:
    """Return the layers' frames (T, D) of one piece of the spectrogram."""
    layers = encoder.run_many(graph, {"log_mel": columns[None]}, outputs)
    return np.concatenate([layer[0] for layer in layers], axis=1) if combine == "join" else np.mean(layers, axis=0)[0]


def _overlapped(parts: list[np.ndarray]) -> np.ndarray:
    """Return pieces of frames in one, each cut in the middle of what it shares with its neighbours."""
    shared = OVERLAP // 2  # columns to frames
    cut = [
        part[shared // 2 if number else 0 : len(part) - (shared - shared // 2 if number < len(parts) - 1 else 0)]
        for number, part in enumerate(parts)
    ]
    return np.concatenate(cut)
