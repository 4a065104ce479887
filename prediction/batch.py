"""Features of many files for prediction, in their order: on all cores of one machine, or on a Dask cluster."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from prediction.extractor import Extractor, Reading
from utils.cluster import Cluster
from utils.errors import DataError
from utils.process_pool import KILLED, Processes, cores

FEW = 16  # files up to which starting processes takes longer than it saves
EACH = 32  # files per process in a window: at its end the others wait for the last file

Read = Callable[[str], Reading]
Map = Callable[[Read, Sequence[str]], Iterator[tuple[str, Reading | None]]]  # None: the file kills its process


def read(
    extractor: Extractor, files: Sequence[str], *, jobs: int = -1, dask: str | None = None
) -> Iterator[list[Reading]]:
    """Yield what was read of the files, in their order and in windows; a file that cannot be read has an ``error``.

    A window is what is held at a time: one file where this process reads, some for each of several.

    Args:
        extractor: rebuilt once in every process.
        files: paths, or "-" for standard input, which this process reads.
        jobs: processes; -1 one per core. Few files are always read by this process.
        dask: the address of a scheduler whose workers read instead; they need the files under the same names.

    Raises:
        ConfigError, DataError: the cluster cannot be used; see ``utils.cluster``.
    """
    jobs = cores() if jobs == -1 else jobs
    read_one = partial(_read_one, extractor=extractor)
    if dask:
        folder = Path.cwd()  # a worker has another one
        with Cluster(dask) as workers:
            seen = next((Path(folder, file) for file in files if file != "-" and Path(file).exists()), None)
            workers.check(partial(_unfit, extractor.card, seen))
            yield from _windows(files, partial(read_one, folder=folder), workers.map, EACH * len(workers))
    elif jobs == 1 or len(files) <= FEW:
        yield from ([read_one(file)] for file in files)
    else:
        with Processes(jobs) as processes:
            yield from _windows(files, read_one, processes.map, EACH * jobs)


def _windows(files: Sequence[str], read_one: Read, over: Map, size: int) -> Iterator[list[Reading]]:
    for start in range(0, len(files), size):
        window = files[start : start + size]
        readings = dict(over(read_one, [file for file in dict.fromkeys(window) if file != "-"]))
        yield [
            read_one(file) if file == "-" else readings[file] or Reading(file, error=f"{file}: {KILLED}.")
            for file in window
        ]


def _read_one(file: str, extractor: Extractor, folder: Path = Path()) -> Reading:
    path = file if file == "-" else str(folder / file)
    try:
        return extractor.read(BytesIO(sys.stdin.buffer.read()) if file == "-" else path, file)
    except DataError as error:
        return Reading(file, error=" ".join(str(error).replace(path, file, 1).split()))


def _unfit(card: Mapping[str, Any], path: Path | None) -> str:
    """Return why a worker cannot read these files, "" if it can; ConfigError for features of another version."""
    Extractor(card)
    seen = path is None or path.exists()
    return "" if seen else f"does not see {path}: it needs the same folders under the same names."
