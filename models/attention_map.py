"""What a network's attention looked at: its weights over time, back on the frames that it was given."""

import keras
from keras import ops

from models.images import Chunks, PoolMask
from models.layers import FrameMask, MaskedSoftmax, _Explicit, register


@register
class SpreadWeights(_Explicit):
    """(weights (B, N) of steps, mask (B, T) of frames) -> weights (B, T), of equal sum, 0 on padding.

    Step n covers the frames from n * hop to n * hop + size; its weight is shared evenly by the real ones among them.
    """

    def __init__(self, size: int, hop: int, **kwargs):
        super().__init__(**kwargs)
        self.size, self.hop = size, hop

    def call(self, weights, mask):
        real = ops.cast(mask, weights.dtype)  # (B, T)
        first = ops.expand_dims(ops.arange(ops.shape(weights)[1], dtype="int32") * self.hop, 1)  # (N, 1)
        frame = ops.expand_dims(ops.arange(ops.shape(mask)[1], dtype="int32"), 0)  # (1, T)
        covers = ops.cast(ops.logical_and(frame >= first, frame < first + self.size), weights.dtype)  # (N, T)
        shared_by = ops.maximum(ops.matmul(real, ops.transpose(covers)), 1)  # (B, N)
        return ops.matmul(weights / shared_by, covers) * real

    def compute_output_spec(self, weights, mask):
        return keras.KerasTensor(mask.shape, dtype=weights.dtype)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "hop": self.hop}


def with_attention_map(network: keras.Model) -> keras.Model | None:
    """Return the network with a second output, (B, T) weights over its own frames, or None if it has no attention.

    Attention is every MaskedSoftmax of the network; the weights of several are averaged. That of a transformer's
    encoder is none: there each frame weighs every other one, and no frame's share in the clip follows from it.
    """
    found = [layer for layer in network.layers if isinstance(layer, MaskedSoftmax)]
    if not found:
        return None
    mask = next(layer for layer in network.layers if isinstance(layer, FrameMask)).output  # (B, T)
    spread = []
    for layer in found:
        size, hop = _reach(layer.input[1])
        spread.append(layer.output if size == 1 else SpreadWeights(size, hop)(layer.output, mask))
    weights = spread[0] if len(spread) == 1 else keras.layers.Average()(spread)
    return keras.Model(network.inputs, [network.output, weights], name=network.name)


def _reach(mask: keras.KerasTensor) -> tuple[int, int]:
    """Return how many frames a step of a mask covers, and how many lie from one step to the next."""
    size = hop = 1
    history = mask._keras_history
    while not isinstance(history.operation, FrameMask):
        layer = history.operation
        if isinstance(layer, PoolMask):
            size, hop = layer.size * size, layer.size * hop
        elif isinstance(layer, Chunks):
            size, hop = layer.hop * (size - 1) + layer.size, layer.hop * hop
        given = layer.input
        history = (given[-1] if isinstance(given, list) else given)._keras_history
    return size, hop
