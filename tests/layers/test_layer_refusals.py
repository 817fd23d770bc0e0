"""Every layer, given what it cannot take, names itself, what it expected and what it got."""

import re

import cases_attention_layers
import cases_columns
import cases_image_layers
import cases_layers
import cases_recurrent
import cases_series
import cases_signals
import cases_tables_layers
import cases_volumes
import numpy as np
import pytest
from sklearn.base import clone

import nnlite
from nnlite import layers
from nnlite.configurable import _legal_of

IMAGES = r"\(N, height, width, channels\), got shape"
# By class: how it is made, the shape that it was built on (None: it was not), the shape that it
# refuses, and what it says then. Those that take whatever comes have no entry.
SHAPES = {
    **cases_attention_layers.SHAPES,
    **cases_tables_layers.SHAPES,
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
        (lambda: layers.BatchNormalization(axis=(1, 2)), None, (2, 3, 4), r"one axis, .*\(1, 2\)"),
        (lambda: layers.BatchNormalization(axis=0), None, (2, 3, 4), "without the batch, .* got 0"),
        (lambda: layers.BatchNormalization(1), (2, 3, 4), (2, 4, 4), r"\(None, 3, None\), got"),
        (lambda: layers.BatchNormalization(1), (2, 3, 4), (2, 3), r"\(None, 3, None\), got"),
        (lambda: layers.BatchNormalization(), (2, 3), (2, 5), r"5 channels .*got shape \(3,\)"),
    ],
    "LayerNormalization": [
        (lambda: layers.LayerNormalization(), None, (3,), r"2 dimensions, got shape \(None,\)"),
        (lambda: layers.LayerNormalization(axis=(1, 1)), None, (2, 3, 4), "each once, got"),
        (
            lambda: layers.LayerNormalization(axis=3),
            None,
            (2, 3, 4),
            "axis: expected axes of 3 dimensions, .* 3",
        ),
        (lambda: layers.LayerNormalization(), (2, 3), (2, 5), r"5 channels .*got shape \(3,\)"),
    ],
    "GroupNormalization": [
        (lambda: layers.GroupNormalization(), None, (3,), r"2 dimensions, got shape \(None,\)"),
        (lambda: layers.GroupNormalization(4), None, (2, 3, 6), "in 4 equal groups, got 6"),
        (lambda: layers.GroupNormalization(1, axis=(1, 2)), None, (2, 3, 6), "expected one axis"),
    ],
    "RMSNormalization": [
        (lambda: layers.RMSNormalization(axis=0), None, (2, 3), "without the batch"),
        (lambda: layers.RMSNormalization(), (2, 3), (2, 5), r"sizes \(3,\) along axis -1, got"),
    ],
    "UnitNormalization": [
        (
            lambda: layers.UnitNormalization(axis=2),
            None,
            (2, 3),
            "axis: expected axes of 2 dimensions",
        ),
    ],
    "Normalization": [
        (lambda: layers.Normalization(), None, (3,), r"other axes than the batch, got -1"),
        (
            lambda: layers.Normalization(axis=3),
            None,
            (2, 3),
            "axis: expected axes of 2 dimensions.* got 3",
        ),
        (
            lambda: layers.Normalization(mean=[1, 2], variance=[1, 2]),
            None,
            (2, 3),
            r"mean: expected values that fit the axes kept, of shape \(3,\), got shape \(2,\)",
        ),
        (lambda: layers.Normalization(), (2, 3), (2, 5), r"shape \(None, 3\), got shape \(2, 5\)"),
        (lambda: layers.Normalization(1), (2, 3), (2, 4, 3), r"\(None, 3\), got shape \(2, 4, 3\)"),
    ],
    "Rescaling": [
        (
            lambda: layers.Rescaling([1.0, 2.0]),
            None,
            (2, 3),
            r"scale: .* last axis of shape \(None, 3\), got shape \(2,\)",
        ),
    ],
    "PReLU": [
        (lambda: layers.PReLU(), (2, 3), (2, 5), r"shape \(None, 3\), got shape \(2, 5\)"),
        (lambda: layers.PReLU(shared_axes=(0,)), None, (2, 3), r"shared_axes from 1 to 1"),
        (lambda: layers.PReLU(), (2, 3), (2, 1), r"shape \(None, 3\), got shape \(2, 1\)"),
    ],
    "Softmax": [
        (
            lambda: layers.Softmax(axis=4),
            None,
            (2, 3),
            r"axis: expected axes of 2 dimensions.* got 4",
        )
    ],
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
            r"\(N, features\), got shape \(None, 3, 4\)",
        ),
    ],
    "Masking": [
        (lambda: layers.Masking(), None, (4, 3), r"\(N, T, features\), got shape \(None, 3\)"),
    ],
    "PaddingMask": [
        (lambda: layers.PaddingMask(), None, (4,), r"at least 2 dimensions, got shape \(None,\)"),
    ],
    **{
        kind.__name__: [(lambda kind=kind: kind(3, 2), None, (), r"its first axis, got shape \(\)")]
        for kind in (layers.Embedding, layers.ReversibleEmbedding)
    },
    **cases_series.SHAPES,
    **cases_volumes.SHAPES,
    **cases_columns.SHAPES,
    **cases_image_layers.SHAPES,
    **cases_recurrent.SHAPES,
    **cases_signals.SHAPES,
    "Bidirectional": [
        (
            lambda: layers.Bidirectional(layers.GRU(2)),
            None,
            (4, 3),
            r"\(N, T, features\), got shape",
        )
    ],
    "TimeDistributed": [
        (lambda: layers.TimeDistributed(layers.Dense(2)), None, (4, 3), r"\(N, T, \.\.\.\), got")
    ],
}
# They work element by element, or on samples of any shape.
TAKE_ANYTHING = """
    Activation ActivityRegularization AlphaDropout Dropout ELU Flatten GaussianDropout GaussianNoise
    Identity InputLayer Lambda Layer LeakyReLU ReLU Wrapper""".split()
