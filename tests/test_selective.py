"""Confidence: what abstaining leaves, counted by hand, and the errors in order."""

from dataclasses import replace

import numpy as np
import pytest
from toy import dataset

from evaluation.scores.selective import abstaining, errors, ranking, ranking_sentence, risk_coverage

TRUTH = np.array([0, 0, 1, 1, 0])
PROBABILITIES = np.array([[0.9, 0.1], [0.8, 0.2], [0.8, 0.2], [0.4, 0.6], [0.45, 0.55]])  # third and last wrong


def test_risk_coverage_by_hand():
    """Equal probabilities are answered together, whichever of them is right."""
    answered, accuracy = risk_coverage(TRUTH, PROBABILITIES)
    assert answered.tolist() == [0.2, 0.6, 0.8, 1.0]
    assert accuracy.tolist() == [1, 2 / 3, 3 / 4, 3 / 5]
    order = [2, 1, 0, 4, 3]
    np.testing.assert_array_equal(risk_coverage(TRUTH[order], PROBABILITIES[order]), (answered, accuracy))


def test_abstaining_says_which_threshold_leaves_how_many_answers():
    rows = abstaining(TRUTH, PROBABILITIES)
    assert [row["n_clips"] for row in rows] == [5, 5, 4, 4, 3, 3, 3, 3, 1, 1]  # at least 100, 90, ... 10 %
    assert rows[0] == {"coverage": 1.0, "below": 0.55, "n_clips": 5, "accuracy": 0.6}
    for row in rows:
        kept = PROBABILITIES.max(axis=1) >= row["below"]
        assert row["n_clips"] == kept.sum() and row["coverage"] == kept.mean()
        assert row["accuracy"] == (PROBABILITIES.argmax(axis=1) == TRUTH)[kept].mean()


def test_the_most_confident_errors_come_first():
    data = dataset()
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), len(data))
    data = replace(data, facts=data.facts | {"path": np.array([f"somewhere/{n}.wav" for n in range(len(data))])})
    result = errors(data, probabilities, most=7)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != data.truth)
    expected = sorted(wrong, key=lambda row: -probabilities[row].max())[:7]
    assert [row["id"] for row in result] == data.ids[expected].tolist()
    for row, n in zip(result, expected, strict=True):
        assert row["path"] == f"somewhere/{n}.wav" and row["predicted"] == data.labels[probabilities[n].argmax()]
        assert row["truth"] == data.labels[data.truth[n]] != row["predicted"]
        assert row["p"] == pytest.approx(probabilities[n].max(), abs=1e-6) and row["p_truth"] < row["p"]
    assert len(errors(data, probabilities, most=999)) == len(wrong)
    assert errors(data, np.eye(3)[data.truth]) == []
    del data.facts["path"]
    assert {row["path"] for row in errors(data, probabilities)} == {""}


def test_the_most_confident_quarter_by_hand():
    """Of five clips two are the quarter; the second and the third have equal probabilities, so they are three."""
    assert ranking(TRUTH, PROBABILITIES) == {"ranks": True, "quarter": 2 / 3, "all": 3 / 5, "n_clips": 3}
    worse = ranking(1 - TRUTH, PROBABILITIES)
    assert worse == {"ranks": False, "quarter": 1 / 3, "all": 2 / 5, "n_clips": 3}
    assert ranking_sentence(worse).endswith("do not use --abstain-below.")


def test_equal_probabilities_rank_nothing_and_without_errors_nothing_is_left_to_rank():
    equal = np.tile([0.75, 0.25], (5, 1))
    assert ranking(TRUTH, equal) == {"ranks": False, "quarter": 0.6, "all": 0.6, "n_clips": 5}
    assert ranking(np.zeros(5, int), equal)["ranks"] is True
