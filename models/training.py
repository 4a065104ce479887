"""The training loop of the networks: bucketed batches, early stopping by validation UAR, resumable at any epoch."""

import io
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
from keras import ops

from models import finetune
from models.common import Statistics
from utils import plugins
from utils.config import Train
from utils.dataset import Features, Frames
from utils.errors import ConfigError
from utils.uar import confusion, uar

FRAME_STEP = 16  # padded lengths are multiples of it: few distinct shapes to compile, little padding
POOL = 16  # batches whose clips are sorted by length together


@dataclass
class Progress:
    """The state of a training; with the variables of the network it is all that resuming needs.

    Attributes:
        epoch: finished epochs.
        best_epoch, best_uar: of validation; 0 and -1 before the first validation.
        history: loss, val_loss and val_uar of each epoch.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_uar: float = -1.0
    history: dict[str, list[float]] = field(default_factory=lambda: {"loss": [], "val_loss": [], "val_uar": []})


def scaled(features: Features, statistics: Statistics) -> list[np.ndarray]:
    """Return each clip minus its mean, divided by its deviation, (frames, dims) or (dims,) float32."""
    mean, std = statistics.mean[statistics.rows], statistics.std[statistics.rows]
    return [(clip - m) / s for clip, m, s in zip(features, mean, std, strict=True)]


def augmented(clips: list, targets: np.ndarray, steps: Sequence[Mapping], rng: np.random.Generator) -> tuple:
    """Return clips and targets after every step ``{name, argument: value}`` of a config's ``augment``."""
    for step in steps:
        clips, targets = plugins.call("augment", step, "augment", clips, targets, rng)
    return clips, targets


