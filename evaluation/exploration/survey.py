"""The survey of an experiment's clips and features: all the numbers that the text, the tables and the page show."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evaluation.exploration import inventory
from evaluation.exploration.features import by_family, correlations, distinct, projections
from evaluation.exploration.separation import SCALED, eta_squared, pairs_that_occur, structure
from evaluation.exploration.standardise import group_codes, pooled, scaled, scaled_within
from models.moments import moments
from utils.audio.prepare import Sound
from utils.dataset import Dataset

STRONGEST, MEANS, BOXES = 30, 20, 8  # features in the heat map of correlations, in that of means, in box plots
Row = dict[str, Any]


@dataclass(frozen=True)
class Survey:
    """What explore.py computes.

    Attributes:
        name: of the experiment.
        notes: sentences on which clips these are.
        data: the clips, with the labels that occur.
        facts: of the recordings, as of ``inventory.facts``.
        classes: corpus -> sex -> clips of each label (C,).
        speakers: rows, as of ``inventory.speakers``.
        recordings: rows, as of ``inventory.recordings``.
        duplicates: rows, as of ``inventory.duplicates``.
        features: names of the columns.
        frame_features: number of features per frame; 0 where the features are vectors.
        structure: rows, as of ``separation.structure``.
        eta_squared: "emotion", "speaker", SCALED -> share of each column's variance between the groups, (columns,).
        families: rows, as of ``features.by_family``.
        strongest: columns with the highest eta squared over emotions, redundant ones left out.
        boxes: the first of these, with their standardised values (n,).
        standard_means: (MEANS, C) standardised mean of the strongest columns over each emotion.
        moments: mean and deviation (columns,) of all clips, then of each emotion.
        correlations: (m, m) of the strongest columns, and the columns in that order.
        pairs: how many pairs of speaker and emotion occur, and how many are possible; None for fewer than two speakers.
        map: the clips in two dimensions, as of ``features.projections``.
    """

    name: str
    notes: Sequence[str]
    data: Dataset
    facts: Mapping[str, np.ndarray]
    classes: Mapping[str, Mapping[str, np.ndarray]]
    speakers: Sequence[Row]
    recordings: Sequence[Row]
    duplicates: Sequence[Row]
    features: Sequence[str]
    frame_features: int
    structure: Sequence[Row]
    eta_squared: Mapping[str, np.ndarray]
    families: Sequence[Row]
    strongest: Sequence[int]
    boxes: Sequence[tuple[int, np.ndarray]]
    standard_means: np.ndarray
    moments: Sequence[tuple[np.ndarray, np.ndarray]]
    correlations: tuple[np.ndarray, list[int]]
    pairs: tuple[int, int] | None
    map: Mapping[str, Any]

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the labels that occur."""
        return self.data.labels

    @property
    def n_speakers(self) -> int:
        """Return the number of known speakers."""
        return len(set(self.data.speakers.tolist()) - {""})

    def row_of(self, by: str, corpus: str = "") -> Row | None:
        """Return the row of ``structure`` for a grouping, None if there is none."""
        return next((row for row in self.structure if (row["corpus"], row["by"]) == (corpus, by)), None)


def survey(
    data: Dataset,
    sounds: Mapping[str, Sound],
    names: Sequence[str],
    *,
    name: str,
    seed: int,
    opensmile: bool,
    notes: Sequence[str] = (),
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Survey:
    """Return the survey of an experiment's clips and features.

    Args:
        data: clips and features of an experiment.
        sounds: properties of their files, by clip id.
        names: of the feature's dims, as stored.
        name: of the experiment.
        seed: of the samples, the principal components and t-SNE.
        opensmile: whether the names are openSMILE's, for their families.
        notes: sentences on which clips these are.
        report: called with the steps done and the steps to do.

    Raises:
        DataError: too few clips for a map, or features that are all the same.
    """
    steps = 4
    data = _with_labels_that_occur(data)
    facts = inventory.facts(data, sounds)
    values, columns = pooled(data.features, names)
    report(1, steps)
    rows = structure(values, data, seed=seed)
    report(2, steps)
    kinds = list(names) * (len(columns) // len(names))  # mean and deviation of a descriptor are one family
    effects = _effects(values, kinds, data, opensmile=opensmile)
    report(3, steps)
    map_of_clips = projections(values, seed=seed)
    report(4, steps)
    return Survey(
        name=name,
        notes=notes,
        data=data,
        facts=facts,
        classes=inventory.classes(data),
        speakers=inventory.speakers(data),
        recordings=inventory.recordings(data, facts),
        duplicates=inventory.duplicates(data),
        features=columns,
        frame_features=0 if values is data.features else len(columns) // 2,
        structure=rows,
        map=map_of_clips,
        **effects,
    )


def _with_labels_that_occur(data: Dataset) -> Dataset:
    """Leave out the labels of which no clip could be used."""
    occurring, truth = np.unique(data.truth, return_inverse=True)
    return replace(data, labels=tuple(data.labels[label] for label in occurring), truth=truth)


def _effects(values: np.ndarray, kinds: Sequence[str], data: Dataset, *, opensmile: bool) -> dict[str, Any]:
    """Return the fields of Survey on single features: eta squared, the strongest, their means and correlations."""
    speakers, names = group_codes(data.speakers)
    shares = {"emotion": eta_squared(values, data.truth)}
    if len(names) > 1:
        shares["speaker"] = eta_squared(values, speakers)
        shares[SCALED] = eta_squared(scaled_within(values, speakers), data.truth)
    order = np.argsort(-shares["emotion"], kind="stable")
    strongest = distinct(values, order, most=STRONGEST)
    shown = strongest[:MEANS]
    parts = [data.truth == label for label in range(len(data.labels))]
    z = scaled(values)
    return {
        "eta_squared": shares,
        "families": by_family(kinds, shares, opensmile=opensmile),
        "strongest": strongest,
        "boxes": [(column, z[:, column]) for column in strongest[:BOXES]],
        "standard_means": np.stack([z[part][:, shown].mean(axis=0) for part in parts], axis=1),
        "moments": [moments([values]), *(moments([values[part]]) for part in parts)],
        "correlations": correlations(values, strongest),
        "pairs": pairs_that_occur(data.truth, speakers) if len(names) > 1 else None,
    }
