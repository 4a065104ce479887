"""Support vector machines, one against the rest: those of scikit-learn, class by class, and one graph."""

import numpy as np
import onnx.reference
import pytest
from sklearn.svm import SVC

from models import estimator_graph
from models.calibrated import CalibratedClassifier
from models.one_against_rest import OneAgainstRestSVC

KERNELS = ("rbf", "linear", "poly", "sigmoid")


def rows(n: int = 90, dims: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Return standardised rows of three classes, the third half as frequent as the others."""
    rng = np.random.default_rng(0)
    y = np.resize([0, 1, 0, 1, 2], n)
    return (rng.normal(size=(n, dims)) + 0.8 * np.eye(3, dims)[y]).astype(np.float32), y


@pytest.mark.parametrize("weight", [None, "balanced"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_scores_are_those_of_one_machine_per_class(kernel, weight):
    X, y = rows()
    of_row = len(y) / (3 * np.bincount(y))[y] if weight else None
    machines = [SVC(C=2.0, kernel=kernel).fit(X, y == k, sample_weight=of_row) for k in range(3)]
    expected = np.stack([machine.decision_function(X) for machine in machines], axis=1)
    made = OneAgainstRestSVC(C=2.0, kernel=kernel, class_weight=weight).fit(X, y)
    np.testing.assert_allclose(made.decision_function(X), expected, atol=5e-3)  # libsvm stops at a tolerance of 1e-3
    assert made.gamma_ == pytest.approx(1 / (6 * X.var()), rel=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_graph_gives_the_same_probabilities(kernel, classes):
    X, y = rows()
    X, y = X[y < classes], y[y < classes]
    machine = OneAgainstRestSVC(kernel=kernel, gamma="auto").fit(X, y)
    made = CalibratedClassifier.of_fitted(machine, 0.4)
    session = onnx.reference.ReferenceEvaluator(estimator_graph.graph(made, X.shape[1]))
    np.testing.assert_allclose(session.run(None, {"ready": X})[0], made.predict_proba(X), atol=1e-5)


def test_a_linear_machine_keeps_no_rows_and_others_only_support_vectors():
    X, y = rows()
    linear, curved = (OneAgainstRestSVC(kernel=kernel).fit(X, y) for kernel in ("linear", "rbf"))
    assert linear.rows_.shape == (0, 6) and linear.weights_.shape == (6, 3)
    assert len(curved.rows_) == len(curved.weights_) <= len(X) and curved.weights_.any(axis=1).all()


def test_labels_need_not_be_numbers_from_0():
    X, y = rows()
    made = OneAgainstRestSVC().fit(X, np.array([2, 5, 7])[y])
    assert made.classes_.tolist() == [2, 5, 7] and (made.predict(X) == np.array([2, 5, 7])[y]).mean() > 0.8
