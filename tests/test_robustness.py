"""robustness.py and lengths.py: the figures on known predictions, then the whole commands on the demo corpus."""

import csv
import json

import numpy as np
import pytest
from test_plots import check_layout, words
from toy import outcome, write_config

import lengths
import preprocess
import robustness
import train
from evaluation.studies import lengths as lengths_study
from evaluation.studies import robustness as robustness_study
from evaluation.studies.lengths import PairScores
from evaluation.studies.robustness import CLEAN, CONDITIONS, Answers
from extract_feats import channel
from extract_feats.cache import conditions, read, task
from extract_feats.cache.fill import fill
from prediction import out_of_domain
from tests import toy_figures
from utils import config as configs
from utils.errors import ConfigError
from utils.plots import robustness as robustness_plots

TRUTH = np.tile(np.arange(4), 24)
SPEAKERS = np.repeat([f"s{n}" for n in range(8)], 12)


@pytest.fixture(scope="module")
def zoo(demo_root, tmp_path_factory):
    """Return a folder with two finished runs, "plain" and "line", trained on telephone copies too; one is fourfold."""
    folder = tmp_path_factory.mktemp("robust")
    paths = [write_config(folder, "plain"), write_config(folder, "line", augment=[{"name": "telephone"}])]
    other = write_config(folder, "four", split={"by": "speaker", "folds": 4})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_DATA", str(demo_root.parent))
        patch.setattr("matplotlib.figure.Figure.savefig", toy_figures.save_pixel)  # of the runs; robustness.py draws
        for chosen in (paths, [other]):
            common = ["--config", *map(str, chosen), "--features", str(folder / "features")]
            assert preprocess.main([*common, "--jobs", "1"]) == 0
            assert train.main([*common, "--checkpoints", str(folder)]) == 0
    return folder


@pytest.fixture
def run(zoo, demo_root, monkeypatch, capsys):
    """Return a call of robustness.py: exit status, stdout, stderr."""
    monkeypatch.setenv("SER_DATA", str(demo_root.parent))

    def call(*arguments, checkpoint="plain"):
        common = ("--checkpoint", zoo / checkpoint, "--features", zoo / "features", "--jobs", 1)
        return outcome(robustness.main, monkeypatch, capsys, *common, *arguments)

    return call


def table(path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))


def test_known_predictions_give_known_rows():
    wrong = np.where(TRUTH == 0, 1, TRUTH)  # one class of four is lost
    answers = answered({CLEAN: TRUTH, "noise": wrong, "nothing": np.zeros_like(TRUTH)})
    rows = robustness_study.scores(TRUTH, SPEAKERS, answers, 4, seed=1)
    assert [row.condition for row in rows] == list(answers)
    assert [row.uar for row in rows] == [1, 0.75, 0.25] and rows[0].n_clips == 96 and rows[0].interval.informative
    assert [row.to_clean.difference for row in rows] == pytest.approx([0, -0.25, -0.75])
    other = answers | answered({"noise": TRUTH})
    better = robustness_study.compared(rows, TRUTH, SPEAKERS, answers, other, 4, seed=1)
    assert [row.against_uar for row in better] == [1, 1, 0.25]
    assert [row.gain.difference for row in better] == pytest.approx([0, 0.25, 0])
    assert better[1].gain.p == pytest.approx(3 * 2 / 2**8)  # all of 8 speakers gain alike; three conditions
    assert better[0].gain.p == 1


def answered(predicted) -> dict[str, Answers]:
    return {condition: Answers(classes, {}) for condition, classes in predicted.items()}


def test_rates_count_clips_and_not_hints():
    rates = robustness_study.hint_rates([{"noisy", "unfamiliar"}, {"noisy"}, set(), set()])
    assert (rates["hint_noisy"], rates["hint_unfamiliar"], rates["hint_narrow_band"]) == (0.5, 0.25, 0)
    assert rates["hint_any"] == 0.5 and rates["hint_warning"] == 0.25


def test_every_condition_changes_the_wave_and_keeps_its_length():
    from augmentation.base.variants import applied

    rng = np.random.default_rng(1)
    wave = (0.1 * rng.standard_normal(16000)).astype(np.float32)
    for condition, section in robustness_study.sections().items():
        result = applied(section, wave, 16000, np.random.default_rng(2))
        assert result.shape == wave.shape and np.abs(result - wave).max() > 1e-3, condition


def test_a_condition_is_the_first_copy_that_training_makes(zoo, demo_root, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(demo_root.parent))
    own, copy = read.recipes_of(configs.read(zoo / "line.yaml"))
    assert conditions.recipe(own, robustness_study.sections()["telephone, mu-law"], 1) == copy


def test_the_whole_command_gives_the_run_s_own_score_and_what_changes_it(run, zoo):
    status, out, err = run("--against", zoo / "line")
    assert status == 0 and "error" not in err, err  # where it goes on for long, progress is told there
    assert max(map(len, out.splitlines()[:-1])) <= 80
    rows = table(zoo / "plain" / "robustness.csv")
    assert [row["condition"] for row in rows] == [CLEAN, *CONDITIONS]
    for key, name in (("uar", "plain"), ("against_uar", "line")):
        metrics = json.loads((zoo / name / "metrics.json").read_text(encoding="utf8"))
        assert float(rows[0][key]) == pytest.approx(metrics["uar"], abs=1e-9)  # pooled over all folds, as there
    by = {row["condition"]: row for row in rows}
    assert float(by["noise at 0 dB"]["uar"]) < float(rows[0]["uar"])
    assert float(by["telephone, mu-law"]["hint_narrow_band"]) > 0.9 < float(by["noise at 0 dB"]["hint_noisy"])
    assert float(by["telephone, mu-law"]["against_uar"]) > float(by["telephone, mu-law"]["uar"])
    for row in rows:
        difference = float(row["uar"]) - float(rows[0]["uar"])
        assert float(row["difference"]) == pytest.approx(difference, abs=1e-9)
    assert (zoo / "plain" / "robustness.txt").read_text(encoding="utf8") in out
    assert (zoo / "plain" / "robustness.png").read_bytes().startswith(b"\x89PNG")


