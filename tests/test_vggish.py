"""VGGish: its front end against TensorFlow's own, its graph against TensorFlow's layers, golden values where it is."""

import numpy as np
import pytest

from extract_feats import vggish
from extract_feats.convert import graphs, vggish_graph
from extract_feats.pretrained import encoder
from tests.toy_encoders import vggish_variables
from utils.errors import ConfigError

RATE = 16000


def noise(n: int = RATE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, n).astype(np.float32)


def tone(hz: float, seconds: float = 3.0) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE).astype(np.float32)


def test_the_front_end_is_the_one_of_tensorflow():
    import tensorflow as tf

    wave = noise() * np.linspace(0, 1, RATE, dtype=np.float32)
    spectrum = tf.abs(tf.signal.stft(wave, 400, 160, 512, window_fn=tf.signal.hann_window))
    mel = tf.signal.linear_to_mel_weight_matrix(64, 257, RATE, 125.0, 7500.0)
    np.testing.assert_allclose(vggish.mel_weights(), mel, atol=2e-5)
    expected = tf.math.log(spectrum @ mel + 0.01)
    np.testing.assert_allclose(vggish.log_mel(wave), expected, atol=1e-4)


@pytest.mark.parametrize("hz", [250.0, 1000.0, 3000.0])
def test_a_tone_is_loudest_in_the_band_of_its_pitch_and_silence_is_the_offset(hz):
    edges = np.linspace(*(1127 * np.log(1 + f / 700) for f in (125.0, 7500.0)), 66)
    nearest = np.abs(edges[1:-1] - 1127 * np.log(1 + hz / 700)).argmin()
    assert abs(int(vggish.log_mel(tone(hz)).mean(axis=0).argmax()) - nearest) <= 1
    np.testing.assert_allclose(vggish.log_mel(np.zeros(RATE, np.float32)), np.log(0.01), rtol=1e-6)


@pytest.mark.parametrize(
    ("n", "hop", "count"),
    [(400, 96, 1), (15600, 96, 1), (30959, 96, 1), (30960, 96, 2), (48000, 96, 3), (48000, 48, 5)],
)
def test_patches_are_whole_and_a_short_clip_is_one(n, hop, count):
    cut = vggish.patches(noise(n), hop)
    assert cut.shape == (count, 96, 64)
    frames = vggish.log_mel(noise(n))
    np.testing.assert_array_equal(cut[-1][: len(frames)], frames[(count - 1) * hop :][:96])


def test_the_graph_is_the_network_of_the_published_definition(tmp_path):
    import tensorflow as tf

    variables = vggish_variables(width=5)
    path = tmp_path / "vggish_model.ckpt"
    tf.raw_ops.Save(filename=str(path), tensor_names=list(variables), data=list(variables.values()))
    graphs.convert(path, tmp_path / "vggish.onnx")
    x = patches = np.random.default_rng(1).normal(0, 2, (3, 96, 64)).astype(np.float32)
    x = x[..., None]
    for stage in vggish_graph.STAGES:
        for name in stage:
            x = tf.nn.conv2d(x, variables[f"vggish/{name}/weights"], 1, "SAME")
            x = tf.nn.relu(x + variables[f"vggish/{name}/biases"])
        x = tf.nn.max_pool2d(x, 2, 2, "SAME")
    x = tf.reshape(x, (3, -1))
    for name in vggish_graph.DENSE:
        x = x @ variables[f"vggish/{name}/weights"] + variables[f"vggish/{name}/biases"]
        x = x if name == "fc2" else tf.nn.relu(x)
    ours = encoder.run(tmp_path / "vggish.onnx", {"patches": patches}, "embedding")
    assert ours.shape == (3, 128) and (ours < 0).any()
    np.testing.assert_allclose(ours, x, rtol=1e-4, atol=1e-4 * np.abs(x).max())


def test_whitening_clips_and_rounds_to_eight_bits():
    vectors, means = 2 * np.eye(128), np.full(128, 1.0)
    embeddings = np.full((1, 128), 1.0)
    embeddings[0, :4] = 0.0, -5.0, 9.0, 1.5  # -2, below, above and 1 about the mean
    result = vggish.whitened(embeddings, vectors, means)
    np.testing.assert_array_equal(result[0, :5], [0, 0, 255, 191, 127])
    uneven = np.random.default_rng(0).normal(0, 0.1, (128, 128))
    expected = np.clip((uneven @ (embeddings[0] - means)), -2, 2)
    np.testing.assert_allclose(vggish.whitened(embeddings, uneven, means)[0], np.floor((expected + 2) * 63.75))


def test_settings_and_files_that_are_wrong_are_config_errors(tmp_path):
    with pytest.raises(ConfigError, match="960 or 480, got 125"):
        vggish.layout(hop_ms=125.5)
    with pytest.raises(ConfigError, match=r"not there: vggish.onnx, vggish_pca_params.npz\. .*vggish_model.ckpt"):
        vggish.layout(model=str(tmp_path / "vggish.onnx"), pca=True)
    with pytest.raises(ConfigError, match="it lacks vggish/fc2/biases"):
        vggish_graph.build({k: v for k, v in vggish_variables().items() if k != "vggish/fc2/biases"})
    (tmp_path / "vggish_model.ckpt").write_bytes(b"<html>Not found</html>")
    with pytest.raises(ConfigError, match="not a checkpoint"):
        graphs.convert(tmp_path / "vggish_model.ckpt", tmp_path / "vggish.onnx")


def test_the_golden_values_of_the_published_network(pretrained):
    graph = pretrained / "vggish.onnx"
    if not graph.is_file():
        pytest.skip(f"no real VGGish: {graph} is not there; set SER_PRETRAINED to the folder that holds it")
    embeddings = vggish.extract(tone(1000.0), RATE, model=str(graph))
    assert embeddings.shape == (3, 128)
    np.testing.assert_allclose([embeddings.mean(), embeddings.std()], [0.000657, 0.343], rtol=0.1)
    if (pretrained / vggish.PCA_FILE).is_file():
        white = vggish.extract(tone(1000.0), RATE, model=str(graph), pca=True)
        np.testing.assert_allclose([white.mean(), white.std()], [126.0, 89.3], rtol=0.1)
