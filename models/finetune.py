"""Fine-tuning: start from a trained network, freeze some of its layers, unfreeze them later."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import keras

from utils.errors import ConfigError
from utils.plugins import nearest


def networks(checkpoint: Path) -> list[keras.Model]:
    """Return the networks of a checkpoint, one per run.

    Raises:
        ConfigError: the checkpoint has no model.keras, or a damaged one.
    """
    file = checkpoint / "model.keras"
    if not file.is_file():
        raise ConfigError(f"init: {checkpoint} holds no model.keras. Give a trained network, checkpoints/NAME.")
    return [layer for layer in load(file).layers if isinstance(layer, keras.Model)]


def load(file: Path) -> keras.Model:
    """Return the model of a ``.keras`` file; its layers must be Keras's or this project's, no code of the file runs.

    Raises:
        ConfigError: it is damaged, or holds layers that are not known here.
    """
    from models import layers  # noqa: F401 (registers the layers that the file refers to)

    try:
        return keras.saving.load_model(file, safe_mode=True)
    except Exception as error:  # Keras, h5py, zipfile and JSON each raise their own
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{file}: damaged, or no network of this project ({reason}). Train it again.") from error


def start_from(network: keras.Model, sources: Sequence[keras.Model], run: int) -> None:
    """Copy the weights of a trained network, layer by layer; the last layer stays new if the number of labels differs.

    Args:
        network: receives the weights.
        sources: networks of a checkpoint; run n starts from number n, modulo how many there are.
        run: from 0.

    Raises:
        ConfigError: layers whose shapes do not match, by name.
    """
    source = sources[run % len(sources)]
    layers, source_layers = _weighted(network), _weighted(source)
    if len(layers) != len(source_layers):
        raise ConfigError(f"init: its network has {len(source_layers)} layers with weights, this one {len(layers)}.")
    for layer, other in zip(layers, source_layers, strict=True):
        shapes = [[tuple(w.shape) for w in one.weights] for one in (layer, other)]
        if shapes[0] == shapes[1]:
            layer.set_weights(other.get_weights())
        elif layer is not layers[-1] or shapes[0][0][0] != shapes[1][0][0]:
            raise ConfigError(
                f"init: layer {layer.name} has weights {shapes[0]} here and {shapes[1]} there. "
                "Use the same features and the same model arguments."
            )


def freeze(network: keras.Model, names: Sequence[str]) -> None:
    """Stop the named layers from learning.

    Raises:
        ConfigError: no layer with weights has the name; the nearest and all are given.
    """
    known = [layer.name for layer in _weighted(network)]
    for name in names:
        if name not in known:
            raise ConfigError(f"freeze: no layer {name!r}.{nearest(name, known)} Known: {', '.join(known)}.")
        network.get_layer(name).trainable = False


def frozen(network: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers with weights that do not learn, also those of networks inside the network."""
    return [layer for layer in leaves(network) if layer.weights and not layer.trainable]


def unfreeze(network: keras.Model) -> None:
    """Let every layer learn except frozen batch normalisation.

    It keeps the running averages that it came with: those of the few clips of a fine-tuning would harm the layers
    after it.
    """
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            unfreeze(layer)
        elif not isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = True


def leaves(network: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yield the layers of a network, also those of networks inside it."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        else:
            yield layer


def _weighted(network: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in network.layers if layer.weights]
