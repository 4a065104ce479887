"""Runs side by side."""

import csv

import numpy as np
import pytest

from evaluation.checkpoint import predictions
from evaluation.scores import significance as statistics
from evaluation.studies import comparison
from tests.toy import dataset
from tests.toy_runs import config, written

pytestmark = pytest.mark.usefixtures("undrawn")


def test_comparison_is_the_difference_of_the_pooled_uars(tmp_path):
    data = dataset(noise=4)
    one, _, _ = written(data, config(name="one"), tmp_path / "one")
    two, _, _ = written(data, config({"name": "mlp", "iterations": 20}, name="two"), tmp_path / "two")
    rows = comparison.compare([tmp_path / "one", tmp_path / "two"])
    assert [row["name"] for row in rows] == ["one", "two"]
    assert (rows[0]["uar"], rows[1]["uar"]) == (one["uar"], two["uar"]) and one["uar"] != two["uar"]
    assert rows[0]["difference"] is None and rows[0]["p"] is None
    assert rows[1]["difference"] == pytest.approx(two["uar"] - one["uar"])
    assert rows[1]["difference_lo"] <= rows[1]["difference"] <= rows[1]["difference_hi"] and 0 < rows[1]["p"] <= 1
    a, b = (predictions.read(tmp_path / name) for name in ("one", "two"))
    assert rows[1]["p_mcnemar"] == statistics.mcnemar(a.truth, a.predicted, b.predicted)
    comparison.write(rows, tmp_path / "comparison.csv")
    with (tmp_path / "comparison.csv").open(newline="", encoding="utf8") as file:
        kept = list(csv.DictReader(file))
    assert tuple(kept[0]) == comparison.COLUMNS
    assert float(kept[1]["uar"]) == two["uar"] and float(kept[1]["difference"]) == rows[1]["difference"]
    text = "\n".join(comparison.lines(rows))
    assert f"two - one: {rows[1]['difference']:+.3f} UAR" in text and "all speaker-independent" in text


def test_runs_on_other_clips_have_no_difference(tmp_path):
    written(dataset(), config(name="one"), tmp_path / "one")
    written(dataset()[:-1], config(name="two"), tmp_path / "two")
    rows = comparison.compare([tmp_path / "one", tmp_path / "two"])
    assert rows[1]["difference"] is None and rows[1]["p"] is None


def test_runs_of_several_seeds_have_a_mean_and_a_spread(tmp_path):
    names, uars = [f"net_seed{seed}" for seed in (1, 2, 5)], []
    for seed, name in zip((1, 2, 5), names, strict=True):
        metrics, _, _ = written(dataset(noise=4), config(name=name, seed=seed), tmp_path / name)
        uars.append(metrics["uar"])
    rows = comparison.compare([tmp_path / name for name in names])
    (summary,) = comparison.over_seeds(rows)
    assert summary["name"] == "net" and summary["seeds"] == 3
    assert summary["uar"] == pytest.approx(np.mean(uars)) and summary["uar_sd"] == pytest.approx(np.std(uars, ddof=1))
    text = comparison.lines([*rows, summary])
    assert f"net: UAR {np.mean(uars):.3f} ± {np.std(uars, ddof=1):.3f}, mean and standard deviation of 3 seeds" in text
    assert len(comparison.lines(rows)) == len(text) - 1
    one = comparison.over_seeds(rows[:1])[0]
    assert one["uar_sd"] is None and "±" not in "".join(comparison.lines([*rows[:1], one]))
