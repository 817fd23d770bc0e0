"""Functional models: symbols, what is noted on them, and the graphs that models follow."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse
from cases_layers import MERGED

import nnlite as keras
from nnlite import configurable, layers, ops

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 6)).astype("float32")
IMAGES = RNG.normal(size=(10, 8, 8, 2)).astype("float32")


def branched():
    """Two ways from one input that meet, functions of ops and operators among them."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((6,), name="features")
    left = layers.Dense(5, activation="tanh", name="left")(inputs)
    right = ops.relu(layers.Dense(5, name="right")(inputs)) * 0.5 + 1
    both = layers.concatenate([left, right, 1 - left[:, ::-2]])
    return keras.Model(inputs, layers.Dense(3, "softmax", name="out")(both), name="branched")


def by_hand(model, x):
    def dense(name, values):
        kernel, bias = model.get_layer(name).get_weights()
        return values @ kernel + bias

    left = np.tanh(dense("left", x))
    right = np.maximum(dense("right", x), 0) * 0.5 + 1
    logits = dense("out", np.concatenate([left, right, 1 - left[:, ::-2]], axis=1))
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_a_graph_computes_what_its_formula_says():
    model = branched()
    np.testing.assert_allclose(model.predict(X), by_hand(model, X), rtol=1e-5)
    np.testing.assert_allclose(model(X).numpy(), by_hand(model, X), rtol=1e-5)


def test_shapes_names_and_layers_are_told():
    model = branched()
    assert model.input_shape == (None, 6) and model.output_shape == (None, 3)
    assert [x.name for x in model.layers] == ["features", "right", "left", "concatenate", "out"]
    assert model.count_params() == 2 * 35 + 13 * 3 + 3
    assert model.input.shape == (None, 6) and model.outputs[0] is model.output
    assert model.get_layer("left").output.shape == (None, 5)
    assert model.get_layer("left").input is model.input


def test_layers_without_names_are_numbered_in_the_order_in_which_they_were_made():
    x = layers.Input((4,))
    short = layers.Dense(2)(x)
    deep = layers.Dense(3)(x)
    model = keras.Model(x, layers.concatenate([short, layers.Dense(5)(deep)]))
    units = {layer.name: layer.units for layer in model.layers if hasattr(layer, "units")}
    assert units == {"dense": 2, "dense_1": 3, "dense_2": 5}
    again = keras.models.clone_model(model)
    for other in (model._clone(), again, pickle.loads(pickle.dumps(model))):
        assert [layer.name for layer in other.layers] == [layer.name for layer in model.layers]


def test_training_equals_the_same_model_as_a_subclass_bitwise():
    class Same(keras.Model):
        def __init__(self):
            super().__init__()
            self.right, self.left = layers.Dense(5), layers.Dense(5, activation="tanh")
            self.out = layers.Dense(3, "softmax")

        def call(self, x):
            left, right = self.left(x), ops.relu(self.right(x)) * 0.5 + 1
            return self.out(ops.concatenate([left, right, 1 - left[:, ::-2]], axis=-1))

    y = RNG.integers(0, 3, 20)
    functional, subclass = branched(), Same()
    subclass(X)
    subclass.set_weights(functional.get_weights())
    for model in (functional, subclass):
        keras.utils.set_random_seed(5)
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(X, y, batch_size=8, epochs=3, verbose=0)
    for a, b in zip(functional.get_weights(), subclass.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_sequential_and_functional_agree_bitwise():
    stack = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)]
    inputs = x = keras.Input((8, 8, 2))
    for layer in stack:
        x = layer(x)
    model, chain = keras.Model(inputs, x), keras.Sequential([keras.Input((8, 8, 2)), *stack])
    np.testing.assert_array_equal(model.predict(IMAGES), chain.predict(IMAGES))


def test_dropout_in_a_graph_knows_whether_it_trains():
    inputs = keras.Input((6,))
    usual = keras.Model(inputs, layers.Dropout(0.5, seed=0)(inputs))
    always = keras.Model(inputs, layers.Dropout(0.5, seed=0)(inputs, training=True))
    np.testing.assert_array_equal(usual(X).numpy(), X)
    assert (usual(X, training=True).numpy() == 0).any()
    assert (always(X).numpy() == 0).any()


