"""Layers that the networks share. All take right-padded frames (batch, frames, dims) and a mask (batch, frames).

Written with ``keras.ops`` alone, so the networks run on every Keras backend.
"""

import keras
from keras import ops

from models.temperature import FLOOR

PACKAGE = "ser_zoo"
register = keras.saving.register_keras_serializable(PACKAGE)


class _Explicit(keras.layers.Layer):
    """A layer whose mask is an argument: Keras's own implicit mask ends here instead of steering layers behind."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs, previous_mask):
        return None


@register
class Temperature(keras.layers.Layer):
    """probabilities (B, C) -> softmax(log p / temperature), as ``models.temperature.apply_temperature``."""

    def __init__(self, temperature: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.temperature = temperature

    def call(self, probabilities):
        return ops.softmax(ops.log(ops.maximum(probabilities, FLOOR)) / self.temperature)

    def get_config(self):
        return super().get_config() | {"temperature": self.temperature}


@register
class FrameMask(_Explicit):
    """(frames (B, T, D), lengths (B,)) -> mask (B, T) bool, True where a frame is real."""

    def call(self, frames, lengths):
        steps = ops.arange(ops.shape(frames)[1], dtype="int32")
        return ops.expand_dims(steps, 0) < ops.expand_dims(ops.cast(lengths, "int32"), 1)

    def compute_output_spec(self, frames, lengths):
        return keras.KerasTensor(frames.shape[:2], dtype="bool")


@register
class Blank(_Explicit):
    """(x (B, T, ...), mask (B, T)) -> x with padding frames set to zero, as beyond the end of an unpadded clip."""

    def call(self, x, mask):
        for _ in x.shape[2:]:
            mask = ops.expand_dims(mask, -1)
        return x * ops.cast(mask, x.dtype)

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor(x.shape, dtype=x.dtype)


@register
class FrameNorm(keras.layers.BatchNormalization):
    """(x (B, T, ...), mask of its shape without channels) -> x normalised by the statistics of its real frames.

    Its running averages keep .9 an update: at Keras's .99 they lag ten epochs behind on a corpus of 1000 clips.
    """

    def __init__(self, momentum: float = 0.9, **kwargs):
        super().__init__(momentum=momentum, **kwargs)

    def compute_mask(self, inputs, previous_mask=None):
        return None  # the mask is an argument here as everywhere


@register
class ReverseFrames(_Explicit):
    """(x (B, T, D), mask (B, T)) -> each clip's real frames in reverse order, its padding where it was."""

    def call(self, x, mask):
        length = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)  # (B, 1)
        steps = ops.expand_dims(ops.arange(ops.shape(x)[1], dtype="int32"), 0)  # (1, T)
        order = ops.where(steps < length, length - 1 - steps, steps)  # (B, T)
        return ops.take_along_axis(x, ops.expand_dims(order, -1), axis=1)

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor(x.shape, dtype=x.dtype)


@register
class LastFrame(_Explicit):
    """(x (B, T, D), mask (B, T)) -> the last real frame (B, D)."""

    def call(self, x, mask):
        last = ops.sum(ops.cast(mask, "int32"), axis=1) - 1  # (B,)
        return ops.squeeze(ops.take_along_axis(x, ops.reshape(last, (-1, 1, 1)), axis=1), 1)

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor((x.shape[0], x.shape[2]), dtype=x.dtype)


@register
class MaskedMean(_Explicit):
    """(x (B, T, D), mask (B, T)) -> mean over the real frames (B, D)."""

    def call(self, x, mask):
        weight = ops.cast(ops.expand_dims(mask, -1), x.dtype)  # (B, T, 1)
        return ops.sum(x * weight, axis=1) / ops.sum(weight, axis=1)

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor((x.shape[0], x.shape[2]), dtype=x.dtype)


