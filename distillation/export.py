"""The student as one small graph: ``log_mel`` (B, T, bands) and ``lengths`` (B,) -> ``frames`` (B, T / 4, E)."""

from pathlib import Path

import numpy as np
import onnx

from models import onnx_graph, small_weights
from models.captured_output import capture_output
from models.keras_model import keras


def turn_evenly(network: keras.Model, seed: int) -> None:
    """Turn the axes of the embedding at random, in place.

    Principal components have very different variances. A classifier that standardises each value would weigh the
    smallest like the largest. After a random rotation all values have about the same variance, so that standardising
    changes no distance between two clips.
    """
    layer = network.get_layer("embedding")
    kernel, bias = layer.get_weights()
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(bias), len(bias))))
    layer.set_weights([kernel @ rotation.astype(np.float32), bias @ rotation.astype(np.float32)])


def write(network: keras.Model, path: Path) -> None:
    """Write the frames of a network made by ``distillation.network`` as an ONNX graph, large weights in 8 bits.

    It is computed with in float32.
    """
    serving = keras.Model(network.inputs, network.get_layer("embedding").output)
    bands = network.inputs[0].shape[-1]
    serving.predict_on_batch([np.zeros((1, 16, bands), "float32"), np.array([16])])  # Keras exports what was called
    path.parent.mkdir(parents=True, exist_ok=True)
    with capture_output():
        serving.export(path, format="onnx", verbose=False, opset_version=onnx_graph.OPSET)
    graph = onnx.load(path)
    names = dict(zip([tensor.name for tensor in graph.graph.input], ("log_mel", "lengths"), strict=True))
    names[graph.graph.output[0].name] = "frames"
    onnx.save(small_weights.in_bytes(onnx_graph.named(graph, names)), path)
