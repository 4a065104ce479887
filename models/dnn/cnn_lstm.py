"""Convolutions and pooling that shorten the clip, then one LSTM.

2 x [Conv1D 64 k5, batch norm, ReLU, max-pool 2], LSTM 128, mean over time, softmax; the usual small hybrid, after
Trigeorgis et al. 2016, doi 10.1109/ICASSP.2016.7472669.
"""

import keras

from models.layers import MaskedMean, conv1d_block, frame_inputs, pool_frames

INPUT = "frames"


def build(
    frame_shape,
    n_classes,
    *,
    filters: list[int] = [64, 64],
    kernel: int = 5,
    pool: int = 2,
    units: int = 128,
    dropout: float = 0.3,
) -> keras.Model:
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities.

    Args:
        filters: channels of each convolution, one entry per layer, 1 or more.
        kernel: width of the convolutions in frames, 1 or more.
        pool: frames that become one after each convolution, 1 or more.
        units: width of the LSTM, 1 or more.
        dropout: share of the values set to zero while training, 0 to 1 (1 excluded).
    """
    frames, lengths, mask = frame_inputs(frame_shape)
    x = frames
    for size in filters:
        x = conv1d_block(x, mask, size, kernel)  # (B, T, size)
        x, mask = pool_frames(x, mask, pool)  # (B, T / pool, size)
        x = keras.layers.Dropout(dropout)(x)
    x = keras.layers.LSTM(units, return_sequences=True)(x)  # (B, T', units)
    x = MaskedMean()(x, mask)  # (B, units)
    x = keras.layers.Dropout(dropout)(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="cnn_lstm")
