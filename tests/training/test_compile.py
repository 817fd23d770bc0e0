"""What `compile` may be given, and what a model then computes, measures and refuses."""

import random

import numpy as np
import pytest
from small_models import data

import nnlite as keras
from nnlite import layers, metrics, ops

X, Y = data((20, 3)), data((20, 1), seed=1)


def line(**kwargs):
    return keras.Sequential([layers.Dense(1, "linear", input_shape=(3,), **kwargs)])


class OwnLoss(keras.Model):
    """Twice the squared error, without a loss from `compile`."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return 2.0 * ops.mean(ops.square(y_pred - y))


def test_compute_loss_of_a_subclass_needs_no_loss_from_compile():
    model = OwnLoss()
    model.compile("sgd", metrics=["mse"])
    loss, mse = model.evaluate(X, Y)
    assert mse == pytest.approx(np.mean((model.predict(X) - Y) ** 2), rel=1e-5)
    assert loss == pytest.approx(2 * mse, rel=1e-5)
    history = model.fit(X, Y, epochs=2, verbose=0).history
    assert history["loss"][1] < history["loss"][0]


def test_penalties_alone_are_a_loss():
    model = line(kernel_regularizer="l2")
    model.compile("sgd")
    kernel = model.get_weights()[0]
    assert model.evaluate(X) == pytest.approx(0.01 * np.sum(kernel**2), rel=1e-5)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_a_model_without_any_loss_says_how_to_give_one(method):
    model = line()
    with pytest.raises(RuntimeError, match=r"call compile\(optimizer=..., loss=...\) before"):
        getattr(model, method)(X, Y)
    model.compile("sgd")
    with pytest.raises(RuntimeError, match=r"there is no loss to compute: .*loss='mse'"):
        getattr(model, method)(X, Y)


def test_without_an_optimizer_a_model_is_evaluated_and_not_trained():
    model = line()
    model.compile(optimizer=None, loss="mse")
    expected = np.mean((model.predict(X) - Y) ** 2)
    assert model.evaluate(X, Y) == pytest.approx(expected, rel=1e-5)
    for train in (model.fit, model.train_on_batch):
        with pytest.raises(RuntimeError, match="expected an optimizer to train with, got compile"):
            train(X, Y)


class Measured(layers.Layer):
    """Passes its input on and measures its mean."""

    def __init__(self):
        super().__init__()
        self.seen = metrics.Mean("inner")

    def call(self, x):
        self.seen.update_state(ops.mean(x))
        return x


def test_metrics_that_are_attributes_of_a_model_or_layer_are_reset_and_logged():
    class Model(OwnLoss):
        def __init__(self):
            super().__init__()
            self.measured = Measured()
            self.alone = metrics.Mean("alone")
            self.listed = [metrics.Mean("first"), metrics.Mean("second")]
            self.named = {"a": metrics.Mean("third")}

        def call(self, x):
            return self.dense(self.measured(x))

        def compute_loss(self, **data):
            loss = super().compute_loss(**data)
            for k, m in enumerate([self.alone, *self.listed, self.named["a"]]):
                m.update_state(loss + float(k))
            return loss

    model = Model()
    names = ["loss", "alone", "first", "second", "third", "inner"]
    assert sorted(m.name for m in model.metrics) == sorted(names[1:])
    model.compile(keras.optimizers.SGD(0.0))
    assert sorted(m.name for m in model.metrics) == sorted(names)
    stop = keras.callbacks.EarlyStopping("second", patience=0, mode="min")
    # In the same order, so that the second epoch is the first to the last bit.
    fit = {"batch_size": 20, "epochs": 3, "shuffle": False, "verbose": 0}
    history = model.fit(X, Y, callbacks=stop, **fit).history
    assert sorted(history) == sorted(names) and len(history["loss"]) == 2
    for k, name in enumerate(["alone", "first", "second", "third"]):
        np.testing.assert_allclose(history[name], np.add(history["loss"], k), rtol=1e-5)
    np.testing.assert_allclose(history["inner"], [X.mean()] * 2, rtol=1e-4)


def test_a_seed_holds_for_numpy_and_python_too():
    def drawn():
        keras.utils.set_random_seed(2**40 + 7)
        return random.random(), np.random.rand(), line().get_weights()[0].tolist()  # noqa: NPY002

    assert drawn() == drawn()


class Groups(keras.callbacks.Callback):
    """Notes the numbers of batches that each kind of method is called with."""

    def __init__(self):
        self.seen, self.outputs, self.losses = {}, [], []

    def note(self, method, batch):
        self.seen.setdefault(method, []).append(batch)

    def on_train_batch_begin(self, batch, logs=None):
        self.note("train begin", batch)

    def on_train_batch_end(self, batch, logs=None):
        self.note("train end", batch)
        self.losses.append(logs["loss"])

    def on_test_batch_begin(self, batch, logs=None):
        self.note("test begin", batch)

    def on_test_batch_end(self, batch, logs=None):
        self.note("test end", batch)

    def on_predict_batch_begin(self, batch, logs=None):
        self.note("predict begin", batch)

    def on_predict_batch_end(self, batch, logs=None):
        self.note("predict end", batch)
        self.outputs.append(logs["outputs"])


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("batches", [False, True], ids=["arrays", "batches"])
def test_callbacks_see_groups_of_as_many_batches_as_steps_per_execution(eager, batches):
    x, y = (([(X[k : k + 3], Y[k : k + 3]) for k in range(0, 20, 3)]), None) if batches else (X, Y)
    groups, each = Groups(), Groups()
    for watch, steps in ((groups, 3), (each, 1)):
        model = line(kernel_initializer="ones")
        model.compile("sgd", "mse", run_eagerly=eager, steps_per_execution=steps)
        how = {"callbacks": watch, "verbose": 0} | ({} if batches else {"batch_size": 3})
        data = (iter(x),) if batches else (x, y)
        model.fit(*data, **how, shuffle=False)
        model.evaluate(*((iter(x),) if batches else (x, y)), **how)
        model.predict(iter(x) if batches else x, **how)
    for kind in ("train", "test", "predict"):
        assert groups.seen[f"{kind} begin"] == [0, 3, 6]
        assert groups.seen[f"{kind} end"] == [2, 5, 8]
        assert each.seen[f"{kind} begin"] == each.seen[f"{kind} end"] == list(range(7))
    assert groups.losses == [each.losses[k] for k in (2, 5, 6)]
    assert [len(part) for part in groups.outputs] == [9, 9, 2]


def test_an_unknown_argument_of_compile_is_refused_with_the_one_that_was_perhaps_meant():
    with pytest.raises(TypeError, match=r"argument 'metric'; it takes .*mean 'metrics'"):
        line().compile("sgd", "mse", metric=["mae"])


def test_a_metric_that_comes_later_is_reset_as_the_others_are():
    class Late(OwnLoss):
        def compute_loss(self, **data):
            loss = super().compute_loss(**data)
            if hasattr(self, "later"):
                self.later.update_state(loss)
            return loss

    model = Late()
    model.compile(keras.optimizers.SGD(0.0))
    for _ in range(3):
        model.train_on_batch(X, Y)
    model.later = metrics.Mean("later")
    for part in (slice(5), slice(5, 20), slice(5)):
        logs = model.train_on_batch(X[part], Y[part], return_dict=True)
        assert logs["later"] == pytest.approx(logs["loss"])


class Counting(keras.Model):
    def __init__(self, dtype):
        super().__init__()
        self.dense, self.count = layers.Dense(1), keras.Variable(0, False, dtype=dtype)

    def call(self, x):
        self.count.assign_add(1)
        return self.dense(x)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("eagerly", [False, True])
def test_an_assignment_in_a_call_is_made_in_each_step(dtype, eagerly):
    model = Counting(dtype)
    model.compile("sgd", "mse", run_eagerly=eagerly)
    model.fit(X, Y, epochs=2, batch_size=10, verbose=0)
    assert model.count.item() == 4


class WholeNumbers(layers.Layer):
    def __init__(self):
        super().__init__()
        self.seen = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False)
        self.calls = keras.Variable(2**24, dtype="int32")
        self.of_class = self.add_weight(shape=(3,), dtype="int32", trainable=False)

    def call(self, x):
        self.calls.assign_add(1)
        self.seen.assign_add(ops.shape(x)[0])
        self.seen.assign_sub(1)
        label = self.calls % 3
        self.of_class.assign_add(ops.one_hot(ops.cast(label, "int32"), 3))
        self.of_class.assign(self.of_class * 2)
        return x + 0.0 * ops.cast(self.calls, x.dtype)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_integers_that_a_call_assigns_to_are_exact_and_saved(precision, tmp_path, monkeypatch):
    monkeypatch.setitem(keras.config._settings, "floatx", precision)
    found = []
    for eagerly in (False, True):
        layer = WholeNumbers()
        model = keras.Sequential([keras.Input((3,)), layer, layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=eagerly)
        model.fit(X, Y, epochs=2, batch_size=6, verbose=0)
        found.append([v.numpy().tolist() for v in layer.weights])
    assert found[0] == found[1]
    assert layer.calls.item() == 2**24 + 8 and layer.seen.item() == 2 * 20 - 8
    assert layer.weights == [layer.calls, layer.seen, layer.of_class]  # as Keras has them
    assert layer.trainable_weights == []
    model.save(tmp_path / "a.keras")
    again = keras.models.load_model(
        tmp_path / "a.keras", custom_objects={"WholeNumbers": WholeNumbers}
    )
    assert [v.numpy().tolist() for v in again.layers[0].weights] == found[1]
