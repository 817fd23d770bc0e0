"""Losses that take several outputs together, and several losses of one output."""

from collections import namedtuple

import numpy as np
import pytest
from small_models import arrays_equal

import nnlite as keras
from nnlite import layers, losses, ops

rng = np.random.default_rng(0)
N = 16
X = rng.normal(size=(N, 3)).astype(np.float32)
ONE, TWO = rng.normal(size=(2, N, 1)).astype(np.float32)
WEIGHT = rng.uniform(0.5, 1.5, N).astype(np.float32)
Pair = namedtuple("Pair", ["one", "two"])

# By name: both outputs in a structure, and from it.
STRUCTURES = {
    "dict": (lambda one, two: {"one": one, "two": two}, lambda s: (s["one"], s["two"])),
    "list": (lambda one, two: [one, two], tuple),
    "tuple": (lambda one, two: (one, two), tuple),
    "named tuple": (Pair, lambda s: (s.one, s.two)),
}


class Subclass(keras.Model):
    def __init__(self, like):
        super().__init__()
        self.like, self.heads = like, [layers.Dense(1), layers.Dense(1)]

    def call(self, inputs):
        return self.like(*(head(inputs) for head in self.heads))


def functional(like):
    inputs = keras.Input((3,))
    outputs = [layers.Dense(1, name=name)(inputs) for name in ("one", "two")]
    return keras.Model(inputs, like(*outputs))


def product_of_errors(kind, parts):
    """A loss that takes both outputs, as they are nested: an error if they are nested otherwise."""

    def loss(y_true, y_pred):
        assert type(y_true) is type(y_pred) is kind
        (a, b), (p, q) = parts(y_true), parts(y_pred)
        return ops.mean(ops.abs(a - p) * ops.square(b - q), axis=-1)

    return loss


def expected(model, parts, weight=1.0):
    """The means of the product of errors, and of the errors of both outputs."""
    p, q = parts(model.predict(X))
    rows = abs(p - ONE) * (q - TWO) ** 2, (p - ONE) ** 2, abs(q - TWO)
    return [np.mean(v[:, 0] * weight) for v in rows]


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("make", [functional, Subclass])
@pytest.mark.parametrize("name", STRUCTURES)
def test_a_loss_takes_outputs_together_as_they_are_nested(name, make, eager):
    like, parts = STRUCTURES[name]
    joint = product_of_errors(type(like(1, 2)), parts)
    keras.utils.set_random_seed(0)
    model = make(like)
    around = tuple if name == "list" else list
    model.compile("sgd", around([joint, like("mse", "mae")]), run_eagerly=eager)
    y = like(ONE, TWO)
    model.fit(X, y, verbose=0)
    for given in ({}, {"sample_weight": WEIGHT}):
        total, *found = model.evaluate(X, y, **given)
        np.testing.assert_allclose(found, expected(model, parts, *given.values()), rtol=1e-5)
        assert total == pytest.approx(sum(found), rel=1e-6)


def test_a_loss_of_several_outputs_trains_alike_eager_and_planned():
    like, parts = STRUCTURES["dict"]
    weights = []
    for eager in (False, True):
        keras.utils.set_random_seed(0)
        model = functional(like)
        model.compile(
            "sgd", [product_of_errors(dict, parts), like("mse", "mae")], run_eagerly=eager
        )
        history = model.fit(X, like(ONE, TWO), epochs=3, verbose=0, sample_weight=WEIGHT).history
        assert list(history) == ["loss", "one_two_loss", "one_loss", "two_loss"]
        assert history["loss"][-1] < history["loss"][0]
        weights.append(model.get_weights())
    assert arrays_equal(*weights)


def nested():
    inputs = keras.Input((3,))
    one, two, three = (layers.Dense(1, name=name)(inputs) for name in ("one", "two", "three"))
    return keras.Model(inputs, {"a": (one, two), "b": {"x": two, "y": three}})


def test_losses_of_parts_of_nested_outputs_are_called_by_the_keys_to_them():
    model, (_, parts) = nested(), STRUCTURES["tuple"]
    model.compile(
        "sgd",
        {"a": [product_of_errors(tuple, parts), (None, "mse")], "b": {"y": ["mse", "mae"]}},
        {"a": [2.0, (5.0, 3.0)], "b": {"y": [1.0, 0.5]}},
    )
    y = {"a": (ONE, TWO), "b": {"x": TWO, "y": ONE}}
    logs, found = model.evaluate(X, y, return_dict=True), model.predict(X)
    assert list(logs) == ["loss", "a_loss", "a/two_loss", "b/y_loss"]
    (p, q), r = found["a"], found["b"]["y"]
    joint, two = np.mean(abs(p - ONE) * (q - TWO) ** 2), np.mean((q - TWO) ** 2)
    mse, mae = np.mean((r - ONE) ** 2), np.mean(abs(r - ONE))
    total = 2 * joint + 3 * two + mse + 0.5 * mae
    np.testing.assert_allclose(list(logs.values()), [total, joint, two, mse + mae], rtol=1e-5)


