"""Bidirectional LSTMs on padded frames."""

import keras

from models.layers.masks import ReverseFrames
from models.layers.pooling import LastFrame


def bidirectional_lstm(x, mask, units: int, *, name: str):
    """Return both directions of an LSTM side by side, (B, T, D) -> (B, T, 2 units).

    The backward direction reads each clip's real frames reversed, so that padding comes last for both directions and
    neither needs a mask: the fused GPU kernel can run, and the exported graph has no branches. The padding frames of
    the output hold arbitrary values; mask them when time is pooled.
    """
    forward = keras.layers.LSTM(units, return_sequences=True, name=f"{name}_forward")(x)
    backward = keras.layers.LSTM(units, return_sequences=True, name=f"{name}_backward")(ReverseFrames()(x, mask))
    return keras.layers.Concatenate(name=name)([forward, ReverseFrames()(backward, mask)])


def last_states(x, mask, units: int):
    """Return each direction's state after the whole clip, (B, T, 2 units) -> (B, 2 units).

    That is the last real frame of the forward half and the first frame of the backward half.
    """
    forward = LastFrame()(x[:, :, :units], mask)
    return keras.layers.Concatenate()([forward, x[:, 0, units:]])
