"""Processes that survive an item which kills or blocks one of them: the item is named, and all others are done.

It needs nothing but Python, so that prediction can use it.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from multiprocessing import get_all_start_methods, get_context, parent_process
from typing import Any

KILLED = "every worker process that reads it dies"
SLOW = "reading it takes longer than {:g} s"
SECONDS = 900.0  # an item at most; the largest clip that is read takes a few minutes
AHEAD = 2  # items per process that are computed or wait: more would only hold results
THREADS = (  # variables that set how many threads a numeric library starts
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS",
)  # fmt: skip
LOADED = ["numpy", "scipy.fft", "soundfile"]  # once, by the process that all workers are forked from
METHOD = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"  # a fork would copy locks of threads
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
NOTHING = object()


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Lost:
    """In place of the result of an item that has none; ``reason``: ``KILLED``, or after how long it was ended."""

    reason: str


def is_lost(reason: str) -> bool:
    """Return whether a reason is that of a ``Lost``."""
    return reason == KILLED or reason.startswith(SLOW.partition("{")[0])


class Processes:
    """Worker processes that compute with one thread each; use it in a ``with``."""

    def __init__(self, jobs: int, *, seconds: float = SECONDS):
        """Prepare for ``jobs`` processes, -1 for one per core; they start with the first items.

        Args:
            jobs: 1 or more, or -1.
            seconds: that one item may take; then its process is ended.
        """
        self._jobs = cores() if jobs == -1 else jobs
        self._seconds = seconds
        self._workers: list[_Worker] = []

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *exception) -> None:
        for worker in self._workers:
            worker.end()

    def map(self, function: Callable[[Any], Any], items: Iterable[Hashable]) -> Iterator[tuple[Any, Any]]:
        """Yield each item with ``function(item)``, or with a ``Lost``; in the order of completion.

        An item whose process dies is tried once more at the end, alone: it may have been the machine's fault.

        Args:
            function: importable by its name, or a partial of such a function.
            items: what it is called with.

        Raises:
            Exception: what ``function`` raises.
            BrokenProcessPool: processes cannot be started at all.
        """
        again: list[Any] = []
        for item, result in self._run(function, iter(items), self._jobs):
            if result == Lost(KILLED):
                again.append(item)
            else:
                yield item, result
        for item in again:
            yield from self._run(function, iter([item]), 1)

    def _run(self, function: Callable, left: Iterator, jobs: int) -> Iterator[tuple[Any, Any]]:
        while True:
            self._hand_out(function, left, jobs)
            running = {future: worker for worker in self._workers for future in worker.items}
            if not running:
                return
            for future in wait(running, self._patience(), FIRST_COMPLETED).done:
                worker = running[future]
                if future not in worker.items:  # its worker died, and it was handed back
                    continue
                if not isinstance(future.exception(), BrokenProcessPool):
                    yield worker.items.pop(future), future.result()
                    continue
                finished, (item, reason), waiting = worker.bury(self._seconds)
                self._workers.remove(worker)
                left = chain(waiting, left)
                yield from finished
                yield item, Lost(reason)
            for worker in self._workers:
                worker.end_if_late(self._seconds)

    def _hand_out(self, function: Callable, left: Iterator, jobs: int) -> None:
        """Give every worker one item before any of them gets a second one; start those that are missing."""
        for depth in range(AHEAD):
            for number in range(jobs):
                if number < len(self._workers) and len(self._workers[number].items) > depth:
                    continue
                if (item := next(left, NOTHING)) is NOTHING:
                    return
                if number == len(self._workers):
                    self._workers.append(_Worker(function))
                self._workers[number].give(function, item)

    def _patience(self) -> float:
        """Return the seconds until a worker is late."""
        latest = min(worker.since for worker in self._workers if worker.items) + self._seconds
        return max(0.0, min(latest - time.monotonic(), self._seconds)) + 0.01


class _Worker:
    """One process with the items that it computes in turn, by their futures."""

    def __init__(self, function: Callable):
        _start_server()
        context = get_context(METHOD)
        self.items: dict[Future, Any] = {}
        self.since = float("inf")  # when it began with its first item
        self._late = False
        self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_start, initargs=(dict(os.environ),))
        self._process = self._pool.submit(_number_of, function)
        self._process.add_done_callback(self._begins)

    def give(self, function: Callable, item: Any) -> None:
        if self._process.done() and self._idle:
            self._begins()
        try:
            future = self._pool.submit(function, item)
        except BrokenProcessPool as error:  # it died while it had nothing to do
            future = Future()
            future.set_exception(error)
        self.items[future] = item
        future.add_done_callback(self._begins)

    def _begins(self, _: Future | None = None) -> None:
        self.since = time.monotonic()

    def end_if_late(self, seconds: float) -> None:
        if not self._idle and time.monotonic() - self.since > seconds:
            self._late = True
            self._kill()

    def bury(self, seconds: float) -> tuple[list[tuple[Any, Any]], tuple[Any, str], list]:
        """Return items with results, the item at which this process died with the reason, and items not begun.

        Raises:
            BrokenProcessPool: it has never lived: no item is to blame.
        """
        self._process.result()
        self._pool.shutdown(wait=False)
        broken = [future for future in self.items if isinstance(future.exception(), BrokenProcessPool)]
        finished = [(item, future.result()) for future, item in self.items.items() if future not in broken]
        first, *waiting = (self.items[future] for future in broken)
        self.items.clear()
        return finished, (first, SLOW.format(seconds) if self._late else KILLED), waiting

    def end(self) -> None:
        if not self._idle:  # nobody waits for it any more
            self._kill()
        self._pool.shutdown(cancel_futures=True)

    @property
    def _idle(self) -> bool:
        return all(future.done() for future in self.items)

    def _kill(self) -> None:
        with suppress(ProcessLookupError, BrokenProcessPool):  # it is dead
            os.kill(self._process.result(), KILL)


def _number_of(function: Callable) -> int:
    """Return the number of this process, which has then loaded the modules of a function: no item's time."""
    return os.getpid()


def _start_server() -> None:
    """Start the process that workers are forked from: it has loaded what all of them need, and has no other thread."""
    if METHOD != "forkserver":
        return
    from multiprocessing import forkserver  # not everywhere

    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        forkserver.set_forkserver_preload(LOADED)
        forkserver.ensure_running()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _start(environment: Mapping[str, str]) -> None:
    """Prepare a worker: one thread, no traceback on Ctrl-C, and an end when the main process ends."""
    _end_with_parent()
    os.environ.clear()
    os.environ.update(environment)
    os.environ.update(dict.fromkeys(THREADS, "1"))  # libraries that are not loaded yet read them
    if find_spec("threadpoolctl"):  # for those that the main module has loaded; prediction does not install it
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends the work


def _end_with_parent() -> None:
    """End this process when the main process ends, which cannot end it itself once it is killed.

    On Linux by a signal that the system sends when the pipe from the main process closes: at once, also within a long
    call of a library, for which a thread would wait. Not by PR_SET_PDEATHSIG: the process that this one is forked from
    is another one, and lives as long as this one.
    """
    if sys.platform == "linux":
        import fcntl

        pipe = parent_process().sentinel
        fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETSIG, KILL)
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent_process().join()
    os._exit(1)
