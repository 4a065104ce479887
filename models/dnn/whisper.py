"""Whisper's encoder, frozen or fine-tuned: a learned mean of its layers, attentive statistics pooling, softmax.

It reads Whisper's log-mel spectrogram, ``features: {name: whisper_logmel}``. The weights come from a local file when
training begins (``python -m extract_feats.download whisper-base``); a trained checkpoint holds its own.

Encoder: Radford et al. 2022, arXiv 2212.04356. Mean of the layers: Yang et al. 2021, arXiv 2105.01051. Attentive
statistics pooling: Okabe et al. 2018, arXiv 1803.10963.

Licence: MIT, network and weights, huggingface.co/openai/whisper-base.
"""

from pathlib import Path

import keras
import numpy as np

from models.layers import (
    LayerMix,
    MaskedBatchNorm,
    PoolMask,
    RestoreScale,
    WhisperBlock,
    WhisperStem,
    frame_inputs,
    statistics_attention,
)
from utils.errors import ConfigError
from utils.pretrained import locate, read_tensors

INPUT = "frames"
SMALLEST = 80  # bands
PREFIX = "model.encoder."  # of the hub's names


def build(
    frame_shape,
    n_classes,
    *,
    model: str = "whisper-base",
    blocks: int = 4,
    unfreeze: int = 0,
    rate: float = 0.1,
    units: int = 128,
    dropout: float = 0.3,
) -> keras.Model:
    """Return the uncompiled network, (batch, frames, bands) at 100 Hz -> (batch, n_classes) probabilities.

    Args:
        model: folder with ``model.safetensors``, absolute or below $SER_PRETRAINED (``pretrained/``).
        blocks: of the encoder, from the first, 1 or more; those above tell less about emotion.
        unfreeze: blocks that learn, counted from the last one; with all of them the convolutions learn too.
        rate: learning rate of the encoder as a share of ``train.learning_rate``.
        units: of the attention and of the dense layer, 1 or more.
        dropout: share of the values set to zero while training, 0 to 1 (1 excluded).

    Raises:
        ConfigError: no such weights, fewer blocks, or features of other bands.
    """
    tensors = _weights(locate(model), blocks)
    width, bands, _ = tensors["conv1.weight"].shape
    if frame_shape[-1] != bands:
        raise ConfigError(
            f"whisper reads {bands} bands, got {frame_shape[-1]} dimensions. "
            f"Use features: {{name: whisper_logmel, n_mels: {bands}}}."
        )
    frames, lengths, mask = frame_inputs(frame_shape)
    stem = WhisperStem(width, rate, name="stem")
    x = stem(RestoreScale(name="restored")(frames), mask)  # (B, T, width), T at 50 Hz
    stem.load(tensors)
    stem.trainable = unfreeze >= blocks
    mask = PoolMask(2)(mask)
    layers = []
    for number in range(blocks):
        block = WhisperBlock(width, rate, name=f"block_{number + 1}")
        x = block(x, mask)
        start = f"layers.{number}."
        block.load({name.removeprefix(start): values for name, values in tensors.items() if name.startswith(start)})
        block.trainable = number >= blocks - unfreeze
        layers.append(x)
    x = MaskedBatchNorm(name="mix_norm")(LayerMix(name="mix")(layers), mask=mask)
    x = statistics_attention(x, mask, units)  # (B, 2 width)
    x = keras.layers.Dropout(dropout)(keras.layers.BatchNormalization(momentum=0.9)(x))
    x = keras.layers.Dropout(dropout)(keras.layers.Dense(units, activation="relu")(x))
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model([frames, lengths], probabilities, name="whisper")


def _weights(folder: Path, blocks: int) -> dict[str, np.ndarray]:
    """Return the encoder's tensors in float32 by their names without PREFIX."""
    file = folder / "model.safetensors"
    if not file.is_file():
        raise ConfigError(
            f"{file}: not there. Get it: python -m extract_feats.download {folder.name} --blocks {blocks}"
        )
    tensors = {name.removeprefix(PREFIX): np.float32(values) for name, values in read_tensors(file, PREFIX).items()}
    available = len({name.split(".")[1] for name in tensors if name.startswith("layers.")})
    if "conv1.weight" not in tensors or not 1 <= blocks <= available:
        raise ConfigError(f"{file}: blocks must be from 1 to {available}, got {blocks}.")
    return tensors
