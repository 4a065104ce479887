"""Networks of others, made smaller."""

import keras

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
