"""Trials in one database that several processes share and that survives a kill.

Optuna chooses the points and stores the trials. Three parts of it are not used, because they do less than is wanted
here: ``GridSampler`` lets two processes try the same point and never repeats one that a killed process had;
``MaxTrialsCallback`` counts after a trial, so that processes side by side make too many; its heartbeat is described in
``sqlite_file``.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from evaluation.tuning.objective import Step
from evaluation.tuning.postgres_server import PostgresServer
from evaluation.tuning.space import Space
from evaluation.tuning.sqlite_file import SqliteFile
from utils.errors import ConfigError

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
optuna.logging.set_verbosity(optuna.logging.WARNING)  # it announces every study and trial
POLL = 0.5  # seconds between checks whether other processes have finished their last trials
WARMUP = 5  # complete trials before any is pruned
Objective = Callable[[Mapping[str, Any], Step], float]


class Database(Protocol):
    """Where trials are stored: ``SqliteFile`` or ``PostgresServer``."""

    def results_folder(self, default: Path) -> Path:
        """Return where results go."""

    def storage(self) -> optuna.storages.RDBStorage:
        """Return it as Optuna's storage."""

    def gate(self) -> AbstractContextManager[None]:
        """Let one process at a time pass."""

    def worker(self) -> AbstractContextManager[str]:
        """Yield a name that others see alive until this process ends, however it ends."""

    def alive(self, workers: Iterable[str]) -> set[str]:
        """Return which of the workers are alive; called under the gate."""


@dataclass(frozen=True)
class Plan:
    """How many trials there are, and how their points are chosen.

    Attributes:
        space: which keys may take which values.
        trials: complete and pruned ones, in all; by grid at most its points.
        sampler: "tpe" (Bergstra et al. 2011, Algorithms for Hyper-Parameter Optimization), "grid" or "random".
        seed: decides, with the number of a trial and the trials before it, its point.
        prune: whether a trial below the median of the others is ended.
    """

    space: Space
    trials: int
    sampler: str
    seed: int
    prune: bool = True


def database(storage: str) -> SqliteFile | PostgresServer:
    """Return the file of sqlite:///PATH, or the server of postgresql://USER@HOST/DATABASE.

    Raises:
        ConfigError: another kind of storage, a file of another kind, or a server that does not answer.
    """
    if storage.startswith(("postgresql://", "postgres://")):
        return PostgresServer(storage)
    if not storage.startswith("sqlite:///") or not storage.removeprefix("sqlite:///"):
        raise ConfigError(
            "--storage: must be sqlite:///PATH, e.g. sqlite:///checkpoints/.tune/mine.db, or "
            f"postgresql://USER@HOST/DATABASE, not {storage.partition('//')[0]}..."
        )
    return SqliteFile(Path(storage.removeprefix("sqlite:///")))


def open_study(place: Database, name: str, identity: Mapping[str, Any]) -> optuna.Study:
    """Return the study of that name in a database, made if it is not there.

    Args:
        place: the database.
        name: of the study.
        identity: part -> plain values of what is searched; a study of something else is refused.

    Raises:
        ConfigError: another search is there under this name.
    """
    with place.gate():
        study = optuna.create_study(storage=place.storage(), study_name=name, direction="maximize", load_if_exists=True)
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
    place: Database,
    plan: Plan,
    objective: Objective,
    *,
    report: Callable[[FrozenTrial], None] = lambda trial: None,
) -> None:
    """Run trials until those of the plan are finished, those of other processes and of earlier calls included.

    A search that was stopped goes on as if it had not been. A trial that ends by an error or Ctrl-C is marked failed
    and does not count.

    Args:
        study: in the database.
        place: the database.
        plan: how many trials, and how their points are chosen.
        objective: called with the values of the config's keys and step(number, value, more); returns the UAR.
        report: called with each trial that this call finished.
    """
    grid = _shuffled_grid(plan)
    with place.worker() as worker:
        while trial := _claim(study, place, plan, grid, worker):
            try:
                value = objective(plan.space.values(trial.params), _pruning_step(study, trial, plan.prune))
            except optuna.TrialPruned:
                ended = study.tell(trial, state=TrialState.PRUNED)
            except BaseException:  # Ctrl-C too: the trial must not stay marked as running
                study.tell(trial, state=TrialState.FAIL)
                raise
            else:
                ended = study.tell(trial, value)
            report(ended)


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Return the complete and the pruned trials."""
    return study.get_trials(deepcopy=False, states=FINISHED)


def below_median(study: optuna.Study, step: int, value: float) -> bool:
    """Return whether a trial is below the median of the complete trials at the same step.

    The median rule of Golovin et al. 2017, doi 10.1145/3097983.3098043, on the value at this step. Optuna's own
    MedianPruner takes a trial's best value over all steps, so that one easy fold would keep it from being pruned.
    """
    others = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    values = [trial.intermediate_values[step] for trial in others if step in trial.intermediate_values]
    return len(values) >= WARMUP and value < float(np.median(values))


def _pruning_step(study: optuna.Study, trial: Trial, prune: bool) -> Step:
    def step(number: int, value: float, more: bool) -> None:
        trial.report(value, number)
        if prune and more and below_median(study, number, value):
            raise optuna.TrialPruned

    return step


def _shuffled_grid(plan: Plan) -> list[dict[str, Any]] | None:
    """Return the points of a grid in random order, so that a part of them covers the space well."""
    if plan.sampler != "grid":
        return None
    grid = plan.space.grid()
    return [grid[i] for i in np.random.default_rng(plan.seed).permutation(len(grid))]


def _claim(
    study: optuna.Study, place: Database, plan: Plan, grid: list[dict[str, Any]] | None, worker: str
) -> Trial | None:
    """Return a new trial, or None when enough are finished; waits while other processes run the last ones."""
    wanted = plan.trials if grid is None else min(plan.trials, len(grid))
    while True:
        with place.gate():
            _fail_stale_trials(study, place)
            known = study.get_trials(deepcopy=False, states=(*FINISHED, TrialState.RUNNING))
            tried = [trial.params for trial in known]
            point = next((point for point in grid or () if point not in tried), None)
            if len(known) < wanted and (grid is None or point is not None):
                study.sampler = _sampler(plan, len(known))
                if point is not None and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
                    study.enqueue_trial(point)
                trial = study.ask(plan.space.distributions)
                trial.set_user_attr("worker", worker)
                return trial
        if all(trial.state in FINISHED for trial in known):
            return None
        time.sleep(POLL)


def _fail_stale_trials(study: optuna.Study, place: Database) -> None:
    """Mark the running trials of workers that are no longer alive as failed; under the gate."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    alive = place.alive({trial.user_attrs["worker"] for trial in running if "worker" in trial.user_attrs})
    for trial in running:
        if trial.user_attrs.get("worker") not in alive:
            study.tell(trial.number, state=TrialState.FAIL)


def _sampler(plan: Plan, number: int) -> optuna.samplers.BaseSampler:
    seed = int(np.random.SeedSequence([plan.seed, number]).generate_state(1)[0])
    return optuna.samplers.TPESampler(seed=seed) if plan.sampler == "tpe" else optuna.samplers.RandomSampler(seed=seed)
