"""Keras networks as emotion models: scaled inside the graph, trained with early stopping, shipped as ONNX."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from models import onnx_graph
from models.attention_support import attention_error
from models.captured_output import capture_output
from models.common import EmotionModel, Report, Statistics
from models.temperature import apply_temperature
from utils.config import Train
from utils.dataset import Dataset, Features

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with capture_output():  # TensorFlow announces its builds on every start
    import keras

    from models import attention_map, finetune, layers, training
for chatter in ("tensorflow", "tf2onnx"):  # retracing and conversion notes; errors are exceptions
    logging.getLogger(chatter).setLevel(logging.ERROR)


if keras.backend.backend() == "tensorflow":
    import tensorflow

    for gpu in tensorflow.config.list_physical_devices("GPU"):
        tensorflow.config.experimental.set_memory_growth(gpu, True)  # leave room for others on the card


def device() -> str:
    """Return what trains, in words: "GPU:0 (tensorflow)"."""
    found = keras.distribution.list_devices()
    best = next((name for name in found if "cpu" not in name.lower()), found[0])
    return f"{best.upper()} ({keras.backend.backend()})"


@contextmanager
def precision(mixed: bool) -> Iterator[None]:
    """Build layers that compute in float16, if asked for."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16" if mixed else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def build_network(section: Mapping[str, Any], plugin, *, frames: bool, dims: int, n_classes: int) -> keras.Model:
    """Return the uncompiled network of a config's ``model`` section."""
    arguments = {key: value for key, value in section.items() if key != "name"}
    return plugin.load().build((None, dims) if frames else (dims,), n_classes, **arguments)


def _average(tensors: list[keras.KerasTensor]) -> keras.KerasTensor:
    return tensors[0] if len(tensors) == 1 else keras.layers.Average()(tensors)


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
        augment: Sequence[Mapping[str, Any]] = (),
        init: str | None = None,
        freeze: Sequence[str] = (),
        state: Path | None = None,
        report: Report = lambda line: None,
    ) -> None:
        """Train ``train.runs`` networks; ``state`` is a folder for what resuming needs."""
        self.usage.add("fit", data)
        if validation:
            self.usage.add("validation", validation[0])
        held = (validation[0].features, validation[1], validation[0].truth) if validation else None
        self.networks_, self.progress_ = [], []
        for run in range(train.runs):
            seed = self.seed + 1000 * run
            keras.utils.clear_session(free_memory=False)  # layers are named alike in every run, for ``freeze``
            keras.utils.set_random_seed(seed)
            with precision(train.mixed_precision):
                network = self._build()
            if init:
                self.usage.start = init
                finetune.start_from(network, finetune.networks(Path(init)), run)
            finetune.freeze(network, freeze)
            file = state / f"run-{run}.npz" if state else None
            trainer = training.Trainer(network, train, seed=seed, state=file, augment=augment)
            line = {"run": run + 1, "runs": train.runs, "device": device()}
            progress = trainer.fit(
                (data.features, statistics, data.truth), held, lambda epoch, line=line: report(line | epoch)
            )
            if train.mixed_precision:  # what is shipped computes in float32
                trained, network = network, self._build()
                network.set_weights(trained.get_weights())
            network.name = f"network_{run + 1}"  # unique in the graph that averages them
            self.networks_.append(network)
            self.progress_.append(progress)

    def _build(self) -> keras.Model:
        dims, n_classes = len(self.mean_), len(self.labels)
        return build_network(self.section, self.plugin, frames=self.frames_, dims=dims, n_classes=n_classes)

    @property
    def best_epoch(self) -> int:
        """Return the median over the runs of the epoch that validation liked best."""
        return max(1, round(float(np.median([p.best_epoch for p in self.progress_]))))

    @property
    def histories(self) -> list[dict[str, list[float]]]:
        return [progress.history for progress in self.progress_]

    def probabilities(self, features: Features, statistics: Statistics | None = None) -> np.ndarray:
        statistics = statistics or self.global_statistics(len(features))
        found = np.mean([training.predict(n, features, statistics) for n in self.networks_], axis=0)
        return apply_temperature(found, self.temperature_)

    def attention(self, features: Features, statistics: Statistics | None = None) -> list[np.ndarray]:
        """Return how much each frame of each clip weighed in its pooling: (frames,) float32 a clip, sum 1.

        Where attention sees steps of several frames (pooling, chunks), a step's weight is shared evenly by the real
        frames it covers; frames behind the last whole chunk have weight 0. Averaged over the attention layers of a
        network, and over the runs.

        Raises:
            ConfigError: the network has no attention.
        """
        readers = self._attending()
        if not readers:
            raise attention_error(self.section["name"])
        statistics = statistics or self.global_statistics(len(features))
        found: list[np.ndarray] = [np.empty(0)] * len(features)
        for batch in training.batches(features, 64):
            ready = training.inputs(training.scaled(features[batch], statistics[batch]))
            weights = np.mean([reader.predict_on_batch(ready)[1] for reader in readers], axis=0)  # (B, T)
            for clip, row in zip(batch, weights, strict=True):
                found[clip] = row[: features.lengths[clip]]
        return found

    def _attending(self) -> list[keras.Model]:
        """The networks with their attention weights as a second output; none if they have no attention."""
        return [reader for reader in map(attention_map.with_attention_map, self.networks_) if reader]

    def serving(self, *, attending: bool = False) -> keras.Model:
        """Return the network from raw features to averaged probabilities, scaler and temperature included.

        Args:
            attending: with the averaged attention weights (B, T) as a second output, if the networks have any.
        """
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
        networks = (self._attending() if attending else []) or self.networks_
        each = [network([ready, lengths] if self.frames_ else ready) for network in networks]
        each = [[output] for output in each] if networks is self.networks_ else each
        outputs = [_average(list(output)) for output in zip(*each, strict=True)]
        outputs[0] = layers.Temperature(float(self.temperature_), name="calibrated")(outputs[0])
        return keras.Model(given, outputs[0] if len(outputs) == 1 else outputs, name="serving")

    def save(self, folder: Path) -> None:
        """Write model.keras (scaler and temperature included) and model.onnx."""
        self.serving().save(folder / self.file)
        serving = self.serving(attending=True)
        serving.predict_on_batch(self._example(serving))  # Keras exports only what has been called
        path = folder / "model.onnx"
        with capture_output():
            serving.export(path, format="onnx", verbose=False, opset_version=onnx_graph.OPSET)
        graph = onnx.load(path)
        names = {output.name: name for output, name in zip(graph.graph.output, onnx_graph.OUTPUTS, strict=False)}
        onnx.save(onnx_graph.named(graph, names), path)

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
        model.temperature_ = serving.get_layer("calibrated").temperature
        return model
