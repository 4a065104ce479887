"""Keras networks as emotion models: scaled inside the graph, trained with early stopping, exported to ONNX."""

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
from utils.errors import ConfigError
from utils.plugins import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# tf2onnx would copy the whole graph, weights and all, before each of two dozen passes, in case one fails: a third of
# the time of a conversion. Set to whatever value, this leaves the copies out, and a pass that fails is an error.
os.environ.setdefault("TF2ONNX_CATCH_ERRORS", "FALSE")
with capture_output():  # TensorFlow writes about its build on every start
    import keras

    from models import attention_map, finetune, layers, training
for logger in ("tensorflow", "tf2onnx"):  # notes on retracing and conversion; errors are exceptions
    logging.getLogger(logger).setLevel(logging.ERROR)


if keras.backend.backend() == "tensorflow":
    import tensorflow

    for gpu in tensorflow.config.list_physical_devices("GPU"):
        tensorflow.config.experimental.set_memory_growth(gpu, True)  # leave room for others on the card


def device() -> str:
    """Return the device and backend that train, e.g. "GPU:0 (tensorflow)"."""
    devices = keras.distribution.list_devices()
    best = next((name for name in devices if "cpu" not in name.lower()), devices[0])
    return f"{best.upper()} ({keras.backend.backend()})"


