"""Starting from a trained network: weights carried over, layers frozen, what does not fit named."""

import json

import numpy as np
import pytest
from toy import LABELS, dataset
from toy import arguments as section

from models.classes import model_class
from prediction.predictor import Predictor
from utils.config import Train
from utils.errors import ConfigError

pytestmark = pytest.mark.usefixtures("eager", "narrow_vgg16")

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


def test_a_cut_file_of_weights_is_one_line(checkpoint, tmp_path):
    content = (checkpoint[0] / "model.keras").read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"PK\x03\x04" * 30):
        (tmp_path / "model.keras").write_bytes(damaged)
        with pytest.raises(ConfigError, match=r"model\.keras: damaged, or no network of this project \(") as caught:
            fitted(dataset("frames"), init=str(tmp_path))
        assert "\n" not in str(caught.value)


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


# frozen for a while

THAWED = {"freeze": ["conv1d", "frame_norm"], "train": Train(epochs=4, learning_rate=0.01, unfreeze_epoch=3)}


def every_weight(model) -> dict[str, np.ndarray]:
    """Return the first network's weights by their paths, layer/weight."""
    return {weight.path: np.array(weight) for weight in model.networks_[0].weights}


def begun(name: str, data) -> dict[str, np.ndarray]:
    """Return the weights that ``fitted`` begins with."""
    import keras

    model = model_class({"name": name})(section(name), data.labels, seed=1)
    model.mean_, model.frames_ = np.zeros(data.features.shape[1]), False
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)
    model.networks_ = [model._build()]
    return every_weight(model)


def changed(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> set[str]:
    """Return the layers of which some weight has changed."""
    return {path.split("/")[0] for path in before if "seed" not in path and np.any(before[path] != after[path])}


def test_frozen_layers_learn_from_the_epoch_that_says_so():
    data = dataset()
    fresh = begun("cnn1d", data)
    early = fitted(data, "cnn1d", freeze=THAWED["freeze"], train=THAWED["train"].model_copy(update={"epochs": 2}))
    late = fitted(data, "cnn1d", **THAWED)
    learned = {"conv1d_1", "frame_norm_1", "dense", "batch_normalization", "probabilities"}
    assert changed(fresh, every_weight(early)) == learned
    assert changed(fresh, every_weight(late)) == learned | {"conv1d"}  # normalisation stays as it was found


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_training_stopped_about_the_switch_goes_on_to_the_same_weights(epochs, tmp_path):
    data = dataset()

    def stop(line):
        if line["epoch"] == epochs:
            raise KeyboardInterrupt

    whole = fitted(data, "cnn1d", **THAWED)
    with pytest.raises(KeyboardInterrupt):
        fitted(data, "cnn1d", **THAWED, state=tmp_path, report=stop)
    resumed = fitted(data, "cnn1d", **THAWED, state=tmp_path)
    assert resumed.histories == whole.histories
    for path, weight in every_weight(whole).items():
        np.testing.assert_array_equal(every_weight(resumed)[path], weight)


def test_the_convolutions_of_vgg16_join_in_and_ship(tmp_path):
    data = dataset("frames", dims=32, speakers=1, takes=2)
    moved = []
    for epochs in (1, 2):
        train = Train(epochs=epochs, learning_rate=0.001, unfreeze_epoch=2, unfreeze_rate=1.0)
        model = fitted(data, "vgg16", train=train)
        moved.append(next(w for path, w in every_weight(model).items() if path.endswith("block1_conv1/kernel")))
    assert np.any(moved[0] != moved[1])
    model.save(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"labels": data.labels, "frames": True}), encoding="utf8")
    probabilities = Predictor(tmp_path).probabilities(data.features.clips)
    np.testing.assert_allclose(probabilities, model.probabilities(data.features), atol=1e-4)


def test_the_rate_falls_and_patience_begins_anew_where_layers_join_in():
    from models.training import Trainer, learning_rate

    train = Train(learning_rate=0.01, unfreeze_epoch=3, unfreeze_rate=0.2)
    rates = [learning_rate(train, epoch, {"loss": [], "val_loss": []}) for epoch in range(4)]
    np.testing.assert_allclose(rates, [0.01, 0.01, 0.002, 0.002])
    train = Train(epochs=9, patience=2, unfreeze_epoch=4)
    model = fitted(dataset(), "cnn1d", freeze=["conv1d"])
    trainer = Trainer(model.networks_[0], train, seed=1)
    trainer.best = [np.zeros(1)]
    for epoch, best, done in ((3, 1, False), (4, 1, False), (5, 1, True), (5, 4, False), (6, 4, True)):
        trainer.progress.epoch, trainer.progress.best_epoch = epoch, best
        assert trainer._done() == done


def test_nothing_to_unfreeze_is_an_error():
    with pytest.raises(ConfigError, match=r"train\.unfreeze_epoch: no layer is frozen"):
        fitted(dataset(), "cnn1d", train=Train(epochs=2, unfreeze_epoch=2))
