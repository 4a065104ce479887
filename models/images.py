"""Layers for frames taken as an image (batch, frames, bands, channels), with masks over the frames."""

import math

import keras
from keras import ops

from models.layers import Blank, FrameNorm, _Explicit, register


@register
class PadFrames(_Explicit):
    """x (B, T, ...) -> zeros appended until T is a multiple, so that pooling divides it without a rest."""

    def __init__(self, multiple: int, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, x):
        zeros = ops.repeat(ops.zeros_like(x[:, :1]), self.multiple - 1, axis=1)
        whole = (ops.shape(x)[1] + self.multiple - 1) // self.multiple * self.multiple
        return ops.concatenate([x, zeros], axis=1)[:, :whole]

    def compute_output_spec(self, x):
        return keras.KerasTensor((x.shape[0], None, *x.shape[2:]), dtype=x.dtype)

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@register
class PoolMask(_Explicit):
    """mask (B, T) -> (B, T / size), True where a pooled frame has seen a real one."""

    def __init__(self, size: int, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, mask):
        return mask[:, :: self.size]

    def compute_output_spec(self, mask):
        return keras.KerasTensor((mask.shape[0], None), dtype="bool")

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@register
class BandMask(_Explicit):
    """mask (B, T) -> (B, T, bands), the shape in which batch normalisation reads it."""

    def __init__(self, bands: int, **kwargs):
        super().__init__(**kwargs)
        self.bands = bands

    def call(self, mask):
        return ops.repeat(ops.expand_dims(mask, -1), self.bands, axis=-1)

    def compute_output_spec(self, mask):
        return keras.KerasTensor((*mask.shape, self.bands), dtype="bool")

    def get_config(self):
        return {**super().get_config(), "bands": self.bands}


@register
class Chunks(_Explicit):
    """(x (B, T, D), mask (B, T)) -> chunks (B, N, size, D) every ``hop`` frames and their mask (B, N).

    A chunk counts if all its frames are real; the first one always does, so that a short clip has one.
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
        chunks = keras.KerasTensor((x.shape[0], None, self.size, x.shape[2]), dtype=x.dtype)
        return chunks, keras.KerasTensor((x.shape[0], None), dtype="bool")

    def get_config(self):
        return {**super().get_config(), "size": self.size, "hop": self.hop}


@register
class Fold(_Explicit):
    """x (B, N, ...) -> (B N, ...): every chunk its own example."""

    def call(self, x):
        return ops.reshape(x, (-1, *x.shape[2:]))

    def compute_output_spec(self, x):
        return keras.KerasTensor((None, *x.shape[2:]), dtype=x.dtype)


@register
class Unfold(_Explicit):
    """(x (B N, D), mask (B, N)) -> (B, N, D)."""

    def call(self, x, mask):
        return ops.reshape(x, (-1, ops.shape(mask)[1], x.shape[1]))

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor((None, None, x.shape[1]), dtype=x.dtype)


@register
class MaskedMaxPool(_Explicit):
    """(x (B, T, D), mask (B, T)) -> maximum over windows (B, T / frames, D / bands), padding unseen."""

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


def conv_block(x, mask, filters: int, pool: int, *, kernel: int = 3, dropout: float = 0.0):
    """Return conv, batch norm, ReLU, max-pool, dropout of (B, T, D, C), and its mask; T must be a multiple of pool.

    Batch statistics leave padding out, and padding is zero again before it is pooled or convolved.
    """
    x = keras.layers.Conv2D(filters, kernel, padding="same")(x)
    x = FrameNorm()(x, mask=BandMask(x.shape[2])(mask))
    x = Blank()(keras.layers.ReLU()(x), mask)
    bands = min(pool, x.shape[2])  # narrow inputs run out of bands before they run out of blocks
    x = keras.layers.MaxPooling2D((pool, bands))(x)
    return keras.layers.Dropout(dropout)(x), PoolMask(pool)(mask)


def conv_stack(x, mask, filters, pools, *, kernel: int = 3, dropout: float = 0.0):
    """Return conv blocks on frames as an image, (B, T, D) -> (B, T', D', C), and the mask (B, T')."""
    multiple = math.prod(pools)
    x, mask = PadFrames(multiple)(x), PadFrames(multiple)(mask)
    x = keras.layers.Reshape((-1, x.shape[2], 1))(x)
    for size, pool in zip(filters, pools, strict=True):
        x, mask = conv_block(x, mask, size, pool, kernel=kernel, dropout=dropout)
    return x, mask


def flat_bands(x):
    """Return (B, T, D, C) as frames (B, T, D C)."""
    return keras.layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)


def encoded_chunks(frames, mask, chunk: int, hop: int, filters, pools, dropout: float):
    """Return each chunk's flattened convolutions, (B, T, D) -> (B, N, F), and the chunk mask (B, N)."""
    chunks, whole = Chunks(chunk, hop)(frames, mask)  # (B, N, chunk, D)
    real, _ = Chunks(chunk, hop)(ops.cast(ops.expand_dims(mask, -1), "float32"), mask)  # (B, N, chunk, 1)
    inside = keras.layers.Reshape((chunk,))(Fold()(real)) > 0.5  # (B N, chunk)
    x, _ = conv_stack(Fold()(chunks), inside, filters, pools, dropout=dropout)  # (B N, chunk', D', C)
    width = math.ceil(chunk / math.prod(pools)) * x.shape[2] * x.shape[3]
    return Unfold()(keras.layers.Reshape((width,))(x), whole), whole
