"""What is trained under one name: a single model, or an ensemble of finished runs. Decided once, by ``run_of``."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.checkpoint import finished
from evaluation.checkpoint.finished import Member
from evaluation.checkpoint.outcome import Outcome
from evaluation.training import cross_validation, ensemble, fit
from evaluation.training.workspace import Workspace
from models.common import EmotionModel
from utils.config import Config
from utils.dataset import Dataset


class Run(ABC):
    """A config with its data.

    Args:
        config: of the run.
        data: all clips; of an ensemble, ``ensemble.joined``.
        checkpoints: the folder of finished runs.
    """

    def __init__(self, config: Config, data: Dataset, checkpoints: Path):
        self.config, self.data, self.checkpoints = config, data, checkpoints

    @property
    def folder(self) -> Path:
        """Return the checkpoint, finished or not."""
        return self.checkpoints / self.config.name

    def check(self) -> None:
        """Refuse what cannot be learned; raises what ``fit.check`` does."""
        fit.check(self.data, self.config)

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a digest of the data and of what training begins with."""

    def changed_members(self, card: Mapping[str, Any], unfinished: set[str]) -> list[str]:
        """Return the members that differ from those of a finished run.

        Args:
            card: model.json of the finished run.
            unfinished: names of runs that are trained in this call.
        """
        return []

    @abstractmethod
    def cross_validate(self, workspace: Workspace) -> Outcome:
        """Return the out-of-fold predictions."""

    @abstractmethod
    def ship(self, outcome: Outcome, workspace: Workspace) -> EmotionModel | ensemble.Ensemble:
        """Return the model for use."""


class SingleRun(Run):
    """One model that reads features itself."""

    def fingerprint(self) -> str:
        return fit.fingerprint(self.data, fit.initial_weights(self.config))

    def cross_validate(self, workspace: Workspace) -> Outcome:
        return cross_validation.cross_validate(self.data, self.config, workspace)

    def ship(self, outcome: Outcome, workspace: Workspace) -> EmotionModel:
        return fit.ship(self.data, self.config, outcome, workspace)


class EnsembleRun(Run):
    """Finished runs joined; they may be trained in the same call, so they are read when they are needed."""

    def members(self) -> Sequence[Member]:
        """Return the finished runs in the order of the config."""
        return [finished.member(self.checkpoints / name) for name in self.config.members]

    def fingerprint(self) -> str:
        return fit.fingerprint(self.data, "\n".join(member.digest for member in self.members()))

    def changed_members(self, card: Mapping[str, Any], unfinished: set[str]) -> list[str]:
        missing = [f"member {name}, not trained yet" for name in self.config.members if name in unfinished]
        return missing or ensemble.changed_members(card, self.members())

    def cross_validate(self, workspace: Workspace) -> Outcome:
        return ensemble.cross_validate(self.data, self.config, self.members(), workspace)

    def ship(self, outcome: Outcome, workspace: Workspace) -> ensemble.Ensemble:
        return ensemble.ship(self.data, self.config, self.members(), outcome)


def run_of(config: Config, data: Dataset, checkpoints: Path) -> Run:
    """Return the run of a config: an ensemble where its model joins members, else a single model."""
    return (EnsembleRun if config.members else SingleRun)(config, data, checkpoints)
