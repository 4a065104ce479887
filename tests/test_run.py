"""What a run leaves that is killed after its checkpoint was written, and how the next call completes it."""

import os

import pytest

from evaluation.pages import report
from evaluation.training import run
from evaluation.training.workspace import locked
from utils.errors import ConfigError
from utils.whole_file import write_text


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a checkpoint without its report, beside the work of its training."""
    monkeypatch.setattr(report.finished, "read", lambda folder: folder)
    monkeypatch.setattr(report.model_card, "text", lambda run: "card")
    monkeypatch.setattr(report, "page", lambda run, *, audio: "report")
    folder, work = tmp_path / "one", tmp_path / ".work" / "one"
    folder.mkdir()
    (folder / "metrics.json").write_text("{}")
    (work / "tensorboard").mkdir(parents=True)
    return folder


def test_a_report_that_was_never_written_is_made_and_the_work_goes(folder):
    run.complete(folder)
    assert (folder / "report.html").read_text() == "report" and (folder / "MODEL_CARD.md").read_text() == "card"
    assert (folder / "tensorboard").is_dir() and not (folder.parent / ".work" / "one").exists()


def test_a_report_from_before_the_metrics_is_made_again_and_a_whole_checkpoint_is_left_alone(folder, monkeypatch):
    run.complete(folder)
    calls = []
    monkeypatch.setattr(run.pages, "write", calls.append)
    run.complete(folder)
    os.utime(folder / "report.html", (0, 0))
    assert not calls
    run.complete(folder)
    assert calls == [folder]


def test_nothing_is_completed_while_another_process_trains(folder):
    with locked(folder), pytest.raises(ConfigError, match=r"another train\.py is working on it"):
        run.complete(folder)


def test_a_report_is_written_whole_or_not_at_all(folder, monkeypatch):
    run.complete(folder)
    monkeypatch.setattr(report, "page", lambda run, *, audio: "new\ud800")  # cannot be written: as a full disk
    with pytest.raises(UnicodeEncodeError):
        report.write(folder)
    assert (folder / "report.html").read_text() == "report"
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == []


def test_a_text_takes_the_place_of_another(tmp_path):
    for text in ("one", "two\n"):
        write_text(tmp_path / "a.txt", text)
        assert (tmp_path / "a.txt").read_text() == text and len(list(tmp_path.iterdir())) == 1
