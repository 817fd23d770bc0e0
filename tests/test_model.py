"""Model and Sequential: building, training and predicting as in Keras, and what they refuse."""

import copy
import math
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
import warnings

import numpy as np
import pytest

import nnlite as keras
from nnlite import callbacks, config, layers, losses, metrics, ops, optimizers, regularizers

N, D, L = 50, 6, 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, D)).astype("float32")
LABELS = RNG.integers(0, L, N)
Y = (X[:, :1] * X[:, 1:2]).astype("float32")


def classifier(seed=0, optimizer="sgd", dropout=0.0, **compiled):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            layers.Dense(8, activation="relu", input_shape=(D,)),
            layers.Dropout(dropout),
            layers.Dense(L, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", **compiled)
    return model


def line(width=1, rate=0.1, **compiled):
    """One Dense(1) of zeros under mean squared error."""
    model = keras.Sequential([layers.Dense(1, kernel_initializer="zeros", input_shape=(width,))])
    model.compile(optimizers.SGD(rate), "mse", **compiled)
    return model


def arrays_equal(some, others):
    return len(some) == len(others) and all(np.array_equal(a, b) for a, b in zip(some, others))


def trained(model, *args, seed=1, **kwargs):
    keras.utils.set_random_seed(seed)
    return model.fit(*args, **{"verbose": 0, **kwargs})


class Seen(callbacks.Callback):
    """Notes every call that `fit` makes."""

    def __init__(self):
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append("train begin")

    def on_train_end(self, logs=None):
        self.calls.append("train end")

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(f"epoch {epoch} begin")

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(f"epoch {epoch} end")
        self.logs = dict(logs)


class Batches(Seen):
    """The same for batches."""

    def on_train_batch_begin(self, batch, logs=None):
        self.calls.append(f"batch {batch} begin")

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(f"batch {batch} end")
        self.logs = dict(logs)


class TwoLayers(keras.Model):
    """A subclassed model."""

    def __init__(self, units=4):
        super().__init__()
        self.hidden = layers.Dense(units, activation="tanh")
        self.out = layers.Dense(1)

    def call(self, inputs):
        return self.out(self.hidden(inputs))


class OwnStep(TwoLayers):
    """A training step of one's own, with a tape."""

    def train_step(self, data):
        x, y = data[:2]
        with keras.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x, y, y_pred)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        return self.track(loss, x, y, y_pred, None)


# Building


def test_list_and_add_build_the_same_model():
    a = classifier()
    keras.utils.set_random_seed(0)
    b = keras.Sequential()
    b.add(layers.Dense(8, activation="relu", input_shape=(D,)))
    b.add(layers.Dropout(0.0))
    b.add(layers.Dense(L, activation="softmax"))
    assert arrays_equal(a.get_weights(), b.get_weights())
    assert np.array_equal(a.predict(X), b.predict(X))


