"""Every model of models/dnn and models/ml keeps the contract: numbers, files, ONNX; then the base class's own sums."""

import json
import zipfile
from functools import lru_cache

import numpy as np
import onnx
import pytest
from toy import LABELS, MODELS, arrays, dataset, kinds
from toy import arguments as section

from models import onnx_graph
from models.classes import model_class
from models.common import EmotionModel, check_input
from models.moments import SHRINKAGE_CLIPS, moments, safe_std, shrunk
from prediction.predictor import Predictor
from utils.config import Train
from utils.errors import ConfigError, DataError

pytestmark = pytest.mark.usefixtures("eager", "narrow_vgg16")

BOTH = {"cnn1d"}  # of the networks; scaling lies outside them and is the same for all
CASES = [
    (name, kind, normalise)
    for name in MODELS
    for kind in kinds(name)
    for normalise in ("global", "speaker")
    if normalise == "global" or name in BOTH or MODELS[name].package == "models.ml"
]
TRAIN = Train(epochs=6, batch_size=72, learning_rate=0.02)  # few and large steps: every one costs the same
MORE_STEPS = {"tdnn", "vgg16", "whisper"}  # they learn little in six
SMALL_STEPS = {"whisper"}  # its pretrained blocks would be lost at the others' rate

SLOW = {"vgg16"}  # its convolutions are random here, and frozen


def made_up(name: str, kind: str):
    """Return clips as wide as the model needs, and easy ones for a model that learns slowly."""
    return dataset(kind, dims=MODELS[name].constants.get("SMALLEST", 8), noise=0.3 if name in SLOW else 2.0)


