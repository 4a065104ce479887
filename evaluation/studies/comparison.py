"""Runs side by side: one row per run, and the paired difference of each run to the first."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from evaluation.checkpoint import predictions as predictions_csv
from evaluation.checkpoint import protocol
from evaluation.checkpoint.predictions import Predictions
from evaluation.scores import guessing
from evaluation.scores.significance import FEWEST, Difference, holm, mcnemar, uar_difference
from utils import foreign_text, plots
from utils.plots.comparison import comparison as comparison_plot
from utils.text_table import text_table


class Row(TypedDict):
    """A run, or the mean of the runs of one config with several seeds; the keys are the columns of comparison.csv.

    Keys:
        name: of the run.
        uar, uar_lo, uar_hi: unweighted average recall and its 95 % interval over speakers, 0 to 1.
        accuracy, macro_f1: 0 to 1.
        seconds: wall time of training and scoring.
        n_clips, n_speakers: tested.
        difference, difference_lo, difference_hi: UAR minus the first run's and its 95 % interval; None of the first.
        p: of the permutation test over speakers; None of the first.
        p_mcnemar: of McNemar's test over clips; None of the first.
        seeds, uar_sd: number of runs and standard deviation of their UAR; None of a single run.
        n_classes: number of emotions.
        chance, verdict: of metrics.json; None of a run of an older version, ``verdict`` also of several seeds.
        protocol: in words.
    """

    name: str
    uar: float
    uar_lo: float | None
    uar_hi: float | None
    accuracy: float
    macro_f1: float
    seconds: float
    n_clips: int
    n_speakers: int
    difference: float | None
    difference_lo: float | None
    difference_hi: float | None
    p: float | None
    p_mcnemar: float | None
    seeds: int | None
    uar_sd: float | None
    n_classes: int
    chance: float | None
    verdict: str | None
    protocol: str


COLUMNS = tuple(Row.__annotations__)


def compare(folders: Sequence[Path]) -> list[Row]:
    """Return one row per finished run, in the order given.

    ``difference`` is the run's UAR minus the first run's, with its interval over speakers and the p-value of the
    permutation test. McNemar's test takes clips as independent, so its p-value is too small where clips of one
    speaker are alike. Both p-values are adjusted for the number of runs (Holm 1979). All are None for the first
    run, and where the clips differ from the first run's.

    Args:
        folders: checkpoints of finished runs.
    """
    metrics = [json.loads((folder / "metrics.json").read_text(encoding="utf8")) for folder in folders]
    predictions = [predictions_csv.read(folder) for folder in folders]
    rows = [_row(one) for one in metrics]
    compared = []
    for row, mine in zip(rows[1:], predictions[1:], strict=True):
        if np.array_equal(mine.ids, predictions[0].ids):
            difference, p = _difference(mine, predictions[0], metrics[0]["labels"])
            row |= {"difference": difference.difference, "difference_lo": difference.lo, "difference_hi": difference.hi}
            row |= {"p": difference.p, "p_mcnemar": p}
            compared.append(row)
    for key in ("p", "p_mcnemar"):
        for row, p in zip(compared, holm([row[key] for row in compared]), strict=True):
            row[key] = float(p)
    return rows


def _row(metrics: Mapping[str, Any]) -> Row:
    lo, hi = metrics["uar_ci95"]
    row = dict.fromkeys(COLUMNS) | {key: metrics[key] for key in COLUMNS if key in metrics}
    words = {"n_classes": len(metrics["labels"]), "protocol": protocol.read(metrics["protocol"]).describe()}
    return row | {"uar_lo": lo, "uar_hi": hi} | words


def _difference(mine: Predictions, first: Predictions, labels: Sequence[str]) -> tuple[Difference, float]:
    """Return the difference of two runs on the same clips, and the p-value of McNemar's test."""
    index = {label: number for number, label in enumerate(labels)}
    columns = (first.truth, mine.predicted, first.predicted)
    truth, a, b = (np.array([index[label] for label in column]) for column in columns)
    return uar_difference(truth, a, b, first.speakers, len(labels), seed=0), mcnemar(truth, a, b)


