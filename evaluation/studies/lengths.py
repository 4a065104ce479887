"""How much of a clip a model needs: the same clips cut to several lengths, each trained on and tested on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from evaluation.checkpoint import tables
from evaluation.scores.metrics import uar_score
from evaluation.scores.significance import uar_interval
from evaluation.studies.tested_folds import Numbered
from evaluation.training.fit import fit_fold
from utils import plots
from utils.config import Config
from utils.dataset import Dataset
from utils.plots import robustness as robustness_plots
from utils.text_table import text_table


@dataclass(frozen=True)
class PairScores:
    """Scores of models trained on clips of one length and tested on another; the fields are those of lengths.csv.

    Attributes:
        trained: length of the training clips, e.g. "2 s".
        tested: length of the test clips.
        n_clips: clips tested.
        uar: unweighted average recall, 0 to 1.
        lo: lower end of its 95 % interval over speakers.
        hi: upper end.
        informative: whether there are enough speakers for an interval.
    """

    trained: str
    tested: str
    n_clips: int
    uar: float
    lo: float
    hi: float
    informative: bool


def predictions(
    datasets: Mapping[str, Dataset],
    config: Config,
    folds: Sequence[Numbered],
    *,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[tuple[str, str], np.ndarray]:
    """Return (trained, tested) -> (n,) predicted class of the folds' test clips, fold after fold.

    Args:
        datasets: length -> the same clips, cut to it, in the same order.
        config: of the model and its training; the length is in the features.
        folds: the folds that are tested, with their numbers from 0.
        report: called with the number of models fitted and of models to fit.
    """
    predicted: dict[tuple[str, str], list] = {(a, b): [] for a in datasets for b in datasets}
    done, total = 0, len(datasets) * len(folds)
    for number, fold in folds:
        for trained, data in datasets.items():
            model, _ = fit_fold(data, config, fold, number)
            for tested, other in datasets.items():
                predicted[trained, tested].append(model.probabilities(other[fold.test].features).argmax(axis=1))
            done += 1
            report(done, total)
    return {pair: np.concatenate(parts) for pair, parts in predicted.items()}


def scores(
    truth: np.ndarray,
    speakers: np.ndarray,
    predicted: Mapping[tuple[str, str], np.ndarray],
    n_classes: int,
    *,
    seed: int,
) -> list[PairScores]:
    """Return the scores of each pair of lengths.

    Args:
        truth: (n,) class index of the test clips.
        speakers: (n,) names, "" if unknown.
        predicted: of ``predictions``: (trained, tested) -> (n,) class index.
        n_classes: C.
        seed: of the bootstrap.
    """
    rows = []
    for (trained, tested), answers in predicted.items():
        uar = uar_score(truth, answers, n_classes)
        interval = uar_interval(truth, answers, speakers, n_classes, seed=seed)
        rows.append(PairScores(trained, tested, len(truth), uar, *interval))
    return rows


def matrix(rows: Sequence[PairScores]) -> tuple[np.ndarray, list[str]]:
    """Return the UAR (L, L), a row per training length and a column per test length, and the L lengths."""
    names = list(dict.fromkeys(row.trained for row in rows))
    return np.array([row.uar for row in rows]).reshape(len(names), len(names)), names


def lines(rows: Sequence[PairScores]) -> list[str]:
    """Return the UAR of each pair of lengths as the lines of a table."""
    values, names = matrix(rows)
    cells = ([name, *(f"{value:.3f}" for value in row)] for name, row in zip(names, values, strict=True))
    return ["UAR, rows: trained on; columns: tested on", *text_table(("", *names), cells)]


def write(folder: Path, rows: Sequence[PairScores], *, title: str, offset: float) -> str:
    """Write lengths.csv, lengths.txt and lengths.png; return the text.

    Args:
        folder: the checkpoint's; made if it is not there.
        rows: of ``scores``.
        title: heads text and picture.
        offset: second at which each clip begins.
    """
    folder.mkdir(parents=True, exist_ok=True)
    columns = [field.name for field in fields(PairScores)]
    tables.write_csv(folder / "lengths.csv", columns, [list(asdict(row).values()) for row in rows])
    plots.save(robustness_plots.lengths(*matrix(rows), title=title), folder / "lengths.png")
    text = "\n".join([f"{title}; cut from second {offset:g} on", "", *lines(rows)])
    (folder / "lengths.txt").write_text(text + "\n", encoding="utf8")
    return text
