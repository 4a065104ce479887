"""Whisper's encoder: its graph against numpy and transformers, its spectrogram, its frames in time."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from extract_feats import whisper
from extract_feats.convert import graphs, whisper_graph
from extract_feats.dsp.filters import mel_filters
from extract_feats.pretrained import encoder
from tests import toy_encoders
from tests.whisper_waves import WAVES, speech_like
from utils.errors import ConfigError, DataError

RATE = 16000


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, n).astype(np.float32)


def blocks_alone(model: onnx.ModelProto, last: str, width: int) -> onnxruntime.InferenceSession:
    """Return the part of the graph behind the convolutions and positions."""
    first = next(n for n, node in enumerate(model.graph.node) if node.output[0] == "stem.out")
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["b", "t", width]) for n in ("stem.out", last)]
    nodes = model.graph.node[first + 1 :]
    used = {name for node in nodes for name in node.input}
    constants = [constant for constant in model.graph.initializer if constant.name in used]
    graph = helper.make_graph(nodes, "blocks", ends[:1], ends[1:], constants)
    return onnxruntime.InferenceSession(
        helper.make_model(graph, opset_imports=model.opset_import, ir_version=10).SerializeToString()
    )


def in_numpy(tensors: dict, x: np.ndarray, blocks: int) -> np.ndarray:
    """Return frames (T, width) after so many blocks, in float64, by the paper's formulas."""
    t = {name.removeprefix(whisper_graph.PREFIX): values.astype(np.float64) for name, values in tensors.items()}

    def norm(x, name):
        centred = x - x.mean(axis=1, keepdims=True)
        return centred / np.sqrt(centred.var(axis=1, keepdims=True) + 1e-5) * t[f"{name}.weight"] + t[f"{name}.bias"]

    def dense(x, name):
        return x @ t[f"{name}.weight"].T + t.get(f"{name}.bias", 0)

    def gelu(x):
        from scipy.special import erf

        return x * (1 + erf(x / np.sqrt(2))) / 2

    for n in range(blocks):
        y = norm(x, f"layers.{n}.self_attn_layer_norm")
        q, k, v = (dense(y, f"layers.{n}.self_attn.{part}_proj").reshape(len(x), -1, 64) for part in "qkv")
        scores = np.einsum("ihd,jhd->hij", q, k) / 8
        weights = np.exp(scores - scores.max(axis=2, keepdims=True))
        mixed = np.einsum("hij,jhd->ihd", weights / weights.sum(axis=2, keepdims=True), v).reshape(len(x), -1)
        x = x + dense(mixed, f"layers.{n}.self_attn.out_proj")
        x = x + dense(gelu(dense(norm(x, f"layers.{n}.final_layer_norm"), f"layers.{n}.fc1")), f"layers.{n}.fc2")
    return x


def test_the_blocks_are_those_of_the_paper():
    tensors = toy_encoders.whisper_tensors()
    x = np.random.default_rng(1).normal(size=(40, 128)).astype(np.float32)
    session = blocks_alone(whisper_graph.build(tensors, blocks=3), "layer_3", 128)
    given = session.run(None, {"stem.out": x[None]})[0][0]
    np.testing.assert_allclose(given, in_numpy(tensors, x.astype(np.float64), 3), atol=1e-4)


def test_the_published_encoder_gives_what_transformers_gives(pretrained, tmp_path):
    folder = pretrained / "whisper-base"
    if not (folder / "reference.npz").is_file():
        pytest.skip("no whisper-base in $SER_PRETRAINED")
    from safetensors.numpy import load_file

    tensors, reference = load_file(folder / "model.safetensors"), np.load(folder / "reference.npz")
    x = reference["frames"].astype(np.float64)
    centred = x - x.mean(axis=1, keepdims=True)
    gain, bias = (tensors[f"{whisper_graph.PREFIX}layer_norm.{part}"].astype(np.float64) for part in ("weight", "bias"))
    x = centred / np.sqrt(centred.var(axis=1, keepdims=True) + 1e-5) * gain + bias
    session = blocks_alone(whisper_graph.build(tensors), "layer_6", 512)
    given = session.run(None, {"stem.out": x[None].astype(np.float32)})[0][0]
    assert np.abs(given - reference["after_six_layers"]).max() < 1e-3  # seen: 4e-5


def test_log_mel_is_librosas_power_spectrogram_in_whispers_scale():
    import librosa

    wave = noise(20000) * np.linspace(0, 1, 20000, dtype=np.float32)
    power = librosa.feature.melspectrogram(
        y=wave, sr=RATE, n_fft=400, hop_length=160, n_mels=80, pad_mode="reflect", fmax=8000
    )
    expected = np.log10(np.maximum(power[:, :-1], 1e-10))  # the last frame is left out
    expected = (np.maximum(expected, expected.max() - 8) + 4) / 4
    given = whisper.log_mel(wave)
    assert given.shape == (80, 125) and given.dtype == np.float32
    np.testing.assert_allclose(given, expected, atol=1e-4)
    assert mel_filters(RATE, 400, 80).shape == (201, 80)


@pytest.mark.parametrize("name", WAVES)
def test_log_mel_is_that_of_transformers(name):
    golden = np.load(Path(__file__).with_name("whisper_log_mel.npz"))
    given = whisper.log_mel(speech_like(**WAVES[name]))
    assert given.shape == golden[name].shape
    assert np.abs(given - golden[name]).max() < 1e-4  # seen: 1.2e-7


