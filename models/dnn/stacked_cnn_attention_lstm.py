"""Time-distributed CNN over chunks of log-mel frames, then a bidirectional LSTM with attention over the chunks.

Chunks of 128 frames every 64; conv blocks of 16, 32, 64 (3x3, pools 2, 4, 4); BiLSTM 64; softmax(w . h) attention;
softmax. After the public "stacked CNN - attention LSTM" for RAVDESS (128 mel bands; 582,761 parameters in
PyTorch, 582,249 here, where an LSTM has one bias and not two).
Attention: Zhou et al. 2016, doi 10.18653/v1/P16-2034.
"""

import keras

from models.layers import bidirectional_lstm, frame_inputs, linear_attention, time_distributed_cnn

INPUT = "frames"


def build(
    frame_shape,
    n_classes,
    *,
    chunk: int = 128,
    hop: int = 64,
    filters: list[int] = [16, 32, 64],
    pools: list[int] = [2, 4, 4],
    units: int = 64,
    dropout: float = 0.4,
) -> keras.Model:
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities.

    It reads whole chunks; of a clip shorter than one, the first chunk, filled up with zeros.

    Args:
        chunk: frames per chunk, 1 or more.
        hop: frames from the start of one chunk to the next, 1 or more.
        filters: channels of each convolution, one entry per block, 1 or more.
        pools: frames and bands that each block pools into one, one entry per block, 1 or more.
        units: width of each LSTM per direction, 1 or more.
        dropout: share of the values set to zero while training, 0 to 1 (1 excluded).
    """
    frames, lengths, mask = frame_inputs(frame_shape)
    x, mask = time_distributed_cnn(
        frames, mask, chunk=chunk, hop=hop, filters=filters, pools=pools, dropout=dropout
    )  # (B, N, F), (B, N)
    x = bidirectional_lstm(x, mask, units, name="bilstm")  # (B, N, 2 units)
    x = linear_attention(x, mask)  # (B, 2 units)
    x = keras.layers.Dropout(dropout)(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="stacked_cnn_attention_lstm")
