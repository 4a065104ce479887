"""ONNX Runtime without its telemetry: no device id and no list of events in the user's home.

It is on by default from 1.31 on and asks the environment while it is loaded (Privacy.md of ONNX Runtime). Loading ONNX
Runtime takes 0.4 s: import this module where a graph is opened.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from utils.errors import DataError

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

__all__ = ["LOAD_ERRORS", "LONGEST_CALL", "onnxruntime", "open_session", "run_session"]

LONGEST_CALL = 600.0  # seconds of one call for up to 64 clips; a graph can hold a loop without end
_STATE = onnxruntime.capi.onnxruntime_pybind11_state
LOAD_ERRORS = (  # of a damaged graph
    _STATE.Fail, _STATE.InvalidArgument, _STATE.InvalidGraph, _STATE.InvalidProtobuf, _STATE.NotImplemented,
    _STATE.RuntimeException,
)  # fmt: skip


def open_session(path: Path, *, threads: int = 0) -> onnxruntime.InferenceSession:
    """Return a session of the graph on the CPU, which reports errors alone; ``threads`` 0 takes every core.

    Raises:
        LOAD_ERRORS: a damaged graph.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_session(
    session: onnxruntime.InferenceSession, outputs: Sequence[str], feed: Mapping[str, np.ndarray], where: str
) -> list[np.ndarray]:
    """Return the outputs of a graph, which is stopped after ``LONGEST_CALL`` seconds.

    The limit is on time alone, and is looked at between the nodes of the graph: one node that takes forever, or a graph
    that takes all memory, ends with the process.

    Args:
        session: of the graph.
        outputs: their names.
        feed: input name -> array.
        where: the beginning of an error message.

    Raises:
        DataError: the graph fails on this input, or takes too long.
    """
    options = onnxruntime.RunOptions()
    options.log_severity_level = 4  # the error is told once, by the exception
    stop = threading.Timer(LONGEST_CALL, setattr, (options, "terminate", True))
    stop.daemon = True
    stop.start()
    try:
        return session.run(list(outputs), dict(feed), options)
    except (*LOAD_ERRORS, ValueError) as error:  # ValueError: ONNX Runtime's own on missing inputs
        late = options.terminate
        reason = f"took more than {LONGEST_CALL:g} s" if late else f"fails: {' '.join(str(error).split())[:200]}"
        raise DataError(f"{where} {reason}. The checkpoint is damaged; train it again.") from error
    finally:
        stop.cancel()
