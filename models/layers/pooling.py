"""Pooling over time: of neighbouring frames, or of all real frames of a clip."""

import keras
from keras import ops

from models.layers.base import ExplicitMaskLayer, register, saved_as
from models.layers.masks import PadFrames, PoolMask


def pool_frames(x, mask, size: int, *, bands: int = 1):
    """Return the maximum over every ``size`` real frames and ``bands`` bands, and the mask of the pooled frames.

    x (B, T, D), mask (B, T) -> (B, T', D // bands), (B, T'), where T' = T / size, rounded up.
    """
    x, mask = PadFrames(size)(x), PadFrames(size)(mask)
    return MaskedMaxPool(size, bands)(x, mask), PoolMask(size)(mask)


def statistics_pooling(x, mask):
    """Return mean, deviation and maximum over the real frames side by side, (B, T, D) -> (B, 3 D)."""
    return keras.layers.Concatenate()([MaskedMean()(x, mask), MaskedStd()(x, mask), MaskedMax()(x, mask)])


@register
class LastFrame(ExplicitMaskLayer):
    """(x (B, T, D), mask (B, T)) -> the last real frame (B, D)."""

    def call(self, x, mask):
        last = ops.sum(ops.cast(mask, "int32"), axis=1) - 1  # (B,)
        return ops.squeeze(ops.take_along_axis(x, ops.reshape(last, (-1, 1, 1)), axis=1), 1)

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor((x.shape[0], x.shape[2]), dtype=x.dtype)


@register
class MaskedMean(ExplicitMaskLayer):
    """(x (B, T, D), mask (B, T)) -> mean over the real frames (B, D)."""

    def call(self, x, mask):
        weight = ops.cast(ops.expand_dims(mask, -1), x.dtype)  # (B, T, 1)
        return ops.sum(x * weight, axis=1) / ops.sum(weight, axis=1)

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor((x.shape[0], x.shape[2]), dtype=x.dtype)


@register
class MaskedStd(ExplicitMaskLayer):
    """(x (B, T, D), mask (B, T)) -> deviation over the real frames (B, D), at least .003 so that it has a gradient."""

    def call(self, x, mask):
        weight = ops.cast(ops.expand_dims(mask, -1), x.dtype)  # (B, T, 1)
        frames = ops.sum(weight, axis=1, keepdims=True)
        mean = ops.sum(x * weight, axis=1, keepdims=True) / frames
        return ops.sqrt(ops.sum(ops.square(x - mean) * weight, axis=1) / frames[:, 0] + 1e-5)

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor((x.shape[0], x.shape[2]), dtype=x.dtype)


@register
class MaskedMax(ExplicitMaskLayer):
    """(x (B, T, D), mask (B, T)) -> maximum over the real frames (B, D)."""

    def call(self, x, mask):
        return ops.max(ops.where(ops.expand_dims(mask, -1), x, ops.full_like(x, -1e9)), axis=1)

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor((x.shape[0], x.shape[2]), dtype=x.dtype)


@register
class MaskedMaxPool(ExplicitMaskLayer):
    """(x (B, T, D), mask (B, T)) -> maximum over windows (B, T / frames, D // bands), of real frames alone.

    T must be a multiple of ``frames``; a window without a real frame gives 0.
    """

    def __init__(self, frames: int, bands: int, **kwargs):
        super().__init__(**kwargs)
        self.frames, self.bands = frames, bands

    def call(self, x, mask):
        x = ops.where(ops.expand_dims(mask, -1), x, ops.full_like(x, -1e9))
        window = (self.frames, self.bands)
        x = ops.max_pool(ops.expand_dims(x, -1), window, strides=window, padding="valid")
        x = ops.squeeze(x, -1)
        return ops.where(ops.expand_dims(mask[:, :: self.frames], -1), x, ops.zeros_like(x))

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor((x.shape[0], None, x.shape[2] // self.bands), dtype=x.dtype)

    def get_config(self):
        return {**super().get_config(), "frames": self.frames, "bands": self.bands}


@saved_as("LevelSum")
class WeightedSum(ExplicitMaskLayer):
    """List of L tensors (B, D) -> their sum (B, D), each times a learned weight that starts at 1 / L."""

    def build(self, input_shape):
        mean = keras.initializers.Constant(1 / len(input_shape))
        self.weight = self.add_weight(shape=(len(input_shape),), initializer=mean, name="weight")

    def call(self, levels):
        return ops.tensordot(ops.stack(levels, axis=-1), self.weight, axes=1)

    def compute_output_shape(self, input_shape):
        return input_shape[0]
