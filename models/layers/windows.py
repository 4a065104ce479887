"""Windows of a clip, each an example of its own for what follows."""

import keras
from keras import ops

from models.layers.base import ExplicitMaskLayer, saved_as


@saved_as("Chunks")
class SlidingWindows(ExplicitMaskLayer):
    """(x (B, T, D), mask (B, T)) -> windows (B, N, size, D), one every ``hop`` frames, and their mask (B, N).

    A window counts if all its frames are real; the first one always counts, so that a short clip has one.
    """

    def __init__(self, size: int, hop: int, **kwargs):
        super().__init__(**kwargs)
        self.size, self.hop = size, hop

    def call(self, x, mask):
        given = ops.shape(x)[1]
        frames = (given + self.size + abs(given - self.size)) // 2  # the larger one; JAX needs a plain number here
        x = ops.concatenate([x, ops.repeat(ops.zeros_like(x[:, :1]), self.size - 1, axis=1)], axis=1)
        first = ops.arange((frames - self.size) // self.hop + 1, dtype="int32") * self.hop  # (N,)
        places = ops.expand_dims(first, 1) + ops.expand_dims(ops.arange(self.size, dtype="int32"), 0)  # (N, size)
        length = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)  # (B, 1)
        whole = ops.expand_dims(first, 0) + self.size <= ops.maximum(length, self.size)  # (B, N)
        return ops.take(x, places, axis=1), whole

    def compute_output_spec(self, x, mask):
        windows = keras.KerasTensor((x.shape[0], None, self.size, x.shape[2]), dtype=x.dtype)
        return windows, keras.KerasTensor((x.shape[0], None), dtype="bool")

    def get_config(self):
        return {**super().get_config(), "size": self.size, "hop": self.hop}


@saved_as("Fold")
class MergeChunks(ExplicitMaskLayer):
    """x (B, N, ...) -> (B N, ...): every window is an example."""

    def call(self, x):
        return ops.reshape(x, (-1, *x.shape[2:]))

    def compute_output_spec(self, x):
        return keras.KerasTensor((None, *x.shape[2:]), dtype=x.dtype)


@saved_as("Unfold")
class SplitChunks(ExplicitMaskLayer):
    """(x (B N, D), mask (B, N)) -> (B, N, D): the windows of a clip together again."""

    def call(self, x, mask):
        return ops.reshape(x, (-1, ops.shape(mask)[1], x.shape[1]))

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor((None, None, x.shape[1]), dtype=x.dtype)
