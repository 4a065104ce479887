"""Many files at once: the same answers in the same order, by one process, by two, and on a Dask cluster."""

import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from prediction import batch
from prediction.extractor import Extractor, Reading
from tests.toy_readings import read_or_die
from utils.errors import ConfigError
from utils.process_pool import Processes

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
    alone = flat(batch.read(Extractor(card), files, jobs=0))
    windows = list(batch.read(Extractor(card), files, jobs=2))
    assert [len(window) for window in windows] == [8, 8, 4]  # what is held at a time
    together = flat(windows)
    assert [reading.file for reading in alone] == [reading.file for reading in together] == files
    assert all(equal(one, other) for one, other in zip(alone, together, strict=True))
    (error,) = {reading.error for reading in alone + together if reading.file == "broken.wav"}
    assert error.startswith("broken.wav: ") and not any(one.error for one in alone if one.file != "broken.wav")


def test_a_file_that_is_alone_starts_no_process_and_few_start_one(card, files, monkeypatch):
    started = []

    class Counted(Processes):
        def __init__(self, jobs):
            started.append(jobs)
            super().__init__(jobs)

    monkeypatch.setattr(batch, "Processes", Counted)
    assert len(flat(batch.read(Extractor(card), files[:1], jobs=2))) == 1 and not started
    windows = list(batch.read(Extractor(card), files[:3], jobs=2))
    assert [len(window) for window in windows] == [1, 1, 1] and started == [1]  # each answer as soon as it is there


def test_a_window_of_long_recordings_is_answered_before_it_is_whole(monkeypatch):
    monkeypatch.setattr(batch, "MOST_BYTES_HELD", 100)
    files = ["b", "a", "b", "c", "d"]

    def over(read_one, some):
        assert some == ["b", "a", "c", "d"]
        yield from ((file, Reading(file, np.zeros(10))) for file in ("c", "b", "a", "d"))

    windows = [[reading.file for reading in window] for window in batch._windows(files, None, over, 5)]
    assert windows == [["b"], ["a", "b", "c"], ["d"]]


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_that_kills_or_blocks_its_process_is_one_line_also_among_few(card, files, monkeypatch, jobs):
    monkeypatch.setattr(batch, "Processes", partial(Processes, seconds=3))
    monkeypatch.setattr(batch, "_read_one", read_or_die)
    names = [files[0], "poison.wav", files[1], "stuck.wav", files[2]]
    results = flat(batch.read(Extractor(card), names, jobs=jobs))
    assert [reading.file for reading in results] == names
    assert [reading.error for reading in results if reading.error] == [
        "poison.wav: every worker process that reads it dies.", "stuck.wav: reading it takes longer than 3 s.",
    ]  # fmt: skip


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
    here = flat(batch.read(Extractor(card), files, jobs=0))
    assert [reading.file for reading in there] == files and os.path.samefile(Path.cwd(), tmp_path)
    assert all(equal(one, other) for one, other in zip(here, there, strict=True))
