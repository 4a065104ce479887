"""For whom a model works: UAR by speaker, sex, intensity, text, corpus and length of the clip.

The lowest of many groups is low by chance too; its interval says how uncertain it is. A group that lacks emotions
has the mean over those it has, which is another task: ``n_classes`` gives their number.
"""

from itertools import pairwise
from typing import TypedDict

import numpy as np

from evaluation.scores.metrics import uar_score
from evaluation.scores.significance import FEWEST as FEWEST_SPEAKERS
from evaluation.scores.significance import uar_interval
from utils.dataset import Dataset

FACTS = ("sex", "intensity", "text", "corpus")
EDGES = (2, 3, 4, 6)  # seconds between the bins of length: the same for every corpus, so that runs can be compared
FEWEST = 20  # clips; the figure of a smaller group is marked
MOST = 100  # groups; a column with more is left out, as the texts of free speech; speakers never are


class Group(TypedDict):
    """Scores of one group of clips.

    Keys:
        n_clips, n_speakers: of the group.
        n_classes: number of emotions that its clips have.
        uar: unweighted average recall over these emotions, 0 to 1.
        uar_ci95: its 95 % interval over speakers; None with fewer than 6.
        small: whether it has fewer than 20 clips or half the emotions, too few for a conclusion.
    """

    n_clips: int
    n_speakers: int
    n_classes: int
    uar: float
    uar_ci95: list[float] | None
    small: bool


class Groups(TypedDict):
    """All groups of one column.

    Keys:
        groups: name -> scores.
        worst: name of the group with the lowest UAR of those that are not small; None if there are fewer than two.
    """

    groups: dict[str, Group]
    worst: str | None


def columns(data: Dataset) -> dict[str, np.ndarray]:
    """Return what the clips can be grouped by: column -> (n,) names of groups, "" where unknown; two groups or more."""
    values = {"speaker": data.speakers} | {name: data.facts[name] for name in FACTS if name in data.facts}
    if "seconds" in data.facts:
        spans = [f"{low} to {high} s" for low, high in pairwise((0, *EDGES))]
        values["length"] = np.array([*spans, f"{EDGES[-1]} s or more"])[np.digitize(data.facts["seconds"], EDGES)]
    number = {name: len(set(column.tolist()) - {""}) for name, column in values.items()}
    most = {"speaker": np.inf}
    return {name: column for name, column in values.items() if 1 < number[name] <= most.get(name, MOST)}


def scores(data: Dataset, predicted: np.ndarray, *, seed: int) -> dict[str, Groups]:
    """Return column -> the scores of its groups.

    Args:
        data: the n clips.
        predicted: (n,) class index, out of fold.
        seed: of the bootstrap.
    """
    by_column = {}
    for by, column in columns(data).items():
        groups = {name: _group(data, predicted, column == name, seed) for name in sorted(set(column.tolist()) - {""})}
        large = [name for name, group in groups.items() if not group["small"]]
        worst = min(large, key=lambda name: groups[name]["uar"]) if len(large) > 1 else None
        by_column[by] = Groups(groups=groups, worst=worst)
    return by_column


def _group(data: Dataset, predicted: np.ndarray, mine: np.ndarray, seed: int) -> Group:
    truth, speakers, n_labels = data.truth[mine], data.speakers[mine], len(data.labels)
    n_classes = len(np.unique(truth))
    n_speakers = len(set(speakers.tolist()) - {""})
    interval = None
    if n_speakers >= FEWEST_SPEAKERS:
        lo, hi, informative = uar_interval(truth, predicted[mine], speakers, n_labels, seed=seed)
        interval = [lo, hi] if informative else None
    return {
        "n_clips": int(mine.sum()),
        "n_speakers": n_speakers,
        "n_classes": n_classes,
        "uar": uar_score(truth, predicted[mine], n_labels),
        "uar_ci95": interval,
        "small": bool(mine.sum() < FEWEST or n_classes < n_labels / 2),
    }
