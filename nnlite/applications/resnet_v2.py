"""ResNets of the second version: a block begins with its activation, so that nothing stands between
the sums."""

from nnlite import layers, names
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.resnet import CHANNELS, activated, halved, resnet, stem

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]

preprocess_input = preprocessing("tf")


def _body(x, blocks):
    x = halved(stem(x, use_bias=True))
    for stack, (channels, count) in enumerate(zip(CHANNELS, blocks), 2):
        for i in range(1, count + 1):
            strides = 2 if i == count and stack < 5 else 1
            x = _block(x, channels, strides, i == 1, f"conv{stack}_block{i}")
    return activated(x, "post_bn", "post_relu")


def _block(x, channels, strides, widens, name):
    first = activated(x, f"{name}_preact_bn", f"{name}_preact_relu")
    shortcut = x
    if widens:
        shortcut = layers.Conv2D(4 * channels, 1, strides=strides, name=f"{name}_0_conv")(first)
    elif strides > 1:
        shortcut = layers.MaxPooling2D(1, strides=strides)(x)
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_1_conv")(first)
    x = activated(x, f"{name}_1_bn", f"{name}_1_relu")
    x = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(x)
    x = layers.Conv2D(channels, 3, strides=strides, use_bias=False, name=f"{name}_2_conv")(x)
    x = activated(x, f"{name}_2_bn", f"{name}_2_relu")
    x = layers.Conv2D(4 * channels, 1, name=f"{name}_3_conv")(x)
    return layers.Add(name=f"{name}_out")([shortcut, x])


SOURCE = "K. He, X. Zhang, S. Ren, J. Sun: Identity mappings in deep residual networks, 2016."
ResNet50V2 = resnet(
    "resnet_v2.ResNet50V2",
    _body,
    (3, 4, 6, 3),
    ("fac2f116257151a9d068a22e544a4917", "3ef43a0b657b3be2300d5770ece849e0"),
    source=SOURCE,
)
ResNet101V2 = resnet(
    "resnet_v2.ResNet101V2",
    _body,
    (3, 4, 23, 3),
    ("c0ed64b8031c3730f411d2eb4eea35b5", "6343647c601c52e1368623803854d971"),
    source=SOURCE,
)
ResNet152V2 = resnet(
    "resnet_v2.ResNet152V2",
    _body,
    (3, 8, 36, 3),
    ("ed17cf2e0169df9d443503ef94b23b33", "a49b44d1979771252814e80f8ec446f9"),
    source=SOURCE,
)

__getattr__ = names.of(__name__)
