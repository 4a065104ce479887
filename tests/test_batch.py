"""Many files at once: the same answers in the same order, by one process, by two, and on a Dask cluster."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from prediction import batch
from prediction.extractor import Extractor, Reading
from utils.errors import ConfigError

CARD = {
    "name": "toy", "rate": 16000, "clip": {}, "feature_version": "?", "anything": "else",
    "features": {"name": "librosa_frames", "preset": "mfcc"},
}  # fmt: skip


@pytest.fixture(scope="module")
def card() -> dict:
    from utils import plugins

    return CARD | {"feature_version": plugins.get("features", "librosa_frames").load().layout(preset="mfcc").version}


@pytest.fixture
def files(demo_root, tmp_path, monkeypatch) -> list[str]:
    """Return the relative names of 20 clips, unsorted, one of them twice and one broken."""
    for clip in sorted(demo_root.rglob("*.wav"))[:18]:
        shutil.copy(clip, tmp_path)
    (tmp_path / "broken.wav").write_bytes(b"RIFF nonsense")
    monkeypatch.chdir(tmp_path)
    names = sorted((path.name for path in tmp_path.glob("*.wav")), reverse=True)
    return [*names, names[-1]]


def flat(windows) -> list[Reading]:
    return [reading for window in windows for reading in window]


def equal(one: Reading, other: Reading) -> bool:
    if one.error or other.error:
        return one == other
    apart = np.abs(one.features - other.features).max()  # a worker's threads move the last bit of float32 sums
    return apart <= 1e-6 * np.abs(one.features).max() and (one.file, one.channel) == (other.file, other.channel)


def test_two_processes_read_what_one_does_in_the_same_order(card, files, monkeypatch):
    monkeypatch.setattr(batch, "EACH", 4)
    alone = flat(batch.read(Extractor(card), files, jobs=1))
    windows = list(batch.read(Extractor(card), files, jobs=2))
    assert [len(window) for window in windows] == [8, 8, 4]  # what is held at a time
    together = flat(windows)
    assert [reading.file for reading in alone] == [reading.file for reading in together] == files
    assert all(equal(one, other) for one, other in zip(alone, together, strict=True))
    (error,) = {reading.error for reading in alone + together if reading.file == "broken.wav"}
    assert error.startswith("broken.wav: ") and not any(one.error for one in alone if one.file != "broken.wav")


def test_few_files_start_no_process(card, files, monkeypatch):
    monkeypatch.setattr(batch, "Processes", None)
    assert len(flat(batch.read(Extractor(card), files[: batch.FEW], jobs=2))) == batch.FEW


def test_other_features_than_in_training_are_refused(card, files):
    with pytest.raises(ConfigError, match="was trained on features of version old"):
        batch._unfit(card | {"feature_version": "old"}, None)
    assert "does not see" in batch._unfit(card, Path("nowhere.wav"))
    assert batch._unfit(card, Path(files[0])) == ""


def test_a_cluster_reads_what_this_machine_does(card, files, tmp_path):
    pytest.importorskip("distributed", reason="pip install -r requirements-dask.txt")
    from tests.test_cluster import scheduler, workers

    with scheduler() as address, workers(address):
        there = flat(batch.read(Extractor(card), files, dask=address))
    here = flat(batch.read(Extractor(card), files, jobs=1))
    assert [reading.file for reading in there] == files and os.path.samefile(Path.cwd(), tmp_path)
    assert all(equal(one, other) for one, other in zip(here, there, strict=True))
