"""LSTM of 128 units on frames, its last state -> dropout -> 32 -> softmax.

Hochreiter & Schmidhuber 1997, doi 10.1162/neco.1997.9.8.1735. Public code often gives it a
vector of functionals as one time step; this network reads the frames.
"""

import keras

from models.layers import LastFrame, frame_inputs

INPUT = "frames"


def build(frame_shape, n_classes, *, units: int = 128, dense: int = 32, dropout: float = 0.5) -> keras.Model:
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities.

    The state is read at the last real frame, so padding does not change it.

    Args:
        units: width of the LSTM, 1 or more.
        dense: width of the layer before the softmax, 1 or more.
        dropout: share of the values set to zero while training, 0 to 1 (1 excluded).
    """
    frames, lengths, mask = frame_inputs(frame_shape)
    x = keras.layers.LSTM(units, return_sequences=True)(frames)  # (B, T, units)
    x = LastFrame()(x, mask)  # (B, units)
    x = keras.layers.Dropout(dropout)(x)
    x = keras.layers.Dense(dense, activation="relu")(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="lstm")
