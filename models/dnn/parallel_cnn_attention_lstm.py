"""CNN branches beside a bidirectional LSTM with attention on the same log-mel frames, joined before the softmax.

Conv blocks of 16, 32, 64, 64 (pools 2, 4, 4, 4), one branch per kernel size, beside max-pooling over 4 frames and 2
bands -> BiLSTM 128 -> softmax(w . h) attention. After the public "parallel CNN - attention LSTM" for RAVDESS;
published variants have two branches of equal kernels (3, 3) or of different ones (3, 5). Convolutions are
averaged over time where the originals flatten a fixed length.
Attention: Zhou et al. 2016, doi 10.18653/v1/P16-2034.
"""

import keras

from models.layers import (
    MaskedMean,
    bidirectional_lstm,
    conv2d_stack,
    flatten_bands,
    frame_inputs,
    linear_attention,
    pool_frames,
)

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
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities.

    Args:
        kernels: width of the convolutions of each branch in frames and bands, one entry per branch, 1 or more.
        filters: channels of each convolution, one entry per block, 1 or more.
        pools: frames and bands that each block pools into one, one entry per block, 1 or more.
        units: width of each LSTM per direction, 1 or more.
        dropout: share of the values set to zero while training, 0 to 1 (1 excluded).
    """
    frames, lengths, mask = frame_inputs(frame_shape)
    branches = []
    for kernel in kernels:
        x, pooled = conv2d_stack(frames, mask, filters, pools, kernel=kernel, dropout=dropout)
        branches.append(MaskedMean()(flatten_bands(x), pooled))  # (B, D' C)
    x, pooled = pool_frames(frames, mask, 4, bands=2)  # (B, T / 4, D / 2)
    x = bidirectional_lstm(x, pooled, units, name="bilstm")  # (B, T / 4, 2 units)
    x = linear_attention(x, pooled)  # (B, 2 units)
    x = keras.layers.Concatenate()([*branches, x])
    x = keras.layers.Dropout(dropout)(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="parallel_cnn_attention_lstm")
