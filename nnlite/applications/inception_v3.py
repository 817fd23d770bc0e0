"""InceptionV3: blocks of branches with windows of different shapes, side by side."""

from nnlite import layers, names
from nnlite.applications.files import of_tensorflow
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.network import network

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]

HASHES = "bcbd6486424b2319ff4ef7d526e38f63", "9a0d58056eeedaa3f26cb7ebd46da564"

preprocess_input = preprocessing("tf")

# A convolution: channels and window; a third entry says that it halves the image.
HALVES = dict(strides=2, padding="valid")
STEM = (
    (32, 3, HALVES),
    (32, 3, dict(padding="valid")),
    (64, 3),
    "halve",
    (80, 1, dict(padding="valid")),
    (192, 3, dict(padding="valid")),
    "halve",
)


def _mixed_35(pooled):
    """Branches at 35 x 35 pixels; the last one is of the mean around each pixel."""
    return (
        [(64, 1)],
        [(48, 1), (64, 5)],
        [(64, 1), (96, 3), (96, 3)],
        ["mean", (pooled, 1)],
    )


def _mixed_17(inner):
    """Branches at 17 x 17 pixels, whose windows of 7 x 7 are two, of a row and of a column."""
    row, column = (1, 7), (7, 1)
    return (
        [(192, 1)],
        [(inner, 1), (inner, row), (192, column)],
        [(inner, 1), (inner, column), (inner, row), (inner, column), (192, row)],
        ["mean", (192, 1)],
    )


# Branches of mixed0 to mixed8.
BLOCKS = (
    _mixed_35(32),
    _mixed_35(64),
    _mixed_35(64),
    ([(384, 3, HALVES)], [(64, 1), (96, 3), (96, 3, HALVES)], ["halve"]),
    _mixed_17(128),
    _mixed_17(160),
    _mixed_17(160),
    _mixed_17(192),
    (
        [(192, 1), (320, 3, HALVES)],
        [(192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, HALVES)],
        ["halve"],
    ),
)


def _body(x):
    x = chain(x, STEM)
    for i, branches in enumerate(BLOCKS):
        x = layers.Concatenate(name=f"mixed{i}")([chain(x, steps) for steps in branches])
    for i in (9, 10):
        x = _mixed_8(x, i)
    return x


def _mixed_8(x, number):
    """Branches at 8 x 8 pixels, two of which end in a row and a column side by side."""
    branches = [chain(x, [(320, 1)])]
    for steps, name in (
        ([(384, 1)], f"mixed9_{number - 9}"),
        ([(448, 1), (384, 3)], None),
    ):
        inner = chain(x, steps)
        sides = [chain(inner, [(384, window)]) for window in ((1, 3), (3, 1))]
        branches.append(layers.Concatenate(name=name)(sides))
    branches.append(chain(x, ["mean", (192, 1)]))
    return layers.Concatenate(name=f"mixed{number}")(branches)


def chain(x, steps):
    """One branch.

    Parameters
    ----------
    x : symbol
    steps : sequence
        Of convolutions, (channels, window) or (channels, window, settings), each with batch
        normalization and the positive part behind it; 'halve' is the maximum of every second
        window, 'mean' that around each pixel.
    """
    for step in steps:
        if step == "halve":
            x = layers.MaxPooling2D(3, strides=2)(x)
        elif step == "mean":
            x = layers.AveragePooling2D(3, strides=1, padding="same")(x)
        else:
            channels, window, *settings = step
            settings = {"padding": "same", **(settings[0] if settings else {})}
            x = layers.Conv2D(channels, window, use_bias=False, **settings)(x)
            x = layers.BatchNormalization(scale=False)(x)
            x = layers.Activation("relu")(x)
    return x


InceptionV3 = network(
    "inception_v3.InceptionV3",
    _body,
    published=lambda top: of_tensorflow("inception_v3", "inception_v3", top, HASHES[top]),
    name="inception_v3",
    size=299,
    least=75,
    summary="InceptionV3: 94 convolutions, in blocks of branches side by side.",
    source="C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna: Rethinking the inception "
    "architecture for computer vision, 2015.",
)

__getattr__ = names.of(__name__)
