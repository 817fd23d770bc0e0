"""MobileNetV2: blocks that widen, filter each channel, and narrow again."""

from nnlite import layers, names
from nnlite.applications.explained import explained
from nnlite.applications.files import in_storage
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.mobilenet import check_width, size_for
from nnlite.applications.network import Asked, assembled, halving_pad, of_eight
from nnlite.checks import check_number

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

SIZES = 96, 128, 160, 192, 224  # of images, for which there are weights
WIDTHS = 0.35, 0.5, 0.75, 1.0, 1.3, 1.4

# Channels, how many blocks, strides of the first, by how much a block widens.
STAGES = (
    (16, 1, 1, 1),
    (24, 2, 2, 6),
    (32, 3, 2, 6),
    (64, 4, 2, 6),
    (96, 3, 1, 6),
    (160, 3, 2, 6),
    (320, 1, 1, 6),
)

preprocess_input = preprocessing("tf")


@explained(
    summary="MobileNetV2: 17 blocks, each depthwise between two convolutions of 1 x 1, for phones.",
    source="M. Sandler, A. Howard, M. Zhu, A. Zhmoginov, L.-C. Chen: MobileNetV2: Inverted "
    "residuals and linear bottlenecks, 2018.",
    size=224,
    alpha_is=f"""float above 0, default 1.0
    Width: the factor of the number of channels. Weights: {WIDTHS}.""",
    name_is="str, optional\n    Of the model; by default mobilenetv2_ALPHA_SIZE.",
)
def MobileNetV2(
    input_shape=None,
    alpha=1.0,
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name=None,
):
    check_number("alpha", alpha, "(0, inf)", "MobileNetV2")
    asked = Asked(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
    )
    size = size_for(asked, SIZES)
    check_width(asked, alpha, WIDTHS)
    top = "" if include_top else "_no_top"
    file = in_storage(
        "mobilenet_v2",
        f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{size}{top}.h5",
    )
    name = name or f"mobilenetv2_{alpha:.2f}_{size}"
    return assembled(asked, name, lambda x: _body(x, alpha), _top, size=size, file=file)


def _body(x, alpha):
    x = _normalized(_convolution(of_eight(32 * alpha), 3, "Conv1", strides=2)(x), "bn_Conv1")
    x = layers.ReLU(6.0, name="Conv1_relu")(x)
    number = 0
    for channels, count, strides, widening in STAGES:
        for i in range(count):
            channels_out = of_eight(int(channels * alpha))
            x = _block(x, channels_out, strides if i == 0 else 1, widening, number)
            number += 1
    x = _convolution(of_eight(1280 * alpha) if alpha > 1.0 else 1280, 1, "Conv_1")(x)
    return layers.ReLU(6.0, name="out_relu")(_normalized(x, "Conv_1_bn"))


def _block(inputs, channels, strides, widening, number):
    x, width = inputs, inputs.shape[-1]
    prefix = f"block_{number}_" if number else "expanded_conv_"
    if number:
        x = _convolution(widening * width, 1, f"{prefix}expand")(x)
        x = _normalized(x, f"{prefix}expand_BN")
        x = layers.ReLU(6.0, name=f"{prefix}expand_relu")(x)
    if strides == 2:
        x = layers.ZeroPadding2D(halving_pad(x, 3), name=f"{prefix}pad")(x)
    x = layers.DepthwiseConv2D(
        3,
        strides=strides,
        padding="same" if strides == 1 else "valid",
        use_bias=False,
        name=f"{prefix}depthwise",
    )(x)
    x = _normalized(x, f"{prefix}depthwise_BN")
    x = layers.ReLU(6.0, name=f"{prefix}depthwise_relu")(x)
    x = _normalized(_convolution(channels, 1, f"{prefix}project")(x), f"{prefix}project_BN")
    if strides == 1 and width == channels:
        x = layers.Add(name=f"{prefix}add")([inputs, x])
    return x


def _convolution(channels, size, name, strides=1):
    return layers.Conv2D(channels, size, strides=strides, padding="same", use_bias=False, name=name)


def _normalized(x, name):
    return layers.BatchNormalization(epsilon=1e-3, momentum=0.999, name=name)(x)


def _top(x, classes, activation):
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dense(classes, activation=activation, name="predictions")(x)


__getattr__ = names.of(__name__)
