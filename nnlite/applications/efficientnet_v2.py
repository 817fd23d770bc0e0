"""EfficientNetV2s: early blocks are plain convolutions, later ones those of EfficientNet."""

import functools
import math

from nnlite import layers, names
from nnlite.applications.efficientnet import activated_by, drawn, top, weighed
from nnlite.applications.explained import explained
from nnlite.applications.files import in_storage
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.network import Asked, assembled, pooled_by_name

__all__ = [
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2L",
    "EfficientNetV2M",
    "EfficientNetV2S",
    "decode_predictions",
    "preprocess_input",
]

# How many blocks, channels before and after, by how much a block widens, strides. The first three
# stages are plain, and do not weigh their channels.
B = (
    (1, 32, 16, 1, 1),
    (2, 16, 32, 4, 2),
    (2, 32, 48, 4, 2),
    (3, 48, 96, 4, 2),
    (5, 96, 112, 6, 1),
    (8, 112, 192, 6, 2),
)
S = (
    (2, 24, 24, 1, 1),
    (4, 24, 48, 4, 2),
    (4, 48, 64, 4, 2),
    (6, 64, 128, 4, 2),
    (9, 128, 160, 6, 1),
    (15, 160, 256, 6, 2),
)
M = (
    (3, 24, 24, 1, 1),
    (5, 24, 48, 4, 2),
    (5, 48, 80, 4, 2),
    (7, 80, 160, 4, 2),
    (14, 160, 176, 6, 1),
    (18, 176, 304, 6, 2),
    (5, 304, 512, 6, 1),
)
L = (
    (4, 32, 32, 1, 1),
    (7, 32, 64, 4, 2),
    (7, 64, 96, 4, 2),
    (10, 96, 192, 4, 2),
    (19, 192, 224, 6, 1),
    (25, 224, 384, 6, 2),
    (7, 384, 640, 6, 1),
)
PLAIN_STAGES = 3
DROPPED = 0.2  # how often training leaves out the last block; those before it less

preprocess_input = preprocessing(None)

_activated = functools.partial(activated_by, momentum=0.9)


