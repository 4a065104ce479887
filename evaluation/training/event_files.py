"""The curves of a training as event files, which TensorBoard shows; written without TensorFlow, on any backend."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from utils.errors import ConfigError

SHOWN = ("loss", "val_loss", "val_uar", "learning_rate")


@contextmanager
def recorded(folder: Path) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Yield report(line): what SHOWN names of an epoch's line goes below ``folder``, one TensorBoard run per fold.

    Runs are called ``fold-1``, ``fold-2``, ..., ``shipped``; with several networks per fold also ``fold-1-run-2``. A
    training that goes on after a stop adds a second file to its run, as TensorBoard expects it.

    Raises:
        ConfigError: tensorboard is not installed.
    """
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ModuleNotFoundError as error:
        raise ConfigError("--tensorboard needs the package tensorboard: python -m pip install tensorboard") from error
    writers: dict[str, RecordWriter] = {}
    with ExitStack() as files:

        def writer(run: str) -> RecordWriter:
            if run not in writers:
                (folder / run).mkdir(parents=True, exist_ok=True)
                path = folder / run / f"events.out.tfevents.{time.time_ns() / 1e9:.6f}"
                writers[run] = RecordWriter(files.enter_context(path.open("xb")))
                head = Event(wall_time=time.time(), file_version="brain.Event:2")
                writers[run].write(head.SerializeToString())
            return writers[run]

        def report(line: Mapping[str, Any]) -> None:
            if "epoch" not in line:
                return
            values = [Summary.Value(tag=key, simple_value=line[key]) for key in SHOWN if key in line]
            event = Event(wall_time=time.time(), step=line["epoch"], summary=Summary(value=values))
            to = writer(run_name(line))
            to.write(event.SerializeToString())
            to.flush()

        yield report


def run_name(line: Mapping[str, Any]) -> str:
    """Return what the run of an epoch's line is called.

    >>> run_name({"fold": 2, "run": 1, "runs": 1})
    'fold-2'
    """
    fold = f"fold-{line['fold']}" if line["fold"] else "shipped"
    return f"{fold}-run-{line['run']}" if line["runs"] > 1 else fold
