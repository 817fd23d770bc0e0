"""MobileNet: a convolution of each channel for itself, then one of 1 x 1, and so on."""

from nnlite import layers, names, warn
from nnlite.applications.explained import explained
from nnlite.applications.files import in_storage
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.network import Asked, assembled
from nnlite.checks import check_number, positive_int

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]

SIZES = 128, 160, 192, 224  # of images, for which there are weights
WIDTHS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}  # in names of files

# Channels and strides of each block.
BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)),
    *((512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1)),
    *((1024, 2), (1024, 1)),
)

preprocess_input = preprocessing("tf")


@explained(
    summary="MobileNet: 13 depthwise convolutions, each followed by one of 1 x 1, for phones.",
    source="A. Howard et al.: MobileNets: Efficient convolutional neural networks for mobile "
    "vision applications, 2017.",
    size=224,
    dropout=1e-3,
    alpha_is=f"""float above 0, default 1.0
    Width: the factor of the number of channels. Weights: {tuple(WIDTHS)}.""",
    depth_multiplier_is="""int, default 1
    How many results a depthwise convolution has for each channel.""",
    name_is="str, optional\n    Of the model; by default mobilenet_ALPHA_SIZE.",
)
def MobileNet(
    input_shape=None,
    alpha=1.0,
    depth_multiplier=1,
    dropout=1e-3,
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name=None,
):
    check_number("alpha", alpha, "(0, inf)", "MobileNet")
    check_number("dropout", dropout, "[0, 1)", "MobileNet")
    depth_multiplier = positive_int("depth_multiplier", depth_multiplier)
    asked = Asked(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
    )
    size = size_for(asked, SIZES)
    check_width(asked, alpha, WIDTHS)
    if weights == "imagenet" and depth_multiplier != 1:
        raise ValueError(
            f"depth_multiplier: expected 1 with weights='imagenet', got {depth_multiplier}"
        )
    file = in_storage(
        "mobilenet",
        f"mobilenet_{WIDTHS.get(alpha)}_{size}_tf{'' if include_top else '_no_top'}.h5",
    )
    return assembled(
        asked,
        name or f"mobilenet_{alpha:.2f}_{size}",
        lambda x: _body(x, alpha, depth_multiplier),
        lambda x, *of_classes: _top(x, *of_classes, dropout),
        size=size,
        file=file,
    )


def size_for(asked, sizes):
    """The size of images in the names of the model and of the file with its weights.

    Parameters
    ----------
    asked : Asked
    sizes : tuple of int
        For which there are weights.
    """
    tensor, shape = asked.input_tensor, asked.input_shape
    shape = getattr(tensor, "shape", (None,))[1:] or shape
    if not isinstance(shape, (tuple, list)) or len(shape) != 3 or shape[0] is None:
        return 224
    if asked.weights != "imagenet" or (shape[0] == shape[1] and shape[0] in sizes):
        return shape[0]
    warn.warn(
        f"input_shape: expected squares of a size for which there are weights, {sizes}, got "
        f"{tuple(shape)}: those for 224 are read"
    )
    return 224


def check_width(asked, alpha, widths):
    """Raise a ValueError if there are no weights for a width, and weights were asked for."""
    if asked.weights == "imagenet" and alpha not in widths:
        raise ValueError(
            f"alpha: expected one of {', '.join(map(str, widths))} with weights='imagenet', "
            f"got {alpha!r}"
        )


def _body(x, alpha, depth_multiplier):
    x = layers.Conv2D(int(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="conv1")(
        x
    )
    x = _activated(x, "conv1")
    for i, (channels, strides) in enumerate(BLOCKS, 1):
        if strides == 2:
            x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{i}")(x)
        x = layers.DepthwiseConv2D(
            3,
            strides=strides,
            padding="same" if strides == 1 else "valid",
            depth_multiplier=depth_multiplier,
            use_bias=False,
            name=f"conv_dw_{i}",
        )(x)
        x = _activated(x, f"conv_dw_{i}")
        x = layers.Conv2D(
            int(channels * alpha), 1, padding="same", use_bias=False, name=f"conv_pw_{i}"
        )(x)
        x = _activated(x, f"conv_pw_{i}")
    return x


def _activated(x, name):
    return layers.ReLU(6.0, name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_bn")(x))


def _top(x, classes, activation, dropout):
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Conv2D(classes, 1, padding="same", name="conv_preds")(x)
    x = layers.Reshape((classes,), name="reshape_2")(x)
    return layers.Activation(activation or "linear", name="predictions")(x)


__getattr__ = names.of(__name__)
