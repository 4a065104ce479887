"""What predictions tell beyond the scores: subgroups, label sets, confidence; as numbers, files and plots."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.checkpoint import tables
from evaluation.scores import calibration, conformal, selective, subgroups
from utils import plots
from utils.dataset import Dataset
from utils.plots import scores as score_plots


def scores(data: Dataset, probabilities: np.ndarray, *, seed: int) -> dict[str, Any]:
    """Return ``conformal``, ``abstaining``, ``confidence_ranks`` and ``subgroups`` of metrics.json.

    Args:
        data: the n clips that were tested.
        probabilities: (n, C), out of fold, as shipped.
        seed: of the bootstraps.
    """
    return {
        "conformal": conformal.scores(data.truth, probabilities, data.speakers),
        "abstaining": selective.abstaining(data.truth, probabilities),
        "confidence_ranks": selective.ranking(data.truth, probabilities),
        "subgroups": subgroups.scores(data, probabilities.argmax(axis=1), seed=seed),
    }


def write(
    folder: Path,
    metrics: Mapping[str, Any],
    data: Dataset,
    probabilities: np.ndarray,
    predictions: tuple[Sequence, Sequence[Sequence]],
    *,
    before: np.ndarray | None = None,
) -> None:
    """Write metrics.csv, metrics.xlsx, errors.csv, reliability.png, confidence.png and subgroups.png.

    Args:
        folder: exists.
        metrics: content of metrics.json.
        data: the n clips that were tested.
        probabilities: (n, C), out of fold, as shipped.
        predictions: header and rows of predictions.csv.
        before: (n, C) before calibration, if there was one.
    """
    tables.write_metrics(folder / "metrics.csv", metrics)
    tables.write_workbook(folder / "metrics.xlsx", metrics, predictions)
    header = ("id", "path", "truth", "predicted", "p", "p_truth")
    worst = selective.errors(data, probabilities)
    tables.write_csv(folder / "errors.csv", header, [[row[key] for key in header] for row in worst])
    name, truth = metrics["name"], data.truth
    uncalibrated = None if before is None else calibration.reliability(truth, before)
    figure = score_plots.reliability(
        calibration.reliability(truth, probabilities),
        before=uncalibrated,
        title=f"{name}: calibration error {metrics['ece']:.3f}",
    )
    plots.save(figure, folder / "reliability.png")
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    curve = selective.risk_coverage(truth, probabilities)
    figure = score_plots.confidence(
        top, right, curve, title=f"{name}: {metrics['accuracy']:.1%} of {len(data)} clips right"
    )
    plots.save(figure, folder / "confidence.png")
    if metrics["subgroups"]:
        figure = score_plots.subgroups(
            metrics["subgroups"], whole=metrics["uar"], title=f"{name}: UAR {metrics['uar']:.3f}"
        )
        plots.save(figure, folder / "subgroups.png")


def lines(metrics: Mapping[str, Any]) -> list[str]:
    """Return the lines of metrics.txt on label sets, confidence and subgroups; 80 columns where the names allow it.

    Args:
        metrics: content of metrics.json.
    """
    out = ["", selective.ranking_sentence(metrics["confidence_ranks"])]
    if metrics["confidence_ranks"]["ranks"]:
        half = next(row for row in reversed(metrics["abstaining"]) if row["coverage"] >= 0.5)
        out.append(f"most certain half  {half['accuracy']:.1%} right, top probability {half['below']:.2f} or more")
    if sets := metrics["conformal"].get("0.9"):
        whose = "unseen" if metrics["protocol"]["speaker_disjoint"] else "seen"
        held = f"hold the truth of {sets['coverage']:.1%} of {whose} speakers' clips, {sets['mean_size']:.1f} labels"
        out.append(f"label sets at 90 % {held}")
    judged = {by: column for by, column in metrics["subgroups"].items() if column["worst"] is not None}
    if judged:
        out += ["", "UAR of the lowest and the highest group:"]
    for by, column in judged.items():
        fair = {name: group["uar"] for name, group in column["groups"].items() if not group["small"]}
        ends = [f"{name[:22]} {fair[name]:.3f}" for name in (column["worst"], max(fair, key=fair.get))]
        out.append(f"  {by:<11}{ends[0]:<30}{ends[1]:<30}of {len(fair)}")
    return out
