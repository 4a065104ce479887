"""What each feature of a clip adds to a network's probability: integrated gradients through Keras."""

from collections.abc import Callable

import keras
import numpy as np

from models import training
from models.keras_model import KerasModel
from utils.dataset import Frames
from utils.errors import ConfigError

Attribution = Callable[[np.ndarray, int], np.ndarray]


def integrated_gradients(model: KerasModel, *, steps: int = 16) -> Attribution:
    """Return ``attribute(clip, label) -> shares``, both (frames, dims) or (dims,).

    The shares add up to what the clip's probability of the label, before its temperature, exceeds that of a clip that
    is the training mean throughout (Sundararajan, Taly & Yan 2017, arXiv 1703.01365; midpoint rule, so nearly).

    Args:
        model: fitted; the average of its networks is explained, nothing known of the speaker.
        steps: points from the mean to the clip.

    Raises:
        ConfigError: Keras runs on another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            f"gradient maps need TensorFlow, and Keras runs on {keras.backend.backend()}. Unset KERAS_BACKEND: a "
            "trained network runs on either."
        )
    slopes = [_slope(network) for network in model.networks_]
    parts = ((np.arange(steps) + 0.5) / steps).astype(np.float32)

    def attribute(clip: np.ndarray, label: int) -> np.ndarray:
        one = Frames([clip]) if clip.ndim == 2 else clip[None]
        (scaled,) = training.scaled(one, model.global_statistics(1))
        path = training.inputs([part * scaled for part in parts])
        x, rest = (path[0], path[1:]) if isinstance(path, list) else (path, [])
        found = np.mean([slope(x, rest, label).numpy().mean(axis=0) for slope in slopes], axis=0)
        return scaled * found[: len(scaled)]

    return attribute


def _slope(network: keras.Model) -> Callable:
    """Return the gradient of one class's probability by the inputs, compiled: recurrent layers crawl otherwise."""
    import tensorflow

    @tensorflow.function(reduce_retracing=True)
    def slope(x, rest, label):
        with tensorflow.GradientTape() as tape:
            tape.watch(x)
            said = network([x, *rest] if rest else x, training=False)
            chosen = tensorflow.gather(said, label, axis=1)
        return tape.gradient(chosen, x)

    return lambda x, rest, label: slope(
        tensorflow.constant(x), [tensorflow.constant(r) for r in rest], tensorflow.constant(label)
    )
