"""Dense layers on a functional vector, most of it dropped at every step: the plain deep network of the field.

[dropout .5 on the features] -> 2 x [dense, batch norm, ReLU, dropout .5] -> softmax (Srivastava et al. 2014, JMLR 15;
Ioffe & Szegedy 2015, arXiv 1502.03167). Features are cut at four deviations: a functional such as the kurtosis of a
strange voice may lie fifty from what training saw, and would alone decide.
"""

import keras

INPUT = "vector"


def build(
    frame_shape,
    n_classes,
    *,
    units: list[int] = [256, 128],
    dropout: float = 0.5,
    limit: float = 4.0,
) -> keras.Model:
    """Return the uncompiled network, (batch, dims) -> (batch, n_classes) probabilities.

    Args:
        units: widths of the hidden layers.
        limit: deviations at which features are cut.
    """
    inputs = keras.Input(frame_shape, name="vector")
    x = keras.layers.Dropout(dropout)(keras.ops.clip(inputs, -limit, limit))
    for size in units:
        x = keras.layers.Dense(size)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(x))
        x = keras.layers.Dropout(dropout)(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model(inputs, probabilities, name="dense")
