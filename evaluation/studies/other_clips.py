"""A finished model on other clips: its own graph, the words brought together, and who of them it has heard."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.checkpoint import write as checkpoint
from evaluation.leakage import training_set as heard
from evaluation.scores import metrics
from evaluation.splits.folds import Fold
from evaluation.training import cross_validation as experiment
from evaluation.training.cross_validation import ENROLMENT, Outcome
from evaluation.training.ensemble import Together
from models.moments import moments, usable
from prediction.predictor import Graph, Predictor, SpeakerStatistics
from utils.config import Config
from utils.dataset import Dataset, Features, Frames
from utils.errors import ConfigError
from utils.plugins import nearest


def evaluate(
    folder: Path, predictor: Predictor, config: Config, data: Dataset, *, limit: int | None, only_shared: bool = False
) -> tuple[Path, dict[str, Any]]:
    """Score a checkpoint on these clips and write ``evaluations/<config's name>``; return where, and metrics.json.

    The probabilities are those that prediction gives: a label of the model that no clip has stays a possible,
    and then wrong, answer, and UAR is the mean recall over the labels that clips have.

    Args:
        folder: the checkpoint.
        predictor: it, opened.
        config: which clips, under which words, by the checkpoint's own recipe.
        data: the clips, ``Together`` for an ensemble, under the config's words.
        limit: clips a class, if this is a trial.
        only_shared: let the model choose among the labels that clips have alone.

    Raises:
        ConfigError: a label that the model does not have, or none that could be confused.
    """
    data = aligned(data, predictor.labels, config.name)
    here = np.bincount(data.truth, minlength=len(data.labels)) > 0
    labels = [label for label, there in zip(predictor.labels, here, strict=True) if there]
    if only_shared and len(labels) < 2:
        raise ConfigError(
            f"{config.name}: only {labels[0]} is left, and a choice needs two labels. Mend merge or drop."
        )
    absent = [label for label in predictor.labels if label not in labels]
    if only_shared:
        data = replace(data, labels=tuple(labels), truth=(np.cumsum(here) - 1)[data.truth])
    found = heard.shared(folder, predictor.card, data)
    protocol = {
        "by": "evaluation", "folds": 1, "n_folds": 1, **found, "validation": "none", "holdout": [], "limit": limit,
        "tuned": False, "trained_on": predictor.card["corpora"],
        "tested_on": sorted(set(data.facts["corpus"].tolist())),
        "shared_labels": labels if only_shared else None, "absent": absent,
    }  # fmt: skip
    outcome = tested(Served(predictor, labels if only_shared else predictor.labels), data, config)
    where, name = folder / "evaluations" / config.name, f"{predictor.card['name']} on {config.name}"
    sets = {} if only_shared else predictor.card.get("conformal", {})  # prediction chooses among all labels
    thresholds = {share: found["threshold"] for share, found in sets.items()}
    written = checkpoint.write_evaluation(where, name, config, data, outcome, protocol=protocol, thresholds=thresholds)
    return where, written


def check_labels(counts: Mapping[str, int], labels: Sequence[str], name: str) -> None:
    """Refuse clips of which the model can say nothing right.

    Args:
        counts: label -> clips.
        labels: the model's.
        name: of what is tested on.

    Raises:
        ConfigError: labels that the model does not have; says how to merge or drop them.
    """
    foreign = {label: n for label, n in counts.items() if label not in labels}
    if foreign:
        raise ConfigError(
            f"{name}: the model has no {', '.join(f'{label} ({n} clips)' for label, n in foreign.items())}; it has "
            f"{', '.join(labels)}.{nearest(next(iter(foreign)), labels)} Add --drop {' '.join(foreign)} or --merge "
            f"{' '.join(f'{label}=LABEL' for label in foreign)} (in a config drop: [{', '.join(foreign)}] or "
            f"merge: {{{', '.join(f'{label}: LABEL' for label in foreign)}}})."
        )


def aligned(data: Dataset, labels: Sequence[str], name: str) -> Dataset:
    """Return the clips under a model's labels, in its order; raise what ``check_labels`` does."""
    counts = np.bincount(data.truth, minlength=len(data.labels)).tolist()
    check_labels(dict(zip(data.labels, counts, strict=True)), labels, name)
    places = np.array([labels.index(label) for label in data.labels], np.int64)
    return replace(data, labels=tuple(labels), truth=places[data.truth])


