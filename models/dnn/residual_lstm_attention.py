"""Residual LSTM with soft attention (ResLSTM).

Krasnoproshin & Vashkevich 2026: an LSTM as wide as its input, added to its input; batch norm, LSTM 64, attention
softmax(u . h), batch norm, dropout, softmax. On 46 features per frame 46,332 trainable parameters; 46,772 published for
PyTorch, whose LSTMs have a second bias.
"""

import keras

from models.layers import MaskedBatchNorm, frame_inputs, linear_attention

INPUT = "frames"


def build(frame_shape, n_classes, *, units: int = 64, dropout: float = 0.3) -> keras.Model:
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities.

    Args:
        units: width of the second LSTM, 1 or more; the first is as wide as the frames.
        dropout: share of the values set to zero while training, 0 to 1 (1 excluded).
    """
    frames, lengths, mask = frame_inputs(frame_shape)
    x = keras.layers.LSTM(frame_shape[-1], return_sequences=True)(frames)  # (B, T, D)
    x = keras.layers.Add()([frames, x])
    x = MaskedBatchNorm()(x, mask=mask)
    x = keras.layers.LSTM(units, return_sequences=True)(x)  # (B, T, units)
    x = linear_attention(x, mask, use_bias=False)  # (B, units)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(dropout)(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="residual_lstm_attention")
