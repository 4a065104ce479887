"""VGG16's convolutions as an ONNX graph, built from its published arrays; ``extract_feats.convert`` writes it once."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from extract_feats.vgg16 import DIMS, EMBEDDING, INPUT
from utils.errors import ConfigError

if TYPE_CHECKING:
    from onnx import ModelProto

BLOCKS = tuple(tuple(f"block{b}_conv{c}" for c in range(1, n + 1)) for b, n in enumerate((2, 2, 3, 3, 3), start=1))
VARIABLES = tuple(f"{name}/{part}" for block in BLOCKS for name in block for part in ("kernel", "bias"))
OPSET, IR_VERSION = 17, 10


def build(variables: Mapping[str, np.ndarray]) -> "ModelProto":
    """Return the graph images (B, frames, bands) -> embedding (B, 512), the mean over what the last pooling leaves.

    The three channels of a spectrogram are equal, so the first layer's kernels are summed over them.

    Args:
        variables: VARIABLES by name; kernels (3, 3, in, out), biases (out,).

    Raises:
        ConfigError: one is not there.
    """
    from onnx import TensorProto, helper, numpy_helper

    lacking = [name for name in VARIABLES if name not in variables]
    if lacking:
        raise ConfigError(f"not VGG16's weights: they lack {', '.join(lacking)}.")
    constants, nodes, x = {"channel": np.array([1])}, [], INPUT

    def add(kind: str, *inputs: str, **attributes) -> None:
        nonlocal x
        nodes.append(helper.make_node(kind, [x, *inputs], [f"t{len(nodes)}"], **attributes))
        x = nodes[-1].output[0]

    add("Unsqueeze", "channel")  # (B, 1, frames, bands)
    for block in BLOCKS:
        for name in block:
            kernel = variables[f"{name}/kernel"].transpose(3, 2, 0, 1)  # (out, in, 3, 3)
            first = name == BLOCKS[0][0]
            constants[f"{name}_w"] = kernel.sum(axis=1, keepdims=True) if first else np.ascontiguousarray(kernel)
            constants[f"{name}_b"] = variables[f"{name}/bias"]
            add("Conv", f"{name}_w", f"{name}_b", pads=[1, 1, 1, 1])
            add("Relu")
        add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    add("GlobalAveragePool")
    add("Flatten")
    nodes[-1].output[0] = EMBEDDING
    entry = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["B", "frames", "bands"])
    result = helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, ["B", DIMS])
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "vgg16", [entry], [result], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
