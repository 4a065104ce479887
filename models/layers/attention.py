"""Attention: pooling over time by learned weights, and the layers of a transformer encoder."""

import keras
from keras import ops

from models.layers.base import ExplicitMaskLayer, register, saved_as


@register
class MaskedSoftmax(ExplicitMaskLayer):
    """(scores (B, T), mask (B, T)) -> weights (B, T) that sum to 1 over the real frames and are 0 elsewhere."""

    def call(self, scores, mask):
        scores = ops.where(mask, scores, ops.full_like(scores, -1e9))
        weights = ops.exp(scores - ops.max(scores, axis=-1, keepdims=True))
        return weights / ops.sum(weights, axis=-1, keepdims=True)

    def compute_output_spec(self, scores, mask):
        return keras.KerasTensor(scores.shape, dtype=scores.dtype)


def additive_attention(x, mask, units: int, *, name: str = "attention"):
    """Return the mean over time weighted by softmax(v . tanh(W h)), (B, T, D) -> (B, D).

    Bahdanau et al. 2015, arXiv 1409.0473.
    """
    return _weighted_mean(x, _additive_scores(x, units, name), mask, name)


def dot_product_attention(x, mask, query, *, name: str = "attention"):
    """Return the mean over time weighted by softmax(query . h), x (B, T, D), query (B, D) -> (B, D).

    Luong et al. 2015, arXiv 1508.04025.
    """
    scores = keras.layers.Dot(axes=(2, 1), name=f"{name}_scores")([x, query])  # (B, T)
    return _weighted_mean(x, scores, mask, name)


def linear_attention(x, mask, *, use_bias: bool = True, name: str = "attention"):
    """Return the mean over time weighted by softmax(w . h), (B, T, D) -> (B, D)."""
    scores = keras.layers.Dense(1, use_bias=use_bias, name=f"{name}_scores")(x)  # (B, T, 1)
    return _weighted_mean(x, keras.layers.Reshape((-1,), name=f"{name}_flat")(scores), mask, name)


def statistics_attention(x, mask, units: int, *, name: str = "attention"):
    """Return mean and deviation over time weighted by softmax(v . tanh(W h)), (B, T, D) -> (B, 2 D).

    Okabe et al. 2018, arXiv 1803.10963.
    """
    weights = MaskedSoftmax(name=name)(_additive_scores(x, units, name), mask)  # (B, T)
    mean = keras.layers.Dot(axes=(1, 1), name=f"{name}_pooled")([weights, x])
    return keras.layers.Concatenate(name=f"{name}_statistics")([mean, WeightedStd()(x, weights, mean)])


def _additive_scores(x, units: int, name: str):
    """Return v . tanh(W h) of each frame, (B, T, D) -> (B, T)."""
    hidden = keras.layers.Dense(units, activation="tanh", name=f"{name}_hidden")(x)  # (B, T, units)
    scores = keras.layers.Dense(1, use_bias=False, name=f"{name}_scores")(hidden)  # (B, T, 1)
    return keras.layers.Reshape((-1,), name=f"{name}_flat")(scores)


def _weighted_mean(x, scores, mask, name: str):
    weights = MaskedSoftmax(name=name)(scores, mask)  # (B, T)
    return keras.layers.Dot(axes=(1, 1), name=f"{name}_pooled")([weights, x])  # (B, D)


@register
class WeightedStd(ExplicitMaskLayer):
    """(x (B, T, D), weights (B, T) of sum 1, mean (B, D)) -> deviation (B, D), at least .003 for a gradient."""

    def call(self, x, weights, mean):
        squares = ops.square(x - ops.expand_dims(mean, 1))  # (B, T, D)
        return ops.sqrt(ops.sum(squares * ops.expand_dims(weights, -1), axis=1) + 1e-5)

    def compute_output_spec(self, x, weights, mean):
        return keras.KerasTensor(mean.shape, dtype=mean.dtype)


@saved_as("Positions")
class SinusoidalPositions(ExplicitMaskLayer):
    """x (B, T, D) -> x plus sinusoidal positions (Vaswani et al. 2017, section 3.5); D must be even."""

    def call(self, x):
        half = x.shape[-1] // 2
        rate = ops.exp(ops.arange(half, dtype=x.dtype) * (-9.210340371976184 / half))  # 1 / 10000 ** (i / half)
        angle = ops.expand_dims(ops.arange(ops.shape(x)[1], dtype=x.dtype), 1) * rate  # (T, half)
        return x + ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=-1)

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, dtype=x.dtype)


@register
class AttentionMask(ExplicitMaskLayer):
    """mask (B, T) -> (B, 1, T): every frame attends to the real frames."""

    def call(self, mask):
        return ops.expand_dims(mask, 1)

    def compute_output_spec(self, mask):
        return keras.KerasTensor((mask.shape[0], 1, mask.shape[1]), dtype="bool")


def encoder_layer_pre_norm(x, mask, *, heads: int, feed_forward: int, dropout: float):
    """Return a transformer encoder layer that normalises before each part, (B, T, D) -> (B, T, D).

    Xiong et al. 2020, arXiv 2002.04745.
    """
    y = keras.layers.LayerNormalization()(x)
    x = keras.layers.Add()([x, _self_attention(y, mask, heads, dropout)])
    y = keras.layers.LayerNormalization()(x)
    return keras.layers.Add()([x, _feed_forward(y, feed_forward, dropout)])


def encoder_layer_post_norm(x, mask, *, heads: int, feed_forward: int, dropout: float):
    """Return a transformer encoder layer that normalises after each part, (B, T, D) -> (B, T, D).

    Vaswani et al. 2017, arXiv 1706.03762.
    """
    x = keras.layers.Add()([x, _self_attention(x, mask, heads, dropout)])
    x = keras.layers.LayerNormalization()(x)
    x = keras.layers.Add()([x, _feed_forward(x, feed_forward, dropout)])
    return keras.layers.LayerNormalization()(x)


def _self_attention(x, mask, heads: int, dropout: float):
    """Return multi-head attention of every frame to all real frames, (B, T, D) -> (B, T, D)."""
    attend = keras.layers.MultiHeadAttention(heads, x.shape[-1] // heads, dropout=dropout)
    return keras.layers.Dropout(dropout)(attend(x, x, attention_mask=AttentionMask()(mask)))


def _feed_forward(x, units: int, dropout: float):
    """Return two dense layers applied to each frame, (B, T, D) -> (B, T, D)."""
    y = keras.layers.Dense(units, activation="relu")(x)
    y = keras.layers.Dense(x.shape[-1])(keras.layers.Dropout(dropout)(y))
    return keras.layers.Dropout(dropout)(y)
