"""Callbacks: when they are called, what they do by Keras's rules, and what `fit` prints."""

import math

import numpy as np
import pytest
from small_models import LABELS, Batches, D, Seen, X, Y, arrays_equal, classifier, line, trained

from nnlite import callbacks, metrics

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
    assert seen.params == {"epochs": 1, "steps": 3, "verbose": 0, "do_validation": True}
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


def test_callback_may_add_figures_for_those_after_it_and_for_the_history():
    class Ratio(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["ratio"] = float(epoch)

    stop = callbacks.EarlyStopping("ratio", mode="min", patience=1)
    history = line(D).fit(X, Y, epochs=9, verbose=0, callbacks=[Ratio(), stop]).history
    assert history["ratio"] == [0.0, 1.0]


HOOKS = [
    f"on_{what}_{when}"
    for what in ("train", "epoch", "train_batch", "batch", "test", "test_batch", "predict")
    for when in ("begin", "end")
] + ["on_predict_batch_begin", "on_predict_batch_end"]


def noting(calls, only=HOOKS):
    """A LambdaCallback that notes its calls: (method without 'on_', arguments)."""
    return callbacks.LambdaCallback(
        **{name: lambda *args, name=name: calls.append((name[3:], *args)) for name in only}
    )


def test_hooks_of_fit_evaluate_and_predict_are_called_in_keras_order():
    calls, model = [], line(D)
    watcher = noting(calls, [h for h in HOOKS if h not in ("on_batch_begin", "on_batch_end")])
    model.fit(X[:6], Y[:6], batch_size=4, verbose=0, callbacks=watcher, validation_split=1 / 3)
    assert [c[:2] if "batch" in c[0] else c[0] for c in calls] == [
        "train_begin",
        "epoch_begin",
        ("train_batch_begin", 0),
        ("train_batch_end", 0),
        "test_begin",
        ("test_batch_begin", 0),
        ("test_batch_end", 0),
        "test_end",
        "epoch_end",
        "train_end",
    ]
    calls.clear()
    figures = model.evaluate(X[:6], Y[:6], batch_size=4, callbacks=[watcher], return_dict=True)
    around = ["test_batch_begin", "test_batch_end"]
    assert [c[0] for c in calls] == ["test_begin", *around, *around, "test_end"]
    assert calls[-1][1] == figures and calls[4][1] == 1
    calls.clear()
    outputs = model.predict(X[:6], batch_size=4, callbacks=[watcher])
    assert [c[0] for c in calls[:2] + calls[-1:]] == [
        "predict_begin",
        "predict_batch_begin",
        "predict_end",
    ]
    seen = [c[2]["outputs"] for c in calls if c[0] == "predict_batch_end"]
    assert [len(part) for part in seen] == [4, 2]
    assert np.array_equal(np.concatenate(seen), outputs)
    assert np.array_equal(outputs, model.predict(X[:6]))


def test_keras_2_names_of_the_batch_hooks_are_called_in_training_alone():
    calls, model = [], line(D)
    watcher = noting(calls, ["on_batch_begin", "on_batch_end"])
    model.fit(X, Y, batch_size=25, verbose=0, callbacks=watcher)
    model.evaluate(X, Y, callbacks=watcher)
    assert [c[:2] for c in calls] == [
        (f"batch_{when}", k) for k in range(2) for when in ("begin", "end")
    ]

    class Old(callbacks.Callback):
        def on_batch_end(self, batch, logs=None):
            calls.append(logs["loss"])

    model.fit(X, Y, batch_size=25, verbose=0, callbacks=Old())
    assert all(type(c) is float for c in calls[4:]) and len(calls) == 6


@pytest.mark.parametrize("name", HOOKS)
def test_lambda_callback_stands_for_each_hook(name):
    calls, model = [], line(D)
    watcher = noting(calls, [name])
    kinds = [kind for kind in ("train", "test", "predict") if watcher.wants_batches(kind)]
    batches = name[3:].rpartition("_")[0].removesuffix("_batch").replace("batch", "train")
    assert kinds == ([batches] if "batch" in name else [])
    model.fit(X[:4], Y[:4], verbose=0, callbacks=watcher, validation_split=0.5)
    model.predict(X[:4], callbacks=watcher)
    assert [c[0] for c in calls] == [name[3:]]


def test_lambda_callback_knows_no_other_hook():
    with pytest.raises(TypeError, match="no method 'on_epoch_ends'; did you mean 'on_epoch_end'"):
        callbacks.LambdaCallback(on_epoch_ends=print)
    assert callbacks.LambdaCallback(show=print).show is print


def test_evaluation_and_prediction_can_be_stopped():
    model = line(D)

    def stop(what):
        return lambda batch, logs: setattr(model, f"stop_{what}", batch == 1)

    watcher = callbacks.LambdaCallback(
        on_test_batch_end=stop("evaluating"), on_predict_batch_end=stop("predicting")
    )
    found = model.evaluate(X, Y, batch_size=10, callbacks=watcher)
    assert found == pytest.approx((Y[:20].astype(float) ** 2).mean(), rel=1e-6)
    assert model.predict(X, batch_size=10, callbacks=watcher).shape == (20, 1)
    assert model.predict(X).shape == (50, 1)  # the next one is not stopped


def test_validation_freq_says_after_which_epochs_to_evaluate():
    for freq, expected in ((2, [1, 3]), ([1, 4], [0, 3]), (9, [])):
        calls = []
        watcher = callbacks.LambdaCallback(
            on_epoch_end=lambda e, logs, calls=calls: calls.append("val_loss" in logs)
        )
        line(D).fit(
            X, Y, epochs=5, verbose=0, callbacks=watcher, validation_split=0.2, validation_freq=freq
        )
        assert [k for k, due in enumerate(calls) if due] == expected


def test_a_monitor_waits_for_epochs_with_validation():
    stop = callbacks.EarlyStopping(patience=1)
    model = line(D, rate=5.0)
    history = model.fit(
        X[:8],
        Y[:8],
        epochs=9,
        batch_size=4,
        verbose=0,
        callbacks=stop,
        validation_data=(X[:8], Y[:8]),
        validation_freq=2,
    )
    assert len(history.epoch) == 4 and len(history.history["val_loss"]) == 2


class Scripted:
    """Stands for a model whose only weight is the number of the epoch."""

    stop_training = False
    metrics = (metrics.BinaryAccuracy("accuracy"),)

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
        ({}, r"monitor 'val_loss' is not among the logs loss; .*validation"),
        ({"monitor": "los"}, r"monitor 'los' is not among the logs loss"),
        ({"monitor": "loss", "mode": "down"}, r"mode: expected 'auto', 'min' or 'max', got 'down'"),
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
