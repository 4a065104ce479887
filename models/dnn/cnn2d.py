"""Plain 2-D CNN on log-mel frames: conv blocks with batch norm, global mean and maximum over time.

Blocks of 32, 64, 128, 128 (3x3, pools 2); mean and maximum over time side by side, as in PANNs (Kong et al. 2020,
doi 10.1109/TASLP.2020.3030497), which keep both steady and momentary cues.
"""

import keras

from models.layers import MaskedMax, MaskedMean, conv2d_stack, flatten_bands, frame_inputs

INPUT = "frames"


def build(
    frame_shape,
    n_classes,
    *,
    filters: list[int] = [32, 64, 128, 128],
    pools: list[int] = [2, 2, 2, 2],
    dense: int = 128,
    dropout: float = 0.3,
) -> keras.Model:
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities.

    Args:
        filters: channels of each convolution, one entry per layer, 1 or more.
        pools: frames and bands that each block pools into one, one entry per block, 1 or more.
        dense: width of the layer on each pooled frame, 1 or more.
        dropout: share of the values set to zero while training, 0 to 1 (1 excluded).
    """
    frames, lengths, mask = frame_inputs(frame_shape)
    x, pooled = conv2d_stack(frames, mask, filters, pools, dropout=dropout)
    x = flatten_bands(x)  # (B, T', D' C)
    x = keras.layers.Dense(dense, activation="relu")(x)
    x = keras.layers.Concatenate()([MaskedMean()(x, pooled), MaskedMax()(x, pooled)])  # (B, 2 dense)
    x = keras.layers.Dropout(dropout)(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="cnn2d")
