"""ResNets: stacks of three convolutions each, added to what goes into them."""

import functools

from nnlite import layers, names
from nnlite.applications.files import of_tensorflow
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.network import network, pooled_by_name

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]

CHANNELS = 64, 128, 256, 512  # of the four stacks, within a block; four times as many leave it
EPSILON = 1.001e-5

preprocess_input = preprocessing("caffe")


def _body(x, blocks):
    x = stem(x, use_bias=True)
    x = activated(x, "conv1_bn", "conv1_relu")
    x = halved(x)
    for stack, (channels, count) in enumerate(zip(CHANNELS, blocks), 2):
        for i in range(1, count + 1):
            strides = 2 if i == 1 and stack > 2 else 1
            x = _block(x, channels, strides, i == 1, f"conv{stack}_block{i}")
    return x


def _block(x, channels, strides, widens, name):
    shortcut = x
    if widens:
        shortcut = layers.Conv2D(4 * channels, 1, strides=strides, name=f"{name}_0_conv")(x)
        shortcut = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_0_bn")(shortcut)
    x = layers.Conv2D(channels, 1, strides=strides, name=f"{name}_1_conv")(x)
    x = activated(x, f"{name}_1_bn", f"{name}_1_relu")
    x = layers.Conv2D(channels, 3, padding="same", name=f"{name}_2_conv")(x)
    x = activated(x, f"{name}_2_bn", f"{name}_2_relu")
    x = layers.Conv2D(4 * channels, 1, name=f"{name}_3_conv")(x)
    x = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_3_bn")(x)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


# Of both versions, and of DenseNet


def stem(x, use_bias, name="conv1_pad"):
    """A quarter of the pixels, of 64 channels."""
    x = layers.ZeroPadding2D(3, name=name)(x)
    return layers.Conv2D(64, 7, strides=2, use_bias=use_bias, name="conv1_conv")(x)


def halved(x, pad="pool1_pad", pool="pool1_pool"):
    """The maximum over 3 x 3 of every second pixel."""
    return layers.MaxPooling2D(3, strides=2, name=pool)(layers.ZeroPadding2D(1, name=pad)(x))


def activated(x, norm, relu):
    """Batch normalization and the positive part, by their names."""
    x = layers.BatchNormalization(epsilon=EPSILON, name=norm)(x)
    return layers.Activation("relu", name=relu)(x)


def resnet(path, body, blocks, hashes, **facts):
    """The function that makes a ResNet.

    Parameters
    ----------
    path : str
        Module and name of it.
    body : function
        From a symbol and `blocks` to features.
    blocks : tuple of int
        How many each stack has.
    hashes : pair of str
        Of the file without the top, and of that with it.
    **facts
        Of `explained`.
    """
    title = path.rpartition(".")[2]

    def published(include_top):
        return of_tensorflow("resnet", title.lower(), include_top, hashes[include_top])

    return network(
        path,
        functools.partial(body, blocks=blocks),
        published=published,
        pools=pooled_by_name,
        summary=f"{title}: {3 * sum(blocks) + 2} layers, in blocks that are added to their input.",
        **facts,
    )


SOURCE = "K. He, X. Zhang, S. Ren, J. Sun: Deep residual learning for image recognition, 2015."
ResNet50 = resnet(
    "resnet.ResNet50",
    _body,
    (3, 4, 6, 3),
    ("4d473c1dd8becc155b73f8504c6f6626", "2cb95161c43110f7111970584f804107"),
    source=SOURCE,
)
ResNet101 = resnet(
    "resnet.ResNet101",
    _body,
    (3, 4, 23, 3),
    ("88cf7a10940856eca736dc7b7e228a21", "f1aeb4b969a6efcfb50fad2f0c20cfc5"),
    source=SOURCE,
)
ResNet152 = resnet(
    "resnet.ResNet152",
    _body,
    (3, 8, 36, 3),
    ("ee4c566cf9a93f14d82f913c2dc6dd0c", "100835be76be38e30d865e96f2aaae62"),
    source=SOURCE,
)

__getattr__ = names.of(__name__)
