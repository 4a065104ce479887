"""ONNX Runtime without its telemetry: no device id and no list of events in the user's home.

It is on by default from 1.31 on and asks the environment while it is loaded (Privacy.md of ONNX Runtime). Loading ONNX
Runtime takes 0.4 s: import this module where a graph is opened.
"""

import os
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

__all__ = ["LOAD_ERRORS", "onnxruntime", "open_session"]

_STATE = onnxruntime.capi.onnxruntime_pybind11_state
LOAD_ERRORS = (_STATE.Fail, _STATE.InvalidArgument, _STATE.InvalidGraph, _STATE.InvalidProtobuf)  # of a damaged graph


def open_session(path: Path, *, threads: int = 0) -> onnxruntime.InferenceSession:
    """Return a session of the graph on the CPU, which reports errors alone; ``threads`` 0 takes every core.

    Raises:
        LOAD_ERRORS: a damaged graph.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