def fitted(name: str, data, normalise: str = "global", **options) -> EmotionModel:
    model = model_class({"name": name})(section(name), data.labels, normalise=normalise, seed=3)
    update = {"epochs": 2 * TRAIN.epochs} if name in SLOW else {}
    update |= {"batch_size": 24} if name in MORE_STEPS else {}
    update |= {"learning_rate": 0.002} if name in SMALL_STEPS else {}
    train = TRAIN.model_copy(update=update)
    return model.fit(data, **({"train": train} | options if MODELS[name].package == "models.dnn" else options))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a function from a case to the model, its training data and its folder; each is fitted once."""

    @lru_cache
    def get(name: str, kind: str, normalise: str):
        data = made_up(name, kind)
        model = fitted(name, data, normalise)
        if MODELS[name].package == "models.dnn":
            model.temperature_ = 1.7  # as calibration sets it, so that every file is held to having it
        folder = tmp_path_factory.mktemp(f"{name}-{kind}-{normalise}")
        model.save(folder)
        statistics = {"mean": model.mean_.tolist(), "std": model.std_.tolist()}
        card = {"name": name, "labels": LABELS, "frames": kind == "frames", "training_statistics": statistics}
        (folder / "model.json").write_text(json.dumps(card), encoding="utf8")
        return model, data, folder

    return get


@pytest.fixture(params=CASES, ids="-".join)
def case(request, trained):
    return *trained(*request.param), request.param


def test_there_are_models_to_test():
    assert {"svm", "mlp", "cnn1d", "lstm", "bilstm"} <= set(MODELS)
    assert {name for name, _, _ in CASES} == set(MODELS)


def test_probabilities_are_probabilities_in_the_order_of_the_labels(case):
    model, data, _, _ = case
    probabilities = model.probabilities(data.features)
    assert probabilities.shape == (len(data), len(LABELS)) and probabilities.dtype == np.float32
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    recalls = [np.mean(probabilities[data.truth == k].argmax(axis=1) == k) for k in range(len(LABELS))]
    assert np.mean(recalls) > 0.5  # chance is .33; swapped columns would be far below


def test_loading_gives_the_same_numbers(case):
    model, data, folder, (name, _, normalise) = case
    loaded = type(model).load(folder, section(name), LABELS, normalise=normalise)
    np.testing.assert_array_equal(loaded.mean_, model.mean_)
    np.testing.assert_array_equal(loaded.std_, model.std_)
    assert loaded.frames_ == model.frames_
    known = model.speaker_statistics(data) if normalise == "speaker" else None
    np.testing.assert_allclose(
        loaded.probabilities(data.features, known), model.probabilities(data.features, known), atol=1e-6
    )


def test_onnx_agrees_with_the_framework(case):
    model, data, folder, (_, _, normalise) = case
    predictor = Predictor(folder, threads=1)
    shipped = predictor.probabilities(arrays(data.features))
    np.testing.assert_allclose(shipped, model.probabilities(data.features), atol=1e-4)
    np.testing.assert_allclose(shipped.sum(axis=1), 1, atol=1e-5)
    if normalise == "speaker":
        rows = np.flatnonzero(data.speakers == data.speakers[0])
        mine, given = arrays(data.features[rows]), data.features[rows[:5]]
        speaker = predictor.enrolled(arrays(given))
        expected = model.probabilities(data.features[rows], model.enrolled_statistics(given, len(rows)))
        np.testing.assert_allclose(predictor.probabilities(mine, speaker), expected, atol=1e-4)
        assert np.abs(expected - model.probabilities(data.features[rows])).max() > 1e-3


def test_a_clip_alone_is_as_in_a_batch(case):
    model, data, folder, _ = case
    predictor = Predictor(folder, threads=1)
    clips = arrays(data.features)
    together = predictor.probabilities(clips)
    alone = np.concatenate([predictor.probabilities([clip]) for clip in clips])
    np.testing.assert_allclose(alone, together, atol=1e-5)
    one = np.concatenate([model.probabilities(data.features[[k]]) for k in range(3)])
    np.testing.assert_allclose(one, model.probabilities(data.features)[:3], atol=1e-5)


@pytest.mark.parametrize("which", [case for case in CASES if case[1] == "frames"], ids="-".join)
def test_padding_changes_nothing(which, trained):
    _, data, folder = trained(*which)
    predictor = Predictor(folder, threads=1)
    padded, lengths = data.features.pad()
    longer, _ = data.features.pad(padded.shape[1] + 23)
    dirty = longer.copy()
    for row, length in zip(dirty, lengths, strict=True):
        row[length:] = 1e3
    result = []
    for frames in (padded, longer, dirty):
        feed = {"features": frames, "lengths": lengths}
        (graph,) = predictor.graphs
        if graph.takes_speaker:
            both = zip(("speaker_mean", "speaker_std"), graph.global_statistics(), strict=True)
            feed |= {key: np.repeat(value[None], len(lengths), axis=0) for key, value in both}
        result.append(graph.session.run(["probabilities"], feed)[0])
    np.testing.assert_allclose(result[1], result[0], atol=1e-5)
    np.testing.assert_allclose(result[2], result[0], atol=1e-5)


def test_onnx_inputs_and_outputs_are_as_promised(case):
    _, data, folder, (_, kind, normalise) = case
    graph = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(graph, full_check=True)
    assert graph.ir_version <= onnx_graph.IR_VERSION
    dims = arrays(data.features)[0].shape[-1]
    float32, int64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    expected = {"features": (float32, ["batch", "frames", dims] if kind == "frames" else ["batch", dims])}
    expected |= {"lengths": (int64, ["batch"])} if kind == "frames" else {}
    if normalise == "speaker":
        expected |= {f"speaker_{name}": (float32, ["batch", dims]) for name in ("mean", "std")}

    def described(values):
        result = {}
        for value in values:
            tensor = value.type.tensor_type
            result[value.name] = (tensor.elem_type, [d.dim_param or d.dim_value for d in tensor.shape.dim])
        return result

    assert described(graph.graph.input) == expected
    outputs = described(graph.graph.output)
    assert outputs.pop("attention", (float32, ["batch", "frames"])) == (float32, ["batch", "frames"])
    assert outputs == {"probabilities": (float32, ["batch", len(LABELS)])}


def test_the_frameworks_own_file_holds_no_pickle(case):
    model, _, folder, _ = case
    with zipfile.ZipFile(folder / model.file) as archive:
        names = archive.namelist()
        assert names and not any(name.endswith((".pkl", ".pickle", ".joblib")) for name in names)
        for name in names:
            if name.endswith(".npy"):
                assert b"'descr': '|O'" not in archive.read(name)[:128]  # object arrays are pickles
            if name == "schema.json":
                assert "PickleNode" not in archive.read(name).decode()


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name].package == "models.dnn"])
def test_training_loss_falls(name, trained):
    model, _, _ = trained(name, kinds(name)[0], "global")
    losses = model.histories[0]["loss"]
    assert len(losses) == TRAIN.epochs * (1 + (name in SLOW))
    assert losses[-1] < (0.97 if name in SLOW else 0.9) * losses[0]


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name].package == "models.dnn"])
def test_networks_take_two_classes(name):
    from models.keras_model import build_network

    for kind in kinds(name):
        dims = MODELS[name].constants.get("SMALLEST", 8)
        network = build_network(section(name), MODELS[name], frames=kind == "frames", dims=dims, n_classes=2)
        assert network.output_shape == (None, 2)


def test_networks_of_two_classes_learn():
    data = dataset(labels=("angry", "sad"), noise=0.3)
    losses = fitted("cnn1d", data).histories[0]["loss"]
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name].package == "models.ml"])
def test_estimators_of_two_classes_ship_too(name, tmp_path):
    data = dataset(labels=("angry", "sad"))
    model = fitted(name, data)
    model.save(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"labels": data.labels, "frames": False}), encoding="utf8")
    probabilities = Predictor(tmp_path).probabilities(arrays(data.features))
    np.testing.assert_allclose(probabilities, model.probabilities(data.features), atol=1e-4)


def test_runs_are_averaged_and_shipped_as_one(tmp_path):
    data = dataset()
    model = fitted("cnn1d", data, train=TRAIN.model_copy(update={"runs": 2}))
    from models import training

    each = [training.predict(network, data.features, model.global_statistics(len(data))) for network in model.networks_]
    assert len(each) == 2 and np.abs(each[0] - each[1]).max() > 1e-3
    probabilities = model.probabilities(data.features)
    np.testing.assert_allclose(probabilities, np.mean(each, axis=0), atol=1e-6)
    model.save(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"labels": data.labels, "frames": False}), encoding="utf8")
    np.testing.assert_allclose(Predictor(tmp_path).probabilities(arrays(data.features)), probabilities, atol=1e-4)
    loaded = type(model).load(tmp_path, model.section, LABELS)
    np.testing.assert_allclose(loaded.probabilities(data.features), probabilities, atol=1e-6)


# the base class


class Bare(EmotionModel):
    """A model that only keeps what it was fitted on."""

    def _fit(self, data, statistics, validation, **options):
        self.seen = data, statistics, validation

    def probabilities(self, features, statistics=None):
        raise AssertionError

    save = load = probabilities


def bare(data, normalise: str = "global", validation=None) -> Bare:
    return Bare({"name": "svm"}, data.labels, normalise=normalise).fit(data, validation)


@pytest.mark.parametrize("kind", ["vector", "frames"])
def test_the_scaler_is_the_training_parts_mean_and_deviation(kind):
    data = dataset(kind)
    model = bare(data)
    rows = np.concatenate([np.atleast_2d(clip) for clip in arrays(data.features)]).astype(np.float64)
    np.testing.assert_allclose(model.mean_, rows.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(model.std_, rows.std(axis=0), rtol=1e-5)
    seen, statistics, validation = model.seen
    assert seen is data and validation is None and set(statistics.rows) == {0}


def test_the_scaler_does_not_look_at_validation():
    data, other = dataset(), dataset(seed=5)
    other.features[:] *= 1e4
    with_it, without = bare(data, validation=other), bare(data)
    np.testing.assert_array_equal(with_it.mean_, without.mean_)
    np.testing.assert_array_equal(with_it.std_, without.std_)
    assert with_it.seen[2][0] is other


@pytest.mark.parametrize("kind", ["vector", "frames"])
def test_speaker_normalised_models_learn_every_clip_both_ways(kind):
    data = dataset(kind)
    model = bare(data, "speaker")
    seen, statistics, _ = model.seen
    n = len(data)
    assert seen.ids.tolist() == [*data.ids, *data.ids]
    for row in (0, n - 1):
        mine = [clip for clip, s in zip(arrays(data.features), data.speakers, strict=True) if s == data.speakers[row]]
        own = np.concatenate([np.atleast_2d(clip) for clip in mine]).astype(np.float64)
        np.testing.assert_allclose(statistics.mean[statistics.rows[row]], own.mean(axis=0), rtol=1e-4)
        np.testing.assert_allclose(statistics.std[statistics.rows[row]], own.std(axis=0), rtol=1e-4)
        np.testing.assert_array_equal(statistics.mean[statistics.rows[n + row]], model.mean_)
        np.testing.assert_array_equal(statistics.std[statistics.rows[n + row]], model.std_)


def test_enrolment_is_drawn_towards_the_training_set():
    data = dataset()
    model = bare(data, "speaker")
    for clips in (1, 5, 12):
        given = data.features[:clips].astype(np.float64)
        share = clips / (clips + SHRINKAGE_CLIPS)
        result = model.enrolled_statistics(data.features[:clips], 7)
        np.testing.assert_allclose(result.mean[0], share * given.mean(axis=0) + (1 - share) * model.mean_, rtol=1e-4)
        np.testing.assert_allclose(result.std[0], share * given.std(axis=0) + (1 - share) * model.std_, rtol=1e-4)
        assert result.rows.tolist() == [0] * 7
    assert SHRINKAGE_CLIPS == 5


def test_shrinkage_known_values():
    own, train = (np.float32([2.0]), np.float32([4.0])), (np.float32([0.0]), np.float32([1.0]))
    mean, std = shrunk(own, train, 5)
    assert mean.tolist() == [1.0] and std.tolist() == [2.5]


def test_tiny_features_are_scaled_and_still_ones_are_not_blown_up():
    rng = np.random.default_rng(0)
    values = np.stack([1e-10 * rng.normal(size=200), np.full(200, 7.3), np.zeros(200), rng.normal(size=200)], axis=1)
    mean, std = moments([values.astype(np.float32)])
    ready = safe_std(std, np.abs(mean))
    assert ready[1:3].tolist() == [1.0, 1.0]
    scaled = (values - mean) / ready
    np.testing.assert_allclose(scaled[:, [0, 3]].std(axis=0), 1, rtol=1e-4)
    assert np.abs(scaled[:, 1:3]).max() < 1e-5


def test_a_feature_a_speaker_never_moves_is_scaled_by_the_training_set():
    data = dataset()
    data.features[data.speakers == "toy/s0", 2] = 1.5
    model = bare(data, "speaker")
    statistics = model.speaker_statistics(data)
    assert statistics.std[0, 2] == model.std_[2] and statistics.std[1, 2] != model.std_[2]


def test_a_network_that_reads_time_refuses_vectors():
    with pytest.raises(ConfigError, match=r"bilstm reads frames, and IS10 .* librosa_frames") as caught:
        check_input({"name": "bilstm"}, frames=False, features="IS10")
    assert "\n" not in str(caught.value)
    check_input({"name": "bilstm"}, frames=True, features="stack187")
    check_input({"name": "svm"}, frames=False, features="IS10")


# calibration and pooling of estimators


def test_calibration_keeps_a_speaker_on_one_side():
    data = dataset()
    model = fitted("svm", data)
    folds = model._calibration_folds(data)
    assert len(folds) == 3
    for train, test in folds:
        assert not set(data.speakers[train]) & set(data.speakers[test])
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(data)))
    both, _ = model.with_and_without_speaker(data)
    for train, test in model._calibration_folds(both):
        assert not set(both.speakers[train]) & set(both.speakers[test])
    assert len(model.estimator_.cv) == 3  # what was calibrated on is what is tested here
    for (train, _), (used, _) in zip(folds, model.estimator_.cv, strict=True):
        np.testing.assert_array_equal(train, used)


@pytest.mark.parametrize("kind", ["unknown speakers", "one speaker has a class alone"])
def test_calibration_without_usable_speakers_keeps_recordings_whole(kind):
    data = dataset()
    if kind == "unknown speakers":
        data.speakers[:] = ""
    else:
        data.speakers[data.truth == 1] = "toy/s0"
    data.digests[1] = data.digests[0]
    model = fitted("svm", data)
    for train, test in model._calibration_folds(data):
        assert not set(data.digests[train]) & set(data.digests[test])
        assert set(data.truth[train]) == {0, 1, 2}
    assert model.probabilities(data.features).shape == (len(data), 3)


def test_a_class_of_one_clip_cannot_be_calibrated():
    data = dataset()
    data = data[[*np.flatnonzero(data.truth != 1), np.flatnonzero(data.truth == 1)[0]]]
    with pytest.raises(DataError, match=r"svm: .* two different recordings .* Drop or merge sad"):
        fitted("svm", data)


def test_a_class_never_seen_gets_no_probability():
    data = dataset()
    known = data[data.truth != 1]
    probabilities = fitted("mlp", known).probabilities(data.features)
    assert probabilities.shape[1] == 3 and not probabilities[:, 1].any()


def test_pooled_frames_known_values():
    from models.sklearn_model import pooled

    frames = np.float32([[1, 10], [3, 10], [5, 40]])
    result = pooled(frames, np.float32([1, 0]), np.float32([2, 10]))
    deviation = np.sqrt([8 / 3, 200.0]) / [2, 10]
    np.testing.assert_allclose(result, [1, 2, *deviation, 0, 1, 2, 4], rtol=1e-6)


@pytest.mark.parametrize("broken", ["missing", "not JSON", "not ONNX"])
def test_what_is_no_checkpoint_is_said_in_one_line(broken, tmp_path):
    (tmp_path / "model.json").write_text("{" if broken == "not JSON" else '{"labels": []}', encoding="utf8")
    if broken != "missing":
        (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ConfigError, match=r"no model\.onnx in it|damaged") as caught:
        Predictor(tmp_path)
    assert str(tmp_path) in str(caught.value)


# seeds of estimators


@pytest.mark.parametrize("kind", ["vector", "frames"])
@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name].package == "models.ml"])
def test_an_estimator_of_the_same_seed_gives_the_same_numbers(name, kind):
    data = dataset(kind, speakers=3, takes=2)
    one, two = (fitted(name, data).probabilities(data.features) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_every_step_of_a_pipeline_is_seeded():
    from sklearn.decomposition import PCA
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline

    from models.sklearn_model import seeded

    data = dataset(speakers=3)

    def probabilities(step, seed: int) -> np.ndarray:
        pipeline = seeded(make_pipeline(PCA(4, svd_solver="randomized"), step), seed)
        return pipeline.fit(data.features, data.truth).predict_proba(data.features)

    for make in (lambda: RandomForestClassifier(9), lambda: MLPClassifier((4,), max_iter=9)):
        np.testing.assert_array_equal(probabilities(make(), 3), probabilities(make(), 3))
        assert np.abs(probabilities(make(), 3) - probabilities(make(), 4)).max() > 1e-3
