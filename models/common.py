"""What networks and estimators have in common: one class to fit, score, save and load them by."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from models.moments import moments, safe_std, shrunk
from models.usage import ClipUsage
from utils import plugins
from utils.dataset import Dataset, Features, Frames
from utils.errors import ConfigError

Report = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Statistics:
    """Which mean and deviation scale each of n clips.

    Attributes:
        mean, std: (k, dims) float32.
        rows: (n,) row of mean and std for each clip.
    """

    mean: np.ndarray
    std: np.ndarray
    rows: np.ndarray

    def __getitem__(self, index) -> "Statistics":
        return Statistics(self.mean, self.std, self.rows[index])


def _rows(features: Features) -> list[np.ndarray]:
    return features.clips if isinstance(features, Frames) else [features]


def check_input(section: Mapping[str, Any], frames: bool, features: str) -> None:
    """Refuse a network that reads time on features that have none.

    Args:
        section: a config's ``model`` section.
        frames: whether the features are frames.
        features: what the message calls them.

    Raises:
        ConfigError: the network needs frames and the recipe gives one vector a clip.
    """
    if plugins.get("models", section["name"]).constants["INPUT"] == "frames" and not frames:
        raise ConfigError(
            f"model {section['name']} reads frames, and {features} gives one vector a clip. Use a frame recipe, e.g. "
            "features: {name: librosa_frames, preset: stack187}, {name: logmel} or {name: opensmile, level: lld}."
        )


class EmotionModel(ABC):
    """A model with everything it learned: its own scaler, its network or estimator.

    Learned state ends in an underscore. ``normalise="speaker"`` scales each clip by its speaker's
    own mean and deviation; a speaker nothing is known of is scaled by the training set's. ``used`` is
    a record of every clip that is learned from, for the leakage audit.
    """

    file: ClassVar[str]  # the framework's own file in a checkpoint
    temperature_: float = 1.0  # of the probabilities shipped; set where a network's are calibrated

    def __init__(self, section: Mapping[str, Any], labels: Sequence[str], *, normalise: str = "global", seed: int = 0):
        self.section = dict(section)
        self.labels = tuple(labels)
        self.normalise = normalise
        self.seed = seed
        self.usage = ClipUsage()

    @property
    def plugin(self) -> plugins.Plugin:
        return plugins.get("models", self.section["name"])

    @property
    def arguments(self) -> dict[str, Any]:
        return {key: value for key, value in self.section.items() if key != "name"}

    def fit(
        self, data: Dataset, validation: Dataset | None = None, *, copies: Dataset | None = None, **options
    ) -> "EmotionModel":
        """Learn from the training part alone; ``validation`` only says when a network should stop.

        ``copies``, augmented ones of the same clips, are learned from too, but scale nothing.
        """
        self.usage.add("scale", data)
        mean, std = moments(_rows(data.features))
        self.mean_, self.std_ = mean, safe_std(std, np.abs(mean))
        self.frames_ = isinstance(data.features, Frames)
        held = None if validation is None else self.with_and_without_speaker(validation)
        self._fit(*self.with_and_without_speaker(data, copies), held, **options)
        return self

    def with_and_without_speaker(self, data: Dataset, copies: Dataset | None = None) -> tuple[Dataset, Statistics]:
        """Return what a model is fitted on: the clips, and what scales each.

        With speaker normalisation every clip comes twice, scaled by its speaker's statistics and as if
        nothing were known of the speaker, so that one model serves known and unknown speakers. (On
        RAVDESS, IS10 and SVM: UAR .50 -> .56 without information, .67 -> .68 with all of it, against
        training on the speaker's scale alone.) An augmented copy is scaled by its speaker's own clips,
        as a clip of that speaker is that is yet to come; statistics of the copies would take out again what
        augmentation put in.
        """
        every = data.joined(copies) if copies else data
        unknown = self.global_statistics(len(every))
        if self.normalise == "global":
            return every, unknown
        self.usage.add("speakers", data)
        known = self.speaker_statistics(data)
        both = Statistics(
            np.concatenate([known.mean, unknown.mean]),
            np.concatenate([known.std, unknown.std]),
            np.concatenate([np.searchsorted(np.unique(data.speakers), every.speakers), len(known.mean) + unknown.rows]),
        )
        return every[np.tile(np.arange(len(every)), 2)], both

    def global_statistics(self, clips: int) -> Statistics:
        """Return the training set's statistics for every clip: no information about the speaker."""
        return Statistics(self.mean_[None], self.std_[None], np.zeros(clips, np.int64))

    def speaker_statistics(self, data: Dataset) -> Statistics:
        """Return each speaker's own statistics, from all clips of that speaker in ``data``; no labels are used."""
        speakers, of = np.unique(data.speakers, return_inverse=True)
        found = [moments(_rows(data.features[of == number])) for number in range(len(speakers))]
        mean = np.stack([mean for mean, _ in found])
        return Statistics(mean, np.stack([safe_std(std, self.std_, self.std_) for _, std in found]), of)

    def enrolled_statistics(self, features: Features, clips: int) -> Statistics:
        """Return the statistics for ``clips`` clips of one speaker who gave ``features`` as unlabelled examples."""
        mean, std = shrunk(moments(_rows(features)), (self.mean_, self.std_), len(features))
        return Statistics(mean[None], std[None], np.zeros(clips, np.int64))

    @abstractmethod
    def _fit(
        self, data: Dataset, statistics: Statistics, validation: tuple[Dataset, Statistics] | None, **options
    ) -> None: ...

    @abstractmethod
    def probabilities(self, features: Features, statistics: Statistics | None = None) -> np.ndarray:
        """Return (n, classes) float32; without statistics nothing is known of the speakers."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the framework's own file and ``model.onnx``."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, section: Mapping[str, Any], labels: Sequence[str], **options) -> "EmotionModel":
        """Return the model that ``save`` wrote, from the framework's own file."""
