"""Train what is not finished yet, and write its checkpoint and its report."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from evaluation.checkpoint import write
from evaluation.checkpoint.text import text
from evaluation.pages import report as pages
from evaluation.training import event_files
from evaluation.training.plan import Settings
from evaluation.training.runs import Run
from evaluation.training.workspace import Workspace, locked, work_of
from models.common import Report
from prediction.card import read_card
from utils import bars
from utils.config import changed_keys
from utils.errors import ConfigError

Say = Callable[[str], None]


def run_all(runs: Sequence[Run], settings: Settings, say: Say) -> None:
    """Train the runs that are not finished, members of ensembles first; all are checked before the first is trained.

    Args:
        runs: of a call, on the same clips.
        settings: of the call.
        say: prints.

    Raises:
        ConfigError: what cannot be learned, or another finished run under the same name without ``overwrite``.
    """
    unfinished: list[Run] = []
    for run in sorted(runs, key=lambda run: bool(run.config.members)):
        run.check()
        if settings.overwrite or not is_finished(run, settings.limit, {other.config.name for other in unfinished}):
            unfinished.append(run)
        else:
            complete(run.folder)
            say(f"{run.config.name}: already trained, {run.folder}")
    for run in unfinished:
        train(run, settings, say)


def is_finished(run: Run, limit: int | None, unfinished: set[str]) -> bool:
    """Return whether this very run is finished.

    Args:
        run: with its data.
        limit: clips per class for a trial.
        unfinished: names of runs that this call is going to train.

    Raises:
        ConfigError: a finished run of this name differs; names the keys.
    """
    if not (run.folder / "model.json").exists():
        return False
    card = read_card(run.folder, ("protocol", "fingerprint"))
    changed = changed_keys(run.folder / "config.yaml", run.config)
    changed += ["--limit"] if card["protocol"].get("limit") != limit else []
    changed = changed or run.changed_members(card, unfinished)
    if not changed and card["fingerprint"] != run.fingerprint():
        changed = [f"the data or the weights of {run.config.init}" if run.config.init else "the data"]
    if changed:
        raise ConfigError(
            f"{run.folder} holds a run that differs in {', '.join(changed)}. "
            "Give --overwrite to replace it, or another name with --set name=..."
        )
    return True


def train(run: Run, settings: Settings, say: Say) -> dict[str, Any]:
    """Cross-validate, fit the model for use, write the checkpoint and its report; return its metrics."""
    fingerprint = run.fingerprint()
    key = json.dumps([run.config.model_dump(), fingerprint], sort_keys=True)
    with locked(run.folder) as work:
        events = work / "tensorboard"
        with _reporting(run.config.name, events if settings.tensorboard else None) as report:
            workspace = Workspace(work, key, report)
            outcome = run.cross_validate(workspace)
            started = time.monotonic()
            model = run.ship(outcome, workspace)
            outcome.seconds += time.monotonic() - started
            metrics = write.write(run.folder, run.config, run.data, outcome, model, fingerprint, limit=settings.limit)
        _hand_over(work, run.folder)
    say(text(metrics))
    say(f"\n{run.folder}:\n  model, metrics, plots; read {pages.FILE} and {pages.CARD}\n")
    return metrics


def complete(folder: Path) -> None:
    """Do what is left to do for a checkpoint whose training was killed after the checkpoint was written.

    Raises:
        ConfigError: another process is working on it.
    """
    if pages.lacking(folder) or work_of(folder).is_dir():
        with locked(folder) as work:
            _hand_over(work, folder)


def _hand_over(work: Path, folder: Path) -> None:
    """Move what a checkpoint gets of the unfinished work, remove the rest, and write its report and its card."""
    events = work / "tensorboard"
    if events.is_dir():  # closed by now; the folder of the checkpoint has been replaced as a whole
        shutil.move(events, folder / "tensorboard")
    if work.is_dir():
        shutil.rmtree(work)
    pages.write(folder)


@contextmanager
def _reporting(name: str, events: Path | None) -> Iterator[Report]:
    """Yield report(line) to the screen and, if a folder is given, to event files."""
    with bars.training(name) as shown, event_files.recorded(events) if events else nullcontext() as recorded:

        def report(line: Mapping[str, Any]) -> None:
            shown(line)
            if recorded:
                recorded(line)

        yield report
