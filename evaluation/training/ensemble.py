"""Ensembles: finished runs joined, with weights that no test speaker had a part in.

The test part of an outer fold is predicted by combining what each member, in its own run, said of it out of fold.
The weights for that are learned inside the fold's training part alone: each member is fitted again on inner,
speaker-disjoint folds of it, and what it then says of the clips left out teaches the combiner. The members' own
predictions for the other outer folds would be had for nothing, but they leak: the models that made them were
trained on this fold's test speakers, labels included, so weights learned from them have seen the answers.
The shipped ensemble, which nobody is tested by, takes its weights from the members' out-of-fold predictions of all
speakers, and the members' graphs as they were shipped.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from evaluation.checkpoint.write import read_predictions
from evaluation.leakage import record as audit_record
from evaluation.splits import folds as splits
from evaluation.training import cross_validation as experiment
from evaluation.training import inner_folds as nested
from evaluation.training.cross_validation import ENROLMENT, Outcome, Report
from models.combination import combined
from models.usage import ClipUsage
from utils import config as configs
from utils import plugins
from utils.config import Config
from utils.dataset import Dataset, Frames
from utils.errors import ConfigError

SERVED = ("name", "features", "feature_version", "frames", "rate", "clip", "normalise", "training_statistics")


class Together(Sequence):
    """Features of the same n clips under several recipes, one part a member.

    Args:
        parts: each member's features.
        variants: each member's augmented copies, those of a data set; none unless given.
    """

    def __init__(self, parts: Sequence, variants: Sequence[tuple] = ()):
        self.parts = list(parts)
        self.variants = list(variants) or [()] * len(self.parts)

    def __len__(self) -> int:
        return len(self.parts[0])

    def __getitem__(self, index) -> "Together":
        copies = [tuple(copy[index] for copy in own) for own in self.variants]
        return Together([part[index] for part in self.parts], copies)


@dataclass(frozen=True)
class Run:
    """A member: a finished run."""

    folder: Path
    config: Config
    card: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def digest(self) -> str:
        """Return what changes when the run is trained again to another end."""
        found = hashlib.blake2b(digest_size=16)
        for name in ("config.yaml", "predictions.csv", "model.onnx"):
            found.update((self.folder / name).read_bytes())
        return found.hexdigest()


def run(folder: Path) -> Run:
    """Return the finished run of a folder below checkpoints/."""
    path = folder / "config.yaml"
    config = configs.check(yaml.safe_load(path.read_text(encoding="utf8")), str(path))
    return Run(folder, config, json.loads((folder / "model.json").read_text(encoding="utf8")))


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
    together = Together([data.features for data in members], [data.variants for data in members])
    return replace(members[0], features=together, variants=())


def fingerprint(data: Dataset, runs: Sequence[Run]) -> str:
    """Return a digest over the clips and over everything that the members are."""
    return experiment.fingerprint(data, "\n".join(run.digest for run in runs))


def changed_members(card: Mapping, runs: Sequence[Run]) -> list[str]:
    """Return "member NAME" for each that was trained again since the ensemble was."""
    known = {member["name"]: member["digest"] for member in card.get("members", [])}
    return [f"member {run.name}, trained again since" for run in runs if known.get(run.name) != run.digest]


def out_of_fold(data: Dataset, folds: Sequence[splits.Fold], runs: Sequence[Run]) -> np.ndarray:
    """Return what the members said of each clip in their own runs, (n, members, classes); 0 where never tested.

    Raises:
        ConfigError: a member was scored on other clips, labels or folds.
    """
    found = np.zeros((len(data), len(runs), len(data.labels)), np.float32)
    fold_of = np.full(len(data), -1)
    for number, fold in enumerate(folds):
        fold_of[fold.test] = number
    tested = np.flatnonzero(fold_of >= 0)
    for column, member in enumerate(runs):
        said = read_predictions(member.folder)
        row_of = {identity: row for row, identity in enumerate(said.ids.tolist())}
        rows = np.array([row_of.get(identity, -1) for identity in data.ids[tested].tolist()])
        truth = np.array(data.labels)[data.truth[tested]]
        agree = (rows >= 0) & (said.fold[rows] == fold_of[tested]) & (said.truth[rows] == truth)
        if not agree.all() or tuple(member.card["labels"]) != tuple(data.labels):
            raise ConfigError(
                f"member {member.name} was scored on other clips, labels or folds: {int((~agree).sum())} of "
                f"{len(tested)} clips differ. Train it again on these (train.py --overwrite), then the ensemble."
            )
        found[tested, column] = said.probabilities[rows]
    return found


def cross_validate(
    data: Dataset, config: Config, runs: Sequence[Run], *, key: str, work: Path, report: Report
) -> Outcome:
    """Return the ensemble's out-of-fold predictions; finished inner fits of an earlier, stopped call are kept.

    What is known of a test speaker helps no member here: their runs keep only what they said without it.

    Args:
        data: all clips, ``joined``; those held out are in no fold.
        runs: the members, in the order of the parts.
        key, work, report: as in ``experiment.cross_validate``.

    Raises:
        ConfigError: what ``experiment.check``, ``splits.folds`` and ``out_of_fold`` refuse.
    """
    experiment.check(data, config)
    folds = splits.folds(data, config.split.model_dump(), seed=config.seed)
    said = out_of_fold(data, folds, runs)
    experiment.claim(work, key)
    started, earlier = time.monotonic(), nested.seconds(work)
    if _combiner(config).learns:
        nested.refit(data, config, runs, folds, work, report)
    outcome = Outcome(np.zeros((len(data), len(data.labels)), np.float32), np.full(len(data), -1), {}, folds, "none")
    for number, fold in enumerate(folds):
        combiner, used = _combiner(config), ClipUsage()
        used.add("part", data[fold.train])
        lesson = nested.lesson(data, config, runs, fold, number, work) if combiner.learns else said[fold.train]
        if combiner.learns:
            used.add("combine", data[fold.train])
            outcome.used += nested.records(data, config, runs, fold, number, work)
        combiner.fit(lesson, data.truth[fold.train])
        used.add("test", data[fold.test])
        outcome.used.append(audit_record.table(used, number + 1))
        outcome.probabilities[fold.test] = combiner.probabilities(said[fold.test])
        outcome.fold[fold.test] = number
        recall = nested.uar(data[fold.test], outcome.probabilities[fold.test])
        report({"fold": number + 1, "folds": len(folds), "name": fold.name, "uar": recall})
    tested = outcome.fold >= 0
    outcome.by_information = {"none": nested.uar(data[tested], outcome.probabilities[tested])}
    outcome.by_information |= dict.fromkeys((*ENROLMENT, "transductive"))
    outcome.seconds = earlier + time.monotonic() - started
    outcome.marks = _marks(data, config, runs, folds)
    outcome.validation = outcome.marks.pop("validation")
    return outcome


def ship(data: Dataset, config: Config, runs: Sequence[Run], outcome: Outcome) -> "Ensemble":
    """Return the ensemble for use: the members as shipped, combined as their out-of-fold predictions teach."""
    tested = np.flatnonzero(outcome.fold >= 0)
    said = out_of_fold(data, outcome.folds, runs)[tested]
    model = Ensemble(runs, _combiner(config).fit(said, data.truth[tested]).combination_)
    model.usage.add("part", data[tested])
    return model


class Ensemble:
    """The members as shipped and what combines them; in a checkpoint, members/*.onnx and model.json."""

    def __init__(self, runs: Sequence[Run], combination: Mapping[str, Sequence]):
        self.runs, self.combination, self.usage = runs, combination, ClipUsage()

    def probabilities(self, features: Together) -> np.ndarray:
        """Return (n, classes) float32 by the members' graphs; nothing is known of the speakers."""
        from prediction.predictor import Predictor

        said = []
        for member, part in zip(self.runs, features.parts, strict=True):
            clips = part.clips if isinstance(part, Frames) else list(part)
            said.append(Predictor(member.folder).probabilities(clips))
        return combined(np.stack(said, axis=1), self.combination)

    def card(self) -> dict[str, Any]:
        """Return what model.json says of the members and of their combination."""
        members = [
            {key: run.card[key] for key in SERVED} | {"digest": run.digest, "familiar": run.card.get("familiar")}
            for run in self.runs
        ]
        return {"members": members, "combination": dict(self.combination)}

    def save(self, folder: Path) -> None:
        """Write the members' graphs."""
        (folder / "members").mkdir()
        for member in self.runs:
            shutil.copyfile(member.folder / "model.onnx", folder / "members" / f"{member.name}.onnx")


def _combiner(config: Config):
    arguments = {key: value for key, value in config.model.items() if key != "name"}
    return plugins.get("models", config.model["name"]).load().build(**arguments)


def _marks(data: Dataset, config: Config, runs: Sequence[Run], folds: Sequence[splits.Fold]) -> dict[str, Any]:
    """What the protocol says beyond a single model's: how the weights came about, and the members' own limits."""
    protocols = [run.card["protocol"] for run in runs]
    kinds = sorted({protocol["validation"] for protocol in protocols} - {"none"})
    marks = {"members": [run.name for run in runs], "combine": config.model["combine"], "inner": None}
    if _combiner(config).learns:
        marks["inner"] = nested.split(data[folds[0].train], config)
    if config.tuned or any(protocol.get("tuned") for protocol in protocols):
        marks["tuned"] = True
    if not all(protocol["speaker_disjoint"] for protocol in protocols):  # fine-tuned on the test speakers
        marks["speaker_disjoint"] = False
    return marks | {"validation": ", ".join(kinds) or "none"}
