"""How our Keras layers are registered, and how they treat masks."""

from collections.abc import Callable

import keras

PACKAGE = "ser_zoo"
register = keras.saving.register_keras_serializable(PACKAGE)


def saved_as(name: str) -> Callable[[type], type]:
    """Register a layer under the name that its class had when the first checkpoints were saved.

    Keras derives three things from ``__name__``: the class name in a .keras file, the path of the weights in it, and
    the layer names that ``freeze:`` takes (``frame_norm_1``). All three stay as they were.
    """

    def decorate(layer: type) -> type:
        layer.__name__ = name
        return register(layer)

    return decorate


class ExplicitMaskLayer(keras.layers.Layer):
    """A layer that takes its mask as an argument, and passes on no implicit mask of Keras."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs, previous_mask):
        return None
