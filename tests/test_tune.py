"""tune.py: what a search covers, what it may see, and that no kill, crowd or repeat changes it."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import optuna
import pytest
import yaml
from optuna.trial import TrialState

import preprocess
import train
import tune
from evaluation.splits.folds import draw_folds
from evaluation.training import fit
from evaluation.tuning import held_out, objective, results, space, study
from evaluation.tuning.sqlite_file import SqliteFile
from extract_feats.cache import read
from tests.toy import dataset, outcome, write_config
from utils import config as configs
from utils import plugins
from utils.errors import ConfigError, DataError
from utils.plots.tuning import search_history, setting_importance

pytestmark = pytest.mark.usefixtures("undrawn")  # the searches in processes of their own draw

GRID = {"model.C": {"choices": [0.01, 1.0, 100.0]}, "model.kernel": {"choices": ["linear", "rbf"]}}
WIDE = {"model.C": {"low": 0.001, "high": 100, "log": True}, "model.kernel": {"choices": ["linear", "rbf"]}}
BASE = {
    "name": "toy",
    "corpora": [{"name": "demo", "root": "demo"}],
    "features": {"name": "librosa_frames", "preset": "mfcc"},
    "split": {"by": "speaker", "folds": 3},
    "model": {"name": "svm"},
}


@pytest.fixture(scope="module")
def cached(tmp_path_factory, demo_root) -> Path:
    folder = tmp_path_factory.mktemp("cached")
    os.environ["SER_DATA"], before = str(demo_root.parent), os.environ.get("SER_DATA")
    try:
        config = str(write_config(folder, "one"))
        common = ["--config", config, "--features", str(folder / "features"), "--jobs", "1"]
        for preset in ("mfcc", "stack187"):
            assert preprocess.main([*common, "--set", f"features.preset={preset}"]) == 0
        yield folder / "features"
    finally:
        if before is None:
            del os.environ["SER_DATA"]
        else:
            os.environ["SER_DATA"] = before


@pytest.fixture
def run(cached, tmp_path, monkeypatch, capsys):
    """Return a call of tune.py: exit status, stdout, stderr."""

    def call(ranges: dict, *options, config: Path | None = None) -> tuple[int, str, str]:
        return outcome(tune.main, monkeypatch, capsys, *command(cached, tmp_path, ranges, *options, config=config))

    return call


def command(features: Path, folder: Path, ranges: dict, *options, config: Path | None = None) -> list:
    (folder / "space.yaml").write_text(yaml.safe_dump(ranges), encoding="utf8")
    config = config or write_config(folder, "one")
    folders = ("--features", features, "--checkpoints", folder / "c", "--out", folder / "best.yaml")
    return ["--config", config, "--space", folder / "space.yaml", *folders, *options]


def rows(folder: Path, name: str = "one") -> list[dict]:
    with (folder / "c/.tune" / name / "trials.csv").open(newline="", encoding="utf8") as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def base(**keys) -> configs.Config:
    return configs.check(BASE | keys, "here")


def states(folder: Path, name: str = "one") -> list[TrialState]:
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'c/.tune' / f'{name}.db'}")
    return [trial.state for trial in optuna.load_study(study_name=name, storage=storage).trials]


# what is searched


def test_a_range_becomes_the_distribution_it_describes():
    ranges = {
        "model.C": {"low": 1, "high": 100, "log": True},  # whole bounds of a key of fractions
        "train.epochs": {"low": 1, "high": 64, "log": True},
        "train.warmup_epochs": {"low": 0, "high": 4, "step": 2},
        "train.learning_rate": {"low": 0.5, "high": 1.5, "step": 0.25},
        "normalise": {"choices": ["global", "speaker"]},
    }
    result = space.parse(ranges, base(), "here").distributions
    assert result == {
        "model.C": optuna.distributions.FloatDistribution(1, 100, log=True),
        "train.epochs": optuna.distributions.IntDistribution(1, 64, log=True),
        "train.warmup_epochs": optuna.distributions.IntDistribution(0, 4, step=2),
        "train.learning_rate": optuna.distributions.FloatDistribution(0.5, 1.5, step=0.25),
        "normalise": optuna.distributions.CategoricalDistribution(["global", "speaker"]),
    }


def test_the_points_of_a_grid_and_what_they_mean():
    ranges = {
        "train.warmup_epochs": {"low": 0, "high": 5, "step": 2},
        "train.learning_rate": {"low": 0.1, "high": 0.3, "step": 0.1},
        "model": {"choices": [{"name": "svm", "C": 2.0}, {"name": "mlp"}]},
    }
    result = space.parse(ranges, base(), "here")
    values = [result.values(point) for point in result.grid()]
    assert len(values) == 3 * 3 * 2 and all(values.count(value) == 1 for value in values)
    assert {value["train.warmup_epochs"] for value in values} == {0, 2, 4}
    assert {value["train.learning_rate"] for value in values} == {0.1, 0.2, 0.3}
    made = [space.with_values(base(), value, "here") for value in values[:2]]
    assert [config.model["name"] for config in made] == ["svm", "mlp"]
    assert made[0].model["C"] == 2.0 and made[0].train.learning_rate == 0.1
    assert made[0].split == base().split


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ({"model.CC": {"choices": [1.0]}}, ("'CC' is not a known argument", "Did you mean 'C'")),
        ({"modle.C": {"choices": [1.0]}}, ("'modle' is not a known key", "Did you mean 'model'")),
        ({"train.lerning_rate": {"low": 0.1, "high": 1}}, ("lerning_rate", "Did you mean 'learning_rate'")),
        ({"model.kernel": {"choices": ["rfb"]}}, ("kernel", "Did you mean 'rbf'")),
        ({"train.epochs": {"low": 1.5, "high": 9}}, ("epochs", "whole number")),
        ({"train.epochs": {"low": 0, "high": 9}}, ("epochs", "greater than or equal to 1")),
        ({"model.C": {"low": 1, "hihg": 9}}, ("'hihg' is not known", "Did you mean 'high'")),
        ({"model.C": {"low": 9, "high": 1}}, ("model.C", "low < high")),
        ({"model.C": {"low": 1}}, ("model.C", "must be numbers")),
        ({"model.C": {"low": 0, "high": 1, "log": True}}, ("low must be above 0",)),
        ({"model.C": {"low": 1, "high": 9, "log": True, "step": 1}}, ("not both",)),
        ({"model.C": {"choices": []}}, ("list of values",)),
        ({"model.C": {"choices": [1.0, 1.0]}}, ("1.0 is given twice",)),
        ({"model.C": [1, 2]}, ("must be {choices:",)),
        ({"split.folds": {"low": 2, "high": 5}}, ("split.folds decides what is scored", "--set split.folds=")),
        ({"seed": {"choices": [1, 2]}}, ("seed decides",)),
        ({"rate": {"low": 8000, "high": 16000}}, ("rate", "choices, not a range")),
        ({"model": {"choices": [{"name": "svm"}]}, "model.C": {"choices": [1.0]}}, ("model.C lies within model",)),
        ({"seed.x": {"choices": [1]}}, ("seed.x",)),
        ({"normalise.x": {"choices": [1]}}, ("'normalise' holds a single value",)),
        ({}, ("holds no 'key: range' lines",)),
    ],
)
def test_a_space_that_cannot_be_is_refused_by_name(ranges, words, tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump(ranges), encoding="utf8")
    with pytest.raises(ConfigError) as caught:
        space.read_space(path, base())
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("path", sorted((plugins.ROOT / "config/spaces").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_spaces_fit_the_model_they_are_named_after(path):
    assert space.read_space(path, base(model={"name": path.stem})).distributions


# whom the search may see


@pytest.mark.parametrize("by", ["speaker", "random", "corpus"])
def test_a_fifth_of_the_speakers_is_set_aside_sexes_balanced(by):
    data = dataset(speakers=10)
    config = base(split={"by": by, "folds": 9 if by == "speaker" else 5})
    protected, seen = held_out.set_test_speakers_aside(data, config)
    held = set(protected.split.holdout)
    assert len(held) == 2 and not held & set(data.speakers[seen].tolist())
    assert set(data.speakers.tolist()) == held | set(data.speakers[seen].tolist())
    sex = dict(zip(data.speakers.tolist(), data.facts["sex"].tolist(), strict=True))
    assert sorted(sex[speaker] for speaker in held) == ["female", "male"]
    assert held_out.set_test_speakers_aside(data, config)[0] == protected  # by the seed alone
    assert held != set(
        held_out.set_test_speakers_aside(data, base(seed=5, split={"by": by, "folds": 5}))[0].split.holdout
    )
    if by != "corpus":  # the toy has one corpus
        assert draw_folds(data, protected.split.model_dump(), seed=1)  # what is written can be trained
    inner = held_out.search_config(data[seen], protected, None if by != "corpus" else 4)
    assert inner.split.by == "speaker" and not inner.split.holdout
    for fold in draw_folds(data[seen], inner.split.model_dump(), seed=1):
        assert not set(data[seen].speakers[fold.train]) & set(data[seen].speakers[fold.test])


def test_listed_folds_lose_the_speakers_set_aside():
    data = dataset(speakers=6)
    lists = [["s0"], ["s1", "s2"], ["s3"], ["toy/s4", "s5"]]
    protected, _ = held_out.set_test_speakers_aside(data, base(split={"by": "listed", "folds": lists}))
    (held,) = protected.split.holdout
    assert sorted(name[-2:] for names in protected.split.folds for name in names) == sorted(
        {f"s{i}" for i in range(6)} - {held[-2:]}
    )
    assert all(protected.split.folds)
    assert draw_folds(data, protected.split.model_dump(), seed=1)


def test_an_official_test_part_is_not_searched_on_and_nobody_else_is_set_aside():
    data = dataset(speakers=6)
    data.facts["split"] = np.where(data.speakers >= "toy/s4", "test", "train")
    config = base(split={"by": "official"})
    protected, seen = held_out.set_test_speakers_aside(data, config)
    assert protected == config
    assert set(data.speakers[seen].tolist()) == {"toy/s0", "toy/s1", "toy/s2", "toy/s3"}
    assert held_out.search_config(data[seen], protected).split == configs.Split(by="speaker", folds=4)


@pytest.mark.parametrize(
    ("split", "tuned"), [({"by": "official"}, False), ({"by": "speaker", "folds": 2, "holdout": ["s1"]}, ["s1"])]
)
def test_the_best_config_says_whom_the_search_set_aside(split, tuned, tmp_path):
    out = tmp_path / "best.yaml"
    results.write_config(base(split=split), out, "best of 3 trials")
    assert configs.read(out).tuned == tuned  # an official test part's score is no search's


def test_where_no_test_speaker_can_be_set_aside_tuning_is_refused():
    data = dataset()
    alone = data[data.speakers == "toy/s0"]
    with pytest.raises(ConfigError, match="every class needs all 1"):
        held_out.set_test_speakers_aside(alone, base())
    data.speakers[:3] = ""
    with pytest.raises(ConfigError, match=r"3 clips have no speaker.*speaker: '\^"):
        held_out.set_test_speakers_aside(data, base(split={"by": "random"}))


@pytest.mark.parametrize("holdout", [["m08", "f01"], []], ids=["named", "set aside"])
def test_no_clip_of_a_held_out_speaker_is_fitted_or_scored(holdout, run, tmp_path, monkeypatch):
    touched, scored, original = set(), [], fit.fit

    def spy_fit(data, validation, config, **options):
        touched.update(data.speakers.tolist())
        model = original(data, validation, config, **options)
        predict = model.probabilities

        def spy_predict(features, *rest):
            scored.extend(clip.tobytes() for clip in features.clips)
            return predict(features, *rest)

        model.probabilities = spy_predict
        return model

    loaded, whole = [], read.dataset
    monkeypatch.setattr(read, "dataset", lambda *a, **k: loaded.append(whole(*a, **k)) or loaded[-1])
    monkeypatch.setattr(fit, "fit", spy_fit)
    config = write_config(tmp_path, "one", split={"by": "speaker", "folds": 3, "holdout": holdout})
    status, out, err = run(GRID, "--trials", "2", "--sampler", "random", config=config)
    assert status == 0, err
    held = set(configs.read(tmp_path / "best.yaml").split.holdout)
    (data,) = loaded
    named = {name if "/" in name else f"demo/{name}" for name in map(str, held)}
    assert len(named) == 2 and named < set(data.speakers.tolist())
    assert touched == set(data.speakers.tolist()) - named
    forbidden = {clip.tobytes() for clip in data[np.isin(data.speakers, list(named))].features.clips}
    assert len(scored) == 2 * (len(data) - len(forbidden)) and not forbidden & set(scored)
    assert all(name in out for name in held)


# the search itself


def test_a_grid_is_covered_exactly_and_the_best_is_what_train_then_finds(run, tmp_path, cached, monkeypatch, capsys):
    status, out, err = run(GRID, "--sampler", "grid", "--no-pruning")
    assert status == 0, err
    result = rows(tmp_path)
    points = [(float(row["model.C"]), row["model.kernel"]) for row in result]
    assert sorted(points) == sorted((c, k) for c in (0.01, 1.0, 100.0) for k in ("linear", "rbf"))
    assert {row["state"] for row in result} == {"complete"}
    best = max(float(row["uar"]) for row in result)
    assert f"UAR {best:.3f}" in out and "held-out speakers" in out
    assert run(GRID, "--sampler", "grid", "--no-pruning")[0] == 0 and rows(tmp_path) == result  # nothing is left to do

    tuned = configs.read(tmp_path / "best.yaml")
    assert tuned.name == "one_tuned" and tuned.split.holdout == ["m08"]
    chosen = next(row for row in result if float(row["uar"]) == best)
    assert (tuned.model["C"], tuned.model["kernel"]) == (float(chosen["model.C"]), chosen["model.kernel"])
    folders = ("--features", cached, "--checkpoints", tmp_path / "c")
    assert outcome(train.main, monkeypatch, capsys, "--config", tmp_path / "best.yaml", *folders)[0] == 0
    metrics = json.loads((tmp_path / "c/one_tuned/metrics.json").read_text(encoding="utf8"))
    assert metrics["uar"] == pytest.approx(best, abs=1e-6)  # the same folds, the same training
    assert metrics["holdout"]["speakers"] == ["demo/m08"] and metrics["audit"]["verdict"] == "tuned"
    for name in ("history.png", "importance.png"):
        assert (tmp_path / "c/.tune/one" / name).read_bytes().startswith(b"\x89PNG")


def test_tpe_is_decided_by_its_seed_and_goes_on_as_if_never_stopped(tmp_path):
    ranges = space.parse(WIDE, base(), "here")

    def searched(name: str, *calls: int, seed: int = 1) -> list[tuple]:
        for trials in calls:
            place = SqliteFile(tmp_path / f"{name}.db")
            opened = study.open_study(place, name, {})
            plan = study.Plan(ranges, trials, "tpe", seed)
            study.run(opened, place, plan, lambda values, step: -abs(np.log10(values["model.C"]) - 1))
        return [(trial.number, *trial.params.values(), trial.value) for trial in study.finished(opened)]

    straight = searched("one", 13)  # before the 11th TPE draws as random does
    assert len(straight) == 13 and len({c for _, c, _, _ in straight}) == 13
    assert all(0.001 <= c <= 100 for _, c, _, _ in straight)
    assert searched("two", 5, 12, 13) == straight
    assert searched("three", 2, seed=2) != straight[:2]


def start(cached: Path, folder: Path, ranges: dict, *options) -> subprocess.Popen:
    words = [str(word) for word in command(cached, folder, ranges, *options)]
    return subprocess.Popen(
        [sys.executable, "tune.py", *words],
        cwd=plugins.ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_share_a_search_and_do_nothing_twice(cached, tmp_path):
    ranges = {"model.C": {"choices": [10.0**n for n in range(-3, 3)]}, "model.kernel": {"choices": ["linear", "rbf"]}}
    processes = [start(cached, tmp_path, ranges, "--sampler", "grid") for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    result = rows(tmp_path)
    assert [int(row["trial"]) for row in result] == list(range(1, 13))
    assert len({(row["model.C"], row["model.kernel"]) for row in result}) == 12
    assert len(states(tmp_path)) == 12  # nobody's trial was taken for a dead one's
    assert sum(text.count("finished") for text in said) == 12  # each told of its own
    assert not list((tmp_path / "c/.tune").glob("*.alive"))


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_killed_midway_the_same_command_goes_on_to_the_same_end(cached, tmp_path, run):
    process = start(cached, tmp_path, WIDE, "--trials", "8")
    lines = [process.stderr.readline() for _ in range(3)]
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert all("finished" in line for line in lines), lines
    assert list((tmp_path / "c/.tune").glob("*.alive"))
    status, out, err = run(WIDE, "--trials", "8")
    assert status == 0 and "best of 8 trials" in out, err
    resumed = [{key: value for key, value in row.items() if key != "trial"} for row in rows(tmp_path)]
    assert len(resumed) == 8
    ended = states(tmp_path)
    assert sum(state in study.FINISHED for state in ended) == 8 and TrialState.RUNNING not in ended
    assert not list((tmp_path / "c/.tune").glob("*.alive"))
    assert run(WIDE, "--trials", "8", config=write_config(tmp_path, "two"))[0] == 0
    assert [{key: value for key, value in row.items() if key != "trial"} for row in rows(tmp_path, "two")] == resumed


def test_what_a_dead_process_was_at_does_not_count_and_is_done_again(tmp_path):
    ranges = space.parse(GRID, base(), "here")
    place = SqliteFile(tmp_path / "s.db")
    opened = study.open_study(place, "s", {})
    for point, worker in zip(ranges.grid()[:2], ("gone", None), strict=True):
        opened.enqueue_trial(point)
        trial = opened.ask(ranges.distributions)
        if worker:
            trial.set_user_attr("worker", worker)
    (tmp_path / "s.db.gone.alive").touch()
    tried = []

    def half(values, step):
        tried.append(values)
        return 0.5

    study.run(opened, place, study.Plan(ranges, 99, "grid", 1), half)
    assert len(tried) == 6 and all(ranges.values(point) in tried for point in ranges.grid())
    assert [trial.state for trial in opened.trials] == [TrialState.FAIL] * 2 + [TrialState.COMPLETE] * 6
    assert {path.name for path in tmp_path.iterdir()} <= {"s.db", "s.db.lock"}


def test_ctrl_c_keeps_and_writes_what_is_finished(run, tmp_path, monkeypatch):
    original, calls = fit.fit, []

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == 8:  # in the third trial of three folds
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(fit, "fit", interrupted)
    status, out, err = run(WIDE, "--trials", "5")
    assert status == 130 and err.endswith("what was finished is kept\n") and "best of 2 trials" in out
    assert states(tmp_path) == [TrialState.COMPLETE] * 2 + [TrialState.FAIL]
    assert configs.read(tmp_path / "best.yaml").name == "one_tuned" and len(rows(tmp_path)) == 2
    assert run(WIDE, "--trials", "5")[0] == 0 and len(rows(tmp_path)) == 5


def test_a_trial_below_the_median_is_pruned_at_its_first_fold_and_a_good_one_is_not(tmp_path):
    ranges = space.parse({"model.C": {"choices": [0.5, 0.6, 0.7, 0.8, 0.9, 0.1, 0.95]}}, base(), "here")
    asked = []

    def level_of_each_fold(values, step):
        level = values["model.C"]
        for fold in (1, 2, 3):
            asked.append((level, fold))
            step(fold, level, fold < 3)
        return level

    place = SqliteFile(tmp_path / "s.db")
    opened = study.open_study(place, "s", {"what": 1})
    for level in (0.5, 0.6, 0.7, 0.8, 0.9, 0.1, 0.95):
        opened.enqueue_trial({"model.C": level})
    study.run(opened, place, study.Plan(ranges, 7, "random", 1), level_of_each_fold)
    ended = {trial.params["model.C"]: trial.state for trial in study.finished(opened)}
    assert ended.pop(0.1) == TrialState.PRUNED and set(ended.values()) == {TrialState.COMPLETE} and len(ended) == 6
    assert [fold for level, fold in asked if level == 0.1] == [1]
    assert len(asked) == 6 * 3 + 1


def test_the_epochs_of_the_first_fold_are_told_as_they_pass(monkeypatch):
    data, config = dataset("frames"), base(model={"name": "cnn1d"}, split={"by": "speaker", "folds": 2})

    class Model:
        def probabilities(self, features):
            return np.eye(3)[np.zeros(len(features), int)]

    def fit_fold(data, config, fold, number, *, report):
        for epoch, val_uar in enumerate((0.4, 0.6, 0.5), 1):
            report({"run": 1, "epoch": epoch, "loss": 1.0, "val_uar": val_uar})
        return Model(), "speakers"

    monkeypatch.setattr(objective, "fit_fold", fit_fold)
    told = []
    value = objective.cross_validated_uar(data, config, step=lambda *step: told.append(step))
    assert value == pytest.approx(1 / 3)
    epochs = [(objective.RUN_STEPS + epoch, best, True) for epoch, best in ((1, 0.4), (2, 0.6), (3, 0.6))]
    assert told == [*epochs, (1, pytest.approx(1 / 3), True), (2, pytest.approx(1 / 3), False)]


def test_features_are_searched_over_on_the_same_clips(run, tmp_path):
    ranges = {"features.preset": {"choices": ["mfcc", "stack187"]}, "model.C": {"choices": [0.03]}}
    status, _, err = run(ranges, "--sampler", "grid", "--folds", "2")
    assert status == 0, err
    result = rows(tmp_path)
    assert {row["features.preset"] for row in result} == {"mfcc", "stack187"} and result[0]["uar"] != result[1]["uar"]
    ranges["features.preset"]["choices"].append("stack201")
    status, _, err = run(ranges, "--sampler", "grid", "--set", "name=two")
    assert status == 2 and err.count("\n") == 1
    assert "python preprocess.py" in err and 'features.preset="stack201"' in err


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Yield the address of a PostgreSQL server of our own, which listens on a socket in its folder."""
    initdb, postgres = shutil.which("initdb"), shutil.which("postgres")
    if os.name == "nt" or not (initdb and postgres):
        pytest.skip("no PostgreSQL: initdb and postgres must be on the PATH")
    folder, who = Path(tempfile.mkdtemp(prefix="pg")), {}
    if os.geteuid() == 0:  # as root it refuses to run
        who = {"user": "nobody"}
        shutil.chown(folder, "nobody")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder} | who
    try:
        subprocess.run([initdb, "-D", folder / "data", "-U", "zoo", "-A", "trust", "--no-sync"], check=True, **quiet)
        listening = ["-c", "listen_addresses=", "-k", str(folder), "-F"]
        process = subprocess.Popen([postgres, "-D", folder / "data", *listening], **quiet)
        try:
            address = f"postgresql://zoo:secret@/postgres?host={folder}"
            for _ in range(100):
                try:
                    study.database(address)
                    break
                except ConfigError:
                    time.sleep(0.1)
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
    finally:
        shutil.rmtree(folder)


