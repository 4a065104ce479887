"""Which audio files have been decoded before, and what came of it: unchanged ones are not decoded again."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple
from pathlib import Path

from filelock import FileLock

from utils.audio.prepare import Sound
from utils.errors import DataError

_TABLE = """CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, reason TEXT,
    digest TEXT, seconds REAL, rate INTEGER, channels INTEGER, peak REAL, rms_db REAL, clipped REAL) WITHOUT ROWID"""
LATEST = 2**63 - 1  # ns since 1970, in the year 2262: SQLite holds no later time
_CHUNK = 10_000  # SQLite takes at most 32766 parameters


def stamp(path: Path) -> tuple[int, int]:
    """Return size in bytes and modification time in ns; a change of either means a changed file."""
    status = os.stat(path)
    return status.st_size, max(-LATEST, min(status.st_mtime_ns, LATEST))


class KnownFiles:
    """An SQLite file of path -> size, time and Sound, or the reason why the file is of no use.

    SQLite, because many processes may write and one may be killed at any moment.
    """

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        with self._damage():
            self._connection = sqlite3.connect(path, timeout=60)
        try:
            with self._damage(), FileLock(path.with_suffix(".lock")), self._connection:
                self._connection.execute(
                    "PRAGMA journal_mode=WAL"
                )  # SQLite does not wait where two turn it on: the lock
                self._connection.execute("PRAGMA synchronous=NORMAL")
                self._connection.execute(_TABLE)
        except DataError:
            self._connection.close()
            raise

    @contextmanager
    def _damage(self) -> Iterator[None]:
        """Name the file and the remedy in SQLite's errors."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise DataError(f"{self._path}: cannot be used: {error}. If damaged, it may be removed.") from error

    def __enter__(self) -> "KnownFiles":
        return self

    def __exit__(self, *exception) -> None:
        self._connection.close()

    def unchanged(self, paths: Iterable[Path]) -> dict[Path, Sound | str]:
        """Return the Sound, or the reason of refusal, of each file that is as it was when it was recorded."""
        paths = list(paths)
        known = {}
        for start in range(0, len(paths), _CHUNK):
            chunk = {str(path.absolute()): path for path in paths[start : start + _CHUNK]}
            for name, size, mtime_ns, reason, *sound in self._rows(list(chunk)):
                path = chunk[name]
                try:
                    same = stamp(path) == (size, mtime_ns)
                except OSError:
                    same = False  # gone or unreadable: the decoder will say so
                if same:
                    known[path] = reason or Sound(*sound)
        return known

    def _rows(self, names: list[str]) -> Iterator[tuple]:
        query = f"SELECT * FROM files WHERE path IN ({','.join('?' * len(names))})"
        with self._damage(), closing(self._connection.execute(query, names)) as rows:
            known = rows.fetchall()
        yield from known

    def record(self, results: Iterable[tuple[Path, tuple[int, int], Sound | str]]) -> None:
        """Store (path, its stamp before it was read, its Sound or the reason of refusal) of many files at once."""
        nothing = ("", 0.0, 0, 0, 0.0, 0.0, 0.0)
        rows = [
            (str(path.absolute()), *stamped, result, *nothing)
            if isinstance(result, str)
            else (str(path.absolute()), *stamped, "", *astuple(result))
            for path, stamped, result in results
        ]
        with self._damage(), self._connection:
            self._connection.executemany(f"INSERT OR REPLACE INTO files VALUES ({','.join('?' * 11)})", rows)