OF_ONES_OWN = ("InputLayer", "Layer", "Wrapper")  # made in other ways, or bases
# Their refusals are tested with what else they do, in test_functional.py.
OF_SEVERAL_INPUTS = "Add Average Concatenate Dot Maximum Minimum Multiply Subtract".split()
OF_SEVERAL_INPUTS += [*cases_layers.CELLS]  # in files of their own
OF_DATA = """
    CategoryEncoding Discretization HashedCrossing Hashing IntegerLookup StringLookup
    TextVectorization
""".split()  # in test_lookups.py, test_hashed_crossing.py

# Settings that cannot be: a constructor, and what it says.
SETTINGS = [
    *cases_attention_layers.SETTINGS,
    *cases_columns.SETTINGS,
    *cases_image_layers.SETTINGS,
    (lambda: layers.Dense(0), r"units: expected a positive integer, got 0"),
    (lambda: layers.Dense(10.5), r"units: expected a positive integer, got 10.5"),
    (lambda: layers.Dense("10"), r"units: expected a positive integer, got '10'"),
    (lambda: layers.Dense(None), r"units: expected a positive integer, got None"),
    (
        lambda: layers.Input(2**31),
        r"shape: expected a tuple of positive integers, .*, got 2147483648",
    ),
    (lambda: layers.Input((True, 3)), r"shape: expected .*, got \(True, 3\)"),
    (lambda: layers.InputLayer(3, batch_size=0), r"batch_size: expected a positive integer, got 0"),
    (
        lambda: layers.Dense(2**31),
        r"units: expected (a number|numbers) below 2\*\*31, got 2147483648",
    ),
    (lambda: layers.Dense(2, use_bias="zeros"), r"use_bias: expected True or False, got 'zeros'"),
    (lambda: layers.Conv2D(0, 3), r"filters: expected a positive integer, got 0"),
    (lambda: layers.Conv2D(2, (3,)), r"kernel_size: expected .*, got \(3,\)"),
    (lambda: layers.Conv2D(2, 3, -1), r"strides: expected .*, got -1"),
    (
        lambda: layers.DepthwiseConv2D(3, 10**30),
        r"strides: expected (a number|numbers) below 2\*\*31, got 10000",
    ),
    (lambda: layers.Conv2D(2, 3, dilation_rate=0), r"dilation_rate: expected .* got 0"),
    (
        lambda: layers.Conv2D(2, 3, dilation_rate=2**60),
        r"dilation_rate: expected (a number|numbers) below 2\*\*31",
    ),
    (lambda: layers.Conv2D(2, 3, padding="full"), "'valid' or 'same', got 'full'"),
    (lambda: layers.Conv2D(2, 3, groups=0), "groups: expected a positive integer, got 0"),
    (
        lambda: layers.Conv2D(2, 3, activation="rellu"),
        "activation 'rellu'; known: .*did you mean 'relu'",
    ),
    (lambda: layers.Conv2D(2, 3, bias_initializer="no"), "bias_initializer: unknown .* 'no'"),
    (lambda: layers.Conv2D(2, 3, bias_constraint="no"), "bias_constraint: unknown .* 'no'"),
    (lambda: layers.DepthwiseConv2D(3, depth_multiplier="a"), r"depth_multiplier: expected .*'a'"),
    (
        lambda: layers.SeparableConv2D(2, 3, depth_multiplier=0),
        r"depth_multiplier: expected .*, got 0",
    ),
    (
        lambda: layers.BatchNormalization(momentum=1.5),
        r"momentum: expected a number in \[0, 1\], got 1.5",
    ),
    (
        lambda: layers.BatchNormalization(epsilon=-1.0),
        r"epsilon: expected a number in \[0, inf\], got -1.0",
    ),
    (
        lambda: layers.LayerNormalization(epsilon="a"),
        r"epsilon: expected a number in \[0, inf\], got 'a'",
    ),
    (lambda: layers.LayerNormalization(axis=()), r"axis: expected an int or several .*, got \(\)"),
    (lambda: layers.GroupNormalization(0), r"groups: expected a positive integer, got 0"),
    (lambda: layers.ActivityRegularization(-1), r"l1: expected a number in \[0, inf\), got -1"),
    *cases_series.SETTINGS,
    *cases_signals.SETTINGS,
    *cases_volumes.SETTINGS,
    (lambda: layers.MaxPooling2D(padding=1), r"'valid' or 'same', got 1"),
    (lambda: layers.MaxPooling2D(strides=0), r"strides: expected a positive integer .*, got 0"),
    (lambda: layers.AveragePooling2D(0), r"pool_size: expected .*, got 0"),
    (lambda: layers.GlobalMaxPooling2D(keepdims=2), r"keepdims: expected True or False, got 2"),
    (lambda: layers.Dropout(50), r"rate: expected a number in \[0, 1\), got 50"),
    (
        lambda: layers.Dropout(0.5, noise_shape=(0, 1)),
        r"noise_shape: expected positive .*\(0, 1\)",
    ),
    (lambda: layers.SpatialDropout2D(1.0), r"rate: expected a number in \[0, 1\), got 1.0"),
    (lambda: layers.AlphaDropout(-0.1), r"rate: expected a number in \[0, 1\), got -0.1"),
    (lambda: layers.GaussianDropout("a"), r"rate: expected a number in \[0, 1\), got 'a'"),
    (lambda: layers.GaussianNoise(-0.5), r"stddev: expected a number in \[0, inf\), got -0.5"),
    (lambda: layers.GaussianNoise(0.2, seed=np.inf), r"seed: expected an integer, got inf"),
    (lambda: layers.ZeroPadding2D((1, 2, 3)), r"padding: expected an int"),
    (lambda: layers.ZeroPadding2D(-1), r"padding: expected an int"),
    (lambda: layers.ZeroPadding2D(True), r"padding: expected an int"),
    (lambda: layers.Cropping2D(((1, 2), (3,))), r"cropping: expected an int"),
    (lambda: layers.UpSampling2D(0), r"size: expected a positive integer"),
    (lambda: layers.UpSampling2D(interpolation="cubic"), r"'bicubic', .*, got 'cubic'"),
    (lambda: layers.LeakyReLU(-0.1), r"negative_slope: expected a number in \[0, inf\], got -0.1"),
    (lambda: layers.ELU(None), r"alpha: expected a number in \[0, inf\], got None"),
    (lambda: layers.ReLU(max_value=-1), r"max_value: expected a number in \[0, inf\], got -1"),
    (lambda: layers.PReLU(shared_axes="a"), r"shared_axes: expected an int or several .*, got 'a'"),
    (lambda: layers.Softmax(axis=1.5), r"axis: expected an int or several of them, got 1.5"),
    (lambda: layers.Concatenate(axis="a"), r"axis: expected an integer, got 'a'"),
    (lambda: layers.Dot(axes=None), r"axes: expected an int or several of them, got None"),
    (lambda: layers.Permute((0, 1)), r"permutation of 1, 2, ..., got \(0, 1\)"),
    (lambda: layers.Permute((1, 1)), r"permutation of 1, 2, ..., got \(1, 1\)"),
    (lambda: layers.RepeatVector(0), r"n: expected a positive integer, got 0"),
    (
        lambda: layers.Reshape((-2, 6)),
        r"target_shape: expected integers of at least 0, or -1 .*-2, 6",
    ),
    (
        lambda: layers.Reshape((-1, -1)),
        r"target_shape: expected integers of at least 0, or -1 for one",
    ),
    (lambda: layers.Rescaling("a"), r"scale: expected numbers, got 'a'"),
    (lambda: layers.Rescaling(None), r"scale: expected numbers, got None"),
    (lambda: layers.Rescaling(np.nan), r"scale: expected numbers, got nan"),
    (lambda: layers.Normalization(mean=1.0), r"together, .* variance=None"),
    (lambda: layers.Normalization(mean=1, variance=-1), r"variance: expected at least 0, got -1"),
    (lambda: layers.Embedding(0, 2), r"input_dim: expected a positive integer, got 0"),
    (lambda: layers.Embedding(2, 2.5), r"output_dim: expected a positive integer, got 2.5"),
    (lambda: layers.Embedding(2, 2, mask_zero=3), r"mask_zero: expected True or False, got 3"),
    (lambda: layers.Masking("a"), r"mask_value: expected a number .*, got 'a'"),
    (lambda: layers.LSTM(0), r"LSTM: units: expected a positive integer, got 0"),
    (lambda: layers.GRU(2, "no"), r"GRU: activation: unknown activation 'no'"),
    (lambda: layers.GRU(2, reset_after=2), r"reset_after: expected True or False, got 2"),
    (lambda: layers.LSTM(2, unit_forget_bias="a"), r"unit_forget_bias: expected .*, got 'a'"),
    (lambda: layers.LSTM(2, dropout=1.5), r"dropout: expected a number in \[0, 1\], got 1.5"),
    (lambda: layers.GRU(2, recurrent_dropout=-1), r"recurrent_dropout: expected a num.* got -1"),
    (lambda: layers.SimpleRNN(2, stateful="a"), r"stateful: expected True or False, got 'a'"),
    (lambda: layers.SimpleRNN(2, seed="a"), r"seed: expected an integer, got 'a'"),
    (lambda: layers.LSTMCell(2, recurrent_initializer="no"), r"recurrent_initializer: unknown"),
]
# Whatever NumPy gives counts as the numbers that it holds.
TAKEN = [
    lambda: layers.Dense(np.int64(8)),
    lambda: layers.Dense(8.0),
    lambda: layers.Dropout(np.float32(0.5), seed=np.uint8(3)),
    lambda: layers.Conv2D(np.int32(2), (np.int64(3), 3), padding="SAME", use_bias=np.True_),
    lambda: layers.LayerNormalization(axis=np.int64(-1)),
    lambda: layers.Reshape(np.int64(4)),
]


