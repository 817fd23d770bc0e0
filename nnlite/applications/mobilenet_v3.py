"""MobileNetV3: blocks of MobileNetV2 that weigh their channels by what is in the whole image."""

import functools

from nnlite import layers, names
from nnlite.applications.explained import explained
from nnlite.applications.files import in_storage
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.mobilenet import check_width, size_for
from nnlite.applications.network import Asked, assembled, halving_pad, of_eight, pooled_by_name
from nnlite.checks import check_number

__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]

# Of each block: by how much it widens, channels, window, strides, whether it weighs channels, and
# whether its activation is hard_swish.
SMALL = (
    (1, 16, 3, 2, True, False),
    (72 / 16, 24, 3, 2, False, False),
    (88 / 24, 24, 3, 1, False, False),
    (4, 40, 5, 2, True, True),
    (6, 40, 5, 1, True, True),
    (6, 40, 5, 1, True, True),
    (3, 48, 5, 1, True, True),
    (3, 48, 5, 1, True, True),
    (6, 96, 5, 2, True, True),
    (6, 96, 5, 1, True, True),
    (6, 96, 5, 1, True, True),
)
LARGE = (
    (1, 16, 3, 1, False, False),
    (4, 24, 3, 2, False, False),
    (3, 24, 3, 1, False, False),
    (3, 40, 5, 2, True, False),
    (3, 40, 5, 1, True, False),
    (3, 40, 5, 1, True, False),
    (6, 80, 3, 2, False, True),
    (2.5, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True),
    (6, 112, 3, 1, True, True),
    (6, 112, 3, 1, True, True),
    (6, 160, 5, 2, True, True),
    (6, 160, 5, 1, True, True),
    (6, 160, 5, 1, True, True),
)

# Of the files without the top, and of those with it.
HASHES = {
    "large_224_0.75": ("40af19a13ebea4e2ee0c676887f69a2e", "765b44a33ad4005b3ac83185abf1d0eb"),
    "large_224_1.0": ("07fb09a5933dd0c8eaafa16978110389", "59e551e166be033d707958cf9e29a6a7"),
    "large_minimalistic_224_1.0": (
        "ec5221f64a2f6d1ef965a614bdae7973",
        "675e7b876c45c57e9e63e6d90a36599c",
    ),
    "small_224_0.75": ("ebdb5cc8e0b497cd13a7c275d475c819", "cb65d4e5be93758266aa0a7f2c6708b7"),
    "small_224_1.0": ("d3e8ec802a04aa4fc771ee12a9a9b836", "8768d4c2e7dee89b9d02b2d03d65d862"),
    "small_minimalistic_224_1.0": (
        "cde8136e733e811080d9fcd8a252f7e4",
        "99cd97fb2fcdad2bf028eb838de69e37",
    ),
}

preprocess_input = preprocessing(None)


def _body(x, blocks, alpha, minimalistic, include_preprocessing):
    act = functools.partial(_activated, hard_swish=not minimalistic)
    if include_preprocessing:
        x = layers.Rescaling(1 / 127.5, offset=-1.0)(x)
    x = act(_normalized(_convolution(16, "conv", 3, strides=2)(x), "conv_bn"))
    for i, block in enumerate(blocks):
        x = _block(x, i, alpha, minimalistic, *block)
    x = _convolution(of_eight(x.shape[-1] * 6), "conv_1")(x)
    return act(_normalized(x, "conv_1_bn"))


def _block(x, number, alpha, minimalistic, widening, channels, window, strides, weighs, swish):
    inputs, width, channels = x, x.shape[-1], of_eight(channels * alpha)
    act = functools.partial(_activated, hard_swish=swish and not minimalistic)
    window = 3 if minimalistic else window
    name = f"expanded_conv_{number}_" if number else "expanded_conv_"
    wide = of_eight(width * widening)
    if number:
        x = act(_normalized(_convolution(wide, f"{name}expand")(x), f"{name}expand_bn"))
    if strides == 2:
        x = layers.ZeroPadding2D(halving_pad(x, window), name=f"{name}depthwise_pad")(x)
    x = layers.DepthwiseConv2D(
        window,
        strides=strides,
        padding="same" if strides == 1 else "valid",
        use_bias=False,
        name=f"{name}depthwise",
    )(x)
    x = act(_normalized(x, f"{name}depthwise_bn"))
    if weighs and not minimalistic:
        x = _weighed(x, wide, f"{name}squeeze_excite_")
    x = _normalized(_convolution(channels, f"{name}project")(x), f"{name}project_bn")
    if strides == 1 and width == channels:
        x = layers.Add(name=f"{name}add")([inputs, x])
    return x


