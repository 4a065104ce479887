"""ONNX Runtime without its telemetry: no device id and no list of events in the user's home.

It is on by default from 1.31 on and asks the environment while it is loaded (Privacy.md of ONNX Runtime).
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

__all__ = ["onnxruntime"]
