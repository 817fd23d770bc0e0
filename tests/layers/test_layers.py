"""Layers: what they compute, their names and weights, their errors, their copies."""

import copy
import pickle
import re

import cases_layers
import numpy as np
import pytest
from cases_layers import CELLS, MERGED
from small_models import Scale, arrays_equal, data

import nnlite as keras
from nnlite import configurable, layers, ops
from nnlite.layers import Activation, Dense, Dropout, Flatten, Input, InputLayer, Reshape


def doubled(x):
    """An activation of the user's own, at module level so that it can be pickled."""
    return ops.tanh(x) * 2.0


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "sigmoid": sigmoid,
    "softmax": softmax,
    "tanh": np.tanh,
    doubled: lambda x: 2 * np.tanh(x),
    None: lambda x: x,
}

# A layer, the shape of its input (or the input), and what it computes from (x, weights) in float64
# NumPy.
CASES = {
    "Layer": (lambda: Scale(3.0), (4, 5), lambda x, w: x * w[0]),
    "InputLayer": (lambda: InputLayer((5,)), (4, 5), lambda x, w: x),
    "Dense": (
        lambda: Dense(3, "tanh", bias_initializer="ones"),
        (4, 5),
        lambda x, w: np.tanh(x @ w[0] + w[1]),
    ),
    "Dense of three axes": (lambda: Dense(3), (2, 4, 5), lambda x, w: x @ w[0] + w[1]),
    "Dense without bias": (lambda: Dense(3, use_bias=False), (4, 5), lambda x, w: x @ w[0]),
    "Activation": (lambda: Activation("relu"), (4, 5), lambda x, w: np.maximum(x, 0)),
    "Dropout": (lambda: Dropout(0.5), (4, 5), lambda x, w: x),
    "Lambda": (lambda: layers.Lambda(doubled), (4, 5), lambda x, w: 2 * np.tanh(x)),
    "Flatten": (lambda: Flatten(), (4, 5, 2), lambda x, w: x.reshape(4, 10)),
    "Reshape": (lambda: Reshape((2, -1)), (4, 6), lambda x, w: x.reshape(4, 2, 3)),
}
CASES |= cases_layers.CASES
ACTIVATIONS |= cases_layers.ACTIVATIONS


@pytest.fixture(params=CASES)
def case(request):
    """A fresh layer, its input, and its reference."""
    keras.utils.set_random_seed(0)
    make, shape, reference = CASES[request.param]
    return make(), data(shape) if isinstance(shape, tuple) else shape, reference


# What every layer has to do


def test_every_layer_class_has_a_case():
    named = [getattr(layers, name) for name in layers.__all__]
    public = {layer.__name__ for layer in named if isinstance(layer, type)}
    called_on_others = {*MERGED, "Dot", *CELLS} | cases_layers.OF_STRINGS
    called_on_others |= {"InputSpec", "Wrapper"}
    assert public - {name.split()[0] for name in CASES} - called_on_others == set()


def test_layer_computes_its_reference(case, isa, real):
    layer, x, reference = case
    result = layer(x)
    expected = reference(
        x.astype(real).astype(float), [w.astype(float) for w in layer.get_weights()]
    )
    assert result.dtype == real
    unit = np.finfo(real).eps
    np.testing.assert_allclose(result.numpy(), expected, rtol=50 * unit, atol=10 * unit)


def test_output_shape_is_known_after_the_call_and_leaves_the_batch_open(case):
    layer, x, _ = case
    with pytest.raises(AttributeError, match="has no output_shape yet: it was never called"):
        _ = layer.output_shape
    y = layer(x)
    assert layer.output_shape == (None, *y.shape[1:])


def test_output_shape_is_computed_without_a_call_as_a_call_gives_it(case):
    layer, x, _ = case
    sample = x.shape[1:]
    expected = type(layer).from_config(layer.get_config())(x).shape
    for batch in (None, len(x)):
        assert layer.compute_output_shape((batch, *sample)) == (batch, *expected[1:])
    assert not layer.built and layer.weights == [] and not hasattr(layer, "output_shape")
    layer(x)
    assert layer.compute_output_shape((7, *sample)) == (7, *expected[1:])


IMAGES_OF_ANY_SIZE = (None, None, None, 3)


