"""A finished model on other clips: under its labels, with its graph, and how many of them are in its training data."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.checkpoint.outcome import Outcome
from evaluation.checkpoint.protocol import EvaluationProtocol
from evaluation.checkpoint.write import write_evaluation
from evaluation.leakage import training_set
from evaluation.scores.metrics import uar_score
from evaluation.splits.folds import Fold
from evaluation.studies.served_model import ServedModel
from evaluation.training.enrolment import LEVELS, adapted_predictions, confusion_of_draws, uar_of_counts
from prediction.predictor import Predictor
from utils.config import Config
from utils.dataset import Dataset
from utils.errors import ConfigError
from utils.plugins import nearest


def evaluate(
    folder: Path, predictor: Predictor, config: Config, data: Dataset, *, limit: int | None, only_shared: bool = False
) -> tuple[Path, dict[str, Any]]:
    """Score a checkpoint on these clips and write ``evaluations/NAME``, NAME being the config's.

    The probabilities are those that prediction gives: a label of the model that no clip has remains a possible,
    and then wrong, answer. UAR is the mean recall over the labels that clips have.

    Args:
        folder: the checkpoint.
        predictor: it, opened.
        config: which clips, under which labels, by the checkpoint's own feature recipe.
        data: the clips, under the config's labels; for an ensemble with the features of each member.
        limit: clips per class, if this is a trial.
        only_shared: let the model choose only among the labels that clips have.

    Returns:
        The folder that was written, and the content of its metrics.json.

    Raises:
        ConfigError: a label that the model does not have, or only one label to choose from.
    """
    data = aligned(data, predictor.labels, config.name)
    has_clips = np.bincount(data.truth, minlength=len(data.labels)) > 0
    labels = [label for label, has in zip(predictor.labels, has_clips, strict=True) if has]
    if only_shared and len(labels) < 2:
        raise ConfigError(
            f"{config.name}: only {labels[0]} is left, and a choice needs two labels. Mend merge or drop."
        )
    if only_shared:
        data = replace(data, labels=tuple(labels), truth=(np.cumsum(has_clips) - 1)[data.truth])
    protocol = EvaluationProtocol(
        **training_set.shared(folder, predictor.card, data), limit=limit, trained_on=predictor.card["corpora"],
        tested_on=sorted(set(data.facts["corpus"].tolist())), shared_labels=labels if only_shared else None,
        absent=[label for label in predictor.labels if label not in labels],
    )  # fmt: skip
    outcome = tested(ServedModel(predictor, labels if only_shared else predictor.labels), data, config)
    sets = {} if only_shared else predictor.card.get("conformal", {})  # prediction chooses among all labels
    thresholds = {share: label_sets["threshold"] for share, label_sets in sets.items()}
    target, name = folder / "evaluations" / config.name, f"{predictor.card['name']} on {config.name}"
    return target, write_evaluation(target, name, config, data, outcome, protocol=protocol, thresholds=thresholds)


def check_labels(counts: Mapping[str, int], labels: Sequence[str], name: str) -> None:
    """Refuse clips with labels that the model does not have.

    Args:
        counts: label -> number of clips.
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
    """Return the clips under a model's labels, in the model's order.

    Args:
        data: the clips.
        labels: the model's.
        name: of what is tested on.

    Raises:
        ConfigError: what ``check_labels`` refuses.
    """
    counts = np.bincount(data.truth, minlength=len(data.labels)).tolist()
    check_labels(dict(zip(data.labels, counts, strict=True)), labels, name)
    places = np.array([labels.index(label) for label in data.labels], np.int64)
    return replace(data, labels=tuple(labels), truth=places[data.truth])


def tested(model: ServedModel, data: Dataset, config: Config) -> Outcome:
    """Return a finished model's predictions of n clips, and its UAR by what is known of their speakers.

    Args:
        model: the checkpoint.
        data: the clips, under the model's labels.
        config: its name becomes that of the only fold, its seed draws the clips for enrolment.
    """
    started, n_classes = time.monotonic(), len(data.labels)
    probabilities = model.probabilities(data.features)
    by_information: dict[str, float | None] = {"none": uar_score(data.truth, probabilities.argmax(axis=1), n_classes)}
    by_information |= dict.fromkeys(LEVELS)
    if model.predictor.adapts and (data.speakers != "").all():
        for name, predicted in adapted_predictions(model, data, np.random.default_rng([config.seed, 0])).items():
            by_information[name] = uar_of_counts(confusion_of_draws(data.truth, predicted, n_classes))
    folds = [Fold(np.arange(0), np.arange(len(data)), config.name)]
    outcome = Outcome(probabilities, np.zeros(len(data), np.int64), by_information, folds, "none")
    outcome.seconds = time.monotonic() - started
    return outcome