@register
class MaskedSoftmax(_Explicit):
    """(scores (B, T), mask (B, T)) -> weights (B, T) that sum to 1 over the real frames and are 0 elsewhere."""

    def call(self, scores, mask):
        scores = ops.where(mask, scores, ops.full_like(scores, -1e9))
        weights = ops.exp(scores - ops.max(scores, axis=-1, keepdims=True))
        return weights / ops.sum(weights, axis=-1, keepdims=True)

    def compute_output_spec(self, scores, mask):
        return keras.KerasTensor(scores.shape, dtype=scores.dtype)


@register
class Standardise(_Explicit):
    """(x, mean, std) -> (x - mean) / std; mean and std are (B, D), or else the layer's own (D,) constants."""

    def __init__(self, mean, std, **kwargs):
        super().__init__(**kwargs)
        self.mean, self.std = [float(value) for value in mean], [float(value) for value in std]

    def call(self, x, mean=None, std=None):
        if mean is None:
            return (x - ops.convert_to_tensor(self.mean, x.dtype)) / ops.convert_to_tensor(self.std, x.dtype)
        if len(x.shape) == 3:
            mean, std = ops.expand_dims(mean, 1), ops.expand_dims(std, 1)
        return (x - mean) / std

    def compute_output_spec(self, x, mean=None, std=None):
        return keras.KerasTensor(x.shape, dtype=x.dtype)

    def get_config(self):
        return {**super().get_config(), "mean": self.mean, "std": self.std}


def frame_inputs(frame_shape: tuple[int | None, int]):
    """Return the inputs ``frames`` (B, T, D), ``lengths`` (B,) and the mask (B, T) made of them."""
    frames = keras.Input(frame_shape, name="frames")
    lengths = keras.Input((), dtype="int64", name="lengths")
    return frames, lengths, FrameMask(name="mask")(frames, lengths)


def bidirectional_lstm(x, mask, units: int, *, name: str):
    """Return both directions of an LSTM side by side, (B, T, 2 * units); padding frames do not reach real ones.

    The backward direction reads each clip's real frames reversed, so that padding comes last for both
    and neither needs a mask in its recurrence: that keeps the fused GPU kernel reachable and the
    exported graph free of branches. What the LSTMs put out in the padding must be masked afterwards.
    """
    forward = keras.layers.LSTM(units, return_sequences=True, name=f"{name}_forward")(x)
    backward = keras.layers.LSTM(units, return_sequences=True, name=f"{name}_backward")(ReverseFrames()(x, mask))
    return keras.layers.Concatenate(name=name)([forward, ReverseFrames()(backward, mask)])


def additive_attention(x, mask, units: int, *, name: str = "attention"):
    """Return the attention-weighted mean over time (B, D) and the weights (B, T).

    Bahdanau et al. 2015, arXiv 1409.0473: score = v . tanh(W h).
    """
    hidden = keras.layers.Dense(units, activation="tanh", name=f"{name}_hidden")(x)  # (B, T, units)
    scores = keras.layers.Dense(1, use_bias=False, name=f"{name}_scores")(hidden)  # (B, T, 1)
    scores = keras.layers.Reshape((-1,), name=f"{name}_flat")(scores)  # (B, T)
    weights = MaskedSoftmax(name=name)(scores, mask)  # (B, T)
    pooled = keras.layers.Dot(axes=(1, 1), name=f"{name}_pooled")([weights, x])  # (B, D)
    return pooled, weights


def luong_attention(x, mask, query, *, name: str = "attention"):
    """Return the mean of x (B, T, D) weighted by its match with query (B, D), (B, D), and the weights (B, T).

    Luong et al. 2015, arXiv 1508.04025: score = query . h.
    """
    scores = keras.layers.Dot(axes=(2, 1), name=f"{name}_scores")([x, query])  # (B, T)
    weights = MaskedSoftmax(name=name)(scores, mask)  # (B, T)
    return keras.layers.Dot(axes=(1, 1), name=f"{name}_pooled")([weights, x]), weights


def last_states(x, mask, units: int):
    """Return each direction's state after the whole clip (B, 2 units): forward's last frame, backward's first."""
    forward = LastFrame()(x[:, :, :units], mask)
    return keras.layers.Concatenate()([forward, x[:, 0, units:]])


