"""Classes of one's own in Keras's manner: their configs, their symbols, what they hold."""

import copy
import pickle

import numpy as np
import pytest

import nnlite as keras
from nnlite import config, ops
from nnlite.configurable import clone
from nnlite.layers import Layer


@pytest.mark.parametrize(
    "base", ["Layer", "Model", "Loss", "Metric", "Optimizer", "Initializer", "Regularizer"]
)
def test_a_config_of_ones_own_adds_what_the_constructor_of_its_base_does_not_take(base):
    base = getattr(keras, base)

    class Own(base):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units

        def get_config(self):
            return dict(units=self.units, **super().get_config())

    class Further(Own):  # without a config of its own
        def __init__(self, depth=1, **kwargs):
            super().__init__(**kwargs)
            self.depth = depth

    config = Own(3).get_config()
    assert {k: v for k, v in config.items() if k not in base._signature()} == {"units": 3}
    again = Further.from_config(Further(depth=4, units=2).get_config())
    assert (again.units, again.depth) == (2, 4)
    for copied in clone(again), copy.deepcopy(again):
        assert (copied.units, copied.depth) == (2, 4)


class Halves(Layer):
    """Says itself what it gives; its `call` does not run when the model is made."""

    def build(self, input_shape):
        self.factor = self.add_weight((input_shape[-1],), "ones")

    def call(self, x, training=False):
        assert training
        return {"left": x[:, :2] * self.factor[:2], "sum": ops.sum(x, axis=1)}

    def compute_output_spec(self, x, training=False):
        left, total = keras.Input((2,)), keras.Input(())
        return {"left": left, "sum": total}


def test_a_compute_output_spec_of_ones_own_takes_the_place_of_call_on_symbols():
    inputs = keras.Input((4,))
    layer = Halves()
    outputs = layer(inputs)
    assert {k: s.shape for k, s in outputs.items()} == {"left": (None, 2), "sum": (None,)}
    assert layer.built and layer.output is outputs and layer.output_shape["left"] == (None, 2)
    model = keras.Model(inputs, keras.layers.Dense(1)(outputs["left"]))
    assert [w.shape for w in model.weights] == [(4,), (2, 1), (1,)]
    for same in model, clone(model), pickle.loads(pickle.dumps(model)):
        assert same(np.ones((3, 4)), training=True).shape == (3, 1)


def test_a_compute_output_spec_that_is_not_implemented_leaves_it_to_call():
    class Doubled(Layer):
        def call(self, x):
            return ops.concatenate([x, x], axis=1)

        def compute_output_spec(self, *args, **kwargs):
            raise NotImplementedError

    model = keras.Sequential([Doubled()])
    assert model(np.ones((2, 3))).shape == (2, 6) and model.output_shape == (None, 6)


class Holds(keras.Model):
    """Has a list that contains itself."""

    def __init__(self):
        super().__init__()
        self.parts = [keras.layers.Dense(2)]
        self.parts.append({"all": self.parts})
        self.out = keras.layers.Dense(1)

    def call(self, x):
        return self.out(self.parts[0](x))


def test_a_list_that_contains_itself_is_gone_through_once():
    model = Holds()
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
    assert len(model.weights) == 4 and len(model.layers) == 2
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(np.ones((2, 3))), model.predict(np.ones((2, 3))))


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_layer_says_its_precision_in_call_and_afterwards(precision):
    class Ones(keras.layers.Layer):
        def call(self, x):
            return x * ops.cast(ops.greater(x, 0.0), self.compute_dtype)

    with config.precision(precision):
        model = keras.Sequential([keras.layers.Input((3,)), Ones(), keras.layers.Dense(2)])
        assert keras.layers.Flatten().dtype == precision
    dense = model.layers[-1]
    assert {dense.dtype, dense.compute_dtype, dense.variable_dtype, model.dtype} == {precision}
    assert model.predict(np.eye(3), verbose=0).dtype == precision
    assert keras.layers.InputLayer((3,), dtype="int32").dtype == "int32"
    with pytest.raises(AttributeError, match="'dtype' is a property that every layer needs"):
        dense.dtype = "float64"
