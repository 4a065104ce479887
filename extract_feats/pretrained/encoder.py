"""Pretrained networks as local ONNX files: where they lie, what identifies them, how they run.

A name is looked up below $SER_PRETRAINED, or below ``pretrained/`` in the checkout; an absolute path is taken as it
stands. Nothing is fetched at run time. What a cached feature depends on is the content of the file, so its digest
stands in the recipe and in the version, and its path does not: a moved file changes nothing, another file everything.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from utils.errors import ConfigError, DataError
from utils.pretrained import locate

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BLOCK_BYTES = 1 << 20


def missing(where: Path, files: Sequence[str], remedy: str) -> ConfigError:
    """Return the error that names the files a folder lacks and the command that brings them."""
    return ConfigError(f"{where}: not there: {', '.join(files)}. {remedy}")


def located(model: str, remedy: Callable[[Path], str]) -> Path:
    """Return the file of a network that is one graph; ConfigError with ``remedy(file)`` if it is not there."""
    graph = locate(model)
    if not graph.is_file():
        raise missing(graph.parent, [graph.name], remedy(graph))
    return graph


def need_rate(rate: int, wanted: int, model: str) -> None:
    """Raise ConfigError unless the experiment's rate is the one that the network was trained at."""
    if rate != wanted:
        raise ConfigError(f"{model} takes audio at {wanted} Hz, got {rate}. Set rate: {wanted}.")


def digest(graph: Path) -> str:
    """Return 16 hex digits over a graph file and the files of weights beside it (model.onnx_data, ...)."""
    return _digest(tuple(_stamped(path) for path in _parts(graph)))


def session(graph: Path) -> "InferenceSession":
    """Return the graph loaded, once per process, computing with one thread: clips go in parallel, not their layers.

    Raises:
        ConfigError: not a graph that ONNX Runtime can load.
    """
    return _session(tuple(_stamped(path) for path in _parts(graph)))


def output_names(graph: Path) -> list[str]:
    """Return the names of a graph's outputs."""
    return [tensor.name for tensor in session(graph).get_outputs()]


def run(graph: Path, feed: Mapping[str, np.ndarray], output: str) -> np.ndarray:
    """Return one output of a graph; raise what ``run_many`` does."""
    return run_many(graph, feed, [output])[0]


def run_many(graph: Path, feed: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
    """Return several outputs of a graph.

    Raises:
        ConfigError: the graph does not take these inputs.
        DataError: there is no memory for a clip of this length: attention takes it by its square.
    """
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

    try:
        return session(graph).run(list(outputs), dict(feed))
    except (Fail, InvalidArgument, RuntimeException) as error:
        if "alloc" in str(error).lower():
            raise DataError(f"too long for {graph.name}: {_line(error)}.") from error
        raise ConfigError(f"{graph}: does not run on this input: {_line(error)}.") from error


def pooled(frames: np.ndarray, pool: str = "stats") -> np.ndarray:
    """Return mean and standard deviation over time, (2 * dims,), of (frames, dims); for "mean" the mean, (dims,)."""
    mean = frames.mean(axis=0)
    return mean if pool == "mean" else np.concatenate([mean, frames.std(axis=0)])


def column_names(dims: int, pool: str) -> list[str]:
    """Return the names of an embedding's columns, or of those of its pooled statistics."""
    if pool == "frames":
        return [f"e_{i}" for i in range(dims)]
    return [f"{statistic}_{i}" for statistic in ("mean", "std")[: 1 if pool == "mean" else 2] for i in range(dims)]


def _parts(graph: Path) -> list[Path]:
    return [graph, *sorted(path for path in graph.parent.glob(f"{graph.name}[_.]*") if path.is_file())]


def _stamped(path: Path) -> tuple[Path, int, int]:
    status = path.stat()
    return path, status.st_size, status.st_mtime_ns  # a file that is replaced while a process runs is read again


@lru_cache
def _digest(stamped: tuple[tuple[Path, int, int], ...]) -> str:
    hashed = hashlib.blake2b(digest_size=8)
    for path, size, _ in stamped:
        hashed.update(f"{size} ".encode())
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                hashed.update(block)
    return hashed.hexdigest()


@lru_cache(maxsize=4)
def _session(stamped: tuple[tuple[Path, int, int], ...]) -> "InferenceSession":
    from utils.onnx_session import onnxruntime  # .4 s: not for reading a layout

    state = onnxruntime.capi.onnxruntime_pybind11_state

    graph = stamped[0][0]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except (state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented, state.NoSuchFile) as error:
        raise ConfigError(f"{graph}: not a graph that ONNX Runtime loads: {_line(error)}. Fetch it again.") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
