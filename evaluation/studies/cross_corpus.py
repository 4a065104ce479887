"""Which corpus teaches what of which other: a model of each corpus alone, tested on every corpus.

Off the diagonal a model of one whole corpus meets all clips of another. On the diagonal, for comparison, the
corpus's own speakers are tested by models of its other speakers, in folds.
"""

import csv
import json
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.pages import report
from evaluation.scores import metrics
from evaluation.scores import significance as statistics
from evaluation.splits.folds import Fold, draw_folds, need_classes
from evaluation.splits.groups import corpus_of
from evaluation.training import cross_validation, enrolment, fit
from evaluation.training.plan import Settings
from evaluation.training.run import Say
from evaluation.training.runs import Run
from evaluation.training.workspace import Workspace, locked
from utils import bars
from utils.config import Config
from utils.dataset import Dataset
from utils.errors import ConfigError
from utils.plots import save
from utils.plots.matrix import uar_matrix

LEVELS = ("none", *enrolment.LEVELS)
TITLES = {"none": "nothing known of the speaker", "transductive": "all clips of the speaker known, unlabelled"}
COLUMNS = (
    "train", "test", "information", "uar", "uar_lo", "uar_hi", "uar_ci95_informative", "accuracy",
    "n_clips", "n_speakers", "folds",
)  # fmt: skip
WIDEST = 80  # columns of a terminal


@dataclass(frozen=True)
class Part:
    """A fold, and whose: trained on ``corpus`` alone."""

    corpus: str
    fold: Fold


def plan(data: Dataset, config: Config) -> list[Part]:
    """Return what is to be trained: for each corpus its own folds by speaker, then all of it for the others.

    As many folds as the config's ``split.folds`` says where that is a number or "all", else 5; no more than
    the corpus has speakers.

    Raises:
        ConfigError: fewer than two corpora, a corpus that lacks a label, unknown speakers or only one.
    """
    corpora = corpus_of(data)
    names = np.unique(corpora).tolist()
    if len(names) < 2:
        raise ConfigError(f"{config.name}: a matrix needs two corpora, but all clips are of {names[0]}. Add another.")
    number, found = config.split.folds if isinstance(config.split.folds, int) else 5, []
    for name in names:
        mine, others = np.flatnonzero(corpora == name), np.flatnonzero(corpora != name)
        part = data[mine]
        speakers = len(set(part.speakers.tolist()) - {""})
        number_here = "all" if config.split.folds == "all" or number >= speakers else number
        for fold in draw_folds(part, {"by": "speaker", "folds": number_here}, seed=config.seed):
            found.append(Part(name, Fold(mine[fold.train], mine[fold.test], f"{name} {fold.name}")))
        train = mine[~np.isin(part.digests, data.digests[others])]
        need_classes(data, train, f"{name} alone")
        found.append(Part(name, Fold(train, others, f"{name} to the others")))
    return found


def run(data: Dataset, config: Config, workspace: Workspace) -> list[dict[str, Any]]:
    """Train and test all of ``plan``; return a cell, keys COLUMNS, for every pair of corpora and level of information.

    Args:
        data: the clips of two corpora or more; with none of them held out.
        config: the experiment; its ``split`` says only how many folds the diagonal has.
        key, work, report: as in ``cross_validation.cross_validate``; finished folds are kept.

    Raises:
        ConfigError: what ``plan`` and ``fit.check`` refuse.
    """
    fit.check(data, config)
    parts = plan(data, config)
    inner = config.model_copy(update={"split": config.split.model_copy(update={"by": "speaker"})})
    cross_validation.run_folds(data, inner, [part.fold for part in parts], workspace)
    corpora = corpus_of(data)
    names = np.unique(corpora).tolist()
    pairs = [(train, test) for train in names for test in names]
    return [cell for pair in pairs for cell in _cells(data, parts, pair, corpora, workspace, config.seed)]


def _cells(
    data: Dataset, parts: Sequence[Part], pair: tuple[str, str], corpora: np.ndarray, workspace: Workspace, seed: int
) -> list[dict[str, Any]]:
    """A cell a level that the model gives, over all clips of the tested corpus."""
    train, test = pair
    rows, said = [], {level: [] for level in LEVELS}
    for number, part in enumerate(parts):
        mine = corpora[part.fold.test] == test
        if part.corpus == train and mine.any():
            rows.append(part.fold.test[mine])
            _, arrays = workspace.load(f"fold-{number}")
            predicted = {name: arrays[name] for name in LEVELS if name in arrays}
            predicted["none"] = predicted["none"].argmax(axis=1)
            for level, values in predicted.items():
                said[level].append(np.atleast_2d(values)[:, mine])
    part = data[np.concatenate(rows)]
    found = []
    for level, values in said.items():
        if values:
            scores = _scores(part, np.concatenate(values, axis=1), seed)
            found.append({"train": train, "test": test, "information": level, **scores, "folds": len(rows)})
    return found


def _scores(part: Dataset, predicted: np.ndarray, seed: int) -> dict[str, Any]:
    """Of predictions (draws, n), those of -1 left out."""
    scored = predicted >= 0
    truth, speakers = (np.broadcast_to(column, predicted.shape)[scored] for column in (part.truth, part.speakers))
    matrix = metrics.confusion(truth, predicted[scored], len(part.labels))
    lo, hi, informative = statistics.uar_interval(truth, predicted[scored], speakers, len(part.labels), seed=seed)
    return {
        "uar": float(metrics.uar(matrix)),
        "uar_lo": lo,
        "uar_hi": hi,
        "uar_ci95_informative": informative,
        "accuracy": float(np.trace(matrix) / matrix.sum()),
        "n_clips": len(part),
        "n_speakers": len(set(part.speakers.tolist())),
    }