@pytest.mark.parametrize(
    "build",
    [
        lambda m: m.build((None, D)),
        lambda m: m(X),
        lambda m: m.predict(X),
        lambda m: m.evaluate(X, LABELS),
        lambda m: m.fit(X, LABELS, verbose=0),
        lambda m: m.train_on_batch(X, LABELS),
    ],
)
def test_model_without_an_input_shape_is_built_by_its_first_use(build):
    model = keras.Sequential([layers.Dense(8), layers.Dense(L, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert not model.built and model.weights == []
    build(model)
    assert model.built and model.output_shape == (None, L) and model.input_shape == (None, D)
    assert [w.shape for w in model.get_weights()] == [(D, 8), (8,), (8, L), (L,)]


def test_deferred_build_gives_the_bits_of_an_immediate_one():
    def make(**kwargs):
        keras.utils.set_random_seed(0)
        return keras.Sequential([layers.Dense(8, **kwargs), layers.Dense(L)])

    a, b = make(input_shape=(D,)), make()
    b.build((None, D))
    assert arrays_equal(a.get_weights(), b.get_weights())


def test_subclassed_model_is_built_by_a_call_and_tracks_its_layers():
    model = TwoLayers()
    assert model(X).shape == (N, 1)
    assert [x.name for x in model.layers] == ["dense", "dense_1"]
    assert [w.shape for w in model.get_weights()] == [(D, 4), (4,), (4, 1), (1,)]
    model.build((None, D))  # again: nothing happens
    assert len(model.weights) == 4


def test_subclassed_model_trains_like_the_same_sequential():
    a = TwoLayers()
    b = keras.Sequential([layers.Dense(4, activation="tanh"), layers.Dense(1)])
    for model in (a, b):
        keras.utils.set_random_seed(0)
        model.compile("adam", "mse")
        model.build((None, D))
        trained(model, X, Y, epochs=2)
    assert arrays_equal(a.get_weights(), b.get_weights())
    assert np.array_equal(a.predict(X), b.predict(X))


def test_layer_added_after_fit_keeps_weights_and_compiled_state():
    model = classifier(optimizer=optimizers.SGD(0.1, momentum=0.9))
    trained(model, X, LABELS)
    before, steps = model.get_weights(), int(model.optimizer.iterations)
    model.pop()
    model.add(layers.Dropout(0.3))
    model.add(layers.Dense(L, activation="softmax"))
    assert arrays_equal(model.get_weights()[:2], before[:2])
    trained(model, X, LABELS)
    assert int(model.optimizer.iterations) == 2 * steps
    assert not np.array_equal(model.get_weights()[0], before[0])


def test_pop_returns_the_last_layer_and_the_model_ends_before_it():
    model = classifier()
    last = model.layers[-1]
    assert model.pop() is last
    assert model.output_shape == (None, 8) and model.predict(X).shape == (N, 8)
    while model.layers:
        model.pop()
    with pytest.raises(IndexError, match="no layer to pop"):
        model.pop()
    model.add(layers.Dense(2))  # and starts again with any input
    assert model(X[:, :4]).shape == (N, 2)


def test_layer_that_does_not_fit_is_not_added():
    model = keras.Sequential([layers.Dense(5, input_shape=(D,))])
    with pytest.raises(ValueError, match=r"layer 'reshape' \(Reshape\)"):
        model.add(layers.Reshape((2, 2)))
    assert len(model.layers) == 1 and model.predict(X).shape == (N, 5)
    empty = keras.Sequential()
    with pytest.raises(ValueError, match="units"):
        empty.add(layers.Dense(-1, input_shape=(D,)))
    assert empty.layers == [] and not empty.built


def test_add_refuses_what_is_no_layer_and_a_layer_twice():
    model = keras.Sequential([layers.Dense(1)])
    with pytest.raises(TypeError, match=r"Sequential.add: expected a layer, got 'dense'"):
        model.add("dense")
    with pytest.raises(ValueError, match=r"layer 'dense' is in the model already"):
        model.add(model.layers[0])


def test_sequential_without_layers_says_so():
    model = keras.Sequential()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="at least one layer"):
        model.fit(X, Y, verbose=0)


def test_get_layer_finds_by_name_or_place():
    model = classifier()
    assert model.get_layer("dense_1") is model.get_layer(index=2) is model.layers[2]
    with pytest.raises(ValueError, match=r"no layer 'nope'; the model has dense, dropout, dense_1"):
        model.get_layer("nope")


def test_sequential_config_has_every_layer_and_gives_a_fresh_model():
    model = classifier()
    model.add(layers.Activation("tanh"))
    again = keras.Sequential.from_config(model.get_config())
    assert [repr(x) for x in again.layers] == [repr(x) for x in model.layers]
    assert again.count_params() == model.count_params()
    assert not any(a is b for a in again.layers for b in model.layers)
    assert not np.array_equal(again.get_weights()[0], model.get_weights()[0])
    assert "Dense(units=8, activation='relu', input_shape=(6,))" in repr(model)


# Summary

MISSION = [
    (
        535_818,
        lambda: [
            layers.Dense(512, "relu", input_shape=(784,)),
            layers.Dense(256, "relu"),
            layers.Dense(10, "softmax"),
        ],
    ),
    (
        8_874,
        lambda: [
            layers.Dense(64, "relu", input_dim=100),
            layers.Dense(32, "relu"),
            layers.Dense(10, "softmax"),
        ],
    ),
    (
        26,
        lambda: [
            layers.Dense(3, "relu", input_shape=(3,)),
            layers.Dense(2, "relu"),
            layers.Dense(2, "sigmoid"),
        ],
    ),
]


@pytest.mark.parametrize("count, make", MISSION)
def test_parameter_counts_of_the_mission(count, make):
    model, lines = keras.Sequential(make()), []
    assert model.count_params() == count == sum(w.size for w in model.get_weights())
    model.summary(print_fn=lines.append)
    assert f"Total params: {count:,}" in "\n".join(lines)


def test_summary_shows_layers_shapes_and_counts(capsys):
    model = classifier()
    model.layers[0].trainable = False
    model.summary()
    text = capsys.readouterr().out
    assert 'Model: "sequential"' in text.splitlines()[0]
    for cells in (
        ("Layer (type)", "Output Shape", "Param #"),
        ("dense (Dense)", "(None, 8)", "56"),
        ("dropout (Dropout)", "(None, 8)", "0"),
        ("dense_1 (Dense)", "(None, 3)", "27"),
    ):
        assert any(
            [c.strip() for c in row.strip("│").split("│")] == list(cells)
            for row in text.splitlines()
        )
    assert "Total params: 83 (332.00 B)" in text
    assert "Trainable params: 27" in text and "Non-trainable params: 56" in text
    assert len({len(row) for row in text.splitlines() if row[0] in "┌│├└"}) == 1


def test_summary_of_nested_deferred_and_subclassed_models():
    nested = keras.Sequential([classifier(), layers.Dense(1)], name="whole")
    deferred, subclassed = keras.Sequential([layers.Dense(2)]), TwoLayers()
    texts = []
    for model in (nested, deferred, subclassed):
        model.summary(print_fn=texts.append)
    assert 'Model: "whole"' in texts[0] and "sequential (Sequential)" in texts[0]
    assert "(None, 3)" in texts[0] and "Total params: 87" in texts[0]
    assert "Total params: 0" in texts[1]
    subclassed(X)
    subclassed.summary(print_fn=texts.append)
    assert "Total params: 33" in texts[3] and "dense_1 (Dense)" in texts[3]


def test_summary_can_be_made_wider():
    widths = []
    for width in (None, 120):
        classifier().summary(
            line_length=width, print_fn=lambda t: widths.append(len(t.splitlines()[1]))
        )
    assert widths[1] == 120 > widths[0]


# What fit does


def test_one_epoch_of_full_batches_is_gradient_descent():
    model = line(D, rate=0.1)
    x, y = X.astype(float), Y.astype(float)
    w, b = np.zeros((D, 1)), 0.0
    for _ in range(5):
        residual = 2 * (x @ w + b - y) / N
        w, b = w - 0.1 * x.T @ residual, b - 0.1 * residual.sum()
    history = model.fit(X, Y, batch_size=N, epochs=5, verbose=0)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(kernel, w, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(bias[0], b, rtol=1e-5, atol=1e-6)
    assert history.history["loss"][0] == pytest.approx((y**2).mean(), rel=1e-6)


@pytest.mark.parametrize(
    "batch_size, steps", [(None, 2), (1, 50), (7, 8), (50, 1), (1000, 1), (32.0, 2)]
)
def test_batch_size_sets_the_number_of_steps_and_32_is_the_default(batch_size, steps):
    model = line(D)
    model.fit(X, Y, batch_size=batch_size, verbose=0)
    assert int(model.optimizer.iterations) == steps


def test_epochs_default_to_one():
    assert line(D).fit(X, Y, verbose=0).epoch == [0]


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_epoch_takes_every_row_once_and_shuffle_changes_the_order(shuffle):
    orders = []

    class Watched(keras.Sequential):
        def train_step(self, data):
            orders.extend(data[0].numpy()[:, 0].tolist())
            return super().train_step(data)

    model = Watched([layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(
        np.arange(10.0)[:, None], np.zeros(10), batch_size=4, epochs=3, shuffle=shuffle, verbose=0
    )
    epochs = [orders[k : k + 10] for k in (0, 10, 20)]
    assert all(sorted(e) == list(range(10)) for e in epochs)
    assert (epochs == [list(range(10))] * 3) is not shuffle
    assert (len({tuple(e) for e in epochs}) == 3) is shuffle


def test_without_shuffling_training_has_no_chance_in_it():
    a, b = classifier(), classifier()
    trained(a, X, LABELS, seed=1, shuffle=False, epochs=3)
    trained(b, X, LABELS, seed=2, shuffle=False, epochs=3)
    assert arrays_equal(a.get_weights(), b.get_weights())


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_same_seed_same_bits_and_another_seed_others(optimizer):
    def run(seed):
        model = classifier(seed, optimizer, dropout=0.3, metrics=["accuracy"])
        history = model.fit(X, LABELS, epochs=3, batch_size=8, validation_split=0.2, verbose=0)
        return model.get_weights(), history.history

    a, again, other = run(3), run(3), run(4)
    assert arrays_equal(a[0], again[0]) and a[1] == again[1]
    assert not np.array_equal(a[0][0], other[0][0])


def test_number_of_threads_does_not_change_a_bit():
    results = []
    for n in (1, 2):
        model = classifier(dropout=0.3, n_threads=n)
        trained(model, X, LABELS, epochs=2)
        results.append([*model.get_weights(), model.predict(X)])
    assert arrays_equal(*results)


def test_second_fit_goes_on_where_the_first_ended():
    once, twice = classifier(optimizer="adam"), classifier(optimizer="adam")
    once.fit(X, LABELS, epochs=4, shuffle=False, verbose=0)
    for _ in range(2):
        twice.fit(X, LABELS, epochs=2, shuffle=False, verbose=0)
    assert arrays_equal(once.get_weights(), twice.get_weights())


def test_reported_loss_is_the_mean_over_samples_while_weights_change():
    # Rate 0: the weights stay, so the mean over uneven batches must be the loss of all.
    model = classifier(optimizer=optimizers.SGD(0.0), metrics=["accuracy"])
    history = model.fit(X, LABELS, batch_size=7, verbose=0).history
    loss, accuracy = model.evaluate(X, LABELS)
    assert history["loss"][0] == pytest.approx(loss, rel=1e-6)
    assert history["accuracy"][0] == pytest.approx(accuracy, rel=1e-9)


def test_history_has_a_list_of_python_floats_for_each_figure():
    model = classifier(metrics=["accuracy"])
    history = model.fit(X, LABELS, epochs=3, validation_split=0.2, verbose=0)
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert all(len(v) == 3 and all(type(x) is float for x in v) for v in history.history.values())
    assert history.epoch == [0, 1, 2] and model.history is history


def test_initial_epoch_counts_on():
    history = line(D).fit(X, Y, epochs=5, initial_epoch=3, verbose=0)
    assert history.epoch == [3, 4] and len(history.history["loss"]) == 2
    assert line(D).fit(X, Y, epochs=2, initial_epoch=5, verbose=0).history == {}


def test_validation_split_takes_the_last_part_before_shuffling():
    a, b = classifier(metrics=["accuracy"]), classifier(metrics=["accuracy"])
    # floor(50 * (1 - 0.25)) = 37 rows are left for training.
    with_split = trained(a, X, LABELS, epochs=2, validation_split=0.25)
    by_hand = trained(b, X[:37], LABELS[:37], epochs=2, validation_data=(X[37:], LABELS[37:]))
    assert arrays_equal(a.get_weights(), b.get_weights())
    assert with_split.history == by_hand.history
    loss, accuracy = a.evaluate(X[37:], LABELS[37:])
    assert with_split.history["val_loss"][-1] == pytest.approx(loss, rel=1e-6)
    assert with_split.history["val_accuracy"][-1] == accuracy


def test_validation_does_not_change_the_training():
    a, b = classifier(dropout=0.3), classifier(dropout=0.3)
    trained(a, X, LABELS, epochs=3)
    trained(b, X, LABELS, epochs=3, validation_data=(X[:20], LABELS[:20]))
    assert arrays_equal(a.get_weights(), b.get_weights())


def test_validation_data_may_carry_weights():
    model, weight = classifier(), np.linspace(0, 1, 20)
    history = trained(model, X, LABELS, validation_data=(X[:20], LABELS[:20], weight))
    expected = model.evaluate(X[:20], LABELS[:20], sample_weight=weight)
    assert history.history["val_loss"][0] == pytest.approx(expected, rel=1e-6)


def test_validation_batch_size_is_used():
    sizes = []

    class Watched(keras.Sequential):
        def test_step(self, data):
            sizes.append(data[0].shape[0])
            return super().test_step(data)

    model = Watched([layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(X, Y, verbose=0, validation_data=(X[:20], Y[:20]), validation_batch_size=8)
    assert sizes == [8, 8, 4]


@pytest.mark.parametrize("shape", [(N,), (N, 1)])
def test_sample_weight_scales_each_loss_and_the_sum_is_divided_by_the_count(shape):
    model, weight = line(D, rate=0.1), RNG.random(N)
    history = model.fit(X, Y, batch_size=N, verbose=0, sample_weight=weight.reshape(shape))
    x, y = X.astype(float), Y.astype(float)
    assert history.history["loss"][0] == pytest.approx((weight * y[:, 0] ** 2).sum() / N, rel=1e-5)
    expected = 0.1 * 2 * x.T @ (weight[:, None] * y) / N
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "y", [LABELS, LABELS[:, None], np.eye(L)[LABELS]], ids=["(N,)", "(N, 1)", "one-hot"]
)
def test_class_weight_is_the_sample_weight_of_each_class_and_a_missing_class_has_one(y):
    def fitted(**kwargs):
        model = classifier()
        if y.shape[-1] == L:
            model.compile("sgd", "categorical_crossentropy")
        trained(model, X, y, batch_size=8, **kwargs)
        return model.get_weights()

    weight = np.array([3.0, 1.0, 0.5])[LABELS]
    by_class = fitted(class_weight={0: 3.0, 2: 0.5})
    assert arrays_equal(by_class, fitted(sample_weight=weight))
    assert not np.array_equal(by_class[0], fitted()[0])
    both = fitted(class_weight={0: 3.0, 2: 0.5}, sample_weight=np.arange(N) / N)
    assert arrays_equal(both, fitted(sample_weight=weight * np.arange(N) / N))


def test_metrics_ignore_sample_weights_and_weighted_metrics_use_them():
    model = classifier(metrics=["accuracy"], weighted_metrics=["accuracy"])
    weight = RNG.random(N)
    logs = model.evaluate(X, LABELS, sample_weight=weight, return_dict=True)
    right = model.predict(X).argmax(1) == LABELS
    assert list(logs) == ["loss", "accuracy", "weighted_accuracy"]
    assert logs["accuracy"] == pytest.approx(right.mean(), rel=1e-6)
    assert logs["weighted_accuracy"] == pytest.approx(np.average(right, weights=weight), rel=1e-6)


def test_two_metrics_of_one_name_are_told_apart():
    model = classifier(metrics=["accuracy", metrics.SparseCategoricalAccuracy(name="accuracy")])
    assert list(model.evaluate(X, LABELS, return_dict=True)) == ["loss", "accuracy", "accuracy_1"]


# evaluate, predict, *_on_batch


@pytest.mark.parametrize("batch_size", [None, 1, 7, 50, 1000])
def test_evaluate_is_the_loss_and_accuracy_of_all_rows_whatever_the_batch(batch_size):
    model = classifier(metrics=["accuracy"])
    p = model.predict(X).astype(float)
    loss, accuracy = model.evaluate(X, LABELS, batch_size=batch_size)
    assert loss == pytest.approx(-np.log(p[np.arange(N), LABELS]).mean(), rel=1e-5)
    assert accuracy == pytest.approx((p.argmax(1) == LABELS).mean(), rel=1e-12)


def test_evaluate_returns_one_number_a_list_or_a_dict_and_changes_nothing():
    model, plain = classifier(metrics=["accuracy"]), classifier()
    before = model.get_weights()
    assert type(plain.evaluate(X, LABELS)) is float
    values = model.evaluate(X, LABELS)
    assert type(values) is list and len(values) == 2 and all(type(v) is float for v in values)
    assert model.evaluate(X, LABELS, return_dict=True) == dict(zip(["loss", "accuracy"], values))
    assert arrays_equal(model.get_weights(), before)


def test_predict_is_the_call_in_inference_mode():
    model = classifier(dropout=0.5)
    assert np.array_equal(model.predict(X), model(X).numpy())
    assert not np.array_equal(model.predict(X), model(X, training=True).numpy())
    assert model.predict(X).dtype == np.float32 and model.predict(X).shape == (N, L)


@pytest.mark.parametrize("rows", [1, 2, 3, 255, 256, 257, 700])
def test_predictions_of_a_subset_are_bitwise_the_subset_of_the_predictions(rows):
    x = np.random.default_rng(1).normal(size=(700, D)).astype("float32")
    model = classifier()
    full = model.predict(x)
    assert np.array_equal(model.predict(x[:rows]), full[:rows])
    assert np.array_equal(model.predict(x[-rows:], batch_size=3), full[-rows:])
    assert np.array_equal(model.predict_on_batch(x[:rows]), full[:rows])


def test_predict_needs_no_compile():
    model = keras.Sequential([layers.Dense(2)])
    assert model.predict(X).shape == (N, 2)


def test_train_on_batch_is_one_step_and_reports_the_loss_before_it():
    a, b = classifier(metrics=["accuracy"]), classifier(metrics=["accuracy"])
    for _ in range(2):  # figures start afresh each time
        before = a.evaluate(X, LABELS, batch_size=N)
        assert a.train_on_batch(X, LABELS) == pytest.approx(before, rel=1e-6)
        b.fit(X, LABELS, batch_size=N, shuffle=False, verbose=0)
    assert arrays_equal(a.get_weights(), b.get_weights())
    assert list(a.train_on_batch(X, LABELS, return_dict=True)) == ["loss", "accuracy"]


def test_train_on_batch_takes_weights():
    a, b = classifier(), classifier()
    weight = np.array([2.0, 1.0, 1.0])[LABELS]
    assert a.train_on_batch(X, LABELS, sample_weight=weight) == b.train_on_batch(
        X, LABELS, class_weight={0: 2.0}
    )
    assert arrays_equal(a.get_weights(), b.get_weights())


def test_test_on_batch_is_evaluate():
    model = classifier(metrics=["accuracy"])
    assert model.test_on_batch(X, LABELS) == model.evaluate(X, LABELS, batch_size=N)


# Callbacks


def test_callbacks_are_called_in_order_and_a_single_one_needs_no_list():
    seen = Seen()
    line(D).fit(X, Y, epochs=2, verbose=0, callbacks=seen)
    assert seen.calls == [
        "train begin",
        "epoch 0 begin",
        "epoch 0 end",
        "epoch 1 begin",
        "epoch 1 end",
        "train end",
    ]


def test_batch_callbacks_are_called_around_every_batch_with_running_figures():
    seen, model = Batches(), line(D)
    history = model.fit(X, Y, batch_size=20, verbose=0, callbacks=[seen], validation_split=0.1)
    assert seen.calls[1:-2] == ["epoch 0 begin"] + [
        f"batch {b} {when}" for b in range(3) for when in ("begin", "end")
    ]
    assert seen.params == {"epochs": 1, "steps": 3, "verbose": 0}
    assert seen.logs["val_loss"] == history.history["val_loss"][0]


def test_batch_callbacks_do_not_change_a_bit():
    a, b = classifier(dropout=0.3), classifier(dropout=0.3)
    trained(a, X, LABELS, epochs=2, batch_size=8)
    trained(b, X, LABELS, epochs=2, batch_size=8, callbacks=Batches())
    assert arrays_equal(a.get_weights(), b.get_weights())


def test_callback_may_stop_the_training_after_a_batch():
    class Enough(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 2

    model = line(D)
    history = model.fit(X, Y, batch_size=5, epochs=9, verbose=0, callbacks=Enough())
    assert int(model.optimizer.iterations) == 3 and len(history.epoch) == 1
    model.fit(X, Y, batch_size=5, verbose=0)  # a later fit starts afresh
    assert int(model.optimizer.iterations) == 13


def test_callback_may_add_figures_for_those_after_it():
    class Ratio(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["ratio"] = float(epoch)

    stop = callbacks.EarlyStopping("ratio", patience=1)
    assert len(line(D).fit(X, Y, epochs=9, verbose=0, callbacks=[Ratio(), stop]).epoch) == 2


class Scripted:
    """Stands for a model whose only weight is the number of the epoch."""

    stop_training = False
    metrics = ()

    def get_weights(self):
        return [np.array(self.epoch)]

    def set_weights(self, weights):
        self.epoch = int(weights[0])


def run_early_stopping(values, **settings):
    """(epochs that were run, the epoch whose weights remain)."""
    stop, model = callbacks.EarlyStopping(**settings), Scripted()
    stop.set_model(model)
    stop.on_train_begin()
    for epoch, value in enumerate(values):
        model.epoch = epoch
        stop.on_epoch_end(epoch, {settings.get("monitor", "val_loss"): value})
        if model.stop_training:
            break
    ran = epoch + 1
    stop.on_train_end()
    return ran, model.epoch


@pytest.mark.parametrize(
    "values, settings, ran",
    [
        ([3, 2, 1, 0], {}, 4),
        ([3, 2, 2, 0], {}, 3),  # an equal value is no improvement
        ([3, 4, 1, 0], {}, 2),
        ([3, 4, 5, 2, 6, 6, 6], {"patience": 2}, 3),
        ([3, 4, 2, 5, 1, 9, 9, 9], {"patience": 2}, 7),
        ([3, 2.95, 2.9, 2.85], {"min_delta": 0.1, "patience": 1}, 2),
        ([3, 2.8, 2.6, 2.4], {"min_delta": 0.1, "patience": 1}, 4),
        ([3, 2.8, 2.6, 2.4], {"min_delta": -0.1, "patience": 1}, 4),  # its size counts
        ([1, 2, 3, 3], {"mode": "max"}, 4),
        ([1, 2, 1, 3], {"mode": "max"}, 3),
        ([0.1, 0.2, 0.15], {"monitor": "val_accuracy"}, 3),
        ([0.1, 0.2, 0.3], {"monitor": "accuracy"}, 3),
        # Epochs above the baseline use up patience, which is looked at when one is no better.
        ([5, 4, 3, 2, 1], {"baseline": 1, "patience": 2}, 5),
        ([5, 4, 6, 2, 1], {"baseline": 1, "patience": 2}, 3),
        ([5, 4, 0.5, 2, 1], {"baseline": 1, "patience": 3}, 5),
        ([1, 9, 9, 9, 9], {"start_from_epoch": 2, "patience": 1}, 4),
        ([9, 9, 9, 5, 6], {"start_from_epoch": 3}, 5),
        ([math.nan, math.nan, 1, 0, 2], {"patience": 3}, 5),
        ([1, math.nan, math.nan, 0], {"patience": 2}, 3),
    ],
)
def test_early_stopping_stops_when_keras_does(values, settings, ran):
    assert run_early_stopping(values, **settings)[0] == ran


@pytest.mark.parametrize(
    "values, settings, kept",
    [
        ([3, 1, 2, 2, 2], {"patience": 3}, 1),
        ([3, 1, 2], {"patience": 9}, 1),  # also when training ended by itself
        ([3, 2, 1], {"patience": 9}, 2),
        ([1, 2, 3, 2, 3], {"mode": "max", "patience": 2}, 2),
        ([0, 9, 5, 6], {"start_from_epoch": 1, "patience": 5}, 2),
        ([5, 4, 3], {"baseline": 1, "patience": 9}, 2),
    ],
)
def test_early_stopping_restores_the_best_weights(values, settings, kept):
    assert run_early_stopping(values, restore_best_weights=True, **settings)[1] == kept
    assert (
        run_early_stopping(values, **settings)[1] == run_early_stopping(values, **settings)[0] - 1
    )


def test_early_stopping_in_fit_stops_restores_and_says_so(capsys):
    model = line(D, rate=5.0)  # diverges slowly: epoch 0 is the best
    stop = callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True, verbose=1)
    kept = {}

    class Keep(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept[epoch] = self.model.get_weights()

    history = model.fit(X[:8], Y[:8], epochs=20, batch_size=4, verbose=0, callbacks=[Keep(), stop])
    assert len(history.epoch) == 3 and stop.stopped_epoch == 2 and stop.best_epoch == 0
    assert arrays_equal(model.get_weights(), kept[0])
    out = capsys.readouterr().out
    assert "Epoch 3: early stopping" in out and "best epoch: 1" in out


def test_early_stopping_can_be_used_again():
    stop = callbacks.EarlyStopping("loss", patience=1)
    lengths = [
        len(line(D, rate=5.0).fit(X, Y, epochs=9, verbose=0, callbacks=stop).epoch)
        for _ in range(2)
    ]
    assert lengths == [2, 2]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, r"monitor 'val_loss' is not among the figures loss; .*validation"),
        ({"monitor": "los"}, r"monitor 'los' is not among the figures loss"),
        ({"monitor": "loss", "mode": "down"}, r"expected mode 'auto', 'min' or 'max', got 'down'"),
    ],
)
def test_early_stopping_that_cannot_work_is_an_error(settings, message):
    with pytest.raises(ValueError, match=f"EarlyStopping: {message}"):
        line(D).fit(X, Y, verbose=0, callbacks=callbacks.EarlyStopping(**settings))


# Output


def test_verbose_0_prints_nothing(capsys):
    classifier().fit(X, LABELS, epochs=2, verbose=0)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", ["auto", 1, True])
def test_verbose_1_shows_a_bar_and_the_figures_of_each_epoch(capsys, verbose):
    model = classifier(metrics=["accuracy"])
    history = model.fit(
        X, LABELS, epochs=2, batch_size=10, validation_split=0.2, verbose=verbose
    ).history
    rows = capsys.readouterr().out.strip().splitlines()
    assert len(rows) == 2
    for k, row in enumerate(rows):
        assert row.startswith(f"Epoch {k + 1}/2 ") and "4/4" in row and "=" in row
        for name, values in history.items():
            assert f"{name}: {values[k]:.4f}" in row


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("watcher", [Seen, Batches])
def test_bar_is_full_at_the_end_of_an_epoch_however_the_batches_are_run(capsys, eager, watcher):
    classifier(run_eagerly=eager).fit(X, LABELS, batch_size=10, verbose=1, callbacks=watcher())
    assert "============ 5/5 " in capsys.readouterr().out


def test_verbose_2_prints_a_line_for_each_epoch(capsys):
    history = classifier().fit(X, LABELS, epochs=2, verbose=2).history
    rows = capsys.readouterr().out.strip().splitlines()
    assert rows == [f"Epoch {k + 1}/2 - loss: {history['loss'][k]:.4f}" for k in range(2)]


def test_evaluate_and_predict_print_nothing(capsys):
    model = classifier()
    model.evaluate(X, LABELS)
    model.predict(X)
    assert capsys.readouterr().out == ""


# Eager and planned, custom steps


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_run_eagerly_gives_the_same_bits(optimizer, real):
    results = []
    for eager in (False, True):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                layers.Dense(8, "relu", kernel_regularizer=regularizers.L1L2(0.01, 0.01)),
                layers.Dropout(0.3),
                layers.Dense(L, "softmax"),
            ]
        )
        model.compile(
            optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=eager
        )
        history = model.fit(X, LABELS, epochs=2, batch_size=8, validation_split=0.2, verbose=0)
        results.append(([*model.get_weights(), model.predict(X)], history.history))
    assert arrays_equal(results[0][0], results[1][0]) and results[0][1] == results[1][1]


@pytest.mark.parametrize("eager", [False, True])
def test_custom_train_step_with_a_tape_is_the_default_step(eager):
    results = []
    for cls in (TwoLayers, OwnStep):
        keras.utils.set_random_seed(0)
        model = cls()
        model.compile("adam", "mse", run_eagerly=eager)
        history = trained(model, X, Y, epochs=2, batch_size=8)
        results.append(([*model.get_weights()], history.history))
    assert arrays_equal(results[0][0], results[1][0]) and results[0][1] == results[1][1]


def test_loop_of_ones_own_makes_the_steps_of_fit():
    def make():
        keras.utils.set_random_seed(0)
        model = TwoLayers()
        model.compile("adam", "mse")
        model.build((None, D))
        return model

    a, b = make(), make()
    a.fit(X, Y, batch_size=10, shuffle=False, verbose=0)
    optimizer, mse = optimizers.Adam(), losses.MeanSquaredError()
    for start in range(0, N, 10):
        with keras.GradientTape() as tape:
            loss = mse(Y[start : start + 10], b(X[start : start + 10], training=True))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, b.trainable_variables), b.trainable_variables)
        )
    assert arrays_equal(a.get_weights(), b.get_weights())


