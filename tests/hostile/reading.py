"""Reading damaged sounds in another process, which imports it by name: what became of each, at what cost."""

import io
import os
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from functools import lru_cache
from multiprocessing import parent_process
from pathlib import Path
from typing import NamedTuple

from extract_feats import channel
from tests.hostile import sounds
from utils.audio import stream
from utils.audio.prepare import read_wave
from utils.errors import DataError
from utils.text_table import text_table
from web import uploads

RATE = 16000


class Read(NamedTuple):
    """What became of one file.

    Attributes:
        refused: by how many of the three ways to read it.
        failed: what was raised that is no ``DataError``; "" if nothing was.
        seconds: of all three.
        peak: bytes that Python and numpy held at most.
        process: bytes that this process held at most so far.
    """

    refused: int
    failed: str
    seconds: float
    peak: int
    process: int


def read(item: tuple[str, int]) -> Read:
    """Read the damaged file of a kind and a seed as predict.py, as --timeline and as the page does."""
    _mute()
    kind, seed = item
    content = sounds.damaged(kind, seed)
    suffix = sounds.KINDS[kind][0]
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        Path(file.name).write_bytes(content)
        upload = uploads.Clip("key", f"a{suffix}", content)
        ways = (
            lambda: channel.extract(read_wave(file.name, RATE), RATE),
            lambda: [None for _ in stream.open_file(Path(file.name)).blocks],
            lambda: (uploads.seconds(upload), read_wave(io.BytesIO(content), RATE)),
        )
        tracemalloc.start()
        started = time.perf_counter()
        ends = [_end(way) for way in ways]
        seconds, peak = time.perf_counter() - started, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    failed = " ".join(end for end in ends if end not in ("", "refused"))
    return Read(ends.count("refused"), failed, seconds, peak, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10)


@lru_cache
def _mute() -> None:
    """Let libmpg123 say nothing in this worker: of damaged frames it prints a line each."""
    if parent_process():
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _end(way: Callable[[], object]) -> str:
    try:
        way()
    except DataError as error:
        return "refused" if "\n" not in str(error) else f"lines: {error}"
    except Exception as error:  # noqa: BLE001  it is what is looked for
        return f"{type(error).__name__}: {error}"
    return ""


def table(results: dict[tuple[str, int], Read], lost: Sequence[tuple[str, int]]) -> str:
    """Return for each kind how many files were tried, refused, failed and lost, peak memory and the longest time."""
    rows = []
    for kind in sounds.KINDS:
        those = [result for (name, _), result in results.items() if name == kind]
        gone = sum(name == kind for name, _ in lost)
        rows.append(
            [
                kind,
                str(len(those) + gone),
                str(sum(one.refused > 0 for one in those)),
                str(sum(bool(one.failed) for one in those)),
                str(gone),
                f"{max((one.peak for one in those), default=0) / 2**20:.0f}",
                f"{max((one.seconds for one in those), default=0):.2f}",
            ]
        )
    head = ["kind", "tried", "refused", "failed", "lost", "peak MiB", "longest s"]
    return "\n".join(text_table(head, rows))
