"""YAMNet as converted to ONNX against LiteRT on real speech, and what is made of its patches."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from extract_feats import yamnet
from extract_feats.convert import graphs
from extract_feats.pretrained import encoder
from utils.audio.prepare import read_wave
from utils.errors import ConfigError
from utils.plugins import ROOT

RATE = 16000


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, n).astype(np.float32)


@pytest.mark.parametrize(
    ("n", "count"), [(400, 1), (15599, 1), (15600, 1), (15601, 2), (23280, 2), (23281, 3), (48000, 6)]
)
def test_patches_cover_the_clip_at_half_overlap(n, count):
    wave = np.arange(1, n + 1, dtype=np.float32)
    cut = yamnet.patches(wave)
    assert cut.shape == (count, 15600)
    for i, patch in enumerate(cut):
        own = wave[i * 7680 : i * 7680 + 15600]
        np.testing.assert_array_equal(patch, np.pad(own, (0, 15600 - len(own))))
    assert n <= (count - 1) * 7680 + 15600


def test_frames_and_their_statistics():
    frames = yamnet.extract(noise(48000), RATE)
    assert frames.shape == (6, 1024)
    pooled = yamnet.extract(noise(48000), RATE, pool="stats")
    np.testing.assert_allclose(pooled, np.concatenate([frames.mean(axis=0), frames.std(axis=0)]), rtol=1e-6)
    assert yamnet.extract(noise(400), RATE).shape == (1, 1024)
    assert yamnet.layout().grid.in_ms(RATE) == (480.0, 487.5)
    assert yamnet.layout(pool="stats").grid is None


@pytest.fixture(scope="module")
def lite(pretrained) -> Path:
    """Return the real LiteRT file, or skip."""
    path = pretrained / "yamnet.tflite"
    if not path.is_file():
        pytest.skip(f"no real YAMNet: {path} is not there; set SER_PRETRAINED to the folder that holds it")
    return path


@pytest.fixture(scope="module")
def converted(lite, tmp_path_factory) -> Path:
    """Return the graph as the command makes it, in a process of its own."""
    target = tmp_path_factory.mktemp("converted") / "yamnet.onnx"
    command = [sys.executable, "-m", "extract_feats.convert", str(lite), str(target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert str(target) in done.stdout
    return target


@pytest.fixture(scope="module")
def clips(speech) -> list[np.ndarray]:
    """Return clips of two actors, calm and angry."""
    stems = ("03-01-02-01-01-01-01", "03-01-05-02-02-02-01", "03-01-02-02-02-01-24", "03-01-05-01-01-01-24")
    paths = [next((speech / "RAVDESS").rglob(f"{stem}.*")) for stem in stems]
    return [read_wave(path, RATE) for path in paths]


def test_the_graph_is_held_to_litert(lite, converted, clips):
    """In float32 within 1e-4; LiteRT's kernels for 8-bit activations differ more from one another than from it."""
    ours = np.concatenate([yamnet.extract(clip, RATE, model=str(converted)) for clip in clips])
    cut = np.concatenate([yamnet.patches(clip) for clip in clips])
    exact = litert(in_float32(lite.read_bytes()), cut)
    np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-4)
    fast, plain = litert(lite.read_bytes(), cut), litert(lite.read_bytes(), cut, delegate=False)
    assert np.abs(fast - plain).max() > 1e-2, "LiteRT agrees with itself: hold the graph to it as it is"
    assert np.linalg.norm(ours - fast) < np.linalg.norm(plain - fast)
    assert np.corrcoef(ours.ravel(), fast.ravel())[0, 1] > 0.99


def litert(content: bytes, cut: np.ndarray, *, delegate: bool = True) -> np.ndarray:
    """Return what TensorFlow's LiteRT interpreter makes of patches (n, 15600): (n, 1024)."""
    import tensorflow as tf

    resolver = tf.lite.experimental.OpResolverType
    kind = resolver.AUTO if delegate else resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = tf.lite.Interpreter(
        model_content=content, experimental_preserve_all_tensors=True, experimental_op_resolver_type=kind
    )
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]["index"]
    at = next(d["index"] for d in interpreter.get_tensor_details() if d["name"] == yamnet.EMBEDDING)
    rows = []
    for patch in cut:
        interpreter.set_tensor(entry, patch[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(at)[0])
    return np.stack(rows)


def in_float32(content: bytes) -> bytes:
    """Return a LiteRT model whose 8-bit weights are written out as float32, so that nothing is rounded on the way."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph = model.subgraphs[0]
    for tensor in graph.tensors:
        if tensor.type != schema.TensorType.INT8:
            continue
        levels = np.asarray(model.buffers[tensor.buffer].data).view(np.int8).astype(np.float32)
        assert len(tensor.quantization.scale) == 1 and not tensor.quantization.zeroPoint[0]
        values = levels * np.float32(tensor.quantization.scale[0])
        tensor.buffer = len(model.buffers)
        model.buffers.append(schema.BufferT())
        model.buffers[-1].data = values.view(np.uint8)
        tensor.type, tensor.quantization = schema.TensorType.FLOAT32, None
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    written = {
        op.outputs[0]: op.inputs[0]
        for op in graph.operators
        if codes[op.opcodeIndex] == schema.BuiltinOperator.DEQUANTIZE
    }
    graph.operators = [op for op in graph.operators if op.outputs[0] not in written]
    for op in graph.operators:
        op.inputs = [written.get(index, index) for index in op.inputs]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def test_converting_again_gives_the_same_file(lite, converted, tmp_path):
    renamed = tmp_path / "another name.tflite"
    renamed.write_bytes(lite.read_bytes())
    graphs.convert(renamed, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == converted.read_bytes()
    assert encoder.digest(tmp_path / "again.onnx") == encoder.digest(converted)
    assert sorted(os.listdir(tmp_path)) == ["again.onnx", "another name.tflite"]


def test_converting_something_else_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        graphs.convert(tmp_path / "yamnet.tflite", tmp_path / "yamnet.onnx")
    (tmp_path / "yamnet.tflite").write_bytes(b"<html>Not found</html>")
    with pytest.raises(ConfigError, match="not a LiteRT file"):
        graphs.convert(tmp_path / "yamnet.tflite", tmp_path / "yamnet.onnx")
    assert os.listdir(tmp_path) == ["yamnet.tflite"]


def test_a_tensor_that_is_not_there_is_a_config_error(lite):
    with pytest.raises(ConfigError, match="no tensor nowhere in it"):
        graphs.from_lite(lite, output="nowhere")
