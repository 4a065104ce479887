"""Processes that survive an item which kills one of them: the item is named, and all others are done.

It needs nothing but Python, so that prediction can use it.
"""

import os
import signal
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib.util import find_spec
from itertools import islice
from multiprocessing import get_context, parent_process
from typing import Any

KILLED = "every worker process that reads it dies"
AHEAD = 3  # items per process that are computed or wait: more would only hold results
THREADS = (  # variables that set how many threads a numeric library starts
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS",
)  # fmt: skip


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Processes:
    """Worker processes that compute with one thread each; use it in a ``with``."""

    def __init__(self, jobs: int):
        """Prepare for ``jobs`` processes, -1 for one per core; they start with the first items."""
        self._jobs = cores() if jobs == -1 else jobs
        self._pool = _new(self._jobs)

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *exception) -> None:
        self._pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[[Any], Any], items: Iterable[Hashable]) -> Iterator[tuple[Any, Any]]:
        """Yield each item with ``function(item)``, or with None if it kills its process; in the order of completion.

        When a process dies, every item that was not finished is suspect. The suspects are tried again at the end, one
        by one.

        Args:
            function: importable by its name, or a partial of such a function; must not return None.
            items: what it is called with.

        Raises:
            Exception: what ``function`` raises.
            BrokenProcessPool: processes cannot be started at all.
        """
        left, running, suspects = iter(items), {}, []
        while True:
            for item in islice(left, AHEAD * self._jobs - len(running)):
                running[self._submit(function, item)] = item
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                item = running.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool:
                    suspects.append(item)
                else:
                    yield item, result
        yield from _one_by_one(function, suspects)

    def _submit(self, function: Callable[[Any], Any], item: Any) -> Future:
        try:
            return self._pool.submit(function, item)
        except BrokenProcessPool:
            self._pool.shutdown(wait=False)
            self._pool = _new(self._jobs)
            return self._pool.submit(function, item)


def _one_by_one(function: Callable[[Any], Any], items: list) -> Iterator[tuple[Any, Any]]:
    """Yield each item with its result, or with None if it kills a process that computes nothing else."""
    pool = None
    try:
        for item in items:
            if pool is None:
                pool = _new(1)
                pool.submit(os.getpid).result()  # if no process can start, no item is to blame
            try:
                result = pool.submit(function, item).result()
            except BrokenProcessPool:
                pool, result = None, None
            yield item, result
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)


def _new(jobs: int) -> ProcessPoolExecutor:
    # a fork would copy locks that other threads hold
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_start)


def _start() -> None:
    """Prepare a worker: one thread, no traceback on Ctrl-C, and an end when the main process ends."""
    os.environ.update(dict.fromkeys(THREADS, "1"))  # libraries that are not loaded yet read them
    if find_spec("threadpoolctl"):  # for those that the main module has loaded; prediction does not install it
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends the work
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent_process().join()  # a killed parent cannot end its workers
    os._exit(1)
