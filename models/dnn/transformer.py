"""Transformer encoder on frames, pooled by additive attention.

A convolution of stride-free k3 to the encoder's width, sinusoidal positions, pre-norm layers (Vaswani et al. 2017,
arXiv 1706.03762; pre-norm: Xiong et al. 2020, arXiv 2002.04745), attention pooling, softmax.
"""

import keras

from models.images import MaskedMaxPool, PadFrames, PoolMask
from models.layers import Blank, Positions, additive_attention, encoder_layer, frame_inputs

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

    ``pool`` frames become one before the encoder, whose cost grows with the square of their number.
    """
    frames, lengths, mask = frame_inputs(frame_shape)
    x, mask = PadFrames(pool)(frames), PadFrames(pool)(mask)
    x = Blank()(keras.layers.Conv1D(width, 3, padding="same", activation="relu")(x), mask)
    x, mask = MaskedMaxPool(pool, 1)(x, mask), PoolMask(pool)(mask)  # (B, T / pool, width)
    x = keras.layers.Dropout(dropout)(Positions()(x))
    for _ in range(layers):
        x = encoder_layer(x, mask, heads=heads, feed_forward=feed_forward, dropout=dropout, pre_norm=True)
    x = keras.layers.LayerNormalization()(x)
    x, _ = additive_attention(x, mask, width)  # (B, width)
    x = keras.layers.Dropout(dropout)(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="transformer")
