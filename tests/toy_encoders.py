"""Pretrained networks in small: random weights, the real convolutions and the real lengths, as ONNX files."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from extract_feats import vggish
from extract_feats.convert import vgg16_graph, vggish_graph, whisper_graph

KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)
OPSET = [helper.make_opsetid("", 17)]


def write_hubert(
    folder: Path,
    *,
    dims: int = 16,
    channels: int = 8,
    layers: int = 0,
    normalise: bool = False,
    mask: bool = False,
    graph: str = "onnx/model.onnx",
    seed: int = 0,
) -> Path:
    """Write an encoder as the hub lays it out and return its folder.

    input_values (B, N) go through the seven convolutions, without bias and each rectified, and a projection:
    last_hidden_state (B, T, dims), and hidden_states.0, .1, ... that are 1, 2, ... times as large.
    """
    rng = np.random.default_rng(seed)
    weights, nodes, x, width = {"one": np.array([1])}, [], "waves", 1
    nodes.append(helper.make_node("Unsqueeze", ["input_values", "one"], ["waves"]))  # (B, 1, N)
    for i, (kernel, stride) in enumerate(zip(KERNELS, STRIDES, strict=True)):
        scale = (width * kernel) ** -0.5
        weights[f"w{i}"] = rng.normal(0.2 * scale, scale, (channels, width, kernel)).astype(np.float32)
        nodes.append(helper.make_node("Conv", [x, f"w{i}"], [f"c{i}"], strides=[stride], kernel_shape=[kernel]))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"]))
        x, width = f"r{i}", channels
    weights["project"] = rng.normal(0, 1, (channels, dims)).astype(np.float32)
    nodes.append(helper.make_node("Transpose", [x], ["frames"], perm=[0, 2, 1]))
    nodes.append(helper.make_node("MatMul", ["frames", "project"], ["last_hidden_state"]))
    outputs = ["last_hidden_state"]
    for layer in range(layers):
        weights[f"times{layer}"] = np.float32(layer + 1)
        outputs.append(f"hidden_states.{layer}")
        nodes.append(helper.make_node("Mul", ["last_hidden_state", f"times{layer}"], [outputs[-1]]))
    inputs = [_value("input_values", ["B", "N"])]
    if mask:
        inputs.append(_value("attention_mask", ["B", "N"], TensorProto.INT64))
    _save(folder / graph, nodes, inputs, [_value(name, ["B", "T", dims]) for name in outputs], weights)
    config = {"model_type": "hubert", "hidden_size": dims, "conv_kernel": KERNELS, "conv_stride": STRIDES}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf8")
    prepared = {"do_normalize": normalise, "sampling_rate": 16000}
    (folder / "preprocessor_config.json").write_text(json.dumps(prepared), encoding="utf8")
    return folder


def write_yamnet(path: Path, *, seed: int = 0) -> Path:
    """Write a graph with YAMNet's input and output: one convolution, its mean over time, a projection."""
    rng = np.random.default_rng(seed)
    output = "yamnet_frames/global_average_pooling2d/Mean"
    weights = {
        "one": np.array([1]),
        "last": np.array([2]),
        "w": rng.normal(0, 0.05, (8, 1, 400)).astype(np.float32),
        "project": rng.normal(0, 1, (8, 1024)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["input_1", "one"], ["waves"]),
        helper.make_node("Conv", ["waves", "w"], ["c"], strides=[160]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("ReduceMean", ["r"], ["mean"], axes=[2], keepdims=0),
        helper.make_node("MatMul", ["mean", "project"], [output]),
    ]
    _save(path, nodes, [_value("input_1", [1, 15600])], [_value(output, [1, 1024])], weights)
    return path


def vggish_variables(*, width: int = 2, seed: int = 0) -> dict[str, np.ndarray]:
    """Return random arrays under the names of VGGish's checkpoint, every layer but the last of few channels."""
    rng = np.random.default_rng(seed)
    sizes = dict(zip(vggish_graph.VARIABLES[::2], [width] * 8 + [128], strict=True))
    result, before = {}, 1
    for name, after in sizes.items():
        before = 6 * 4 * before if name.endswith("fc1_1/weights") else before
        shape = (before, after) if "/fc" in name else (3, 3, before, after)
        result[name] = (rng.normal(0.5, 1, shape) * np.prod(shape[:-1]) ** -0.5 / 2).astype(np.float32)
        result[name.replace("weights", "biases")] = rng.normal(0, 0.1, after).astype(np.float32)
        before = after
    return result


def write_vggish(path: Path, *, seed: int = 0) -> Path:
    """Write a narrow VGGish of random weights, and a PCA file beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(vggish_graph.build(vggish_variables(width=4, seed=seed)), path)
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0, 0.1, (128, 128))
    np.savez(path.parent / vggish.PCA_FILE, pca_eigen_vectors=vectors, pca_means=np.zeros((128, 1)))
    return path


def vgg16_variables(*, widths: tuple[int, ...] = (4, 4, 4, 4, 512), seed: int = 0) -> dict[str, np.ndarray]:
    """Return random arrays for VGG16's layers, of so many channels in each block; outputs neither fade nor grow."""
    rng = np.random.default_rng(seed)
    result, before = {}, 3
    for block, width in zip(vgg16_graph.BLOCKS, widths, strict=True):
        for name in block:
            scale = np.sqrt(2 / (9 * before))
            result[f"{name}/kernel"] = rng.standard_normal((3, 3, before, width), np.float32) * np.float32(scale)
            result[f"{name}/bias"] = rng.normal(0, 0.1, width).astype(np.float32)
            before = width
    return result


def write_vgg16(path: Path, *, seed: int = 0) -> Path:
    """Write a narrow VGG16 of random weights."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(vgg16_graph.build(vgg16_variables(seed=seed)), path)
    return path


def whisper_tensors(*, width: int = 128, blocks: int = 4, bands: int = 80, seed: int = 0) -> dict[str, np.ndarray]:
    """Return random tensors of Whisper's encoder, in float32, under the hub's names."""
    rng = np.random.default_rng(seed)
    shapes = {
        "conv1.weight": (width, bands, 3),
        "conv2.weight": (width, width, 3),
        "embed_positions.weight": (1500, width),
    }
    shapes |= {
        "conv1.bias": (width,),
        "conv2.bias": (width,),
        "layer_norm.weight": (width,),
        "layer_norm.bias": (width,),
    }
    for n in range(blocks):
        shapes |= {f"layers.{n}.self_attn.{p}_proj.weight": (width, width) for p in ("q", "k", "v", "out")}
        shapes |= {f"layers.{n}.self_attn.{p}_proj.bias": (width,) for p in ("q", "v", "out")}
        shapes |= {f"layers.{n}.fc1.weight": (4 * width, width), f"layers.{n}.fc1.bias": (4 * width,)}
        shapes |= {f"layers.{n}.fc2.weight": (width, 4 * width), f"layers.{n}.fc2.bias": (width,)}
        norms = (f"layers.{n}.self_attn_layer_norm", f"layers.{n}.final_layer_norm")
        shapes |= {f"{norm}.{part}": (width,) for norm in norms for part in ("weight", "bias")}
    return {
        whisper_graph.PREFIX + name: rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def write_whisper(folder: Path, *, seed: int = 0) -> Path:
    """Write model.safetensors and encoder.onnx of a narrow encoder with random weights; return its folder."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = whisper_tensors(seed=seed)
    save_file(tensors, folder / "model.safetensors")
    onnx.save(whisper_graph.build(tensors), folder / "encoder.onnx")
    return folder


def _value(name: str, shape: list, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _save(path: Path, nodes: list, inputs: list, outputs: list, weights: dict[str, np.ndarray]) -> None:
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    model = helper.make_model(helper.make_graph(nodes, "toy", inputs, outputs, constants), opset_imports=OPSET)
    model.ir_version = 10
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
