"""Bidirectional LSTM, one or two layers, on its last states or with additive attention.

The family of the 201 frame features: last state -> tanh -> dropout -> 256 ReLU -> softmax, or
layer norm -> additive attention -> dropout -> 256 ReLU -> softmax. Graves & Schmidhuber 2005,
doi 10.1016/j.neunet.2005.06.042; attention: Bahdanau, Cho & Bengio 2015, arXiv 1409.0473.
"""

import keras

from models.layers import additive_attention, bidirectional_lstm, frame_inputs, last_states

INPUT = "frames"


def build(
    frame_shape,
    n_classes,
    *,
    units: int = 128,
    depth: int = 1,
    attention: bool = False,
    dense: int = 256,
    dropout: float = 0.3,
) -> keras.Model:
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities.

    Padding frames change no state and get no weight in the pooling.

    Args:
        units: width of each LSTM per direction, and of the hidden layer of the attention, 1 or more.
        depth: number of bidirectional LSTMs, one after another, 1 or more.
        attention: additive attention over all frames instead of the last states.
        dense: width of the layer before the softmax, 1 or more.
        dropout: share of the values set to zero while training, 0 to 1 (1 excluded).
    """
    frames, lengths, mask = frame_inputs(frame_shape)
    x = frames
    for layer in range(1, depth + 1):
        if layer > 1:
            x = keras.layers.Dropout(dropout)(x)
        x = bidirectional_lstm(x, mask, units, name=f"bilstm_{layer}")  # (B, T, 2 units)
    if attention:
        x = keras.layers.LayerNormalization()(x)
        x = additive_attention(x, mask, units)  # (B, 2 units)
    else:
        x = last_states(x, mask, units)
        x = keras.layers.Activation("tanh")(x)
    x = keras.layers.Dropout(dropout)(x)
    x = keras.layers.Dense(dense, activation="relu")(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="bilstm")