@pytest.mark.parametrize(
    "make, given, expected",
    [
        (lambda: layers.Dense(2), (None, None, 3), (None, None, 2)),
        (lambda: layers.Conv2D(2, 5), IMAGES_OF_ANY_SIZE, (None, None, None, 2)),
        (lambda: layers.Conv2D(2, 5), (None, None, 9, 3), (None, None, 5, 2)),
        (lambda: layers.MaxPooling2D(), (4, None, 8, 3), (4, None, 4, 3)),
        (lambda: layers.GlobalMaxPooling2D(), IMAGES_OF_ANY_SIZE, (None, 3)),
        (lambda: layers.BatchNormalization(), IMAGES_OF_ANY_SIZE, IMAGES_OF_ANY_SIZE),
        (lambda: layers.UpSampling2D(), IMAGES_OF_ANY_SIZE, IMAGES_OF_ANY_SIZE),
        (lambda: layers.Flatten(), IMAGES_OF_ANY_SIZE, (None, None)),
        (lambda: layers.Resizing(4, 5), IMAGES_OF_ANY_SIZE, (None, 4, 5, 3)),
        (lambda: layers.RandomRotation(0.1), IMAGES_OF_ANY_SIZE, IMAGES_OF_ANY_SIZE),
        (lambda: layers.Permute((2, 1)), (None, 5, None), (None, None, 5)),
        (lambda: layers.RepeatVector(3), (2, None), (2, 3, None)),
        (lambda: layers.Concatenate(), [(None, None, 3), (None, None, 2)], (None, None, 5)),
        (lambda: layers.Concatenate(1), [(None, None, 3), (None, 2, 3)], (None, None, 3)),
    ],
)
def test_sizes_that_depend_on_unknown_ones_are_unknown(make, given, expected):
    assert make().compute_output_shape(given) == expected


def test_config_round_trip_gives_an_equal_unbuilt_layer(case):
    layer, x, _ = case
    layer(x)
    copied = type(layer).from_config(layer.get_config())
    assert type(copied) is type(layer) and not copied.built and copied.weights == []
    assert configurable.frozen(copied) == configurable.frozen(layer)
    assert configurable.frozen(copied.get_config()) == configurable.frozen(layer.get_config())
    assert copied(x).shape == layer(x).shape


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_copy_has_the_same_settings_weights_and_bits(case, built, how):
    layer, x, _ = case
    before = layer(x, training=False).numpy() if built else None
    copied = pickle.loads(pickle.dumps(layer)) if how == "pickle" else copy.deepcopy(layer)
    assert copied is not layer and copied.built == built
    assert configurable.frozen(copied) == configurable.frozen(layer)
    assert arrays_equal(copied.get_weights(), layer.get_weights())
    if built:
        assert np.array_equal(copied(x, training=False).numpy(), before)
        assert [v.name for v in copied.weights] == [v.name for v in layer.weights]
        for v in copied.weights:
            v.assign(v.numpy() + 1)  # the copy's own storage
        assert np.array_equal(layer(x, training=False).numpy(), before)


def test_repr_rebuilds_the_layer(case):
    layer, _, _ = case
    names = {**vars(layers), "Scale": Scale, "doubled": doubled}
    shown = re.sub(r"<function (\w+) at \w+>", r"\1", repr(layer))
    assert configurable.frozen(eval(shown, names)) == configurable.frozen(layer)


def test_layers_are_compared_by_identity():
    assert Dense(3) != Dense(3) and len({Dense(3), Dense(3)}) == 2


def test_repr_shows_what_was_given_and_hides_defaults():
    assert repr(Dense(8, activation="relu", use_bias=True)) == "Dense(units=8, activation='relu')"


def test_unknown_argument_is_named_with_the_class():
    with pytest.raises(
        TypeError, match=r"Dense: unknown argument 'unitz'; did you mean 'units'\? It takes units,"
    ):
        Dense(3, unitz=3)


def test_missing_argument_names_the_class_and_lists_the_known_ones():
    with pytest.raises(TypeError, match=r"Dense.*'units'.*It takes units, activation"):
        Dense()


def test_name_must_be_a_string():
    with pytest.raises(TypeError, match=r"Dense.*name.*3"):
        Dense(2, name=3)


# Dense


def test_dense_has_kernel_then_bias_as_keras_has_them():
    layer = Dense(3)
    layer(data((4, 5)))
    assert [(v.name, v.shape) for v in layer.weights] == [
        ("dense/kernel", (5, 3)),
        ("dense/bias", (3,)),
    ]
    assert layer.kernel is layer.weights[0] and layer.bias is layer.weights[1]


