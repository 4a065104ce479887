"""Progress of long steps: a bar with rate and time left on a terminal, plain lines in a log."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Progress = Callable[[int, int], None]
BAR = 20  # columns; with the longest texts beside it a line is 80 wide
STEPS_EVERY, EPOCHS_EVERY = 10.0, 30.0  # seconds between the lines of a log


@contextmanager
def progress(what: str, unit: str = "clips", *, before: int = 0, quiet: bool = False) -> Iterator[Progress]:
    """Yield report(done, total): a bar with rate and time left on a terminal, a plain line every 10 s elsewhere.

    Args:
        what: the name of the work.
        unit: the word for what is counted.
        before: how many an earlier call has done, which do not count for the rate.
        quiet: no plain lines, because the caller prints lines of its own.
    """
    if _terminal():
        with _bar(what) as (bars, task):
            started = time.monotonic()

            def show(done: int, total: int) -> None:
                rate = (done - before) / max(time.monotonic() - started, 1e-9)
                bars.update(task, completed=done, total=total, beside=f"{done}/{total} {unit} {_speed(rate)}")

            yield show
        return
    started = last = time.monotonic()

    def say(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= STEPS_EVERY and done and not quiet:
            rate = max(done - before, 1) / (now - started)
            left = (total - done) / rate
            print(f"{what}: {done}/{total} {unit}, {_speed(rate)}, {left:.0f} s left", file=sys.stderr, flush=True)
            last = now

    yield say


def in_mb(report: Progress) -> Progress:
    """Return a report that takes bytes and shows MB."""
    return lambda done, total: report(done // 10**6, max(done, total) // 10**6)


def _terminal() -> bool:
    """Whether what is written to standard error can be written over; a dumb terminal gets the lines of a log."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _speed(rate: float) -> str:
    """Return steps per second, or seconds per step if it is slower than one per second.

    >>> _speed(12.34), _speed(0.25)
    ('12.3/s', '4.0 s each')
    """
    return f"{rate:.1f}/s" if rate >= 1 or rate == 0 else f"{1 / rate:.1f} s each"


@contextmanager
def _bar(what: str) -> Iterator[tuple]:
    """Yield rich's bars and the one that is in them; it moves to and fro until a total is known."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(bar_width=BAR),
        TextColumn("{task.fields[beside]}", markup=False), TimeRemainingColumn(compact=True),
    )  # fmt: skip
    with Bars(*columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()) as bars:
        yield bars, bars.add_task(what, total=None, beside="")


@contextmanager
def training(name: str) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Yield report(line) of a run's training.

    One line per fold stays. Within a fold a terminal shows a bar of its epochs with loss, UAR, seconds per epoch and
    time left if it does not stop early; a log gets a line every 30 s.
    """
    if not _terminal():
        yield _Log(name).say
        return
    with _bar(f"{name}: preparing") as (bars, task):
        log, done, where = _Log(name), set(), ""

        def show(line: Mapping[str, Any]) -> None:
            nonlocal where
            if "epoch" in line:
                log.device(line)
                if where != _where(line):
                    where = _where(line)
                    bars.reset(task, description=where, total=line["epochs"])
                bars.update(task, completed=line["epoch"], beside=_epoch(line))
            else:
                log.say(line)
                done.add(line["fold"])
                if not where:  # an estimator, which has no epochs
                    shown = f"{len(done)}/{line['folds']}"
                    bars.update(
                        task, description=f"{name}: folds", completed=len(done), total=line["folds"], beside=shown
                    )

        yield show


class _Log:
    """Plain lines of a run's training."""

    def __init__(self, name: str):
        self.name, self.last, self.said = name, time.monotonic(), False

    def device(self, line: Mapping[str, Any]) -> None:
        """Say once what it trains on."""
        if "device" in line and not self.said:
            self._print(f"{self.name} trains on {line['device']}")
            self.said = True

    def say(self, line: Mapping[str, Any]) -> None:
        """Print a fold that is done, or an epoch if the last line is long ago."""
        self.device(line)
        if "epoch" not in line:
            done = "kept from before" if line.get("cached") else f"UAR {line['uar']:.3f}"
            self._print(f"{self.name} {_where(line)} ({line['name']}): {done}")
        elif time.monotonic() - self.last >= EPOCHS_EVERY:
            self._print(f"{self.name} {_where(line)}: epoch {_epoch(line)}, at most {line['seconds_left']:.0f} s left")

    def _print(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
        self.last = time.monotonic()


def _where(line: Mapping[str, Any]) -> str:
    run = f" run {line['run']}" if line.get("runs", 1) > 1 else ""
    return (f"fold {line['fold']}/{line['folds']}" if line["fold"] else "shipped model") + run


def _epoch(line: Mapping[str, Any]) -> str:
    uar = f" UAR {line['val_uar']:.3f}" if "val_uar" in line else ""
    return f"{line['epoch']}/{line['epochs']} loss {line['loss']:.3f}{uar} {line['seconds_each']:.1f} s each"
