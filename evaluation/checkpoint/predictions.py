"""predictions.csv: the out-of-fold probabilities of a run, one row per tested clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.checkpoint import tables
from evaluation.checkpoint.outcome import Outcome
from utils import foreign_text
from utils.dataset import Dataset

FILE = "predictions.csv"


@dataclass(frozen=True)
class Predictions:
    """What predictions.csv holds.

    Attributes:
        ids, speakers: (n,) of the clips.
        truth, predicted: (n,) labels.
        fold: (n,) from 0.
        probabilities: (n, classes).
    """

    ids: np.ndarray
    speakers: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    fold: np.ndarray
    probabilities: np.ndarray


def rows(data: Dataset, outcome: Outcome) -> tuple[list[str], list[list]]:
    """Return header and rows of predictions.csv; folds are counted from 1, probabilities have six digits."""
    table = []
    for row in outcome.tested:
        p = outcome.probabilities[row]
        labels = (data.labels[data.truth[row]], data.labels[p.argmax()])
        who = (str(data.ids[row]), str(data.speakers[row]))
        table.append([*who, *labels, int(outcome.fold[row]) + 1, *(round(float(value), 6) for value in p)])
    return ["id", "speaker", "truth", "predicted", "fold", *(f"p_{label}" for label in data.labels)], table


def write(folder: Path, header: Sequence[str], table: Sequence[Sequence]) -> None:
    """Write predictions.csv, probabilities as 0.000001 and not as 1e-06."""
    digits = [[f"{value:.6f}" if isinstance(value, float) else value for value in row] for row in table]
    tables.write_csv(folder / FILE, header, digits)


def read(folder: Path) -> Predictions:
    """Return the out-of-fold predictions of a finished run."""
    with (folder / FILE).open(newline="", encoding="utf8") as file:
        table = list(foreign_text.read_records(file))
    words = (np.array([row[key] for row in table]) for key in ("id", "speaker", "truth", "predicted"))
    fold = np.array([int(row["fold"]) - 1 for row in table])
    return Predictions(*words, fold, np.array([[float(row[key]) for key in row if key[:2] == "p_"] for row in table]))
