"""Dense layers with strong dropout on a functional vector: the plain deep network of the field.

[dropout .5 on the features] -> 2 x [dense, batch norm, ReLU, dropout .5] -> softmax (Srivastava et al. 2014, JMLR 15;
Ioffe & Szegedy 2015, arXiv 1502.03167). Features are clipped at four deviations: a functional such as
the kurtosis of a new voice can lie fifty deviations from the training mean, and would decide alone.
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
        units: widths of the hidden layers, 1 or more each.
        dropout: share of the features and of each hidden layer set to zero while training, 0 to 1 (1 excluded).
        limit: features are clipped at this many standard deviations, above 0.
    """
    inputs = keras.Input(frame_shape, name="vector")
    x = keras.layers.Dropout(dropout)(keras.ops.clip(inputs, -limit, limit))
    for size in units:
        x = keras.layers.Dense(size)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(x))
        x = keras.layers.Dropout(dropout)(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model(inputs, probabilities, name="dense")