def _rounded(channels):
    """A number of channels as the nearest multiple of 8."""
    return max(8, int(channels + 4) // 8 * 8)


def _body(x, stages, width, depth, include_preprocessing):
    if include_preprocessing:
        if stages is B and x.shape[-1] == 3:
            x = layers.Rescaling(1 / 255)(x)
            mean, deviations = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
            x = layers.Normalization(mean=mean, variance=[d**2 for d in deviations])(x)
        else:
            x = layers.Rescaling(1 / 128, offset=-1.0)(x)
    x = _convolution(_rounded(stages[0][1] * width), "stem_conv", 3, strides=2)(x)
    x = _activated(x, "stem_bn", "stem_activation")
    number, count_of_all = 0, sum(stage[0] for stage in stages)
    for stage, (count, before, after, widening, strides) in enumerate(stages, 1):
        before, after = _rounded(before * width), _rounded(after * width)
        for i in range(math.ceil(depth * count)):
            block = _plain_block if stage <= PLAIN_STAGES else _block
            name = f"block{stage}{chr(ord('a') + i)}_"
            y = block(x, name, after if i else before, after, widening, 1 if i else strides)
            if y.shape[-1] == x.shape[-1] and (i or strides == 1):
                if dropped := DROPPED * number / count_of_all:
                    y = layers.Dropout(dropped, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(y)
                y = layers.Add(name=f"{name}add")([y, x])
            x = y
            number += 1
    x = _convolution(_rounded(1280 * width), "top_conv")(x)
    return _activated(x, "top_bn", "top_activation")


def _plain_block(x, name, before, after, widening, strides):
    if widening == 1:
        x = _convolution(after, f"{name}project_conv", 3, strides)(x)
        return _activated(x, f"{name}project_bn", f"{name}project_activation")
    x = _convolution(before * widening, f"{name}expand_conv", 3, strides)(x)
    x = _activated(x, f"{name}expand_bn", f"{name}expand_activation")
    return _projected(x, name, after)


def _block(x, name, before, after, widening, strides):
    x = _convolution(before * widening, f"{name}expand_conv")(x)
    x = _activated(x, f"{name}expand_bn", f"{name}expand_activation")
    x = layers.DepthwiseConv2D(
        3,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer=drawn(),
        name=f"{name}dwconv2",
    )(x)
    x = _activated(x, f"{name}bn", f"{name}activation")
    return _projected(weighed(x, max(1, before // 4), f"{name}se_"), name, after)


def _projected(x, name, channels):
    x = _convolution(channels, f"{name}project_conv")(x)
    return layers.BatchNormalization(momentum=0.9, name=f"{name}project_bn")(x)


def _convolution(channels, name, window=1, strides=1):
    return layers.Conv2D(
        channels,
        window,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=drawn(),
        name=name,
    )


def _efficientnet_v2(kind, stages, width, depth, size, hashes):
    """The function that makes an EfficientNetV2, of its stages, its factors, the size of its
    images, and hashes of its files without the top and with it."""
    title, stem = f"EfficientNetV2{kind}", f"efficientnetv2-{kind.lower()}"

    @explained(
        path=f"efficientnet_v2.{title}",
        summary=f"{title}: blocks of plain convolutions first, then those of EfficientNet.",
        source="M. Tan, Q. Le: EfficientNetV2: Smaller models and faster training, 2021.",
        size=size,
        scaled=False,
        unscaled="them in [-1, 1]",
    )
    def function(
        include_top=True,
        weights="imagenet",
        input_tensor=None,
        input_shape=None,
        pooling=None,
        classes=1000,
        classifier_activation="softmax",
        include_preprocessing=True,
        name=stem,
    ):
        asked = Asked(
            include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
        )
        file = in_storage(
            "efficientnet_v2",
            f"{stem}{'' if include_top else '_notop'}.h5",
            hashes[bool(include_top)],
        )
        body = functools.partial(
            _body,
            stages=stages,
            width=width,
            depth=depth,
            include_preprocessing=include_preprocessing,
        )
        head = functools.partial(top, dropout=0.2)
        return assembled(asked, name, body, head, size=size, file=file, pools=pooled_by_name)

    return function


EfficientNetV2B0 = _efficientnet_v2(
    "B0",
    *(B, 1.0, 1.0, 224),
    ("893217f2bb855e2983157299931e43ff", "21ecbf6da12460d5c40bb2f29ceb2188"),
)
EfficientNetV2B1 = _efficientnet_v2(
    "B1",
    *(B, 1.0, 1.1, 240),
    ("0e80663031ca32d657f9caa404b6ec37", "069f0534ff22adf035c89e2d9547a9dc"),
)
EfficientNetV2B2 = _efficientnet_v2(
    "B2",
    *(B, 1.1, 1.2, 260),
    ("1dfe2e7a5d45b6632553a8961ea609eb", "424e49f28180edbde1e94797771950a7"),
)
EfficientNetV2B3 = _efficientnet_v2(
    "B3",
    *(B, 1.2, 1.4, 300),
    ("f6abf7b5849ac99a89b50dd3fd532856", "1f1fc43bd98a6e4fd8fdfd551e02c7a0"),
)
EfficientNetV2S = _efficientnet_v2(
    "S",
    *(S, 1.0, 1.0, 384),
    ("af0682fb74e8c54910f2d4393339c070", "e1d88a8495beba45748fedd0cecbe016"),
)
EfficientNetV2M = _efficientnet_v2(
    "M",
    *(M, 1.0, 1.0, 480),
    ("1b8dc055df72dde80d614482840fe342", "a3bf6aa3276309f4fc6a34aa114c95cd"),
)
EfficientNetV2L = _efficientnet_v2(
    "L",
    *(L, 1.0, 1.0, 480),
    ("b0b66b5c863aef5b46e8608fe1711615", "27e6d408b53c7ebc868fefa357689935"),
)

__getattr__ = names.of(__name__)
