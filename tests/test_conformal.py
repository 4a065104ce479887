"""Label sets: thresholds worked out by hand, and the truth among the labels as often as asked."""

import numpy as np
import pytest
from scipy.special import softmax

from evaluation.scores.conformal import COVERAGES, coverage, scores, sets, threshold, with_thresholds


def draw(n, n_classes=8, *, n_speakers=24, seed=0):
    """Return truth, probabilities that are wrongly sure, and speakers of whom some are harder than others."""
    rng = np.random.default_rng(seed)
    speaker = rng.integers(n_speakers, size=n)
    truth = rng.integers(n_classes, size=n)
    clear = 1.5 + 0.7 * rng.normal(size=n_speakers)[speaker]
    return (
        truth,
        softmax(3 * rng.normal(size=(n, n_classes)) + 3 * clear[:, None] * np.eye(n_classes)[truth], axis=1),
        speaker,
    )


def test_threshold_by_hand():
    """Nine clips; at 80 % the eighth of ten ranks, at 90 % the ninth, beyond it every label."""
    own = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    probabilities = np.stack([own, 1 - own], axis=1)
    truth = np.zeros(9, int)
    assert threshold(truth, probabilities, 0.8) == 0.2
    assert threshold(truth, probabilities, 0.9) == 0.1
    assert threshold(truth, probabilities, 0.95) == 0.0
    scored = np.quantile(1 - own, np.ceil(10 * 0.8) / 9, method="inverted_cdf")  # Angelopoulos & Bates, section 1
    assert threshold(truth, probabilities, 0.8) == pytest.approx(1 - scored)


def test_sets_hold_the_probable_labels_and_are_never_empty():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.34, 0.33, 0.33]])
    assert sets(probabilities, 0.3).tolist() == [[True, True, False], [True, True, True]]
    assert sets(probabilities, 0.6).tolist() == [[True, False, False], [True, False, False]]
    assert sets(probabilities, 0.0).all()


@pytest.mark.parametrize("asked", COVERAGES)
def test_new_clips_are_covered_as_often_as_asked(asked):
    """On average over calibration sets, at least as asked and at most 1 / (n + 1) more."""
    held = []
    for seed in range(200):
        truth, probabilities, _ = draw(300, seed=seed)
        least = threshold(truth[:200], probabilities[:200], asked)
        held.append(sets(probabilities[200:], least)[np.arange(100), truth[200:]].mean())
    assert asked - 0.01 < np.mean(held) < asked + 1 / 201 + 0.01


def test_coverage_holds_every_speaker_out_in_turn():
    truth, probabilities, speaker = draw(480, n_speakers=6)
    result, inside = coverage(truth, probabilities, speaker, 0.8), np.zeros(480, bool)
    sizes = []
    for one in range(6):
        mine = speaker == one
        least = threshold(truth[~mine], probabilities[~mine], 0.8)
        chosen = probabilities[mine] >= least
        chosen[np.arange(mine.sum()), probabilities[mine].argmax(axis=1)] = True
        inside[mine] = chosen[np.arange(mine.sum()), truth[mine]]
        sizes += chosen.sum(axis=1).tolist()
    assert result["coverage"] == inside.mean() and result["mean_size"] == np.mean(sizes)
    each = [inside[speaker == one].mean() for one in range(6)]
    assert result["lowest"] == min(each) and result["lowest_group"] == str(np.argmin(each))


def test_a_speaker_has_no_say_in_the_own_threshold():
    truth, probabilities, speaker = draw(480, n_speakers=6)
    wrong = truth.copy()
    wrong[speaker == 0] = probabilities[speaker == 0].argmin(axis=1)
    result = coverage(wrong, probabilities, speaker, 0.8)
    assert result["lowest_group"] == "0" and result["lowest"] < 0.2
    least = threshold(truth[speaker != 0], probabilities[speaker != 0], 0.8)
    own = sets(probabilities[speaker == 0], least)
    assert result["lowest"] == own[np.arange(len(own)), wrong[speaker == 0]].mean()


def test_scores_are_those_of_every_coverage_and_need_two_speakers():
    truth, probabilities, speaker = draw(1440)
    names = np.array([f"toy/{s}" for s in speaker])
    result = scores(truth, probabilities, names)
    assert list(result) == ["0.8", "0.9", "0.95"]
    for asked in COVERAGES:
        row = result[f"{asked:g}"]
        assert abs(row["coverage"] - asked) < 0.03 and row["lowest_group"].startswith("toy/")
        assert row["threshold"] == threshold(truth, probabilities, asked)
    assert scores(truth, probabilities, np.full(1440, "")) == scores(truth, probabilities, np.full(1440, "a")) == {}


def test_sets_of_given_thresholds_by_hand():
    truth, speakers = np.array([0, 1, 1, 0]), np.array(["a", "a", "b", "b"])
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.7, 0.3]])
    coverages = with_thresholds(truth, probabilities, speakers, {"0.8": 0.35, "0.95": 0.0})
    assert coverages["0.8"] == {
        "threshold": 0.35, "coverage": 0.75, "mean_size": 1.25, "lowest": 0.5, "lowest_group": "b"
    }  # fmt: skip
    assert coverages["0.95"]["coverage"] == 1.0 and coverages["0.95"]["mean_size"] == 2.0
