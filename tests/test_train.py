"""train.py from the command line: the table, what is not repeated, what is refused, what a kill leaves."""

import csv
import json
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy import dataset, outcome, write_config

import predict
import preprocess
import train
from utils import plugins
from utils.dataset import common

pytestmark = pytest.mark.usefixtures("undrawn")

CNN = {"name": "cnn1d", "filters": 4, "dense": 8}
QUICK = {"epochs": 12, "patience": 12, "batch_size": 16}


@pytest.fixture(scope="module")
def cached(demo_root, tmp_path_factory):
    """Return a folder with the demo corpus's MFCC cached in features/."""
    folder = tmp_path_factory.mktemp("trained")
    config = write_config(folder, "svm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_DATA", str(demo_root.parent))
        assert preprocess.main(["--config", str(config), "--features", str(folder / "features"), "--jobs", "1"]) == 0
    return folder


@pytest.fixture
def run(cached, demo_root, tmp_path, monkeypatch, capsys):
    """Return a function that calls train.py on configs with the cached features: exit status, stdout, stderr."""
    monkeypatch.setenv("SER_DATA", str(demo_root.parent))

    def call(*configs, options=(), features=cached / "features"):
        folders = ("--features", features, "--checkpoints", tmp_path / "checkpoints")
        return outcome(train.main, monkeypatch, capsys, "--config", *configs, *folders, *options)

    return call


def refused(result, *words) -> str:
    """Assert that a run was refused by one line that holds these words."""
    status, out, err = result
    assert status == 2 and not out
    assert err.startswith("error: ") and err.count("\n") == 1 and err.endswith("\n")
    for word in words:
        assert word in err
    return err


def metrics(folder: Path) -> dict:
    content = json.loads((folder / "metrics.json").read_text(encoding="utf8"))
    return content | {"seconds": None, "name": None}


def test_two_models_side_by_side_and_nothing_is_trained_twice(run, tmp_path):
    one = write_config(tmp_path, "one")
    two = write_config(tmp_path, "two", model={"name": "svm", "kernel": "linear", "C": 0.01}, normalise="speaker")
    status, out, err = run(one, two)
    assert status == 0 and "Traceback" not in err
    with (tmp_path / "checkpoints" / "comparison.csv").open(newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["one", "two"]
    for row in rows:
        content = json.loads((tmp_path / "checkpoints" / row["name"] / "metrics.json").read_text(encoding="utf8"))
        assert (
            float(row["uar"]) == content["uar"] and [float(row["uar_lo"]), float(row["uar_hi"])] == content["uar_ci95"]
        )
        assert float(row["seconds"]) == content["seconds"]
        assert re.search(rf"^{row['name']} +{content['uar']:.3f} +\[{content['uar_ci95'][0]:.3f}, ", out, re.MULTILINE)
        assert content["holdout"]["speakers"] == ["demo/m08"]
        report = (tmp_path / "checkpoints" / row["name"] / "report.html").read_text(encoding="utf8")
        assert "Held-out speakers" in report and "<audio" in report
        assert (tmp_path / "checkpoints" / row["name"] / "MODEL_CARD.md").is_file()
    folds = [
        json.loads((tmp_path / "checkpoints" / name / "metrics.json").read_text(encoding="utf8"))["folds"]
        for name in ("one", "two")
    ]
    assert [f["test_speakers"] for f in folds[0]] == [f["test_speakers"] for f in folds[1]]
    assert f"two - one: {float(rows[1]['difference']):+.3f} UAR" in out
    assert "transductive" in out  # of the speaker-normalised one
    assert not list((tmp_path / "checkpoints" / ".work").glob("*/"))

    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("checkpoints/*/*")}
    status, again, _ = run(one, two)
    assert status == 0 and again.count("already trained") == 2
    assert out.splitlines()[-5:] == again.splitlines()[-5:]  # the same table
    assert stamps == {path: path.stat().st_mtime_ns for path in tmp_path.glob("checkpoints/*/*")}


