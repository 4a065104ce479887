"""Inner folds: what an ensemble's members say of the clips of a training part that they were not fitted on."""

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from evaluation.leakage import record as audit_record
from evaluation.scores import calibration, metrics
from evaluation.splits import folds as splits
from evaluation.training import cross_validation as experiment
from evaluation.training.cross_validation import Report
from models.usage import Clips
from utils.config import Config
from utils.dataset import Dataset
from utils.errors import ConfigError

if TYPE_CHECKING:
    from evaluation.training.ensemble import Run

NOTED = ("fit", "scale", "validation", "copies")  # of an inner fit, for the audit
Task = tuple[int, int, int]  # numbers of the outer fold, the member and the inner fold


def split(part: Dataset, config: Config) -> dict[str, Any]:
    """Return the ``split`` section that divides a training part: by speaker, wherever the outer one keeps them apart.

    Clips are dealt at random where the outer split does so, or where no two speakers are known.
    """
    known, wanted = len(np.unique(part.speakers)), config.model["inner_folds"]
    if config.split.by == "random" or known < 2 or (part.speakers == "").any():
        return {"by": "random", "folds": wanted}
    return {"by": "speaker", "folds": min(wanted, known)}


def folds(data: Dataset, config: Config, outer: splits.Fold) -> list[splits.Fold]:
    """Return the inner folds of an outer fold, as indices into its training part.

    Raises:
        ConfigError: as ``splits.folds``; a class that an inner training part lacks.
    """
    part = data[outer.train]
    try:
        return splits.folds(part, split(part, config), seed=config.seed)
    except ConfigError as error:
        raise ConfigError(f"{config.name}: inner folds of {outer.name}: {error}") from error


def refit(
    data: Dataset, config: Config, runs: "Sequence[Run]", outer: Sequence[splits.Fold], work: Path, report: Report
) -> None:
    """Fit every member on all but one inner fold of every outer training part, and keep what it says of that one.

    Estimators side by side, as many as cores, networks one by one. What ``work`` holds already is not done again.
    """
    tasks: dict[bool, list[Task]] = {True: [], False: []}
    for number, fold in enumerate(outer):
        for inner in range(len(folds(data, config, fold))):
            for member, run in enumerate(runs):
                tasks[experiment.is_network(run.config)].append((number, member, inner))
    for network, mine in tasks.items():
        jobs = 1 if network else os.cpu_count() or 1
        with threadpool_limits(1 if jobs > 1 else None):
            Parallel(n_jobs=jobs, prefer="threads")(
                delayed(_fit)(data, config, runs, outer, task, work, report) for task in mine
            )


def lesson(
    data: Dataset, config: Config, runs: "Sequence[Run]", fold: splits.Fold, number: int, work: Path
) -> np.ndarray:
    """Return what the members said of a fold's training part after ``refit``, (n, members, classes).

    Networks say it at temperatures that the other inner folds give, since that is how they speak where they are joined.
    """
    found = np.zeros((len(fold.train), len(runs), len(data.labels)), np.float32)
    tested_in = np.full(len(fold.train), -1)
    for inner, part in enumerate(folds(data, config, fold)):
        tested_in[part.test] = inner
        for member in range(len(runs)):
            with np.load(_path(work, (number, member, inner))) as kept:
                found[part.test, member] = kept["said"]
    for member, run in enumerate(runs):
        if experiment.is_network(run.config):
            found[:, member], _ = calibration.cross_fitted(data.truth[fold.train], found[:, member], tested_in)
    return found


def records(data: Dataset, config: Config, runs: "Sequence[Run]", fold: splits.Fold, number: int, work: Path) -> list:
    """Return what the members of a fold were given in their inner fits, for the audit."""
    inner = range(len(folds(data, config, fold)))
    found = [audit_record.read(_record(work, (number, member, n))) for member in range(len(runs)) for n in inner]
    if any(experiment.is_network(run.config) for run in runs):
        found.append(audit_record.rows(number + 1, "inner temperature", Clips.of(data[fold.train])))
    return found


def seconds(work: Path) -> float:
    """Return the time that the fits kept in ``work`` took, one after another."""
    total = 0.0
    for path in work.glob("inner-*[0-9].npz"):
        with np.load(path) as kept:
            total += float(kept["seconds"])
    return total


def uar(data: Dataset, probabilities: np.ndarray) -> float:
    """Return the UAR of these clips' probabilities (n, classes)."""
    return float(metrics.uar(metrics.confusion(data.truth, probabilities.argmax(axis=1), len(data.labels))))


def _path(work: Path, task: Task) -> Path:
    return work / "inner-{}-{}-{}.npz".format(*task)


def _record(work: Path, task: Task) -> Path:
    return _path(work, task).with_suffix(".parquet")


def _fit(data: Dataset, config: Config, runs, outer, task: Task, work: Path, report: Report) -> None:
    number, member, inner = task
    run, done, started = runs[member], _path(work, task), time.monotonic()
    parts = folds(data, config, outer[number])
    here = {"fold": number + 1, "folds": len(outer), "name": f"{run.name}, inner {inner + 1}/{len(parts)}"}
    if done.exists() and _record(work, task).exists():
        report(here | {"cached": True})
        return
    own = {"features": data.features.parts[member], "variants": data.features.variants[member]}
    part = replace(data, **own)[outer[number].train]
    state = done.with_suffix("")
    state.mkdir(exist_ok=True)
    model, _ = experiment.fit_fold(
        part, run.config, parts[inner], 100 * (number + 1) + inner,  # other initial weights in every fit
        state=state, report=lambda line: report(here | line),
    )  # fmt: skip
    audit_record.write(_record(work, task), [audit_record.table(model.usage, number + 1, only=NOTED, prefix="inner ")])
    test = part[parts[inner].test]
    said = model.probabilities(test.features)
    aside = done.with_suffix(".part.npz")
    np.savez(aside, said=said, seconds=time.monotonic() - started)
    os.replace(aside, done)
    shutil.rmtree(state)
    report(here | {"uar": uar(test, said)})