def test_names_of_outputs_in_a_list_in_a_dict_have_each_key_once():
    model = nested()
    model.compile("sgd", "mse")
    logs = model.evaluate(X, {"a": (ONE, TWO), "b": {"x": TWO, "y": ONE}}, return_dict=True)
    names = ["a/one", "a/two", "b/x", "b/y"]
    assert list(logs) == ["loss", *(f"{name}_loss" for name in names)]


def test_several_losses_of_one_output_add_up():
    model = keras.Sequential([layers.Dense(1, input_shape=(3,))])
    model.compile("sgd", ["mse", "mae"], [1.0, 3.0], metrics=["mse", "mae"])
    total, mse, mae = model.evaluate(X, ONE)
    assert total == pytest.approx(mse + 3 * mae, rel=1e-5)
    assert model.fit(X, ONE, epochs=2, verbose=0).history["loss"][-1] < total


def test_a_loss_of_ones_own_takes_several_outputs_too():
    class Gap(losses.Loss):
        def call(self, y_true, y_pred):
            return ops.abs(y_pred["one"] - y_pred["two"])[:, 0] + 0 * y_true["one"][:, 0]

    like, parts = STRUCTURES["dict"]
    model = functional(like)
    model.compile("sgd", [Gap(reduction="sum"), {"two": "mae"}], [0.5, {"two": 1.0}])
    p, q = parts(model.predict(X))
    logs = model.evaluate(X, like(ONE, TWO), return_dict=True, batch_size=N)
    assert logs["one_two_loss"] == pytest.approx(abs(p - q).sum(), rel=1e-5)
    assert logs["loss"] == pytest.approx(0.5 * logs["one_two_loss"] + logs["two_loss"], rel=1e-5)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"loss": ["mse", {"one": "mse", "two": "mse"}]}, "loss: expected a list .* one, two"),
        ({"loss": [{"one": "mse", "three": "mse"}]}, "loss: expected the outputs one, two as keys"),
        (
            {"loss": [{"one": "mse", "two": ["mse", "mae"]}], "loss_weights": [1.0, 2.0]},
            "loss_weights: expected numbers nested as the losses are",
        ),
    ],
)
def test_what_does_not_fit_outputs_taken_together_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        functional(STRUCTURES["dict"][0]).compile("sgd", **given)


def test_outputs_taken_together_have_one_array_of_sample_weights_and_all_targets():
    like, parts = STRUCTURES["dict"]
    model = functional(like)
    model.compile("sgd", [product_of_errors(dict, parts), {"two": "mse"}])
    before = model.get_weights()
    message = "sample_weight: expected one array for the loss of the outputs one, two together"
    with pytest.raises(ValueError, match=message):
        model.fit(X, like(ONE, TWO), sample_weight=like(WEIGHT, WEIGHT), verbose=0)
    with pytest.raises(ValueError, match="y: expected entries for the outputs one, two, got two"):
        model.fit(X, {"two": TWO}, verbose=0)
    assert arrays_equal(before, model.get_weights())


def test_compute_loss_may_give_outputs_in_another_order():
    class Reversed(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            y_pred = dict(reversed(y_pred.items()))
            return super().compute_loss(x, y, y_pred, sample_weight, training)

    inputs = keras.Input((3,))
    model = Reversed(inputs, {"one": layers.Dense(1)(inputs), "two": layers.Dense(1)(inputs)})
    model.compile("sgd", {"one": "mse", "two": "mae"}, metrics={"one": ["mae"], "two": ["mse"]})
    logs, found = model.evaluate(X, {"one": ONE, "two": TWO}, return_dict=True), model.predict(X)
    p, q = found["one"] - ONE, found["two"] - TWO
    figures = {"one_loss": p**2, "two_loss": abs(q), "one_mae": abs(p), "two_mse": q**2}
    for name, values in figures.items():
        assert logs[name] == pytest.approx(values.mean(), rel=1e-5)
    assert logs["loss"] == pytest.approx(logs["one_loss"] + logs["two_loss"], rel=1e-6)