def _weighed(x, channels, name):
    """Each channel times a number in [0, 1] that follows from the means of all."""
    means = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}avg_pool")(x)
    factors = layers.Conv2D(of_eight(channels * 0.25), 1, padding="same", name=f"{name}conv")(means)
    factors = layers.ReLU(name=f"{name}relu")(factors)
    factors = layers.Conv2D(channels, 1, padding="same", name=f"{name}conv_1")(factors)
    factors = layers.ReLU(6.0)(factors + 3.0) * (1 / 6)
    return layers.Multiply(name=f"{name}mul")([x, factors])


def _activated(x, hard_swish):
    return (layers.Activation("hard_swish") if hard_swish else layers.ReLU())(x)


def _convolution(channels, name, window=1, strides=1):
    return layers.Conv2D(
        channels, window, strides=strides, padding="same", use_bias=False, name=name
    )


def _normalized(x, name):
    return layers.BatchNormalization(epsilon=1e-3, momentum=0.999, name=name)(x)


def _top(x, classes, activation, channels, minimalistic, dropout_rate):
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Conv2D(channels, 1, padding="same", name="conv_2")(x)
    x = _activated(x, hard_swish=not minimalistic)
    if dropout_rate > 0:
        x = layers.Dropout(dropout_rate)(x)
    x = layers.Conv2D(classes, 1, padding="same", name="logits")(x)
    return layers.Activation(activation or "linear", name="predictions")(layers.Flatten()(x))


def _mobilenet_v3(title, blocks, channels):
    """The function that makes a MobileNetV3, of its blocks and the channels of its top."""

    @explained(
        path=f"mobilenet_v3.{title}",
        summary=f"{title}: {len(blocks)} blocks that widen, filter each channel, weigh the "
        "channels, and narrow again, for phones.",
        source="A. Howard et al.: Searching for MobileNetV3, 2019.",
        size=224,
        scaled=False,
        dropout=0.2,
        unscaled="them in [-1, 1]",
        alpha_is="""float above 0, default 1.0
    Width: the factor of the number of channels. Weights: (0.75, 1.0).""",
        minimalistic_is="""bool, default False
    Whether windows are 3 x 3, the activation is relu, and channels are not weighed.""",
    )
    def function(
        input_shape=None,
        alpha=1.0,
        minimalistic=False,
        include_top=True,
        weights="imagenet",
        input_tensor=None,
        classes=1000,
        pooling=None,
        dropout_rate=0.2,
        classifier_activation="softmax",
        include_preprocessing=True,
        name=title,
    ):
        check_number("alpha", alpha, "(0, inf)", title)
        check_number("dropout_rate", dropout_rate, "[0, 1)", title)
        asked = Asked(
            include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
        )
        size_for(asked, (224,))
        check_width(asked, alpha, (1.0,) if minimalistic else (0.75, 1.0))
        stem = f"{title[11:].lower()}{'_minimalistic' if minimalistic else ''}_224_{float(alpha)}"
        file = in_storage(
            "mobilenet_v3",
            f"weights_mobilenet_v3_{stem}_float{'' if include_top else '_no_top_v2'}.h5",
            HASHES.get(stem, (None, None))[bool(include_top)],
        )
        settings = {"minimalistic": minimalistic}
        return assembled(
            asked,
            name,
            functools.partial(
                _body,
                blocks=blocks,
                alpha=alpha,
                include_preprocessing=include_preprocessing,
                **settings,
            ),
            functools.partial(
                _top,
                channels=of_eight(channels * alpha) if alpha > 1.0 else channels,
                dropout_rate=dropout_rate,
                **settings,
            ),
            size=224,
            static=False,
            file=file,
            pools=pooled_by_name,
        )

    return function


MobileNetV3Small = _mobilenet_v3("MobileNetV3Small", SMALL, 1024)
MobileNetV3Large = _mobilenet_v3("MobileNetV3Large", LARGE, 1280)

__getattr__ = names.of(__name__)
