"""Whether a score is better than guessing: the level by hand, the verdict, and that all pages say the same."""

from dataclasses import replace

import numpy as np
import pytest
from test_html import Document
from toy import LABELS, dataset

from evaluation.checkpoint.text import text
from evaluation.pages import report
from evaluation.scores import guessing
from evaluation.scores.significance import Interval
from evaluation.studies import comparison
from tests.toy_runs import config, written


def test_the_level_counts_the_classes_that_are_tested():
    assert guessing.chance(np.array([0, 0, 0, 3])) == 0.5
    assert guessing.chance(np.arange(8)) == 0.125


@pytest.mark.parametrize(
    ("uar", "interval", "expected"),
    [
        (0.40, Interval(0.30, 0.50, True), "better than guessing"),
        (0.30, Interval(0.25, 0.35, True), "no better than guessing"),
        (0.30, Interval(0.20, 0.40, True), "no better than guessing"),
        (0.20, Interval(0.15, 0.24, True), "no better than guessing"),
        (0.40, Interval(0.30, 0.50, False), None),
        (0.20, Interval(0.10, 0.30, False), "no better than guessing"),
    ],
)
def test_the_verdict_follows_the_interval_where_it_is_informative(uar, interval, expected):
    assert guessing.verdict(uar, interval, 0.25) == expected


def shuffled(seed: int = 0):
    """Return clips whose labels say nothing of their features."""
    data = dataset(speakers=8, seed=seed)
    return replace(data, truth=np.random.default_rng(seed).permutation(data.truth))


def test_a_model_that_guesses_is_called_so_wherever_its_score_stands(tmp_path):
    metrics, _, _ = written(shuffled(), config(name="guess"), tmp_path / "guess")
    assert metrics["chance"] == pytest.approx(1 / 3) and metrics["verdict"] == "no better than guessing"
    assert "guessing           0.333  the model is no better than guessing" in text(metrics)
    page = Document(report.write(tmp_path / "guess").read_text(encoding="utf8")).text
    sentence = "Guessing has a UAR of 0.333: the model is no better than guessing."
    assert sentence in page[: page.index("How it was tested")]
    assert sentence in (tmp_path / "guess" / report.CARD).read_text(encoding="utf8")
    rows = comparison.compare([tmp_path / "guess"])
    assert rows[0]["chance"] == metrics["chance"] and rows[0]["verdict"] == metrics["verdict"]
    assert "guessing has a UAR of 0.333; no better than guessing: guess" in comparison.lines(rows)


def test_a_model_that_learned_is_called_better(tmp_path):
    metrics, _, _ = written(dataset(), config(name="good"), tmp_path / "good")
    assert metrics["verdict"] == "better than guessing" and metrics["chance"] == pytest.approx(1 / len(LABELS))
    assert "the model is better than guessing" in text(metrics)
    page = Document(report.write(tmp_path / "good").read_text(encoding="utf8")).text
    assert page.count("Guessing has a UAR of 0.333: the model is better than guessing.") == 1
    assert "no better" not in "".join(comparison.lines(comparison.compare([tmp_path / "good"])))


def test_few_speakers_decide_nothing(tmp_path):
    settings = config(split={"by": "speaker", "folds": 4}, name="few")
    metrics, _, _ = written(dataset(speakers=4), settings, tmp_path / "few")
    assert metrics["uar"] > 0.5 and metrics["verdict"] is None
    assert "too few known speakers to say if the model is better" in text(metrics)
    assert max(len(line) for line in text(metrics).splitlines()) <= 80