def test_dense_defaults_are_glorot_uniform_and_zeros():
    layer = Dense(300)
    layer(data((1, 200)))
    kernel, bias = layer.get_weights()
    limit = np.sqrt(6 / 500)
    assert np.abs(kernel).max() <= limit and np.abs(kernel).max() > 0.99 * limit
    assert not bias.any()


def test_two_layers_of_one_initializer_name_differ():
    a, b = Dense(4), Dense(4)
    x = data((1, 4))
    a(x), b(x)
    assert not np.array_equal(a.get_weights()[0], b.get_weights()[0])


@pytest.mark.parametrize("units", [8, 8.0, np.int64(8), np.float32(8)])
def test_integral_sizes_of_any_type_are_accepted(units):
    assert Dense(units)(data((2, 3))).shape == (2, 8)


@pytest.mark.parametrize("units", [0, -1, 2.5, "8", None, True, [8], np.nan])
def test_bad_size_names_the_layer_the_argument_and_what_came(units):
    with pytest.raises(ValueError, match=r"Dense: units: expected a positive integer, got "):
        Dense(units)


@pytest.mark.parametrize(
    "form, activation",
    [("Dense", a) for a in ACTIVATIONS] + [("Activation", a) for a in ACTIVATIONS if a is not None],
)
def test_activation_by_name_or_function_computes_its_formula(form, activation, real):
    x, tolerance = data((6, 8)), 1e-5 if real == "float32" else 1e-13
    if form == "Activation":
        result, z = Activation(activation)(x), x
    else:
        layer = Dense(4, activation=activation)
        result = layer(x)
        kernel, bias = (w.astype(float) for w in layer.get_weights())
        z = x @ kernel + bias
    want = ACTIVATIONS[activation](z)
    np.testing.assert_allclose(result.numpy(), want, rtol=tolerance, atol=tolerance)


def test_every_activation_name_has_a_formula_here():
    named = {n for n in ACTIVATIONS if isinstance(n, str)}
    assert set(keras.activations._BY_NAME) == {*named, "threshold"}  # that one takes arguments


@pytest.mark.parametrize("activation", [a for a in ACTIVATIONS if isinstance(a, str)])
def test_dense_layer_with_any_activation_learns(activation):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([Input((4,)), Dense(8, activation=activation), Dense(1)])
    model.compile(keras.optimizers.SGD(0.02), "mse")
    x = data((64, 4))
    first, *_, last = model.fit(x, x[:, :1], epochs=20, verbose=0).history["loss"]
    assert last < 0.9 * first


def test_activations_with_arguments_use_them():
    x = np.linspace(-3, 3, 25)
    a = keras.activations
    for got, want in [
        (a.threshold(x, 1.0, -7.0), np.where(x > 1, x, -7)),
        (a.celu(x, 2.0), np.where(x > 0, x, 2 * np.expm1(x / 2))),
        (a.hard_shrink(x, 2), x * (np.abs(x) > 2)),
        (a.soft_shrink(x, 2), np.sign(x) * np.maximum(np.abs(x) - 2, 0)),
        (a.squareplus(x, 1), (x + np.sqrt(x**2 + 1)) / 2),
        (
            a.glu(x[:24].reshape(4, 6), axis=0),
            (lambda p, q: p * sigmoid(q))(*x[:24].reshape(2, 2, 6)),
        ),
    ]:
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-6, atol=1e-6)


