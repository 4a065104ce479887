"""Large weights of an ONNX graph stored in half precision or in 8 bits; it is computed with in float32.

The nodes that restore them work on constants, so that ONNX Runtime computes them once, when the graph is loaded.
"""

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

SMALLEST = 1024  # values of a weight that is worth storing in fewer bits


def in_half(model: onnx.ModelProto, *, exactly: bool = False) -> onnx.ModelProto:
    """Return the model, changed in place, with its large float32 weights in half precision.

    Args:
        model: the graph.
        exactly: only weights whose every value half precision holds as it is.
    """
    restored: list[NodeProto] = []
    for tensor, values in _large(model):
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)  # infinite above 65504; such a weight stays as it is
        if np.isfinite(half).all() and (not exactly or np.array_equal(half.astype(np.float32), values)):
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
            restored.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    return _with_first(model, restored)


def in_bytes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model, changed in place, with its large float32 weights in 8 bits, each output channel with a scale.

    The error of a weight is at most 1/254 of the largest of its channel.
    """
    restored: list[NodeProto] = []
    for tensor, values in _large(model):
        name, channel = tensor.name, 0 if values.ndim > 2 else values.ndim - 1  # convolutions have it first
        others = tuple(axis for axis in range(values.ndim) if axis != channel) if values.ndim > 1 else None
        scale = np.maximum(np.abs(values).max(axis=others, keepdims=True), 1e-12).astype(np.float32) / 127
        model.graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
        tensor.CopyFrom(numpy_helper.from_array(np.round(values / scale).astype(np.int8), f"{name}.bytes"))
        restored.append(helper.make_node("Cast", [f"{name}.bytes"], [f"{name}.whole"], to=TensorProto.FLOAT))
        restored.append(helper.make_node("Mul", [f"{name}.whole", f"{name}.scale"], [name]))
    return _with_first(model, restored)


def _large(model: onnx.ModelProto) -> list[tuple[TensorProto, np.ndarray]]:
    pairs = [(tensor, numpy_helper.to_array(tensor)) for tensor in model.graph.initializer]
    return [(tensor, values) for tensor, values in pairs if values.dtype == np.float32 and values.size >= SMALLEST]


def _with_first(model: onnx.ModelProto, nodes: list[NodeProto]) -> onnx.ModelProto:
    later = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *later])
    return model
