"""Bidirectional gated dilated convolutions with learned level weights (TIM-Net).

Ye et al. 2023, "Temporal modeling matters", arXiv 2211.08233. A causal 1x1 convolution, then forward and over
reversed time a stack of dilations 1, 2, ..., 128, each 2 x [causal conv k2, batch norm, ReLU, spatial dropout] whose
sigmoid multiplies the block's input. The two directions of a level are added and averaged over time; the levels are
summed with learned weights; softmax. On 39 MFCC with 39 filters as published; the fusion system takes 64 filters,
2 stacks, dropout .3.
"""

import keras

from models.layers import MaskedBatchNorm, MaskedMean, ReverseFrames, WeightedSum, frame_inputs

INPUT = "frames"


def build(
    frame_shape,
    n_classes,
    *,
    filters: int = 39,
    kernel: int = 2,
    levels: int = 8,
    stacks: int = 1,
    dropout: float = 0.1,
) -> keras.Model:
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities.

    Convolutions are causal, so that padding, last in both directions, reaches no real frame.

    Args:
        filters: channels of each convolution, 1 or more.
        kernel: width of the convolutions in frames (before dilation), 1 or more.
        levels: number of dilations 1, 2, 4, ..., 1 or more.
        stacks: how many times the levels are repeated, one after another, 1 or more.
        dropout: share of the channels set to zero while training, 0 to 1 (1 excluded).
    """
    frames, lengths, mask = frame_inputs(frame_shape)
    forward = keras.layers.Conv1D(filters, 1, name="forward")(frames)
    backward = keras.layers.Conv1D(filters, 1, name="backward")(ReverseFrames()(frames, mask))
    pooled = []
    for level in range(levels * stacks):
        dilation = 2 ** (level % levels)
        forward = _gated(forward, mask, filters, kernel, dilation, dropout)
        backward = _gated(backward, mask, filters, kernel, dilation, dropout)
        pooled.append(MaskedMean()(keras.layers.Add()([forward, backward]), mask))  # (B, filters)
    x = WeightedSum(name="levels")(pooled)  # (B, filters)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="dilated_cnn")


def _gated(x, mask, filters: int, kernel: int, dilation: int, dropout: float):
    gate = x
    for _ in range(2):
        gate = keras.layers.Conv1D(filters, kernel, padding="causal", dilation_rate=dilation)(gate)
        gate = MaskedBatchNorm()(gate, mask=mask)
        gate = keras.layers.ReLU()(gate)
        gate = keras.layers.SpatialDropout1D(dropout)(gate)
    return keras.layers.Multiply()([x, keras.layers.Activation("sigmoid")(gate)])
