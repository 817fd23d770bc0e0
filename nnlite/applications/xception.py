"""Xception: separable convolutions in blocks that are added to their input."""

from nnlite import layers, names
from nnlite.applications.files import of_tensorflow
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.network import network

__all__ = ["Xception", "decode_predictions", "preprocess_input"]

# Channels of the separable convolutions of blocks 2 to 13.
BLOCKS = ((128, 128), (256, 256), (728, 728), *8 * [(728, 728, 728)], (728, 1024))
HASHES = "b0042744bf5b25fce3cb969f33bebb97", "0a58e3b7378bc2990ea3b43d5981f1f6"

preprocess_input = preprocessing("tf")


def _body(x):
    for i, (channels, strides) in enumerate(((32, 2), (64, 1)), 1):
        name = f"block1_conv{i}"
        x = layers.Conv2D(channels, 3, strides=strides, use_bias=False, name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        x = layers.Activation("relu", name=f"{name}_act")(x)
    for number, channels in enumerate(BLOCKS, 2):
        x = _block(x, channels, f"block{number}", activates_first=number > 2)
    for i, channels in enumerate((1536, 2048), 1):
        name = f"block14_sepconv{i}"
        x = layers.Activation("relu", name=f"{name}_act")(_separable(x, channels, name))
    return x


def _block(x, channels, name, activates_first):
    inputs = x
    halves = len(channels) == 2
    if halves:
        inputs = layers.Conv2D(channels[-1], 1, strides=2, padding="same", use_bias=False)(x)
        inputs = layers.BatchNormalization()(inputs)
    for i, count in enumerate(channels, 1):
        if i > 1 or activates_first:
            x = layers.Activation("relu", name=f"{name}_sepconv{i}_act")(x)
        x = _separable(x, count, f"{name}_sepconv{i}")
    if halves:
        x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    return layers.add([x, inputs])


def _separable(x, channels, name):
    x = layers.SeparableConv2D(channels, 3, padding="same", use_bias=False, name=name)(x)
    return layers.BatchNormalization(name=f"{name}_bn")(x)


Xception = network(
    "xception.Xception",
    _body,
    published=lambda top: of_tensorflow("xception", "xception", top, HASHES[top]),
    size=299,
    least=71,
    summary="Xception: 34 separable convolutions, in blocks that are added to their input.",
    source="F. Chollet: Xception: Deep learning with depthwise separable convolutions, 2016.",
)

__getattr__ = names.of(__name__)
