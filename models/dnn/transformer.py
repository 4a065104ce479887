"""Transformer encoder on frames, pooled by additive attention.

A convolution (k3) to the encoder's width, max-pool 2, sinusoidal positions, pre-norm layers (Vaswani et al. 2017,
arXiv 1706.03762; pre-norm: Xiong et al. 2020, arXiv 2002.04745), attention pooling, softmax.
"""

import keras

from models.layers import (
    SinusoidalPositions,
    additive_attention,
    encoder_layer_pre_norm,
    frame_inputs,
    pool_frames,
)

INPUT = "frames"


def build(
    frame_shape,
    n_classes,
    *,
    width: int = 128,
    layers: int = 2,
    heads: int = 4,
    feed_forward: int = 256,
    pool: int = 2,
    dropout: float = 0.2,
) -> keras.Model:
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities.

    Args:
        width: of the encoder, even, and divisible by ``heads``.
        layers: number of encoder layers, 0 or more.
        heads: attention heads of each encoder layer, 1 or more.
        feed_forward: width of the feed-forward part of an encoder layer, 1 or more.
        pool: frames that become one before the encoder, 1 or more; its cost grows with the square of their number.
        dropout: share of the values set to zero while training, 0 to 1 (1 excluded).
    """
    frames, lengths, mask = frame_inputs(frame_shape)
    x = keras.layers.Conv1D(width, 3, padding="same", activation="relu")(frames)  # (B, T, width)
    x, mask = pool_frames(x, mask, pool)  # (B, T / pool, width)
    x = SinusoidalPositions()(x)
    x = keras.layers.Dropout(dropout)(x)
    for _ in range(layers):
        x = encoder_layer_pre_norm(x, mask, heads=heads, feed_forward=feed_forward, dropout=dropout)
    x = keras.layers.LayerNormalization()(x)
    x = additive_attention(x, mask, width)  # (B, width)
    x = keras.layers.Dropout(dropout)(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="transformer")