def inputs(clips: list[np.ndarray]) -> np.ndarray | list[np.ndarray]:
    """Return the inputs of a network for scaled clips: vectors (B, D), or padded frames (B, T, D) and lengths (B,)."""
    if clips[0].ndim == 1:
        return np.stack(clips)
    frames = Frames(clips)
    longest = int(frames.lengths.max())
    return list(frames.pad(-(-longest // FRAME_STEP) * FRAME_STEP))


def batches(features: Features, size: int, rng: np.random.Generator | None = None) -> Iterator[np.ndarray]:
    """Yield the clip indices of each batch, clips of similar length together.

    Args:
        size: clips per batch; the last batch of a group can be smaller.
        rng: shuffles clips and batches; without it batches come in order of length.
    """
    count = len(features)
    lengths = features.lengths if isinstance(features, Frames) else np.zeros(count, np.int64)
    if rng is None:
        order = np.argsort(lengths, kind="stable")
        yield from np.split(order, range(size, count, size))
        return
    order = rng.permutation(count)
    groups = []
    for start in range(0, count, size * POOL):
        pool = order[start : start + size * POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        groups += np.split(pool, range(size, len(pool), size))
    for number in rng.permutation(len(groups)):
        yield groups[number]


def predict(network: keras.Model, features: Features, statistics: Statistics, size: int = 64) -> np.ndarray:
    """Return probabilities (n, classes) float32 in the order of the clips."""
    probabilities = np.empty((len(features), network.output_shape[-1]), np.float32)
    for batch in batches(features, size):
        probabilities[batch] = network.predict_on_batch(inputs(scaled(features[batch], statistics[batch])))
    return probabilities


def optimizer(train: Train, rates: Sequence[float] = ()) -> keras.optimizers.Optimizer:
    """Return the optimizer that a config's ``train`` section names.

    Args:
        rates: factors of the learning rate, one per trainable variable of the network; none if all are 1.
    """
    common = {"learning_rate": train.learning_rate, "global_clipnorm": train.clip_norm}
    if train.ema:
        common |= {"use_ema": True, "ema_momentum": train.ema}
    decay = train.weight_decay or None
    kind = {"sgd": keras.optimizers.SGD, "adamw": keras.optimizers.AdamW}.get(train.optimizer, keras.optimizers.Adam)
    common |= {"weight_decay": train.weight_decay if train.optimizer == "adamw" else decay}
    common |= {"momentum": 0.9, "nesterov": True} if train.optimizer == "sgd" else {}
    return _by_layer(kind(**common), rates) if rates else kind(**common)


def _by_layer(made: keras.optimizers.Optimizer, rates: Sequence[float]) -> keras.optimizers.Optimizer:
    """Return the optimizer with smaller steps for some variables.

    Smaller gradients would not do: Adam divides them by their size. A class of its own would stand in model.keras.
    """
    step = made.update_step

    def scaled_step(gradient, variable, rate):
        step(gradient, variable, rate * rates[made._get_variable_index(variable)])

    made.update_step = scaled_step
    return made


def rate_factors(network: keras.Model) -> list[float]:
    """Return the factor of the learning rate for each trainable variable; none if all are 1.

    A layer states its own as ``rate_factor``.
    """
    slow = {
        id(variable): layer.rate_factor
        for layer in finetune.leaves(network)
        if hasattr(layer, "rate_factor")
        for variable in layer.trainable_variables
    }
    return [slow.get(id(variable), 1.0) for variable in network.trainable_variables] if slow else []


def loss(train: Train) -> keras.losses.Loss:
    """Return the loss over one-hot targets that a config's ``train`` section names.

    Focal loss: Lin et al. 2017, arXiv 1708.02002, gamma 2.
    """
    if train.loss == "focal":
        return keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=2.0, label_smoothing=train.label_smoothing)
    return keras.losses.CategoricalCrossentropy(label_smoothing=train.label_smoothing)


def learning_rate(train: Train, epoch: int, history: dict[str, list[float]]) -> float:
    """Return the learning rate of an epoch (from 0).

    Args:
        history: losses so far, which the schedule "plateau" reads.
    """
    top = train.learning_rate
    if train.unfreeze_epoch and epoch + 1 >= train.unfreeze_epoch:
        top *= train.unfreeze_rate
    if epoch < train.warmup_epochs:
        return top * (epoch + 1) / (train.warmup_epochs + 1)
    part = (epoch - train.warmup_epochs) / max(1, train.epochs - train.warmup_epochs)
    if train.schedule == "cosine":
        return top * 0.5 * (1 + np.cos(np.pi * part))
    if train.schedule == "step":
        return top * 0.1 ** ((part >= 0.5) + (part >= 0.75))
    if train.schedule == "plateau":
        watched = history["val_loss"] or history["loss"]
        return top * 0.5 ** _plateaus(watched)
    return top


def _plateaus(values: list[float], patience: int = 5) -> int:
    """Return how many times ``patience`` epochs passed without a new lowest value."""
    best, waited, count = np.inf, 0, 0
    for value in values:
        waited = 0 if value < best else waited + 1
        best = min(best, value)
        if waited == patience:
            count, waited = count + 1, 0
    return count


def class_weights(truth: np.ndarray, n_classes: int, kind: str) -> np.ndarray:
    """Return weights (classes,) float32: ones for "none", else inverse to frequency, with mean 1 over the clips."""
    if kind == "none":
        return np.ones(n_classes, np.float32)
    counts = np.bincount(truth, minlength=n_classes)
    present = counts > 0
    return np.where(present, len(truth) / (present.sum() * np.maximum(counts, 1)), 0).astype(np.float32)


class Trainer:
    """Trains one network.

    Args:
        network: uncompiled.
        train: a config's ``train`` section.
        seed: of the order of the clips and of augmentation.
        state: file that a stopped training resumes from; without it nothing is written.
        augment: steps ``{name, argument: value}`` on the features of each batch.

    Raises:
        ConfigError: ``train.unfreeze_epoch`` is set and no layer is frozen.
    """

    def __init__(
        self,
        network: keras.Model,
        train: Train,
        *,
        seed: int,
        state: Path | None = None,
        augment: Sequence[Mapping] = (),
    ):
        self.network, self.train, self.seed, self.state, self.augment = network, train, seed, state, augment
        if train.unfreeze_epoch and not finetune.frozen(network):
            raise ConfigError("train.unfreeze_epoch: no layer is frozen. Name some in freeze, or leave the key out.")
        self._compile()
        self.progress = Progress()
        self.best: list[np.ndarray] = []

    def fit(
        self,
        data: tuple[Features, Statistics, np.ndarray],
        validation: tuple[Features, Statistics, np.ndarray] | None,
        report: Callable[[dict], None],
    ) -> Progress:
        """Train on (features, statistics, truth); with validation keep the weights of the epoch with the best UAR.

        ``report`` is called after each epoch with ``epoch``, ``epochs``, ``seconds_each``, ``seconds_left``,
        ``learning_rate`` and the last values of the history.
        """
        self._resume()
        started, first_epoch = time.monotonic(), self.progress.epoch
        while not self._done():
            epoch = self.progress.epoch
            if epoch + 1 == self.train.unfreeze_epoch:
                self._unfreeze()
            rate = learning_rate(self.train, epoch, self.progress.history)
            self.network.optimizer.learning_rate = rate
            self.progress.history["loss"].append(self._epoch(data, epoch))
            with self._averaged():
                self._validate(validation)
            self.progress.epoch += 1
            self._save()
            each = (time.monotonic() - started) / (self.progress.epoch - first_epoch)
            history = {key: values[-1] for key, values in self.progress.history.items() if values}
            left = each * (self.train.epochs - self.progress.epoch)
            line = {"epoch": self.progress.epoch, "epochs": self.train.epochs}
            line |= {"seconds_each": each, "seconds_left": left}
            report(line | {"learning_rate": float(rate)} | history)
        if self.best:
            self._assign(self.network.variables, self.best)
        elif self.train.ema:
            self.network.optimizer.finalize_variable_values(self.network.trainable_variables)
        return self.progress

    def _compile(self) -> None:
        xla = "auto" if self.train.jit_compile is None else self.train.jit_compile
        rates = rate_factors(self.network)
        self.network.compile(optimizer=optimizer(self.train, rates), loss=loss(self.train), jit_compile=xla)
        self.network.optimizer.build(self.network.trainable_variables)

    def _unfreeze(self) -> None:
        """Let the frozen layers learn, with a new optimizer: the old one has no moments for their weights."""
        finetune.unfreeze(self.network)
        self._compile()

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Use the moving average of the weights inside this block, if ``train.ema`` keeps one."""
        if not self.train.ema:
            yield
            return
        weights = self.network.trainable_variables
        now = [ops.convert_to_numpy(weight) for weight in weights]
        self.network.optimizer.finalize_variable_values(weights)
        yield
        self._assign(weights, now)

    def _done(self) -> bool:
        switch = (self.train.unfreeze_epoch or 1) - 1  # patience starts again when layers are unfrozen
        waited = self.progress.epoch - max(self.progress.best_epoch, switch)
        return self.progress.epoch >= self.train.epochs or (bool(self.best) and waited >= self.train.patience)

    def _epoch(self, data: tuple, epoch: int) -> float:
        features, statistics, truth = data
        n_classes = self.network.output_shape[-1]
        targets = np.eye(n_classes, dtype=np.float32)
        weights = class_weights(truth, n_classes, self.train.class_weight)
        rng = np.random.default_rng([self.seed, epoch])  # of the epoch alone: a resumed training has the same order
        total = 0.0
        for batch in batches(features, self.train.batch_size, rng):
            clips = scaled(features[batch], statistics[batch])
            clips, mixed_targets = augmented(clips, targets[truth[batch]], self.augment, rng)
            logs = self.network.train_on_batch(
                inputs(clips), mixed_targets, sample_weight=weights[truth[batch]], return_dict=True
            )
            total += float(logs["loss"]) * len(batch)  # Keras gives the loss of this batch alone
        return total / len(features)

    def _validate(self, validation: tuple | None) -> None:
        if validation is None:
            return
        features, statistics, truth = validation
        probabilities = predict(self.network, features, statistics)
        score = float(uar(confusion(truth, probabilities.argmax(axis=1), probabilities.shape[1])))
        log_likelihood = np.log(np.maximum(probabilities[np.arange(len(truth)), truth], 1e-7))
        self.progress.history["val_loss"].append(float(-log_likelihood.mean()))
        self.progress.history["val_uar"].append(score)
        if score > self.progress.best_uar:
            self.progress.best_uar, self.progress.best_epoch = score, self.progress.epoch + 1
            self.best = [ops.convert_to_numpy(v) for v in self.network.variables]

    def _save(self) -> None:
        if self.state is None:
            return
        arrays = {f"now_{n}": ops.convert_to_numpy(v) for n, v in enumerate(self._variables())}
        arrays |= {f"best_{n}": value for n, value in enumerate(self.best)}
        buffer = io.BytesIO()
        np.savez(buffer, progress=np.array(json.dumps(vars(self.progress))), **arrays)
        unfinished = self.state.with_suffix(".part")
        unfinished.write_bytes(buffer.getbuffer())
        os.replace(unfinished, self.state)

    def _resume(self) -> None:
        if self.state is None or not self.state.exists():
            return
        with np.load(self.state) as saved:
            self.progress = Progress(**json.loads(str(saved["progress"])))
            if self.train.unfreeze_epoch and self.progress.epoch >= self.train.unfreeze_epoch:
                self._unfreeze()
            self._assign(self._variables(), [saved[f"now_{n}"] for n in range(len(self._variables()))])
            self.best = [saved[f"best_{n}"] for n in range(sum(name.startswith("best_") for name in saved))]

    def _variables(self) -> list:
        """Return weights, the states of the dropout generators, and the optimizer's moments."""
        return [*self.network.variables, *self.network.optimizer.variables]

    @staticmethod
    def _assign(variables: list, values: list[np.ndarray]) -> None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
