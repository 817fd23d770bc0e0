"""EfficientNets: one table of blocks, scaled in width, depth and size of images."""

import functools
import math

from nnlite import initializers, layers, names
from nnlite.applications.explained import explained
from nnlite.applications.files import Published
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.network import Asked, assembled, halving_pad, of_eight, pooled_by_name

__all__ = [
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "decode_predictions",
    "preprocess_input",
]

# Window, how many blocks, channels before and after, by how much a block widens, strides.
BLOCKS = (
    (3, 1, 32, 16, 1, 1),
    (3, 2, 16, 24, 6, 2),
    (5, 2, 24, 40, 6, 2),
    (3, 3, 40, 80, 6, 2),
    (5, 3, 80, 112, 6, 1),
    (5, 4, 112, 192, 6, 2),
    (3, 1, 192, 320, 6, 1),
)
DROPPED = 0.2  # how often training leaves out the last block; those before it less

preprocess_input = preprocessing(None)


def drawn():
    """Normal values, scaled by what a weight leads to."""
    return initializers.VarianceScaling(2.0, "fan_out", "truncated_normal")


def _body(x, weights, width, depth):
    x = layers.Normalization()(layers.Rescaling(1 / 255)(x))
    if weights == "imagenet":  # they were trained with the roots of standard deviations
        x = layers.Rescaling([1 / math.sqrt(s) for s in (0.229, 0.224, 0.225)])(x)
    return blocks(x, width, depth)


def blocks(x, width, depth, activation="swish", weighs=True):
    """All but what scales pixels.

    Parameters
    ----------
    x : symbol
    width, depth : float
        Factors of channels and of the number of blocks.
    activation : str, default 'swish'
    weighs : bool, default True
        Whether blocks weigh their channels by what is in the whole image.
    """
    activated = functools.partial(activated_by, function=activation)
    x = layers.ZeroPadding2D(halving_pad(x, 3), name="stem_conv_pad")(x)
    x = layers.Conv2D(
        of_eight(32 * width),
        3,
        strides=2,
        use_bias=False,
        kernel_initializer=drawn(),
        name="stem_conv",
    )(x)
    x = activated(x, "stem_bn", "stem_activation")
    counts = [math.ceil(depth * count) for _, count, *_ in BLOCKS]
    number = 0
    for stage, ((window, _, before, after, widening, strides), count) in enumerate(
        zip(BLOCKS, counts), 1
    ):
        before, after = of_eight(before * width), of_eight(after * width)
        for i in range(count):
            x = _block(
                x,
                f"block{stage}{chr(ord('a') + i)}_",
                window=window,
                squeezed=max(1, int((after if i else before) * 0.25)),
                channels=after,
                widening=widening,
                strides=1 if i else strides,
                dropped=DROPPED * number / sum(counts),
                activated=activated,
                weighs=weighs,
            )
            number += 1
    x = _convolution(of_eight(1280 * width), "top_conv")(x)
    return activated(x, "top_bn", "top_activation")


