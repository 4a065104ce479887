"""scikit-learn estimators as emotion models: scaled, pooled over time where needed, calibrated, shipped as ONNX."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import skops.io
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models import onnx_graph
from models.common import EmotionModel, Statistics
from utils.dataset import Dataset, Features, Frames
from utils.errors import DataError

CALIBRATION_FOLDS = 3
TRUSTED = [  # what a saved model may hold beside the types that skops itself knows to be harmless
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",  # a forged one could crash the process; prediction reads the ONNX graph alone
]


def pooled(frames: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return mean, deviation, minimum and maximum over time of scaled frames, (frames, dims) -> (4 dims,)."""
    average = frames.mean(axis=0, dtype=np.float64)
    deviation = np.sqrt(np.square(frames - average).mean(axis=0))
    low, high = frames.min(axis=0), frames.max(axis=0)
    scaled = [(average - mean) / std, deviation / std, (low - mean) / std, (high - mean) / std]
    return np.concatenate(scaled).astype(np.float32)


def _convertible(estimator: BaseEstimator) -> BaseEstimator:
    """Return an estimator of the same probabilities that skl2onnx converts rightly.

    Its graph of a discriminant analysis of two classes is off by up to .15 (skl2onnx 1.20); a logistic
    regression of the same coefficients says the same.
    """
    if isinstance(estimator, Pipeline):
        return make_pipeline(*(_convertible(step) for _, step in estimator.steps))
    if not isinstance(estimator, LinearDiscriminantAnalysis):
        return estimator
    same = LogisticRegression()
    same.coef_, same.intercept_ = estimator.coef_, estimator.intercept_
    same.classes_, same.n_features_in_ = estimator.classes_, estimator.n_features_in_
    return same


class SklearnModel(EmotionModel):
    """An estimator of models/ml/ on vectors, or on frames pooled over time."""

    file = "model.skops"

    def _fit(self, data: Dataset, statistics: Statistics, validation=None, **_) -> None:
        build = self.plugin.load().build
        estimator = build(**self.arguments)
        if "random_state" in estimator.get_params():
            estimator.set_params(random_state=self.seed)
        if not hasattr(estimator, "predict_proba"):
            estimator = CalibratedClassifierCV(estimator, ensemble=False, cv=self._noted(self._grouped(data), data))
        if self.frames_:  # pooled statistics have scales of their own
            estimator = make_pipeline(StandardScaler(), estimator)
        self.usage.add("fit", data)
        self.estimator_ = estimator.fit(self._ready(data.features, statistics), data.truth)

    def _noted(self, folds: list[tuple[np.ndarray, np.ndarray]], data: Dataset) -> list[tuple[np.ndarray, np.ndarray]]:
        for number, parts in enumerate(folds, 1):
            for side, rows in zip(("fit", "held"), parts, strict=True):
                self.usage.add(f"calibration {number} {side}", data[rows])
        return folds

    def _grouped(self, data: Dataset) -> list[tuple[np.ndarray, np.ndarray]]:
        """Folds for calibration that keep a speaker on one side, so that the probabilities fit strangers.

        Where the speakers are not known, or one of them alone has a class, recordings are kept whole instead.
        """
        classes = np.unique(data.truth)
        for groups in (data.speakers, data.digests):
            available = len(np.unique(groups))
            if available < 2:
                continue
            number = max(2, min(CALIBRATION_FOLDS, available, int(np.bincount(data.truth)[classes].min())))
            kind = StratifiedGroupKFold(number, shuffle=True, random_state=self.seed)
            with warnings.catch_warnings():  # a class of fewer clips than folds is looked at below
                warnings.filterwarnings("ignore", "The least populated class", UserWarning)
                folds = list(kind.split(data.truth, data.truth, groups))
            if all(len(np.unique(data.truth[train])) == len(classes) for train, _ in folds):
                return folds
        rare = self.labels[classes[np.bincount(data.truth)[classes].argmin()]]
        raise DataError(
            f"model {self.section['name']}: its probabilities cannot be calibrated, every class needs two different "
            f"recordings in each training part. Drop or merge {rare}."
        )

    def _ready(self, features: Features, statistics: Statistics) -> np.ndarray:
        mean, std, of = statistics.mean, statistics.std, statistics.rows
        if isinstance(features, Frames):
            return np.stack([pooled(clip, mean[k], std[k]) for clip, k in zip(features, of, strict=True)])
        return (features - mean[of]) / std[of]

    def probabilities(self, features: Features, statistics: Statistics | None = None) -> np.ndarray:
        """Return (n, classes) float32, columns in the order of ``labels``; a class never seen in training gets 0."""
        ready = self._ready(features, statistics or self.global_statistics(len(features)))
        found = np.zeros((len(ready), len(self.labels)), np.float32)
        found[:, self.estimator_.classes_] = self.estimator_.predict_proba(ready)
        return found

    def save(self, folder: Path) -> None:
        """Write model.skops (no pickle) and model.onnx."""
        state = {"estimator": self.estimator_, "mean": self.mean_, "std": self.std_, "frames": self.frames_}
        skops.io.dump(state, folder / self.file)
        onnx.save(self.graph(), folder / "model.onnx")

    def graph(self) -> onnx.ModelProto:
        """Return scaler, pooling, estimator and calibration as one ONNX graph."""
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType

        dims = len(self.mean_)
        constants = (self.mean_, self.std_) if self.normalise == "global" else (None, None)
        first = onnx_graph.front(dims, frames=self.frames_, mean=constants[0], std=constants[1])
        width = 4 * dims if self.frames_ else dims
        with warnings.catch_warnings():  # skl2onnx reads attributes of SVC that scikit-learn 1.11 will not have
            warnings.filterwarnings("ignore", "Attribute `prob[AB]_` was deprecated", FutureWarning)
            last = to_onnx(
                _convertible(self.estimator_),
                initial_types=[("ready", FloatTensorType([None, width]))],
                target_opset={"": onnx_graph.OPSET, "ai.onnx.ml": 3},
                options={"zipmap": False},
            )
        return onnx_graph.joined(first, last, ("ready", "ready"), "probabilities")

    @classmethod
    def load(cls, folder: Path, section: Mapping[str, Any], labels: Sequence[str], **options) -> "SklearnModel":
        path = folder / cls.file
        state = skops.io.load(path, trusted=TRUSTED)
        model = cls(section, labels, **options)
        model.estimator_, model.frames_ = state["estimator"], state["frames"]
        model.mean_, model.std_ = state["mean"], state["std"]
        return model
