"""Ensembles: finished runs joined, with weights that no test speaker had a part in.

The test part of an outer fold is predicted by combining the members' out-of-fold predictions from their own runs.
The weights for that are learned inside the fold's training part alone: each member is fitted again on inner,
speaker-disjoint folds of it, and its predictions of the clips left out teach the combiner. The members' own predictions
for the other outer folds would cost nothing, but they leak: the models that made them were trained on this fold's test
speakers, labels included. The shipped ensemble, which is tested on nobody, takes its weights from the members'
out-of-fold predictions of all speakers, and the members' graphs as they were shipped.

One temperature calibrates the combined probabilities, as it does those of a network: the mean of models that err in
different places is less confident than it is right.
"""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.checkpoint import predictions
from evaluation.checkpoint.finished import Member
from evaluation.checkpoint.outcome import Outcome
from evaluation.leakage import record
from evaluation.scores import metrics
from evaluation.splits.folds import Fold, draw_folds
from evaluation.training import fit, inner_folds
from evaluation.training.calibrate import calibrate
from evaluation.training.enrolment import adapted_scores
from evaluation.training.workspace import Workspace
from models.combination import combined
from models.usage import ClipUsage
from prediction.predictor import Predictor
from utils import plugins
from utils.config import Config
from utils.dataset import Dataset, Frames
from utils.errors import ConfigError

SERVED = (
    "name", "model", "features", "feature_version", "frames", "rate", "clip", "normalise", "training_statistics",
)  # fmt: skip


class MemberFeatures(Sequence):
    """Features of the same n clips under several recipes, one part per member.

    Args:
        parts: each member's features.
        variants: each member's augmented copies, those of a data set; none unless given.
    """

    def __init__(self, parts: Sequence, variants: Sequence[tuple] = ()):
        self.parts = list(parts)
        self.variants = list(variants) or [()] * len(self.parts)

    def __len__(self) -> int:
        return len(self.parts[0])

    def __getitem__(self, index) -> "MemberFeatures":
        copies = [tuple(copy[index] for copy in member) for member in self.variants]
        return MemberFeatures([part[index] for part in self.parts], copies)


def check(config: Config, members: Sequence[Config]) -> None:
    """Refuse members that cannot be joined.

    Raises:
        ConfigError: other clips, labels, folds or seed than the ensemble states, an ensemble as a member, or
            arguments of the model that are out of range.
    """
    _combiner(config)
    for member in members:
        if member.members:
            raise ConfigError(f"{config.name}: member {member.name} is an ensemble itself. Name its members instead.")
        if keys := config.differing(member):
            stated = json.loads(member.model_dump_json())[keys[0]]
            raise ConfigError(
                f"{config.name}: member {member.name} was trained with another {', '.join(keys)}. State what it has, "
                f"{keys[0]}: {json.dumps(stated)}, or train the member again."
            )


def joined(members: Sequence[Dataset]) -> Dataset:
    """Return one data set out of those of the members, which hold the same clips."""
    features = MemberFeatures([data.features for data in members], [data.variants for data in members])
    return replace(members[0], features=features, variants=(), recipe="")


def changed_members(card: Mapping, members: Sequence[Member]) -> list[str]:
    """Return "member NAME, trained again since" for each that was; ``card`` is the ensemble's model.json."""
    known = {member["name"]: member["digest"] for member in card.get("members", [])}
    return [
        f"member {member.name}, trained again since" for member in members if known.get(member.name) != member.digest
    ]


def out_of_fold(data: Dataset, folds: Sequence[Fold], members: Sequence[Member]) -> np.ndarray:
    """Return the members' out-of-fold probabilities (n, members, classes); 0 for clips that were never tested.

    Raises:
        ConfigError: a member was scored on other clips, labels or folds.
    """
    probabilities = np.zeros((len(data), len(members), len(data.labels)), np.float32)
    fold_of = np.full(len(data), -1)
    for number, fold in enumerate(folds):
        fold_of[fold.test] = number
    tested = np.flatnonzero(fold_of >= 0)
    for column, member in enumerate(members):
        predicted = predictions.read(member.folder)
        row_of = {identity: row for row, identity in enumerate(predicted.ids.tolist())}
        rows = np.array([row_of.get(identity, -1) for identity in data.ids[tested].tolist()])
        truth = np.array(data.labels)[data.truth[tested]]
        agree = (rows >= 0) & (predicted.fold[rows] == fold_of[tested]) & (predicted.truth[rows] == truth)
        if not agree.all() or tuple(member.card["labels"]) != tuple(data.labels):
            raise ConfigError(
                f"member {member.name} was scored on other clips, labels or folds: {int((~agree).sum())} of "
                f"{len(tested)} clips differ. Train it again on these (train.py --overwrite), then the ensemble."
            )
        probabilities[tested, column] = predicted.probabilities[rows]
    return probabilities