def test_every_layer_is_here_or_takes_anything():
    named = {getattr(layers, name) for name in layers.__all__}
    public = {layer.__name__ for layer in named if isinstance(layer, type)} - {"InputSpec"}
    assert public == {*SHAPES, *TAKE_ANYTHING, *OF_SEVERAL_INPUTS, *OF_DATA}
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


@pytest.mark.parametrize("n", ["3", 3.5, [3], None, float("nan")])
def test_copies_that_are_no_whole_number_are_a_type_error_as_in_keras(n):
    with pytest.raises(TypeError, match="RepeatVector: n: expected a positive integer, got"):
        layers.RepeatVector(n)


ROWS = np.ones((2, 3))
HOSTILE = [
    *(None, "abc", b"ab", 3, 2.5, True, [], {}, {1, 2}, len, int, object(), ["a"], [[1, 2], [3]]),
    *(np.array([[1, None]], object), ROWS.astype(complex), ROWS.astype("M8[s]"), 2**70),
    *(np.ma.masked_less(ROWS, 2), np.zeros(3, [("a", "f4")]), np.array([[2**40, 1]]), layers.ELU()),
    *(np.zeros(shape) for shape in [(), (4,), (2, 3), (2, 3, 4), (2, 6, 6, 3), (1,) * 5, (1,) * 9]),
    *(np.zeros(shape) for shape in [(0, 3), (0, 6, 6, 3), (2, 0), (2, 0, 6, 3), (2, 6, 6, 0)]),
    *({"a": ROWS}, [ROWS], [ROWS, ROWS], [ROWS, None], [[ROWS]], [ROWS, ROWS[:1]], (ROWS, ROWS.T)),
    *(ROWS.astype("f2"), ROWS.astype(np.longdouble), np.full((2, 3), np.nan), (i for i in [1])),
]
MAKERS = {
    name: (make, getattr(x, "shape", x)) for name, (make, x, _) in cases_layers.CASES.items()
} | {
    "Dense": (lambda: layers.Dense(2), (2, 3)),
    "Activation": (lambda: layers.Activation("tanh"), (2, 3)),
    "Flatten": (lambda: layers.Flatten(), (2, 3)),
    "Reshape": (lambda: layers.Reshape((-1, 3)), (2, 3)),
    "Dropout": (lambda: layers.Dropout(0.5), (2, 3)),
    **{name: (getattr(layers, name), None) for name in cases_layers.MERGED},
    "Dot": (lambda: layers.Dot(1), None),
}


