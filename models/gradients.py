"""How much each feature of a clip adds to a network's probability: integrated gradients through Keras."""

from collections.abc import Callable

import keras
import numpy as np

from models import training
from models.keras_model import KerasModel
from utils.dataset import Frames
from utils.errors import ConfigError

Attribution = Callable[[np.ndarray, int], np.ndarray]


def integrated_gradients(model: KerasModel, *, steps: int = 16) -> Attribution:
    """Return a function ``attribute(clip, label) -> shares``; clip and shares are (frames, dims) or (dims,).

    label is the index of a class. The shares sum, up to the midpoint rule, to the difference between the clip's
    probability of the label, before its temperature, and that of a clip whose every value is the training mean
    (Sundararajan, Taly & Yan 2017, arXiv 1703.01365).

    Args:
        model: fitted; the average of its networks is explained, without information about the speaker.
        steps: points from the mean to the clip, 1 or more.

    Raises:
        ConfigError: Keras runs on another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            f"gradient maps need TensorFlow, and Keras runs on {keras.backend.backend()}. Unset KERAS_BACKEND: a "
            "trained network runs on either."
        )
    gradients = [_gradient(network) for network in model.networks_]
    fractions = ((np.arange(steps) + 0.5) / steps).astype(np.float32)

    def attribute(clip: np.ndarray, label: int) -> np.ndarray:
        features = Frames([clip]) if clip.ndim == 2 else clip[None]
        (scaled,) = training.scaled(features, model.global_statistics(1))
        path = training.inputs([fraction * scaled for fraction in fractions])
        x, rest = (path[0], path[1:]) if isinstance(path, list) else (path, [])
        mean = np.mean([gradient(x, rest, label).numpy().mean(axis=0) for gradient in gradients], axis=0)
        return scaled * mean[: len(scaled)]

    return attribute


def _gradient(network: keras.Model) -> Callable:
    """Return the gradient of one class's probability by the inputs, compiled: recurrent layers are slow otherwise."""
    import tensorflow

    @tensorflow.function(reduce_retracing=True)
    def gradient(x, rest, label):
        with tensorflow.GradientTape() as tape:
            tape.watch(x)
            probabilities = network([x, *rest] if rest else x, training=False)
            of_label = tensorflow.gather(probabilities, label, axis=1)
        return tape.gradient(of_label, x)

    return lambda x, rest, label: gradient(
        tensorflow.constant(x), [tensorflow.constant(r) for r in rest], tensorflow.constant(label)
    )
