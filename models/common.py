"""The contract of every model, network or estimator: fit, probabilities, save, load."""

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

Report = Callable[[Mapping[str, Any]], None]  # called after each epoch with what a progress line shows


@dataclass(frozen=True)
class Statistics:
    """The mean and standard deviation that scale each of n clips.

    Attributes:
        mean, std: (k, dims) float32.
        rows: (n,) row of mean and std for each clip, 0 to k - 1.
    """

    mean: np.ndarray
    std: np.ndarray
    rows: np.ndarray

    def __getitem__(self, index) -> "Statistics":
        """Return the statistics of the clips at these indices or where this mask is true."""
        return Statistics(self.mean, self.std, self.rows[index])


def _parts(features: Features) -> list[np.ndarray]:
    """Return arrays (rows, dims) that hold all vectors, or all frames, between them."""
    return features.clips if isinstance(features, Frames) else [features]


def check_input(section: Mapping[str, Any], frames: bool, features: str) -> None:
    """Check that a model can read the features.

    Args:
        section: a config's ``model`` section.
        frames: whether the features are frames.
        features: name of the features for the message.

    Raises:
        ConfigError: the network needs frames and the recipe gives one vector per clip.
    """
    if plugins.get("models", section["name"]).constants["INPUT"] == "frames" and not frames:
        raise ConfigError(
            f"model {section['name']} reads frames, and {features} gives one vector per clip. Use a frame recipe, e.g. "
            "features: {name: librosa_frames, preset: stack187}, {name: logmel} or {name: opensmile, level: lld}."
        )


class EmotionModel(ABC):
    """A model with all that it learned: its scaler, its network or estimator, its calibration.

    Attributes that ``fit`` learns end in an underscore.

    Args:
        section: a config's ``model`` section, ``name`` and all arguments of the plug-in.
        labels: class names, in the order of the probabilities.
        normalise: "global" scales each clip by the training set's mean and deviation, "speaker" by those of its
            speaker, and by the training set's where nothing is known of the speaker.
        seed: of everything random in the training.

    Attributes:
        mean_, std_: (dims,) float32 of the training set.
        frames_: whether the model was fitted on frames.
        temperature_: of the probabilities, above 0; calibration sets it for networks.
        usage: which clips each step of the training used, for the leakage audit.
    """

    file: ClassVar[str]  # the framework's own file in a checkpoint
    temperature_: float = 1.0

    @property
    def score_temperature(self) -> float:
        """What the scores of an estimator are divided by; 1 for what is calibrated after all folds, as networks are."""
        return 1.0

    def __init__(self, section: Mapping[str, Any], labels: Sequence[str], *, normalise: str = "global", seed: int = 0):
        self.section = dict(section)
        self.labels = tuple(labels)
        self.normalise = normalise
        self.seed = seed
        self.usage = ClipUsage()

    @property
    def plugin(self) -> plugins.Plugin:
        """The file of models/dnn/ or models/ml/ that builds the network or estimator."""
        return plugins.get("models", self.section["name"])

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the plug-in's ``build``."""
        return plugins.settings(self.section)

    def fit(
        self, data: Dataset, validation: Dataset | None = None, *, copies: Dataset | None = None, **options
    ) -> "EmotionModel":
        """Learn from the training part and return the model itself.

        Args:
            data: the training part.
            validation: decides when a network stops; nothing is learned from it. Estimators ignore it.
            copies: augmented copies of the training clips; they are learned from, but the scaler ignores them.
            options: of networks: ``train`` (required), ``augment``, ``init``, ``freeze``, ``state``, ``report``, as in
                ``KerasModel``. Estimators ignore them.

        Raises:
            ConfigError: options that do not fit the network.
            DataError: too few recordings of a class for the calibration of an estimator.
        """
        self.usage.add("scale", data)
        mean, std = moments(_parts(data.features))
        self.mean_, self.std_ = mean, safe_std(std, np.abs(mean))
        self.frames_ = isinstance(data.features, Frames)
        held_out = None if validation is None else self.with_and_without_speaker(validation)
        self._fit(*self.with_and_without_speaker(data, copies), held_out, **options)
        return self

    def with_and_without_speaker(self, data: Dataset, copies: Dataset | None = None) -> tuple[Dataset, Statistics]:
        """Return the clips that a model is fitted on, and what scales each.

        With speaker normalisation every clip occurs twice, scaled by its speaker's statistics and by the training
        set's, so that one model serves known and unknown speakers. (On RAVDESS, IS10 and SVM, compared with training
        on the speaker's scale alone: UAR .50 -> .56 without information on the speaker, .67 -> .68 with all of it.)
        An augmented copy is scaled by the statistics of its speaker's originals, as a new clip of that speaker would
        be; statistics of the copies would remove what augmentation added.
        """
        every = data.joined(copies) if copies else data
        unknown = self.global_statistics(len(every))
        if self.normalise == "global":
            return every, unknown
        self.usage.add("speakers", data)
        known = self.speaker_statistics(data)
        known_rows = np.searchsorted(np.unique(data.speakers), every.speakers)
        both = Statistics(
            np.concatenate([known.mean, unknown.mean]),
            np.concatenate([known.std, unknown.std]),
            np.concatenate([known_rows, len(known.mean) + unknown.rows]),
        )
        return every[np.tile(np.arange(len(every)), 2)], both

    def global_statistics(self, clips: int) -> Statistics:
        """Return the training set's statistics for so many clips: no information about their speakers."""
        return Statistics(self.mean_[None], self.std_[None], np.zeros(clips, np.int64))

    def speaker_statistics(self, data: Dataset) -> Statistics:
        """Return each speaker's own statistics, from all clips of that speaker in ``data``; no labels are used.

        A feature that is constant in a speaker's clips keeps the training set's deviation.
        """
        speakers, rows = np.unique(data.speakers, return_inverse=True)
        each = [moments(_parts(data.features[rows == number])) for number in range(len(speakers))]
        mean = np.stack([mean for mean, _ in each])
        return Statistics(mean, np.stack([safe_std(std, self.std_, self.std_) for _, std in each]), rows)

    def enrolled_statistics(self, features: Features, clips: int) -> Statistics:
        """Return the statistics for so many clips of one speaker, from the features of unlabelled clips of theirs."""
        mean, std = shrunk(moments(_parts(features)), (self.mean_, self.std_), len(features))
        return Statistics(mean[None], std[None], np.zeros(clips, np.int64))

    @abstractmethod
    def _fit(
        self, data: Dataset, statistics: Statistics, validation: tuple[Dataset, Statistics] | None, **options
    ) -> None:
        """Learn from clips and what scales each; the scaler of ``fit`` is set."""

    @abstractmethod
    def probabilities(self, features: Features, statistics: Statistics | None = None) -> np.ndarray:
        """Return (n, classes) float32, rows that sum to 1; without statistics nothing is known of the speakers."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the framework's own file, named ``file``, and ``model.onnx`` into an existing folder."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, section: Mapping[str, Any], labels: Sequence[str], **options) -> "EmotionModel":
        """Return the model that ``save`` wrote, from the framework's own file; arguments as for the class."""
