"""Weights in fewer bits: the file shrinks, the answers stay within what the bits allow."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from models import small_weights


def a_graph(seed: int = 0, *, whole: bool = False) -> onnx.ModelProto:
    """Return a convolution over time and a dense layer with random weights, (1, 8, T) -> (1, T - 2, 16)."""
    rng = np.random.default_rng(seed)
    draw = (lambda *s: rng.integers(-9, 9, s)) if whole else (lambda *s: rng.normal(size=s))
    weights = {"conv": draw(64, 8, 3), "dense": draw(64, 16), "bias": draw(16)}
    nodes = [
        helper.make_node("Conv", ["x", "conv"], ["c"]),
        helper.make_node("Transpose", ["c"], ["t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["t", "dense"], ["d"]),
        helper.make_node("Add", ["d", "bias"], ["y"]),
    ]
    ends = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [1, 8, "T"]), ("y", [1, "U", 16]))
    ]
    arrays = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    made = helper.make_graph(nodes, "test", ends[:1], ends[1:], arrays)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def answer(model: onnx.ModelProto) -> np.ndarray:
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": np.random.default_rng(1).normal(size=(1, 8, 20)).astype(np.float32)})[0]


@pytest.mark.parametrize(("store", "share", "error"), [("in_half", 0.6, 1e-3), ("in_bytes", 0.4, 0.02)])
def test_the_file_shrinks_and_the_answer_hardly_changes(store, share, error):
    before = answer(a_graph())
    small = getattr(small_weights, store)(a_graph())
    assert small.ByteSize() < share * a_graph().ByteSize()
    assert np.abs(answer(small) - before).max() < error * np.abs(before).max()
    kept = {tensor.name: tensor.data_type for tensor in small.graph.initializer}
    assert kept["bias"] == TensorProto.FLOAT, "a small weight is not worth it"


def test_exactly_leaves_what_half_precision_would_change():
    assert small_weights.in_half(a_graph(), exactly=True) == a_graph()
    whole = small_weights.in_half(a_graph(whole=True), exactly=True)
    assert whole.ByteSize() < 0.6 * a_graph().ByteSize()
    np.testing.assert_array_equal(answer(whole), answer(a_graph(whole=True)))


def test_a_weight_beyond_half_precision_stays_as_it_is():
    large = a_graph()
    dense = large.graph.initializer[1]
    dense.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(dense) * np.float32(1e6), dense.name))
    kept = {tensor.name: tensor.data_type for tensor in small_weights.in_half(large).graph.initializer}
    assert kept["dense"] == TensorProto.FLOAT and kept["conv.half"] == TensorProto.FLOAT16