def cross_validate(data: Dataset, config: Config, members: Sequence[Member], workspace: Workspace) -> Outcome:
    """Return the ensemble's out-of-fold predictions; inner fits that ``workspace`` holds are not repeated.

    What is known of a test speaker shifts the ensemble's probabilities; the members' are those made without it.

    Args:
        data: all clips, ``joined``; those held out are in no fold.
        config: of the ensemble.
        members: in the order of the features' parts.
        workspace: as in ``cross_validation.cross_validate``.

    Raises:
        ConfigError: what ``fit.check``, ``draw_folds`` and ``out_of_fold`` refuse.
    """
    fit.check(data, config)
    folds = draw_folds(data, config.split.model_dump(), seed=config.seed)
    predicted = out_of_fold(data, folds, members)
    workspace.claim()
    started, earlier = time.monotonic(), inner_folds.seconds(workspace)
    if _combiner(config).learns:
        inner_folds.fit_inner_folds(data, config, members, folds, workspace)
    outcome = Outcome.untested(len(data), len(data.labels), folds)
    for number, fold in enumerate(folds):
        outcome.used += _combine_fold(data, config, members, outcome, number, predicted, workspace)
        uar = _uar(data[fold.test], outcome.probabilities[fold.test])
        workspace.report({"fold": number + 1, "folds": len(folds), "name": fold.name, "uar": uar})
    calibrate(data, outcome)
    tested = outcome.tested
    none = _uar(data[tested], outcome.probabilities[tested])
    outcome.by_information = {"none": none} | adapted_scores(outcome, data, seed=config.seed)
    outcome.seconds = earlier + time.monotonic() - started
    outcome.protocol_notes = _protocol_notes(data, config, members, folds)
    outcome.validation = outcome.protocol_notes.pop("validation")
    return outcome


def _combine_fold(
    data: Dataset, config: Config, members: Sequence[Member], outcome: Outcome, number: int, predicted: np.ndarray,
    workspace: Workspace,
) -> list:  # fmt: skip
    """Predict one fold's test part; return the tables of the clips that were used."""
    fold, combiner, used, tables = outcome.folds[number], _combiner(config), ClipUsage(), []
    used.add("part", data[fold.train])
    if combiner.learns:
        training = inner_folds.inner_out_of_fold(data, config, members, fold, number, workspace)
        used.add("combine", data[fold.train])
        tables += inner_folds.used_clips(data, config, members, fold, number, workspace)
    else:
        training = predicted[fold.train]
    combiner.fit(training, data.truth[fold.train])
    used.add("test", data[fold.test])
    outcome.probabilities[fold.test] = combiner.probabilities(predicted[fold.test])
    outcome.fold[fold.test] = number
    return [*tables, record.table(used, number + 1)]


def _uar(data: Dataset, probabilities: np.ndarray) -> float:
    return metrics.uar_score(data.truth, probabilities.argmax(axis=1), len(data.labels))


def ship(data: Dataset, config: Config, members: Sequence[Member], outcome: Outcome) -> "Ensemble":
    """Return the ensemble for use: the members as shipped, combined as their out-of-fold predictions teach."""
    tested = outcome.tested
    predicted = out_of_fold(data, outcome.folds, members)[tested]
    combination = _combiner(config).fit(predicted, data.truth[tested]).combination_
    model = Ensemble(members, {**combination, "temperature": outcome.temperature})
    model.usage.add("part", data[tested])
    return model


class Ensemble:
    """The members as shipped and their combination; in a checkpoint, members/*.onnx and model.json."""

    score_temperature = 1.0  # as of a network: its temperature is that of the predictions of all folds

    def __init__(self, members: Sequence[Member], combination: Mapping[str, Sequence]):
        self.members, self.combination, self.usage = members, combination, ClipUsage()

    def probabilities(self, features: MemberFeatures) -> np.ndarray:
        """Return (n, classes) float32 by the members' graphs, without information on the speakers."""
        predicted = []
        for member, part in zip(self.members, features.parts, strict=True):
            clips = part.clips if isinstance(part, Frames) else list(part)
            predicted.append(Predictor(member.folder).probabilities(clips))
        return combined(np.stack(predicted, axis=1), self.combination)

    def card(self) -> dict[str, Any]:
        """Return ``members`` and ``combination`` of model.json."""
        members = [
            {key: member.card[key] for key in SERVED}
            | {"digest": member.digest, "familiar": member.card.get("familiar")}
            for member in self.members
        ]
        return {"members": members, "combination": dict(self.combination)}

    def save(self, folder: Path) -> None:
        """Write the members' graphs."""
        (folder / "members").mkdir()
        for member in self.members:
            shutil.copyfile(member.folder / "model.onnx", folder / "members" / f"{member.name}.onnx")


def _combiner(config: Config):
    return plugins.call("models", config.model, "build")


def _protocol_notes(data: Dataset, config: Config, members: Sequence[Member], folds: Sequence[Fold]) -> dict[str, Any]:
    """What the protocol says beyond a single model's: how the weights came about, and the members' own limits."""
    protocols = [member.card["protocol"] for member in members]
    kinds = sorted({protocol["validation"] for protocol in protocols} - {"none"})
    notes = {"members": [member.name for member in members], "combine": config.model["combine"], "inner": None}
    if _combiner(config).learns:
        notes["inner"] = inner_folds.inner_split(data[folds[0].train], config)
    if config.tuned or any(protocol.get("tuned") for protocol in protocols):
        notes["tuned"] = True
    if not all(protocol["speaker_disjoint"] for protocol in protocols):  # fine-tuned on the test speakers
        notes["speaker_disjoint"] = False
    return notes | {"validation": ", ".join(kinds) or "none"}