def over_seeds(rows: Sequence[Row]) -> list[Row]:
    """Return one row per NAME of which there are runs NAME_seed1, NAME_seed2, ...: means, and the UAR's spread.

    ``uar``, ``accuracy``, ``macro_f1`` and ``seconds`` are means over the runs, ``uar_sd`` the standard
    deviation of their UAR (n - 1; None of one run), ``seeds`` their number.

    Args:
        rows: of ``compare``.
    """
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        name, _, seed = row["name"].rpartition("_seed")
        if name and seed.isdecimal():
            by_name.setdefault(name, []).append(row)
    summaries = []
    for name, runs in by_name.items():
        means = {key: float(np.mean([run[key] for run in runs])) for key in ("uar", "accuracy", "macro_f1", "seconds")}
        same = {key: runs[0][key] for key in ("n_clips", "n_speakers", "n_classes", "chance", "protocol")}
        spread = float(np.std([run["uar"] for run in runs], ddof=1)) if len(runs) > 1 else None
        summary = dict.fromkeys(COLUMNS) | same | means | {"name": name, "seeds": len(runs), "uar_sd": spread}
        summaries.append(summary)
    return summaries


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the table as CSV, and a picture of the runs beside it.

    Args:
        rows: of ``compare`` and ``over_seeds``.
        path: of the CSV file; the picture has the suffix .png.
    """
    with path.open("w", newline="", encoding="utf8") as file:
        foreign_text.write_records(file, COLUMNS, rows)
    runs = [row for row in rows if not row["seeds"]]
    title = f"{runs[0]['n_clips']} clips, {runs[0]['n_speakers']} speakers, {', '.join(_protocols(runs))}"
    plots.save(comparison_plot(runs, title=title), path.with_suffix(".png"))


def _protocols(rows: Sequence[Row]) -> list[str]:
    return sorted({row["protocol"] for row in rows})


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the rows of ``compare`` and ``over_seeds`` for a terminal, 80 columns where the names allow it."""
    summaries, runs = [row for row in rows if row["seeds"]], [row for row in rows if not row["seeds"]]
    out = text_table(("run", "UAR", "[95 % interval]", "accuracy", "macro F1", "seconds"), map(_cells, runs))
    out += [_difference_text(row, runs[0]["name"]) for row in runs[1:] if row["difference"] is not None]
    out += map(_seeds_text, summaries)
    out += _guessing_lines(runs)
    if min(row["n_speakers"] for row in runs) < FEWEST:
        out.append(f"intervals and p over fewer than {FEWEST} speakers mean little")
    protocols = _protocols(runs)
    return out + [f"all {protocol}" if len(protocols) == 1 else protocol for protocol in protocols]


def _guessing_lines(runs: Sequence[Row]) -> list[str]:
    levels = [row["chance"] for row in runs if row["chance"] is not None]
    if not levels:
        return []
    no_better = ", ".join(row["name"] for row in runs if row["verdict"] == guessing.NO_BETTER)
    return [f"guessing has a UAR of {levels[0]:.3f}{f'; no better than guessing: {no_better}' if no_better else ''}"]


def _cells(row: Row) -> list[str]:
    interval = f"[{row['uar_lo']:.3f}, {row['uar_hi']:.3f}]"
    shares = (f"{row['accuracy']:.3f}", f"{row['macro_f1']:.3f}")
    return [row["name"], f"{row['uar']:.3f}", interval, *shares, f"{row['seconds']:.1f}"]


def _difference_text(row: Row, first: str) -> str:
    interval = f"[{row['difference_lo']:+.3f}, {row['difference_hi']:+.3f}]"
    return f"{row['name']} - {first}: {row['difference']:+.3f} UAR {interval}, p = {row['p']:.3f}"


def _seeds_text(row: Row) -> str:
    spread = f" ± {row['uar_sd']:.3f}" if row["uar_sd"] is not None else ""
    return f"{row['name']}: UAR {row['uar']:.3f}{spread}, mean and standard deviation of {row['seeds']} seeds"
