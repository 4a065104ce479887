"""For whom a model works: UAR by speaker, sex, intensity, text, corpus and length of the clip.

The lowest of many groups is low by chance too; an interval says by how much. A group that lacks classes has the
mean over those it has, which is another task: ``n_classes`` says so.
"""

from itertools import pairwise
from typing import Any

import numpy as np

from evaluation.scores import metrics
from evaluation.scores import significance as statistics
from utils.dataset import Dataset

FACTS = ("sex", "intensity", "text", "corpus")
EDGES = (2, 3, 4, 6)  # seconds between the bins of length: the same for every corpus, so that runs compare
FEWEST = 20  # clips under which a group's figure is marked
MOST = 100  # groups beyond which a column is no grouping, as the texts of free speech; speakers always are


def columns(data: Dataset) -> dict[str, np.ndarray]:
    """Return what the clips can be grouped by, name -> (n,) words, "" where unknown; at least two groups each."""
    found = {"speaker": data.speakers} | {name: data.facts[name] for name in FACTS if name in data.facts}
    if "seconds" in data.facts:
        spans = [f"{low} to {high} s" for low, high in pairwise((0, *EDGES))]
        found["length"] = np.array([*spans, f"{EDGES[-1]} s or more"])[np.digitize(data.facts["seconds"], EDGES)]
    number = {name: len(set(column.tolist()) - {""}) for name, column in found.items()}
    most = {"speaker": np.inf}
    return {name: column for name, column in found.items() if 1 < number[name] <= most.get(name, MOST)}


def scores(data: Dataset, predicted: np.ndarray, *, seed: int) -> dict[str, Any]:
    """Return {column: {"groups": {name: {...}}, "worst": name}} of metrics.json.

    A group has ``n_clips``, ``n_speakers``, ``n_classes``, ``uar`` over the classes it has, ``uar_ci95``
    (bootstrapped over speakers; None under 6), and ``small``: fewer than 20 clips or half the classes, too
    little to mean anything. ``worst``: the lowest UAR of those that are not small; None if there is no other.

    Args:
        data: the n clips.
        predicted: (n,) class index, out of fold.
        seed: of the bootstrap.
    """
    found = {}
    for by, column in columns(data).items():
        groups = {name: _group(data, predicted, column == name, seed) for name in sorted(set(column.tolist()) - {""})}
        fair = [name for name, group in groups.items() if not group["small"]]
        worst = min(fair, key=lambda name: groups[name]["uar"]) if len(fair) > 1 else None
        found[by] = {"groups": groups, "worst": worst}
    return found


def _group(data: Dataset, predicted: np.ndarray, mine: np.ndarray, seed: int) -> dict[str, Any]:
    truth, speakers, n_labels = data.truth[mine], data.speakers[mine], len(data.labels)
    n_classes = len(np.unique(truth))
    n_speakers = len(set(speakers.tolist()) - {""})
    interval = None
    if n_speakers >= statistics.FEWEST:
        lo, hi, informative = statistics.uar_interval(truth, predicted[mine], speakers, n_labels, seed=seed)
        interval = [lo, hi] if informative else None
    return {
        "n_clips": int(mine.sum()),
        "n_speakers": n_speakers,
        "n_classes": n_classes,
        "uar": metrics.uar_score(truth, predicted[mine], n_labels),
        "uar_ci95": interval,
        "small": bool(mine.sum() < FEWEST or n_classes < n_labels / 2),
    }
