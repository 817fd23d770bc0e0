"""NASNets: cells that a search found, each of which reads the results of the two before it."""

import functools

from nnlite import layers, names
from nnlite.applications.explained import explained
from nnlite.applications.files import in_storage
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.network import Asked, assembled, halving_pad

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]

preprocess_input = preprocessing("tf")


def _body(x, filters, cells, stem, skips):
    """Channels of the first stack, cells in each of three, channels of the first convolution, and
    whether the first cell of a stack reads what is two cells back, not one."""
    x = layers.Conv2D(
        stem, 3, strides=2, use_bias=False, kernel_initializer="he_normal", name="stem_conv1"
    )(x)
    x, before = _normalized(x, "stem_bn1"), None
    x, before = _halving_cell(x, before, filters // 4, "stem_1")
    x, before = _halving_cell(x, before, filters // 2, "stem_2", halves_before=True)
    for stack in range(3):
        width = filters * 2**stack
        if stack:
            x, inputs = _halving_cell(x, before, width, f"reduce_{stack * cells}")
            before = before if skips else inputs
        for i in range(cells):
            name = str(stack * cells + bool(stack) + i)
            x, before = _cell(x, before, width, name, halves_before=i == 0)
    return layers.Activation("relu")(x)


def _cell(x, before, filters, name, halves_before):
    """(result, x) of a cell that keeps the size of the image; that of `before` is perhaps twice as
    large."""
    before = _fitting(before, x, filters, name, halves_before)
    here = _narrowed(x, filters, "normal", name)
    sums = [
        (
            _separable(here, filters, 5, f"normal_left1_{name}"),
            _separable(before, filters, 3, f"normal_right1_{name}"),
        ),
        (
            _separable(before, filters, 5, f"normal_left2_{name}"),
            _separable(before, filters, 3, f"normal_right2_{name}"),
        ),
        (_mean(here, f"normal_left3_{name}"), before),
        (_mean(before, f"normal_left4_{name}"), _mean(before, f"normal_right4_{name}")),
        (_separable(here, filters, 3, f"normal_left5_{name}"), here),
    ]
    sums = [layers.Add(name=f"normal_add_{i}_{name}")(pair) for i, pair in enumerate(sums, 1)]
    return layers.Concatenate(name=f"normal_concat_{name}")([before, *sums]), x


def _halving_cell(x, before, filters, name, halves_before=False):
    """(result, x) of a cell that keeps every second pixel."""
    before = _fitting(before, x, filters, name, halves_before)
    here = _narrowed(x, filters, "reduction", name)
    padded = layers.ZeroPadding2D(halving_pad(here, 3), name=f"reduction_pad_1_{name}")(here)

    def separable(what, window, side, strides=2):
        return _separable(what, filters, window, f"reduction_{side}_{name}", strides)

    def pooled(kind, side):
        return kind(3, strides=2, name=f"reduction_{side}_{name}")(padded)

    def added(a, b, of):
        return layers.Add(name=of and f"reduction_{of}_{name}")([a, b])

    one = added(separable(here, 5, "left1"), separable(before, 7, "right1"), "add_1")
    two = added(pooled(layers.MaxPooling2D, "left2"), separable(before, 7, "right2"), "add_2")
    three = added(pooled(layers.AveragePooling2D, "left3"), separable(before, 5, "right3"), "add3")
    four = added(two, _mean(one, f"reduction_left4_{name}"), None)
    inner = separable(one, 3, "left4", strides=1)
    five = added(inner, pooled(layers.MaxPooling2D, "right5"), "add4")
    return layers.Concatenate(name=f"reduction_concat_{name}")([two, three, four, five]), x


def _fitting(before, x, filters, name, halves):
    """The result of the cell before, with as many channels and pixels as this one reads."""
    if before is None:
        return x
    if halves:
        before = layers.Activation("relu", name=f"adjust_relu_1_{name}")(before)
        shifted = layers.ZeroPadding2D(((0, 1), (0, 1)))(before)
        shifted = layers.Cropping2D(((1, 0), (1, 0)))(shifted)
        halves = []
        for i, half in enumerate((before, shifted), 1):
            half = layers.AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_{i}_{name}")(half)
            halves.append(_convolution(half, filters // 2, f"adjust_conv_{i}_{name}"))
        before = layers.Concatenate()(halves)
    elif before.shape[-1] != filters:
        before = layers.Activation("relu")(before)
        before = _convolution(before, filters, f"adjust_conv_projection_{name}")
    else:
        return before
    return _normalized(before, f"adjust_bn_{name}")


def _narrowed(x, filters, kind, name):
    x = _convolution(layers.Activation("relu")(x), filters, f"{kind}_conv_1_{name}")
    return _normalized(x, f"{kind}_bn_1_{name}")


def _separable(x, filters, window, name, strides=1):
    """Two separable convolutions, the first of which may halve."""
    for i in (1, 2):
        x = layers.Activation("relu")(x)
        halves = i == 1 and strides == 2
        if halves:
            pad = f"separable_conv_1_pad_{name}"
            x = layers.ZeroPadding2D(halving_pad(x, window), name=pad)(x)
        x = layers.SeparableConv2D(
            filters,
            window,
            strides=2 if halves else 1,
            padding="valid" if halves else "same",
            use_bias=False,
            name=f"separable_conv_{i}_{name}",
        )(x)
        x = _normalized(x, f"separable_conv_{i}_bn_{name}")
    return x


def _mean(x, name):
    return layers.AveragePooling2D(3, strides=1, padding="same", name=name)(x)


def _convolution(x, filters, name):
    return layers.Conv2D(
        filters, 1, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )(x)


def _normalized(x, name):
    return layers.BatchNormalization(momentum=0.9997, epsilon=1e-3, name=name)(x)


def _top(x, classes, activation):
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dense(classes, activation=activation, name="predictions")(x)


def _nasnet(title, size, hashes, **settings):
    """The function that makes a NASNet, of the size of its images, hashes of its files without the
    top and with it, and settings of its body."""
    kind = title.removeprefix("NASNet").lower()

    @explained(
        path=f"nasnet.{title}",
        summary=f"{title}: {3 * settings['cells'] + 4} cells that a search found, each of which "
        "reads the results of the two before it.",
        source="B. Zoph, V. Vasudevan, J. Shlens, Q. Le: Learning transferable architectures for "
        "scalable image recognition, 2017.",
        size=size,
        input_shape_is=f"""(int or None, int or None, int), optional
    Height, width and channels of an image; at least 32 pixels each way. By default
    ({size}, {size}, 3). A size of None stands for 33, 65 and other multiples of 32, plus 1.""",
    )
    def function(
        input_shape=None,
        include_top=True,
        weights="imagenet",
        input_tensor=None,
        pooling=None,
        classes=1000,
        classifier_activation="softmax",
        name=f"nasnet_{kind}",
    ):
        if not include_top and input_shape is None and input_tensor is None:
            input_shape = (size, size, 3)  # of what is halved, sums fit only where sizes are even
        asked = Asked(
            include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
        )
        top = "" if include_top else "-no-top"
        file = in_storage(
            "nasnet",
            f"nasnet_{kind}{top.replace('-', '_')}.h5",
            hashes[bool(include_top)],
            f"NASNet-{kind}{top}.h5",
        )
        body = functools.partial(_body, **settings)
        return assembled(asked, name, body, _top, size=size, file=file)

    return function


NASNetMobile = _nasnet(
    "NASNetMobile",
    224,
    ("1ed92395b5b598bdda52abe5c0dbfd63", "020fb642bf7360b370c678b08e0adf61"),
    filters=44,
    cells=4,
    stem=32,
    skips=False,
)
NASNetLarge = _nasnet(
    "NASNetLarge",
    331,
    ("d81d89dc07e6e56530c4e77faddd61b5", "11577c9a518f0070763c2b964a382f17"),
    filters=168,
    cells=6,
    stem=96,
    skips=True,
)

__getattr__ = names.of(__name__)
