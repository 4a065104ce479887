"""Inner folds: what an ensemble's members predict on clips of a training part that they were not fitted on."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from evaluation.checkpoint.finished import Member
from evaluation.leakage import record
from evaluation.scores import calibration, metrics
from evaluation.splits.folds import Fold, draw_folds
from evaluation.training import fit
from evaluation.training.workspace import Workspace
from models.classes import is_network
from models.usage import Clips
from utils.config import Config
from utils.dataset import Dataset
from utils.errors import ConfigError

NOTED = ("fit", "scale", "validation", "copies")  # purposes of an inner fit that the audit reads
Task = tuple[int, int, int]  # numbers of the outer fold, the member and the inner fold


def inner_split(part: Dataset, config: Config) -> dict[str, Any]:
    """Return the ``split`` section that divides a training part: by speaker, wherever the outer one keeps them apart.

    Clips are divided at random where the outer split does so, or where no two speakers are known.
    """
    known, wanted = len(np.unique(part.speakers)), config.model["inner_folds"]
    if config.split.by == "random" or known < 2 or (part.speakers == "").any():
        return {"by": "random", "folds": wanted}
    return {"by": "speaker", "folds": min(wanted, known)}


def inner_folds(data: Dataset, config: Config, outer: Fold) -> list[Fold]:
    """Return the inner folds of an outer fold, as indices into its training part.

    Raises:
        ConfigError: as ``draw_folds``; a class that an inner training part lacks.
    """
    part = data[outer.train]
    try:
        return draw_folds(part, inner_split(part, config), seed=config.seed)
    except ConfigError as error:
        raise ConfigError(f"{config.name}: inner folds of {outer.name}: {error}") from error


def fit_inner_folds(
    data: Dataset, config: Config, members: Sequence[Member], outer: Sequence[Fold], workspace: Workspace
) -> None:
    """Fit every member on all but one inner fold of every outer training part, and keep its predictions of that one.

    Estimators run side by side, as many as cores, networks one after another. What ``workspace`` holds is not repeated.
    """
    tasks: dict[bool, list[Task]] = {True: [], False: []}
    for number, fold in enumerate(outer):
        for inner in range(len(inner_folds(data, config, fold))):
            for column, member in enumerate(members):
                tasks[is_network(member.config.model)].append((number, column, inner))
    for network, same_kind in tasks.items():
        jobs = 1 if network else os.cpu_count() or 1
        with threadpool_limits(1 if jobs > 1 else None):
            Parallel(n_jobs=jobs, prefer="threads")(
                delayed(_fit)(data, config, members, outer, task, workspace) for task in same_kind
            )


def inner_out_of_fold(
    data: Dataset, config: Config, members: Sequence[Member], fold: Fold, number: int, workspace: Workspace
) -> np.ndarray:
    """Return the members' probabilities (n, members, classes) of a fold's n training clips, after ``fit_inner_folds``.

    Those of networks are at temperatures that the other inner folds give, as they are where members are joined.
    """
    probabilities = np.zeros((len(fold.train), len(members), len(data.labels)), np.float32)
    tested_in = np.full(len(fold.train), -1)
    for inner, part in enumerate(inner_folds(data, config, fold)):
        tested_in[part.test] = inner
        for column in range(len(members)):
            _, arrays = workspace.load(_name((number, column, inner)))
            probabilities[part.test, column] = arrays["probabilities"]
    for column, member in enumerate(members):
        if is_network(member.config.model):
            calibrated, _ = calibration.cross_fitted(data.truth[fold.train], probabilities[:, column], tested_in)
            probabilities[:, column] = calibrated
    return probabilities


def used_clips(
    data: Dataset, config: Config, members: Sequence[Member], fold: Fold, number: int, workspace: Workspace
) -> list[pa.Table]:
    """Return the clips that the members of a fold were given in their inner fits, for the audit."""
    inner = range(len(inner_folds(data, config, fold)))
    tables = [workspace.used(_name((number, column, n))) for column in range(len(members)) for n in inner]
    if any(is_network(member.config.model) for member in members):
        tables.append(record.rows(number + 1, "inner temperature", Clips.of(data[fold.train])))
    return tables


def seconds(workspace: Workspace) -> float:
    """Return the time that the inner fits kept in ``workspace`` took, one after another."""
    return sum(workspace.load(name)[0]["seconds"] for name in workspace.names("inner-*"))


def _name(task: Task) -> str:
    return "inner-{}-{}-{}".format(*task)


def _fit(
    data: Dataset, config: Config, members: Sequence[Member], outer: Sequence[Fold], task: Task, workspace: Workspace
) -> None:
    number, column, inner = task
    member, name, started = members[column], _name(task), time.monotonic()
    parts = inner_folds(data, config, outer[number])
    here = {"fold": number + 1, "folds": len(outer), "name": f"{member.name}, inner {inner + 1}/{len(parts)}"}
    if workspace.has(name):
        workspace.report(here | {"cached": True})
        return
    features = {"features": data.features.parts[column], "variants": data.features.variants[column]}
    part = replace(data, **features)[outer[number].train]
    model, _ = fit.fit_fold(
        part, member.config, parts[inner], 100 * (number + 1) + inner,  # other initial weights in every fit
        state=workspace.state(name), report=lambda line: workspace.report(here | line),
    )  # fmt: skip
    used = record.table(model.usage, number + 1, only=NOTED, prefix="inner ")
    test = part[parts[inner].test]
    probabilities = model.probabilities(test.features)
    workspace.save(name, used, {"seconds": time.monotonic() - started}, probabilities=probabilities)
    uar = metrics.uar_score(test.truth, probabilities.argmax(axis=1), len(data.labels))
    workspace.report(here | {"uar": uar})
