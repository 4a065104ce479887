"""Work on a Dask cluster, whose workers may join, leave and be killed at any moment.

Tasks go to the scheduler by ``distributed.Client`` and not by joblib's Dask backend: that ends the whole call at the
first file that kills its workers, and does not say which one it was. A task is a few items, and few tasks wait at a
time however many there are, so that neither the scheduler's memory nor this process's grows with them.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from itertools import islice
from pkgutil import resolve_name
from typing import Any

from utils.errors import ConfigError, DataError, UserError
from utils.process_pool import KILLED, Lost

ITEMS = 8  # a task at most: the scheduler's work for one, some milliseconds, is divided by them
AHEAD = 3  # tasks a worker: one at work and two behind it
CONNECT = 10.0  # seconds until somebody must have answered
PATIENCE = 60.0  # seconds without any worker until the run ends
LOOK = 5.0  # seconds between looks whether there are workers
SCHEDULER = "Start it in the checkout: python -m dask scheduler"
START = "Start workers in the checkout: python -m dask worker {} --nworkers auto --nthreads 1"


class Cluster:
    """A connection to a scheduler; close it, or use it in a ``with``."""

    def __init__(self, address: str):
        """Connect to ``address``, e.g. tcp://10.0.0.1:8786.

        Raises:
            ConfigError: Dask is not installed, nobody answers there, or no worker is there.
        """
        try:
            from distributed import Client
        except ImportError as error:
            raise ConfigError(f"--dask needs Dask ({error}). Run: pip install -r requirements-dask.txt") from error
        self.address = address
        try:
            self._client = Client(address, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ConfigError(f"--dask {address}: no scheduler answers there. {SCHEDULER}") from error
        if not self._threads():
            self.close()
            raise ConfigError(f"--dask {address}: the scheduler has no worker. {START.format(address)}")

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def __len__(self) -> int:
        """Return how many workers there are now."""
        return len(self._threads())

    def close(self) -> None:
        """Disconnect; what was asked for and is not done is dropped."""
        self._client.close()

    def check(self, reason: Callable[[], str]) -> None:
        """Ask every worker whether it can take part.

        Args:
            reason: called there; returns why not, "" if it can.

        Raises:
            ConfigError: somebody there cannot import our modules, or a worker has several threads or gave a reason.
        """
        for worker, threads in self._threads().items():
            if threads > 1:  # openSMILE's C code is not made for that, and Python's lock leaves little to gain
                raise ConfigError(
                    f"Dask worker {worker} has {threads} threads, must have 1. {START.format(self.address)}"
                )
        ours = f"{__name__}:ITEMS"  # asked for by a function of Python's own, which everyone has
        try:
            self._client.run_on_scheduler(resolve_name, ours)  # it reads the tasks before it hands them on
        except ImportError as error:
            raise ConfigError(f"the Dask scheduler cannot import our modules ({error}). {SCHEDULER}") from error
        for worker, answer in self._ask(resolve_name, ours).items():
            if isinstance(answer, ImportError):
                where = START.format(self.address)
                raise ConfigError(f"Dask worker {worker} cannot import our modules ({answer}). {where}")
        for worker, answer in self._ask(reason).items():
            if isinstance(answer, Exception) and not isinstance(answer, (UserError, ImportError)):
                raise answer
            if answer:
                raise ConfigError(f"Dask worker {worker}: {answer}")

    def _ask(self, function: Callable, *arguments) -> dict[str, Any]:
        """Return what each worker answers, or its exception."""
        return self._client.run(function, *arguments, on_error="return")

    def map(self, function: Callable[[Any], Any], items: Sequence) -> Iterator[tuple[Any, Any]]:
        """Yield each item once with ``function(item)``, or with ``Lost`` if it killed every worker that tried it.

        What a killed worker was at is done again elsewhere. Dask gives a task up after some deaths (its setting
        ``distributed.scheduler.allowed-failures``); its items are then tried one by one and alone, at the end.

        Args:
            function: importable on the workers, computing with one thread; must not return None.
            items: what it is called with; hashable.

        Raises:
            DataError: no worker is left, or the scheduler is gone.
        """
        suspects = []
        size = max(1, min(ITEMS, len(items) // (2 * AHEAD * max(len(self._threads()), 1))))
        for some, results in self._run(function, [items[i : i + size] for i in range(0, len(items), size)]):
            if results is None:
                suspects += some
            else:
                yield from zip(some, results, strict=True)
        for item in suspects:  # alone: a neighbour in the queue of a worker that dies is accused with it
            for _, results in self._run(function, [[item]]):
                yield item, results[0] if results else Lost(KILLED)

    def _run(self, function: Callable, batches: Sequence[Sequence]) -> Iterator[tuple[Sequence, list | None]]:
        """Yield each batch with its results, in the order of completion; None: it killed its workers."""
        from distributed import KilledWorker

        left, running = iter(batches), {}
        while True:
            room = AHEAD * max(len(self._threads()), 1) - len(running)
            for batch in islice(left, max(room, 0)):
                running[self._client.submit(_each, function, batch, pure=False)] = batch
            if not running:
                return
            for future in self._completed(list(running)):
                try:
                    results = future.result(timeout=PATIENCE)
                except KilledWorker:
                    results = None
                except TimeoutError:  # it was done, but its worker died with it: it is done again
                    continue
                except CancelledError as error:
                    raise self._gone() from error
                except ImportError as error:
                    raise ConfigError(
                        f"a Dask worker cannot import what it needs ({error}). {START.format(self.address)}"
                    ) from error
                yield running.pop(future), results

    def _completed(self, futures: list) -> list:
        """Wait until some are done, and return them.

        Raises:
            DataError: no worker is left, or the scheduler is gone.
        """
        from distributed import wait

        without = 0.0
        while True:
            try:
                with self._client.as_current():
                    return list(wait(futures, timeout=LOOK, return_when="FIRST_COMPLETED").done)
            except TimeoutError:
                without = 0.0 if self._threads() else without + LOOK
            except CancelledError as error:
                raise self._gone() from error
            if without >= PATIENCE:
                raise DataError(
                    f"no worker is left at {self.address}; what was finished is kept. {START.format(self.address)}"
                )

    def _threads(self) -> dict[str, int]:
        """Return the threads of each worker that there is now."""
        try:
            return self._client.nthreads()
        except (OSError, CancelledError) as error:
            raise self._gone() from error

    def _gone(self) -> DataError:
        return DataError(f"the Dask scheduler at {self.address} is gone; what was finished is kept.")


def _each(function: Callable, items: Sequence) -> list:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # as in a process of our own: the same thread count, the same bits
        return [function(item) for item in items]
