"""Probabilities of estimators: one temperature from held-out speakers, which never changes the answer."""

import numpy as np
import onnx.reference
import pytest
import skops.io
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from toy import LABELS, MODELS, arrays, dataset
from toy import arguments as section

from evaluation.scores.metrics import ece, log_loss
from models import calibrated, estimator_graph
from models.calibrated import CalibratedClassifier
from models.kernel_ridge import KernelRidgeClassifier
from models.sklearn_model import SklearnModel
from models.temperature import fit_temperature
from prediction.predictor import Predictor
from utils.dataset import Dataset
from utils.errors import ConfigError

ESTIMATORS = [name for name in MODELS if MODELS[name].package == "models.ml"]
EIGHT = ("angry", "happy", "sad", "neutral", "fear", "disgust", "surprise", "calm")


def speakers() -> tuple[Dataset, Dataset]:
    """Return clips of 16 speakers to fit on and of 8 unseen ones: 8 emotions, about half of the answers right."""
    data = dataset(speakers=24, takes=3, labels=EIGHT, dims=12, noise=4.0)
    seen = np.isin(data.speakers, np.unique(data.speakers)[:16])
    return data[seen], data[~seen]


def fitted(name: str, data: Dataset, seed: int = 1, **keys) -> SklearnModel:
    return SklearnModel(section(name) | keys, data.labels, seed=seed).fit(data)


@pytest.fixture(scope="module", params=ESTIMATORS)
def answers(request):
    """Return an estimator's name, the model, and its probabilities of unseen speakers' clips with their truth."""
    data, new = speakers()
    model = fitted(request.param, data)
    return request.param, model, model.probabilities(new.features).astype(np.float64), new


def test_the_answer_is_that_of_the_highest_score(answers):
    _, model, p, new = answers
    values = calibrated.scores(model.estimator_.estimator_, model._estimator_input(new.features, _unknown(model, new)))
    assert (p.argmax(axis=1) == values.argmax(axis=1)).all()


def test_probabilities_of_unseen_speakers_say_more_than_guessing(answers):
    """Nine neighbours without a vote for the truth made it impossible: an infinite loss, cut off at some 27 nats."""
    name, _, p, new = answers
    assert log_loss(new.truth, p) < 0.95 * np.log(len(EIGHT)), name


def test_they_are_as_confident_as_right(answers):
    name, _, p, new = answers
    assert ece(new.truth, p) < 0.15, name


