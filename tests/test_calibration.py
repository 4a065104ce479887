"""Calibration: a temperature that is known is found, the graph has it, and no clip decides over itself."""

import numpy as np
import pytest
from scipy.special import softmax

from evaluation.scores.calibration import cross_fitted, fit, reliability
from evaluation.scores.metrics import ece, log_loss
from models.temperature import LIMITS, apply_temperature


def draw(n=4000, n_classes=5, seed=0):
    """Return truth drawn from known probabilities, and these."""
    rng = np.random.default_rng(seed)
    probabilities = softmax(2 * rng.normal(size=(n, n_classes)), axis=1)
    return (rng.random((n, 1)) > probabilities.cumsum(axis=1)).sum(axis=1), probabilities


@pytest.mark.parametrize("hidden", [0.5, 1.0, 2.5])
def test_the_temperature_that_spoilt_the_probabilities_is_found(hidden):
    truth, probabilities = draw(n=40_000)
    spoilt = apply_temperature(probabilities, 1 / hidden)
    assert fit(truth, spoilt) == pytest.approx(hidden, rel=0.03)
    np.testing.assert_allclose(apply_temperature(spoilt, hidden), probabilities, atol=1e-4)


def test_it_is_the_lowest_log_loss():
    truth, probabilities = draw(n=300)
    spoilt = apply_temperature(probabilities, 0.3)
    best = fit(truth, spoilt)
    losses = [
        log_loss(truth, apply_temperature(spoilt, t).astype(np.float64)) for t in (0.98 * best, best, 1.02 * best)
    ]
    assert losses[1] == min(losses)


def test_tempering_divides_logits_and_keeps_the_order():
    logits = np.random.default_rng(1).normal(size=(50, 4))
    for temperature in (0.4, 1.0, 3.0):
        result = apply_temperature(softmax(logits, axis=1), temperature)
        np.testing.assert_allclose(result, softmax(logits / temperature, axis=1), atol=1e-6)
        assert (result.argmax(axis=1) == logits.argmax(axis=1)).all() and result.dtype == np.float32
    sure = apply_temperature(np.array([[1.0, 0.0]]), 2.0)  # the logarithm of 0 is not met
    assert np.isfinite(sure).all() and sure[0, 1] == pytest.approx(1e-6, rel=1e-3)


def test_predictions_that_are_always_right_keep_a_finite_temperature():
    low, high = LIMITS
    assert fit(np.arange(4), np.eye(4) * 0.9 + 0.025) == pytest.approx(low, rel=1e-2)
    assert fit(np.arange(4), np.eye(4)[::-1] * 0.9 + 0.025) == pytest.approx(high, rel=1e-2)


def test_no_clip_has_a_say_in_its_own_temperature():
    truth, probabilities = draw(n=600)
    probabilities, fold = apply_temperature(probabilities, 0.4), np.arange(600) % 3
    first, result = cross_fitted(truth, probabilities, fold)
    lied = np.where(fold == 1, (truth + 1) % 5, truth)
    second, other = cross_fitted(lied, probabilities, fold)
    np.testing.assert_array_equal(first[fold == 1], second[fold == 1])
    assert np.abs(first[fold == 0] - second[fold == 0]).max() > 0.01
    assert result["fold_temperatures"][1] == other["fold_temperatures"][1]
    assert result["temperature"] == pytest.approx(2.5, rel=0.15)
    assert result["ece"]["after"] < 0.5 * result["ece"]["before"]
    assert result["ece"]["before"] == pytest.approx(ece(truth, probabilities))
    assert result["ece"]["after"] == pytest.approx(ece(truth, first.astype(np.float64)))


def test_clips_that_nobody_tested_stay_and_one_fold_is_not_calibrated():
    truth, probabilities = draw(n=90)
    fold = np.arange(90) % 3 - 1
    calibrated, result = cross_fitted(truth, probabilities, fold)
    np.testing.assert_array_equal(calibrated[fold < 0], np.float32(probabilities[fold < 0]))
    assert len(result["fold_temperatures"]) == 2 and result["temperature"] == fit(
        truth[fold >= 0], probabilities[fold >= 0]
    )
    same, alone = cross_fitted(truth, probabilities, np.zeros(90, int))
    np.testing.assert_array_equal(same, np.float32(probabilities))
    assert (alone["temperature"], alone["fold_temperatures"]) == (1.0, [1.0])


def test_reliability_by_hand():
    probabilities = np.array([[0.95, 0.05], [0.91, 0.09], [0.4, 0.6], [0.3, 0.7]])
    result = reliability(np.array([0, 1, 1, 1]), probabilities)
    assert result["count"].tolist() == [0, 0, 0, 0, 0, 1, 1, 0, 0, 2]
    assert result["accuracy"][[5, 6, 9]].tolist() == [1, 1, 0.5]
    np.testing.assert_allclose(result["confidence"][[5, 6, 9]], [0.6, 0.7, 0.93])
    assert np.isnan(result["accuracy"][:5]).all()
    truth, probabilities = draw(n=500)
    result = reliability(truth, probabilities, bins=15)
    gaps = np.nan_to_num(np.abs(result["confidence"] - result["accuracy"]))
    assert gaps @ result["count"] / 500 == pytest.approx(ece(truth, probabilities))
