"""CNN branches beside a bidirectional LSTM with attention on the same log-mel frames, all side by side.

Conv blocks of 16, 32, 64, 64 (pools 2, 4, 4, 4), one branch a kernel size, beside max-pooling over 4 frames and 2
bands -> BiLSTM 128 -> softmax(w . h) attention. After the public "parallel CNN - attention LSTM" for RAVDESS;
published variants have two branches of equal kernels (3, 3) or of different ones (3, 5). Convolutions are
averaged over time where the originals flatten a fixed length.
Attention: Zhou et al. 2016, doi 10.18653/v1/P16-2034.
"""

import keras

from models.images import MaskedMaxPool, PadFrames, PoolMask, conv_stack, flat_bands
from models.layers import MaskedMean, bidirectional_lstm, frame_inputs, linear_attention

INPUT = "frames"


def build(
    frame_shape,
    n_classes,
    *,
    kernels: list[int] = [3],
    filters: list[int] = [16, 32, 64, 64],
    pools: list[int] = [2, 4, 4, 4],
    units: int = 128,
    dropout: float = 0.4,
) -> keras.Model:
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities."""
    frames, lengths, mask = frame_inputs(frame_shape)
    branches = []
    for kernel in kernels:
        x, pooled = conv_stack(frames, mask, filters, pools, kernel=kernel, dropout=dropout)
        branches.append(MaskedMean()(flat_bands(x), pooled))  # (B, D' C)
    x, pooled = PadFrames(4)(frames), PadFrames(4)(mask)
    x, pooled = MaskedMaxPool(4, 2)(x, pooled), PoolMask(4)(pooled)  # (B, T / 4, D / 2)
    x = bidirectional_lstm(x, pooled, units, name="bilstm")  # (B, T / 4, 2 units)
    x, _ = linear_attention(x, pooled)  # (B, 2 units)
    x = keras.layers.Concatenate()([*branches, x])
    x = keras.layers.Dropout(dropout)(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="parallel_cnn_attention_lstm")
