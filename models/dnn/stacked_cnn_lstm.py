"""Time-distributed CNN over chunks of log-mel frames, then an LSTM over the chunks.

Chunks of 128 frames every 64; conv blocks of 16, 32, 64, 128 (3x3, pools 2, 4, 4, 4); LSTM 64; softmax. After the
public "stacked CNN - LSTM" for RAVDESS (128 mel bands; 147,816 parameters in PyTorch, 147,560 here, where
an LSTM has one bias and not two).
Convolutions before an LSTM on emotional speech: Trigeorgis et al. 2016, doi 10.1109/ICASSP.2016.7472669.
"""

import keras

from models.layers import LastFrame, frame_inputs, time_distributed_cnn

INPUT = "frames"


def build(
    frame_shape,
    n_classes,
    *,
    chunk: int = 128,
    hop: int = 64,
    filters: list[int] = [16, 32, 64, 128],
    pools: list[int] = [2, 4, 4, 4],
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
        units: width of the LSTM, 1 or more.
        dropout: share of the values set to zero while training, 0 to 1 (1 excluded).
    """
    frames, lengths, mask = frame_inputs(frame_shape)
    x, mask = time_distributed_cnn(
        frames, mask, chunk=chunk, hop=hop, filters=filters, pools=pools, dropout=dropout
    )  # (B, N, F), (B, N)
    x = keras.layers.LSTM(units, return_sequences=True)(x)  # (B, N, units)
    x = LastFrame()(x, mask)  # (B, units)
    x = keras.layers.Dropout(dropout)(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="stacked_cnn_lstm")
