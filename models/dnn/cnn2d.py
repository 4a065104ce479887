"""Plain 2-D CNN on log-mel frames: conv blocks with batch norm, global mean and maximum over time.

Blocks of 32, 64, 128, 128 (3x3, pools 2); mean and maximum over time side by side, as in PANNs (Kong et al. 2020,
doi 10.1109/TASLP.2020.3030497), which hold on to both steady and momentary cues.
"""

import keras

from models.images import conv_stack, flat_bands
from models.layers import MaskedMax, MaskedMean, frame_inputs

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
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities."""
    frames, lengths, mask = frame_inputs(frame_shape)
    x, pooled = conv_stack(frames, mask, filters, pools, dropout=dropout)
    x = flat_bands(x)  # (B, T', D' C)
    x = keras.layers.Dense(dense, activation="relu")(x)
    x = keras.layers.Concatenate()([MaskedMean()(x, pooled), MaskedMax()(x, pooled)])  # (B, 2 dense)
    x = keras.layers.Dropout(dropout)(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="cnn2d")
