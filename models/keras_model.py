"""Keras networks as emotion models: scaled inside the graph, trained with early stopping, shipped as ONNX."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from models import onnx_graph
from models.common import EmotionModel, Report, Statistics
from models.quiet import quiet
from utils.config import Train
from utils.dataset import Dataset, Features

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with quiet():  # TensorFlow announces its builds on every start
    import keras

    from models import layers, training
for chatter in ("tensorflow", "tf2onnx"):  # retracing and conversion notes; errors are exceptions
    logging.getLogger(chatter).setLevel(logging.ERROR)


def build_network(section: Mapping[str, Any], plugin, *, frames: bool, dims: int, n_classes: int) -> keras.Model:
    """Return the uncompiled network of a config's ``model`` section."""
    arguments = {key: value for key, value in section.items() if key != "name"}
    return plugin.load().build((None, dims) if frames else (dims,), n_classes, **arguments)


class KerasModel(EmotionModel):
    """A network of models/dnn/; several runs, if asked for, whose probabilities are averaged."""

    file = "model.keras"

    def _fit(
        self,
        data: Dataset,
        statistics: Statistics,
        validation: tuple[Dataset, Statistics] | None = None,
        *,
        train: Train,
        state: Path | None = None,
        report: Report = lambda line: None,
    ) -> None:
        """Train ``train.runs`` networks; ``state`` is a folder for what resuming needs."""
        held = (validation[0].features, validation[1], validation[0].truth) if validation else None
        self.networks_, self.progress_ = [], []
        for run in range(train.runs):
            seed = self.seed + 1000 * run
            keras.utils.set_random_seed(seed)
            network = build_network(
                self.section, self.plugin, frames=self.frames_, dims=len(self.mean_), n_classes=len(self.labels)
            )
            file = state / f"run-{run}.npz" if state else None
            trainer = training.Trainer(network, train, seed=seed, state=file)
            line = {"run": run + 1, "runs": train.runs}
            progress = trainer.fit(
                (data.features, statistics, data.truth), held, lambda epoch, line=line: report(line | epoch)
            )
            network.name = f"network_{run + 1}"  # unique in the graph that averages them
            self.networks_.append(network)
            self.progress_.append(progress)

    @property
    def best_epoch(self) -> int:
        """Return the median over the runs of the epoch that validation liked best."""
        return max(1, round(float(np.median([p.best_epoch for p in self.progress_]))))

    @property
    def histories(self) -> list[dict[str, list[float]]]:
        return [progress.history for progress in self.progress_]

    def probabilities(self, features: Features, statistics: Statistics | None = None) -> np.ndarray:
        statistics = statistics or self.unknown_speaker(len(features))
        return np.mean([training.predict(n, features, statistics) for n in self.networks_], axis=0)

    def serving(self) -> keras.Model:
        """Return the network from raw features to averaged probabilities, scaler included."""
        dims = len(self.mean_)
        features = keras.Input((None, dims) if self.frames_ else (dims,), name="features")
        given = [features]
        lengths = keras.Input((), dtype="int64", name="lengths") if self.frames_ else None
        given += [lengths] if self.frames_ else []
        speaker = [keras.Input((dims,), name=f"speaker_{name}") for name in ("mean", "std")]
        speaker = speaker if self.normalise == "speaker" else []
        given += speaker
        ready = layers.Standardise(self.mean_, self.std_, name="scaled")(features, *speaker)
        if self.frames_:
            ready = layers.Blank(name="blanked")(ready, layers.FrameMask(name="real")(features, lengths))
        each = [network([ready, lengths] if self.frames_ else ready) for network in self.networks_]
        return keras.Model(given, each[0] if len(each) == 1 else keras.layers.Average()(each), name="serving")

    def save(self, folder: Path) -> None:
        """Write model.keras (scaler included) and model.onnx."""
        serving = self.serving()
        serving.save(folder / self.file)
        serving.predict_on_batch(self._example(serving))  # Keras exports only what has been called
        path = folder / "model.onnx"
        with quiet():
            serving.export(path, format="onnx", verbose=False, opset_version=onnx_graph.OPSET)
        graph = onnx.load(path)
        onnx.save(onnx_graph.named(graph, {graph.graph.output[0].name: "probabilities"}), path)

    def _example(self, serving: keras.Model) -> np.ndarray | list[np.ndarray]:
        shapes = [tuple(16 if size is None else size for size in tensor.shape) for tensor in serving.inputs]
        return [np.ones(shape, "int64" if len(shape) == 1 else "float32") for shape in shapes]

    @classmethod
    def load(cls, folder: Path, section: Mapping[str, Any], labels: Sequence[str], **options) -> "KerasModel":
        serving = keras.saving.load_model(folder / cls.file)
        model = cls(section, labels, **options)
        model.networks_ = [layer for layer in serving.layers if isinstance(layer, keras.Model)]
        model.frames_ = len(serving.inputs[0].shape) == 3
        scaled = serving.get_layer("scaled")
        model.mean_, model.std_ = np.float32(scaled.mean), np.float32(scaled.std)
        return model
