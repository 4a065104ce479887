"""Published weights as ONNX graphs: of Whisper's encoder, YAMNet, VGGish and VGG16."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from extract_feats.convert import vgg16_graph, vggish_graph, whisper_graph
from extract_feats.yamnet import EMBEDDING
from utils.errors import ConfigError
from utils.pretrained import read_tensors

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 17
_SOURCES = {
    ".safetensors": "Whisper's encoder: python -m extract_feats.download whisper-base",
    ".ckpt": "VGGish's checkpoint is at storage.googleapis.com/audioset.",
    ".h5": "VGG16's weights are at storage.googleapis.com/tensorflow/keras-applications/vgg16.",
    ".tflite": "YAMNet (LiteRT, 4 MB) is on kaggle.com/models/google/yamnet.",
}


def convert(source: Path, target: Path, *, blocks: int | None = None, precision: str = "full") -> None:
    """Write the ONNX graph of a network's published weights.

    Args:
        source: ``.safetensors`` (Whisper), ``.tflite`` (YAMNet), ``.ckpt`` (VGGish) or ``.h5`` (VGG16).
        target: the graph's file.
        blocks: how many of Whisper's blocks; None for all.
        precision: of Whisper's matrices: "full", stored in "half" precision, or "int8".

    Raises:
        ConfigError: no such file, or not the network that is meant.
    """
    import onnx

    if not source.is_file():
        raise ConfigError(f"{source}: no such file. {_SOURCES.get(source.suffix, _SOURCES['.tflite'])}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if source.suffix == ".safetensors":
        model = from_safetensors(source, blocks=blocks, precision=precision)
    elif blocks is not None or precision != "full":
        raise ConfigError(f"{source}: --blocks and --precision are for Whisper's model.safetensors.")
    else:
        model = {".ckpt": from_checkpoint, ".h5": from_weights}.get(source.suffix, from_lite)(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f"{target.name}.part")
    onnx.save(model, aside)
    os.replace(aside, target)


def from_safetensors(source: Path, *, blocks: int | None, precision: str) -> "ModelProto":
    """Return Whisper's encoder as an ONNX graph; arguments as for ``convert``.

    Raises:
        ConfigError: not a safetensors file, or another network's.
    """
    tensors = read_tensors(source, whisper_graph.PREFIX)
    try:
        model = whisper_graph.build(tensors, blocks=blocks, half=precision == "half", products=precision == "int8")
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error
    return _in_8_bits(model) if precision == "int8" else model


def _in_8_bits(model: "ModelProto") -> "ModelProto":
    """Return the graph with its weight matrices in 8 bits per output; activations are quantised as they come."""
    import tempfile

    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder, "whole.onnx"), Path(folder, "small.onnx")
        onnx.save(model, whole)
        quantize_dynamic(
            whole, small, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )  # fmt: skip
        return onnx.load(small)


def from_checkpoint(source: Path) -> "ModelProto":
    """Return VGGish as an ONNX graph.

    Raises:
        ConfigError: not a checkpoint, or another network's.
    """
    import tensorflow as tf

    try:
        stored = tf.train.load_checkpoint(str(source))
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise ConfigError(f"{source}: not a checkpoint of TensorFlow ({' '.join(str(error).split())}).") from error
    names = [name for name in vggish_graph.VARIABLES if stored.has_tensor(name)]
    return vggish_graph.build({name: stored.get_tensor(name) for name in names})


def from_weights(source: Path) -> "ModelProto":
    """Return VGG16's convolutions as an ONNX graph, from the weights that Keras offers without the top.

    Raises:
        ConfigError: not an HDF5 file, or another network's.
    """
    import h5py  # comes with Keras

    variables = {}

    def keep(name: str, stored: object) -> None:
        if isinstance(stored, h5py.Dataset) and stored.ndim in (1, 4):
            variables[f"{name.partition('/')[0]}/{'kernel' if stored.ndim == 4 else 'bias'}"] = stored[()]

    try:
        with h5py.File(source) as file:
            file.visititems(keep)
    except OSError as error:
        raise ConfigError(f"{source}: not an HDF5 file of weights ({' '.join(str(error).split())}).") from error
    return vgg16_graph.build(variables)


def from_lite(source: Path, *, output: str = EMBEDDING) -> "ModelProto":
    """Return the part of a LiteRT model that makes the tensor ``output`` as an ONNX graph with that output.

    Raises:
        ConfigError: not a LiteRT model, or one without that tensor.
    """
    if source.read_bytes()[4:8] != b"TFL3":
        raise ConfigError(f"{source}: not a LiteRT file (.tflite); it does not begin as one.")
    from tf2onnx import convert as tf2onnx

    try:
        model, _ = tf2onnx.from_tflite(str(source), output_names=[output], opset=OPSET)
    except (ValueError, KeyError, AssertionError) as error:
        raise ConfigError(f"{source}: no tensor {output} in it, so not the YAMNet that is meant ({error}).") from error
    return canonical(in_float32(model))


def in_float32(model: "ModelProto") -> "ModelProto":
    """Return the same graph with its 8-bit weights written out as float32.

    Left as they are, ONNX Runtime fuses some of them with what follows and rounds the activations to 8 bits too,
    by up to .4 in an embedding; LiteRT's kernels do as much, differently.
    """
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator

    graph = model.graph
    constant = {tensor.name: tensor for tensor in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "DequantizeLinear"]:
        given = {name: numpy_helper.to_array(constant[name]) for name in node.input}
        (weights,) = ReferenceEvaluator(node).run(None, given)
        graph.initializer.append(numpy_helper.from_array(weights, node.output[0]))
        graph.node.remove(node)
    return model


def canonical(model: "ModelProto") -> "ModelProto":
    """Return the same graph in one spelling, so that converting twice gives equal files and so equal recipes.

    tf2onnx numbers and sorts differently from run to run and writes the source's path into the graph. Here nodes
    and constants follow in the order in which the outputs come to need them, named by their place in it.
    """
    import onnx

    graph = model.graph
    maker = {name: node for node in graph.node for name in node.output}
    constant = {tensor.name: tensor for tensor in graph.initializer}
    new = {value.name: value.name for value in (*graph.input, *graph.output)} | {"": ""}
    nodes, constants, seen = [], [], set()

    def need(name: str) -> None:
        if name in seen:
            return
        seen.add(name)
        if name in constant:
            new[name] = f"c{len(constants)}"
            constants.append(constant[name])
        elif name in maker:
            for source in maker[name].input:
                need(source)
            for made in maker[name].output:
                new.setdefault(made, f"t{len(nodes)}_{len(seen)}")
                seen.add(made)
            nodes.append(maker[name])

    for value in graph.output:
        need(value.name)
    for number, node in enumerate(nodes):
        node.name, node.doc_string = f"n{number}", ""
        node.input[:], node.output[:] = [new[name] for name in node.input], [new[name] for name in node.output]
    for tensor in constants:
        tensor.name = new[tensor.name]
    clean = onnx.helper.make_graph(nodes, "yamnet", graph.input, graph.output, constants)
    return onnx.helper.make_model(clean, opset_imports=model.opset_import, ir_version=model.ir_version)
