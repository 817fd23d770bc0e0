"""Training: what `fit` does, in Keras's way; eager and planned; diverging; interrupted."""

import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from small_models import (
    LABELS,
    D,
    L,
    N,
    OwnStep,
    TwoLayers,
    X,
    Y,
    arrays_equal,
    classifier,
    line,
    trained,
)

import nnlite as keras
from nnlite import callbacks, layers, losses, metrics, ops, optimizers, regularizers


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
    model, weight = line(D, rate=0.1), np.random.default_rng(1).random(N)
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
    apply_class_weight = fitted(class_weight={0: 3.0, 2: 0.5})
    assert arrays_equal(apply_class_weight, fitted(sample_weight=weight))
    assert not np.array_equal(apply_class_weight[0], fitted()[0])
    both = fitted(class_weight={0: 3.0, 2: 0.5}, sample_weight=np.arange(N) / N)
    assert arrays_equal(both, fitted(sample_weight=weight * np.arange(N) / N))
    absent = fitted(class_weight={np.int8(0): 3, 2.0: np.float32(0.5), 7: 9.0, -1: 9.0})
    assert arrays_equal(absent, apply_class_weight)


def test_metrics_ignore_sample_weights_and_weighted_metrics_use_them():
    model = classifier(metrics=["accuracy"], weighted_metrics=["accuracy"])
    weight = np.random.default_rng(1).random(N)
    logs = model.evaluate(X, LABELS, sample_weight=weight, return_dict=True)
    right = model.predict(X).argmax(1) == LABELS
    assert list(logs) == ["loss", "accuracy", "weighted_accuracy"]
    assert logs["accuracy"] == pytest.approx(right.mean(), rel=1e-6)
    assert logs["weighted_accuracy"] == pytest.approx(np.average(right, weights=weight), rel=1e-6)


def test_two_metrics_of_one_name_are_told_apart():
    model = classifier(metrics=["accuracy", metrics.SparseCategoricalAccuracy(name="accuracy")])
    assert list(model.evaluate(X, LABELS, return_dict=True)) == ["loss", "accuracy", "accuracy_1"]


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


# Diverging


@pytest.mark.parametrize(
    "make",
    [
        lambda: (classifier(optimizer=optimizers.SGD(1e20)), X, LABELS),
        lambda: (line(D, rate=0.1), X * 255, Y * 255),
        lambda: (
            classifier(optimizer=optimizers.SGD(1e30)),
            np.abs(X * 100).astype("uint8"),
            LABELS,
        ),
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
        [sys.executable, "-P", "-c", LONG_FIT],
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


@pytest.mark.parametrize(
    "loss, activation, cure",
    [
        ("sparse_categorical_crossentropy", "relu", "end with activation='softmax', or without"),
        ("poisson", None, "the logarithm; end with activation='exponential' or 'softplus'"),
    ],
)
def test_a_nan_loss_is_put_down_to_outputs_that_the_loss_cannot_take(loss, activation, cure):
    model = keras.Sequential([layers.Dense(L, activation, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(1e-6), loss)
    targets = LABELS if "sparse" in loss else np.eye(L)[LABELS]
    with pytest.warns() as caught:
        history = model.fit(-abs(X), targets, epochs=2, verbose=0).history
    assert np.isnan(history["loss"][-1])
    said = [str(w.message) for w in caught if "the loss became nan" in str(w.message)]
    assert len(said) == 1 and cure.split("; ")[-1] in said[0] and "learning rate" not in said[0]


def test_a_moving_variance_that_overflows_is_warned_of_once():
    model = keras.Sequential([layers.BatchNormalization(input_shape=(D,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.warns(RuntimeWarning, match="moving_variance is no longer finite") as caught:
        history = model.fit(X.astype("f4") * 1e25, Y, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all() and caught[0].filename == __file__
    assert len([w for w in caught if w.category is RuntimeWarning]) == 1
