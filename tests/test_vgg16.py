"""VGG16 as a feature: the graph against Keras's own network with the same weights, the images against the zoo's."""

import json

import h5py
import numpy as np
import pytest
import toy

from extract_feats import vgg16
from extract_feats.convert import graphs
from extract_feats.pretrained import encoder
from models.classes import model_class
from prediction.predictor import Predictor
from tests.toy_encoders import vgg16_variables
from utils.config import Train
from utils.errors import ConfigError
from utils.imagenet import CONTRAST

RATE = 16000


def write_weights(path, variables) -> None:
    """Write an HDF5 file as Keras's published ones are laid out."""
    layers = list(dict.fromkeys(name.partition("/")[0] for name in variables))
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for layer in layers:
            group, names = file.create_group(layer), [f"{layer}_W_1:0", f"{layer}_b_1:0"]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, part in zip(names, ("kernel", "bias"), strict=True):
                group.create_dataset(name, data=variables[f"{layer}/{part}"])


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Return the graph made of a weights file of the real sizes, and that file; the weights are random."""
    folder = tmp_path_factory.mktemp("vgg16")
    write_weights(folder / vgg16.WEIGHTS, vgg16_variables(widths=(64, 128, 256, 512, 512)))
    graphs.convert(folder / vgg16.WEIGHTS, folder / "vgg16.onnx")
    return folder / "vgg16.onnx", folder / vgg16.WEIGHTS


def test_the_graph_is_keras_own_network(published):
    import keras

    graph, weights = published
    base = keras.applications.VGG16(include_top=False, weights=str(weights), input_shape=(128, 64, 3), pooling="avg")
    images = np.random.default_rng(1).normal(0, CONTRAST, (2, 128, 64)).astype(np.float32)
    expected = base.predict_on_batch(np.repeat(images[..., None], 3, axis=-1))
    result = encoder.run(graph, {"images": images}, "embedding")
    assert result.shape == (2, 512) and expected.std() > 0
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_the_images_are_those_of_the_zoos_network(published):
    """Its mean over the windows of standardised frames is the mean of what is extracted."""
    import keras

    from models.dnn.vgg16 import build
    from models.layers import MaskedMean

    graph, weights = published
    wave = np.random.default_rng(2).normal(0, 0.1, 2 * RATE).astype(np.float32) * np.linspace(0, 1, 2 * RATE)
    frames = vgg16.logmel.extract(wave, RATE, n_mels=64)  # (201, 64): two windows
    network = build((None, 64), 3, weights=str(weights))
    (pooled,) = [layer for layer in network.layers if isinstance(layer, MaskedMean)]
    ready = (frames - frames.mean()) / frames.std()
    feed = [ready[None], np.array([len(ready)])]
    expected = keras.Model(network.inputs, pooled.output).predict_on_batch(feed)[0]
    features = vgg16.extract(wave.astype(np.float32), RATE, model=str(graph), n_mels=64)
    assert features.shape == (2, 512)
    np.testing.assert_allclose(features.mean(axis=0), expected, rtol=1e-4, atol=1e-4 * expected.max())


@pytest.mark.slow
def test_the_network_trains_and_ships_with_all_its_filters(tmp_path):
    """It has an eighth of them in test_models.py, test_finetune.py and test_real_speech.py."""
    data = toy.dataset("frames", dims=32, speakers=1, takes=2)
    model = model_class({"name": "vgg16"})(toy.arguments("vgg16"), data.labels, seed=1)
    model.fit(data, train=Train(epochs=2, learning_rate=0.001, unfreeze_epoch=2, unfreeze_rate=1.0))
    base = model.networks_[0].get_layer("vgg16_base")
    assert [layer.filters for layer in base.layers if "_conv" in layer.name][-1] == 512
    model.save(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"labels": data.labels, "frames": True}), encoding="utf8")
    probabilities = Predictor(tmp_path).probabilities(data.features.clips)
    np.testing.assert_allclose(probabilities, model.probabilities(data.features), atol=1e-4)


@pytest.mark.parametrize(("frames", "windows"), [(3, 1), (128, 1), (191, 1), (192, 2), (256, 3)])
def test_windows_are_whole_and_a_short_clip_is_one(frames, windows):
    level = np.random.default_rng(3).normal(-40, 10, (frames, 32)).astype(np.float32)
    cut = vgg16.images(level)
    assert cut.shape == (windows, 128, 32) and cut.dtype == np.float32
    if frames % 64 == 0:
        whole = np.concatenate([cut[0], *(image[64:] for image in cut[1:])])
        np.testing.assert_allclose([whole.mean(), whole.std()], [0, CONTRAST], atol=1e-2)
    assert not cut[-1, frames:].any()  # the mean, not black
    np.testing.assert_allclose(vgg16.images(level + 20), cut, atol=1e-2)  # how loud the clip is does not count


def test_settings_and_files_that_are_wrong_are_config_errors(tmp_path):
    with pytest.raises(ConfigError, match="at least 32, got 31"):
        vgg16.layout(n_mels=31)
    graph = tmp_path / "vgg16.onnx"
    with pytest.raises(
        ConfigError, match=rf"not there: vgg16.onnx\. .*vgg16/{vgg16.WEIGHTS}; .*convert {vgg16.WEIGHTS}"
    ):
        vgg16.layout(model=str(graph))
    (tmp_path / "vgg16.h5").write_bytes(b"<html>Not found</html>")
    with pytest.raises(ConfigError, match="not an HDF5 file"):
        graphs.convert(tmp_path / "vgg16.h5", graph)
    write_weights(tmp_path / "vgg16.h5", {k: v for k, v in vgg16_variables().items() if "block5" not in k})
    with pytest.raises(ConfigError, match="they lack block5_conv1/kernel"):
        graphs.convert(tmp_path / "vgg16.h5", graph)
    assert not graph.exists()
