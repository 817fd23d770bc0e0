"""Layers of one's own, and what every layer inherits: names, weights, trainable."""

import copy
import pickle

import numpy as np
import pytest
from small_models import Scale, arrays_equal, data

import nnlite as keras
from nnlite import ops
from nnlite.layers import BatchNormalization, Dense, Dropout, Flatten, Layer

# Layers of one's own


def test_custom_layer_learns_and_remembers_its_settings():
    layer = Scale(2.0, name="gain")
    with keras.GradientTape() as tape:
        loss = ops.sum(layer(np.arange(6.0).reshape(2, 3)))
    assert np.array_equal(tape.gradient(loss, layer.factor).numpy(), [3.0, 5.0, 7.0])
    assert layer.get_config()["start"] == 2.0 and repr(layer) == "Scale(start=2.0, name='gain')"
    assert layer.weights[0].name == "gain/factor"


def test_layers_set_as_attributes_or_appended_to_lists_are_found_in_order():
    class Block(Layer):
        def __init__(self):
            super().__init__()
            self.first = Dense(2)
            self.others = []
            for units in (3, 4):
                self.others.append(Dense(units))

        def call(self, x):
            x = self.first(x)
            for layer in self.others:
                x = layer(x)
            return x

    block = Block()
    block(data((2, 5)))
    assert [w.shape for w in block.get_weights()] == [(5, 2), (2,), (2, 3), (3,), (3, 4), (4,)]
    assert [layer.units for layer in block._sublayers] == [2, 3, 4]


def test_layers_in_a_dict_are_found():
    class Named(Layer):
        def __init__(self):
            super().__init__()
            self.parts = {"a": Dense(2)}
            self.parts["b"] = Dense(3)

        def call(self, x):
            return self.parts["b"](self.parts["a"](x))

    layer = Named()
    layer(data((2, 5)))
    assert [w.shape for w in layer.get_weights()] == [(5, 2), (2,), (2, 3), (3,)]


def test_variables_set_as_attributes_are_weights():
    class Shift(Layer):
        def __init__(self):
            super().__init__()
            self.by = keras.Variable([1.0, 2.0])
            self.seen = keras.Variable([0.0], trainable=False)

        def call(self, x):
            return x + self.by

    layer = Shift()
    assert np.array_equal(layer(np.zeros((1, 2))).numpy(), [[1.0, 2.0]])
    assert len(layer.weights) == 2
    assert layer.trainable_weights == [layer.by] and layer.non_trainable_weights == [layer.seen]


def test_replaced_attribute_is_forgotten():
    class Holder(Layer):
        def __init__(self):
            super().__init__()
            self.inner = Dense(2)

    layer = Holder()
    layer.inner = None
    assert layer._sublayers == []


@pytest.mark.parametrize("nothing", [None, "x", [None], {}])
@pytest.mark.parametrize("inputs", [np.ones((1, 3)), keras.Input((3,))], ids=["array", "symbol"])
def test_a_call_that_returns_no_tensor_is_refused_and_its_layer_named(nothing, inputs):
    class Forgot(Layer):
        def call(self, x):
            return nothing

    with pytest.raises(TypeError, match=r"^layer .forgot. .*: call: expected it to return"):
        Forgot()(inputs)


def test_layer_without_call_says_so():
    with pytest.raises(
        NotImplementedError, match=r"layer 'layer' \(Layer\): `call` is not implemented"
    ):
        Layer()(data((2, 3)))


# Names, weights, trainable


def test_names_in_a_model_are_numbered_like_keras():
    model = keras.Sequential(
        [Dense(1), Dropout(0.1), Dense(1), Dense(1, name="out"), Dropout(0.1), Dense(1)]
    )
    assert [x.name for x in model.layers] == [
        "dense",
        "dropout",
        "dense_1",
        "out",
        "dropout_1",
        "dense_2",
    ]


def test_given_name_is_not_taken_by_a_numbered_one():
    model = keras.Sequential([Dense(1), Dense(1, name="dense"), Dense(1)])
    names = [x.name for x in model.layers]
    assert len(set(names)) == 3 and names[1] == "dense"


def test_two_layers_of_one_given_name_are_refused():
    with pytest.raises(ValueError, match=r"'same' is in the model already"):
        keras.Sequential([Dense(1, name="same"), Dense(2, name="same")])


def test_layers_in_a_list_of_a_model_have_names_apart():
    class Stack(keras.Model):
        def __init__(self):
            super().__init__()
            self.blocks = []
            for _ in range(3):
                self.blocks.append(Dense(2))

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    model = Stack()
    model(data((1, 2)))
    assert [x.name for x in model.layers] == ["dense", "dense_1", "dense_2"]
    assert model.weights[4].name == "dense_2/kernel"


