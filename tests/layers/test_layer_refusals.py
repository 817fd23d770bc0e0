"""Every layer, given what it cannot take, names itself, what it expected and what it got."""

import numpy as np
import pytest

from nnlite import layers

IMAGES = r"\(N, height, width, channels\), got shape"
# By class: how it is made, the shape that it was built on (None: it was not), the shape that it
# refuses, and what it says then. Those that take whatever comes have no entry.
SHAPES = {
    "Dense": [
        (lambda: layers.Dense(2), None, (4,), r"at least 2 dimensions, got shape \(None,\)"),
        (lambda: layers.Dense(2), (4, 3), (4, 5), r"3 features .*, got shape \(4, 5\)"),
    ],
    "Reshape": [
        (lambda: layers.Reshape((2, 3)), None, (4, 7), r"fit target_shape .* shape \(7,\)")
    ],
    "Conv2D": [
        (lambda: layers.Conv2D(2, 3), None, (2, 8), rf"{IMAGES} \(None, 8\)"),
        (lambda: layers.Conv2D(2, 3), (1, 5, 5, 3), (1, 5, 5, 4), r"3 channels .*\(1, 5, 5, 4\)"),
        (lambda: layers.Conv2D(2, 3), (1, 5, 5, 3), (5, 5, 3), rf"{IMAGES} \(5, 5, 3\)"),
        (lambda: layers.Conv2D(4, 3, groups=2), None, (2, 8, 8, 3), "equal groups, got 3 channels"),
        (lambda: layers.Conv2D(2, (4, 3)), None, (1, 3, 5, 1), r"at least 4 x 3 .* \(1, 3, 5, 1\)"),
    ],
    "DepthwiseConv2D": [
        (lambda: layers.DepthwiseConv2D(3), None, (2, 8), rf"{IMAGES} \(None, 8\)"),
        (
            lambda: layers.DepthwiseConv2D(3),
            (1, 5, 5, 3),
            (1, 5, 5, 4),
            r"3 channels .*\(1, 5, 5, 4\)",
        ),
    ],
    "SeparableConv2D": [
        (lambda: layers.SeparableConv2D(2, 3), None, (2, 8), rf"{IMAGES} \(None, 8\)"),
        (
            lambda: layers.SeparableConv2D(4, 3),
            None,
            (2, 2, 8, 3),
            r"at least 3 x 3 .* \(2, 2, 8, 3\)",
        ),
    ],
    "MaxPooling2D": [
        (lambda: layers.MaxPooling2D(2), None, (4, 4, 1), rf"{IMAGES} \(None, 4, 1\)"),
        (lambda: layers.MaxPooling2D(2), (1, 4, 4, 1), (4, 4, 1), r"\(4, 4, 1\)"),
        (lambda: layers.MaxPooling2D(3), None, (1, 2, 2, 1), r"at least 3 x 3 .* \(1, 2, 2, 1\)"),
    ],
    "AveragePooling2D": [
        (lambda: layers.AveragePooling2D(2), None, (4, 4), rf"{IMAGES} \(None, 4\)"),
    ],
    "GlobalMaxPooling2D": [
        (lambda: layers.GlobalMaxPooling2D(), None, (4, 4), rf"{IMAGES} \(None, 4\)"),
        (lambda: layers.GlobalMaxPooling2D(), (1, 4, 4, 2), (4, 4, 2), rf"{IMAGES} \(4, 4, 2\)"),
    ],
    "GlobalAveragePooling2D": [
        (lambda: layers.GlobalAveragePooling2D(), None, (4, 4), rf"{IMAGES} \(None, 4\)"),
    ],
    "BatchNormalization": [
        (lambda: layers.BatchNormalization(), None, (3,), r"2 dimensions, got shape \(None,\)"),
        (lambda: layers.BatchNormalization(axis=1), None, (2, 3, 4), "the channels, got 1"),
        (lambda: layers.BatchNormalization(), (2, 3), (2, 5), r"5 channels .*got shape \(3,\)"),
    ],
    "LayerNormalization": [
        (lambda: layers.LayerNormalization(), None, (3,), r"2 dimensions, got shape \(None,\)"),
        (lambda: layers.LayerNormalization(axis=(1, 2)), None, (2, 3, 4), "axis -1, the channels"),
        (lambda: layers.LayerNormalization(), (2, 3), (2, 5), r"5 channels .*got shape \(3,\)"),
    ],
    "Normalization": [
        (lambda: layers.Normalization(), None, (3,), r"other axes than the batch, got -1"),
        (lambda: layers.Normalization(axis=3), None, (2, 3), "axis within 2 dimensions, got 3"),
        (lambda: layers.Normalization(), (2, 3), (2, 5), r"shape \(None, 3\), got shape \(2, 5\)"),
        (lambda: layers.Normalization(), (2, 3), (2, 4, 3), r"\(None, 3\), got shape \(2, 4, 3\)"),
    ],
    "Rescaling": [
        (
            lambda: layers.Rescaling([1.0, 2.0]),
            None,
            (2, 3),
            r"scale .* last axis of shape \(None, 3\), got shape \(2,\)",
        ),
    ],
    "PReLU": [
        (lambda: layers.PReLU(), (2, 3), (2, 5), r"shape \(None, 3\), got shape \(2, 5\)"),
        (lambda: layers.PReLU(), (2, 3), (2, 1), r"shape \(None, 3\), got shape \(2, 1\)"),
    ],
    "Softmax": [(lambda: layers.Softmax(axis=4), None, (2, 3), r"axis within 2 dimensions, got 4")],
    "SpatialDropout2D": [
        (lambda: layers.SpatialDropout2D(0.5), None, (4, 4), rf"{IMAGES} \(None, 4\)"),
        (lambda: layers.SpatialDropout2D(0.5), (1, 4, 4, 1), (4, 4, 1), rf"{IMAGES} \(4, 4, 1\)"),
    ],
    "ZeroPadding2D": [
        (lambda: layers.ZeroPadding2D(1), None, (4, 4), rf"{IMAGES} \(None, 4\)"),
    ],
    "Cropping2D": [
        (lambda: layers.Cropping2D(1), None, (4, 4), rf"{IMAGES} \(None, 4\)"),
        (lambda: layers.Cropping2D(2), None, (1, 4, 9, 1), r"something is left .* \(1, 4, 9, 1\)"),
    ],
    "UpSampling2D": [
        (lambda: layers.UpSampling2D(2), None, (4, 4), rf"{IMAGES} \(None, 4\)"),
    ],
    "Permute": [
        (lambda: layers.Permute((2, 1)), None, (2, 3), r"samples of 2 axes .*got shape \(2, 3\)"),
    ],
    "RepeatVector": [
        (
            lambda: layers.RepeatVector(2),
            None,
            (2, 3, 4),
            r"\(N, features\), got shape \(2, 3, 4\)",
        ),
    ],
}
# They work element by element, or on samples of any shape.
TAKE_ANYTHING = """
    Activation AlphaDropout Dropout ELU Flatten GaussianDropout GaussianNoise LeakyReLU ReLU
    InputLayer Layer
""".split()
# Their refusals are tested with what else they do, in test_functional.py.
OF_SEVERAL_INPUTS = "Add Average Concatenate Dot Maximum Minimum Multiply Subtract".split()

