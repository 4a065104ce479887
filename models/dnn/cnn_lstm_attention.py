"""Convolutions over time, two bidirectional LSTMs, Luong attention by the last state.

Conv1D 64 and 128 (k3, batch norm, ReLU), max-pool 2, 2 x BiLSTM 128 with dropout .5, attention with the last state as
query, both side by side (512), dropout .5, softmax. After the public system on 187 x 216 frames of RAVDESS.
Attention: Luong, Pham & Manning 2015, doi 10.18653/v1/D15-1166.
"""

import keras

from models.images import MaskedMaxPool, PadFrames, PoolMask
from models.layers import Blank, FrameNorm, bidirectional_lstm, frame_inputs, last_states, luong_attention

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
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities."""
    frames, lengths, mask = frame_inputs(frame_shape)
    x, mask = PadFrames(pool)(frames), PadFrames(pool)(mask)
    for size in filters:
        x = keras.layers.Conv1D(size, kernel, padding="same")(x)
        x = FrameNorm()(x, mask=mask)
        x = Blank()(keras.layers.ReLU()(x), mask)
    x, mask = MaskedMaxPool(pool, 1)(x, mask), PoolMask(pool)(mask)  # (B, T / pool, F)
    for layer in range(1, depth + 1):
        x = bidirectional_lstm(x, mask, units, name=f"bilstm_{layer}")
        x = keras.layers.Dropout(dropout)(x)
    query = last_states(x, mask, units)  # (B, 2 units)
    context, _ = luong_attention(x, mask, query)  # (B, 2 units)
    x = keras.layers.Concatenate()([context, query])
    x = keras.layers.Dropout(dropout)(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="cnn_lstm_attention")