def test_set_weights_takes_what_get_weights_gave():
    a, b, x = Dense(3), Dense(3), data((2, 4))
    a(x), b(x)
    b.set_weights(a.get_weights())
    assert np.array_equal(a(x).numpy(), b(x).numpy())
    a.get_weights()[0][:] = 0  # copies
    assert a.get_weights()[0].any()


@pytest.mark.parametrize(
    "weights, message",
    [
        ([np.zeros((4, 3))], r"layer 'dense': weights: expected 2 arrays, got 1"),
        ([np.zeros((4, 3))] * 3, r"layer 'dense': weights: expected 2 arrays, got 3"),
        (
            [np.ones((4, 3)), np.zeros(4)],
            r"weights: expected 'dense/bias' of shape \(3,\), got \(4,\)",
        ),
        (
            [np.zeros((3, 4)), np.zeros(3)],
            r"weights: expected 'dense/kernel' of shape \(4, 3\), got \(3, 4\)",
        ),
    ],
)
def test_wrong_weights_are_refused_and_change_nothing(weights, message):
    layer = Dense(3)
    layer(data((2, 4)))
    before = layer.get_weights()
    with pytest.raises(ValueError, match=message):
        layer.set_weights(weights)
    assert arrays_equal(layer.get_weights(), before)


def test_set_weights_of_an_unbuilt_layer_says_what_to_do():
    with pytest.raises(ValueError, match=r"layer 'dense'.*no weights yet, build or call it first"):
        Dense(3).set_weights([np.zeros((4, 3)), np.zeros(3)])


def test_layer_that_is_not_trainable_is_not_trained():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([Dense(3, input_shape=(4,)), Dense(1)])
    model.compile("sgd", "mse")
    model.layers[0].trainable = False
    assert len(model.trainable_weights) == 2 and len(model.non_trainable_weights) == 2
    before = model.get_weights()
    model.fit(data((8, 4)), data((8, 1), 1), verbose=0)
    after = model.get_weights()
    assert arrays_equal(after[:2], before[:2]) and not np.array_equal(after[2], before[2])
    model.layers[0].trainable = True  # after a compile and a fit
    model.fit(data((8, 4)), data((8, 1), 1), verbose=0)
    assert not np.array_equal(model.get_weights()[0], before[0])


def test_trainable_false_of_a_model_freezes_everything_inside():
    inner = keras.Sequential([Dense(3, input_shape=(4,)), Dense(2)])
    inner.trainable = False
    assert inner.trainable_weights == [] and len(inner.non_trainable_weights) == 4
    assert len(keras.Sequential([inner, Dense(1)]).trainable_weights) == 2


def test_model_as_a_layer_shares_its_weights_and_counts_them():
    keras.utils.set_random_seed(0)
    inner = keras.Sequential([Dense(3, activation="relu", input_shape=(4,)), Dense(2)])
    model = keras.Sequential()
    model.add(inner)
    model.add(Dense(1))
    x = data((5, 4))
    assert model.built and model.output_shape == (None, 1)
    assert model.count_params() == inner.count_params() + 3 == 26
    assert all(a is b for a, b in zip(model.weights, inner.weights))
    kernel, bias = model.layers[1].get_weights()
    np.testing.assert_allclose(
        model.predict(x), inner.predict(x) @ kernel + bias, rtol=1e-5, atol=1e-6
    )
    before = inner.get_weights()
    model.compile("sgd", "mse")
    model.fit(x, data((5, 1)), verbose=0)
    assert not np.array_equal(inner.get_weights()[0], before[0])


# Penalties that a call adds


class Penalised(Layer):
    """x, and the sum of its squares as a penalty."""

    def call(self, x):
        self.add_loss(ops.sum(ops.square(x)))
        return x


def test_the_penalties_of_the_last_call_are_losses():
    layer = Penalised()
    assert layer.losses == []
    for factor in (1.0, 2.0):
        layer(factor * np.ones((2, 3)))
        assert [x.item() for x in layer.losses] == [6 * factor**2]
    model = keras.Sequential([keras.Sequential([layer]), layer])
    model(np.ones((1, 2)))
    assert [x.item() for x in model.losses] == [2.0, 2.0]


def test_a_regularizer_of_results_is_divided_by_the_batch():
    layer = Flatten(activity_regularizer="l2")
    for rows in (1, 4):
        layer(2 * np.ones((rows, 5)))
        assert [x.item() for x in layer.losses] == pytest.approx([0.01 * 4 * 5])
    assert layer.get_config()["activity_regularizer"] == "l2"
    assert "activity_regularizer" not in Flatten().get_config()


