"""The training loop: repeatable, resumable, stopped by strangers, and what the config asks for reaches Keras."""

from itertools import pairwise

import keras
import numpy as np
import pytest
from toy import LABELS, dataset

from models import training
from models.classes import model_class
from models.common import Statistics
from models.keras_model import build_network
from utils import plugins
from utils.config import Train
from utils.dataset import Frames

TRAIN = Train(epochs=5, batch_size=16, learning_rate=0.003, patience=5)
BILSTM = {"name": "bilstm", **plugins.arguments("models", {"name": "bilstm", "units": 8, "dense": 8})}
CNN = {"name": "cnn1d", **plugins.arguments("models", {"name": "cnn1d", "filters": 4, "dense": 8})}


def fitted(section, data, held=None, **options):
    model = model_class(section)(section, LABELS, seed=7)
    return model.fit(data, held, **{"train": TRAIN} | options)


def parts(kind: str):
    """Return four speakers to learn from and two to stop by."""
    data = dataset(kind)
    strangers = np.isin(data.speakers, ["toy/s4", "toy/s5"])
    return data[~strangers], data[strangers]


def weights(model) -> list[np.ndarray]:
    return [np.array(w) for network in model.networks_ for w in network.get_weights()]


def assert_same(one, other, features):
    assert one.histories == other.histories
    assert one.best_epoch == other.best_epoch
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.probabilities(features), other.probabilities(features))


class Stop:
    """A report that is interrupted after some epochs in all."""

    def __init__(self, after: int):
        self.left, self.lines = after, []

    def __call__(self, line):
        self.lines.append(line)
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def test_same_seed_same_numbers_and_a_stopped_training_goes_on(tmp_path):
    data, held = parts("vector")
    train = TRAIN.model_copy(update={"schedule": "cosine", "runs": 2})
    whole = fitted(CNN, data, held, train=train)
    with pytest.raises(KeyboardInterrupt):
        fitted(CNN, data, held, train=train, state=tmp_path, report=Stop(2))  # in the first run
    with pytest.raises(KeyboardInterrupt):
        fitted(CNN, data, held, train=train, state=tmp_path, report=Stop(6))  # in the second
    rest = Stop(0)
    resumed = fitted(CNN, data, held, train=train, state=tmp_path, report=rest)
    assert [(line["run"], line["epoch"]) for line in rest.lines] == [(2, 4), (2, 5)]
    assert_same(resumed, whole, held.features)  # the same seed, too: they are four trainings
    other = model_class(CNN)(CNN, LABELS, seed=8).fit(data, held, train=train)
    assert other.histories != whole.histories


def test_recurrent_networks_go_on_too(tmp_path):
    data, held = parts("frames")
    train = TRAIN.model_copy(update={"batch_size": len(data)})  # one shape to compile
    whole = fitted(BILSTM, data, held, train=train)
    with pytest.raises(KeyboardInterrupt):
        fitted(BILSTM, data, held, train=train, state=tmp_path, report=Stop(2))
    assert_same(fitted(BILSTM, data, held, train=train, state=tmp_path), whole, held.features)


def test_a_finished_training_is_not_repeated(tmp_path):
    data, held = parts("vector")
    first = fitted(CNN, data, held, state=tmp_path)
    again = Stop(0)
    second = fitted(CNN, data, held, state=tmp_path, report=again)
    assert not again.lines
    assert_same(first, second, held.features)


