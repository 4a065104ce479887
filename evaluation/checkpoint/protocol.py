"""The protocol of a score: who was tested by what. It stands in metrics.json, and in words wherever a score does."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.leakage import training_set
from evaluation.splits.folds import Fold
from evaluation.splits.groups import corpus_of
from prediction.card import read_card
from utils.config import Config
from utils.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How the clips of a run were divided into training and test; the fields are the keys of metrics.json.

    Attributes:
        by: ``split.by`` of the config.
        folds: number of folds, or the name of a published list ("emobox"), or "all".
        n_folds: number of folds.
        speaker_disjoint: whether no model was tested on a speaker that it, or the weights it began with, learned from.
        validation: what early stopping looks at: "speakers", "clips", "official", or "none".
        holdout: speakers kept out of every fold.
        init: the run whose weights it began with, else None.
        limit: clips per class if this is a trial (``--limit``), else None.
        tuned: whether the settings were chosen on the same speakers.
        members: the runs that an ensemble joins, else None.
        combine: how it joins them.
        inner: the ``split`` of the inner folds that teach its weights; None where nothing is learned.
    """

    by: str
    folds: int | str
    n_folds: int
    speaker_disjoint: bool
    validation: str
    holdout: Sequence[str] = ()
    init: str | None = None
    limit: int | None = None
    tuned: bool = False
    members: Sequence[str] | None = None
    combine: str | None = None
    inner: Mapping[str, Any] | None = None

    @property
    def kind(self) -> str:
        """Return "speaker-independent" or "SPEAKER-DEPENDENT", the words that stand wherever a score does."""
        return "speaker-independent" if self.speaker_disjoint else "SPEAKER-DEPENDENT"

    def describe(self) -> str:
        """Return the protocol in words."""
        how = self.by if isinstance(self.folds, int) else f"{self.by}: {self.folds}"
        return f"{self.kind}, {self.n_folds} folds by {how}{self.caveats()}"

    def caveats(self) -> str:
        """Return what keeps a score from being quoted, each after a comma: a trial, settings chosen on the test."""
        trial = f", {trial_note(self.limit)}" if self.limit else ""
        return trial + (", TUNED on the same speakers: quote the held-out ones" if self.tuned else "")

    def as_json(self) -> dict[str, Any]:
        """Return ``protocol`` of metrics.json; ``init``, and what only an ensemble has, where they apply."""
        unused = {"init"} if self.init is None else set()
        unused |= {"members", "combine", "inner"} if self.members is None else set()
        return {key: value for key, value in asdict(self).items() if key not in unused}


@dataclass(frozen=True, kw_only=True)
class EvaluationProtocol:
    """How a finished model was tested on other clips (evaluate.py); the fields are the keys of metrics.json.

    Attributes:
        speaker_disjoint: whether no tested speaker and no tested clip was in its training.
        shared_speakers, shared_clips: how many of the tested ones were in its training; None where not recorded.
        limit: clips per class if this is a trial, else None.
        trained_on, tested_on: names of corpora.
        shared_labels: the labels it chose among; None if among all of its own.
        absent: its labels of which no clip was tested.
        by, folds, n_folds, validation, holdout, tuned: as in ``Protocol``; always the same.
    """

    by: str = "evaluation"
    folds: int = 1
    n_folds: int = 1
    speaker_disjoint: bool
    shared_speakers: int | None
    shared_clips: int | None
    validation: str = "none"
    holdout: Sequence[str] = ()
    limit: int | None
    tuned: bool = False
    trained_on: Sequence[str]
    tested_on: Sequence[str]
    shared_labels: Sequence[str] | None
    absent: Sequence[str]

    kind = Protocol.kind

    def describe(self) -> str:
        """Return the protocol in words."""
        way = f"trained on {', '.join(self.trained_on)}, tested on {', '.join(self.tested_on)}"
        return f"{self.kind}, {way}{self.caveats()}"

    def caveats(self) -> str:
        """Return what a reader must know of the score, each after a comma."""
        known = [
            "speakers of training not recorded" if self.shared_speakers is None else "",
            f"{self.shared_speakers} speakers also in the training data" if self.shared_speakers else "",
            f"{self.shared_clips} clips also in the training data" if self.shared_clips else "",
            f"a choice among {', '.join(self.shared_labels)} alone" if self.shared_labels else "",
            f"no clip of {', '.join(self.absent)}" if self.absent else "",
            trial_note(self.limit) if self.limit else "",
        ]
        return "".join(f", {part}" for part in known if part)

    def as_json(self) -> dict[str, Any]:
        """Return ``protocol`` of an evaluation's metrics.json."""
        return asdict(self)


def read(stated: Mapping[str, Any]) -> Protocol | EvaluationProtocol:
    """Return the protocol that metrics.json or model.json states; keys of later versions are not read."""
    kind = EvaluationProtocol if stated["by"] == "evaluation" else Protocol
    return kind(**{field.name: stated[field.name] for field in fields(kind) if field.name in stated})


def trial_note(limit: int) -> str:
    """Return how a score on ``limit`` clips per class is marked."""
    return f"A TRIAL on {limit} clips per class"


def of_folds(data: Dataset, split: Mapping, folds: Sequence[Fold], *, validation: str, **notes: Any) -> Protocol:
    """Return the protocol of these folds; ``speaker_disjoint`` is read off the folds themselves.

    It is true if no fold tests a speaker that it trains on; clips of unknown speakers count as one speaker per corpus.

    Args:
        data: what the folds index.
        split: the config's section, a mapping.
        folds: the folds.
        validation: what early stopping looks at, as ``splits.folds.validation`` says, or "none".
        notes: fields that the folds do not tell, or that override what they tell: ``limit``, ``members``, ...
    """
    speakers = np.where(data.speakers == "", corpus_of(data), data.speakers)
    shared = any(np.isin(speakers[fold.test], speakers[fold.train]).any() for fold in folds)
    named = split.get("folds") if split["by"] in ("speaker", "listed") else None
    values = {
        "by": split["by"],
        "folds": named if isinstance(named, str) else len(folds),
        "n_folds": len(folds),
        "speaker_disjoint": not shared,
        "validation": validation,
        "holdout": [str(name) for name in split.get("holdout") or []],
    }
    return Protocol(**values | notes)


def of_run(data: Dataset, config: Config, folds: Sequence[Fold], *, validation: str, **notes: Any) -> Protocol:
    """Return the protocol of a run: that of its folds, the weights it began with, and whether it was tuned.

    Weights that learned from one of the same corpora know its test speakers.
    """
    known: dict[str, Any] = {"tuned": bool(config.tuned)}
    protocol = of_folds(data, config.split.model_dump(), folds, validation=validation)
    if config.init:
        card = read_card(Path(config.init), ("name",))
        shared = training_set.corpora(Path(config.init), card) & set(data.facts["corpus"].tolist())
        known |= {"init": card["name"], "speaker_disjoint": protocol.speaker_disjoint and not shared}
    return replace(protocol, **known | notes)
