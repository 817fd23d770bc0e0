"""Callbacks that change the learning rate, write a file, stop what diverges: Keras's rules."""

import math
import types

import numpy as np
import pytest
from small_models import LABELS, D, X, Y, arrays_equal, classifier, line, trained

from nnlite import callbacks, configurable

# The learning rate


def run_plateau(kind, values, rate, **settings):
    """The rates after each epoch, by nnlite's or Keras's class."""
    optimizer = types.SimpleNamespace(learning_rate=rate)
    optimizer._rates = lambda: {"learning_rate": optimizer}
    model = types.SimpleNamespace(optimizer=optimizer, metrics=[])
    reduce = kind(**{"monitor": "val_loss", "mode": "min", **settings})
    reduce.set_model(model)
    reduce.on_train_begin()
    rates = []
    for epoch, value in enumerate(values):
        logs = {"val_loss": value}
        before = model.optimizer.learning_rate
        reduce.on_epoch_end(epoch, logs)
        assert logs["learning_rate"] == before
        rates.append(model.optimizer.learning_rate)
    return rates


PLATEAUS = [
    ([3, 2, 1], {"patience": 1}, [8, 8, 8]),
    ([3, 3, 3, 3, 3], {"patience": 2, "factor": 0.5}, [8, 8, 4, 4, 2]),
    ([3, 4, 2, 5, 5, 5], {"patience": 2, "factor": 0.5}, [8, 8, 8, 8, 4, 4]),
    ([3, 3, 3, 3], {"patience": 1, "factor": 0.5, "min_lr": 3}, [8, 4, 3, 3]),
    ([3, 3, 3, 3, 3, 3], {"patience": 1, "factor": 0.5, "cooldown": 2}, [8, 4, 4, 2, 2, 1]),
    ([3, 2.95, 2.9], {"patience": 1, "factor": 0.5, "min_delta": 0.2}, [8, 4, 2]),
    ([3, 2.99995, 2.99991, 2.9], {"patience": 1, "factor": 0.5}, [8, 4, 2, 2]),
    ([1, 2, 3, 3], {"patience": 1, "factor": 0.5, "mode": "max"}, [8, 8, 8, 4]),
    ([3] * 12, {"factor": 0.5}, [8] * 10 + [4] * 2),  # patience 10
    ([3] * 4, {"patience": 0, "factor": 0.5}, [8, 4, 2, 1]),
]


@pytest.mark.parametrize("values, settings, rates", PLATEAUS)
def test_reduce_lr_on_plateau_by_hand(values, settings, rates):
    assert run_plateau(callbacks.ReduceLROnPlateau, values, 8.0, **settings) == rates


@pytest.mark.parametrize("values, settings, rates", PLATEAUS)
def test_reduce_lr_on_plateau_is_kerass(values, settings, rates):
    peer = pytest.importorskip("keras").callbacks.ReduceLROnPlateau
    assert run_plateau(peer, values, 8.0, **settings) == rates