def test_several_seeds_are_runs_of_their_own_with_mean_and_spread(run, tmp_path):
    one = write_config(tmp_path, "one", model={"name": "mlp", "units": 4, "iterations": 20})
    status, out, _ = run(one, options=("--seeds", "1", "7"))
    assert status == 0
    with (tmp_path / "checkpoints" / "comparison.csv").open(newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["one_seed1", "one_seed7", "one"]
    uar = [float(row["uar"]) for row in rows]
    assert uar[0] != uar[1] and uar[2] == pytest.approx((uar[0] + uar[1]) / 2) and rows[2]["seeds"] == "2"
    assert float(rows[2]["uar_sd"]) == pytest.approx(abs(uar[0] - uar[1]) / 2**0.5)
    assert f"one: UAR {uar[2]:.3f} ± {float(rows[2]['uar_sd']):.3f}, mean and standard deviation of 2 seeds" in out
    for seed in (1, 7):
        kept = (tmp_path / "checkpoints" / f"one_seed{seed}" / "config.yaml").read_text(encoding="utf8")
        assert f"seed: {seed}\n" in kept and f"name: one_seed{seed}\n" in kept
    assert run(one, options=("--seeds", "7", "1"))[1].count("already trained") == 2
    refused(run(one, options=("--seeds", "1", "1")), "one_seed1", "a name of its own")
    refused(run(one, options=("--seeds", "-1")), "--seeds", "got -1")


def test_a_changed_config_is_refused_until_overwrite(run, tmp_path):
    config = write_config(tmp_path, "one")
    assert run(config)[0] == 0
    before = metrics(tmp_path / "checkpoints" / "one")
    set_c = ("--set", "model.C=0.001", "--set", "drop=[sad]")
    refused(run(config, options=set_c), "model.C", "drop", "--overwrite", "--set name=")
    assert metrics(tmp_path / "checkpoints" / "one") == before
    status, out, _ = run(config, options=(*set_c, "--overwrite"))
    assert status == 0 and "already trained" not in out
    assert metrics(tmp_path / "checkpoints" / "one") != before
    refused(run(config), "model.C")


def test_a_conflict_of_the_last_config_is_found_before_the_first_is_trained(run, tmp_path):
    one, two = write_config(tmp_path, "one"), write_config(tmp_path, "two")
    assert run(two)[0] == 0
    write_config(tmp_path, "two", model={"name": "svm", "C": 3.0})
    refused(run(one, two), "model.C")
    assert not (tmp_path / "checkpoints" / "one").exists()


def test_a_trial_is_marked_and_does_not_pass_for_the_run(run, tmp_path):
    config = write_config(tmp_path, "one")
    status, out, _ = run(config, options=("--limit", "8"))
    assert status == 0 and out.count("A TRIAL on 8 clips per class") == 2  # in the report and under the table
    result = metrics(tmp_path / "checkpoints" / "one")
    assert result["protocol"]["limit"] == 8 and result["n_clips"] + result["holdout"]["n_clips"] == 5 * 8
    refused(run(config), "--limit")
    assert "already trained" in run(config, options=("--limit", "8"))[1]


def test_missing_features_name_the_command_that_makes_them(run, tmp_path, monkeypatch, capsys):
    config = write_config(tmp_path, "stats", features={"name": "librosa_stats"})
    features, options = tmp_path / "my features", ("--set", "model.C=2.0", "--limit", "8")
    err = refused(run(config, options=options, features=features), "stats", "Run: python preprocess.py")
    command = shlex.split(err.partition("Run: python ")[2])
    assert command.pop(0) == "preprocess.py"
    status, out, _ = outcome(preprocess.main, monkeypatch, capsys, *command)
    assert status == 0 and "40 extracted" in out
    assert run(config, options=options, features=features)[0] == 0


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"split": {"by": "speaker", "folds": 4}}, ("differ in split", "one by one")),
        ({"seed": 2, "drop": ["sad"]}, ("differ in drop, seed",)),
        ({"name": "one"}, ("two configs are named 'one'",)),
    ],
    ids=["split", "seed and drop", "name"],
)
def test_runs_that_cannot_be_compared_are_refused(keys, words, run, tmp_path):
    one, two = write_config(tmp_path, "one"), write_config(tmp_path, "two", **keys)
    refused(run(one, two), *words)
    assert not (tmp_path / "checkpoints" / "one").exists()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"model": {"name": "bilstm"}, "features": {"name": "librosa_stats"}},
            ("bilstm reads frames", "{name: librosa_frames, preset: stack187}"),
        ),
        ({"drop": ["happy", "sad", "neutral", "fear"]}, ("only angry is left",)),
        ({"model": {"name": "bi_lstm"}}, ("Did you mean 'bilstm'",)),
        ({"modell": {"name": "svm"}}, ("'modell' is not a known key", "'model'")),
        ({"split": {"by": "speaker", "folds": 40}}, ("40 folds of 8 speakers",)),
        ({"split": {"by": "speaker", "holdout": ["m09"]}}, ("m09", "demo/m08")),
    ],
    ids=["vector", "one class", "model", "key", "folds", "holdout"],
)
def test_users_errors_are_one_line(keys, words, run, tmp_path):
    refused(run(write_config(tmp_path, "one", **keys)), *words)