def _block(inputs, name, window, squeezed, channels, widening, strides, dropped, activated, weighs):
    x, width = inputs, inputs.shape[-1]
    if widening > 1:
        x = _convolution(width * widening, f"{name}expand_conv")(x)
        x = activated(x, f"{name}expand_bn", f"{name}expand_activation")
    if strides == 2:
        x = layers.ZeroPadding2D(halving_pad(x, window), name=f"{name}dwconv_pad")(x)
    x = layers.DepthwiseConv2D(
        window,
        strides=strides,
        padding="same" if strides == 1 else "valid",
        use_bias=False,
        depthwise_initializer=drawn(),
        name=f"{name}dwconv",
    )(x)
    x = activated(x, f"{name}bn", f"{name}activation")
    if weighs:
        x = weighed(x, squeezed, f"{name}se_")
    x = _convolution(channels, f"{name}project_conv")(x)
    x = layers.BatchNormalization(name=f"{name}project_bn")(x)
    if strides == 1 and width == channels:
        if dropped > 0:
            x = layers.Dropout(dropped, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
        x = layers.Add(name=f"{name}add")([x, inputs])
    return x


def weighed(x, squeezed, name):
    """Each channel times a number in [0, 1] that follows from the means of all."""
    channels = x.shape[-1]
    factors = layers.GlobalAveragePooling2D(name=f"{name}squeeze")(x)
    factors = layers.Reshape((1, 1, channels), name=f"{name}reshape")(factors)
    for count, activation, step in ((squeezed, "swish", "reduce"), (channels, "sigmoid", "expand")):
        factors = layers.Conv2D(
            count,
            1,
            padding="same",
            activation=activation,
            kernel_initializer=drawn(),
            name=f"{name}{step}",
        )(factors)
    return layers.Multiply(name=f"{name}excite")([x, factors])


def _convolution(channels, name):
    return layers.Conv2D(
        channels, 1, padding="same", use_bias=False, kernel_initializer=drawn(), name=name
    )


def activated_by(x, norm, name, function="swish", momentum=0.99):
    """Batch normalization and an activation, by their names."""
    x = layers.BatchNormalization(momentum=momentum, name=norm)(x)
    return layers.Activation(function, name=name)(x)


def top(x, classes, activation, dropout):
    """The mean over the image, and one Dense layer behind a dropout."""
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.Dropout(dropout, name="top_dropout")(x)
    return layers.Dense(
        classes,
        activation=activation,
        kernel_initializer=initializers.VarianceScaling(1 / 3, "fan_out", "uniform"),
        name="predictions",
    )(x)


def _efficientnet(title, width, depth, size, dropout, hashes):
    """The function that makes an EfficientNet, of its factors, the size of its images, the dropout
    before its classifier, and hashes of its files without the top and with it."""

    default_name = title.lower()

    @explained(
        path=f"efficientnet.{title}",
        summary=f"{title}: blocks that widen, filter each channel, weigh the channels, and narrow "
        f"again, {width} times as wide and {depth} times as deep as the smallest.",
        source="M. Tan, Q. Le: EfficientNet: Rethinking model scaling for convolutional neural "
        "networks, 2019.",
        size=size,
        scaled=False,
    )
    def function(
        include_top=True,
        weights="imagenet",
        input_tensor=None,
        input_shape=None,
        pooling=None,
        classes=1000,
        classifier_activation="softmax",
        name=default_name,
    ):
        asked = Asked(
            include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
        )
        return assembled(
            asked,
            name,
            functools.partial(_body, weights=weights, width=width, depth=depth),
            functools.partial(top, dropout=dropout),
            size=size,
            file=Published(
                f"{default_name}{'' if include_top else '_notop'}.h5",
                "https://storage.googleapis.com/keras-applications/",
                hashes[bool(include_top)],
            ),
            pools=pooled_by_name,
        )

    return function


EfficientNetB0 = _efficientnet(
    "EfficientNetB0",
    *(1.0, 1.0, 224, 0.2),
    ("50bc09e76180e00e4465e1a485ddc09d", "902e53a9f72be733fc0bcb005b3ebbac"),
)
EfficientNetB1 = _efficientnet(
    "EfficientNetB1",
    *(1.0, 1.1, 240, 0.2),
    ("74c4e6b3e1f6a1eea24c589628592432", "1d254153d4ab51201f1646940f018540"),
)
EfficientNetB2 = _efficientnet(
    "EfficientNetB2",
    *(1.1, 1.2, 260, 0.3),
    ("111f8e2ac8aa800a7a99e3239f7bfb39", "b15cce36ff4dcbd00b6dd88e7857a6ad"),
)
EfficientNetB3 = _efficientnet(
    "EfficientNetB3",
    *(1.2, 1.4, 300, 0.3),
    ("af6d107764bb5b1abb91932881670226", "ffd1fdc53d0ce67064dc6a9c7960ede0"),
)
EfficientNetB4 = _efficientnet(
    "EfficientNetB4",
    *(1.4, 1.8, 380, 0.4),
    ("ebc24e6d6c33eaebbd558eafbeedf1ba", "18c95ad55216b8f92d7e70b3a046e2fc"),
)
EfficientNetB5 = _efficientnet(
    "EfficientNetB5",
    *(1.6, 2.2, 456, 0.4),
    ("38879255a25d3c92d5e44e04ae6cec6f", "ace28f2a6363774853a83a0b21b9421a"),
)
EfficientNetB6 = _efficientnet(
    "EfficientNetB6",
    *(1.8, 2.6, 528, 0.5),
    ("9ecce42647a20130c1f39a5d4cb75743", "165f6e37dce68623721b423839de8be5"),
)
EfficientNetB7 = _efficientnet(
    "EfficientNetB7",
    *(2.0, 3.1, 600, 0.5),
    ("cbcfe4450ddf6f3ad90b1b398090fe4a", "8c03f828fec3ef71311cd463b6759d99"),
)

__getattr__ = names.of(__name__)