def test_surest_clips_are_right_most_often():
    """With sigmoids on the votes of pairs they were right in .39 of the cases, all clips in .38."""
    data, new = speakers()
    p = fitted("svm", data).probabilities(new.features)
    right, order = p.argmax(axis=1) == new.truth, np.argsort(-p.max(axis=1))
    assert right[order[: len(new) // 5]].mean() > right.mean() + 0.1


def test_calibration_folds_do_not_change_the_answer():
    data, new = speakers()
    each = [fitted("svm", data, seed=seed).probabilities(new.features) for seed in range(4)]
    assert all((one.argmax(axis=1) == each[0].argmax(axis=1)).all() for one in each)
    assert any(np.abs(one - each[0]).max() > 1e-4 for one in each)  # they differ in their temperature


def test_the_temperature_is_that_of_rows_that_were_not_fitted_on():
    X, y = np.random.default_rng(0).normal(size=(90, 4)), np.resize([0, 1, 2], 90)
    X += 1.2 * np.eye(3, 4)[y]
    parts = [(np.flatnonzero(np.arange(90) % 2 != k), np.flatnonzero(np.arange(90) % 2 == k)) for k in range(2)]
    made = CalibratedClassifier(LogisticRegression(), parts).fit(X, y)
    values = np.concatenate([LogisticRegression().fit(X[a], y[a]).decision_function(X[b]) for a, b in parts])
    truth = np.concatenate([y[b] for _, b in parts])
    assert made.temperature_ == fit_temperature(values, truth, calibrated.LIMITS, unsure=1.0)
    expected = softmax(LogisticRegression().fit(X, y).decision_function(X) / made.temperature_, axis=1)
    np.testing.assert_allclose(made.predict_proba(X), expected)
    assert (made.predict(X) == expected.argmax(axis=1)).all()


def test_clips_that_are_all_right_do_not_make_certain():
    scores, truth = np.eye(3)[[0, 1, 2] * 20], np.resize([0, 1, 2], 60)
    temperature = fit_temperature(scores, truth, calibrated.LIMITS, unsure=1.0)
    assert 0.97 < softmax(scores[0] / temperature).max() < 0.999
    assert fit_temperature(scores, truth, calibrated.LIMITS) < temperature / 4


def test_scores_of_two_classes_and_of_neighbours():
    X, y = np.arange(10.0)[:, None], np.repeat([0, 1], 5)
    machine = LogisticRegression().fit(X, y)
    np.testing.assert_allclose(softmax(calibrated.scores(machine, X), axis=1), machine.predict_proba(X))
    votes = calibrated.scores(KNeighborsClassifier(3).fit(X, y), X[:1])
    np.testing.assert_allclose(votes, np.log([[1, calibrated.SMALLEST]]))


def test_a_pipeline_is_calibrated_by_its_probabilities_and_converts(tmp_path):
    X, y = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32), np.resize([0, 1, 2], 90)
    parts = [(np.flatnonzero(np.arange(90) % 2 != k), np.flatnonzero(np.arange(90) % 2 == k)) for k in range(2)]
    made = CalibratedClassifier(make_pipeline(PCA(2), LogisticRegression()), parts).fit(X, y)
    session = onnx.reference.ReferenceEvaluator(estimator_graph.graph(made, 4))
    np.testing.assert_allclose(session.run(None, {"ready": X})[0], made.predict_proba(X), atol=1e-5)


def test_votes_of_pairs_are_refused():
    X, y = np.random.default_rng(0).normal(size=(90, 4)), np.resize([0, 1, 2], 90)
    with pytest.raises(ConfigError, match="SVC has neither probabilities nor one decision value per class"):
        CalibratedClassifier(SVC(), [(np.arange(45), np.arange(45, 90))]).fit(X, y)
    assert not calibrated.has_scores(SVC(kernel="linear").fit(X, y))


def _unknown(model: SklearnModel, data: Dataset):
    return model.global_statistics(len(data))


# checkpoints that were written before


def _before(kind: str, X: np.ndarray, y: np.ndarray):
    """Return an estimator as earlier versions fitted and stored it, and the probabilities that it gave."""
    if kind == "votes":
        made = CalibratedClassifierCV(SVC(C=10.0), ensemble=False, cv=3).fit(X, y)
    elif kind == "kernel ridge":
        made = KernelRidgeClassifier().fit(X, y)
        made.sharpness_, made.cv = 7.0, None
        return made, softmax(7.0 * made.decision_function(X), axis=1)
    else:
        kinds = {"discriminant": LinearDiscriminantAnalysis(), "neighbours": KNeighborsClassifier(algorithm="brute")}
        made = kinds[kind].fit(X, y)
    return made, made.predict_proba(X)


@pytest.mark.parametrize("kind", ["votes", "kernel ridge", "discriminant", "neighbours"])
def test_estimators_of_earlier_versions_load_and_convert_as_they_were(kind, tmp_path):
    data = dataset()
    mean, std = data.features.mean(axis=0), data.features.std(axis=0)
    estimator, expected = _before(kind, (data.features - mean) / std, data.truth)
    state = {"estimator": estimator, "mean": mean, "std": std, "frames": False}
    skops.io.dump(state, tmp_path / "model.skops")
    model = SklearnModel.load(tmp_path, {"name": "svm"}, LABELS)
    np.testing.assert_allclose(model.probabilities(data.features), expected, atol=1e-5)
    model.save(tmp_path)
    (tmp_path / "model.json").write_text('{"name": "old", "labels": ["angry", "sad", "neutral"], "frames": false}')
    np.testing.assert_allclose(Predictor(tmp_path).probabilities(arrays(data.features)), expected, atol=1e-4)
