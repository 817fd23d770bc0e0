"""DenseNets: every block adds 32 channels to all that came before it."""

import functools

from nnlite import layers, names
from nnlite.applications.files import of_tensorflow
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.network import network, pooled_by_name
from nnlite.applications.resnet import activated, halved, stem

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]

GROWTH = 32  # channels that a block adds

preprocess_input = preprocessing("torch")


def _body(x, blocks):
    x = stem(x, use_bias=False, name=None)
    x = activated(x, "conv1_bn", "conv1_relu")
    x = halved(x, pad=None, pool="pool1")
    for stack, count in enumerate(blocks, 2):
        for i in range(1, count + 1):
            x = _block(x, f"conv{stack}_block{i}")
        if stack < 5:
            x = _transition(x, f"pool{stack}")
    return activated(x, "bn", "relu")


def _block(x, name):
    new = activated(x, f"{name}_0_bn", f"{name}_0_relu")
    new = layers.Conv2D(4 * GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(new)
    new = activated(new, f"{name}_1_bn", f"{name}_1_relu")
    new = layers.Conv2D(GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(new)
    return layers.Concatenate(name=f"{name}_concat")([x, new])


def _transition(x, name):
    x = activated(x, f"{name}_bn", f"{name}_relu")
    x = layers.Conv2D(x.shape[-1] // 2, 1, use_bias=False, name=f"{name}_conv")(x)
    return layers.AveragePooling2D(2, name=f"{name}_pool")(x)


def _densenet(title, blocks, hashes):
    """The function that makes a DenseNet, of the blocks in its four stacks."""

    def published(include_top):
        return of_tensorflow("densenet", title.lower(), include_top, hashes[include_top])

    return network(
        f"densenet.{title}",
        functools.partial(_body, blocks=blocks),
        published=published,
        pools=pooled_by_name,
        summary=f"{title}: {sum(blocks)} blocks, each of which reads what all before it made.",
        source="G. Huang, Z. Liu, L. van der Maaten, K. Weinberger: Densely connected "
        "convolutional networks, 2016.",
    )


DenseNet121 = _densenet(
    "DenseNet121",
    (6, 12, 24, 16),
    ("30ee3e1110167f948a6b9946edeeb738", "9d60b8095a5708f2dcce2bca79d332c7"),
)
DenseNet169 = _densenet(
    "DenseNet169",
    (6, 12, 32, 32),
    ("b8c4d4c20dd625c148057b9ff1c1176b", "d699b8f76981ab1b30698df4c175e90b"),
)
DenseNet201 = _densenet(
    "DenseNet201",
    (6, 12, 48, 32),
    ("c13680b51ded0fb44dff2d8f86ac8bb1", "1ceb130c1ea1b78c3bf6114dbdfd8807"),
)

__getattr__ = names.of(__name__)