def test_a_change_of_gain_shifts_the_spectrogram_as_a_whole():
    wave = noise(16000)
    shift = whisper.log_mel(wave * 10) - whisper.log_mel(wave)
    np.testing.assert_allclose(shift, 0.5, atol=1e-5)  # 2 in the logarithm of power, over 4


@pytest.mark.parametrize(("n", "frames"), [(400, 1), (16000, 50), (16160, 51), (47999, 150)])
def test_frames_come_every_20_ms(n, frames):
    assert whisper.extract(noise(n), RATE, pool="frames", layers=[2]).shape == (frames, 128)
    assert whisper.layout(pool="frames").grid.in_ms(RATE) == (20.0, 0.0)
    assert whisper.layout().grid is None


def test_layers_are_joined_or_averaged_and_pooled():
    wave = noise(16000)
    one, two = (whisper.extract(wave, RATE, pool="frames", layers=[n]) for n in (1, 3))
    both = whisper.extract(wave, RATE, pool="frames", layers=[1, 3])
    np.testing.assert_allclose(both, np.concatenate([one, two], axis=1), atol=1e-6)
    mean = whisper.extract(wave, RATE, pool="frames", layers=[1, 3], combine="mean")
    np.testing.assert_allclose(mean, (one + two) / 2, atol=1e-6)
    pooled = whisper.extract(wave, RATE, layers=[1, 3])
    np.testing.assert_allclose(pooled, np.concatenate([both.mean(axis=0), both.std(axis=0)]), atol=1e-5)
    np.testing.assert_allclose(whisper.extract(wave, RATE, pool="mean", layers=[1, 3]), both.mean(axis=0), atol=1e-6)
    assert len(whisper.names(RATE, pool="mean", layers=[1, 3])) == 256
    assert len(whisper.names(RATE, layers=[1, 3])) == 512 and len(whisper.names(RATE, pool="frames", layers=[2])) == 128


def test_a_long_clip_is_read_in_overlapping_pieces():
    wave = noise(16000 * 65)
    frames = whisper.extract(wave, RATE, pool="frames", layers=[1])
    assert frames.shape == (3250, 128)
    starts = [start for start, _ in whisper._pieces(6500)]
    assert (
        starts == [0, 2800, 5600] and whisper._pieces(3000) == [(0, 3000)] and whisper._pieces(3001)[-1] == (2800, 3001)
    )
    for n in (3000, 3001, 3200, 5799, 5800, 6000):
        pieces = [np.arange(start // 2, -(-end // 2))[:, None] for start, end in whisper._pieces(n)]
        np.testing.assert_array_equal(whisper._overlapped(pieces)[:, 0], np.arange(-(-n // 2)))


@pytest.mark.parametrize("n", [400, 16000, 16160])
def test_convolutions_as_products_give_the_same(n, tmp_path):
    tensors, feed = toy_encoders.whisper_tensors(), {"log_mel": whisper.log_mel(noise(n))[None]}
    for products in (False, True):
        onnx.save(whisper_graph.build(tensors, blocks=1, products=products), tmp_path / f"{products}.onnx")
    expected, given = (encoder.run(tmp_path / f"{products}.onnx", feed, "layer_1") for products in (False, True))
    np.testing.assert_allclose(given, expected, atol=1e-5)


def test_half_precision_and_8_bits_are_near_the_whole_graph(tmp_path):
    source = toy_encoders.write_whisper(tmp_path / "small") / "model.safetensors"
    feed = {"log_mel": whisper.log_mel(noise(16000))[None]}
    sizes, answers = {}, {}
    for precision in ("full", "half", "int8"):
        graph = tmp_path / whisper.FILES[precision]
        graphs.convert(source, graph, blocks=2, precision=precision)
        sizes[precision], answers[precision] = graph.stat().st_size, encoder.run(graph, feed, "layer_2")
    assert sizes["half"] < 0.6 * sizes["full"] and sizes["int8"] < 0.6 * sizes["full"]
    np.testing.assert_allclose(answers["half"], answers["full"], atol=0.02)
    assert np.corrcoef(answers["int8"].ravel(), answers["full"].ravel())[0, 1] > 0.99
    assert encoder.output_names(tmp_path / "encoder.onnx") == ["layer_1", "layer_2"]


def test_mistakes_cost_one_line(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="layers must be numbers from 1 to 4, got \\[5\\]"):
        whisper.extract(noise(16000), RATE, layers=[5])
    with pytest.raises(ConfigError, match="takes audio at 16000 Hz"):
        whisper.extract(noise(16000), 8000)
    with pytest.raises(DataError, match="too short"):
        whisper.extract(noise(399), RATE)
    with pytest.raises(ConfigError, match=r"encoder\.onnx\. Make it: .*extract_feats\.convert .*--blocks 4"):
        whisper.layout(model=str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"<html>Not found</html>")
    with pytest.raises(ConfigError, match="not a safetensors file"):
        graphs.convert(tmp_path / "model.safetensors", tmp_path / "encoder.onnx")
    with pytest.raises(ConfigError, match="too few of its blocks: 9 wanted, 4 there"):
        graphs.convert(toy_encoders.write_whisper(tmp_path) / "model.safetensors", tmp_path / "x.onnx", blocks=9)
