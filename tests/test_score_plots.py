"""Plots of predictions: the drawn numbers are the given ones, nothing is cut off or collides."""

import numpy as np
import pytest
from test_plots import check_layout, words

from evaluation.scores.calibration import reliability as points
from evaluation.scores.selective import risk_coverage
from utils.plots import comparison as comparison_plot
from utils.plots import scores as score_plots


def predictions(n, seed=0):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(6, 0.3), n)
    return (rng.random((n, 1)) > probabilities.cumsum(axis=1)).sum(axis=1), probabilities


def run(name, uar, difference=None):
    row = {"name": name, "uar": uar, "uar_lo": uar - 0.05, "uar_hi": uar + 0.05, "n_classes": 8, "difference": None}
    return row if difference is None else row | {
        "difference": difference, "difference_lo": difference - 0.04, "difference_hi": difference + 0.04, "p": 0.25,
    }  # fmt: skip


@pytest.mark.parametrize("n", [1, 2, 12])
def test_comparison_shows_every_run_with_its_figures(n):
    name = "ravdess_both_no_neutral_cnn_lstm_attention_stack187_seed{}"
    rows = [run("ravdess_svm", 0.55), *(run(name.format(i), 0.5 + i / 100, i / 100 - 0.05) for i in range(1, n))]
    figure = comparison_plot.comparison(rows, title="1440 clips, 24 speakers, speaker-independent, 6 folds by listed")
    check_layout(figure)
    (axes,) = figure.axes
    dots = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert dots == [row["uar"] for row in rows]
    chance = [line.get_xdata() for line in axes.lines if line.get_linestyle() == "--"]
    assert [set(ends) for ends in chance] == [{0.125}]
    texts = [text.get_text() for text in words(figure)]
    for row in rows:
        assert row["name"] in texts and f"{row['uar']:.3f}  [{row['uar_lo']:.3f}, {row['uar_hi']:.3f}]" in texts
    assert sum("p = 0.250" in text for text in texts) == n - 1


def group(uar, **changes):
    return {"n_clips": 60, "n_speakers": 1, "n_classes": 8, "uar": uar, "uar_ci95": None, "small": False} | changes


@pytest.mark.parametrize("calibrated", [False, True])
def test_reliability_shows_the_points_and_the_clips(calibrated):
    truth, probabilities = predictions(400)
    result, before = points(truth, probabilities), points(truth, probabilities[::-1])
    figure = score_plots.reliability(
        result, before=before if calibrated else None, title="run: calibration error 0.034"
    )
    check_layout(figure)
    lines = [line for line in figure.axes[0].lines if line.get_label() == "as shipped"]
    there = result["count"] > 0
    np.testing.assert_array_equal(lines[0].get_xdata(), result["confidence"][there])
    np.testing.assert_array_equal(lines[0].get_ydata(), result["accuracy"][there])
    assert [bar.get_height() for bar in figure.axes[1].patches] == result["count"].tolist()
    texts = [text.get_text() for text in words(figure)]
    assert all(str(count) in texts for count in result["count"]) and ("before calibration" in texts) is calibrated


@pytest.mark.parametrize("n", [3, 30, 2000])
def test_confidence_counts_every_clip(n):
    truth, probabilities = predictions(n)
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    figure = score_plots.confidence(top, right, risk_coverage(truth, probabilities), title="run: 54% of clips right")
    check_layout(figure)
    filled = [patch for patch in figure.axes[0].patches if patch.get_fill()]
    assert [patch.get_data().values.sum() for patch in filled] == [right.sum(), (~right).sum()]
    (curve,) = figure.axes[2].lines
    assert curve.get_ydata()[-1] == pytest.approx(right.mean()) and curve.get_xdata()[-1] == 1
    assert curve.get_xdata()[0] * n >= min(20, n)


def test_confidence_of_a_model_that_is_always_right():
    truth, probabilities = np.zeros(9, int), np.tile([0.9, 0.1], (9, 1))
    figure = score_plots.confidence(np.full(9, 0.9), np.ones(9, bool), risk_coverage(truth, probabilities))
    check_layout(figure)


@pytest.mark.parametrize("speakers", [2, 24, 91])
def test_subgroups_show_the_two_ends_and_the_worst(speakers):
    uars = np.random.default_rng(speakers).permutation(np.linspace(0.2, 0.9, speakers))
    by_speaker = {f"corpus/{n}": group(float(uar)) for n, uar in enumerate(uars)}
    long = "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht."
    texts = {long: group(0.5, uar_ci95=[0.4, 0.6], n_classes=7), "short": group(0.6, uar_ci95=[0.5, 0.7], n_clips=7000)}
    result = {
        "speaker": {"groups": by_speaker, "worst": min(by_speaker, key=lambda name: by_speaker[name]["uar"])},
        "text": {"groups": texts, "worst": long},
        "length": {"groups": {"0 to 2 s": group(0.1, small=True), "2 to 3 s": group(0.4)}, "worst": None},
    }
    figure = score_plots.subgroups(result, whole=0.55, title="run: UAR 0.550")
    check_layout(figure)
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    shown = [float(np.ravel(line.get_xdata())[0]) for line in dots]
    kept = np.sort(uars) if speakers <= score_plots.MOST else np.r_[np.sort(uars)[:13], np.sort(uars)[-13:]]
    assert sorted(shown[: len(kept)]) == pytest.approx(kept.tolist()) and shown[len(kept) :] == [0.5, 0.6, 0.1, 0.4]
    assert [line.get_color() == score_plots.ORANGE for line in dots].count(True) == 2
    assert [line.get_markerfacecolor() == "white" for line in dots].count(True) == 1
    names = [text.get_text() for text in words(figure)]
    assert "short  7000" in names and any("7 of 8 classes" in name for name in names)