# Settings that cannot be: a layer, a shape that it would take otherwise, and what it says.
SETTINGS = [
    (lambda: layers.Dense(0), (2, 3), r"units to be a positive integer, got 0"),
    (lambda: layers.Conv2D(0, 3), (2, 8, 8, 1), r"filters to be a positive integer, got 0"),
    (lambda: layers.Conv2D(2, (3,)), (2, 8, 8, 1), r"kernel_size to be .*, got \(3,\)"),
    (lambda: layers.Conv2D(2, 3, -1), (2, 8, 8, 1), r"strides to be .*, got -1"),
    (lambda: layers.Conv2D(2, 3, dilation_rate=0), (2, 8, 8, 1), r"dilation_rate to be .* got 0"),
    (lambda: layers.Conv2D(2, 3, padding="full"), (2, 8, 8, 1), "'valid' or 'same', got 'full'"),
    (lambda: layers.Conv2D(2, 3, groups=0), (2, 8, 8, 1), "groups to be a positive integer, got 0"),
    (lambda: layers.Conv2D(2, 3, activation="no"), (2, 8, 8, 1), "unknown activation 'no'; known"),
    (lambda: layers.Conv2D(2, 3, bias_initializer="no"), (2, 8, 8, 1), "unknown initializer 'no'"),
    (
        lambda: layers.Conv2D(4, 3, data_format="channels_first"),
        (2, 8, 8, 3),
        r"'channels_last', got 'channels_first'",
    ),
    (
        lambda: layers.DepthwiseConv2D(3, depth_multiplier="a"),
        (2, 8, 8, 3),
        r"depth_multiplier to be .*, got 'a'",
    ),
    (
        lambda: layers.SeparableConv2D(2, 3, depth_multiplier=0),
        (2, 8, 8, 3),
        r"depth_multiplier to be .*, got 0",
    ),
    (lambda: layers.BatchNormalization(momentum=1.5), (2, 3), r"momentum in \[0, 1\], got 1.5"),
    (lambda: layers.BatchNormalization(epsilon=-1.0), (2, 3), r"epsilon of at least 0, got -1.0"),
    (lambda: layers.LayerNormalization(epsilon="a"), (2, 3), r"epsilon of at least 0, got 'a'"),
    (lambda: layers.MaxPooling2D(padding=1), (1, 4, 4, 1), r"'valid' or 'same', got 1"),
    (lambda: layers.AveragePooling2D(0), (1, 4, 4, 1), r"pool_size to be .*, got 0"),
    (lambda: layers.MaxPooling2D(data_format="channels_first"), (1, 4, 4, 1), r"channels_last"),
    (lambda: layers.SpatialDropout2D(1.0), (1, 4, 4, 1), r"rate in \[0, 1\), got 1.0"),
    (lambda: layers.AlphaDropout(-0.1), (4, 4), r"rate in \[0, 1\), got -0.1"),
    (lambda: layers.GaussianDropout("a"), (4, 4), r"rate in \[0, 1\), got 'a'"),
    (lambda: layers.GaussianNoise(-0.5), (4, 4), r"stddev of at least 0, got -0.5"),
    (lambda: layers.ZeroPadding2D((1, 2, 3)), (1, 4, 4, 1), r"padding to be an int"),
    (lambda: layers.ZeroPadding2D(-1), (1, 4, 4, 1), r"padding to be an int"),
    (lambda: layers.Cropping2D(((1, 2), (3,))), (1, 4, 4, 1), r"cropping to be an int"),
    (lambda: layers.UpSampling2D(0), (1, 4, 4, 1), r"size to be a positive integer"),
    (lambda: layers.UpSampling2D(interpolation="bilinear"), (1, 4, 4, 1), r"'nearest', got"),
    (lambda: layers.LeakyReLU(-0.1), (2, 3), r"negative_slope .* at least 0, got -0.1"),
    (lambda: layers.ELU(None), (2, 3), r"alpha .* at least 0, got None"),
    (lambda: layers.ReLU(max_value=-1), (2, 3), r"max_value .* at least 0, got -1"),
    (lambda: layers.PReLU(shared_axes=(0,)), (2, 3), r"shared_axes from 1 to 1"),
    (lambda: layers.Permute((0, 1)), (2, 3, 4), r"permutation of 1, 2, ..., got \(0, 1\)"),
    (lambda: layers.Permute((1, 1)), (2, 3, 4), r"permutation of 1, 2, ..., got \(1, 1\)"),
    (lambda: layers.RepeatVector(0), (2, 3), r"n to be a positive integer, got 0"),
    (lambda: layers.Rescaling("a"), (2, 3), r"scale to be numbers, got 'a'"),
    (lambda: layers.Normalization(mean=1.0), (2, 3), r"together, .* variance=None"),
    (lambda: layers.Normalization(mean=1, variance=-1), (2, 3), r"variance of at least 0, got -1"),
    (
        lambda: layers.Normalization(mean=[1, 2], variance=[1, 2]),
        (2, 3),
        r"mean to fit the axes kept, of shape \(3,\), got shape \(2,\)",
    ),
]


