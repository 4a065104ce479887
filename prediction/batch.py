"""Features of many files for prediction, in their order: on all cores of one machine, or on a Dask cluster."""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from prediction.extractor import Extractor
from utils.cluster import Cluster
from utils.errors import DataError
from utils.process_pool import KILLED, Processes, cores

FEW = 16  # files up to which starting processes takes longer than it saves
EACH = 32  # files a process in a window: at its end the others wait for the last file

Found = list[tuple[str, Any]]
Map = Callable[[Callable[[str], Any], Sequence[str]], Iterator[tuple[str, Any]]]


def read(extractor: Extractor, files: Sequence[str], *, jobs: int = -1, dask: str | None = None) -> Iterator[Found]:
    """Yield windows of (file, what ``extractor.read`` gives or the reason (str) why nothing), in the files' order.

    A window is what is held at a time: one file where this process reads, some for each of several.

    Args:
        extractor: rebuilt once in every process.
        files: paths, or "-" for standard input, which this process reads.
        jobs: processes; -1 one a core. Few files are read by this process whatever it says.
        dask: the address of a scheduler whose workers read instead; they need the files under the same names.

    Raises:
        ConfigError, DataError: the cluster cannot be used; see ``utils.cluster``.
    """
    jobs = cores() if jobs == -1 else jobs
    function = partial(_features, extractor=extractor)
    if dask:
        folder = Path.cwd()  # a worker has another one
        with Cluster(dask) as workers:
            seen = next((Path(folder, file) for file in files if file != "-" and Path(file).exists()), None)
            workers.check(partial(_unfit, extractor.card, seen))
            yield from _windows(files, partial(function, folder=folder), workers.map, EACH * len(workers))
    elif jobs == 1 or len(files) <= FEW:
        yield from ([(file, function(file))] for file in files)
    else:
        with Processes(jobs) as processes:
            yield from _windows(files, function, processes.map, EACH * jobs)


def _windows(files: Sequence[str], function: Callable[[str], Any], over: Map, size: int) -> Iterator[Found]:
    for start in range(0, len(files), size):
        window = files[start : start + size]
        found = dict(over(function, [file for file in dict.fromkeys(window) if file != "-"]))
        yield [(file, function(file) if file == "-" else found[file] or f"{file}: {KILLED}.") for file in window]


def _features(file: str, extractor: Extractor, folder: Path = Path()) -> Any:
    path = file if file == "-" else str(folder / file)
    try:
        return extractor.read(BytesIO(sys.stdin.buffer.read()) if file == "-" else path)
    except DataError as error:
        return " ".join(str(error).replace(path, file, 1).split())


def _unfit(card: dict, path: Path | None) -> str:
    Extractor(card)  # says so if its features are of another version here
    seen = path is None or path.exists()
    return "" if seen else f"does not see {path}: it needs the same folders under the same names."
