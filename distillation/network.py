"""The student: residual blocks of dilated convolutions on log-mel frames, to frames of an embedding at 25 Hz.

Two strided convolutions bring 100 Hz to 25 Hz. Each block is depthwise over time with growing dilation, then two dense
layers per frame (ConvNeXt: Liu et al. 2022, arXiv 2201.03545). In the middle a gate made of the clip's mean tells every
frame what the clip is like (squeeze and excitation: Hu et al. 2018, doi 10.1109/CVPR.2018.00745).
"""

from models.keras_model import keras  # which keeps TensorFlow quiet
from models.layers import MaskedMean, MaskPadding, PadFrames, PoolMask, frame_inputs

STRIDE = 4  # frames at 100 Hz to one at 25 Hz
CENTRE_DB, SPREAD_DB = -50.0, 20.0  # about the mean and deviation of a log-mel in dB whose active level is -26 dB
KERNEL = 7  # frames of the depthwise convolutions


def build(bands: int, embedding: int, *, width: int = 256, blocks: int = 4, expansion: int = 3) -> keras.Model:
    """Return the uncompiled network: frames (B, T, bands) in dB and lengths (B,) -> two outputs.

    They are the embedding (B, ceil(T / 4), embedding), and its mean over the real frames (B, embedding).

    Args:
        bands: of the log-mel.
        embedding: values per frame, 1 or more.
        width: channels, 4 or more.
        blocks: with dilations 1, 2, 4, 8, 1, ... of frames at 25 Hz.
        expansion: width of a block's inner layer over ``width``, 1 or more.
    """
    frames, lengths, mask = frame_inputs((None, bands))
    x = keras.layers.Rescaling(1 / SPREAD_DB, -CENTRE_DB / SPREAD_DB)(frames)
    x, mask = PadFrames(STRIDE)(x), PadFrames(STRIDE)(mask)
    x = MaskPadding()(x, mask)
    for number, channels in enumerate((width * 3 // 4, width)):
        x = keras.layers.Conv1D(channels, 5, strides=2, padding="same", activation="relu", name=f"stem_{number}")(x)
        mask = PoolMask(2)(mask)
        x = MaskPadding()(x, mask)
    x = keras.layers.LayerNormalization(name="stem_norm")(x)
    for number in range(blocks):
        x = _block(x, mask, number, width, expansion)
        if number == blocks // 2:
            clip = keras.layers.Dense(width // 4, activation="relu", name="gate_in")(MaskedMean()(x, mask))
            gate = keras.layers.Dense(width, activation="sigmoid", name="gate_out")(clip)
            x = keras.layers.Multiply()([x, keras.layers.Reshape((1, width))(gate)])
    x = keras.layers.LayerNormalization(name="norm")(x)
    x = keras.layers.Dense(embedding, name="embedding")(x)
    return keras.Model([frames, lengths], [x, MaskedMean(name="pooled")(x, mask)], name="student")


def _block(x, mask, number: int, width: int, expansion: int):
    dilation = 2 ** (number % 4)
    y = MaskPadding()(x, mask)
    y = keras.layers.DepthwiseConv1D(KERNEL, padding="same", dilation_rate=dilation, name=f"depthwise_{number}")(y)
    y = keras.layers.LayerNormalization(name=f"norm_{number}")(y)
    y = keras.layers.Dense(width * expansion, activation="relu", name=f"expand_{number}")(y)
    y = keras.layers.Dense(width, name=f"reduce_{number}")(y)
    return keras.layers.Add()([x, y])
