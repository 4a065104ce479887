"""train.py --tensorboard: the curves that TensorBoard's own reader finds are those of the training."""

import json
import subprocess
import sys

import pytest
import yaml
from toy import outcome, write_config

import preprocess
import train
from evaluation.training import event_files
from utils.errors import ConfigError
from utils.plugins import ROOT

pytestmark = pytest.mark.usefixtures("eager", "undrawn")


def scalars(folder, tag: str) -> list[tuple[int, float]]:
    """Return (step, value) of a curve as TensorBoard reads it."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder)).Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)] if tag in events.Tags()["scalars"] else []


def line(epoch: int, fold: int = 1, **more) -> dict:
    return {"fold": fold, "folds": 2, "name": "x", "run": 1, "runs": 1, "epoch": epoch, "loss": 1 / epoch} | more


def test_curves_come_back_and_a_resumed_training_goes_on_in_them(tmp_path):
    pytest.importorskip("tensorboard")
    with event_files.recorded(tmp_path) as report:
        report(line(1, val_uar=0.25, learning_rate=0.5))
        report(line(2, val_uar=0.5, learning_rate=0.25))
        report({"fold": 1, "folds": 2, "name": "x", "uar": 0.3})  # the line of a finished fold is no epoch
    with event_files.recorded(tmp_path) as report:
        report(line(3, val_uar=0.75, learning_rate=0.125))
        report(line(1, fold=0, run=2, runs=2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fold-1", "shipped-run-2"]
    assert scalars(tmp_path / "fold-1", "val_uar") == [(1, 0.25), (2, 0.5), (3, 0.75)]
    assert scalars(tmp_path / "fold-1", "learning_rate") == [(1, 0.5), (2, 0.25), (3, 0.125)]
    assert scalars(tmp_path / "shipped-run-2", "loss") == [(1, 1.0)]
    assert scalars(tmp_path / "shipped-run-2", "val_uar") == []


def test_writing_needs_no_tensorflow(tmp_path):
    pytest.importorskip("tensorboard")
    code = (
        "import sys\nfrom pathlib import Path\nfrom evaluation.training import event_files\n"
        f"with event_files.recorded(Path({str(tmp_path)!r})) as report: report({line(1)!r})\n"
        "print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
    assert list((tmp_path / "fold-1").iterdir())


def test_without_tensorboard_one_line_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ConfigError, match=r"pip install tensorboard$"), event_files.recorded(tmp_path):
        pass


def test_a_training_leaves_its_curves_in_the_checkpoint(tmp_path, demo_root, monkeypatch, capsys):
    pytest.importorskip("tensorboard")
    monkeypatch.setenv("SER_DATA", str(demo_root.parent))
    model, short = {"name": "lstm", "units": 4, "dense": 4}, {"epochs": 2, "batch_size": 64, "learning_rate": 0.01}
    net = write_config(tmp_path, "net", model=model, train=short, split={"by": "speaker", "folds": 2})
    svm = write_config(tmp_path, "svm", split={"by": "speaker", "folds": 2})
    common = ("--config", net, svm, "--features", tmp_path / "features")
    assert outcome(preprocess.main, monkeypatch, capsys, *common)[0] == 0
    status, _, err = outcome(
        train.main, monkeypatch, capsys, *common, "--checkpoints", tmp_path / "made", "--tensorboard"
    )
    assert status == 0, err
    folder = tmp_path / "made" / "net"
    assert sorted(path.name for path in (folder / "tensorboard").iterdir()) == ["fold-1", "fold-2", "shipped"]
    for run in ("fold-1", "fold-2"):
        for tag in ("loss", "val_loss", "val_uar", "learning_rate"):
            assert [step for step, _ in scalars(folder / "tensorboard" / run, tag)] == [1, 2]
    assert scalars(folder / "tensorboard" / "shipped", "val_uar") == []  # nobody is left to validate on
    rates = [value for _, value in scalars(folder / "tensorboard" / "fold-1", "learning_rate")]
    assert rates == pytest.approx([yaml.safe_load(net.read_text())["train"]["learning_rate"]] * 2)
    assert json.loads((folder / "model.json").read_text())["name"] == "net"
    assert not (tmp_path / "made" / "svm" / "tensorboard").exists()  # an estimator has no epochs