def said_by(layer):
    """What an error of a layer, or of a cell in it, begins with."""
    parts = [layer, *layer._sublayers, *getattr(getattr(layer, "cell", None), "cells", ())]
    return "(" + "|".join(rf"layer '{x.name}' \({type(x).__name__}\): " for x in parts) + ")"


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("name", MAKERS)
def test_whatever_comes_in_a_layer_works_or_says_what_is_wrong(name, built):
    make, shape = MAKERS[name]
    layer = make()
    fitting, worked = [ROWS, ROWS] if shape is None else np.zeros(shape), 0
    if built:
        layer(fitting)
    for given in [*HOSTILE, fitting]:
        layer = layer if built else make()
        try:
            result = layer(given, training=True)
            worked += isinstance(result, nnlite.Tensor)
        except (ValueError, TypeError) as error:
            words = rf"{said_by(layer)}.*(expected|outside)"
            assert re.match(words, str(error), re.S), (given, str(error))
    assert worked


ODD = [
    *(None, True, 0, -1, 2, 10.5, "10", (), [], (1,), (1, 2, 3), {}, {"a": 1}, np.nan, np.inf),
    *(2**31, 10**30, np.int64(3), np.float32(0.5), np.array([1, 2]), 1j, b"a", int, layers.ELU()),
    *([None], ("a", "b"), ((1, 2), (3, 4)), ((1, 2), 3), [[1, 2], [3]]),
    np.ma.masked_equal([1, 2], 1),
]