@pytest.mark.parametrize("functional", [True, False])
@pytest.mark.parametrize("eagerly", [True, False])
def test_penalties_of_calls_are_trained_and_evaluated(functional, eagerly):
    x = np.array([[1.0, 2.0], [3.0, -1.0]])
    parts = [
        Dense(1, use_bias=False, kernel_initializer="ones", activity_regularizer="l2"),
        Penalised(),
    ]
    inputs = keras.Input((2,))
    chain = keras.Model(inputs, parts[1](parts[0](inputs)))
    model = chain if functional else keras.Sequential(parts)
    model.compile(keras.optimizers.SGD(0.01), "mse", run_eagerly=eagerly)
    y = x.sum(1, keepdims=True)  # the error is zero
    penalty = 0.01 * np.mean(y**2) + np.sum(y**2)
    assert model.evaluate(x, 0 * y) == pytest.approx(np.mean(y**2) + penalty, rel=1e-6)
    history = model.fit(x, y, verbose=0)
    assert history.history["loss"][0] == pytest.approx(penalty, rel=1e-6)
    gradient = 2 * x.T @ y + 0.01 * x.T @ y  # of sum(y^2) + 0.01 mean(y^2), of two rows
    np.testing.assert_allclose(model.get_weights()[0], 1 - 0.01 * gradient, rtol=1e-5)
    assert model.losses == [] or eagerly


def test_penalties_of_models_called_one_by_one_belong_to_the_model_that_holds_them():
    class Pair(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = Penalised(), Penalised()

        def train_step(self, data):
            self.one(data[0])
            return {"one": sum(self.losses)}

    pair = Pair()
    pair.compile("sgd")
    pair.two(np.ones((1, 2)))
    history = pair.fit(np.full((2, 2), 3.0), np.zeros(2), verbose=0)
    assert history.history["one"] == [36.0]


def test_copies_of_a_layer_begin_without_penalties():
    layer = Penalised()
    layer(np.ones((1, 2)))
    assert copy.deepcopy(layer).losses == [] == pickle.loads(pickle.dumps(Flatten())).losses


def test_add_loss_outside_of_a_call_says_so():
    with pytest.raises(RuntimeError, match="add_loss: expected to be called in the `call`"):
        Penalised().add_loss(1.0)


# Shapes without values


class Pool(Layer):
    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape["a"][-1], 4))

    def call(self, x):
        return [x["a"] @ self.kernel, ops.mean(x["b"], axis=1)]


def test_the_shape_of_the_result_is_found_without_building():
    layer = Dense(3)
    keras.utils.set_random_seed(0)
    for batch in (None, 2):
        assert layer.compute_output_shape([batch, 5, 4]) == (batch, 5, 3)
    assert not layer.built and layer.weights == [] and not hasattr(layer, "output_shape")
    seed = keras.config.next_seed()
    keras.utils.set_random_seed(0)
    assert seed == keras.config.next_seed()
    shapes = {"a": (None, 2), "b": (None, 5, 6)}
    assert Pool().compute_output_shape(shapes) == [(None, 4), (None, 6)]
    layer.build((None, 4))
    assert layer.compute_output_shape((7, 4)) == (7, 3)
    inputs = keras.Input((4,), batch_size=7)
    assert layer.compute_output_spec(inputs).shape == (7, 3)
    chain = keras.Sequential([Dense(3), Dense(2)])
    assert chain.compute_output_shape((1, 5)) == (1, 2) and not chain.built