@contextmanager
def precision(mixed: bool) -> Iterator[None]:
    """Build the layers of this block to compute in float16 if ``mixed``, else in float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16" if mixed else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def build_network(section: Mapping[str, Any], plugin, *, frames: bool, dims: int, n_classes: int) -> keras.Model:
    """Return the uncompiled network of a config's ``model`` section.

    Args:
        section: ``name`` and arguments.
        plugin: the file of that name.
        frames: whether it reads frames (B, T, dims) or vectors (B, dims).
        dims: of the features.
        n_classes: 2 or more.

    Raises:
        ConfigError: arguments that do not fit the features.
    """
    try:
        return plugin.load().build((None, dims) if frames else (dims,), n_classes, **settings(section))
    except ValueError as error:  # Keras's own
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"model {section['name']}: makes no network of {dims} features: {reason}.") from error


def _average(tensors: list[keras.KerasTensor]) -> keras.KerasTensor:
    return tensors[0] if len(tensors) == 1 else keras.layers.Average()(tensors)


class KerasModel(EmotionModel):
    """A network of models/dnn/, or several (``train.runs``) whose probabilities are averaged.

    Attributes:
        networks_: one fitted network per run; they take scaled features.
        progress_: one ``training.Progress`` per run.
    """

    file = "model.keras"
    _mapped: tuple[keras.Model, ...] = ()  # the networks that ``_maps`` was made of
    _maps: tuple[keras.Model, ...] = ()

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
        """Train ``train.runs`` networks.

        Args:
            data, statistics: the clips and what scales each.
            validation: the same of the clips that decide when to stop.
            train: a config's ``train`` section.
            augment: steps ``{name, argument: value}`` on the features of each batch.
            init: checkpoint to start from.
            freeze: names of layers that do not learn.
            state: folder for files that a stopped training resumes from.
            report: called after each epoch with ``run``, ``runs``, ``device`` and the keys of ``Trainer.fit``.
        """
        self.usage.add("fit", data)
        if validation:
            self.usage.add("validation", validation[0])
        held_out = (validation[0].features, validation[1], validation[0].truth) if validation else None
        self.networks_, self.progress_ = [], []
        for run in range(train.runs):
            seed = self.seed + 1000 * run
            keras.utils.clear_session(free_memory=False)  # the same layer names in every run, for ``freeze``
            keras.utils.set_random_seed(seed)
            with precision(train.mixed_precision):
                network = self._build()
            if init:
                self.usage.start = init
                finetune.start_from(network, finetune.networks(Path(init)), run)
            self._restore_scale(network)
            finetune.freeze(network, freeze)
            file = state / f"run-{run}.npz" if state else None
            trainer = training.Trainer(network, train, seed=seed, state=file, augment=augment)
            line = {"run": run + 1, "runs": train.runs, "device": device()}
            progress = trainer.fit(
                (data.features, statistics, data.truth), held_out, lambda epoch, line=line: report(line | epoch)
            )
            if train.mixed_precision:  # the saved network computes in float32
                trained, network = network, self._build()
                network.set_weights(trained.get_weights())
            network.name = f"network_{run + 1}"  # unique in the graph that averages them
            self.networks_.append(network)
            self.progress_.append(progress)

    def _build(self) -> keras.Model:
        dims, n_classes = len(self.mean_), len(self.labels)
        return build_network(self.section, self.plugin, frames=self.frames_, dims=dims, n_classes=n_classes)

    def _restore_scale(self, network: keras.Model) -> None:
        """Tell a network that wants its features unscaled what scales them."""
        for layer in network.layers:
            if isinstance(layer, layers.RestoreScale):
                layer.set_scale(self.mean_, self.std_)

    @property
    def best_epoch(self) -> int:
        """The epoch of the best validation UAR, the median over the runs."""
        return max(1, round(float(np.median([p.best_epoch for p in self.progress_]))))

    @property
    def histories(self) -> list[dict[str, list[float]]]:
        """Per run: loss, val_loss and val_uar of each epoch."""
        return [progress.history for progress in self.progress_]

    def probabilities(self, features: Features, statistics: Statistics | None = None) -> np.ndarray:
        """Return (n, classes) float32, averaged over the runs, after the temperature."""
        statistics = statistics or self.global_statistics(len(features))
        averaged = np.mean([training.predict(n, features, statistics) for n in self.networks_], axis=0)
        return apply_temperature(averaged, self.temperature_)

    def attention(self, features: Features, statistics: Statistics | None = None) -> list[np.ndarray]:
        """Return the weight of each frame in the attention, per clip (frames,) float32 of sum 1.

        Where a step of the attention covers several frames (pooling, chunks), its weight is shared evenly by the real
        ones among them; frames after the last whole chunk have weight 0. The weights are averaged over the attention
        layers of a network, and over the runs.

        Raises:
            ConfigError: the network has no attention.
        """
        networks = self._with_attention_map()
        if not networks:
            raise attention_error(self.section["name"])
        statistics = statistics or self.global_statistics(len(features))
        weights: list[np.ndarray] = [np.empty(0)] * len(features)
        for batch in training.batches(features, 64):
            ready = training.inputs(training.scaled(features[batch], statistics[batch]))
            padded = np.mean([network.predict_on_batch(ready)[1] for network in networks], axis=0)  # (B, T)
            for clip, row in zip(batch, padded, strict=True):
                weights[clip] = row[: features.lengths[clip]]
        return weights

    def _with_attention_map(self) -> list[keras.Model]:
        """Return the networks with their attention weights as a second output; none if they have no attention.

        They are made once, because Keras compiles each anew.
        """
        if self._mapped != tuple(self.networks_):
            self._mapped = tuple(self.networks_)
            self._maps = tuple(filter(None, map(attention_map.with_attention_map, self.networks_)))
        return list(self._maps)

    def serving(self, *, attention: bool = False) -> keras.Model:
        """Return the network from raw features to averaged probabilities, scaler and temperature included.

        Args:
            attention: add the averaged attention weights (B, T) as a second output, if the networks have any.
        """
        dims = len(self.mean_)
        features = keras.Input((None, dims) if self.frames_ else (dims,), name="features")
        inputs = [features]
        lengths = keras.Input((), dtype="int64", name="lengths") if self.frames_ else None
        inputs += [lengths] if self.frames_ else []
        speaker = [keras.Input((dims,), name=f"speaker_{name}") for name in ("mean", "std")]
        speaker = speaker if self.normalise == "speaker" else []
        inputs += speaker
        ready = layers.Standardise(self.mean_, self.std_, name="scaled")(features, *speaker)
        if self.frames_:
            ready = layers.MaskPadding(name="blanked")(ready, layers.FrameMask(name="real")(features, lengths))
        networks = (self._with_attention_map() if attention else []) or self.networks_
        each = [network([ready, lengths] if self.frames_ else ready) for network in networks]
        each = [[output] for output in each] if networks is self.networks_ else each
        outputs = [_average(list(output)) for output in zip(*each, strict=True)]
        outputs[0] = layers.Temperature(float(self.temperature_), name="calibrated")(outputs[0])
        return keras.Model(inputs, outputs[0] if len(outputs) == 1 else outputs, name="serving")

    def save(self, folder: Path) -> None:
        """Write model.keras (scaler and temperature included) and model.onnx."""
        self.serving().save(folder / self.file)
        serving = self.serving(attention=True)
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
        """Return the model that ``save`` wrote, from model.keras; arguments as for the class."""
        serving = finetune.load(folder / cls.file)
        model = cls(section, labels, **options)
        model.networks_ = [layer for layer in serving.layers if isinstance(layer, keras.Model)]
        model.frames_ = len(serving.inputs[0].shape) == 3
        scaled = serving.get_layer("scaled")
        model.mean_, model.std_ = np.float32(scaled.mean), np.float32(scaled.std)
        model.temperature_ = serving.get_layer("calibrated").temperature
        return model