def test_custom_activation_can_be_trained_through():
    layer, x = Dense(3, activation=lambda x: ops.maximum(ops.square(x), 0.1 * x)), data((4, 5))
    with keras.GradientTape() as tape:
        loss = ops.sum(layer(x))
    kernel = layer.get_weights()[0].astype(float)
    z = x @ kernel
    dz = np.where(z * z > 0.1 * z, 2 * z, 0.1)
    np.testing.assert_allclose(
        tape.gradient(loss, layer.kernel).numpy(), x.T @ dz, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("f", [keras.activations.softmax, keras.activations.sparsemax])
def test_shares_along_several_axes_are_those_of_their_entries_as_one(f):
    x = data((4, 3, 5, 2))
    y = f(x, axis=(1, -1)).numpy()
    rows = f(x.transpose(0, 2, 1, 3).reshape(4, 5, 6)).numpy()
    assert np.array_equal(y, rows.reshape(4, 5, 3, 2).transpose(0, 2, 1, 3))
    np.testing.assert_allclose(y.sum((1, 3)), 1, rtol=1e-5)
    for axis, error in ((), ValueError), (4, ValueError), ("a", TypeError), ((1.5,), TypeError):
        with pytest.raises(error, match="axis: expected"):
            f(x, axis=axis)


@pytest.mark.parametrize("make", [lambda f: Dense(2, f), Activation])
def test_unknown_activation_is_named_and_the_known_ones_listed(make):
    with pytest.raises(
        ValueError,
        match=r"^\w+: activation: .*'swishy'; known: .*relu.*tanh.*did you mean 'swish'",
    ):
        make("swishy")


def test_activation_that_is_no_function_is_a_type_error():
    with pytest.raises(TypeError, match=r"Activation: activation: expected .*5"):
        Activation(5)


@pytest.mark.parametrize(
    "argument", [f"kernel_{kind}" for kind in ("initializer", "regularizer", "constraint")]
)
def test_unknown_name_of_what_weights_have_names_the_layer(argument):
    with pytest.raises(ValueError, match=rf"Dense: {argument}: unknown \w+ 'nope'.* known"):
        Dense(2, **{argument: "nope"})


@pytest.mark.parametrize("shape", [(4, 6), (4, 5, 6), (4,)])
def test_wrong_width_or_rank_names_the_layer_what_was_expected_and_what_came(shape):
    layer = Dense(3, name="first")
    layer(data((4, 5)))
    with pytest.raises(
        ValueError, match=r"'first' \(Dense\): expected an input of .*got shape \(4"
    ):
        layer(data(shape))


def test_error_inside_a_nested_model_names_the_innermost_layer_once():
    model = keras.Sequential([keras.Sequential([Dense(3, name="deep", input_shape=(5,))])])
    with pytest.raises(ValueError, match=r"^layer 'deep' \(Dense\): (?!layer)"):
        model(data((2, 4)))


def test_text_as_input_is_a_type_error():
    with pytest.raises(TypeError, match=r"layer 'dense' \(Dense\): .*expected numbers"):
        Dense(3)(np.array([["a", "b"]]))


# Flatten, Reshape, Input


def test_flatten_keeps_row_major_order_and_gives_vectors_an_axis():
    x = data((3, 2, 4, 5))
    assert np.array_equal(Flatten()(x).numpy(), x.astype("float32").reshape(3, -1))
    assert Flatten()(data((3,))).shape == (3, 1)


@pytest.mark.parametrize("target", [(4, 4), (-1, 5), (-1, 0), (0, 3)])
def test_reshape_that_does_not_fit_names_the_layer_target_and_shape(target):
    with pytest.raises(
        ValueError, match=r"'reshape' \(Reshape\): expected samples.*got shape \(12,\)"
    ):
        Reshape(target)(data((2, 12)))


def test_reshape_infers_one_size():
    assert Reshape((3, -1, 2))(data((5, 12))).shape == (5, 3, 2, 2)
    assert Reshape([12])(data((5, 3, 4))).shape == (5, 12)


@pytest.mark.parametrize(
    "first",
    [
        lambda: [Input((7,)), Dense(3)],
        lambda: [Input(shape=(7,)), Dense(3)],
        lambda: [Input(7), Dense(3)],
        lambda: [InputLayer(input_shape=(7,)), Dense(3)],
        lambda: [Dense(3, input_shape=(7,))],
        lambda: [Dense(3, input_shape=[7])],
        lambda: [Dense(3, input_dim=7)],
        lambda: [Dropout(0.1, input_shape=(7,)), Dense(3)],
    ],
)
def test_model_is_built_at_once_however_the_input_shape_is_given(first):
    model = keras.Sequential(first())
    assert model.built and model.input_shape == (None, 7) and model.output_shape == (None, 3)
    assert [w.shape for w in model.get_weights()] == [(7, 3), (3,)]


def test_input_is_no_entry_of_the_layers():
    model = keras.Sequential([Input((7,)), Dense(3)])
    assert [type(layer) for layer in model.layers] == [Dense]


def test_input_without_a_shape_says_what_it_needs():
    with pytest.raises(ValueError, match=r"Input: expected shape="):
        Input()
