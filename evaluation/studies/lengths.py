"""How much of a clip a model needs: the same clips cut to several lengths, each trained on and tested on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.scores import metrics
from evaluation.scores import significance as statistics
from evaluation.splits.folds import Fold
from evaluation.training import fit
from utils.config import Config
from utils.dataset import Dataset


def predictions(
    datasets: Mapping[str, Dataset],
    config: Config,
    folds: Sequence[tuple[int, Fold]],
    *,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[tuple[str, str], np.ndarray]:
    """Return (trained, tested) -> (n,) class index of the folds' test clips, one after the other.

    Args:
        datasets: length -> the same clips at it, in the same order.
        config: of the model and its training; the length is in the features.
        folds: number from 0 and parts of each fold that is tested.
        report: called with models fitted and models to fit.
    """
    said: dict[tuple[str, str], list] = {(a, b): [] for a in datasets for b in datasets}
    done, total = 0, len(datasets) * len(folds)
    for number, fold in folds:
        for trained, data in datasets.items():
            model, _ = fit.fit_fold(data, config, fold, number)
            for tested, other in datasets.items():
                said[trained, tested].append(model.probabilities(other[fold.test].features).argmax(axis=1))
            done += 1
            report(done, total)
    return {pair: np.concatenate(parts) for pair, parts in said.items()}


def scores(
    truth: np.ndarray,
    speakers: np.ndarray,
    predicted: Mapping[tuple[str, str], np.ndarray],
    n_classes: int,
    *,
    seed: int,
) -> list[dict[str, Any]]:
    """Return a row a pair of lengths: trained, tested, n_clips, UAR and its interval over speakers.

    Args:
        truth: (n,) class index of the test clips.
        speakers: (n,).
        predicted: of ``predictions``.
        n_classes: C.
        seed: of the bootstrap.
    """
    rows = []
    for (trained, tested), said in predicted.items():
        interval = statistics.uar_interval(truth, said, speakers, n_classes, seed=seed)
        uar = metrics.uar_score(truth, said, n_classes)
        row = {"trained": trained, "tested": tested, "n_clips": len(truth), "uar": uar}
        rows.append(row | {"lo": interval.lo, "hi": interval.hi, "informative": interval.informative})
    return rows


def matrix(rows: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, list[str]]:
    """Return UAR (L, L), a row a length trained on, a column a length tested on, and the lengths."""
    names = list(dict.fromkeys(row["trained"] for row in rows))
    return np.array([row["uar"] for row in rows]).reshape(len(names), len(names)), names


def lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the matrix for people."""
    values, names = matrix(rows)
    head = ["UAR, rows: trained on; columns: tested on", f"{'':<8}" + "".join(f"{name:>8}" for name in names)]
    body = zip(names, values, strict=True)
    return head + [f"{name:<8}" + "".join(f"{value:8.3f}" for value in row) for name, row in body]
