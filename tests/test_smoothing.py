"""Smoothing over time: the hidden Markov model, the minimum duration, segments and changes."""

import itertools

import numpy as np
import pytest

from prediction.smoothing import HiddenMarkovModel, emotion_segments, min_duration_filter


def by_enumeration(raw, weight, same):
    """Return the posterior of every hop, by summing over all paths."""
    n, classes = raw.shape
    moves = same * np.eye(classes) + (1 - same) / classes
    result = np.zeros((n, classes))
    for path in itertools.product(range(classes), repeat=n):
        p = np.prod([raw[t, s] ** weight for t, s in enumerate(path)]) * np.prod(
            [moves[a, b] for a, b in itertools.pairwise(path)]
        )
        for t, s in enumerate(path):
            result[t, s] += p
    return result / result.sum(axis=1, keepdims=True)


def test_smoothing_equals_the_sum_over_all_paths():
    raw = np.random.default_rng(0).dirichlet(np.ones(3), size=6)
    model = HiddenMarkovModel(3, hop=1.0, window=3.0, dwell=4.0)
    smooth = model.smooth(raw)
    np.testing.assert_allclose(smooth, by_enumeration(raw, 1 / 3, np.exp(-1 / 4)), atol=1e-12)
    state = model.prior
    for row in raw:
        state = model.step(state, row)
    np.testing.assert_allclose(state, smooth[-1])  # at the end there is no future


def test_silence_fades_to_knowing_nothing():
    raw = np.full((30, 3), np.nan)
    raw[0] = [0.8, 0.1, 0.1]
    smooth = HiddenMarkovModel(3, hop=1.0, window=1.0, dwell=2.0).smooth(raw)
    away = np.exp(-np.arange(30) / 2) * (0.8 - 1 / 3)
    np.testing.assert_allclose(smooth[:, 0], 1 / 3 + away, atol=1e-9)


def test_a_lone_outlier_is_smoothed_away_and_without_dwell_all_stays():
    raw = np.tile([0.7, 0.2, 0.1], (9, 1))
    raw[4] = [0.2, 0.7, 0.1]
    assert (HiddenMarkovModel(3, hop=1.0, window=3.0, dwell=10.0).smooth(raw).argmax(axis=1) == 0).all()
    np.testing.assert_allclose(HiddenMarkovModel(3, hop=1.0, window=3.0, dwell=0.0).smooth(raw), raw)


def test_a_long_certain_recording_neither_underflows_nor_forbids_a_change():
    raw = np.repeat(np.eye(3, dtype=np.float32), 2000, axis=0)
    smooth = HiddenMarkovModel(3, hop=1.0, window=3.0, dwell=10.0).smooth(raw)
    assert np.isfinite(smooth).all()
    np.testing.assert_array_equal(smooth.argmax(axis=1), raw.argmax(axis=1))


@pytest.mark.parametrize(
    ("labels", "least", "expected"),
    [
        ([0, 0, 1, 1, 1], 2, [0, 0, 1, 1, 1]),
        ([0, 0, 0, 1, 0, 2, 2, 2], 3, [0, 0, 0, 0, 0, 2, 2, 2]),
        ([1, 0, 0, 2], 2, [0, 0, 0, 0]),
        ([0, 0, 1, 2, 1, 2], 2, [0, 0, 0, 0, 0, 0]),
        ([2, 1, 2], 5, [2, 2, 2]),
        ([], 3, []),
    ],
)
def test_short_runs_are_filtered_out(labels, least, expected):
    assert min_duration_filter(labels, least).tolist() == expected


def test_segments_end_at_pauses_and_changes_are_told_from_pauses():
    starts = np.array([0, 1, 2, 5, 6, 7, 8])
    likely = np.eye(3)[[0, 0, 0, 0, 1, 1, 1]]
    result = emotion_segments(np.stack([starts, starts + 1], axis=1).astype(float), likely, min_duration=2.0)
    assert [(s.start, s.end, s.label, s.change) for s in result] == [
        (0, 3, 0, False), (5, 6, 0, False), (6, 9, 1, True),
    ]  # fmt: skip
    np.testing.assert_array_equal(result[0].probabilities, [1, 0, 0])
    assert emotion_segments(np.empty((0, 2)), np.empty((0, 3)), min_duration=2.0) == []


def test_hops_outside_what_the_model_knows_make_segments_without_a_label_and_no_change():
    times = np.array([[k, k + 1] for k in range(8)], float)
    probabilities = np.repeat([[0.9, 0.1], [0.3, 0.7], [0.9, 0.1]], [3, 2, 3], axis=0)
    outside = np.repeat([False, True, False], [3, 2, 3])
    segments = emotion_segments(times, probabilities, min_duration=1.0, outside=outside)
    assert [(s.start, s.end, s.label, s.change) for s in segments] == [
        (0, 3, 0, False),
        (3, 5, None, False),
        (5, 8, 0, False),
    ]
    np.testing.assert_allclose(segments[1].probabilities, [0.3, 0.7])
    (only,) = emotion_segments(times, probabilities, min_duration=1.0, outside=np.ones(8, bool))
    assert (only.start, only.end, only.label) == (0, 8, None)
