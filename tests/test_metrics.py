"""Metrics: figures worked out by hand, and every score equal to scikit-learn's."""

import json

import numpy as np
import pytest
from sklearn import metrics as reference

from evaluation.scores.metrics import brier, confusion, ece, log_loss, scores, uar
from utils.errors import DataError

LABELS = ("angry", "happy", "sad", "neutral")
CONTRACT = {"uar", "accuracy", "macro_f1", "weighted_f1", "per_class", "confusion"}


def draw(n=300, n_classes=4, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.choice(n_classes, n, p=np.arange(1, n_classes + 1) / sum(range(n_classes + 1)))
    logits = rng.normal(size=(n, n_classes)) + 1.5 * np.eye(n_classes)[truth]
    return truth, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def one_hot(predicted, n_classes):
    return np.eye(n_classes)[predicted]


def test_by_hand():
    """Recalls 2/3, 1/2 and 1: their mean is 13/18, though 4 of 6 clips are right."""
    truth, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 2, 2])
    matrix = confusion(truth, predicted, 3)
    assert matrix.tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert uar(matrix) == pytest.approx(13 / 18)
    result = scores(truth, one_hot(predicted, 3), "abc")
    assert result["accuracy"] == pytest.approx(4 / 6)
    assert result["per_class"]["a"] == {
        "precision": 1.0,
        "recall": pytest.approx(2 / 3),
        "f1": 0.8,
        "support": 3,
    }
    assert result["per_class"]["c"] == {
        "precision": 0.5,
        "recall": 1.0,
        "f1": pytest.approx(2 / 3),
        "support": 1,
    }
    assert result["confusion"] == matrix.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_parity_with_sklearn(seed):
    truth, probabilities = draw(seed=seed)
    predicted = probabilities.argmax(axis=1)
    result = scores(truth, probabilities, LABELS)
    assert set(result) >= CONTRACT
    assert result["uar"] == pytest.approx(reference.balanced_accuracy_score(truth, predicted), abs=1e-12)
    assert result["accuracy"] == pytest.approx(reference.accuracy_score(truth, predicted), abs=1e-12)
    for average in ("macro", "weighted"):
        for name in ("f1", "precision", "recall"):
            function = getattr(reference, f"{name}_score")
            assert result[f"{average}_{name}"] == pytest.approx(function(truth, predicted, average=average), abs=1e-12)
    assert result["log_loss"] == pytest.approx(reference.log_loss(truth, probabilities), abs=1e-12)
    assert result["brier"] == pytest.approx(
        reference.brier_score_loss(truth, probabilities, labels=range(4), scale_by_half=False), abs=1e-12
    )
    assert result["confusion"] == reference.confusion_matrix(truth, predicted).tolist()
    np.testing.assert_allclose(
        result["confusion_rates"], reference.confusion_matrix(truth, predicted, normalize="true"), atol=1e-12
    )
    table = reference.precision_recall_fscore_support(truth, predicted)
    ours = [[row[key] for row in result["per_class"].values()] for key in ("precision", "recall", "f1", "support")]
    np.testing.assert_allclose(ours, table, atol=1e-12)


def test_a_class_never_predicted_has_precision_0():
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 0])
    result = scores(truth, one_hot(predicted, 2), "ab")
    assert result["per_class"]["b"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 2}
    assert result["uar"] == 0.5
    assert result["macro_f1"] == pytest.approx(reference.f1_score(truth, predicted, average="macro"))


@pytest.mark.parametrize("predicted", [[0, 0, 1, 0], [0, 2, 1, 0]])
def test_a_class_without_clips_is_not_in_the_mean_recall(predicted):
    truth = np.array([0, 0, 1, 1])
    result = scores(truth, one_hot(np.array(predicted), 4), LABELS)
    assert result["uar"] == np.mean([np.mean(np.array(predicted)[truth == c] == c) for c in (0, 1)])
    assert result["per_class"]["sad"]["support"] == result["per_class"]["neutral"]["support"] == 0
    assert result["macro_f1"] == pytest.approx(reference.f1_score(truth, predicted, average="macro", zero_division=0))
    assert result["macro_recall"] == pytest.approx(
        reference.recall_score(truth, predicted, average="macro", zero_division=0)
    )
    assert len(result["confusion"]) == len(result["confusion"][3]) == 4
    assert result["confusion_rates"][2:] == [[0, 0, 0, 0]] * 2


def test_many_matrices_at_once():
    matrices = np.random.default_rng(0).integers(0, 9, (5, 3, 4, 4))
    matrices[1, 2, 3] = 0  # one without the last class
    matrices[0, 0] = 0  # one without clips
    together = uar(matrices)
    assert together.shape == (5, 3) and np.isnan(together[0, 0])
    assert together[1, 2] == pytest.approx(np.mean(np.diag(matrices[1, 2])[:3] / matrices[1, 2].sum(axis=1)[:3]))
    assert together[4, 1] == uar(matrices[4, 1])


def test_probability_scores_by_hand():
    truth = np.array([0, 1])
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4]])
    assert log_loss(truth, probabilities) == pytest.approx(-(np.log(0.8) + np.log(0.4)) / 2)
    assert brier(truth, probabilities) == pytest.approx((2 * 0.04 + 2 * 0.36) / 2)
    assert ece(truth, probabilities) == pytest.approx((0.2 + 0.6) / 2)  # in bins of their own
    assert ece(truth, probabilities, bins=1) == pytest.approx(0.2)  # 70 % sure, 50 % right
    assert log_loss(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(36.04, abs=0.01)  # not infinite


def test_calibration_error_with_its_bins_written_out():
    truth, probabilities = draw(n=2000, n_classes=12)
    probabilities[::2] = (probabilities[::2] + 1) / 13  # some hardly surer than chance
    confidence, hit = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    slow = 0.0
    for i in range(15):
        inside = (confidence > i / 15) & (confidence <= (i + 1) / 15)
        if inside.any():
            slow += inside.mean() * abs(confidence[inside].mean() - hit[inside].mean())
    assert ece(truth, probabilities) == pytest.approx(slow, abs=1e-12)


def test_calibrated_probabilities_have_little_calibration_error():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), 50_000)
    truth = (rng.random((50_000, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    sharpened = probabilities**3 / (probabilities**3).sum(axis=1, keepdims=True)
    assert ece(truth, probabilities) < 0.01
    assert ece(truth, sharpened) > 0.15


def test_perfect_and_wrong():
    truth = np.arange(4)
    perfect, wrong = scores(truth, np.eye(4), LABELS), scores(truth, np.eye(4)[::-1], LABELS)
    assert [perfect[key] for key in ("uar", "brier", "ece")] == [1, 0, 0]
    assert [wrong[key] for key in ("uar", "brier", "ece")] == [0, 2, 1]


def test_plain_numbers_that_json_takes():
    truth, probabilities = draw()
    result = scores(truth, probabilities.astype(np.float32), LABELS)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@pytest.mark.parametrize(
    ("truth", "probabilities", "words"),
    [
        ([0, 1], np.eye(3)[:2], r"must have shape \(2, 2\), got \(2, 3\)"),
        ([], np.zeros((0, 2)), r"got \(0, 2\)"),
        ([0, 1], [[0.5, 0.5], [3.0, 1.0]], "clip 1 sum to 4"),
        ([0, 1], [[np.nan, 0.5], [0.5, 0.5]], "clip 0 sum to nan"),
    ],
)
def test_what_does_not_fit_is_refused(truth, probabilities, words):
    with pytest.raises(DataError, match=words):
        scores(np.array(truth, int), np.asarray(probabilities), "ab")
