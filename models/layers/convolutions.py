"""Convolution blocks on padded frames: over time, or over time and bands as an image.

In every block batch statistics leave padding out, and padding is zero again before the next convolution.
"""

import math
from collections.abc import Sequence

import keras
from keras import ops

from models.layers.base import saved_as
from models.layers.masks import BandMask, MaskPadding, PadFrames, PoolMask
from models.layers.windows import MergeChunks, SlidingWindows, SplitChunks


@saved_as("FrameNorm")
class MaskedBatchNorm(keras.layers.BatchNormalization):
    """(x (B, T, ..., C), mask of its shape without C) -> x normalised by the statistics of its real frames.

    Its running averages keep .9 at an update: at Keras's .99 they lag ten epochs behind on a corpus of 1000 clips.
    """

    def __init__(self, momentum: float = 0.9, **kwargs):
        super().__init__(momentum=momentum, **kwargs)

    def compute_mask(self, inputs, previous_mask=None):
        return None  # the mask is an argument, as in ExplicitMaskLayer


def norm_relu(x, mask, *, momentum: float = 0.9):
    """Return batch norm and ReLU of x (B, T, D) or (B, T, D, C), padding frames set to zero.

    Args:
        mask: (B, T), or None if every frame is real.
    """
    if mask is None:
        return keras.layers.ReLU()(MaskedBatchNorm(momentum)(x))
    seen = BandMask(x.shape[2])(mask) if len(x.shape) == 4 else mask
    x = MaskedBatchNorm(momentum)(x, mask=seen)
    return MaskPadding()(keras.layers.ReLU()(x), mask)


def conv1d_block(x, mask, filters: int, kernel: int, *, dilation: int = 1, momentum: float = 0.9):
    """Return convolution over time, batch norm, ReLU, (B, T, D) -> (B, T, filters).

    Args:
        mask: (B, T), or None if every frame is real.
        momentum: of the running averages of the batch norm, 0 to 1.
    """
    x = keras.layers.Conv1D(filters, kernel, padding="same", dilation_rate=dilation)(x)
    return norm_relu(x, mask, momentum=momentum)


def conv2d_block(x, mask, filters: int, pool: int, *, kernel: int = 3, dropout: float = 0.0):
    """Return convolution, batch norm, ReLU, max-pool over time and bands, dropout; and the mask of the pooled frames.

    x (B, T, D, C), mask (B, T) -> (B, T / pool, D // pool, filters), (B, T / pool); T must be a multiple of pool.
    """
    x = keras.layers.Conv2D(filters, kernel, padding="same")(x)
    x = norm_relu(x, mask)
    bands = min(pool, x.shape[2])  # narrow inputs run out of bands before they run out of blocks
    x = keras.layers.MaxPooling2D((pool, bands))(x)
    return keras.layers.Dropout(dropout)(x), PoolMask(pool)(mask)


def conv2d_stack(x, mask, filters: Sequence[int], pools: Sequence[int], *, kernel: int = 3, dropout: float = 0.0):
    """Return blocks of 2-D convolutions on frames as an image, (B, T, D) -> (B, T', D', C), and the mask (B, T')."""
    multiple = math.prod(pools)
    x, mask = PadFrames(multiple)(x), PadFrames(multiple)(mask)
    x = keras.layers.Reshape((-1, x.shape[2], 1))(x)
    for size, pool in zip(filters, pools, strict=True):
        x, mask = conv2d_block(x, mask, size, pool, kernel=kernel, dropout=dropout)
    return x, mask


def flatten_bands(x):
    """Return an image as frames, (B, T, D, C) -> (B, T, D C)."""
    return keras.layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)


def time_distributed_cnn(
    frames, mask, *, chunk: int, hop: int, filters: Sequence[int], pools: Sequence[int], dropout: float
):
    """Return the same stack of 2-D convolutions on each chunk of a clip, flattened, and the mask of the chunks.

    frames (B, T, D), mask (B, T) -> (B, N, F), (B, N).

    Args:
        chunk, hop: frames per chunk; frames from one chunk to the next.
    """
    chunks, whole = SlidingWindows(chunk, hop)(frames, mask)  # (B, N, chunk, D)
    real, _ = SlidingWindows(chunk, hop)(ops.cast(ops.expand_dims(mask, -1), "float32"), mask)  # (B, N, chunk, 1)
    inside = keras.layers.Reshape((chunk,))(MergeChunks()(real)) > 0.5  # (B N, chunk)
    x, _ = conv2d_stack(MergeChunks()(chunks), inside, filters, pools, dropout=dropout)  # (B N, chunk', D', C)
    width = math.ceil(chunk / math.prod(pools)) * x.shape[2] * x.shape[3]
    return SplitChunks()(keras.layers.Reshape((width,))(x), whole), whole
