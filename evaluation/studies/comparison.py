"""Runs side by side: one row each, and the paired difference of each to the first."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.checkpoint import predictions, protocol
from evaluation.checkpoint.predictions import Predictions
from evaluation.scores import significance as statistics
from utils import plots
from utils.plots import comparison as comparison_plot

COLUMNS = (
    "name", "uar", "uar_lo", "uar_hi", "accuracy", "macro_f1", "seconds", "n_clips", "n_speakers",
    "difference", "difference_lo", "difference_hi", "p", "p_mcnemar", "seeds", "uar_sd", "n_classes", "protocol",
)  # fmt: skip


def compare(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Return a row a finished run, in the order given; keys are COLUMNS.

    The difference is the run's UAR minus the first's, with its interval over speakers and the
    permutation p-value; McNemar's is over clips, and too sure where speakers differ. Both are Holm-corrected
    over the table; None for the first and where the clips differ.
    """
    found = [json.loads((folder / "metrics.json").read_text(encoding="utf8")) for folder in folders]
    answers = [predictions.read(folder) for folder in folders]
    rows = [_row(metrics) for metrics in found]
    compared = []
    for row, mine in zip(rows[1:], answers[1:], strict=True):
        difference = _difference(mine, answers[0], found[0]["labels"])
        if difference:
            row |= {"difference": difference[0], "difference_lo": difference[1], "difference_hi": difference[2]}
            row |= {"p": difference[3], "p_mcnemar": difference[4]}
            compared.append(row)
    for key in ("p", "p_mcnemar"):
        for row, p in zip(compared, statistics.holm([row[key] for row in compared]), strict=True):
            row[key] = float(p)
    return rows


def over_seeds(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for every NAME of which rows hold NAME_seed1, NAME_seed2, ...: means, and the UAR's spread.

    ``uar``, ``accuracy``, ``macro_f1`` and ``seconds`` are means over the runs, ``uar_sd`` the standard
    deviation of their UAR (n - 1), ``seeds`` their number.
    """
    by_name: dict[str, list] = {}
    for row in rows:
        name, _, seed = row["name"].rpartition("_seed")
        if name and seed.isdecimal():
            by_name.setdefault(name, []).append(row)
    found = []
    for name, runs in by_name.items():
        means = {key: float(np.mean([run[key] for run in runs])) for key in ("uar", "accuracy", "macro_f1", "seconds")}
        same = {key: runs[0][key] for key in ("n_clips", "n_speakers", "n_classes", "protocol")}
        spread = float(np.std([run["uar"] for run in runs], ddof=1)) if len(runs) > 1 else None
        found.append(dict.fromkeys(COLUMNS) | same | means | {"name": name, "seeds": len(runs), "uar_sd": spread})
    return found


def _row(metrics: Mapping[str, Any]) -> dict[str, Any]:
    lo, hi = metrics["uar_ci95"]
    row = dict.fromkeys(COLUMNS) | {key: metrics[key] for key in COLUMNS if key in metrics and key != "protocol"}
    stated = {"n_classes": len(metrics["labels"]), "protocol": protocol.read(metrics["protocol"]).describe()}
    return row | {"uar_lo": lo, "uar_hi": hi} | stated


def _difference(mine: Predictions, first: Predictions, labels: list[str]) -> tuple | None:
    if not np.array_equal(mine.ids, first.ids):
        return None
    index = {label: number for number, label in enumerate(labels)}
    truth, a, b = (np.array([index[v] for v in column]) for column in (first.truth, mine.predicted, first.predicted))
    difference = statistics.uar_difference(truth, a, b, first.speakers, len(labels), seed=0)
    return *difference, statistics.mcnemar(truth, a, b)


def write(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the table as CSV, and beside it as a picture, without the means over seeds."""
    with path.open("w", newline="", encoding="utf8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    runs = [row for row in rows if not row["seeds"]]
    about = f"{runs[0]['n_clips']} clips, {runs[0]['n_speakers']} speakers, {', '.join(_protocols(runs))}"
    plots.save(comparison_plot.comparison(runs, title=about), path.with_suffix(".png"))


def _protocols(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted({row["protocol"] for row in rows})


def lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the rows of compare and over_seeds for a terminal, 80 columns where the names allow it."""
    summaries, rows = [row for row in rows if row["seeds"]], [row for row in rows if not row["seeds"]]
    width = max(4, *(len(row["name"]) for row in rows))
    head = f"{'run':<{width}}   UAR  [95 % interval]  accuracy  macro F1  seconds"
    out = [head]
    for row in rows:
        interval = f"[{row['uar_lo']:.3f}, {row['uar_hi']:.3f}]"
        figures = (
            f"{row['uar']:6.3f}  {interval:<15}{row['accuracy']:10.3f}{row['macro_f1']:10.3f}{row['seconds']:9.1f}"
        )
        out.append(f"{row['name']:<{width}}{figures}")
    for row in rows[1:]:
        if row["difference"] is not None:
            interval = f"[{row['difference_lo']:+.3f}, {row['difference_hi']:+.3f}]"
            out.append(
                f"{row['name']} - {rows[0]['name']}: {row['difference']:+.3f} UAR {interval}, p = {row['p']:.3f}"
            )
    for row in summaries:
        spread = f" ± {row['uar_sd']:.3f}" if row["uar_sd"] is not None else ""
        out.append(f"{row['name']}: UAR {row['uar']:.3f}{spread}, mean and standard deviation of {row['seeds']} seeds")
    if min(row["n_speakers"] for row in rows) < statistics.FEWEST:
        out.append(f"intervals and p over fewer than {statistics.FEWEST} speakers mean little")
    protocols = _protocols(rows)
    return out + [f"all {protocol}" if len(protocols) == 1 else protocol for protocol in protocols]
