"""The list of known audio files: an unchanged file is not decoded again, a changed one is."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from extract_feats.cache import known_files
from utils.audio.prepare import Sound
from utils.errors import DataError


def test_known_files_are_known_while_they_do_not_change(tmp_path, monkeypatch):
    monkeypatch.setattr(known_files, "_CHUNK", 3)
    paths = [tmp_path / f"{n}.wav" for n in range(7)]
    sound = Sound("ab" * 16, 1.5, 16000, 1, 0.5, -20.0, 0.0)
    for path in paths:
        path.write_bytes(b"x")
    with known_files.KnownFiles(tmp_path / "files.sqlite") as files:
        files.record(
            (path, known_files.stamp(path), "empty file." if n == 2 else sound) for n, path in enumerate(paths)
        )
    paths[0].write_bytes(b"xy")
    os.utime(paths[1], ns=(5, 5))
    paths[3].unlink()
    with known_files.KnownFiles(tmp_path / "files.sqlite") as files:
        known = files.unchanged([*paths, tmp_path / "never.wav"])
        monkeypatch.chdir(tmp_path)
        assert files.unchanged([Path("4.wav")]) == {Path("4.wav"): sound}  # by its absolute path
    assert known == {paths[2]: "empty file.", **{paths[n]: sound for n in (4, 5, 6)}}


def test_a_time_beyond_what_sqlite_holds_is_known_again(tmp_path, monkeypatch):
    path, sound = tmp_path / "a.wav", Sound("ab" * 16, 1.5, 16000, 1, 0.5, -20.0, 0.0)
    path.write_bytes(b"x")
    later = os.stat_result((0, 0, 0, 0, 0, 0, 1, 0, 0, 0), {"st_mtime_ns": 2**70})  # the year 39,000
    monkeypatch.setattr(known_files, "os", SimpleNamespace(stat=lambda path: later))
    with known_files.KnownFiles(tmp_path / "files.sqlite") as files:
        files.record([(path, known_files.stamp(path), sound)])
        assert files.unchanged([path]) == {path: sound}


def test_a_list_of_files_that_is_damaged_further_on_is_named(tmp_path):
    path = tmp_path / "files.sqlite"
    with known_files.KnownFiles(path) as files:
        files.record([(tmp_path / f"{n}.wav", (1, 1), "empty file.") for n in range(500)])
        files._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with (
        pytest.raises(DataError, match=r"files\.sqlite: cannot be used: .* may be removed"),
        known_files.KnownFiles(path) as files,
    ):
        files.unchanged([tmp_path / "3.wav"])


def test_a_damaged_list_of_files_is_named(tmp_path):
    (tmp_path / "files.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(DataError, match=r"files\.sqlite: cannot be used: .* may be removed"):
        known_files.KnownFiles(tmp_path / "files.sqlite")