def linear_attention(x, mask, *, use_bias: bool = True, name: str = "attention"):
    """Return the mean of x (B, T, D) weighted by softmax(w . h), (B, D), and the weights (B, T)."""
    scores = keras.layers.Dense(1, use_bias=use_bias, name=f"{name}_scores")(x)  # (B, T, 1)
    scores = keras.layers.Reshape((-1,), name=f"{name}_flat")(scores)  # (B, T)
    weights = MaskedSoftmax(name=name)(scores, mask)
    return keras.layers.Dot(axes=(1, 1), name=f"{name}_pooled")([weights, x]), weights


@register
class MaskedStd(_Explicit):
    """(x (B, T, D), mask (B, T)) -> deviation over the real frames (B, D); its smallest is .003, for the gradient."""

    def call(self, x, mask):
        weight = ops.cast(ops.expand_dims(mask, -1), x.dtype)  # (B, T, 1)
        frames = ops.sum(weight, axis=1, keepdims=True)
        mean = ops.sum(x * weight, axis=1, keepdims=True) / frames
        return ops.sqrt(ops.sum(ops.square(x - mean) * weight, axis=1) / frames[:, 0] + 1e-5)

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor((x.shape[0], x.shape[2]), dtype=x.dtype)


@register
class MaskedMax(_Explicit):
    """(x (B, T, D), mask (B, T)) -> maximum over the real frames (B, D)."""

    def call(self, x, mask):
        return ops.max(ops.where(ops.expand_dims(mask, -1), x, ops.full_like(x, -1e9)), axis=1)

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor((x.shape[0], x.shape[2]), dtype=x.dtype)


@register
class LevelSum(_Explicit):
    """List of L tensors (B, D) -> their sum (B, D), each times a learned weight."""

    def build(self, input_shape):
        mean = keras.initializers.Constant(1 / len(input_shape))  # to begin with, every level counts alike
        self.weight = self.add_weight(shape=(len(input_shape),), initializer=mean, name="weight")

    def call(self, levels):
        return ops.tensordot(ops.stack(levels, axis=-1), self.weight, axes=1)

    def compute_output_shape(self, input_shape):
        return input_shape[0]


@register
class Positions(_Explicit):
    """x (B, T, D) -> x plus sinusoidal positions (Vaswani et al. 2017, section 3.5); D must be even."""

    def call(self, x):
        half = x.shape[-1] // 2
        rate = ops.exp(ops.arange(half, dtype=x.dtype) * (-9.210340371976184 / half))  # 1 / 10000 ** (i / half)
        angle = ops.expand_dims(ops.arange(ops.shape(x)[1], dtype=x.dtype), 1) * rate  # (T, half)
        return x + ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=-1)

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, dtype=x.dtype)


@register
class AttentionMask(_Explicit):
    """mask (B, T) -> (B, 1, T): what every frame may look at."""

    def call(self, mask):
        return ops.expand_dims(mask, 1)

    def compute_output_spec(self, mask):
        return keras.KerasTensor((mask.shape[0], 1, mask.shape[1]), dtype="bool")


def encoder_layer(x, mask, *, heads: int, feed_forward: int, dropout: float, pre_norm: bool = False):
    """Return a transformer encoder layer of (B, T, D); frames look at real frames only."""
    width = x.shape[-1]
    attend = keras.layers.MultiHeadAttention(heads, width // heads, dropout=dropout)
    seen = AttentionMask()(mask)
    query = keras.layers.LayerNormalization()(x) if pre_norm else x
    x = keras.layers.Add()([x, keras.layers.Dropout(dropout)(attend(query, query, attention_mask=seen))])
    x = x if pre_norm else keras.layers.LayerNormalization()(x)
    y = keras.layers.LayerNormalization()(x) if pre_norm else x
    y = keras.layers.Dense(feed_forward, activation="relu")(y)
    y = keras.layers.Dense(width)(keras.layers.Dropout(dropout)(y))
    x = keras.layers.Add()([x, keras.layers.Dropout(dropout)(y)])
    return x if pre_norm else keras.layers.LayerNormalization()(x)
