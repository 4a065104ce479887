"""The folder of an unfinished run: what is done stays done when the run is interrupted and started again."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from filelock import FileLock, Timeout

from evaluation.leakage import record
from models.common import Report
from utils.errors import ConfigError


def silent(line: Mapping[str, Any]) -> None:
    """Report nothing."""


class Workspace:
    """Finished parts of an unfinished run, and where it reports to.

    A part, such as the fold "fold-0", is NAME.npz with its arrays and NAME.parquet with the clips that its model was
    given; the folder NAME holds the epoch that an unfinished network has reached.

    Args:
        folder: made when it is needed.
        key: what the work belongs to; parts that were made under another key are deleted by ``claim``.
        report: called with {fold, folds, ...} as the work proceeds.
    """

    def __init__(self, folder: Path, key: str, report: Report = silent):
        self.folder, self.key, self.report = folder, key, report

    def claim(self) -> None:
        """Make the folder that of this key; what was made under another key is deleted."""
        self.folder.mkdir(parents=True, exist_ok=True)
        owner = self.folder / "key"
        if not owner.exists() or owner.read_text() != self.key:
            shutil.rmtree(self.folder)
            self.folder.mkdir()
            owner.write_text(self.key)

    def has(self, name: str) -> bool:
        """Return whether a part is finished."""
        return self._arrays(name).exists() and self._record(name).exists()

    def state(self, name: str) -> Path:
        """Return the folder for the state of an unfinished network."""
        state = self.folder / name
        state.mkdir(exist_ok=True)
        return state

    def save(self, name: str, used: pa.Table, progress: Mapping[str, Any], **arrays: np.ndarray) -> None:
        """Keep a finished part and delete its state; killed at any moment, the part is whole or not there.

        Args:
            name: of the part.
            used: the clips that its model was given.
            progress: what else is known of it, as JSON.
            arrays: its results.
        """
        record.write(self._record(name), [used])
        aside = self.folder / f"{name}.part.npz"
        np.savez(aside, progress=np.array(json.dumps(progress)), **arrays)
        os.replace(aside, self._arrays(name))
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def load(self, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return a finished part's progress and arrays."""
        with np.load(self._arrays(name)) as saved:
            arrays = dict(saved)
        return json.loads(str(arrays.pop("progress"))), arrays

    def used(self, name: str) -> pa.Table:
        """Return the clips that a finished part's model was given, as ``leakage.record`` has them."""
        return record.read(self._record(name))

    def names(self, pattern: str) -> list[str]:
        """Return the finished parts whose name matches a glob pattern, sorted."""
        names = (path.stem for path in self.folder.glob(f"{pattern}.npz") if not path.stem.endswith(".part"))
        return sorted(name for name in names if self.has(name))

    def _arrays(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def _record(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"


def work_of(checkpoint: Path) -> Path:
    """Return the folder for the unfinished work of a checkpoint; it need not exist."""
    return checkpoint.parent / ".work" / checkpoint.name


@contextmanager
def locked(checkpoint: Path) -> Iterator[Path]:
    """Yield the folder for the unfinished work of a checkpoint, while no other process has it.

    Raises:
        ConfigError: another process has it, or something that is no folder lies where the checkpoint will.
    """
    if not checkpoint.is_dir() and os.path.lexists(checkpoint):  # else noticed after the training
        raise ConfigError(
            f"{checkpoint}: is a file or a link to nothing, where the run's folder must lie. Move it away."
        )
    work = work_of(checkpoint)
    work.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(work.with_name(f"{work.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ConfigError(
            f"{checkpoint}: another train.py is working on it. Wait, or give another name: --set name=..."
        ) from error
    try:
        yield work
    finally:
        lock.release()