def test_a_layer_called_twice_shares_its_weights():
    a, b = keras.Input((6,)), keras.Input((6,))
    dense = layers.Dense(4)
    model = keras.Model([a, b], layers.subtract([dense(a), dense(b)]))
    assert len(model.weights) == 2
    assert model.input_shape == [(None, 6), (None, 6)]
    np.testing.assert_array_equal(model([X, X]).numpy(), np.zeros((20, 4)))
    model.get_layer(dense.name).kernel.assign(np.ones((6, 4)))
    expected = np.repeat((X - 2 * X).sum(axis=1, keepdims=True), 4, axis=1)
    np.testing.assert_allclose(model([X, 2 * X]).numpy(), expected, rtol=1e-5, atol=1e-5)


def test_inputs_by_name_and_outputs_as_a_dict():
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    model = keras.Model({"a": a, "b": b}, {"sum": a + b, "first": a})
    outputs = model({"b": X, "a": 2 * X})
    np.testing.assert_array_equal(outputs["sum"].numpy(), 3 * X)
    np.testing.assert_array_equal(outputs["first"].numpy(), 2 * X)


def test_a_list_for_a_dict_whose_order_is_unclear_is_refused():
    first, second = keras.Input((6,)), keras.Input((6,))
    difference = keras.Model({"b": first, "a": second}, first - second)
    with pytest.raises(ValueError, match="expected a dict with b, a, got a list"):
        difference([X, 2 * X])
    in_order = keras.Model({"a": first, "b": second}, first - second)
    with pytest.warns(UserWarning, match="expected a dict with a, b, got a list"):
        np.testing.assert_array_equal(in_order([2 * X, X]).numpy(), X)


def test_features_from_the_middle_of_a_model():
    for model in (
        branched(),
        keras.Sequential([layers.Dense(5, name="left", input_shape=(6,)), layers.Dense(3)]),
    ):
        features = keras.Model(model.input, model.get_layer("left").output)
        expected = model.get_layer("left")(X).numpy()
        np.testing.assert_array_equal(features.predict(X), expected)


def test_a_new_head_on_a_frozen_base():
    base = keras.Sequential([layers.Dense(5, "relu", input_shape=(6,)), layers.Dense(4, "relu")])
    base.trainable = False
    model = keras.Model(inputs=base.input, outputs=layers.Dense(2)(base.output))
    nested = keras.Sequential([base, layers.Dense(2)])
    before = base.get_weights()
    assert len(nested.predict(X)) == 20 and len(nested.trainable_weights) == 2
    model.layers[1].trainable = model.layers[2].trainable = False
    model.compile("sgd", "mse")
    model.fit(X, np.zeros((20, 2)), verbose=0)
    for old, new in zip(before, base.get_weights()):
        np.testing.assert_array_equal(old, new)
    assert len(model.trainable_weights) == 2


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_predict_the_same_bits_and_stand_alone(copied):
    model = branched()
    other = copied(model)
    np.testing.assert_array_equal(model.predict(X), other.predict(X))
    other.get_layer("left").kernel.assign(np.zeros((6, 5)))
    assert (model.predict(X) != other.predict(X)).any()
    features = keras.Model(other.input, other.get_layer("left").output)
    assert features.predict(X).shape == (20, 5)


def test_a_model_may_begin_in_the_middle_of_another():
    model = branched()
    left = model.get_layer("left")
    rest = keras.Model(left.output, ops.relu(left.output))
    assert left not in rest.layers and rest.weights == []
    values = RNG.normal(size=(4, 5)).astype("float32")
    for same in (rest, pickle.loads(pickle.dumps(rest)), configurable.clone(rest)):
        np.testing.assert_array_equal(same.predict(values), np.maximum(values, 0))


def test_a_list_of_symbols_may_be_changed_after_it_was_used():
    inputs = keras.Input((6,))
    symbols = [inputs, layers.Dense(3)(inputs)]
    symbols.append(layers.concatenate(symbols))
    assert keras.Model(inputs, symbols[-1]).output_shape == (None, 9)


def test_a_deep_graph_can_be_pickled():
    inputs = x = keras.Input((6,))
    for _ in range(700):
        x = x + 1
    model = keras.Model(inputs, x)
    expected = model.predict(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), expected)


def test_a_changed_copy_has_fresh_layers_of_the_same_shape():
    model = branched()
    other = configurable.clone(model, name="other")
    assert other.name == "other" and other.count_params() == model.count_params()
    assert not {id(w) for w in other.weights} & {id(w) for w in model.weights}
    rebuilt = keras.Model.from_config(model.get_config())
    assert rebuilt.output_shape == model.output_shape


