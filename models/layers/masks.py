"""Masks: which frames of a padded batch are real."""

import keras
from keras import ops

from models.layers.base import ExplicitMaskLayer, register, saved_as


def frame_inputs(frame_shape: tuple[int | None, int]):
    """Return the inputs ``frames`` (B, T, D) and ``lengths`` (B,), and the mask (B, T) made of them."""
    frames = keras.Input(frame_shape, name="frames")
    lengths = keras.Input((), dtype="int64", name="lengths")
    return frames, lengths, FrameMask(name="mask")(frames, lengths)


@register
class FrameMask(ExplicitMaskLayer):
    """(frames (B, T, D), lengths (B,)) -> mask (B, T) bool, True where a frame is real."""

    def call(self, frames, lengths):
        steps = ops.arange(ops.shape(frames)[1], dtype="int32")
        return ops.expand_dims(steps, 0) < ops.expand_dims(ops.cast(lengths, "int32"), 1)

    def compute_output_spec(self, frames, lengths):
        return keras.KerasTensor(frames.shape[:2], dtype="bool")


@saved_as("Blank")
class MaskPadding(ExplicitMaskLayer):
    """(x (B, T, ...), mask (B, T)) -> x with padding frames set to zero, as beyond the end of an unpadded clip."""

    def call(self, x, mask):
        for _ in x.shape[2:]:
            mask = ops.expand_dims(mask, -1)
        return x * ops.cast(mask, x.dtype)

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor(x.shape, dtype=x.dtype)


@register
class ReverseFrames(ExplicitMaskLayer):
    """(x (B, T, D), mask (B, T)) -> x with each clip's real frames in reverse order; padding stays at the end."""

    def call(self, x, mask):
        length = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)  # (B, 1)
        steps = ops.expand_dims(ops.arange(ops.shape(x)[1], dtype="int32"), 0)  # (1, T)
        order = ops.where(steps < length, length - 1 - steps, steps)  # (B, T)
        return ops.take_along_axis(x, ops.expand_dims(order, -1), axis=1)

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor(x.shape, dtype=x.dtype)


@register
class PadFrames(ExplicitMaskLayer):
    """x (B, T, ...) -> x with zeros appended until T is a multiple of ``multiple``, as pooling needs it."""

    def __init__(self, multiple: int, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, x):
        zeros = ops.repeat(ops.zeros_like(x[:, :1]), self.multiple - 1, axis=1)
        length = (ops.shape(x)[1] + self.multiple - 1) // self.multiple * self.multiple
        return ops.concatenate([x, zeros], axis=1)[:, :length]

    def compute_output_spec(self, x):
        return keras.KerasTensor((x.shape[0], None, *x.shape[2:]), dtype=x.dtype)

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@register
class PoolMask(ExplicitMaskLayer):
    """mask (B, T) -> (B, T / size), True where at least one of the pooled frames is real."""

    def __init__(self, size: int, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, mask):
        return mask[:, :: self.size]  # padding is at the end, so the first frame of a pool decides

    def compute_output_spec(self, mask):
        return keras.KerasTensor((mask.shape[0], None), dtype="bool")

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@register
class BandMask(ExplicitMaskLayer):
    """mask (B, T) -> (B, T, bands), the shape that batch normalisation of (B, T, bands, C) takes."""

    def __init__(self, bands: int, **kwargs):
        super().__init__(**kwargs)
        self.bands = bands

    def call(self, mask):
        return ops.repeat(ops.expand_dims(mask, -1), self.bands, axis=-1)

    def compute_output_spec(self, mask):
        return keras.KerasTensor((*mask.shape, self.bands), dtype="bool")

    def get_config(self):
        return {**super().get_config(), "bands": self.bands}
