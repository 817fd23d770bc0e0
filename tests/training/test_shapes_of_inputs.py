"""What a model makes of inputs of other shapes than it was built for, and what it says."""

import numpy as np
import pytest

import nnlite
from nnlite import layers, ops
from nnlite.layers import Conv2D, Dense, Flatten, Input

RNG = np.random.default_rng(0)
IMAGES = RNG.random((6, 5, 5)).astype("float32")
ROWS = RNG.random((6, 3)).astype("float32")


def functional(parts, shape):
    inputs = outputs = Input(shape)
    for part in parts:
        outputs = part(outputs)
    return nnlite.Model(inputs, outputs)


def sequential(parts, shape):
    return nnlite.Sequential([Input(shape), *parts])


KINDS = pytest.mark.parametrize("kind", [functional, sequential])


def trained(model, x):
    """The model's weights after a step on x, and what it predicts."""
    start = [np.linspace(-1, 1, w.size).reshape(w.shape) for w in model.get_weights()]
    model.set_weights(start)
    model.compile("sgd", "mse")
    model.fit(x, np.ones((len(x), 2)), verbose=0, shuffle=False)
    return [*model.get_weights(), model.predict(x), model(x).numpy()]


@KINDS
def test_images_without_the_axis_of_their_channel_get_it(kind):
    def model():
        return kind([Conv2D(2, 3, activation="relu"), Flatten(), Dense(2)], (5, 5, 1))

    for a, b in zip(trained(model(), IMAGES), trained(model(), IMAGES[..., None])):
        np.testing.assert_array_equal(a, b)


@KINDS
def test_a_last_axis_of_one_entry_may_be_there_in_vain(kind):
    for a, b in zip(
        trained(kind([Dense(2)], (3,)), ROWS), trained(kind([Dense(2)], (3,)), ROWS[..., None])
    ):
        np.testing.assert_array_equal(a, b)


@KINDS
def test_a_column_may_be_given_as_a_vector(kind):
    for a, b in zip(
        trained(kind([Dense(2)], (1,)), ROWS[:, 0]), trained(kind([Dense(2)], (1,)), ROWS[:, :1])
    ):
        np.testing.assert_array_equal(a, b)


def test_each_of_several_inputs_may_lack_its_axis():
    a, b = Input((5, 5, 1)), Input((1,))
    outputs = Dense(2)(layers.concatenate([Flatten()(Conv2D(1, 5)(a)), b]))
    model = nnlite.Model([a, b], outputs)
    full = model.predict([IMAGES[..., None], ROWS[:, :1]])
    np.testing.assert_array_equal(model.predict([IMAGES, ROWS[:, 0]]), full)


def test_rows_of_samples_without_a_batch_are_refused():
    model = nnlite.Sequential([Dense(8, input_shape=(120, 4)), Dense(2)])
    model.compile("sgd", "mse")
    rows = np.zeros((120, 4))
    for use in (model, model.predict, lambda x: model.fit(x, np.zeros((120, 2)), verbose=0)):
        with pytest.raises(ValueError, match=r"of shape \(N, 120, 4\), N samples, got shape"):
            use(rows)
    assert model.predict(rows[None]).shape == model.compute_output_shape((1, 120, 4))


@KINDS
def test_the_size_of_a_batch_is_part_of_the_shapes_of_symbols(kind):
    for inputs in (Input((3,), batch_size=2), Input(batch_shape=(2, 3))):
        outputs = Dense(4)(inputs * 2)
        assert inputs.shape == (2, 3) and outputs.shape == (2, 4)
        assert ops.sum(outputs, axis=0).shape == (4,)
        model = nnlite.Model(inputs, outputs)
        assert model.input_shape == (2, 3) and model.output_shape == (2, 4)
        assert model.predict(ROWS).shape == (6, 4)
    model = nnlite.Sequential([Dense(4, batch_shape=(2, 3))])
    assert model.input_shape == (2, 3) and model.output_shape == (2, 4)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: Input((3,), batch_shape=(2, 3)), ValueError, "either shape or batch_shape"),
        (lambda: Input(batch_size=2, batch_shape=(2, 3)), ValueError, "either batch_size or batch"),
        (lambda: Input(batch_shape=()), ValueError, "batch_shape: expected a tuple of positive"),
        (lambda: Input((3,), batch_size=0), ValueError, "batch_size: expected a positive integer"),
        (
            lambda: Input("3"),
            ValueError,
            "shape: expected a tuple of positive integers, .*, got '3'",
        ),
        (lambda: Dense(2)(Dense(3)), TypeError, r"expected a tensor, got the layer Dense\(units=3"),
        (lambda: Dense(2)([Dense(3)]), TypeError, "expected a tensor, got the layer Dense"),
        (lambda: Dense(2)(None), TypeError, "layer 'dense' .*expected numbers, got None"),
        (lambda: nnlite.Model([Input((3,)), Input((2,))], []), ValueError, "expected outputs made"),
        (lambda: nnlite.Sequential([Dense(2), Input((3,))]), ValueError, "Input to be the first"),
        (lambda: nnlite.Sequential().build((None, 4)), ValueError, "at least one layer, got none"),
    ],
)
def test_what_does_not_fit_is_said_at_once(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong()


class Forgot(nnlite.Model):
    def __init__(self):
        self.dense = Dense(2)

    def call(self, inputs):
        return self.dense(inputs)


class ForgotLayer(layers.Layer):
    def __init__(self, units):
        self.units = units

    def call(self, inputs):
        return inputs


@pytest.mark.parametrize(
    "use",
    [
        lambda: Forgot()(ROWS),
        lambda: Forgot().predict(ROWS),
        lambda: Forgot().compile("sgd", "mse"),
        lambda: ForgotLayer(3)(ROWS),
        lambda: nnlite.Sequential([ForgotLayer(3)]),
    ],
)
def test_a_constructor_without_super_init_says_so(use):
    with pytest.raises(RuntimeError, match=r"Forgot.*: expected `super\(\).__init__\(\)` at the"):
        use()


def test_layers_may_be_set_before_super_init():
    class Early(nnlite.Model):
        def __init__(self):
            self.one, self.two = Dense(2), Dense(2)
            super().__init__()

        def call(self, inputs):
            return self.two(self.one(inputs))

    model = Early()
    model(ROWS)
    assert [layer.name for layer in model.layers] == ["dense", "dense_1"]
    assert len(model.weights) == 4


def test_a_missing_attribute_is_an_attribute_error_with_a_suggestion():
    with pytest.raises(AttributeError, match="'Dense' object has no attribute 'unit'"):
        _ = Dense(2).unit
    assert not hasattr(Dense(2), "nothing")