def test_reduce_lr_on_plateau_in_fit(capsys):
    model = line(D, rate=0.2)
    reduce = callbacks.ReduceLROnPlateau(
        "loss", 0.4, patience=2, min_delta=1e9, min_lr=0.1, verbose=1
    )
    for _ in range(2):  # one object serves two trainings
        model.optimizer.learning_rate = 0.2
        history = model.fit(X, Y, epochs=6, verbose=0, callbacks=reduce).history
        assert list(history) == ["loss", "learning_rate"]
        assert history["learning_rate"] == pytest.approx([0.2] * 3 + [0.1] * 3)
        # At min_lr nothing is reduced any more, though float32 rounds it.
        assert capsys.readouterr().out == (
            "\nEpoch 3: ReduceLROnPlateau reducing learning rate to 0.1.\n"
        )


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"factor": 1.0}, r"factor: expected a number in \[0, 1\), got 1.0"),
        ({"patience": -1}, r"patience: expected a number in \[0, inf\], got -1"),
        ({"min_delta": "a"}, r"min_delta: expected a number in \(-inf, inf\), got 'a'"),
        ({"cooldown": -1}, r"cooldown: expected a number in \[0, inf\], got -1"),
        ({"min_lr": None}, r"min_lr: expected a number in \[0, inf\), got None"),
        ({"mode": "up"}, "mode: expected 'auto', 'min' or 'max', got 'up'"),
        ({"monitor": 3}, "monitor: expected a string, got 3"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(settings, message):
    with pytest.raises(ValueError, match=f"ReduceLROnPlateau: {message}"):
        callbacks.ReduceLROnPlateau(**settings)


def test_reduce_lr_on_plateau_cannot_watch_what_is_not_in_the_logs():
    with pytest.raises(ValueError, match="'val_loss' is not among the logs loss"):
        line(D).fit(X, Y, verbose=0, callbacks=callbacks.ReduceLROnPlateau())


@pytest.mark.parametrize(
    "schedule, rates",
    [
        (lambda epoch: 0.1 / (epoch + 1), [0.1, 0.05, 0.1 / 3]),
        (lambda epoch, rate: rate * 0.5, [0.1, 0.05, 0.025]),
        (lambda epoch, rate=0.4: rate / 2, [0.1, 0.05, 0.025]),
        (lambda epoch, rate: np.float32(1 - epoch), [1, 0, -1][:2]),
    ],
)
def test_learning_rate_scheduler_sets_the_rate_of_each_epoch(schedule, rates, capsys):
    model = line(D, rate=0.2)
    scheduler = callbacks.LearningRateScheduler(schedule, verbose=1)
    history = model.fit(X, Y, epochs=len(rates), verbose=0, callbacks=scheduler).history
    assert history["learning_rate"] == pytest.approx(rates, rel=1e-6)
    rows = capsys.readouterr().out.split()
    assert rows.count("LearningRateScheduler") == len(rates)


def test_the_scheduled_rate_is_the_one_that_trains():
    scheduled, constant = line(D, rate=9.0), line(D, rate=0.05)
    trained(scheduled, X, Y, callbacks=callbacks.LearningRateScheduler(lambda epoch: 0.05))
    trained(constant, X, Y)
    assert arrays_equal(scheduled.get_weights(), constant.get_weights())


def test_errors_of_a_schedule_are_not_hidden():
    def schedule(epoch, rate):
        return rate * "a" + 1

    with pytest.raises(TypeError, match="can't multiply"):
        line(D).fit(X, Y, verbose=0, callbacks=callbacks.LearningRateScheduler(schedule))
    scheduler = callbacks.LearningRateScheduler(lambda epoch: "fast")
    with pytest.raises(ValueError, match="expected the schedule to return a number, got 'fast'"):
        line(D).fit(X, Y, verbose=0, callbacks=scheduler)


# A file of figures


def rows_of(path):
    return path.read_text().splitlines()


def test_csv_logger_writes_a_line_for_each_epoch(tmp_path):
    path = tmp_path / "log.csv"
    log = callbacks.CSVLogger(path)
    seen = []
    watcher = callbacks.LambdaCallback(on_epoch_end=lambda e, logs: seen.append(rows_of(path)))
    model = classifier(metrics=["accuracy"])
    history = model.fit(
        X, LABELS, epochs=3, verbose=0, validation_split=0.2, callbacks=[log, watcher]
    ).history
    header, *rows = rows_of(path)
    assert header == "epoch,accuracy,loss,val_accuracy,val_loss"
    for k, row in enumerate(rows):
        values = [float(v) for v in row.split(",")]
        assert values == [k, *(history[name][k] for name in header.split(",")[1:])]
        assert seen[k] == rows_of(path)[: k + 2]  # complete after its epoch
    model.fit(X, LABELS, verbose=0, callbacks=callbacks.CSVLogger(str(path), separator=";"))
    assert rows_of(path)[0] == "epoch;accuracy;loss" and len(rows_of(path)) == 2


def test_csv_logger_appends_without_a_second_header(tmp_path):
    path = tmp_path / "log.csv"
    log = callbacks.CSVLogger(path, append=True)
    for start in (0, 2):
        line(D).fit(X, Y, initial_epoch=start, epochs=start + 2, verbose=0, callbacks=log)
    assert [row.split(",")[0] for row in rows_of(path)] == ["epoch", "0", "1", "2", "3"]


def test_csv_logger_leaves_room_for_validation_that_comes_later(tmp_path):
    path = tmp_path / "log.csv"
    line(D).fit(
        X,
        Y,
        epochs=2,
        verbose=0,
        validation_split=0.2,
        validation_freq=2,
        callbacks=callbacks.CSVLogger(path),
    )
    header, first, second = rows_of(path)
    assert header == "epoch,loss,val_loss" and first.endswith(",NA") and "NA" not in second


def test_csv_logger_writes_kerass_file(tmp_path):
    peer = pytest.importorskip("keras").callbacks.CSVLogger
    figures = [
        {"loss": 0.5, "b": np.float64(2.0), "s": "x", "l": [1, 2], "z": np.array(3)},
        {"loss": 0.25},
    ]
    for kind, name in ((callbacks.CSVLogger, "ours"), (peer, "theirs")):
        log = kind(str(tmp_path / name))
        log.on_train_begin()
        for epoch, logs in enumerate(figures):
            log.on_epoch_end(epoch, logs)
        log.on_train_end()
    assert rows_of(tmp_path / "ours") == rows_of(tmp_path / "theirs")


# Diverging


@pytest.mark.filterwarnings("ignore:the loss became")
@pytest.mark.parametrize("eager", [False, True])
def test_terminate_on_nan_stops_within_the_epoch(eager, capsys):
    model = line(D, rate=1e30, run_eagerly=eager)
    stop = callbacks.TerminateOnNaN()
    history = model.fit(X, Y, batch_size=1, epochs=9, verbose=0, callbacks=stop)
    assert len(history.epoch) == 1 and not math.isfinite(history.history["loss"][0])
    assert int(model.optimizer.iterations) < 50
    assert capsys.readouterr().out.endswith("Invalid loss, terminating training\n")


def test_terminate_on_nan_can_raise_and_leaves_good_training_alone():
    stop = callbacks.TerminateOnNaN(raise_error=True)
    assert len(line(D).fit(X, Y, epochs=3, verbose=0, callbacks=stop).epoch) == 3
    with pytest.raises(RuntimeError, match=r"the loss became (inf|nan) by batch \d"):
        line(D, rate=1e30).fit(X, Y, batch_size=1, verbose=0, callbacks=stop)


def test_terminate_on_nan_does_not_change_a_bit():
    a, b = classifier(dropout=0.3), classifier(dropout=0.3)
    trained(a, X, LABELS, epochs=2, batch_size=8)
    trained(b, X, LABELS, epochs=2, batch_size=8, callbacks=callbacks.TerminateOnNaN())
    assert arrays_equal(a.get_weights(), b.get_weights())


# Settings

CASES = {
    callbacks.BackupAndRestore: {"backup_dir": "backup", "save_freq": 3, "double_checkpoint": True},
    callbacks.CSVLogger: {"filename": "a.csv", "separator": ";"},
    callbacks.Callback: {},
    callbacks.CallbackList: {},
    callbacks.RemoteMonitor: {"root": "http://a", "path": "/b", "headers": {"c": "d"}},
    callbacks.EarlyStopping: {"patience": 2},
    callbacks.History: {},
    callbacks.LambdaCallback: {"on_epoch_end": print},
    callbacks.LearningRateScheduler: {"schedule": max, "verbose": 1},
    callbacks.MLflow: {"run_name": "first"},
    callbacks.ModelCheckpoint: {"filepath": "a.keras", "save_freq": 3, "save_best_only": True},
    callbacks.OptunaPruning: {
        "trial": types.SimpleNamespace(report=print, should_prune=bool),
        "monitor": "val_loss",
    },
    callbacks.ProgbarLogger: {"verbose": 2},
    callbacks.ReduceLROnPlateau: {"factor": 0.5, "cooldown": 1},
    callbacks.SwapEMAWeights: {"swap_on_epoch": True},
    callbacks.TensorBoard: {"log_dir": "logs", "histogram_freq": 2, "update_freq": "batch"},
    callbacks.TerminateOnNaN: {"raise_error": True},
}


NONSENSE = object()


def test_every_callback_has_a_case():
    assert {getattr(callbacks, name) for name in callbacks.__all__} == set(CASES)


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_settings_make_an_equal_callback_and_nonsense_is_refused(kind):
    callback = kind(**CASES[kind])
    assert {k: callback.get_config()[k] for k in CASES[kind]} == CASES[kind]
    assert kind.from_config(callback.get_config()) == callback == configurable.clone(callback)
    for name in CASES[kind]:
        if name == "verbose" and kind is not callbacks.ProgbarLogger:
            continue  # anything is true or false
        with pytest.raises((TypeError, ValueError), match=f"{kind.__name__}: {name}: expected"):
            kind(**{**CASES[kind], name: NONSENSE})


def test_the_history_of_a_fit_is_its_own_beside_one_that_was_given():
    """What a callback adds it has, and nothing of an earlier fit."""

    class Adds(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["added"] = 1.0

    model, given = classifier(), callbacks.History()
    for _ in range(2):
        history = model.fit(X, LABELS, epochs=2, verbose=0, callbacks=[given, Adds()])
        assert len(history.history["loss"]) == len(history.history["added"]) == 2
