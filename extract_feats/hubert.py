"""HuBERT, wav2vec 2.0, WavLM or emotion2vec: frames of a pretrained speech encoder, or their statistics.

Any ONNX encoder in a local folder as the Hugging Face hub lays it out: ``config.json``, ``preprocessor_config.json``
and ``onnx/model.onnx`` (or ``model.onnx``), with ``input_values`` (B, N) at 16,000 Hz in and ``last_hidden_state``
(B, T, D) out. Of the base models D is 768, of the large ones 1024. Seven convolutions of strides 5, 2, 2, 2, 2, 2, 2
see 400 samples (25 ms) every 320 (20 ms). The whole clip is one input, and attention takes memory with its square.

Hsu et al. 2021, doi 10.1109/TASLP.2021.3122291 (HuBERT); Baevski et al. 2020, arXiv 2006.11477 (wav2vec 2.0);
Chen et al. 2022, doi 10.1109/JSTSP.2022.3188113 (WavLM); Ma et al. 2024, doi 10.18653/v1/2024.findings-acl.931
(emotion2vec).

Licence: that of the encoder whose files were put there, as its page on the hub states it.
"""

import json
import math
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from extract_feats import Grid, Layout, mono
from extract_feats.pretrained import encoder
from utils.errors import ConfigError

KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)  # where config.json does not say
GRAPHS = ("onnx/model.onnx", "model.onnx")
SETTINGS = ("config.json", "preprocessor_config.json")
READY = {"hubert-base-ls960": "Xenova/hubert-base-ls960"}  # repositories that hold the graph itself
PUBLISHERS = {"wavlm": "microsoft"}  # else facebook
SMALLEST_VARIANCE = 1e-7  # added by the reference feature extractor
VERSION = "1"


def extract(
    wave: np.ndarray,
    rate: int,
    *,
    model: str = "hubert-base-ls960",
    layer: int | None = None,
    pool: Literal["frames", "stats"] = "frames",
) -> np.ndarray:
    """Return (1 + (n - 400) // 320, D) float32 of a mono wave (n,), or (2 D,) mean and standard deviation.

    Args:
        rate: Hz, 16,000.
        model: the encoder's folder, absolute or below $SER_PRETRAINED (``pretrained/``).
        layer: which of the graph's ``hidden_states.0``, ``.1``, ...; None is its ``last_hidden_state``.
        pool: frames at 50 Hz, or statistics over them.

    Raises:
        ConfigError: no such encoder, another rate, or a layer that the graph does not offer.
        DataError: fewer than 400 samples.
    """
    network = _encoder(model)
    encoder.need_rate(rate, network.rate, model)
    wave = mono(wave, rate, network.size)
    if network.normalise:
        wave = (wave - wave.mean()) / np.sqrt(wave.var() + np.float32(SMALLEST_VARIANCE))
    frames = encoder.run(network.graph, _feed(network.graph, wave[None]), _output(network.graph, layer))[0]  # (T, D)
    frames = frames.astype(np.float32, copy=False)  # a graph in half precision gives halves
    return frames if pool == "frames" else encoder.pooled(frames)


def layout(
    *, model: str = "hubert-base-ls960", layer: int | None = None, pool: Literal["frames", "stats"] = "frames"
) -> Layout:
    """Return the layout; the recipe holds what identifies the network, not where it lies."""
    network = _encoder(model)
    digest = encoder.digest(network.graph)
    recipe = {"digest": digest, "normalise": network.normalise, "layer": layer, "pool": pool}
    parts = [Path(model).name, *([] if layer is None else [f"layer{layer}"]), *([] if pool == "frames" else [pool])]
    grid = Grid(hop=1000 * network.hop / network.rate, start=500 * network.size / network.rate, unit="ms")
    return Layout("-".join(parts), pool == "frames", recipe, f"{VERSION} {digest}", grid if pool == "frames" else None)


def names(
    rate: int,
    *,
    model: str = "hubert-base-ls960",
    layer: int | None = None,
    pool: Literal["frames", "stats"] = "frames",
) -> list[str]:
    """Return e_0, e_1, ... or mean_0, ..., std_0, ...

    Raises:
        ConfigError: as ``extract``.
    """
    network = _encoder(model)
    encoder.need_rate(rate, network.rate, model)
    output = _output(network.graph, layer)
    dims = next(tensor.shape[-1] for tensor in encoder.session(network.graph).get_outputs() if tensor.name == output)
    return encoder.column_names(dims if isinstance(dims, int) else network.dims, pool)


def _feed(graph: Path, waves: np.ndarray) -> dict[str, np.ndarray]:
    """Return the inputs of the graph for waves (B, N): some exports also want a mask."""
    kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
    feed = {}
    for tensor in encoder.session(graph).get_inputs():
        is_mask = "mask" in tensor.name
        feed[tensor.name] = np.ones(waves.shape, np.int64) if is_mask else waves.astype(kinds.get(tensor.type))
    return feed


def _output(graph: Path, layer: int | None) -> str:
    offered = encoder.output_names(graph)
    wanted = "last_hidden_state" if layer is None else f"hidden_states.{layer}"
    if wanted not in offered:
        names = ", ".join(offered)
        what = "layer null" if layer is None else f"layer {layer}"
        raise ConfigError(f"{graph}: {what} asks for the output {wanted}; this graph offers {names}.")
    return wanted


class _Encoder(NamedTuple):
    graph: Path
    rate: int
    normalise: bool
    dims: int
    hop: int
    size: int


def _encoder(model: str) -> _Encoder:
    folder = encoder.locate(model)
    lacking = [name for name in SETTINGS if not (folder / name).is_file()]
    graph = next((folder / name for name in GRAPHS if (folder / name).is_file()), None)
    if lacking or graph is None:
        raise encoder.missing(folder, [*lacking, *([] if graph else [" or ".join(GRAPHS)])], _remedy(model, folder))
    try:
        config, prepared = (json.loads((folder / name).read_text(encoding="utf8")) for name in SETTINGS)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{folder}: {' or '.join(SETTINGS)} is not JSON: {error}. Fetch it again.") from error
    kernels, strides = config.get("conv_kernel", KERNELS), config.get("conv_stride", STRIDES)
    size = 1 + sum((kernel - 1) * math.prod(strides[:i]) for i, kernel in enumerate(kernels))
    rate, normalise = prepared.get("sampling_rate", 16000), bool(prepared.get("do_normalize", True))
    return _Encoder(graph, rate, normalise, config.get("hidden_size", 768), math.prod(strides), size)


def _remedy(model: str, folder: Path) -> str:
    name = Path(model).name
    if name in READY:
        files = " ".join((*SETTINGS, GRAPHS[0]))
        return f"Fetch them: hf download {READY[name]} {files} --local-dir {folder}"
    publisher = next((hub for prefix, hub in PUBLISHERS.items() if name.startswith(prefix)), "facebook")
    export = f"optimum-cli export onnx --model {publisher}/{name} --task feature-extraction {folder}"
    return f"Make them from the hub's (pip install optimum-onnx): {export}"