def test_a_state_half_written_is_not_read(tmp_path, monkeypatch):
    data, held = parts("vector")
    whole = fitted(CNN, data, held)
    with pytest.raises(KeyboardInterrupt):
        fitted(CNN, data, held, state=tmp_path, report=Stop(2))
    with monkeypatch.context() as patch:
        patch.setattr(training.os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fitted(CNN, data, held, state=tmp_path)
    assert_same(fitted(CNN, data, held, state=tmp_path), whole, held.features)


class Numbered(training.Trainer):
    """Epochs that write their number into every weight."""

    def _epoch(self, data, epoch):
        for variable in self.network.trainable_variables:
            variable.assign(variable * 0 + epoch + 1)
        return 1.0


def numbered(held, monkeypatch, **options) -> tuple[training.Progress, set[float]]:
    """Train for six epochs whose validation UARs are known; return the progress and the weights at the end."""
    scores = iter((0.2, 0.5, 0.4, 0.5, 0.3, 0.9))
    monkeypatch.setattr(training, "uar", lambda *_: next(scores))
    network = build_network(CNN, plugins.get("models", "cnn1d"), frames=False, dims=8, n_classes=3)
    train = Train(**{"epochs": 6, "patience": 3} | options)
    progress = Numbered(network, train, seed=1).fit((None, None, None), held, lambda line: None)
    return progress, {float(v) for w in network.trainable_variables for v in np.array(w).ravel()}


def plain(data) -> tuple:
    """Return what a trainer takes: features, the training set's statistics, truth."""
    scale = Statistics(data.features.mean(0)[None], data.features.std(0)[None], np.zeros(len(data), np.int64))
    return data.features, scale, data.truth


def test_early_stopping_returns_the_best_epochs_weights(monkeypatch):
    held = plain(dataset())
    progress, values = numbered(held, monkeypatch)
    assert (progress.epoch, progress.best_epoch, progress.best_uar) == (5, 2, 0.5)  # a tie does not count
    assert values == {2.0}
    progress, values = numbered(held, monkeypatch, patience=4)
    assert (progress.epoch, progress.best_epoch) == (6, 6) and values == {6.0}


def test_without_validation_the_last_epoch_stays(monkeypatch):
    progress, values = numbered(None, monkeypatch)
    assert progress.epoch == 6 and values == {6.0} and progress.history["val_uar"] == []


def test_history_says_what_validation_saw():
    data, held = parts("vector")
    model = fitted(CNN, data, held)
    (history,) = model.histories
    assert len(history["loss"]) == len(history["val_loss"]) == len(history["val_uar"]) == 5
    best = int(np.argmax(history["val_uar"]))
    assert model.best_epoch == best + 1
    p = model.probabilities(held.features)
    recalls = [np.mean(p[held.truth == k].argmax(axis=1) == k) for k in range(3)]
    assert history["val_uar"][best] == pytest.approx(np.mean(recalls), abs=1e-9)
    likely = p[np.arange(len(held)), held.truth]
    assert history["val_loss"][best] == pytest.approx(-np.log(likely).mean(), rel=1e-4)


@pytest.mark.parametrize("rng", [None, 0])
@pytest.mark.parametrize("count", [1, 31, 32, 33, 700])
@pytest.mark.parametrize("kind", ["vector", "frames"])
def test_batches_hold_each_clip_exactly_once(kind, count, rng):
    lengths = np.random.default_rng(1).integers(1, 90, count)
    frames = Frames([np.zeros((n, 1), np.float32) for n in lengths])
    features = frames if kind == "frames" else np.zeros((count, 2), np.float32)
    result = list(training.batches(features, 32, None if rng is None else np.random.default_rng(rng)))
    assert sorted(np.concatenate(result).tolist()) == list(range(count))
    assert all(len(batch) <= 32 for batch in result) and len(result) == -(-count // 32)


def test_batches_bring_like_lengths_together_in_a_new_order_each_epoch():
    lengths = np.random.default_rng(1).integers(1, 500, 640)
    frames = Frames([np.zeros((n, 1), np.float32) for n in lengths])

    def padding(batches):
        return sum(lengths[b].max() * len(b) - lengths[b].sum() for b in batches) / lengths.sum()

    one = list(training.batches(frames, 16, np.random.default_rng(1)))
    two = list(training.batches(frames, 16, np.random.default_rng(2)))
    chance = np.split(np.random.default_rng(1).permutation(640), 40)
    assert padding(one) < 0.1 * padding(chance)
    assert [b.tolist() for b in one] != [b.tolist() for b in two]
    assert not all(a <= b for a, b in pairwise(lengths[b].mean() for b in one))  # not from short to long


def test_inputs_are_scaled_where_frames_are_real():
    frames = Frames([np.full((3, 1), 5.0, np.float32), np.full((17, 1), 7.0, np.float32)])
    statistics = Statistics(np.float32([[1.0], [3.0]]), np.float32([[2.0], [4.0]]), np.array([0, 1]))
    padded, lengths = training.inputs(training.scaled(frames, statistics))
    assert padded.shape == (2, 32, 1) and lengths.tolist() == [3, 17]
    assert padded[0, :, 0].tolist() == [2.0] * 3 + [0.0] * 29
    assert padded[1, :, 0].tolist() == [1.0] * 17 + [0.0] * 15


def rates(epochs: int, **options) -> list[float]:
    train = Train(epochs=epochs, learning_rate=1.0, **options)
    return [float(training.learning_rate(train, epoch, {"loss": [], "val_loss": []})) for epoch in range(epochs)]


def test_schedules_known_values():
    assert rates(3) == [1, 1, 1]
    assert rates(4, schedule="cosine") == pytest.approx([1, 0.853553, 0.5, 0.146447], abs=1e-6)
    assert rates(8, schedule="step") == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])
    assert rates(5, warmup_epochs=3) == [0.25, 0.5, 0.75, 1, 1]
    assert rates(6, schedule="cosine", warmup_epochs=2) == pytest.approx(
        [1 / 3, 2 / 3, 1, 0.853553, 0.5, 0.146447], abs=1e-6
    )