def test_a_sequential_stays_usable_after_its_layers_were_popped():
    model = keras.Sequential([layers.Dense(5, input_shape=(6,)), layers.Dense(4), layers.Dense(3)])
    model.pop()
    model.add(layers.Dense(2))
    features = keras.Model(model.input, model.output)
    np.testing.assert_array_equal(features.predict(X), model.predict(X))


@pytest.mark.parametrize("name", MERGED)
def test_merging_layers_and_their_functions(name):
    a, b = RNG.normal(size=(2, 4, 3)).astype("float32")
    expected = MERGED[name](a, b)
    for merge in (getattr(layers, name)(), getattr(layers, name.lower())):
        np.testing.assert_allclose(merge([a, b]).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "shapes, axes, formula",
    [
        (((4, 3), (4, 3)), 1, "ni,ni->n"),
        (((4, 5, 3), (4, 2, 3)), 2, "nai,nbi->nab"),
        (((4, 3, 5), (4, 2, 3)), (1, 2), "nia,nbi->nab"),
        (((4, 5, 3), (4, 3)), (2, 1), "nai,ni->na"),
        (((4, 3, 2), (4, 5, 2, 3)), (-2, -1), "nia,nbci->nabc"),
    ],
)
def test_dot_layer(shapes, axes, formula):
    a, b = (RNG.normal(size=s).astype("float32") for s in shapes)
    expected = np.einsum(formula, a, b)
    got = layers.Dot(axes)([a, b]).numpy()
    np.testing.assert_allclose(got.reshape(expected.shape), expected, rtol=1e-4, atol=1e-6)


def test_dot_of_normalized_rows_is_the_cosine():
    a, b = RNG.normal(size=(2, 4, 3)).astype("float32")
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    got = layers.dot([a, b], 1, normalize=True).numpy()
    np.testing.assert_allclose(got[:, 0], cosine, rtol=1e-5)


A, B = keras.Input((3,), name="a"), keras.Input((4,), name="b")