def tested(model: "Served", data: Dataset, config: Config) -> Outcome:
    """Return what a finished model says of clips, and its UAR by what it is told of their speakers."""
    started, n = time.monotonic(), len(data)
    probabilities = model.probabilities(data.features)
    own = experiment.pooled(data.truth, probabilities.argmax(axis=1), len(data.labels))
    by_information = {"none": float(metrics.uar(own))} | dict.fromkeys((*ENROLMENT, "transductive"))
    if model.predictor.takes_speaker and (data.speakers != "").all():
        for name, predicted in experiment.informed(model, data, np.random.default_rng([config.seed, 0])).items():
            counts = experiment.pooled(data.truth, predicted, len(data.labels))
            by_information[name] = float(metrics.uar(counts)) if counts.any() else None
    folds = [Fold(np.arange(0), np.arange(n), config.name)]
    outcome = Outcome(probabilities, np.zeros(n, np.int64), by_information, folds, "none")
    outcome.seconds = time.monotonic() - started
    return outcome


@dataclass(frozen=True)
class Known:
    """What is known of the speakers of n clips: ``of`` (n,) is the place of each clip's in ``speakers``."""

    speakers: list[SpeakerStatistics]
    of: np.ndarray


class Served:
    """A checkpoint's graphs on features from the cache, as ``experiment.informed`` asks of a model.

    Args:
        predictor: the checkpoint, opened.
        labels: those of its labels that are a possible answer; among fewer than all the probabilities are
            scaled to sum to 1.
    """

    def __init__(self, predictor: Predictor, labels: Sequence[str]):
        self.predictor = predictor
        self._columns = [predictor.labels.index(label) for label in labels]

    def probabilities(self, features: Features | Together, statistics: Known | None = None) -> np.ndarray:
        """Return (n, labels) float32; without statistics nothing is known of the speakers."""
        clips = _clips(features)
        if statistics is None:
            found = self.predictor.probabilities(clips)
        else:
            found = np.empty((len(clips), len(self.predictor.labels)), np.float32)
            for number, speaker in enumerate(statistics.speakers):
                rows = np.flatnonzero(statistics.of == number)
                found[rows] = self.predictor.probabilities([clips[row] for row in rows], speaker)
        if len(self._columns) == found.shape[1]:
            return found
        kept = np.maximum(found[:, self._columns], np.finfo(np.float32).tiny)  # all of them can be 0
        return kept / kept.sum(axis=1, keepdims=True)

    def speaker_statistics(self, data: Dataset) -> Known:
        """Return each speaker's own statistics, from all clips of that speaker in ``data``; no labels are used."""
        names, of = np.unique(data.speakers, return_inverse=True)
        clips = _clips(data.features)
        groups = [[clips[row] for row in np.flatnonzero(of == number)] for number in range(len(names))]
        graphs = self.predictor.graphs
        if "members" not in self.predictor.card:
            return Known([_own(graphs[0], group) for group in groups], of)
        return Known([[_own(graph, column) for graph, column in zip(graphs, zip(*g, strict=True), strict=True)]
                      for g in groups], of)  # fmt: skip

    def enrolled(self, features: Features | Together, clips: int) -> Known:
        """Return the statistics for ``clips`` clips of one speaker who gave ``features`` as unlabelled examples."""
        return Known([self.predictor.enrolled(_clips(features))], np.zeros(clips, np.int64))


def _own(graph: Graph, clips: Sequence[np.ndarray]) -> Any:
    """A speaker's moments, where the graph takes them; a feature that stands still keeps the training set's width."""
    if not graph.takes_speaker:
        return None
    mean, std = moments(list(clips) if graph.card["frames"] else [np.stack(clips)])
    _, usual = graph.global_statistics()
    return mean, usable(std, usual, usual)


def _clips(features: Features | Together) -> list:
    """One entry a clip, as Predictor takes them: an array, for an ensemble one a member."""
    if isinstance(features, Together):
        return [list(clip) for clip in zip(*map(_clips, features.parts), strict=True)]
    return features.clips if isinstance(features, Frames) else list(features)