def kept(address: str, name: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=study.database(address).storage())


def test_two_processes_share_a_search_on_a_server(cached, tmp_path, server):
    ranges = {"model.C": {"choices": [10.0**n for n in range(-3, 3)]}, "model.kernel": {"choices": ["linear", "rbf"]}}
    processes = [start(cached, tmp_path, ranges, "--sampler", "grid", "--storage", server) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    result = kept(server, "one").trials
    assert len({tuple(trial.params.values()) for trial in result}) == len(result) == 12
    assert all(trial.state in study.FINISHED for trial in result)
    assert sum(text.count("finished") for text in said) == 12  # each told of its own
    assert len({trial.user_attrs["worker"] for trial in result}) == 2  # and both had some
    assert len(rows(tmp_path)) == 12 and not (tmp_path / "c/.tune/one.db").exists()


def test_after_a_kill_the_server_knows_that_its_worker_is_gone(cached, tmp_path, server, run):
    options = ("--trials", "6", "--storage", server, "--set", "name=killed")
    process = start(cached, tmp_path, WIDE, *options)
    lines = [process.stderr.readline() for _ in range(2)]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert all("finished" in line for line in lines), lines
    status, out, err = run(WIDE, *options)
    assert status == 0 and "best of 6 trials" in out, err
    ended = [trial.state for trial in kept(server, "killed").trials]
    assert sum(state in study.FINISHED for state in ended) == 6 and TrialState.RUNNING not in ended
    status, _, err = run(GRID, *options)
    assert status == 2 and "differs in the space" in err and "secret" not in err


# mistakes


def test_another_search_under_the_same_name_is_refused(run, tmp_path):
    assert run(GRID, "--sampler", "grid", "--trials", "1")[0] == 0
    for part, ranges, options in (
        ("the space", WIDE, ()),
        ("the config", GRID, ("--set", "model.gamma=auto")),
        ("the folds", GRID, ("--folds", "2")),
        ("the data", GRID, ("--limit", "14")),
    ):
        status, _, err = run(ranges, "--trials", "1", *options)
        assert status == 2 and err.count("\n") == 1 and f"differs in {part}" in err and "--set name=" in err
    assert run(GRID, "--sampler", "random", "--trials", "2")[0] == 0  # the sampler may change
    assert len(rows(tmp_path)) == 2


@pytest.mark.parametrize(
    ("ranges", "options", "words"),
    [
        (WIDE, ("--sampler", "grid"), ("model.C has no step", "tpe or random")),
        (WIDE, (), ("--trials N",)),
        (WIDE, ("--trials", "0"), ("--trials must be at least 1",)),
        (WIDE, ("--trials", "1", "--storage", "mysql://here"), ("sqlite:///PATH",)),
        (
            WIDE,
            ("--trials", "1", "--storage", "postgresql://x:secret@127.0.0.1:1/y"),
            ("the database cannot be reached",),
        ),
        (WIDE, ("--trials", "1", "--storage", "sqlite:///README.md"), ("README.md: is not an SQLite file",)),
        (WIDE, ("--trials", "1", "--out", "config/demo_svm.yaml"), ("was not written by tune.py",)),
        (WIDE, ("--trials", "1", "--space", "config/spaces/svn.yaml"), ("no such space", "'svm'")),
        (WIDE, ("--trials", "1", "--folds", "9"), ("9 folds of 7 speakers",)),
        ({"model.CC": {"choices": [1]}}, ("--trials", "1"), ("Did you mean 'C'",)),
    ],
    ids=["step", "trials", "zero", "storage", "server", "no database", "out", "space", "folds", "key"],
)
def test_users_errors_are_one_line(ranges, options, words, run, monkeypatch):
    monkeypatch.chdir(plugins.ROOT)
    before = {path.name for path in plugins.ROOT.iterdir()}
    status, _, err = run(ranges, *options)
    assert status == 2 and err.startswith("error: ") and err.count("\n") == 1
    for word in words:
        assert word in err
    assert {path.name for path in plugins.ROOT.iterdir()} == before


def test_the_plots_show_every_trial_and_refuse_nothing_to_show():
    figure = search_history([0.2, None, 0.5, 0.4], title="t")
    (axes,) = figure.axes
    shown = [points.get_offsets() for points in axes.collections]
    assert [len(points) for points in shown] == [3, 1] and shown[1][0][0] == 2
    assert axes.lines[0].get_ydata().tolist() == [0.2, 0.2, 0.5, 0.5]
    bars = setting_importance({"model.C": 0.7, "model.kernel": 0.3}).axes[0]
    assert [patch.get_width() for patch in bars.patches] == [0.3, 0.7]
    for call in (lambda: search_history([None]), lambda: setting_importance({})):
        with pytest.raises(DataError):
            call()