@pytest.mark.parametrize(
    "wrong, error, message",
    [
        (lambda: keras.Model(A, layers.concatenate([A, B])), ValueError, "depend on input 'b'"),
        (lambda: keras.Model(A), ValueError, "expected outputs made by Input.*got None"),
        (lambda: keras.Model(X, A), ValueError, "expected inputs made by Input"),
        (lambda: keras.Model({"a": A, "b": "b"}, A), ValueError, "expected inputs made by Input"),
        (lambda: keras.Model(A, "outputs"), ValueError, "expected outputs made by Input"),
        (lambda: bool(A > 0), TypeError, r"of shape \(None, 3\) has no values"),
        (lambda: A.numpy(), TypeError, "symbol 'a' of shape .* has no values"),
        (lambda: layers.Conv2D(3, 3)(A), ValueError, r"expected images.*got shape \(None, 3\)"),
        (lambda: layers.add([A, B]), ValueError, "layer 'add'"),
        (lambda: layers.Add()(A), ValueError, "expected a list of one or more inputs"),
        (lambda: layers.subtract([A, A, A]), ValueError, "expected a list of 2 inputs"),
        (lambda: layers.dot([A, B], 1), ValueError, "expected axes of the same size"),
        (
            lambda: layers.Concatenate(axis=3)([A, A]),
            ValueError,
            r"axis: .* in \[-2, 2\)",
        ),
        (lambda: keras.Model([A, B], A)([X]), ValueError, r"expected 2 inputs \(a, b\), got 1"),
        (lambda: keras.Model(A, A)(X), ValueError, r"input 'a' of shape \(N, 3\), N samples, got"),
        (lambda: keras.Model([A, B], A)({"a": X}), ValueError, "expected inputs named a, b, got a"),
        (lambda: layers.Dense(2).output, AttributeError, "was never called on an Input"),
    ],
)
def test_what_does_not_fit_is_said(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong()


@pytest.mark.parametrize(
    "key",
    [
        0,
        -1,
        slice(1, 3),
        slice(None, None, -1),
        (slice(None), 2),
        (..., 1),
        (1, ..., slice(None, None, 2)),
        (None, slice(2, None)),
        (slice(3, 1),),
        (slice(5, None, -2), slice(None, None, -3)),
    ],
)
def test_slices_are_numpys(key):
    values = RNG.normal(size=(4, 5, 6)).astype("float32")
    tensor = keras.convert_to_tensor(values)
    np.testing.assert_array_equal(tensor[key].numpy(), values[key])
    whole = keras.convert_to_tensor(np.arange(120, dtype="int32").reshape(4, 5, 6))
    np.testing.assert_array_equal(whole[key].numpy(), whole.numpy()[key])


@pytest.mark.parametrize("key", [4, -5, (0, 0, 0, 0), (..., ...)])
def test_an_index_out_of_range_is_an_index_error(key):
    with pytest.raises(IndexError):
        keras.ones((4, 5, 6))[key]


def test_a_tensor_can_be_iterated_over():
    assert [row.numpy().tolist() for row in keras.constant([[1.0, 2.0], [3.0, 4.0]])] == [
        [1.0, 2.0],
        [3.0, 4.0],
    ]


def test_stack_split_flip_and_axes_are_numpys():
    a, b = RNG.normal(size=(2, 4, 6)).astype("float32")
    for axis in (0, 1, 2, -1):
        np.testing.assert_array_equal(ops.stack([a, b], axis).numpy(), np.stack([a, b], axis))
    for parts in (3, [1, 4]):
        for got, expected in zip(ops.split(a, parts, 1), np.split(a, parts, 1), strict=True):
            np.testing.assert_array_equal(got.numpy(), expected)
    np.testing.assert_array_equal(ops.flip(a, (0, 1)).numpy(), a[::-1, ::-1])
    np.testing.assert_array_equal(ops.squeeze(ops.expand_dims(a, 1), 1).numpy(), a)
    many = [a[:, :1] + k for k in range(30)]
    np.testing.assert_array_equal(ops.concatenate(many, 1).numpy(), np.concatenate(many, 1))


# Optional inputs


class Shifted(layers.Layer):
    """x, or x + shift where there is one."""

    def call(self, x, shift=None):
        return x if shift is None else x + shift


def optional_model():
    x, shift = keras.Input((2,), name="x"), keras.Input((2,), name="shift", optional=True)
    model = keras.Model({"x": x, "shift": shift}, Shifted()(x, shift))
    model.compile("sgd", "mse")
    return model


def test_none_may_stand_for_an_optional_input():
    model, x = optional_model(), np.ones((3, 2))
    for shift in (None, 2 * x, None):
        data, expected = {"x": x, "shift": shift}, x if shift is None else x + shift
        np.testing.assert_array_equal(model(data).numpy(), expected)
        np.testing.assert_array_equal(model.predict(data), expected)
        np.testing.assert_array_equal(model.predict(iter([(data,)])), expected)
        assert model.fit(data, expected, verbose=0).history == {"loss": [0]}
        assert model.evaluate(data, 0 * x) == np.mean(expected**2)


def test_none_for_another_input_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="input 'x', which is not optional, got None"):
        optional_model()({"x": None, "shift": np.ones((3, 2))})


def test_what_is_optional_stays_so_in_copies_and_configs():
    for made in (
        keras.models.clone_model(optional_model()),
        pickle.loads(pickle.dumps(optional_model())),
        keras.Model.from_config(optional_model().get_config(), {"Shifted": Shifted}),
    ):
        assert made({"x": np.ones((3, 2)), "shift": None}).shape == (3, 2)
    assert "optional" not in layers.InputLayer((2,)).get_config()


def test_an_input_may_be_said_to_be_sparse_but_not_ragged():
    x = layers.Input((3,), sparse=True)
    model = keras.Model(x, layers.Dense(1)(x))
    data = scipy.sparse.eye_array(3, format="csr")
    np.testing.assert_array_equal(model.predict(data), model.predict(data.toarray()))
    with pytest.raises(ValueError, match=r"Input: ragged: expected False, got True; utils.pad_seq"):
        layers.Input((None,), ragged=True)


def test_an_input_may_be_a_symbol_that_is_there():
    x = layers.Input((4,), name="x")
    hidden = layers.Dense(5)(x)
    assert layers.Input(tensor=x) is x and layers.Input((5,), tensor=hidden) is hidden
    assert keras.Model(layers.Input(tensor=hidden), layers.Dense(2)(hidden)).input_shape == (
        None,
        5,
    )
    for wrong in ({"shape": (5,)}, {"batch_size": 3}, {"dtype": "int32"}, {"batch_shape": [2, 4]}):
        with pytest.raises(
            ValueError, match=f"Input: {next(iter(wrong))}: expected that of tensor"
        ):
            layers.Input(tensor=x, **wrong)
    with pytest.raises(ValueError, match="Input: tensor: expected a symbol"):
        layers.Input(tensor=np.ones((2, 3)))