def write(
    folder: Path,
    config: Config,
    labels: Sequence[str],
    cells: Sequence[Mapping[str, Any]],
    *,
    key: str,
    limit: int | None,
) -> None:
    """Write matrix.csv, matrix.txt, matrix.png and, when these stand, matrix.json.

    Args:
        folder: made if it is not there.
        config: the experiment.
        labels: of the data.
        cells: of ``run``.
        key: by which a finished matrix is known again.
        limit: clips a class, if this was a trial.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "matrix.csv").open("w", newline="", encoding="utf8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(cells)
    marks = {"limit": limit, "tuned": bool(config.tuned)}
    found = {"name": config.name, "labels": list(labels), **marks, "cells": list(cells), "key": key}
    (folder / "matrix.txt").write_text("\n".join(lines(found)) + "\n", encoding="utf8")
    names, panels = _corpora(cells), {}
    for level in (level for level in TITLES if any(cell["information"] == level for cell in cells)):
        at = {(cell["train"], cell["test"]): cell for cell in cells if cell["information"] == level}
        rows = [[at[train, test] for test in names] for train in names]
        panels[TITLES[level]] = np.array([[[c["uar"], c["uar_lo"], c["uar_hi"]] for c in row] for row in rows])
    title = f"{config.name}: UAR, {len(labels)} emotions"
    save(uar_matrix(panels, names, chance=1 / len(labels), title=title), folder / "matrix.png")
    (folder / "matrix.json").write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf8")


def read(folder: Path) -> dict[str, Any] | None:
    """Return a finished matrix, {name, labels, limit, tuned, cells, key}, or None."""
    path = folder / "matrix.json"
    return json.loads(path.read_text(encoding="utf8")) if path.is_file() else None


def lines(found: Mapping[str, Any]) -> list[str]:
    """Return a finished matrix for a terminal of 80 columns: a table a level of information, then the intervals."""
    cells, names = found["cells"], _corpora(found["cells"])
    folds = {cell["train"]: cell["folds"] for cell in cells if cell["train"] == cell["test"]}
    out = [
        f"{found['name']}: UAR of {len(found['labels'])} emotions, chance {1 / len(found['labels']):.3f}",
        *textwrap.wrap(
            "trained on (rows), tested on (columns); a corpus on itself: by its speakers, folds: "
            + ", ".join(f"{name} {number}" for name, number in folds.items()),
            WIDEST,
        ),
    ]
    out += [f"A TRIAL on {found['limit']} clips a class"] if found["limit"] else []
    out += ["TUNED on the same speakers"] if found["tuned"] else []
    width = min(max(map(len, names)) + 2, (WIDEST - 2) // (len(names) + 1))
    words = {name: name[: width - 1] for name in names}
    for level in dict.fromkeys(cell["information"] for cell in cells):
        at = {(cell["train"], cell["test"]): cell["uar"] for cell in cells if cell["information"] == level}
        out += ["", f"{TITLES.get(level, level.replace('_', ' ') + ' clips'):<{width}}"]
        out.append(" " * width + "".join(f"{words[name]:>{width}}" for name in names))
        rows = [f"{words[a]:<{width}}" + "".join(f"{at[a, b]:>{width}.3f}" for b in names) for a in names]
        out += rows
    out += ["", "95 % intervals over the tested speakers:"]
    return out + [_line(cell) for cell in cells]


def _line(cell: Mapping[str, Any]) -> str:
    pair = f"{cell['train'][:14]} -> {cell['test'][:14]}"
    few = "" if cell["uar_ci95_informative"] else "  few"
    return f"{pair:<33}{cell['information']:<14}{cell['uar']:.3f}  [{cell['uar_lo']:.3f}, {cell['uar_hi']:.3f}]{few}"


def _corpora(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(cell["test"] for cell in cells))


def train_matrices(runs: Sequence[Run], settings: Settings, say: Say) -> None:
    """Train each run on each of its corpora alone, test it on every one, and print the matrices.

    A matrix that is finished is printed again. All runs are checked before the first is trained.

    Raises:
        ConfigError: an ensemble, held-out speakers or initial weights, or another matrix under the same name.
    """
    for run in runs:
        if run.config.members or run.config.split.holdout or run.config.init:
            raise ConfigError(f"{run.config.name}: --matrix goes with no ensemble, no split.holdout and no init.")
        plan(run.data, run.config)
    for run in runs:
        folder = settings.checkpoints / f"{run.config.name}_matrix"
        _train_matrix(folder, run, settings)
        report.refresh(run.folder)
        say("\n".join(lines(read(folder))))
        say(f"\n{folder}: table and heat map\n")


def _train_matrix(folder: Path, one: Run, settings: Settings) -> None:
    key = json.dumps([one.config.model_dump(), settings.limit, one.fingerprint()], sort_keys=True)
    finished = read(folder)
    if finished and finished["key"] == key and not settings.overwrite:
        return
    if finished and not settings.overwrite:
        raise ConfigError(
            f"{folder} holds a matrix of another config or other data. Give --overwrite to replace it, or another "
            "name with --set name=..."
        )
    with locked(folder) as work, bars.training(one.config.name) as progress:
        cells = run(one.data, one.config, Workspace(work, key, progress))
        write(folder, one.config, one.data.labels, cells, key=key, limit=settings.limit)
        shutil.rmtree(work)
