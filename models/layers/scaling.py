"""The scaler before a network in its checkpoint, what undoes it inside a pretrained one, and the temperature."""

import keras
from keras import ops

from models.layers.base import ExplicitMaskLayer, register
from models.temperature import FLOOR


@register
class Standardise(ExplicitMaskLayer):
    """(x, mean, std) -> (x - mean) / std; mean and std are inputs (B, D), or else the layer's own constants (D,)."""

    def __init__(self, mean, std, **kwargs):
        super().__init__(**kwargs)
        self.mean, self.std = [float(value) for value in mean], [float(value) for value in std]

    def call(self, x, mean=None, std=None):
        if mean is None:
            return (x - ops.convert_to_tensor(self.mean, x.dtype)) / ops.convert_to_tensor(self.std, x.dtype)
        if len(x.shape) == 3:
            mean, std = ops.expand_dims(mean, 1), ops.expand_dims(std, 1)
        return (x - mean) / std

    def compute_output_spec(self, x, mean=None, std=None):
        return keras.KerasTensor(x.shape, dtype=x.dtype)

    def get_config(self):
        return {**super().get_config(), "mean": self.mean, "std": self.std}


@register
class RestoreScale(ExplicitMaskLayer):
    """Scaled features (B, T, D) -> as they were: x * std + mean of the training set, which ``KerasModel`` sets.

    For a pretrained network, which was trained on features that were not scaled. Features that were scaled by a
    speaker's own statistics get those of the training set.
    """

    def build(self, input_shape):
        self.mean = self.add_weight(shape=input_shape[-1:], initializer="zeros", trainable=False, name="mean")
        self.std = self.add_weight(shape=input_shape[-1:], initializer="ones", trainable=False, name="std")

    def call(self, x):
        return x * ops.cast(self.std, x.dtype) + ops.cast(self.mean, x.dtype)

    def set_scale(self, mean, std) -> None:
        """Take mean and std (D,) of the training set."""
        self.mean.assign(mean)
        self.std.assign(std)


@register
class Temperature(keras.layers.Layer):
    """probabilities (B, C) -> softmax(log p / temperature), as ``models.temperature.apply_temperature``."""

    def __init__(self, temperature: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.temperature = temperature

    def call(self, probabilities):
        return ops.softmax(ops.log(ops.maximum(probabilities, FLOOR)) / self.temperature)

    def get_config(self):
        return super().get_config() | {"temperature": self.temperature}
