"""ONNX graphs: the scaler and pooling in front of an estimator, and the names of inputs and outputs.

Inputs ``features`` (B, D), or (B, T, D) with ``lengths`` (B,) int64; with speaker normalisation also
``speaker_mean`` and ``speaker_std`` (B, D). Output ``probabilities`` (B, C); of a network with attention also
``attention`` (B, T), the weight of each frame.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
OUTPUTS = ("probabilities", "attention")
IR_VERSION = 10  # every ONNX Runtime since 1.18 reads it


def front(dims: int, *, frames: bool, mean: np.ndarray | None, std: np.ndarray | None) -> onnx.ModelProto:
    """Return a graph from raw features to ``ready`` (B, D'), scaled, and pooled over time if they are frames.

    Args:
        dims: D of the features.
        frames: pool masked mean, standard deviation, minimum and maximum over time: D' = 4 D.
        mean, std: (D,) constants; None takes them from the inputs speaker_mean and speaker_std.
    """
    shape = ["batch", "frames", dims] if frames else ["batch", dims]
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, shape)]
    constants, nodes = [], []
    if frames:
        inputs.append(helper.make_tensor_value_info("lengths", TensorProto.INT64, ["batch"]))
    if mean is None:
        for name in ("speaker_mean", "speaker_std"):
            inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", dims]))
        if frames:
            constants.append(int64("time_axis", [1]))
            nodes += [helper.make_node("Unsqueeze", [f"speaker_{n}", "time_axis"], [n]) for n in ("mean", "std")]
        else:
            nodes += [helper.make_node("Identity", [f"speaker_{n}"], [n]) for n in ("mean", "std")]
    else:
        constants += [numpy_helper.from_array(np.float32(v), n) for n, v in (("mean", mean), ("std", std))]
    nodes += [
        helper.make_node("Sub", ["features", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["scaled" if frames else "ready"]),
    ]
    if frames:
        pooling, more = _pooling()
        nodes += pooling
        constants += more
    output = helper.make_tensor_value_info("ready", TensorProto.FLOAT, ["batch", 4 * dims if frames else dims])
    graph = helper.make_graph(nodes, "front", inputs, [output], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def int64(name: str, values: int | list[int]) -> onnx.TensorProto:
    """Return a named constant."""
    return numpy_helper.from_array(np.array(values, np.int64), name)


def _pooling() -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return nodes from ``scaled`` (B, T, D) and ``lengths`` (B,) to ``ready`` (B, 4 D), and their constants."""
    node = helper.make_node
    constants = [
        int64("axis_1", [1]), int64("axis_2", [2]), int64("first", 0), int64("step", 1),
        numpy_helper.from_array(np.float32(3e38), "huge"), numpy_helper.from_array(np.float32(-3e38), "tiny"),
        numpy_helper.from_array(np.float32(0), "zero"),
    ]  # fmt: skip
    nodes = [
        node("Shape", ["scaled"], ["T_1"], start=1, end=2),
        node("Squeeze", ["T_1"], ["T"]),
        node("Range", ["first", "T", "step"], ["steps"]),
        node("Unsqueeze", ["lengths", "axis_1"], ["lengths_2"]),
        node("Less", ["steps", "lengths_2"], ["mask_2"]),  # (B, T)
        node("Unsqueeze", ["mask_2", "axis_2"], ["mask"]),  # (B, T, 1)
        node("Cast", ["lengths_2"], ["count"], to=TensorProto.FLOAT),  # (B, 1)
        node("Where", ["mask", "scaled", "zero"], ["real"]),
        node("ReduceSum", ["real", "axis_1"], ["sum"], keepdims=0),
        node("Div", ["sum", "count"], ["pool_mean"]),  # (B, D)
        node("Unsqueeze", ["pool_mean", "axis_1"], ["pool_mean_3"]),
        node("Sub", ["scaled", "pool_mean_3"], ["deviation"]),
        node("Mul", ["deviation", "deviation"], ["squared"]),
        node("Where", ["mask", "squared", "zero"], ["squares"]),
        node("ReduceSum", ["squares", "axis_1"], ["square_sum"], keepdims=0),
        node("Div", ["square_sum", "count"], ["variance"]),
        node("Sqrt", ["variance"], ["pool_std"]),
        node("Where", ["mask", "scaled", "huge"], ["for_min"]),
        node("ReduceMin", ["for_min", "axis_1"], ["pool_min"], keepdims=0),
        node("Where", ["mask", "scaled", "tiny"], ["for_max"]),
        node("ReduceMax", ["for_max", "axis_1"], ["pool_max"], keepdims=0),
        node("Concat", ["pool_mean", "pool_std", "pool_min", "pool_max"], ["ready"], axis=1),
    ]
    return nodes, constants


def joined(
    first: onnx.ModelProto, second: onnx.ModelProto, link: tuple[str, str], probabilities: str
) -> onnx.ModelProto:
    """Return the two graphs one after the other, with one output called ``probabilities``.

    Args:
        link: output of ``first`` and the input of ``second`` that it becomes.
        probabilities: output of ``second``.
    """
    second.ir_version = first.ir_version
    second = onnx.compose.add_prefix(second, "model_")
    merged = onnx.compose.merge_models(
        first, second, io_map=[(link[0], f"model_{link[1]}")], outputs=[f"model_{probabilities}"]
    )
    return named(merged, {f"model_{probabilities}": "probabilities"})


def named(model: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    """Return the model with inputs and outputs renamed, free axes called batch and frames, and checked."""
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in [*model.graph.input, *model.graph.output]:
        value.name = names.get(value.name, value.name)
        for dimension, axis in zip(value.type.tensor_type.shape.dim, ("batch", "frames", "dims"), strict=False):
            if not dimension.HasField("dim_value"):
                dimension.dim_param = axis
    onnx.checker.check_model(model)
    return model
