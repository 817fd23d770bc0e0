"""Building: each layer makes its weights once, whoever asks first, or not at all."""

import os
import sys
import threading

import numpy as np
import pytest

import nnlite
from nnlite import ops
from nnlite.layers import Activation, BatchNormalization, Dense, Dropout, Flatten, Layer, Reshape

x = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)


class OfParts(Layer):
    """A layer whose build builds its parts."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = Dense(units), Dense(units)

    def build(self, input_shape):
        self.scale = self.add_weight((), "ones", name="scale")
        self.first.build(input_shape)
        self.second.build((None, self.first.units))

    def call(self, inputs):
        return self.second(self.first(inputs)) * self.scale


# Once


def test_a_layer_built_by_hand_keeps_what_was_set_afterwards():
    layer = Dense(2)
    layer.build([None, np.int64(4)])
    assert layer.built and len(layer.weights) == 2
    layer.kernel.assign(np.ones((4, 2)))
    layer.build((None, 4))
    assert np.allclose(layer(x).numpy(), x.sum(1, keepdims=True))
    assert len(layer.weights) == 2


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_build_that_builds_its_parts_makes_each_weight_once(by_hand):
    layer = OfParts()
    if by_hand:
        layer.build((None, 4))
    layer(x)
    assert [w.shape for w in layer.weights] == [(), (4, 3), (3,), (3, 3), (3,)]


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_model_whose_build_builds_its_parts_makes_each_weight_once(by_hand):
    class OfModel(nnlite.Model):
        def __init__(self):
            super().__init__()
            self.part = OfParts()

        def build(self, input_shape):
            self.out = Dense(1)
            super().build(input_shape)

        def call(self, inputs):
            return self.out(self.part(inputs))

    model = OfModel()
    if by_hand:
        model.build((None, 4))
    model.compile("sgd", "mse")
    model.fit(x, x[:, :1], verbose=0)
    assert len(model.weights) == 7 and model.predict(x).shape == (3, 1)


def test_a_build_inherited_from_a_mixin_counts_too():
    class Mixin:
        def build(self, input_shape):
            self.scale = self.add_weight((), "ones")

    class Scaled(Mixin, Layer):
        def call(self, inputs):
            return inputs * self.scale

    layer = Scaled()
    layer.build((None, 4))
    layer(x)
    assert len(layer.weights) == 1


def several(n, work):
    """Run `work` in n threads that begin together."""
    barrier, found = threading.Barrier(n), []

    def run():
        barrier.wait()
        found.append(work())

    threads = [threading.Thread(target=run) for _ in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return found


class Chain(nnlite.Model):
    def __init__(self):
        super().__init__()
        self.parts = [Dense(16), Dense(8), BatchNormalization(), Dense(3)]

    def call(self, inputs):
        for part in self.parts:
            inputs = part(inputs)
        return inputs


@pytest.mark.parametrize("ask", ["predict", "call", "build"])
@pytest.mark.parametrize("kind", [Chain, lambda: nnlite.Sequential(Chain().parts)])
def test_threads_that_first_ask_an_unbuilt_model_find_one_model(kind, ask):
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for _ in range(5):
            model = kind()
            asked = {
                "predict": lambda model=model: model.predict(x),
                "call": lambda model=model: model(x).numpy(),
                "build": lambda model=model: model.build((None, 4)) or model.predict(x),
            }
            found = several(8, asked[ask])
            assert len(model.weights) == 10
            assert len(found) == 8 and all(np.array_equal(y, found[0]) for y in found)
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_forked_while_a_layer_is_built_finds_it_whole():
    begun, going_on = threading.Event(), threading.Event()

    class Slow(Layer):
        def build(self, input_shape):
            self.first = self.add_weight((), "ones")
            begun.set()
            going_on.wait(0.05)
            self.second = self.add_weight((), "ones")

        def call(self, inputs):
            return inputs * self.first * self.second

    layer = Slow()
    thread = threading.Thread(target=layer.build, args=((None, 4),))
    thread.start()
    begun.wait()
    child = os.fork()
    if child == 0:
        layer(x), Dense(2)(x)
        os._exit(0 if len(layer.weights) == 2 else 1)
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


# Or not at all


def test_a_build_that_raises_leaves_nothing_behind():
    class Fragile(Layer):
        def __init__(self):
            super().__init__()
            self.parts, self.fails = [], True

        def build(self, input_shape):
            self.kernel = self.add_weight((input_shape[-1], 2))
            self.parts.append(Dense(3))
            self.parts[-1].build(input_shape)
            if self.fails:
                raise ValueError("no luck")
            self.built_for = input_shape

        def call(self, inputs):
            return inputs @ self.kernel + ops.sum(self.parts[0](inputs))

    layer = Fragile()
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^layer 'fragile' \(Fragile\): no luck"):
            layer(x)
        assert layer.weights == [] and layer.parts == [] and not layer.built
        assert not hasattr(layer, "kernel")
    layer.fails = False
    layer(x)
    assert [w.shape for w in layer.weights] == [(4, 2), (4, 3), (3,)]


def test_an_interrupted_build_leaves_nothing_behind():
    class Interrupted(OfParts):
        def build(self, input_shape):
            super().build(input_shape)
            raise KeyboardInterrupt

    layer = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        layer.build((None, 4))
    assert layer.weights == [] and not layer.first.built


@pytest.mark.parametrize("ask", ["call", "build", "predict"])
@pytest.mark.parametrize("functional", [True, False])
def test_a_model_that_does_not_fit_its_first_input_takes_another(functional, ask):
    parts = [Dense(4), Reshape((2, 3)), Flatten(), Dense(2)]

    class Parts(nnlite.Model):
        def __init__(self):
            super().__init__()
            self.parts = parts

        def call(self, inputs):
            for part in self.parts:
                inputs = part(inputs)
            return inputs

    model = nnlite.Sequential(parts) if functional else Parts()
    wrong = {
        "call": lambda: model(x),
        "build": lambda: model.build((None, 4)),
        "predict": lambda: model.predict(x),
    }[ask]
    with pytest.raises(ValueError, match="target_shape"):
        wrong()
    assert not model.built and model.weights == [] and not hasattr(model, "input_shape")
    parts[0].units = 6
    assert model.predict(x[:, :3]).shape == (3, 2) and len(model.weights) == 4


@pytest.mark.parametrize("shape", [3, "4", np.array(3), (None, "4"), [(None, 4), 3], None])
@pytest.mark.parametrize("make", [lambda: Dense(2), lambda: nnlite.Sequential([Dense(2)]), Chain])
def test_what_is_no_shape_is_refused_by_build(make, shape):
    layer = make()
    with pytest.raises(TypeError, match="input_shape: expected a tuple of the batch"):
        layer.build(shape)
    assert not layer.built


# Layers made in `call`


def calls(body, keep=None):
    """A model whose call is `body(self, inputs)`."""

    class Calls(nnlite.Model):
        def __init__(self):
            super().__init__()
            self.kept = keep

        def call(self, inputs):
            return body(self, inputs)

    return Calls()


def assigned(self, inputs):
    self.dense = Dense(2)
    return self.dense(inputs)


@pytest.mark.parametrize(
    "body",
    [
        lambda self, inputs: Dense(2)(inputs),
        lambda self, inputs: nnlite.Sequential([Dense(2, input_shape=(4,))])(inputs),
        lambda self, inputs: OfParts()(inputs),
        assigned,
    ],
)
def test_a_layer_made_in_call_is_refused(body):
    model = calls(body)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"`call` of 'calls' made the layer .*in `__init__` or"):
        model.fit(x, x[:, :2], verbose=0)


def test_a_layer_made_in_the_call_of_an_inner_layer_is_refused_and_the_inner_layer_named():
    class Inner(Layer):
        def call(self, inputs):
            return Dense(2)(inputs)

    with pytest.raises(ValueError, match="`call` of 'inner' made the layer Dense"):
        nnlite.Sequential([Inner(), Dense(1)]).predict(x)


def test_a_weight_made_in_each_call_is_refused():
    class Again(Layer):
        def call(self, inputs):
            return inputs * self.add_weight((), "ones", name="factor")

    layer = Again()
    with pytest.raises(ValueError, match="add_weight: 'factor' would be made in each `call`"):
        layer(x)


def test_layers_without_weights_may_be_made_in_call():
    model = calls(lambda self, inputs: Dropout(0.5)(Flatten()(Activation("relu")(inputs))))
    assert np.array_equal(model.predict(x), np.maximum(x, 0))


def made_once(self, inputs):
    if self.kept is None:
        self.kept = nnlite.Sequential([Dense(2, input_shape=(4,))])
    return self.kept(inputs)


def test_a_layer_made_once_in_the_first_call_and_kept_is_trained():
    model = calls(made_once)
    model.compile("sgd", "mse")
    model.fit(x, x[:, :2], verbose=0, epochs=2)
    assert len(model.trainable_weights) == 2


def test_layers_kept_where_nothing_looks_for_them_are_no_concern():
    outside, elsewhere = Dense(2), {Dense(2)}
    model = calls(lambda self, inputs: outside(inputs) + next(iter(elsewhere))(inputs))
    assert model.predict(x).shape == (3, 2)


def test_a_weight_may_be_named_first_as_in_older_programs():
    class Old(Layer):
        def build(self, input_shape):
            self.kernel = self.add_weight("kernel", shape=[input_shape[-1], 2])
            self.bias = self.add_weight("bias", (2,), "zeros", trainable=False)

        def call(self, inputs):
            return inputs @ self.kernel + self.bias

    layer = Old()
    layer(x)
    assert [w.name for w in layer.weights] == ["old/kernel", "old/bias"]
    assert layer.trainable_weights[0].shape == (4, 2) and len(layer.trainable_weights) == 1


def test_a_model_without_a_call_is_trained_by_its_steps():
    class Pair(nnlite.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = Dense(1), Dense(1)

        def train_step(self, data):
            with nnlite.GradientTape() as tape:
                loss = ops.mean(ops.square(self.two(self.one(data[0])) - data[1]))
            self.optimizer.apply_gradients(
                zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
            )
            return {"loss": loss}

    pair = Pair()
    pair.compile("adam")
    losses = pair.fit(x, x[:, :1], epochs=2, verbose=0).history["loss"]
    assert len(pair.weights) == 4 and losses[1] < losses[0]
    with pytest.raises(NotImplementedError, match=r"layer 'pair' \(Pair\): `call` is not"):
        pair.predict(x)