def test_every_layer_is_here_or_takes_anything():
    named = {getattr(layers, name) for name in layers.__all__}
    public = {layer.__name__ for layer in named if isinstance(layer, type)}
    assert public == {*SHAPES, *TAKE_ANYTHING, *OF_SEVERAL_INPUTS}
    assert not set(SHAPES) & set(TAKE_ANYTHING)


def refused(layer, shape, message):
    """The call is an error with this message, and with the layer's name and class before it."""
    with pytest.raises(ValueError, match=message) as error:
        layer(np.zeros(shape), training=True)
    assert str(error.value).startswith(f"layer {layer.name!r} ({type(layer).__name__}): ")


@pytest.mark.parametrize(
    "make, built_on, shape, message", [case for some in SHAPES.values() for case in some]
)
def test_wrong_shape_is_refused(make, built_on, shape, message):
    layer = make()
    if built_on is not None:
        layer(np.zeros(built_on))
    refused(layer, shape, message)


@pytest.mark.parametrize("make, shape, message", SETTINGS)
def test_wrong_setting_is_refused(make, shape, message):
    refused(make(), shape, message)


@pytest.mark.parametrize("name", [n for n in TAKE_ANYTHING if n not in ("InputLayer", "Layer")])
@pytest.mark.parametrize("shape", [(4,), (4, 3), (2, 1, 3, 2), (0, 3)])
def test_layer_of_elements_takes_any_shape(name, shape):
    argument = {"Activation": ["tanh"]}.get(
        name, [0.5] if name.endswith(("Dropout", "Noise")) else []
    )
    y = getattr(layers, name)(*argument)(np.ones(shape), training=True)
    assert y.size == int(np.prod(shape)) and y.shape[0] == shape[0]
