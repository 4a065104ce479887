"""Trials in one database that several processes share and that survives a kill: an SQLite file, or a server."""

import glob
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.trial import FrozenTrial, Trial, TrialState

from evaluation.tuning.search import hopeless
from evaluation.tuning.server import Server
from evaluation.tuning.space import Space
from utils.errors import ConfigError

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
optuna.logging.set_verbosity(optuna.logging.WARNING)  # it announces every study and trial
POLL = 0.5  # seconds between looks at whether the others' last trials are done
Objective = Callable[[Mapping[str, Any], Callable[[int, float, bool], None]], float]


def database(storage: str) -> Path | Server:
    """Return the file of sqlite:///PATH, or the server of postgresql://USER@HOST/DATABASE.

    Raises:
        ConfigError: another kind of storage, a file of another kind, or a server that does not answer.
    """
    if storage.startswith(("postgresql://", "postgres://")):
        return Server(storage)
    if not storage.startswith("sqlite:///") or not storage.removeprefix("sqlite:///"):
        raise ConfigError(
            "--storage: must be sqlite:///PATH, e.g. sqlite:///checkpoints/.tune/mine.db, or "
            f"postgresql://USER@HOST/DATABASE, not {storage.partition('//')[0]}..."
        )
    path = Path(storage.removeprefix("sqlite:///"))
    if path.exists():
        with path.open("rb") as file:
            if file.read(15) not in (b"", b"SQLite format 3"):
                raise ConfigError(f"{path}: is not an SQLite file. Give another --storage.")
    return path


def open_study(place: Path | Server, name: str, identity: Mapping[str, Any]) -> optuna.Study:
    """Return the study of that name in the file or on the server, made if it is not there.

    Args:
        identity: part -> what the search is about, plain values; a study about something else is refused.

    Raises:
        ConfigError: another search is there under this name.
    """
    if isinstance(place, Path):
        place.parent.mkdir(parents=True, exist_ok=True)
    with _gate(place):
        storage = _storage(place)
        study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
        before = study.user_attrs.get("identity")
        if before is None:
            study.set_user_attr("identity", dict(identity))
        elif differing := [part for part in identity if before.get(part) != identity[part]]:
            raise ConfigError(
                f"{place} holds a search for {name} that differs in {', '.join(differing)}. "
                "Give another --storage, another name with --set name=..., or delete what is there."
            )
    return study


def run(
    study: optuna.Study,
    place: Path | Server,
    space: Space,
    objective: Objective,
    *,
    trials: int,
    sampler: str,
    seed: int,
    prune: bool = True,
    report: Callable[[FrozenTrial], None] = lambda trial: None,
) -> None:
    """Run trials until ``trials`` are finished, those of other processes and of earlier calls included.

    The n-th point is decided by ``seed``, n and the trials before it, so a search that was stopped goes on as if
    it had not been. A trial that ends by an error or Ctrl-C is marked failed and does not count.

    Args:
        objective: called with the values of the config's keys and step(number, value, more); returns the UAR.
        trials: complete and pruned ones, in all; by grid at most its points.
        sampler: "tpe" (Bergstra et al. 2011, Algorithms for Hyper-Parameter Optimization), "grid" or "random".
        prune: whether a trial that stands below the median of the others is ended.
        report: called with each trial that this call finished.
    """
    grid = space.grid() if sampler == "grid" else None
    trials = min(trials, len(grid)) if grid else trials
    with _worker(place) as worker:
        while trial := _claim(study, place, space, trials=trials, sampler=sampler, grid=grid, seed=seed, worker=worker):
            try:
                value = objective(space.values(trial.params), _steps(study, trial, prune))
            except optuna.TrialPruned:
                found = study.tell(trial, state=TrialState.PRUNED)
            except BaseException:  # Ctrl-C too: the trial is not left standing as if somebody were at it
                study.tell(trial, state=TrialState.FAIL)
                raise
            else:
                found = study.tell(trial, value)
            report(found)


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Return the complete and the pruned trials."""
    return study.get_trials(deepcopy=False, states=FINISHED)


def _storage(place: Path | Server) -> optuna.storages.RDBStorage:
    if isinstance(place, Server):
        return place.storage()
    return optuna.storages.RDBStorage(f"sqlite:///{place}", {"connect_args": {"timeout": 60}})


def _gate(place: Path | Server) -> AbstractContextManager:
    return place.gate() if isinstance(place, Server) else FileLock(f"{place}.lock")


def _worker(place: Path | Server) -> AbstractContextManager[str]:
    return place.worker() if isinstance(place, Server) else _file_worker(place)


@contextmanager
def _file_worker(path: Path) -> Iterator[str]:
    """Yield a name that others see alive until this process ends, however it ends."""
    name = uuid.uuid4().hex
    lock = FileLock(f"{path}.{name}.alive")
    with _gate(path):  # else another could take the file for a dead one's before it is locked
        lock.acquire()
    try:
        yield name
    finally:
        with _gate(path):
            lock.release()
            Path(lock.lock_file).unlink(missing_ok=True)


def _steps(study: optuna.Study, trial: Trial, prune: bool) -> Callable[[int, float, bool], None]:
    def step(number: int, value: float, more: bool) -> None:
        trial.report(value, number)
        if prune and more and hopeless(study, number, value):
            raise optuna.TrialPruned

    return step


def _claim(
    study: optuna.Study,
    place: Path | Server,
    space: Space,
    *,
    trials: int,
    sampler: str,
    grid: list[dict] | None,
    seed: int,
    worker: str,
) -> Trial | None:
    """Return a new trial, or None when enough are finished; waits while others are at the last ones."""
    while True:
        with _gate(place):
            _bury(study, place)
            known = study.get_trials(deepcopy=False, states=(*FINISHED, TrialState.RUNNING))
            point = _next_point(grid, known, seed)
            if len(known) < trials and (grid is None or point is not None):
                study.sampler = _sampler(sampler, seed, len(known))
                if point is not None and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
                    study.enqueue_trial(point)
                trial = study.ask(space.distributions)
                trial.set_user_attr("worker", worker)
                return trial
        if all(trial.state in FINISHED for trial in known):
            return None
        time.sleep(POLL)


def _bury(study: optuna.Study, place: Path | Server) -> None:
    """Mark as failed what a process that is no more was at; under the gate."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    workers = {trial.user_attrs.get("worker") for trial in running}
    alive = {w for w in workers if w and place.alive(w)} if isinstance(place, Server) else _alive(place)
    for trial in running:
        if trial.user_attrs.get("worker") not in alive:
            study.tell(trial.number, state=TrialState.FAIL)


def _alive(path: Path) -> set[str]:
    """Return the workers whose file is locked, and clear away the others' files."""
    alive = set()
    for file in path.parent.glob(f"{glob.escape(path.name)}.*.alive"):
        lock = FileLock(file)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            alive.add(file.suffixes[-2].removeprefix("."))
            continue
        lock.release()
        file.unlink(missing_ok=True)
    return alive


def _next_point(grid: list[dict] | None, known: list[FrozenTrial], seed: int) -> dict[str, Any] | None:
    """Return a point that no trial has, in an order that a part of the grid covers well."""
    if grid is None:
        return None
    taken = [trial.params for trial in known]
    order = np.random.default_rng(seed).permutation(len(grid))
    return next((grid[i] for i in order if grid[i] not in taken), None)


def _sampler(name: str, seed: int, number: int) -> optuna.samplers.BaseSampler:
    drawn = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    return optuna.samplers.TPESampler(seed=drawn) if name == "tpe" else optuna.samplers.RandomSampler(seed=drawn)