def test_the_shape_of_a_result_that_cannot_be_is_refused_like_a_call():
    with pytest.raises(TypeError, match="input_shape: expected a tuple of the batch"):
        Dense(2).compute_output_shape(3)
    with pytest.raises(ValueError, match=r"layer 'dense' .*at least 2 dimensions"):
        Dense(2).compute_output_shape((None,))
    with pytest.raises(NotImplementedError, match=r"layer 'layer' .*`call` is not implemented"):
        Layer().compute_output_shape(None)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: Dense(2, trainable="no"), ValueError, "Dense: trainable: expected True or"),
        (lambda: Layer().add_weight("kernel"), ValueError, "give.* name='kernel'"),
        (lambda: Layer().add_weight((2, -1)), ValueError, "add_weight: shape: expected"),
        (lambda: Layer().add_weight((2, 1.5)), ValueError, "add_weight: shape: expected"),
        (lambda: Dense(2).build(None), TypeError, "layer 'dense' .*input_shape: expected a tuple"),
    ],
)
def test_wrong_arguments_of_layers_are_named(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong()
    assert Layer().add_weight(3).shape == (3,)


def test_weights_that_are_no_real_numbers_begin_at_0():
    for dtype in ("int32", "int64", "bool"):
        assert not np.any(Layer().add_weight((50,), dtype=dtype, trainable=False))
    assert np.all(Layer().add_weight((50,), dtype="float64"))


# Several inputs


class Mix(Layer):
    def build(self, y_shape, x_shape):
        self.shapes = x_shape, y_shape
        self.kernel = self.add_weight((x_shape[-1], y_shape[-1]))

    def call(self, x, y, scale=1.0):
        return (x @ self.kernel + y) * scale


class Mixed(keras.Model):
    def __init__(self):
        super().__init__()
        self.mix = Mix()

    def call(self, x, y):
        return self.mix(y=y, x=x)


X, Y = np.ones((2, 3), np.float32), np.full((2, 4), 2, np.float32)


@pytest.mark.parametrize(
    "call",
    [
        lambda mix: mix(X, Y),
        lambda mix: mix(X, y=Y),
        lambda mix: mix(y=Y, x=X),
        lambda mix: mix(scale=1.0, y=Y.tolist(), x=X),
    ],
)
def test_inputs_may_be_given_by_name_and_each_has_its_shape_in_build(call):
    mix = Mix()
    y = call(mix)
    assert mix.shapes == ((None, 3), (None, 4))
    np.testing.assert_allclose(y, X @ mix.kernel.numpy() + 2, rtol=1e-6)


def test_a_build_that_asks_for_one_shape_gets_that_of_the_first_input():
    class First(Mix):
        def build(self, input_shape, units=4, **settings):
            super().build(x_shape=input_shape, y_shape=(None, units))

    class Optional(Mix):
        def build(self, x_shape, y_shape=None):
            self.shapes = x_shape, y_shape

        def call(self, x, y, training):
            return x

    for given, shape in ((X, (None, 3)), (None, None)):
        optional = Optional()
        optional(X, given, training=True)
        assert optional.shapes == ((None, 3), shape)
    first = First()
    first(X, Y)
    assert first.shapes == ((None, 3), (None, 4))


def test_layers_and_models_of_several_named_inputs_are_parts_of_models():
    x, y = keras.Input((3,)), keras.Input((4,))
    mix, mixed = Mix(), Mixed()
    model = keras.Model([x, y], mix(y=y, x=x))
    np.testing.assert_allclose(model.predict([X, Y]), mix(X, Y), rtol=1e-6)
    np.testing.assert_allclose(mixed(y=Y, x=X), X @ mixed.mix.kernel.numpy() + 2, rtol=1e-6)
    assert np.array_equal(
        Dense(3, "relu", kernel_initializer="ones")(inputs=X), 3 * np.ones((2, 3))
    )


@pytest.mark.parametrize("pack", [lambda x: {"x": x, "mask": None}, lambda x: [x, None]])
def test_an_input_that_is_left_out_is_none_in_a_dict_and_in_a_list(pack):
    class Masked(Layer):
        def build(self, input_shape):
            self.shapes = input_shape

        def call(self, inputs):
            x, mask = inputs.values() if isinstance(inputs, dict) else inputs
            return x if mask is None else x * mask

    layer = Masked()
    assert np.array_equal(layer(pack(X)), X)
    assert layer.shapes == pack((None, 3))
    x = keras.Input((3,))
    assert np.array_equal(keras.Model(x, layer(pack(x))).predict(X), X)


def test_inputs_that_are_missing_or_have_no_shape_are_named():
    class Wrong(Mix):
        def build(self, x_shape, units):
            raise AssertionError

    with pytest.raises(TypeError, match=r"'mix' .*first argument or as x=, got y"):
        Mix()(y=Y)
    with pytest.raises(TypeError, match=r"'dense' .*as inputs=, got no argument"):
        Dense(2)()
    with pytest.raises(ValueError, match=r"build: expected arguments such as x_shape.*'units'"):
        Wrong()(X, Y)


def test_freezing_a_model_freezes_all_that_is_in_it_statistics_too():
    base = keras.Sequential([Dense(3, input_shape=(3,)), BatchNormalization()])
    outer = keras.Sequential([base, Dense(1)])
    x = np.random.default_rng(0).normal(3.0, 2.0, (20, 3)).astype("float32")
    outer.compile("sgd", "mse")
    base.trainable = False
    assert not any(layer.trainable for layer in base.layers) and outer.layers[1].trainable
    before = base.get_weights()
    outer.fit(x, x[:, :1], epochs=2, verbose=0)
    for a, b in zip(before, base.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    base.trainable = True
    base.layers[0].trainable = False
    outer.fit(x, x[:, :1], epochs=1, verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, base.get_weights(), strict=True)]
    assert changed == [False, False, True, True, True, True]
    frozen = keras.Sequential([Dense(3, input_shape=(3,))], trainable=False)
    assert not frozen.layers[0].trainable
