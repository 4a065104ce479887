"""Networks of others, made smaller; small networks, trained without tracing them."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import pytest

BLOCKS = ((8, 2), (16, 2), (32, 3), (64, 3), (64, 3))  # filters, convolutions


def narrow_vgg16(*, include_top: bool, weights: None, input_shape: tuple, pooling: str, name: str) -> keras.Model:
    """Return the layers of ``keras.applications.VGG16`` under its names, with an eighth of the filters."""
    assert (include_top, weights, pooling) == (False, None, "avg")
    inputs = x = keras.Input(input_shape)
    for block, (filters, depth) in enumerate(BLOCKS, 1):
        for number in range(1, depth + 1):
            layer = f"block{block}_conv{number}"
            x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=layer)(x)
        x = keras.layers.MaxPooling2D(2, strides=2, name=f"block{block}_pool")(x)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x), name=name)


@contextmanager
def eager() -> Iterator[None]:
    """Let TensorFlow compute step by step: small networks take longer to trace than to train.

    Every network is also trained as a graph, in test_real_speech.py, and exported from one wherever it is saved. The
    export does not search for lookup tables, which none has and which would take as long as the conversion.
    """
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    archive = "keras.src.export.saved_model_export_archive.SavedModelExportArchive"
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(f"{archive}._filter_and_track_resources", lambda self: None)
            yield
    finally:
        tf.config.run_functions_eagerly(False)
