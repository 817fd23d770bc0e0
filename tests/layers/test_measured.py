"""Metrics in layers: those of `add_metric`, and which ones a layer finds."""

import numpy as np
import pytest

import nnlite as keras
from nnlite import layers, metrics, ops

X = np.arange(12.0).reshape(6, 2)


class Watched(layers.Layer):
    """Passes its input on, and watches its largest value and its mean."""

    def call(self, x):
        self.add_metric(ops.max(x), name="largest")
        self.add_metric(ops.mean(x), name="mean", aggregation="mean")
        return x


@pytest.mark.parametrize("eagerly", [False, True])
def test_what_a_call_adds_is_logged_as_its_mean_over_the_batches_of_an_epoch(eagerly):
    model = keras.Sequential([Watched(), layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=eagerly)
    fit = {"batch_size": 2, "epochs": 2, "shuffle": False, "verbose": 0}
    history = model.fit(X, X[:, 0], validation_data=(2 * X, X[:, 0]), **fit).history
    largest = np.mean([3, 7, 11])
    assert history["largest"] == [largest] * 2 and history["mean"] == [X.mean()] * 2
    assert history["val_mean"] == [2 * X.mean()] * 2
    assert model.evaluate(X, X[:, 0], batch_size=2, return_dict=True)["largest"] == largest
    assert model.evaluate(X, X[:, 0], batch_size=3, return_dict=True)["largest"] == 8


def test_a_layer_finds_its_own_metrics_and_those_of_the_layers_in_it():
    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.own, self.inner = metrics.Mean("own"), Watched()

        def call(self, x):
            return self.inner(x)

    outer = Outer()
    assert [m.name for m in outer.metrics] == ["own"]
    outer(X)
    assert [m.name for m in outer.metrics] == ["own", "largest", "mean"]


def test_copies_count_for_themselves():
    layer = Watched()
    layer(X)
    copy = keras.models.clone_model(keras.Sequential([layer])).layers[0]
    assert copy.metrics == [] and float(layer.metrics[0].result()) == 11


def test_add_metric_outside_of_a_call_and_without_a_name_say_so():
    with pytest.raises(RuntimeError, match="add_metric: expected to be called in the `call` of a"):
        Watched().add_metric(1.0, "one")
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    for add in (model.add_loss, model.add_metric):
        with pytest.raises(RuntimeError, match="on the way to the symbol put a layer"):
            add(ops.sum(model.output))

    class Nameless(layers.Layer):
        def call(self, x):
            self.add_metric(x)

    with pytest.raises(TypeError, match="add_metric: name: expected a string, got None"):
        Nameless()(X)


# State


class Counted(layers.Layer):
    """Passes its input on, and adds up its rows."""

    def build(self, input_shape):
        self.total = self.add_variable(input_shape[1:], initializer="zeros", trainable=False)
        self.start = self.add_weight((), trainable=False, autocast=False)
        self.start.assign(5.0)  # once

    def call(self, x):
        self.total.assign_add(ops.sum(x, axis=0))
        self.start.assign_sub(1.0)
        return x


@pytest.mark.parametrize("eagerly", [False, True])
def test_what_a_call_assigns_is_assigned_in_each_step(eagerly):
    layer = Counted()
    model = keras.Sequential([layer, layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=eagerly)
    model.build((None, 2))
    assert layer.start.numpy() == 5
    model.fit(X, X[:, 0], batch_size=2, epochs=2, verbose=0)
    np.testing.assert_array_equal(layer.total.numpy(), 2 * X.sum(axis=0))
    assert layer.start.numpy() == 5 - 6
    layer(X)
    np.testing.assert_array_equal(layer.total.numpy(), 3 * X.sum(axis=0))


def test_predict_takes_each_row_once_where_a_call_assigns():
    layer = Counted()
    model = keras.Sequential([keras.Input((2,)), layer, layers.Dense(1)])
    for number in (1, 2):
        model.predict(X, batch_size=4)  # 6 rows: 4 and 2
        np.testing.assert_array_equal(layer.total.numpy(), number * X.sum(axis=0))
        assert layer.start.numpy() == 5 - 2 * number


def test_what_a_train_step_assigns_is_assigned_in_each_step():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.seen = self.add_weight((), initializer="zeros", trainable=False)

        def train_step(self, data):
            self.seen.assign_add(1.0)
            return {"seen": self.seen * 1.0}

    model = Model()
    model.compile()
    assert model.fit(X, X, batch_size=2, epochs=2, verbose=0).history["seen"] == [3, 6]
