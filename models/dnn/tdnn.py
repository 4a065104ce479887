"""Time-delay network with statistics pooling: what a functional is, learned.

Dilated convolutions over the frames, each added to its input, then mean, deviation and maximum over time side by side,
as in x-vectors (Snyder et al. 2018, doi 10.1109/ICASSP.2018.8461375), which stop at mean and deviation.
"""

import keras

from models.layers import Blank, FrameNorm, MaskedMax, MaskedMean, MaskedStd, frame_inputs

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
        dilations: a convolution each, the frames from one that it sees to the next.
    """
    frames, lengths, mask = frame_inputs(frame_shape)
    x = FrameNorm()(keras.layers.Dense(filters)(frames), mask=mask)
    x = Blank()(keras.layers.ReLU()(x), mask)  # (B, T, filters)
    for dilation in dilations:
        y = keras.layers.Conv1D(filters, kernel, padding="same", dilation_rate=dilation)(x)
        y = keras.layers.ReLU()(FrameNorm()(y, mask=mask))
        y = Blank()(keras.layers.SpatialDropout1D(dropout)(y), mask)
        x = keras.layers.Add()([x, y])
    x = keras.layers.Dense(dense, activation="relu")(x)
    x = keras.layers.Concatenate()([MaskedMean()(x, mask), MaskedStd()(x, mask), MaskedMax()(x, mask)])  # (B, 3 dense)
    x = keras.layers.Dropout(dropout)(keras.layers.BatchNormalization(momentum=0.9)(x))
    x = keras.layers.Dropout(dropout)(keras.layers.Dense(dense, activation="relu")(x))
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="tdnn")