def test_plateau_halves_after_five_epochs_without_progress():
    train = Train(epochs=60, learning_rate=1.0, schedule="plateau")

    def rate(losses, key="val_loss"):
        return training.learning_rate(train, len(losses), {"loss": [], "val_loss": []} | {key: losses})

    assert rate([3, 2, 1]) == 1
    assert rate([1, 2, 2, 2, 2]) == 1
    assert rate([1, 2, 2, 2, 2, 2]) == 0.5
    assert rate([1] + [2] * 9) == 0.5
    assert rate([1] + [2] * 10) == 0.25
    assert rate([1] + [2] * 5 + [0.5] + [2] * 4) == 0.5
    assert rate([1] + [2] * 5, key="loss") == 0.5  # the shipped model has no validation


def test_the_rate_of_each_epoch_reaches_the_optimizer():
    data, _ = parts("vector")
    seen = []

    class Watched(training.Trainer):
        def _epoch(self, data, epoch):
            seen.append(float(self.network.optimizer.learning_rate))
            return super()._epoch(data, epoch)

    network = build_network(CNN, plugins.get("models", "cnn1d"), frames=False, dims=8, n_classes=3)
    train = Train(epochs=4, learning_rate=0.01, schedule="cosine")
    Watched(network, train, seed=1).fit(plain(data), None, lambda line: None)
    assert seen == pytest.approx([0.01, 0.00853553, 0.005, 0.00146447], rel=1e-4)


def test_balanced_class_weights_known_values():
    truth = np.array([0, 0, 0, 1])
    assert training.class_weights(truth, 3, "none").tolist() == [1, 1, 1]
    result = training.class_weights(truth, 3, "balanced")  # scikit-learn's rule over the classes that occur
    np.testing.assert_allclose(result, [4 / 6, 2, 0], rtol=1e-6)
    assert result[truth].mean() == pytest.approx(1)


