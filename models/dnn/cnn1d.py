"""Convolutions over a functional vector taken as a sequence, or over time where the features are frames.

2 x [Conv1D 32 k5 same, batch norm, ReLU, dropout .5] -> flatten -> dense 32, batch norm, ReLU, dropout .5
-> softmax, as in public code for functionals. On frames the flatten becomes a masked mean over time.
Convolutional networks: LeCun et al. 1998, doi 10.1109/5.726791.
"""

import keras

from models.layers import MaskedMean, conv1d_block, frame_inputs

INPUT = "either"


def build(
    frame_shape,
    n_classes,
    *,
    filters: int = 32,
    kernel: int = 5,
    depth: int = 2,
    dense: int = 32,
    dropout: float = 0.5,
) -> keras.Model:
    """Return the uncompiled network, (batch, dims) or (batch, frames, dims) -> (batch, n_classes) probabilities.

    Args:
        filters: channels of each convolution, 1 or more.
        kernel: width of the convolutions in values of the vector, or in frames, 1 or more.
        depth: number of convolutions, 0 or more.
        dense: width of the layer before the softmax, 1 or more.
        dropout: share of the values set to zero while training, 0 to 1 (1 excluded).
    """
    if len(frame_shape) == 1:
        inputs = keras.Input(frame_shape, name="vector")
        x, mask = keras.layers.Reshape((frame_shape[0], 1))(inputs), None  # (B, D, 1)
    else:
        x, lengths, mask = frame_inputs(frame_shape)  # (B, T, D)
        inputs = [x, lengths]
    for _ in range(depth):
        x = conv1d_block(x, mask, filters, kernel, momentum=0.99)  # momentum as published
        x = keras.layers.Dropout(dropout)(x)  # (B, D or T, filters)
    x = keras.layers.Flatten()(x) if mask is None else MaskedMean()(x, mask)
    x = keras.layers.Dense(dense)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.Dropout(dropout)(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model(inputs, probabilities, name="cnn1d")
