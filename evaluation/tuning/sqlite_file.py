"""A search in an SQLite file, which processes on one machine share.

A file beside the database, locked by its process, says that a worker is alive. The operating system releases the lock
when the process ends, however it ends, so a killed worker is known at once; Optuna's heartbeat knows it only after a
grace period, and takes a paused process for a dead one.
"""

import glob
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from filelock import FileLock, Timeout

from utils.errors import ConfigError

MAGIC = b"SQLite format 3"


class SqliteFile:
    """The database in a file."""

    def __init__(self, path: Path):
        """Take ``path`` as the database.

        Raises:
            ConfigError: a file of another kind is there.
        """
        self.path = path
        if path.exists():
            with path.open("rb") as file:
                if file.read(len(MAGIC)) not in (b"", MAGIC):
                    raise ConfigError(f"{path}: is not an SQLite file. Give another --storage.")

    def __str__(self) -> str:
        return str(self.path)

    def results_folder(self, default: Path) -> Path:
        """Return where results go: a folder named like the file."""
        return self.path.with_suffix("")

    def storage(self) -> optuna.storages.RDBStorage:
        """Return it as Optuna's storage; the file is made if it is not there."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return optuna.storages.RDBStorage(f"sqlite:///{self.path}", {"connect_args": {"timeout": 60}})

    @contextmanager
    def gate(self) -> Iterator[None]:
        """Let one process at a time pass."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock"):
            yield

    @contextmanager
    def worker(self) -> Iterator[str]:
        """Yield a name that others see alive until this process ends, however it ends."""
        name = uuid.uuid4().hex
        lock = FileLock(f"{self.path}.{name}.alive")
        with self.gate():  # otherwise another process could find the file before it is locked, and delete it
            lock.acquire()
        try:
            yield name
        finally:
            with self.gate():
                lock.release()
                Path(lock.lock_file).unlink(missing_ok=True)

    def alive(self, workers: Iterable[str]) -> set[str]:
        """Return which of the workers are alive; the files of all others are deleted. Call it under the gate."""
        alive = set()
        for file in self.path.parent.glob(f"{glob.escape(self.path.name)}.*.alive"):
            lock = FileLock(file)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                alive.add(file.suffixes[-2].removeprefix("."))
                continue
            lock.release()
            file.unlink(missing_ok=True)
        return alive & set(workers)
