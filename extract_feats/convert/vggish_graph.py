"""VGGish as an ONNX graph, built from the arrays of its checkpoint; ``extract_feats.convert`` writes it once."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from extract_feats.vggish import BANDS, DIMS, EMBEDDING, FRAMES, INPUT
from utils.errors import ConfigError

if TYPE_CHECKING:
    from onnx import ModelProto

STAGES = (("conv1",), ("conv2",), ("conv3/conv3_1", "conv3/conv3_2"), ("conv4/conv4_1", "conv4/conv4_2"))
DENSE = ("fc1/fc1_1", "fc1/fc1_2", "fc2")
OPSET, IR_VERSION = 17, 10
VARIABLES = tuple(f"vggish/{name}/{part}" for name in (*sum(STAGES, ()), *DENSE) for part in ("weights", "biases"))


def build(variables: Mapping[str, np.ndarray]) -> "ModelProto":
    """Return the graph patches (B, 96, 64) -> embedding (B, 128), before any activation of the last layer.

    Args:
        variables: VARIABLES by name; convolutions (3, 3, in, out), dense layers (in, out), biases (out,).

    Raises:
        ConfigError: one is not there.
    """
    from onnx import TensorProto, helper, numpy_helper

    lacking = [name for name in VARIABLES if name not in variables]
    if lacking:
        raise ConfigError(f"not VGGish's checkpoint: it lacks {', '.join(lacking)}.")
    nodes, constants, x = [], {"channel": np.array([1])}, INPUT

    def add(kind: str, *inputs: str, **attributes) -> None:
        nonlocal x
        nodes.append(helper.make_node(kind, [x, *inputs], [f"t{len(nodes)}"], **attributes))
        x = nodes[-1].output[0]

    def weights_of(name: str, axes: tuple[int, ...]) -> tuple[str, str]:
        constants[f"{name}_w"] = np.ascontiguousarray(variables[f"vggish/{name}/weights"].transpose(axes))
        constants[f"{name}_b"] = variables[f"vggish/{name}/biases"]
        return f"{name}_w", f"{name}_b"

    add("Unsqueeze", "channel")  # (B, 1, 96, 64)
    for stage in STAGES:
        for name in stage:
            add("Conv", *weights_of(name, (3, 2, 0, 1)), pads=[1, 1, 1, 1])
            add("Relu")
        add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    add("Transpose", perm=[0, 2, 3, 1])  # (B, 6, 4, 512): the checkpoint's order
    add("Flatten")
    for name in DENSE:
        add("Gemm", *weights_of(name, (0, 1)))
        if name != DENSE[-1]:
            add("Relu")
    nodes[-1].output[0] = EMBEDDING
    entry = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["B", FRAMES, BANDS])
    result = helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, ["B", DIMS])
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "vggish", [entry], [result], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
