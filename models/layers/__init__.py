"""Layers and blocks that the networks share, written with ``keras.ops`` alone: they run on every Keras backend.

All take right-padded frames x (B, T, D) and a mask (B, T), True where a frame is real. What padding frames hold never
reaches a real frame or the output.
"""

from models.layers.attention import (
    AttentionMask,
    MaskedSoftmax,
    SinusoidalPositions,
    WeightedStd,
    additive_attention,
    dot_product_attention,
    encoder_layer_post_norm,
    encoder_layer_pre_norm,
    linear_attention,
    statistics_attention,
)
from models.layers.convolutions import (
    MaskedBatchNorm,
    conv1d_block,
    conv2d_block,
    conv2d_stack,
    flatten_bands,
    norm_relu,
    time_distributed_cnn,
)
from models.layers.masks import BandMask, FrameMask, MaskPadding, PadFrames, PoolMask, ReverseFrames, frame_inputs
from models.layers.pooling import (
    LastFrame,
    MaskedMax,
    MaskedMaxPool,
    MaskedMean,
    MaskedStd,
    WeightedSum,
    pool_frames,
    statistics_pooling,
)
from models.layers.recurrent import bidirectional_lstm, last_states
from models.layers.scaling import RestoreScale, Standardise, Temperature
from models.layers.whisper import LayerMix, WhisperBlock, WhisperStem
from models.layers.windows import MergeChunks, SlidingWindows, SplitChunks

__all__ = [
    "AttentionMask", "BandMask", "FrameMask", "LastFrame", "LayerMix", "MaskPadding", "MaskedBatchNorm", "MaskedMax",
    "MaskedMaxPool", "MaskedMean", "MaskedSoftmax", "MaskedStd", "MergeChunks", "PadFrames", "PoolMask",
    "RestoreScale", "ReverseFrames", "SinusoidalPositions", "SlidingWindows", "SplitChunks", "Standardise",
    "Temperature", "WeightedStd", "WeightedSum", "WhisperBlock", "WhisperStem", "additive_attention",
    "bidirectional_lstm", "conv1d_block", "conv2d_block", "conv2d_stack", "dot_product_attention",
    "encoder_layer_post_norm", "encoder_layer_pre_norm", "flatten_bands", "frame_inputs", "last_states",
    "linear_attention", "norm_relu", "pool_frames", "statistics_attention", "statistics_pooling",
    "time_distributed_cnn",
]  # fmt: skip
