"""Whisper's encoder as an ONNX graph, built from its published tensors; only as many blocks as are asked for.

Two convolutions of width 3, the second of stride 2, sinusoidal positions, and pre-norm blocks of self-attention
without a bias on the keys and a feed-forward part, all with GELU. Radford et al. 2022, arXiv 2212.04356.
"""

from collections.abc import Mapping

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from utils.errors import ConfigError

PREFIX = "model.encoder."  # of the hub's names of the encoder's tensors
OPSET = 20  # the first with Gelu
IR_VERSION = 10
EPSILON = 1e-5  # of the layer normalisation
CONVOLUTIONS = (("conv1", 1), ("conv2", 2))  # name, stride
HEAD = 64  # values of an attention head, in every size of Whisper


class _Graph:
    """Nodes and constants in the order in which they are computed.

    Args:
        tensors: the encoder's, by their names without PREFIX.
        half: store matrices in half precision; they are computed with in float32.
        products: write the convolutions as matrix products, which can be computed in 8 bits.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], *, half: bool, products: bool):
        self.tensors, self.half, self.products = tensors, half, products
        self.nodes, self.constants = [], []

    def constant(self, name: str, values: np.ndarray) -> str:
        """Return the name under which nodes use a constant."""
        if self.half and values.dtype == np.float32 and values.ndim > 1:
            self.constants.append(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            self.nodes.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
        else:
            self.constants.append(numpy_helper.from_array(values, name))
        return name

    def weight(self, name: str, *, transposed: bool = False) -> str:
        """Return a published tensor as a constant in float32."""
        values = np.asarray(self.tensors[name], np.float32)
        return self.constant(name, np.ascontiguousarray(values.T) if transposed else values)

    def node(self, kind: str, inputs: list[str], output: str, **attributes) -> str:
        """Add a node; return its output's name."""
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def norm(self, x: str, name: str) -> str:
        """Add a layer normalisation over the last axis."""
        inputs = [x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias")]
        return self.node("LayerNormalization", inputs, f"{name}.out", axis=-1, epsilon=EPSILON)

    def dense(self, x: str, name: str) -> str:
        """Add a dense layer with a bias, of weights stored as (out, in)."""
        product = self.node("MatMul", [x, self.weight(f"{name}.weight", transposed=True)], f"{name}.product")
        return self.node("Add", [product, self.weight(f"{name}.bias")], f"{name}.out")


def n_blocks(tensors: Mapping[str, np.ndarray]) -> int:
    """Return the number of encoder blocks among tensors under the hub's names."""
    numbers = {name.split(".")[3] for name in tensors if name.startswith(f"{PREFIX}layers.")}
    return len(numbers)


def build(
    tensors: Mapping[str, np.ndarray], *, blocks: int | None = None, half: bool = False, products: bool = False
) -> ModelProto:
    """Return the graph from ``log_mel`` (B, bands, 2 T) to ``layer_1`` ... ``layer_N`` (B, T, width), at 50 frames/s.

    ``layer_n`` is the output of the n-th block, before the last normalisation.

    Args:
        tensors: of any size of Whisper, by the hub's names.
        blocks: N, how many of the encoder's blocks; None for all.
        half: store matrices in half precision, which halves the file.
        products: write the convolutions as matrix products, which can be computed in 8 bits.

    Raises:
        ConfigError: tensors that are not those of Whisper's encoder, or fewer blocks than asked for.
    """
    encoder = {name.removeprefix(PREFIX): values for name, values in tensors.items() if name.startswith(PREFIX)}
    available = n_blocks(tensors)
    blocks = available if blocks is None else blocks
    if "conv1.weight" not in encoder or not 1 <= blocks <= available:
        raise ConfigError(
            f"not Whisper's encoder, or too few of its blocks: {blocks or 'some'} wanted, {available} there, names as "
            f"{PREFIX}layers.0.fc1.weight."
        )
    graph = _Graph(encoder, half=half, products=products)
    width, bands, _ = encoder["conv1.weight"].shape
    x = _stem(graph)
    for number in range(blocks):
        x = _block(graph, x, number, width)
    inputs = [helper.make_tensor_value_info("log_mel", TensorProto.FLOAT, ["batch", int(bands), "columns"])]
    outputs = [
        helper.make_tensor_value_info(f"layer_{n + 1}", TensorProto.FLOAT, ["batch", "frames", int(width)])
        for n in range(blocks)
    ]
    made = helper.make_graph(graph.nodes, "whisper_encoder", inputs, outputs, graph.constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def _stem(graph: _Graph) -> str:
    """Log-mel (B, bands, 2 T) to frames with their positions (B, T, width)."""
    x = _products(graph) if graph.products else _convolutions(graph)
    graph.node("Shape", [x], "stem.T", start=1, end=2)
    limits = [graph.constant("stem.zero", np.array([0])), "stem.T", graph.constant("stem.axis", np.array([0]))]
    positions = graph.node("Slice", [graph.weight("embed_positions.weight"), *limits], "stem.positions")
    return graph.node("Add", [x, positions], "stem.out")


def _convolutions(graph: _Graph) -> str:
    x = "log_mel"
    for name, stride in CONVOLUTIONS:
        inputs = [x, graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")]
        x = graph.node("Conv", inputs, f"{name}.sum", kernel_shape=[3], pads=[1, 1], strides=[stride])
        x = graph.node("Gelu", [x], f"{name}.out")
    return graph.node("Transpose", [x], "stem.frames", perm=[0, 2, 1])  # (B, T, width)


def _products(graph: _Graph) -> str:
    """The same with each column, the one before and the one after it side by side, times one matrix."""
    x = graph.node("Transpose", ["log_mel"], "stem.columns", perm=[0, 2, 1])  # (B, 2 T, bands)
    around, axis = graph.constant("stem.around", np.array([0, 1, 0, 0, 1, 0])), np.array([1])
    for name, stride in CONVOLUTIONS:
        padded = graph.node("Pad", [x, around], f"{name}.padded")
        neighbours = []
        for start, end in enumerate((-2, -1, np.iinfo(np.int64).max)):
            limits = {"start": [start], "end": [end], "axis": axis, "step": [stride]}
            places = [graph.constant(f"{name}.{start}.{key}", np.array(value)) for key, value in limits.items()]
            neighbours.append(graph.node("Slice", [padded, *places], f"{name}.{start}"))
        side_by_side = graph.node("Concat", neighbours, f"{name}.columns", axis=2)  # (B, T, 3 in)
        weights = np.asarray(graph.tensors[f"{name}.weight"], np.float32).transpose(2, 1, 0)  # (3, in, out)
        matrix = graph.constant(f"{name}.matrix", weights.reshape(-1, weights.shape[2]))
        product = graph.node("MatMul", [side_by_side, matrix], f"{name}.product")
        x = graph.node("Add", [product, graph.weight(f"{name}.bias")], f"{name}.sum")
        x = graph.node("Gelu", [x], f"{name}.out")
    return x


def _block(graph: _Graph, x: str, number: int, width: int) -> str:
    """One pre-norm block: attention, then the feed-forward part, each added to its input."""
    name = f"layers.{number}"
    attended = _attention(graph, graph.norm(x, f"{name}.self_attn_layer_norm"), f"{name}.self_attn", width)
    x = graph.node("Add", [x, attended], f"{name}.after_attention")
    hidden = graph.node("Gelu", [graph.dense(graph.norm(x, f"{name}.final_layer_norm"), f"{name}.fc1")], f"{name}.gelu")
    return graph.node("Add", [x, graph.dense(hidden, f"{name}.fc2")], f"layer_{number + 1}")


def _attention(graph: _Graph, x: str, name: str, width: int) -> str:
    """Self-attention over all frames; queries, keys and values are one product."""
    heads = width // HEAD
    scale = np.float32(HEAD**-0.5)
    parts = [np.asarray(graph.tensors[f"{name}.{part}_proj.weight"], np.float32).T for part in "qkv"]
    biases = [np.asarray(graph.tensors[f"{name}.{part}_proj.bias"], np.float32) for part in "qv"]
    weights = np.concatenate([parts[0] * scale, parts[1], parts[2]], axis=1)  # the keys have no bias
    bias = np.concatenate([biases[0] * scale, np.zeros(width, np.float32), biases[1]])
    product = graph.node("MatMul", [x, graph.constant(f"{name}.qkv", weights)], f"{name}.qkv.product")
    together = graph.node("Add", [product, graph.constant(f"{name}.qkv.bias", bias)], f"{name}.qkv.out")
    shape = graph.constant(f"{name}.by_head", np.array([0, 0, 3, heads, HEAD]))
    split = graph.node("Reshape", [together, shape], f"{name}.split")  # (B, T, 3, heads, 64)
    ordered = graph.node("Transpose", [split], f"{name}.ordered", perm=[2, 0, 3, 1, 4])  # (3, B, heads, T, 64)
    q, k, v = (
        graph.node("Gather", [ordered, graph.constant(f"{name}.{part}.place", np.array(n))], f"{name}.{part}", axis=0)
        for n, part in enumerate("qkv")
    )
    keys = graph.node("Transpose", [k], f"{name}.keys", perm=[0, 1, 3, 2])
    scores = graph.node("Softmax", [graph.node("MatMul", [q, keys], f"{name}.scores")], f"{name}.weights", axis=-1)
    mixed = graph.node("MatMul", [scores, v], f"{name}.mixed")  # (B, heads, T, 64)
    by_frame = graph.node("Transpose", [mixed], f"{name}.by_frame", perm=[0, 2, 1, 3])
    flat = graph.constant(f"{name}.flat", np.array([0, 0, width]))
    return graph.dense(graph.node("Reshape", [by_frame, flat], f"{name}.joined"), f"{name}.out_proj")
