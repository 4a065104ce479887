"""CNN beside a transformer encoder on the same log-mel frames, joined before the softmax.

Conv blocks of 16, 32, 64, 64 (3x3, pools 2, 4, 4, 4) beside max-pooling over 4 frames and 2 bands, 4 encoder layers
(4 heads, feed-forward 512), mean over time. After the public "parallel CNN - transformer" for RAVDESS, which
flattens the convolutions of exactly 563 frames (395,176 parameters); here they are averaged over time, so
that clips of any length fit, and the last layer has 192 inputs fewer per class.
Transformer: Vaswani et al. 2017, arXiv 1706.03762.
"""

import keras

from models.layers import (
    MaskedMean,
    conv2d_stack,
    encoder_layer_post_norm,
    flatten_bands,
    frame_inputs,
    pool_frames,
)

INPUT = "frames"


def build(
    frame_shape,
    n_classes,
    *,
    filters: list[int] = [16, 32, 64, 64],
    pools: list[int] = [2, 4, 4, 4],
    layers: int = 4,
    heads: int = 4,
    feed_forward: int = 512,
    dropout: float = 0.4,
) -> keras.Model:
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities.

    The encoder's width is half the number of bands; it must be a multiple of ``heads``.

    Args:
        filters: channels of each convolution, one entry per block, 1 or more.
        pools: frames and bands that each block pools into one, one entry per block, 1 or more.
        layers: number of encoder layers, 0 or more.
        heads: attention heads of each encoder layer, 1 or more.
        feed_forward: width of the feed-forward part of an encoder layer, 1 or more.
        dropout: share of the values set to zero while training, 0 to 1 (1 excluded).
    """
    frames, lengths, mask = frame_inputs(frame_shape)
    x, pooled = conv2d_stack(frames, mask, filters, pools, dropout=dropout)
    convolved = MaskedMean()(flatten_bands(x), pooled)  # (B, D' C)
    x, pooled = pool_frames(frames, mask, 4, bands=2)  # (B, T / 4, D / 2)
    for _ in range(layers):
        x = encoder_layer_post_norm(x, pooled, heads=heads, feed_forward=feed_forward, dropout=dropout)
    x = keras.layers.Concatenate()([convolved, MaskedMean()(x, pooled)])
    x = keras.layers.Dropout(dropout)(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="parallel_cnn_transformer")
