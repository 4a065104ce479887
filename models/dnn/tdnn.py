"""Time-delay network with statistics pooling: functionals of learned frames.

Dilated convolutions over the frames, each added to its input, then mean, deviation and maximum over time side by side,
as in x-vectors (Snyder et al. 2018, doi 10.1109/ICASSP.2018.8461375), which stop at mean and deviation.
"""

import keras

from models.layers import conv1d_block, frame_inputs, norm_relu, statistics_pooling

INPUT = "frames"


def build(
    frame_shape,
    n_classes,
    *,
    filters: int = 128,
    kernel: int = 3,
    dilations: list[int] = [1, 2, 4],
    dense: int = 128,
    dropout: float = 0.3,
) -> keras.Model:
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities.

    Args:
        filters: channels of each convolution, 1 or more.
        kernel: width of the convolutions in frames (before dilation), 1 or more.
        dilations: of each convolution, the frames from one input of the kernel to the next, 1 or more.
        dense: width of the layers before and after the pooling, 1 or more.
        dropout: share of the channels or values set to zero while training, 0 to 1 (1 excluded).
    """
    frames, lengths, mask = frame_inputs(frame_shape)
    x = keras.layers.Dense(filters)(frames)
    x = norm_relu(x, mask)  # (B, T, filters)
    for dilation in dilations:
        y = conv1d_block(x, mask, filters, kernel, dilation=dilation)
        y = keras.layers.SpatialDropout1D(dropout)(y)
        x = keras.layers.Add()([x, y])
    x = keras.layers.Dense(dense, activation="relu")(x)
    x = statistics_pooling(x, mask)  # (B, 3 dense)
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    x = keras.layers.Dropout(dropout)(x)
    x = keras.layers.Dropout(dropout)(keras.layers.Dense(dense, activation="relu")(x))
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="tdnn")
