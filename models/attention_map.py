"""Attention maps: the weight of each frame in a network's attention over time."""

import keras
from keras import ops

from models.layers import FrameMask, MaskedSoftmax, PoolMask, SlidingWindows
from models.layers.base import ExplicitMaskLayer, register


@register
class SpreadWeights(ExplicitMaskLayer):
    """(weights (B, N) of steps, mask (B, T) of frames) -> weights (B, T) of frames, of equal sum, 0 on padding.

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
        frames_covered = ops.maximum(ops.matmul(real, ops.transpose(covers)), 1)  # (B, N)
        return ops.matmul(weights / frames_covered, covers) * real

    def compute_output_spec(self, weights, mask):
        return keras.KerasTensor(mask.shape, dtype=weights.dtype)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "hop": self.hop}


def with_attention_map(network: keras.Model) -> keras.Model | None:
    """Return the network with a second output, the weights (B, T) of its input frames, or None if it has no attention.

    Attention here is every MaskedSoftmax of the network; the weights of several are averaged. The self-attention of a
    transformer's encoder does not count: there each frame weighs every other frame, which gives no weight of a frame
    in the clip.
    """
    attentions = [layer for layer in network.layers if isinstance(layer, MaskedSoftmax)]
    if not attentions:
        return None
    mask = next(layer for layer in network.layers if isinstance(layer, FrameMask)).output  # (B, T)
    maps = []
    for attention in attentions:
        size, hop = _frames_of_step(attention.input[1])
        maps.append(attention.output if size == 1 else SpreadWeights(size, hop)(attention.output, mask))
    weights = maps[0] if len(maps) == 1 else keras.layers.Average()(maps)
    return keras.Model(network.inputs, [network.output, weights], name=network.name)


def _frames_of_step(mask: keras.KerasTensor) -> tuple[int, int]:
    """Return how many input frames a step of a mask covers, and how many are from the start of one step to the next.

    It follows the mask through the graph, from the attention back to the input frames.
    """
    size = hop = 1
    history = mask._keras_history
    while not isinstance(history.operation, FrameMask):
        layer = history.operation
        if isinstance(layer, PoolMask):
            size, hop = layer.size * size, layer.size * hop
        elif isinstance(layer, SlidingWindows):
            size, hop = layer.hop * (size - 1) + layer.size, layer.hop * hop
        inputs = layer.input
        history = (inputs[-1] if isinstance(inputs, list) else inputs)._keras_history
    return size, hop
