"""Starting from a trained network: weights carried over, layers frozen, what does not fit named."""

import numpy as np
import pytest
from toy import LABELS, dataset
from toy import arguments as section

from models import model_class
from utils.config import Train
from utils.errors import ConfigError

ONE = Train(epochs=1, learning_rate=1e-6)


def fitted(data, name: str = "lstm", *, train: Train = ONE, seed: int = 1, **options):
    return model_class({"name": name})(section(name), data.labels, seed=seed).fit(data, train=train, **options)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    model = fitted(dataset("frames", noise=0.3), train=Train(epochs=4, learning_rate=0.01))
    model.save(folder)
    return folder, model


def kernels(model) -> dict[str, np.ndarray]:
    return {layer.name: np.array(layer.get_weights()[0]) for layer in model.networks_[0].layers if layer.weights}


def test_weights_are_carried_over(checkpoint):
    folder, source = checkpoint
    data = dataset("frames", seed=3)
    started, fresh = fitted(data, init=str(folder)), fitted(data)
    for name, kernel in kernels(source).items():
        assert np.abs(kernels(started)[name] - kernel).max() < 1e-4  # one epoch at a rate of 1e-6
        assert np.abs(kernels(fresh)[name] - kernel).max() > 1e-2


def test_another_label_set_gets_a_new_last_layer(checkpoint):
    folder, source = checkpoint
    started = fitted(dataset("frames", labels=("angry", "sad")), init=str(folder))
    assert kernels(started)["probabilities"].shape[1] == 2
    assert np.abs(kernels(started)["lstm"] - kernels(source)["lstm"]).max() < 1e-4
    assert started.probabilities(dataset("frames").features).shape[1] == 2


def test_frozen_layers_stay_as_they_are(checkpoint):
    folder, source = checkpoint
    train = Train(epochs=2, learning_rate=0.01)
    model = fitted(dataset("frames", seed=3), train=train, init=str(folder), freeze=["lstm"])
    np.testing.assert_array_equal(kernels(model)["lstm"], kernels(source)["lstm"])
    assert np.abs(kernels(model)["dense"] - kernels(source)["dense"]).max() > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"freeze": ["lsmt"]}, r"freeze: no layer 'lsmt'. Did you mean 'lstm'\? Known: lstm, dense, probabilities\."),
        ({"init": "nowhere"}, "init: nowhere holds no model.keras"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        fitted(dataset("frames"), **options)


def test_shapes_that_do_not_match_are_named(checkpoint):
    with pytest.raises(ConfigError, match=r"init: layer lstm has weights \[\(5, 512\).* here and \[\(8, 512\)"):
        fitted(dataset("frames", dims=5), init=str(checkpoint[0]))
    with pytest.raises(ConfigError, match="has 3 layers with weights, this one"):
        fitted(dataset("frames"), "bilstm", init=str(checkpoint[0]))


def test_moving_average_and_mixed_precision_ship_float32(tmp_path):
    data = dataset("frames", noise=0.3)
    train = Train(epochs=3, learning_rate=0.01)
    plain = fitted(data, train=train)
    averaged = fitted(data, train=train.model_copy(update={"ema": 0.9}))
    assert averaged.labels == LABELS
    assert np.abs(kernels(plain)["lstm"] - kernels(averaged)["lstm"]).max() > 1e-4
    mixed = fitted(data, train=train.model_copy(update={"mixed_precision": True}))
    mixed.save(tmp_path)
    assert {str(w.dtype) for w in mixed.networks_[0].weights if "seed" not in w.path} == {"float32"}
    assert {layer.compute_dtype for layer in mixed.networks_[0].layers} == {"float32"}
    np.testing.assert_allclose(mixed.probabilities(data.features), plain.probabilities(data.features), atol=0.15)
