"""The results of ``evaluation.studies.cross_corpus`` as files and as a text: ``NAME_matrix/matrix.*``."""

import json
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np

from evaluation.pages import report
from evaluation.scores.significance import FEWEST
from evaluation.studies import cross_corpus
from evaluation.studies.cross_corpus import COLUMNS, Cell
from evaluation.training.plan import Settings
from evaluation.training.run import Say
from evaluation.training.runs import Run
from evaluation.training.workspace import Workspace, locked
from utils import bars, foreign_text, plots
from utils.config import Config
from utils.errors import ConfigError
from utils.plots.matrix import uar_matrix
from utils.text_table import text_table

TITLES = {
    "none": "nothing known of the test speaker",
    "transductive": "all test clips of the speaker known, without labels",
}
WIDEST = 80  # columns of a terminal
LONGEST = 14  # letters of a corpus in the table of intervals
LEFT = (0, 1, 2, 4)  # its columns of words and intervals


class Matrix(TypedDict):
    """Content of matrix.json.

    Keys:
        name: of the experiment.
        labels: names of the emotions.
        limit: clips per class, if this is a trial; None otherwise.
        tuned: whether hyper-parameters were chosen on the same speakers.
        cells: of ``cross_corpus.run``.
        key: what the matrix was made from; another key makes another matrix.
    """

    name: str
    labels: list[str]
    limit: int | None
    tuned: bool
    cells: list[Cell]
    key: str


def write(
    folder: Path, config: Config, labels: Sequence[str], cells: Sequence[Cell], *, key: str, limit: int | None
) -> None:
    """Write matrix.csv, matrix.txt and matrix.png, and matrix.json when these are written.

    Args:
        folder: made if it is not there.
        config: the experiment.
        labels: names of the emotions.
        cells: of ``cross_corpus.run``.
        key: by which a finished matrix is known again.
        limit: clips per class, if this was a trial.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "matrix.csv").open("w", newline="", encoding="utf8") as file:
        foreign_text.write_records(file, COLUMNS, cells)
    matrix = Matrix(
        name=config.name, labels=list(labels), limit=limit, tuned=bool(config.tuned), cells=list(cells), key=key
    )
    (folder / "matrix.txt").write_text("\n".join(lines(matrix)) + "\n", encoding="utf8")
    title = f"{config.name}: UAR, {len(labels)} emotions"
    plots.save(uar_matrix(_panels(cells), _corpora(cells), chance=1 / len(labels), title=title), folder / "matrix.png")
    (folder / "matrix.json").write_text(json.dumps(matrix, indent=1, allow_nan=False) + "\n", encoding="utf8")


def read(folder: Path) -> Matrix | None:
    """Return a finished matrix, or None if there is none."""
    path = folder / "matrix.json"
    return json.loads(path.read_text(encoding="utf8")) if path.is_file() else None


def lines(matrix: Matrix) -> list[str]:
    """Return a finished matrix for a terminal of 80 columns: a table per level of information, then the intervals."""
    cells, names = matrix["cells"], _corpora(matrix["cells"])
    folds = {cell["train"]: cell["folds"] for cell in cells if cell["train"] == cell["test"]}
    explanation = "trained on (rows), tested on (columns); a corpus on itself: by its speakers, folds: "
    explanation += ", ".join(f"{name} {number}" for name, number in folds.items())
    chance = 1 / len(matrix["labels"])
    out = [f"{matrix['name']}: UAR of {len(matrix['labels'])} emotions, chance {chance:.3f}"]
    out += textwrap.wrap(explanation, WIDEST)
    out += [f"A TRIAL on {matrix['limit']} clips per class"] if matrix["limit"] else []
    out += ["TUNED on the same speakers"] if matrix["tuned"] else []
    width = (WIDEST + 2) // (len(names) + 1) - 2
    short = [name[:width] for name in names]
    for level in dict.fromkeys(cell["information"] for cell in cells):
        rows = zip(short, _grid(cells, level), strict=True)
        table = ([name, *(f"{cell['uar']:.3f}" for cell in row)] for name, row in rows)
        out += ["", TITLES.get(level, level.replace("_", " ") + " clips"), *text_table(("", *short), table)]
    out += ["", f"95 % intervals over the test speakers; few: fewer than {FEWEST} speakers"]
    return out + text_table(("trained on", "tested on", "known", "UAR", "interval"), map(_cells, cells), left=LEFT)


def _cells(cell: Cell) -> list[str]:
    few = "" if cell["uar_ci95_informative"] else "  few"
    interval = f"[{cell['uar_lo']:.3f}, {cell['uar_hi']:.3f}]{few}"
    pair = (cell["train"][:LONGEST], cell["test"][:LONGEST])
    return [*pair, cell["information"], f"{cell['uar']:.3f}", interval]


def _grid(cells: Sequence[Cell], level: str) -> list[list[Cell]]:
    """Return the cells of a level of information, a row per training corpus and a column per test corpus."""
    at = {(cell["train"], cell["test"]): cell for cell in cells if cell["information"] == level}
    names = _corpora(cells)
    return [[at[train, test] for test in names] for train in names]


def _panels(cells: Sequence[Cell]) -> dict[str, np.ndarray]:
    """Return title -> (corpora, corpora, 3) UAR and the ends of its interval, for the levels that are drawn."""
    levels = {cell["information"] for cell in cells}
    return {
        title: np.array([[[c["uar"], c["uar_lo"], c["uar_hi"]] for c in row] for row in _grid(cells, level)])
        for level, title in TITLES.items()
        if level in levels
    }


def _corpora(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(cell["test"] for cell in cells))


def train_matrices(runs: Sequence[Run], settings: Settings, say: Say) -> None:
    """Train each run on each of its corpora alone, test it on every one, and print the matrices.

    A matrix that is finished is printed again. All runs are checked before the first is trained.

    Args:
        runs: of the call.
        settings: of the call.
        say: prints.

    Raises:
        ConfigError: an ensemble, held-out speakers or initial weights, or another matrix under the same name.
    """
    for run in runs:
        if run.config.members or run.config.split.holdout or run.config.init:
            raise ConfigError(f"{run.config.name}: --matrix goes with no ensemble, no split.holdout and no init.")
        cross_corpus.plan(run.data, run.config)
    for run in runs:
        folder = settings.checkpoints / f"{run.config.name}_matrix"
        _train_matrix(folder, run, settings)
        report.refresh(run.folder)
        say("\n".join(lines(read(folder))))
        say(f"\n{folder}: table and heat map\n")


def _train_matrix(folder: Path, run: Run, settings: Settings) -> None:
    key = json.dumps([run.config.model_dump(), settings.limit, run.fingerprint()], sort_keys=True)
    finished = read(folder)
    if finished and finished["key"] == key and not settings.overwrite:
        return
    if finished and not settings.overwrite:
        raise ConfigError(
            f"{folder} holds a matrix of another config or other data. Give --overwrite to replace it, or another "
            "name with --set name=..."
        )
    with locked(folder) as work, bars.training(run.config.name) as progress:
        cells = cross_corpus.run(run.data, run.config, Workspace(work, key, progress))
        write(folder, run.config, run.data.labels, cells, key=key, limit=settings.limit)
        shutil.rmtree(work)
