"""VGG16: a network trained on the photographs of ImageNet, on windows of log-mel frames; their outputs are averaged.

Simonyan & Zisserman 2015, arXiv 1409.1556. Windows of 128 frames every 64, the bands as height, three equal channels
scaled to the range the network was trained on; global mean -> 512 -> 256 -> softmax. Weights come from a local file
(Keras's ``vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5``) or, by ``weights: imagenet``, from Keras's download.

Licence: CC BY 4.0, the weights that were trained on ImageNet, www.robots.ox.ac.uk/~vgg/research/very_deep.
"""

from pathlib import Path

import keras

from models.layers import MaskedMean, MergeChunks, SlidingWindows, SplitChunks, frame_inputs
from utils.errors import ConfigError
from utils.imagenet import CONTRAST

INPUT = "frames"
SMALLEST = 32  # bands and frames that the five poolings of VGG16 need


def build(
    frame_shape,
    n_classes,
    *,
    weights: str | None = "imagenet",
    trainable: bool = False,
    window: int = 128,
    hop: int = 64,
    dense: list[int] = [512, 256],
    dropout: float = 0.5,
) -> keras.Model:
    """Return the uncompiled network, (batch, frames, dims) -> (batch, n_classes) probabilities.

    Args:
        weights: a file, "imagenet", or None for random ones.
        trainable: train the convolutions too, not only the dense layers; ``train: {unfreeze_epoch: N}`` starts
            training them at epoch N.
        window: frames per window, 32 or more.
        hop: frames from the start of one window to the next, 1 or more.
        dense: widths of the layers before the softmax, 1 or more each.
        dropout: share of the values set to zero while training, 0 to 1 (1 excluded).

    Raises:
        ConfigError: fewer than 32 bands or frames per window, or no such weights file.
    """
    if frame_shape[-1] < SMALLEST or window < SMALLEST:
        raise ConfigError(f"vgg16 needs at least {SMALLEST} bands and frames, got {frame_shape[-1]} and {window}.")
    if weights not in (None, "imagenet") and not Path(weights).is_file():
        raise ConfigError(f"vgg16: no weights file {weights}. Give a file, 'imagenet' or null.")
    frames, lengths, mask = frame_inputs(frame_shape)
    windows, whole = SlidingWindows(window, hop)(frames, mask)  # (B, N, window, D)
    x = keras.layers.Reshape((window, frame_shape[-1], 1))(MergeChunks()(windows))
    x = keras.layers.Rescaling(CONTRAST)(keras.layers.Concatenate()([x, x, x]))  # (B N, window, D, 3)
    vgg = keras.applications.VGG16(
        include_top=False, weights=weights, input_shape=(window, frame_shape[-1], 3), pooling="avg", name="vgg16_base"
    )
    vgg.trainable = trainable
    x = MaskedMean()(SplitChunks()(vgg(x), whole), whole)  # (B, 512)
    for size in dense:
        x = keras.layers.Dropout(dropout)(keras.layers.Dense(size, activation="relu")(x))
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="vgg16")
