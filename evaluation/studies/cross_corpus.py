"""Which corpus helps with which other: a model of each corpus alone, tested on every corpus.

Off the diagonal a model trained on one whole corpus is tested on all clips of another. On the diagonal, for
comparison, models are trained on some speakers of a corpus and tested on its other speakers, in folds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from evaluation.scores.metrics import confusion, uar
from evaluation.scores.significance import uar_interval
from evaluation.splits.folds import Fold, draw_folds, need_classes
from evaluation.splits.groups import corpus_of
from evaluation.training import enrolment, fit
from evaluation.training.cross_validation import run_folds
from evaluation.training.workspace import Workspace
from utils.config import Config
from utils.dataset import Dataset
from utils.errors import ConfigError

FOLDS = 5  # of the diagonal, where the config does not say a number
LEVELS = ("none", *enrolment.LEVELS)  # what is known of the test speaker


class Cell(TypedDict):
    """Scores of the models of one corpus on another, with one level of information on the test speakers.

    Keys, which are the columns of matrix.csv:
        train, test: names of the corpora.
        information: one of LEVELS.
        uar, uar_lo, uar_hi: unweighted average recall and its 95 % interval over speakers, 0 to 1.
        uar_ci95_informative: whether there are enough speakers for an interval.
        accuracy: 0 to 1.
        n_clips, n_speakers: tested.
        folds: number of models that the clips were tested by.
    """

    train: str
    test: str
    information: str
    uar: float
    uar_lo: float
    uar_hi: float
    uar_ci95_informative: bool
    accuracy: float
    n_clips: int
    n_speakers: int
    folds: int


COLUMNS = tuple(Cell.__annotations__)


@dataclass(frozen=True)
class CorpusFold:
    """A fold whose training clips are of ``corpus`` alone."""

    corpus: str
    fold: Fold


def plan(data: Dataset, config: Config) -> list[CorpusFold]:
    """Return what is to be trained: for each corpus its own folds by speaker, then all of it for the others.

    As many folds as the config's ``split.folds`` says where that is a number or "all", else 5; no more than
    the corpus has speakers.

    Args:
        data: the clips of two corpora or more.
        config: the experiment.

    Raises:
        ConfigError: fewer than two corpora, a corpus that lacks a label, unknown speakers or only one.
    """
    corpora = corpus_of(data)
    names = np.unique(corpora).tolist()
    if len(names) < 2:
        raise ConfigError(f"{config.name}: a matrix needs two corpora, but all clips are of {names[0]}. Add another.")
    number = config.split.folds if isinstance(config.split.folds, int) else FOLDS
    planned = []
    for name in names:
        mine, others = np.flatnonzero(corpora == name), np.flatnonzero(corpora != name)
        part = data[mine]
        n_speakers = len(set(part.speakers.tolist()) - {""})
        number_here = "all" if config.split.folds == "all" or number >= n_speakers else number
        for fold in draw_folds(part, {"by": "speaker", "folds": number_here}, seed=config.seed):
            planned.append(CorpusFold(name, Fold(mine[fold.train], mine[fold.test], f"{name} {fold.name}")))
        train = mine[~np.isin(part.digests, data.digests[others])]  # no recording that is also in another corpus
        need_classes(data, train, f"{name} alone")
        planned.append(CorpusFold(name, Fold(train, others, f"{name} to the others")))
    return planned


def run(data: Dataset, config: Config, workspace: Workspace) -> list[Cell]:
    """Train and test all of ``plan``; return a cell for every pair of corpora and level of information.

    Args:
        data: the clips of two corpora or more; with none of them held out.
        config: the experiment; its ``split`` says only how many folds the diagonal has.
        workspace: for finished folds, as in ``cross_validation.cross_validate``.

    Raises:
        ConfigError: what ``plan`` and ``fit.check`` refuse.
    """
    fit.check(data, config)
    planned = plan(data, config)
    by_speaker = config.model_copy(update={"split": config.split.model_copy(update={"by": "speaker"})})
    run_folds(data, by_speaker, [one.fold for one in planned], workspace)
    corpora = corpus_of(data)
    names = np.unique(corpora).tolist()
    pairs = [(train, test) for train in names for test in names]
    return [cell for pair in pairs for cell in _cells(data, planned, pair, corpora, workspace, config.seed)]


def _cells(
    data: Dataset,
    planned: Sequence[CorpusFold],
    pair: tuple[str, str],
    corpora: np.ndarray,
    workspace: Workspace,
    seed: int,
) -> list[Cell]:
    """Return a cell per level of information that the model can use, over all clips of the tested corpus."""
    train, test = pair
    rows, predicted = [], {level: [] for level in LEVELS}
    for number, one in enumerate(planned):
        mine = corpora[one.fold.test] == test
        if one.corpus == train and mine.any():
            rows.append(one.fold.test[mine])
            for level, classes in _predicted(workspace, number).items():
                predicted[level].append(classes[:, mine])
    part = data[np.concatenate(rows)]
    return [
        _cell(part, np.concatenate(parts, axis=1), seed, train=train, test=test, information=level, folds=len(rows))
        for level, parts in predicted.items()
        if parts
    ]


def _predicted(workspace: Workspace, number: int) -> dict[str, np.ndarray]:
    """Return level of information -> predictions (draws, m) of a fold's test clips, -1 where a clip is not scored."""
    _, arrays = workspace.load(f"fold-{number}")
    predicted = {level: arrays[level] for level in LEVELS if level in arrays}
    predicted["none"] = predicted["none"].argmax(axis=1)
    return {level: np.atleast_2d(classes) for level, classes in predicted.items()}


def _cell(part: Dataset, predicted: np.ndarray, seed: int, **names) -> Cell:
    """Return the scores of predictions (draws, n); those of -1 are left out."""
    scored = predicted >= 0
    truth, speakers = (np.broadcast_to(column, predicted.shape)[scored] for column in (part.truth, part.speakers))
    matrix = confusion(truth, predicted[scored], len(part.labels))
    interval = uar_interval(truth, predicted[scored], speakers, len(part.labels), seed=seed)
    scores = {
        "uar": float(uar(matrix)),
        "uar_lo": interval.lo,
        "uar_hi": interval.hi,
        "uar_ci95_informative": interval.informative,
        "accuracy": float(np.trace(matrix) / matrix.sum()),
        "n_clips": len(part),
        "n_speakers": len(set(part.speakers.tolist())),
    }
    return {key: (names | scores)[key] for key in COLUMNS}