@pytest.mark.parametrize("name", [n for n in MAKERS if MAKERS[n][1] and " " not in n])
def test_whatever_a_setting_is_the_constructor_or_the_layer_says_what_is_wrong_with_it(name):
    make, shape = MAKERS[name]
    cls, config = type(make()), make().get_config()
    for argument in config.keys() & _legal_of(cls).keys():
        for value in ODD:
            try:
                layer = cls(**{**config, argument: value})
            except (ValueError, TypeError) as error:
                assert re.match(rf"{name}: .*{argument}.*(got|unknown)", str(error), re.S), str(
                    error
                )
                continue
            try:
                result = layer(np.ones(shape), training=True)
                several = value is None if argument == "merge_mode" else argument == "return_state"
                first = result[0] if several and isinstance(result, list) else result
                assert isinstance(first, nnlite.Tensor)
            except (ValueError, TypeError) as error:
                words = rf"{said_by(layer)}.*(expected|not supported)"
                assert re.match(words, str(error), re.S), (argument, value, str(error))


@pytest.mark.parametrize("make, message", SETTINGS)
def test_a_wrong_setting_is_refused_by_the_constructor(make, message):
    with pytest.raises((ValueError, TypeError), match=message) as error:
        make()
    assert re.match(r"(\w+): |layer 'input_layer'", str(error.value))


