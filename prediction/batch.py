"""Features of many files for prediction, in their order: on all cores of one machine, or on a Dask cluster."""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from prediction.extractor import Extractor, Reading
from utils.audio.blocks import in_memory
from utils.audio.limits import MOST_BYTES
from utils.cluster import Cluster
from utils.errors import BROKEN_FILE, DataError, reason_of
from utils.process_pool import Lost, Processes, cores

FEW = 16  # files up to which starting several processes takes longer than it saves
MOST_BYTES_HELD = 256 << 20  # of features, from which a window is answered before it is whole
EACH = 32  # files per process in a window: at its end the others wait for the last file

Read = Callable[[str], Reading]
Map = Callable[[Read, Sequence[str]], Iterator[tuple[str, Reading | Lost]]]


def read(
    extractor: Extractor, files: Sequence[str], *, jobs: int = 0, dask: str | None = None
) -> Iterator[list[Reading]]:
    """Yield what was read of the files, in their order and in windows; a file that cannot be read has an ``error``.

    A window is what is held at a time: one file where one process reads, some for each of several.

    Args:
        extractor: rebuilt once in every process.
        files: paths, or "-" for standard input, which this process reads.
        jobs: processes, which a file can kill or block without harm to the others; -1 one per core; one for few files.
            0: this process. A file that is alone is always read by this process.
        dask: the address of a scheduler whose workers read instead; they need the files under the same names.

    Raises:
        ConfigError, DataError: the cluster cannot be used; see ``utils.cluster``.
    """
    jobs = 1 if jobs and len(files) <= FEW else cores() if jobs == -1 else jobs
    read_one = partial(_read_one, extractor=extractor)
    if dask:
        folder = Path.cwd()  # a worker has another one
        with Cluster(dask) as workers:
            seen = next((Path(folder, file) for file in files if file != "-" and Path(file).exists()), None)
            workers.check(partial(_unfit, extractor.card, seen))
            yield from _windows(files, partial(read_one, folder=folder), workers.map, EACH * len(workers))
    elif jobs == 0 or len(files) == 1:
        yield from ([read_one(file)] for file in files)
    else:
        with Processes(jobs) as processes:
            yield from _windows(files, read_one, processes.map, EACH * jobs if jobs > 1 else 1)


def _windows(files: Sequence[str], read_one: Read, over: Map, size: int) -> Iterator[list[Reading]]:
    for start in range(0, len(files), size):
        window = files[start : start + size]
        waiting, done = deque(window), {}
        for file, reading in over(read_one, [file for file in dict.fromkeys(window) if file != "-"]):
            lost = isinstance(reading, Lost)
            done[file] = Reading(file, error=f"{file}: {reading.reason}.") if lost else reading
            if sum(map(_bytes, done.values())) > MOST_BYTES_HELD:  # long recordings
                yield list(_ready(waiting, done, read_one))
        yield list(_ready(waiting, done, read_one))


def _ready(waiting: deque[str], done: dict[str, Reading], read_one: Read) -> Iterator[Reading]:
    """Yield the first of the waiting files as far as they are done, and drop them; standard input is read here."""
    while waiting and (waiting[0] in done or waiting[0] == "-"):
        file = waiting.popleft()
        reading = read_one(file) if file == "-" else done[file]
        if file not in waiting:
            done.pop(file, None)
        yield reading


def _bytes(reading: Reading) -> int:
    features = reading.features if isinstance(reading.features, list) else [reading.features]
    return sum(array.nbytes for array in features if array is not None)


def _read_one(file: str, extractor: Extractor, folder: Path = Path()) -> Reading:
    path = file if file == "-" else str(folder / file)
    try:
        return extractor.read(_standard_input() if file == "-" else path, file)
    except (DataError, *BROKEN_FILE) as error:
        return Reading(file, error=reason_of(error, path).replace(path, file, 1))


def _standard_input() -> BinaryIO:
    return in_memory(sys.stdin.buffer, "standard input", MOST_BYTES)


def _unfit(card: Mapping[str, Any], path: Path | None) -> str:
    """Return why a worker cannot read these files, "" if it can; ConfigError for features of another version."""
    Extractor(card)
    seen = path is None or path.exists()
    return "" if seen else f"does not see {path}: it needs the same folders under the same names."