def test_of_a_large_corpus_a_sample_is_measured_once(demo_root, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(demo_root.parent))
    monkeypatch.setattr(task, "SAMPLE", 30)
    config = configs.read(write_config(tmp_path, "some"))
    rows = []
    for _ in range(2):
        fill(task.tasks_of(config), tmp_path, jobs=0)
        data = read.dataset(config, tmp_path, command="")
        rows.append(np.flatnonzero(~np.isnan(data.facts["heard_snr_db"])))
    assert len(rows[0]) == 30 and rows[0].tolist() == rows[1].tolist()
    measured = data[rows[0]]
    np.testing.assert_allclose(measured.facts["heard_seconds"], measured.facts["seconds"], atol=1e-3)
    assert set(out_of_domain.ranges_of(data)["ranges"]) == set(channel.NAMES)


def test_one_fold_is_one_fold_s_score(run, zoo):
    assert run("--folds", 2)[0] == 0
    fold = json.loads((zoo / "plain" / "metrics.json").read_text(encoding="utf8"))["folds"][1]
    rows = table(zoo / "plain" / "robustness.csv")
    assert float(rows[0]["uar"]) == pytest.approx(fold["uar"]) and int(rows[0]["n_clips"]) == fold["n_clips"]


def test_what_cannot_be_is_refused(run, zoo):
    for result, reason in (
        (run(checkpoint="features"), "no metrics.json in it"),
        (run("--folds", 4), "--folds 4: plain has 3"),
        (run("--folds", 0), "at least 1"),
        (run("--against", zoo / "four"), "they differ in split"),
    ):
        status, out, err = result
        assert status == 2 and not out and err.count("\n") == 1 and reason in err, err


def test_lengths_are_trained_and_tested_in_every_pair(zoo, demo_root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SER_DATA", str(demo_root.parent))
    common = ("--config", zoo / "plain.yaml", "--features", zoo / "features", "--checkpoints", tmp_path)
    status, out, err = outcome(lengths.main, monkeypatch, capsys, *common, "--seconds", 30, 0.3, "--jobs", 1)
    assert status == 0 and "error" not in err, err
    rows = table(tmp_path / "plain" / "lengths.csv")
    uar = {(row["trained"], row["tested"]): float(row["uar"]) for row in rows}
    assert list(uar) == [("0.3 s", "0.3 s"), ("0.3 s", "30 s"), ("30 s", "0.3 s"), ("30 s", "30 s")]
    whole = json.loads((zoo / "plain" / "metrics.json").read_text(encoding="utf8"))["uar"]
    assert uar["30 s", "30 s"] == pytest.approx(whole)  # no clip is longer
    assert uar["30 s", "0.3 s"] < uar["0.3 s", "0.3 s"] < uar["30 s", "30 s"]
    assert f"{uar['0.3 s', '30 s']:.3f}" in out and (tmp_path / "plain" / "lengths.png").exists()
    status, out, err = outcome(lengths.main, monkeypatch, capsys, *common, "--seconds", "long")
    assert status == 2 and "at least 0.05, got 'long'" in err


def test_the_plots_show_the_given_numbers():
    answers = answered({CLEAN: TRUTH, **dict.fromkeys(CONDITIONS, np.where(TRUTH == 0, 1, TRUTH))})
    rows = robustness_study.scores(TRUTH, SPEAKERS, answers, 4, seed=1)
    rows = [row.row() for row in robustness_study.compared(rows, TRUTH, SPEAKERS, answers, answers, 4, seed=1)]
    title = "emodb_whisper_conditions: speaker-independent, 150 clips, emodb/03, emodb/08, emodb/09"  # of two lines
    figure = robustness_plots.channels(rows, "a run", "another run, with a long name", title=title)
    check_layout(figure)
    dots = [line for line in figure.axes[0].lines if line.get_label() == "a run"]
    np.testing.assert_array_equal(dots[0].get_xdata(), [row["uar"] for row in rows])
    values = np.array([[0.5, 0.25], [0.4, 0.625]])
    figure = robustness_plots.lengths(values, ["1 s", "5 s"], title="a run")
    check_layout(figure)
    texts = {text.get_text(): text.get_weight() for text in words(figure)}
    assert {"0.500", "0.250", "0.400", "0.625"} <= set(texts)
    assert texts["0.500"] == texts["0.625"] == "bold" != texts["0.400"]
    pairs = {(a, b): v for (a, b), v in zip([("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")], values.flat, strict=True)}
    matrix, names = lengths_study.matrix([PairScores(a, b, 96, v, 0, 1, True) for (a, b), v in pairs.items()])
    assert names == ["a", "b"] and (matrix == values).all()


def test_an_ensemble_is_sent_to_its_members():
    with pytest.raises(ConfigError, match="Give its members' configs"):
        read.recipe_of(configs.read("config/ravdess_ensemble.yaml"))