def test_values_can_be_looked_at_only_when_run_eagerly():
    class Curious(TwoLayers):
        def call(self, inputs):
            outputs = super().call(inputs)
            self.seen = outputs.numpy()
            return outputs

    model = Curious()
    model.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match="run_eagerly=True"):
        model.fit(X, Y, verbose=0)
    model = Curious()
    model.compile("sgd", "mse", run_eagerly=True)
    model(X)
    model.fit(X, Y, batch_size=25, verbose=0)
    assert model.seen.shape == (25, 1)


def test_setting_changed_between_fits_takes_effect():
    model = line(D)
    model.fit(X, Y, verbose=0)
    model.optimizer.momentum, before = 0.0, model.get_weights()
    model.layers[0].trainable = False
    model.fit(X, Y, verbose=0)
    assert arrays_equal(model.get_weights(), before)


def test_custom_loss_and_metric_functions_are_compiled():
    def cubic(y_true, y_pred):
        return ops.mean(ops.abs(y_true - y_pred) ** 3.0, axis=-1)

    model = line(D)
    model.compile(optimizers.SGD(0.0), cubic, metrics=[cubic, "mse"])
    logs = model.train_on_batch(X, Y, return_dict=True)
    assert logs["loss"] == pytest.approx((np.abs(Y.astype(float)) ** 3).mean(), rel=1e-5)
    assert logs["cubic"] == pytest.approx(logs["loss"], rel=1e-6)
    assert logs["mse"] == pytest.approx((Y.astype(float) ** 2).mean(), rel=1e-5)


