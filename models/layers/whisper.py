"""Whisper's encoder: convolutions with positions, and its blocks; weights come under the hub's names.

Radford et al. 2022, arXiv 2212.04356.
"""

from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from models.layers.base import ExplicitMaskLayer, register

HEAD = 64  # values of an attention head, in every size
EPSILON = 1e-5  # of the layer normalisation
POSITIONS = 1500  # frames, 30 s


def _gelu(x):
    """Return x times the normal distribution's share below x; ``ops.gelu`` needs erfc, which ONNX does not have."""
    return x * 0.5 * (1 + ops.erf(x * 0.5**0.5))


class _Pretrained(ExplicitMaskLayer):
    """A layer of the encoder.

    Args:
        width: values per frame.
        rate_factor: its learning rate, as a share of the other layers'.
    """

    def __init__(self, width: int, rate_factor: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.width, self.rate_factor = width, rate_factor

    def get_config(self):
        return {**super().get_config(), "width": self.width, "rate_factor": self.rate_factor}


@register
class WhisperStem(_Pretrained):
    """(log-mel (B, T, bands) at 100 Hz, mask (B, T)) -> frames (B, T / 2, width) at 50 Hz with their positions.

    The first 1500 positions (30 s) are the published ones; further ones are computed by the same formula.
    """

    def build(self, x_shape):
        self.conv1 = keras.layers.Conv1D(self.width, 3, padding="same", name="conv1")
        self.conv2 = keras.layers.Conv1D(self.width, 3, strides=2, name="conv2")
        self.conv1.build(x_shape)
        self.conv2.build((None, None, self.width))
        self.positions = self.add_weight(shape=(POSITIONS, self.width), trainable=False, name="positions")

    def call(self, x, mask):
        real = ops.cast(ops.expand_dims(mask, -1), x.dtype)  # beyond its end a clip is zero, as if alone
        x = _gelu(self.conv1(x * real)) * real
        x = _gelu(self.conv2(ops.pad(x, [[0, 0], [1, 1], [0, 0]])))
        return x + self._places(ops.shape(x)[1], x.dtype)

    def _places(self, frames, dtype):
        """Return the positions (frames, width) as sinusoids, of periods from 2 pi to 10,000 * 2 pi frames."""
        half = self.width // 2
        rate = ops.exp(ops.arange(half, dtype="float32") * (-9.210340371976184 / (half - 1)))
        later = ops.arange(frames, dtype="float32") + POSITIONS
        angle = ops.expand_dims(later, 1) * rate
        further = ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=-1)
        return ops.cast(ops.concatenate([ops.cast(self.positions, "float32"), further])[:frames], dtype)

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor((x.shape[0], None, self.width), dtype=x.dtype)

    def load(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Take the published weights, by names such as ``conv1.weight``."""
        for layer in (self.conv1, self.conv2):
            layer.set_weights([tensors[f"{layer.name}.weight"].transpose(2, 1, 0), tensors[f"{layer.name}.bias"]])
        self.positions.assign(tensors["embed_positions.weight"])


@register
class WhisperBlock(_Pretrained):
    """(x (B, T, width), mask (B, T)) -> (B, T, width): self-attention, then a feed-forward part, each pre-norm."""

    def build(self, x_shape):
        norm, dense = keras.layers.LayerNormalization, keras.layers.Dense
        self.parts = {
            "self_attn_layer_norm": norm(epsilon=EPSILON),
            "self_attn.q_proj": dense(self.width),
            "self_attn.k_proj": dense(self.width, use_bias=False),
            "self_attn.v_proj": dense(self.width),
            "self_attn.out_proj": dense(self.width),
            "final_layer_norm": norm(epsilon=EPSILON),
            "fc1": dense(4 * self.width),
            "fc2": dense(self.width),
        }
        for name, part in self.parts.items():
            part.build((None, None, 4 * self.width if name == "fc2" else self.width))

    def call(self, x, mask):
        x = x + self._attention(self.parts["self_attn_layer_norm"](x), mask)
        hidden = _gelu(self.parts["fc1"](self.parts["final_layer_norm"](x)))
        return x + self.parts["fc2"](hidden)

    def _attention(self, x, mask):
        """Return what each frame takes from all real frames, (B, T, width)."""
        frames = ops.shape(x)[1]

        def by_head(name):  # (B, heads, T, 64)
            split = ops.reshape(self.parts[f"self_attn.{name}_proj"](x), (-1, frames, self.width // HEAD, HEAD))
            return ops.transpose(split, (0, 2, 1, 3))

        q, k, v = by_head("q") * HEAD**-0.5, by_head("k"), by_head("v")
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))  # (B, heads, T, T)
        real = ops.expand_dims(ops.expand_dims(mask, 1), 1)  # (B, 1, 1, T)
        weights = ops.softmax(ops.where(real, scores, ops.full_like(scores, -1e9)))
        mixed = ops.transpose(ops.matmul(weights, v), (0, 2, 1, 3))  # (B, T, heads, 64)
        return self.parts["self_attn.out_proj"](ops.reshape(mixed, (-1, frames, self.width)))

    def compute_output_spec(self, x, mask):
        return keras.KerasTensor(x.shape, dtype=x.dtype)

    def load(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Take the published weights of one block, by names such as ``fc1.weight``."""
        for name, part in self.parts.items():
            kernel = tensors[f"{name}.weight"].T  # of a norm: its gain
            part.set_weights([kernel, tensors[f"{name}.bias"]] if len(part.weights) == 2 else [kernel])


@register
class LayerMix(ExplicitMaskLayer):
    """List of L tensors of one shape -> their mean, weighted by a learned softmax that starts even."""

    def build(self, input_shape):
        self.logits = self.add_weight(shape=(len(input_shape),), initializer="zeros", name="logits")

    def call(self, levels):
        weights = ops.exp(ops.cast(self.logits - ops.max(self.logits), levels[0].dtype))
        weights = weights / ops.sum(weights)
        return sum(level * weights[n] for n, level in enumerate(levels))

    def compute_output_spec(self, levels):
        return keras.KerasTensor(levels[0].shape, dtype=levels[0].dtype)
