"""scikit-learn estimators as emotion models: scaled, pooled over time where needed, calibrated, exported to ONNX."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import skops.io
from sklearn.base import BaseEstimator
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models import calibrated, estimator_graph, onnx_graph
from models.calibrated import CalibratedClassifier
from models.common import EmotionModel, Statistics
from utils.dataset import Dataset, Features, Frames
from utils.errors import ConfigError, DataError

CALIBRATION_FOLDS = 3
TRUSTED = [  # types that a saved model may hold beside those that skops itself knows to be harmless
    "models.calibrated.CalibratedClassifier",
    "models.kernel_ridge.KernelRidgeClassifier",
    "models.one_against_rest.OneAgainstRestSVC",
    "sklearn.calibration._CalibratedClassifier",  # this and the next of SVMs trained before one temperature for all
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",  # a forged one could crash the process; prediction reads the ONNX graph alone
]
Folds = list[tuple[np.ndarray, np.ndarray]]  # rows to fit on, rows held out


def pooled(frames: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return mean, deviation, minimum and maximum over time of scaled frames, (frames, dims) -> (4 dims,)."""
    average = frames.mean(axis=0, dtype=np.float64)
    deviation = np.sqrt(np.square(frames - average).mean(axis=0))
    low, high = frames.min(axis=0), frames.max(axis=0)
    scaled = [(average - mean) / std, deviation / std, (low - mean) / std, (high - mean) / std]
    return np.concatenate(scaled).astype(np.float32)


def seeded(estimator: BaseEstimator, seed: int) -> BaseEstimator:
    """Return the estimator with every ``random_state`` set, those of the steps of a pipeline included."""
    names = [name for name in estimator.get_params(deep=True) if name.rpartition("__")[2] == "random_state"]
    return estimator.set_params(**dict.fromkeys(names, seed))


def _calibrated(estimator: BaseEstimator) -> BaseEstimator:
    """Return an estimator that was trained before all were calibrated alike, with the same probabilities.

    A kernel ridge had its own factor between scores and logits. Other decision values here are logits: those of a
    discriminant analysis or a logistic regression; skl2onnx 1.20 would convert the former of two classes wrongly.
    """
    if isinstance(estimator, Pipeline) and isinstance(estimator[0], StandardScaler) and len(estimator) == 2:
        return make_pipeline(estimator[0], _calibrated(estimator[1]))
    if isinstance(estimator, CalibratedClassifier) or not calibrated.has_scores(estimator):
        return estimator
    return CalibratedClassifier.of_fitted(estimator, 1 / getattr(estimator, "sharpness_", 1.0))


class SklearnModel(EmotionModel):
    """An estimator of models/ml/ on vectors, or on frames pooled over time."""

    file = "model.skops"

    def _fit(self, data: Dataset, statistics: Statistics, validation=None, **_) -> None:
        folds = self._calibration_folds(data)
        self._note(folds, data)
        estimator = CalibratedClassifier(seeded(self.plugin.load().build(**self.arguments), self.seed), folds)
        if self.frames_:  # pooled statistics have scales of their own
            estimator = make_pipeline(StandardScaler(), estimator)
        self.usage.add("fit", data)
        self.estimator_ = estimator.fit(self._estimator_input(data.features, statistics), data.truth)

    def _note(self, folds: Folds, data: Dataset) -> None:
        for number, parts in enumerate(folds, 1):
            for side, rows in zip(("fit", "held"), parts, strict=True):
                self.usage.add(f"calibration {number} {side}", data[rows])

    def _calibration_folds(self, data: Dataset) -> Folds:
        """Return folds that keep a speaker on one side, so that the probabilities fit unseen speakers.

        Where the speakers are not known, or all clips of a class are of one speaker, the folds keep the copies of a
        recording on one side instead.

        Raises:
            DataError: a class with fewer than two recordings.
        """
        classes = np.unique(data.truth)
        for groups in (data.speakers, data.digests):
            available = len(np.unique(groups))
            if available < 2:
                continue
            number = max(2, min(CALIBRATION_FOLDS, available, int(np.bincount(data.truth)[classes].min())))
            splitter = StratifiedGroupKFold(number, shuffle=True, random_state=self.seed)
            with warnings.catch_warnings():  # a class of fewer clips than folds is looked at below
                warnings.filterwarnings("ignore", "The least populated class", UserWarning)
                folds = list(splitter.split(data.truth, data.truth, groups))
            if all(len(np.unique(data.truth[train])) == len(classes) for train, _ in folds):
                return folds
        rare = self.labels[classes[np.bincount(data.truth)[classes].argmin()]]
        raise DataError(
            f"model {self.section['name']}: its probabilities cannot be calibrated, every class needs two different "
            f"recordings in each training part. Drop or merge {rare}."
        )

    def _estimator_input(self, features: Features, statistics: Statistics) -> np.ndarray:
        """Return scaled vectors (n, dims), or scaled and pooled frames (n, 4 dims)."""
        mean, std, rows = statistics.mean, statistics.std, statistics.rows
        if isinstance(features, Frames):
            return np.stack([pooled(clip, mean[row], std[row]) for clip, row in zip(features, rows, strict=True)])
        return (features - mean[rows]) / std[rows]

    def probabilities(self, features: Features, statistics: Statistics | None = None) -> np.ndarray:
        """Return (n, classes) float32 in the order of ``labels``; a class that training did not have gets 0."""
        ready = self._estimator_input(features, statistics or self.global_statistics(len(features)))
        probabilities = np.zeros((len(ready), len(self.labels)), np.float32)
        probabilities[:, self.estimator_.classes_] = self.estimator_.predict_proba(ready)
        return probabilities

    def save(self, folder: Path) -> None:
        """Write model.skops (no pickle) and model.onnx."""
        state = {"estimator": self.estimator_, "mean": self.mean_, "std": self.std_, "frames": self.frames_}
        skops.io.dump(state, folder / self.file)
        onnx.save(self.graph(), folder / "model.onnx")

    def graph(self) -> onnx.ModelProto:
        """Return scaler, pooling, estimator and calibration as one ONNX graph."""
        dims = len(self.mean_)
        mean, std = (self.mean_, self.std_) if self.normalise == "global" else (None, None)
        scaler = onnx_graph.front(dims, frames=self.frames_, mean=mean, std=std)
        estimator = estimator_graph.graph(self.estimator_, 4 * dims if self.frames_ else dims)
        return onnx_graph.joined(scaler, estimator, ("ready", "ready"), "probabilities")

    @property
    def score_temperature(self) -> float:
        """The temperature of the fitted estimator's calibration; 1 without one."""
        last = self.estimator_[-1] if isinstance(self.estimator_, Pipeline) else self.estimator_
        return last.temperature_ if isinstance(last, CalibratedClassifier) else 1.0

    @classmethod
    def load(cls, folder: Path, section: Mapping[str, Any], labels: Sequence[str], **options) -> "SklearnModel":
        """Return the model that ``save`` wrote, from model.skops; arguments as for the class."""
        model = cls(section, labels, **options)
        try:
            state = skops.io.load(folder / cls.file, trusted=TRUSTED)
            model.estimator_, model.frames_ = _calibrated(state["estimator"]), state["frames"]
            model.mean_, model.std_ = state["mean"], state["std"]
        except Exception as error:  # untrusted types, or what a damaged file makes skops or NumPy raise
            reason = " ".join(str(error).split())[:200]
            raise ConfigError(f"{folder / cls.file}: damaged, or not trusted ({reason}). Train it again.") from error
        return model