def test_a_second_process_is_refused_while_the_first_trains(run, tmp_path):
    from filelock import FileLock

    (tmp_path / "checkpoints" / ".work").mkdir(parents=True)
    with FileLock(tmp_path / "checkpoints" / ".work" / "one.lock"):
        refused(run(write_config(tmp_path, "one")), "another train.py", "--set name=")
    assert run(write_config(tmp_path, "one"))[0] == 0


def test_clips_that_one_recipe_lacks_are_left_out_for_all():
    one, two = dataset(), dataset("frames")[[*range(5), *range(7, 72)]]
    result = common([one[1:], two])
    assert [data.ids.tolist() for data in result] == [two.ids[1:].tolist()] * 2
    assert result[0].features.shape == (69, 8) and len(result[1].features) == 69
    assert common([one, one])[0] is one


def test_killed_at_any_moment_it_goes_on_and_ends_the_same(run, cached, tmp_path):
    long = {"epochs": 30, "patience": 30, "batch_size": 64}  # of one batch: little to compile, and time to be killed
    config = write_config(tmp_path, "net", model=CNN, train=long, split={"by": "speaker", "folds": 2})
    checkpoints = tmp_path / "checkpoints"
    command = [sys.executable, "train.py", "--config", config, "--features", cached / "features"]
    process = subprocess.Popen([*command, "--checkpoints", checkpoints], cwd=plugins.ROOT, stderr=subprocess.DEVNULL)
    work = checkpoints / ".work" / "net"
    until = time.monotonic() + 240
    while not (work / "fold-1" / "run-0.npz").exists():  # in the second fold, past an epoch
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (work / "fold-0.npz").exists() and not (work / "fold-1.npz").exists()
    assert not (checkpoints / "net").exists()
    status, _, err = run(config)
    assert status == 0 and "fold 1/2 (fold 1): kept from before" in err and err.count("kept from before") == 1
    killed = metrics(checkpoints / "net")
    assert run(config, options=("--overwrite",))[0] == 0
    assert metrics(checkpoints / "net") == killed


def test_from_real_speech_to_a_named_emotion(speech, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SER_DATA", str(speech))
    keys = {"corpora": [{"name": "ravdess", "root": "RAVDESS"}], "split": {"by": "speaker", "folds": 2}}
    svm = write_config(tmp_path, "svm", **keys)
    net = write_config(tmp_path, "net", **keys, model=CNN, train={"epochs": 2, "batch_size": 64})
    both = ("--config", svm, net, "--features", tmp_path / "features", "--limit", 24)
    status, out, _ = outcome(preprocess.main, monkeypatch, capsys, *both)
    assert status == 0 and "192 clips, 192 extracted" in out and "192 clips, 0 extracted, 192 cached" in out
    status, out, _ = outcome(train.main, monkeypatch, capsys, *both, "--checkpoints", tmp_path)
    assert status == 0 and "net - svm: " in out and "A TRIAL on 24 clips per class" in out
    result = metrics(tmp_path / "svm")
    assert result["uar"] > 0.2 and result["n_speakers"] == 24  # chance is .125; seen: .36
    clip = sorted((speech / "RAVDESS").rglob("*.flac"))[5]
    monkeypatch.chdir(tmp_path)
    for name in ("svm", "net"):
        status, out, _ = outcome(predict.main, monkeypatch, capsys, "--checkpoint", tmp_path / name, clip)
        assert status == 0 and f"{clip}: " in out and "A TRIAL" in out
        assert (tmp_path / f"{clip.stem}_radar.png").read_bytes().startswith(b"\x89PNG")