# Kinds of data

PIXELS = np.random.default_rng(2).integers(0, 100, (40, D))
PIXEL_LABELS = PIXELS.sum(1) % L


def read_only(x):
    x = x.copy()
    x.setflags(write=False)
    return x


def in_a_file(x):
    path = os.path.join(in_a_file.folder, "x.npy")
    np.save(path, x)
    return np.load(path, mmap_mode="r")


KINDS = {
    **{
        name: (lambda x, name=name: x.astype(name))
        for name in (
            "uint8",
            "int8",
            "uint16",
            "int16",
            "uint32",
            "int32",
            "uint64",
            "int64",
            "float16",
            "float64",
            "longdouble",
            ">f4",
            ">f8",
            ">i4",
            "object",
        )
    },
    "Fortran order": np.asfortranarray,
    "every second row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "every second column": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "rows backwards": lambda x: x[::-1].copy()[::-1],
    "columns backwards": lambda x: x[:, ::-1].copy()[:, ::-1],
    "a window": lambda x: np.pad(x, 3)[3:-3, 3:-3],
    "read-only": read_only,
    "memmap": in_a_file,
    "lists": lambda x: x.tolist(),
    "tensor": lambda x: keras.convert_to_tensor(x),
    "unaligned": lambda x: np.frombuffer(b"." + x.tobytes(), dtype=x.dtype, offset=1).reshape(
        x.shape
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_x_of_any_kind_gives_the_bits_of_a_float32_copy(kind, tmp_path):
    in_a_file.folder = str(tmp_path)
    plain = PIXELS.astype("float32")
    results = []
    for x in (plain, KINDS[kind](plain)):
        model = classifier(optimizer=optimizers.SGD(1e-4), metrics=["accuracy"])
        history = trained(model, x, PIXEL_LABELS, epochs=2, batch_size=16)
        results.append(
            [
                *model.get_weights(),
                model.predict(x),
                np.array(history.history["loss"]),
                np.array(model.evaluate(x, PIXEL_LABELS)),
                model.predict(np.asarray(x)[3:4]),
            ]
        )
    assert arrays_equal(*results)


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int64", "uint64", "float64", "float16", "object"]
)
def test_labels_of_any_kind_give_the_same_bits(dtype):
    results = []
    for y in (LABELS.astype("int32"), LABELS.astype(dtype), LABELS.astype(dtype)[:, None]):
        model = classifier()
        trained(model, X, y % 2 if dtype == "bool" else y)
        results.append(model.get_weights())
        if dtype == "bool":
            results[0] = results[-1]
    assert arrays_equal(results[0], results[1]) and arrays_equal(results[0], results[2])


def test_repeated_row_of_a_broadcast_array_is_read():
    x = np.broadcast_to(X[0], (N, D))
    model = classifier()
    assert np.array_equal(model.predict(x), model.predict(x.copy()))


def test_pandas_data_is_accepted():
    pandas = pytest.importorskip("pandas")
    a, b = classifier(), classifier()
    trained(a, X, LABELS)
    trained(b, pandas.DataFrame(X), pandas.Series(LABELS))
    assert arrays_equal(a.get_weights(), b.get_weights())


def test_x_is_not_changed_by_training():
    x = X.astype("float64")
    before = x.copy()
    classifier(dropout=0.5).fit(x, LABELS, verbose=0)
    assert np.array_equal(x, before)


def test_vector_fits_a_model_of_one_feature_as_in_keras():
    x = np.linspace(0, 1, 20)
    a, b = line(), line()
    a.fit(x, 2 * x, shuffle=False, verbose=0)
    b.fit(x[:, None], 2 * x[:, None], shuffle=False, verbose=0)
    assert arrays_equal(a.get_weights(), b.get_weights())
    assert np.array_equal(a.predict(x), b.predict(x[:, None]))
    assert a.evaluate(x, 2 * x) == b.evaluate(x[:, None], 2 * x)


def test_integer_targets_beyond_int32_are_regressed_on():
    y = np.arange(N) * 10**10
    a, b = line(D, rate=1e-12), line(D, rate=1e-12)
    a.fit(X, y, shuffle=False, verbose=0)
    b.fit(X, y.astype("float64"), shuffle=False, verbose=0)
    assert a.get_weights()[1] > 0 and arrays_equal(a.get_weights(), b.get_weights())


def test_float64_model_computes_in_float64():
    with config.precision("float64"):
        model = classifier(optimizer=optimizers.SGD(0.5), metrics=["accuracy"])
    trained(model, X, LABELS, epochs=3, validation_split=0.2)  # outside of the block, too
    assert model.predict(X).dtype == np.float64
    assert all(w.dtype == np.float64 for w in model.get_weights())
    w1, b1, w2, b2 = model.get_weights()
    z = np.maximum(X.astype(float) @ w1 + b1, 0) @ w2 + b2
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    np.testing.assert_allclose(model.predict(X), p, rtol=1e-13)
    expected = -np.log(p[np.arange(N), LABELS]).mean()
    assert model.evaluate(X, LABELS)[0] == pytest.approx(expected, rel=1e-13)


def test_models_of_both_precisions_live_side_by_side():
    with config.precision("float64"):
        double = classifier()
    single = classifier()
    for model in (double, single):
        trained(model, X, LABELS, epochs=2)
    assert double.predict(X).dtype == np.float64 and single.predict(X).dtype == np.float32
    np.testing.assert_allclose(double.predict(X), single.predict(X), rtol=1e-4)


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_copied_model_predicts_and_trains_the_same_bits(how):
    model = classifier(optimizer="adam", dropout=0.3, metrics=["accuracy"])
    trained(model, X, LABELS)
    copied = pickle.loads(pickle.dumps(model)) if how == "pickle" else copy.deepcopy(model)
    assert np.array_equal(copied.predict(X), model.predict(X))
    assert copied.evaluate(X, LABELS) == model.evaluate(X, LABELS)
    for m in (model, copied):
        trained(m, X, LABELS)
    assert arrays_equal(copied.get_weights(), model.get_weights())


# Diverging


@pytest.mark.parametrize(
    "make",
    [
        lambda: (classifier(optimizer=optimizers.SGD(1e20)), X, LABELS),
        lambda: (line(D, rate=0.1), X * 255, Y * 255),
        lambda: (classifier(optimizer=optimizers.SGD(1e30)), PIXELS * 2, PIXEL_LABELS),
    ],
    ids=["rate", "unscaled regression", "unscaled pixels"],
)
def test_diverging_training_does_not_crash_and_warns_once_with_a_cure(make):
    model, x, y = make()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = model.fit(x, y, epochs=60, batch_size=8, verbose=0)
    assert not np.isfinite(history.history["loss"][-1]) and len(history.epoch) == 60
    assert len(caught) == 1 and issubclass(caught[0].category, RuntimeWarning)
    assert caught[0].filename == __file__
    message = str(caught[0].message)
    assert "diverged" in message and "learning rate" in message and "scale the input" in message


def test_converging_training_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained(classifier(), X, LABELS, epochs=3)


@pytest.mark.filterwarnings("ignore:the loss became")
def test_row_75_of_the_mission_overflows_and_stops_after_four_epochs():
    keras.utils.set_random_seed(0)
    model = keras.models.Sequential([layers.Dense(10)])
    model.compile(optimizers.SGD(), loss="mse")
    history = model.fit(
        np.arange(100).reshape(5, 20),
        np.zeros(5),
        epochs=10,
        batch_size=1,
        callbacks=callbacks.EarlyStopping(monitor="loss", patience=3),
        verbose=0,
    )
    loss = history.history["loss"]
    assert len(loss) == 4
    assert 1e15 < loss[0] < 1e19 and 1e31 < loss[1] < 1e37 and not np.isfinite(loss[2:]).any()


# Interruption

LONG_FIT = """
import signal, sys, time
import numpy as np
import nnlite as keras
from nnlite import layers

signal.signal(signal.SIGINT, signal.default_int_handler)
x = np.random.default_rng(0).normal(size=(20000, 100)).astype("float32")
y = (x[:, 0] > 0).astype("int32")
model = keras.Sequential([layers.Dense(64, "relu", input_shape=(100,)), layers.Dense(2, "softmax")])
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
before = model.evaluate(x, y)[0]

class Ready(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            print("training", flush=True)

try:
    model.fit(x, y, epochs=100000, verbose=0, callbacks=Ready())
except KeyboardInterrupt:
    print("interrupted", flush=True)
assert model.evaluate(x, y)[0] < before
assert np.isfinite(model.predict(x)).all()
history = model.fit(x[:1000], y[:1000], epochs=1, verbose=0)
assert np.isfinite(history.history["loss"][0])
print("usable", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_stops_a_long_fit_within_a_second_and_leaves_a_usable_model(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LONG_FIT)],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert child.stdout.readline() == "training\n", child.stderr.read()
        time.sleep(0.3)
        sent = time.perf_counter()
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n"
        assert time.perf_counter() - sent < 1
        out, err = child.communicate(timeout=60)
        assert out == "usable\n" and child.returncode == 0, err
    finally:
        child.kill()


def test_interrupted_fit_restores_the_best_weights_that_early_stopping_kept():
    kept = {}

    class Interrupt(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept[epoch] = self.model.get_weights()
            if epoch == 3:
                raise KeyboardInterrupt

    model = line(D, rate=5.0)
    stop = callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=9, verbose=0, callbacks=[stop, Interrupt()])
    assert arrays_equal(model.get_weights(), kept[0])


# Refusals: before any work

NAN, INF = X.copy(), X.copy()
NAN[7, 2], INF[7, 2] = np.nan, -np.inf
BAD_FIT = {
    "empty": (
        lambda: (X[:0], LABELS[:0]),
        {},
        ValueError,
        r"x: expected at least one sample, got shape \(0, 6\)",
    ),
    "scalar": (lambda: (3.0, 1), {}, ValueError, r"x: expected one row per sample"),
    "width": (
        lambda: (X[:, :5], LABELS),
        {},
        ValueError,
        r"layer 'dense' \(Dense\): expected .* 6 features .*got shape \(\d+, 5\)",
    ),
    "rank 1": (
        lambda: (X[:, 0], LABELS),
        {},
        ValueError,
        r"layer 'dense' .*2 dimensions.*got shape \(\d+,\)",
    ),
    "rank 3": (
        lambda: (X[:, :, None], LABELS),
        {},
        ValueError,
        r"layer 'dense' .*6 features.*, 6, 1\)",
    ),
    "NaN": (lambda: (NAN, LABELS), {}, ValueError, r"x: expected finite values, got NaN"),
    "infinity": (lambda: (INF, LABELS), {}, ValueError, r"x: expected finite values, got NaN"),
    "NaN label": (lambda: (X, NAN[:, 2]), {}, ValueError, r"y: expected finite values"),
    "text": (
        lambda: (X.astype(str), LABELS),
        {},
        TypeError,
        r"x: expected numbers, got values of type <U",
    ),
    "text label": (
        lambda: (X, LABELS.astype(str)),
        {},
        TypeError,
        r"y: expected numbers, got .*type <U",
    ),
    "objects": (
        lambda: (np.full((N, D), None), LABELS),
        {},
        (TypeError, ValueError),
        r"x: expected",
    ),
    "complex": (lambda: (X + 1j, LABELS), {}, TypeError, r"x: expected numbers, got .*complex"),
    "dates": (
        lambda: (X.astype("int64").astype("M8[s]"), LABELS),
        {},
        TypeError,
        r"x: expected numbers",
    ),
    "y missing": (
        lambda: (X, None),
        {},
        ValueError,
        r"y: expected targets for the loss .*got None",
    ),
    "y too short": (
        lambda: (X, LABELS[:9]),
        {},
        ValueError,
        r"y: expected 50 samples, as many as x has, got 9",
    ),
    "y too wide": (
        lambda: (X, np.eye(L)[LABELS]),
        {},
        ValueError,
        r"expected labels of shape .*one-hot rows",
    ),
    "label too large": (
        lambda: (X, LABELS + 1),
        {},
        ValueError,
        r"y: expected labels in \[0, 3\), .*got 3",
    ),
    "label negative": (
        lambda: (X, LABELS - 1),
        {},
        ValueError,
        r"y: expected labels in \[0, 3\), .*got -1",
    ),
    "label huge": (
        lambda: (X, LABELS + 2**40),
        {},
        ValueError,
        r"y: expected labels in \[0, 3\), .*got 10995",
    ),
    "label broken": (
        lambda: (X, LABELS + 0.5),
        {},
        ValueError,
        r"y: expected integer labels, got .*5",
    ),
    "weight too short": (
        lambda: (X, LABELS),
        {"sample_weight": np.ones(9)},
        ValueError,
        r"sample_weight: expected 50 samples, as many as x has, got 9",
    ),
    "weight too wide": (
        lambda: (X, LABELS),
        {"sample_weight": np.ones((N, 2))},
        ValueError,
        r"sample_weight: expected a shape that fits .*, 2\)",
    ),
    "weight NaN": (
        lambda: (X, LABELS),
        {"sample_weight": NAN[:, 2]},
        ValueError,
        r"sample_weight: .*finite",
    ),
    "weights that differ": (
        lambda: (X, LABELS),
        {"sample_weight": np.ones(9), "class_weight": {0: 2}},
        ValueError,
        r"sample_weight: expected shape \(50,\), got \(9,\)",
    ),
    "class_weight": (
        lambda: (X, LABELS),
        {"class_weight": [1, 2]},
        TypeError,
        r"class_weight: expected a dict",
    ),
    "batch_size 0": (
        lambda: (X, LABELS),
        {"batch_size": 0},
        ValueError,
        r"batch_size .*positive integer, got 0",
    ),
    "batch_size -3": (lambda: (X, LABELS), {"batch_size": -3}, ValueError, r"batch_size .*got -3"),
    "batch_size 2.5": (
        lambda: (X, LABELS),
        {"batch_size": 2.5},
        ValueError,
        r"batch_size .*got 2.5",
    ),
    "epochs": (
        lambda: (X, LABELS),
        {"epochs": -1},
        ValueError,
        r"epochs .*positive integer, got -1",
    ),
    "initial_epoch": (
        lambda: (X, LABELS),
        {"initial_epoch": -1},
        ValueError,
        r"initial_epoch .*got -1",
    ),
    "verbose": (
        lambda: (X, LABELS),
        {"verbose": 5},
        ValueError,
        r"verbose 'auto', 0, 1 or 2, got 5",
    ),
    "validation_batch_size": (
        lambda: (X, LABELS),
        {"validation_batch_size": 0},
        ValueError,
        r"validation_batch_size .*got 0",
    ),
    "validation_split 1": (
        lambda: (X, LABELS),
        {"validation_split": 1.0},
        ValueError,
        r"validation_split.*got 1",
    ),
    "validation_split -1": (
        lambda: (X, LABELS),
        {"validation_split": -1},
        ValueError,
        r"validation_split.*got -1",
    ),
    "validation_split small": (
        lambda: (X, LABELS),
        {"validation_split": 1 - 1e-9},
        ValueError,
        r"validation_split: .* of 50 samples leaves one part empty",
    ),
    "validation of 4": (
        lambda: (X, LABELS),
        {"validation_data": (X, LABELS, X, X)},
        ValueError,
        r"expected \(x,\), \(x, y\) or \(x, y, sample_weight\), got 4",
    ),
    "validation width": (
        lambda: (X, LABELS),
        {"validation_data": (X[:, :5], LABELS)},
        ValueError,
        r"layer 'dense' .*6 features.*5\)",
    ),
    "validation labels": (
        lambda: (X, LABELS),
        {"validation_data": (X, LABELS + 1)},
        ValueError,
        r"y: expected labels in \[0, 3\), .*got 3",
    ),
    "validation NaN": (
        lambda: (X, LABELS),
        {"validation_data": (NAN, LABELS)},
        ValueError,
        r"x: .*finite",
    ),
    "validation rows": (
        lambda: (X, LABELS),
        {"validation_data": (X, LABELS[:9])},
        ValueError,
        r"y: .*50.*9",
    ),
    "callback": (
        lambda: (X, LABELS),
        {"callbacks": [3]},
        TypeError,
        r"a Callback or a list of them, got 3",
    ),
    "callbacks": (
        lambda: (X, LABELS),
        {"callbacks": "es"},
        TypeError,
        r"a Callback or a list of them, got 'e'",
    ),
}


@pytest.mark.parametrize("case", BAD_FIT)
def test_fit_refuses_before_any_work(case):
    data, arguments, error, message = BAD_FIT[case]
    model = classifier()
    before, seen = model.get_weights(), Seen()
    arguments = {"callbacks": seen, "verbose": 0, "batch_size": 8, **arguments}
    with pytest.raises(error, match=message):
        model.fit(*data(), **arguments)
    assert arrays_equal(model.get_weights(), before) and int(model.optimizer.iterations) == 0
    assert not any("epoch 0 end" in c for c in seen.calls)
    assert np.isfinite(model.fit(X, LABELS, verbose=0).history["loss"][0])  # and works as before


@pytest.mark.parametrize(
    "case",
    [
        "empty",
        "width",
        "rank 1",
        "text",
        "complex",
        "y too short",
        "y missing",
        "y too wide",
        "label too large",
        "label negative",
        "label broken",
    ],
)
@pytest.mark.parametrize("method", ["evaluate", "train_on_batch"])
def test_evaluate_and_train_on_batch_refuse_the_same(case, method):
    data, _, error, message = BAD_FIT[case]
    model = classifier()
    before = model.get_weights()
    with pytest.raises(error, match=message):
        getattr(model, method)(*data())
    assert arrays_equal(model.get_weights(), before) and int(model.optimizer.iterations) == 0


def test_train_on_batch_refuses_nan():
    model = classifier()
    with pytest.raises(ValueError, match=r"x: expected finite values"):
        model.train_on_batch(NAN, LABELS)
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize(
    "case", ["empty", "scalar", "width", "rank 1", "rank 3", "text", "complex"]
)
def test_predict_refuses_what_does_not_fit(case):
    data, _, error, message = BAD_FIT[case]
    with pytest.raises(error, match=message):
        classifier().predict(data()[0])


def test_predict_of_nan_is_nan_in_that_row_alone():
    finite = np.isfinite(classifier().predict(NAN)).all(axis=1)
    assert not finite[7] and finite.sum() == N - 1


@pytest.mark.parametrize(
    "y, loss, message",
    [
        (
            Y[:, [0, 0]],
            "mse",
            r"mean_squared_error: expected targets of shape \(\d+, 3\), got \(\d+, 2\)",
        ),
        (
            LABELS,
            "categorical_crossentropy",
            r"categorical.*\(\d+, 3\), got \(\d+,\); integer labels go with sparse",
        ),
        (
            LABELS,
            "binary_crossentropy",
            r"binary_crossentropy: expected targets of shape \(\d+, 3\), got \(\d+,\)",
        ),
    ],
)
def test_targets_that_do_not_fit_the_loss_are_refused_before_any_work(y, loss, message):
    model = classifier()
    model.compile("sgd", loss)
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, verbose=0)
    assert arrays_equal(model.get_weights(), before)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"optimizer": "nope"}, ValueError, r"unknown optimizer 'nope'; known: adam, sgd"),
        ({"optimizer": 3}, TypeError, r"optimizer.*got 3"),
        ({"optimizer": "sgd", "loss": "nope"}, ValueError, r"unknown loss 'nope'; known: "),
        ({"optimizer": "sgd", "metrics": ["nope"]}, ValueError, r"unknown metric 'nope'; known: "),
        (
            {"optimizer": "sgd", "weighted_metrics": "nope"},
            ValueError,
            r"unknown metric 'nope'; known: ",
        ),
        ({"optimizer": "sgd", "losses": "mse"}, TypeError, r"compile: unknown arguments losses"),
        ({"optimizer": "sgd", "n_threads": 0}, ValueError, r"n_threads .*positive integer, got 0"),
    ],
)
def test_compile_refuses_unknown_names(arguments, error, message):
    with pytest.raises(error, match=message):
        line(D).compile(**arguments)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch"])
def test_model_that_was_not_compiled_says_so(method):
    model = keras.Sequential([layers.Dense(1)], name="bare")
    with pytest.raises(
        RuntimeError, match=r"model 'bare': call compile\(optimizer=..., loss=...\) before"
    ):
        getattr(model, method)(X, Y)


@pytest.mark.parametrize("shape", [(0,), (-2,), ("a",), (2.5,), -1])
def test_bad_input_shape_is_refused_and_names_the_layer(shape):
    with pytest.raises(ValueError, match=r"layer 'first': expected an input_shape of positive int"):
        keras.Sequential([layers.Dense(2, input_shape=shape, name="first")])


def test_error_in_the_first_use_of_a_deferred_model_leaves_it_usable():
    model = keras.Sequential([layers.Reshape((3, 2)), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"layer 'reshape' \(Reshape\)"):
        model.fit(X[:, :5], Y, verbose=0)
    assert np.isfinite(model.fit(X, Y, verbose=0).history["loss"][0])
    assert model.count_params() == 7