def test_balanced_class_weights_reach_keras():
    data, _ = parts("vector")
    rare = data[np.flatnonzero((data.truth != 1) | (np.arange(len(data)) % 12 == 4))]
    network = build_network(
        CNN | {"dropout": 0.0, "depth": 0}, plugins.get("models", "cnn1d"), frames=False, dims=8, n_classes=3
    )
    seen = []
    original = network.train_on_batch
    train = Train(epochs=1, class_weight="balanced", batch_size=8)
    trainer = training.Trainer(network, train, seed=1)

    def watched(x, y, sample_weight, **options):
        seen.append((y.argmax(axis=1), sample_weight))
        return original(x, y, sample_weight=sample_weight, **options)

    network.train_on_batch = watched
    trainer.fit(plain(rare), None, lambda line: None)
    truth, given = (np.concatenate(column) for column in zip(*seen, strict=True))
    expected = training.class_weights(rare.truth, 3, "balanced")
    assert len(set(expected.tolist())) > 1
    np.testing.assert_array_equal(given, expected[truth])


def test_losses_known_values():
    truth, p = np.float32([[1, 0]]), np.float32([[0.8, 0.2]])
    assert float(training.loss(Train())(truth, p)) == pytest.approx(-np.log(0.8), rel=1e-5)
    assert float(training.loss(Train(loss="focal"))(truth, p)) == pytest.approx(-(0.2**2) * np.log(0.8), rel=1e-4)
    smooth = -0.9 * np.log(0.8) - 0.1 * np.log(0.2)
    assert float(training.loss(Train(label_smoothing=0.2))(truth, p)) == pytest.approx(smooth, rel=1e-5)
    focal = -0.9 * 0.2**2 * np.log(0.8) - 0.1 * 0.8**2 * np.log(0.2)
    assert float(training.loss(Train(loss="focal", label_smoothing=0.2))(truth, p)) == pytest.approx(focal, rel=1e-4)


def test_the_loss_of_the_config_is_the_one_trained_on():
    network = build_network(CNN, plugins.get("models", "cnn1d"), frames=False, dims=8, n_classes=3)
    training.Trainer(network, Train(loss="focal", label_smoothing=0.1), seed=1)
    assert isinstance(network.loss, keras.losses.CategoricalFocalCrossentropy)
    assert network.loss.label_smoothing == 0.1 and network.loss.gamma == 2.0


def test_optimizers_take_what_the_config_says():
    adam = training.optimizer(Train(weight_decay=0.01, clip_norm=2.0, learning_rate=0.5))
    assert type(adam) is keras.optimizers.Adam and adam.weight_decay == 0.01 and adam.global_clipnorm == 2.0
    assert float(adam.learning_rate) == 0.5
    assert training.optimizer(Train()).weight_decay is None
    adamw = training.optimizer(Train(optimizer="adamw", weight_decay=0.02))
    assert type(adamw) is keras.optimizers.AdamW and adamw.weight_decay == 0.02
    sgd = training.optimizer(Train(optimizer="sgd"))
    assert type(sgd) is keras.optimizers.SGD and sgd.momentum == 0.9 and sgd.nesterov


def test_the_loss_of_an_epoch_is_the_mean_over_its_clips():
    data, _ = parts("frames")
    still = {"name": "lstm", **plugins.arguments("models", {"name": "lstm", "units": 4, "dropout": 0.0})}
    model = fitted(still, data, train=Train(epochs=1, batch_size=7, learning_rate=1e-12))
    probabilities = model.probabilities(data.features)
    expected = -np.log(probabilities[np.arange(len(data)), data.truth]).mean()
    assert model.histories[0]["loss"][0] == pytest.approx(expected, rel=1e-4)


def test_uar_is_that_of_scikit_learn():
    from sklearn.metrics import balanced_accuracy_score

    rng = np.random.default_rng(4)
    truth, predicted = rng.integers(0, 3, 60), rng.integers(0, 4, 60)
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        expected = balanced_accuracy_score(truth, predicted)
    assert training.uar(training.confusion(truth, predicted, 4)) == pytest.approx(expected)
