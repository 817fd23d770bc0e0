"""An evaluation inside a fit of the same model has metrics of its own."""

import threading

import numpy as np
import pytest
from small_models import LABELS, D, L, X, Y, classifier, trained

import nnlite as keras
from nnlite import callbacks, layers, metrics


def two_outputs():
    inputs = keras.Input((D,))
    outputs = [layers.Dense(L, "softmax")(inputs), layers.Dense(1)(inputs)]
    model = keras.Model(inputs, outputs)
    losses = ["sparse_categorical_crossentropy", "mse"]
    model.compile("adam", losses, metrics=[[metrics.SparseCategoricalAccuracy()], ["mae"]])
    return model


class OwnMetric(keras.Model):
    """Whose steps update a metric that is an attribute."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(L, "softmax")
        self.error = metrics.Mean("error")

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        return {**super().train_step(data), **self.test_step(data)}

    def test_step(self, data):
        x, y = data
        self.error.update_state(keras.losses.sparse_categorical_crossentropy(y, self(x)))
        return {"error": self.error.result()}


def own_metric():
    model = OwnMetric()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


MODELS = {
    "classifier": (lambda: classifier(0, "adam", metrics=["accuracy"]), LABELS),
    "eager": (lambda: classifier(0, "adam", metrics=["accuracy"], run_eagerly=True), LABELS),
    "two outputs": (two_outputs, [LABELS, Y]),
    "own metric": (own_metric, LABELS),
}


@pytest.mark.parametrize("name", MODELS)
def test_evaluation_in_a_callback_changes_neither_the_history_nor_itself(name):
    make, y = MODELS[name]
    part = [a[:20] for a in y] if isinstance(y, list) else y[:20]
    seen = []

    class Look(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(self.model.evaluate(X[:20], part, return_dict=True))
            assert self.model.test_on_batch(X[:20], part, return_dict=True) == seen[-1]
            self.model.predict(X)

    def fit(*looking):
        keras.utils.set_random_seed(3)
        model = make()
        history = trained(model, X, y, epochs=3, validation_data=(X[:20], part), callbacks=looking)
        return model, history.history

    alone, expected = fit()
    model, history = fit(Look())
    assert history == expected
    assert seen[-1] == model.evaluate(X[:20], part, return_dict=True)
    assert all(map(np.array_equal, model.get_weights(), alone.get_weights()))


def test_a_batch_in_a_callback_trains_the_models_own_weights():
    changed = []

    class Train(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            before = self.model.get_weights()
            self.model.train_on_batch(X[:20], LABELS[:20])
            pairs = zip(before, self.model.get_weights())
            changed.append(not all(np.array_equal(*pair) for pair in pairs))

    trained(own_metric(), X, LABELS, epochs=2, callbacks=[Train()])
    assert changed == [True, True]


def test_evaluations_in_other_threads_leave_the_history_of_a_fit_alone():
    expected = trained(classifier(metrics=["accuracy"]), X, LABELS, epochs=60).history
    model, over, results = classifier(metrics=["accuracy"]), threading.Event(), []

    def evaluate():
        while not over.is_set():
            results.append(model.evaluate(X, LABELS))

    threads = [threading.Thread(target=evaluate) for _ in range(2)]
    started = callbacks.LambdaCallback(
        on_train_begin=lambda logs: [thread.start() for thread in threads]
    )
    history = trained(model, X, LABELS, epochs=60, callbacks=started).history
    over.set()
    for thread in threads:
        thread.join()
    assert history == expected and results and np.isfinite(results).all()


def test_callback_stops_an_evaluation_inside_a_fit():
    seen = []

    class Stop(callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            seen.append(batch)
            self.model.stop_evaluating = batch == 1

    class Look(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.evaluate(X, LABELS, batch_size=8, callbacks=Stop())

    trained(classifier(), X, LABELS, callbacks=Look())
    assert seen == [0, 1]
