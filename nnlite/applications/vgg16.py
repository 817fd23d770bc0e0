"""VGG16: blocks of convolutions of 3 x 3, each followed by a maximum over 2 x 2."""

import functools

from nnlite import layers, names
from nnlite.applications.files import of_tensorflow
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.network import network

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]

CHANNELS = 64, 128, 256, 512, 512  # of the five blocks

preprocess_input = preprocessing("caffe")


def _body(x, convolutions):
    for block, (channels, count) in enumerate(zip(CHANNELS, convolutions), 1):
        for i in range(1, count + 1):
            x = layers.Conv2D(
                channels, 3, padding="same", activation="relu", name=f"block{block}_conv{i}"
            )(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return x


def _top(x, classes, activation):
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc1", "fc2"):
        x = layers.Dense(4096, activation="relu", name=name)(x)
    return layers.Dense(classes, activation=activation, name="predictions")(x)


def vgg(path, convolutions, hashes):
    """The function that makes a VGG.

    Parameters
    ----------
    path : str
        Module and name of it.
    convolutions : tuple of int
        How many each block has.
    hashes : pair of str
        Of the file without the top, and of that with it.
    """
    module, _, title = path.partition(".")

    def published(include_top):
        return of_tensorflow(module, module, include_top, hashes[include_top])

    return network(
        path,
        functools.partial(_body, convolutions=convolutions),
        top=_top,
        published=published,
        summary=f"{title}: {sum(convolutions)} convolutions of 3 x 3 and 3 Dense layers.",
        source="K. Simonyan, A. Zisserman: Very deep convolutional networks for large-scale image "
        "recognition, 2014.",
    )


VGG16 = vgg(
    "vgg16.VGG16",
    (2, 2, 3, 3, 3),
    ("6d6bbae143d832006294945121d1f1fc", "64373286793e3c8b2b4e3219cbf3544b"),
)

__getattr__ = names.of(__name__)
