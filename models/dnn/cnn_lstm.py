"""Convolutions over time that shorten the clip, then one LSTM over what is left.

2 x [Conv1D 64 k5, batch norm, ReLU, max-pool 2], LSTM 128, mean over time, softmax; the usual small hybrid, after
Trigeorgis et al. 2016, doi 10.1109/ICASSP.2016.7472669.
"""

import keras

from models.images import MaskedMaxPool, PadFrames, PoolMask
from models.layers import Blank, FrameNorm, MaskedMean, frame_inputs

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
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities."""
    frames, lengths, mask = frame_inputs(frame_shape)
    multiple = pool ** len(filters)
    x, mask = PadFrames(multiple)(frames), PadFrames(multiple)(mask)
    for size in filters:
        x = keras.layers.Conv1D(size, kernel, padding="same")(x)
        x = FrameNorm()(x, mask=mask)
        x = Blank()(keras.layers.ReLU()(x), mask)
        x, mask = MaskedMaxPool(pool, 1)(x, mask), PoolMask(pool)(mask)
        x = keras.layers.Dropout(dropout)(x)
    x = keras.layers.LSTM(units, return_sequences=True)(x)  # (B, T', units)
    x = keras.layers.Dropout(dropout)(MaskedMean()(x, mask))
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="cnn_lstm")
