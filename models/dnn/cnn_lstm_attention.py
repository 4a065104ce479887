"""Convolutions over time, two bidirectional LSTMs, dot-product attention with the last state as query.

Conv1D 64 and 128 (k3, batch norm, ReLU), max-pool 2, 2 x BiLSTM 128 with dropout .5, attention, its result
and the last state side by side (512), dropout .5, softmax. After the public system on 187 x 216 frames of RAVDESS.
Attention: Luong, Pham & Manning 2015, doi 10.18653/v1/D15-1166.
"""

import keras

from models.layers import (
    bidirectional_lstm,
    conv1d_block,
    dot_product_attention,
    frame_inputs,
    last_states,
    pool_frames,
)

INPUT = "frames"


def build(
    frame_shape,
    n_classes,
    *,
    filters: list[int] = [64, 128],
    kernel: int = 3,
    pool: int = 2,
    units: int = 128,
    depth: int = 2,
    dropout: float = 0.5,
) -> keras.Model:
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities.

    Args:
        filters: channels of each convolution, one entry per layer, 1 or more.
        kernel: width of the convolutions in frames, 1 or more.
        pool: frames that become one after the convolutions, 1 or more.
        units: width of each LSTM per direction, 1 or more.
        depth: number of bidirectional LSTMs, one after another, 1 or more.
        dropout: share of the values set to zero while training, 0 to 1 (1 excluded).
    """
    frames, lengths, mask = frame_inputs(frame_shape)
    x = frames
    for size in filters:
        x = conv1d_block(x, mask, size, kernel)  # (B, T, size)
    x, mask = pool_frames(x, mask, pool)  # (B, T / pool, F)
    for layer in range(1, depth + 1):
        x = bidirectional_lstm(x, mask, units, name=f"bilstm_{layer}")  # (B, T / pool, 2 units)
        x = keras.layers.Dropout(dropout)(x)
    query = last_states(x, mask, units)  # (B, 2 units)
    context = dot_product_attention(x, mask, query)  # (B, 2 units)
    x = keras.layers.Concatenate()([context, query])  # (B, 4 units)
    x = keras.layers.Dropout(dropout)(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="cnn_lstm_attention")