@pytest.mark.parametrize("make", TAKEN)
def test_numbers_of_numpy_are_settings(make):
    assert type(make()).from_config(make().get_config()).get_config() == make().get_config()


@pytest.mark.parametrize(
    "name", sorted({n for n in layers.__all__ if isinstance(getattr(layers, n), type)})
)
def test_checks_are_of_arguments_that_the_layer_or_a_sibling_has(name):
    cls = getattr(layers, name)
    public = [getattr(layers, name) for name in layers.__all__]
    siblings = {a for c in public if isinstance(c, type) for a in c._signature()}
    assert _legal_of(cls).keys() <= siblings


def test_a_setting_out_of_range_that_a_search_sets_is_an_error_of_fit():
    X, y = np.eye(4), np.array([0, 1, 0, 1])
    net = nnlite.NNClassifier(layers=[layers.Dense(3), layers.Dropout(0.1)], epochs=1, verbose=0)
    net.set_params(dense_1__units=0, dropout_1__rate=50)
    twice = clone(clone(net))
    assert twice.get_params()["dense_1__units"] == 0
    with pytest.raises(ValueError, match="Dense: units: expected a positive integer, got 0"):
        twice.fit(X, y)
    with pytest.raises(ValueError, match=r"Dropout: rate: expected a number in \[0, 1\), got 50"):
        twice.set_params(dense_1__units=2).fit(X, y)
    assert twice.set_params(dropout_1__rate=0.5).fit(X, y).predict(X).shape == (4,)


@pytest.mark.parametrize("name", [n for n in TAKE_ANYTHING if n not in OF_ONES_OWN])
@pytest.mark.parametrize("shape", [(4,), (4, 3), (2, 1, 3, 2), (0, 3)])
def test_layer_of_elements_takes_any_shape(name, shape):
    argument = {"Activation": ["tanh"], "Lambda": [nnlite.ops.tanh]}.get(
        name, [0.5] if name.endswith(("Dropout", "Noise")) else []
    )
    y = getattr(layers, name)(*argument)(np.ones(shape), training=True)
    assert y.size == int(np.prod(shape)) and y.shape[0] == shape[0]
