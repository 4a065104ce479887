"""Kernel ridge regression: against scikit-learn's, balanced classes, probabilities from held-out rows, one graph."""

import numpy as np
from sklearn.kernel_ridge import KernelRidge

from models.kernel_ridge import KernelRidgeClassifier
from tests.toy import dataset


def rows(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.resize([0, 1, 2], n)
    return (rng.normal(size=(n, 6)) + 1.5 * np.eye(3, 6)[y]).astype(np.float32), y


def test_scores_are_those_of_scikit_learns_kernel_ridge():
    X, y = rows()
    estimator = KernelRidgeClassifier(ridge=0.5, limit=100.0).fit(X, y)  # equal classes: every weight is 1
    reference = KernelRidge(alpha=0.5, kernel="rbf", gamma=1 / (2 * np.square(X).sum(axis=1).mean()))
    expected = reference.fit(X, np.eye(3)[y] - 1 / 3).predict(X)
    np.testing.assert_allclose(estimator.decision_function(X), expected, atol=1e-4)


def test_a_rare_class_weighs_as_much_as_the_others():
    X, y = rows(300)
    kept = (y != 2) | (np.arange(300) % 10 == 2)
    recalls = [(KernelRidgeClassifier().fit(X[kept], y[kept]).predict(X)[y == k] == k).mean() for k in range(3)]
    assert recalls[2] > 0.4 and min(recalls) > 0.4


def test_features_are_cut_off():
    X, y = rows()
    estimator = KernelRidgeClassifier(limit=2.0).fit(X, y)
    strange = np.where(np.abs(X) > 2, np.sign(X) * 1e6, X)
    np.testing.assert_allclose(estimator.decision_function(strange), estimator.decision_function(X), atol=1e-5)


def test_calibration_folds_keep_speakers_apart():
    from models.sklearn_model import SklearnModel

    data = dataset(speakers=6)
    section = {"name": "kernel_ridge", "ridge": 0.2, "limit": 2.5}
    model = SklearnModel(section, data.labels, seed=1).fit(data)
    for train, held in model.estimator_.cv:
        assert not set(data.speakers[train]) & set(data.speakers[held])
    noted = {purpose for purpose, _ in model.usage.parts}
    assert {"calibration 1 fit", "calibration 1 held"} <= noted


def test_landmarks_answer_nearly_as_all_rows_and_are_kept_in_half_precision():
    rng = np.random.default_rng(4)
    centres = rng.normal(size=(3, 12)) * 1.5
    truth = rng.integers(3, size=900)
    X = (centres[truth] + rng.normal(size=(900, 12))).astype(np.float32)
    whole = KernelRidgeClassifier(ridge=0.5).fit(X[:600], truth[:600])
    few = KernelRidgeClassifier(ridge=0.5, landmarks=150, random_state=1).fit(X[:600], truth[:600])
    assert few.rows_.shape == (150, 12)
    np.testing.assert_array_equal(few.rows_, few.rows_.astype(np.float16).astype(np.float32))
    right = [(model.predict(X[600:]) == truth[600:]).mean() for model in (whole, few)]
    assert right[1] > right[0] - 0.02
    again = KernelRidgeClassifier(ridge=0.5, landmarks=150, random_state=1).fit(X[:600], truth[:600])
    np.testing.assert_array_equal(few.weights_, again.weights_)
    all_of_them = KernelRidgeClassifier(ridge=0.5, landmarks=5000).fit(X[:600], truth[:600])
    np.testing.assert_array_equal(all_of_them.weights_, whole.weights_)
