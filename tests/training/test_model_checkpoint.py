"""ModelCheckpoint: which files there are after a training, and what is in them; Keras's rules."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from small_models import D, X, Y, arrays_equal, trained

import nnlite as keras
from nnlite import callbacks, layers, metrics, optimizers
from nnlite.models import load_model
from nnlite.saving.weights_files import WEIGHTS_ENDINGS

pytest.importorskip("h5py")


def model(rate=0.1, **compiled):
    found = keras.Sequential([layers.Dense(1, kernel_initializer="zeros", input_shape=(D,))])
    found.compile(optimizers.SGD(rate), "mse", **compiled)
    return found


class Keep(callbacks.Callback):
    """Remembers the weights of each epoch, and changes what the logs say."""

    def __init__(self, **scripted):
        self.scripted, self.weights = scripted, []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())
        logs.update({name: values[epoch] for name, values in self.scripted.items()})


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file())


def run(checkpoint, epochs=3, keep=None, of=None, **given):
    keep = keep or Keep()
    of = of or model()
    trained(of, X, Y, epochs=epochs, callbacks=[keep, checkpoint], **given)
    return keep.weights


def test_every_epoch_has_its_file_and_folders_are_made(tmp_path):
    name = str(tmp_path / "a" / "b{epoch}" / "{epoch:02d}-{val_loss:.2f}.keras")
    kept = run(callbacks.ModelCheckpoint(name), validation_split=0.2)
    found = files(tmp_path)
    assert [f[:8] for f in found] == ["a/b1/01-", "a/b2/02-", "a/b3/03-"]
    for file, weights in zip(found, kept):
        assert arrays_equal(load_model(tmp_path / file).get_weights(), weights)


@pytest.mark.parametrize("ending", WEIGHTS_ENDINGS)
def test_weights_alone_are_saved_by_save_weights(tmp_path, ending):
    path = tmp_path / f"last{ending}"
    kept = run(callbacks.ModelCheckpoint(path, save_weights_only=True))
    again = model()
    again.load_weights(path)
    assert arrays_equal(again.get_weights(), kept[-1])


def test_a_name_without_a_folder_is_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(callbacks.ModelCheckpoint("last.keras"))
    assert files(tmp_path) == ["last.keras"]


@pytest.mark.parametrize(
    "values, settings, saved",
    [
        ([3, 2, 4, 1, 1], {}, [1, 2, 4]),
        ([3, 2, 4, 1, 5], {"mode": "max"}, [1, 3, 5]),
        ([3, 2, 4, 1, 1], {"initial_value_threshold": 2.5}, [2, 4]),
        ([np.nan, 2, np.nan, 3, 1], {}, [2, 5]),
        ([3, 2, 4, 1, 1], {"save_best_only": False}, [1, 2, 3, 4, 5]),
    ],
)
def test_the_best_are_saved(tmp_path, values, settings, saved):
    settings = {"monitor": "figure_loss", "save_best_only": True, **settings}
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras", **settings)
    run(checkpoint, 5, Keep(figure_loss=values))
    assert files(tmp_path) == [f"{epoch}.keras" for epoch in saved]


def test_best_of_a_metric_under_any_name_is_the_highest(tmp_path):
    of = keras.Sequential([layers.Dense(1, "sigmoid", input_shape=(D,))])
    of.compile(optimizers.SGD(1.0), "bce", metrics=[metrics.AUC(name="error")])
    keep = Keep()
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "a.keras", "error", save_best_only=True)
    history = of.fit(X, Y > 0, epochs=6, verbose=0, callbacks=[keep, checkpoint]).history["error"]
    assert checkpoint.best == max(history) > history[0]
    best = load_model(tmp_path / "a.keras")
    assert arrays_equal(best.get_weights(), keep.weights[np.argmax(history)])
    assert best.evaluate(X, Y > 0)[1] == pytest.approx(max(history), abs=0.1)


def test_a_second_training_knows_what_was_best_in_the_first(tmp_path):
    checkpoint = callbacks.ModelCheckpoint(
        tmp_path / "{epoch}.keras", "a_loss", save_best_only=True
    )
    run(checkpoint, 2, Keep(a_loss=[5, 3]))
    run(checkpoint, 4, Keep(a_loss=[9, 9, 4, 2]), initial_epoch=2)
    assert files(tmp_path) == ["1.keras", "2.keras", "4.keras"] and checkpoint.best == 2


def test_epochs_without_validation_are_passed_over(tmp_path):
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras", save_best_only=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(checkpoint, 4, validation_data=(X, Y), validation_freq=2)
    assert files(tmp_path) == ["2.keras", "4.keras"]


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"monitor": "val_loss"}, "monitor 'val_loss' is not among the logs loss, added; a 'val_'"),
        ({"monitor": "los"}, "monitor 'los' is not among the logs .*did you mean 'loss'"),
        ({"monitor": "added", "mode": "min"}, "monitor 'added' has several values; as nothing"),
    ],
)
def test_what_cannot_be_watched_is_said_once_and_every_epoch_is_saved(tmp_path, settings, words):
    checkpoint = callbacks.ModelCheckpoint(
        tmp_path / "{epoch}.keras", save_best_only=True, **settings
    )
    with pytest.warns(UserWarning, match=words) as seen:
        run(checkpoint, 3, Keep(added=np.ones((3, 2))))
    assert len(seen) == 1 and seen[0].filename.endswith("small_models.py")  # where fit is called
    assert files(tmp_path) == ["1.keras", "2.keras", "3.keras"]


def test_direction_is_asked_before_the_first_epoch_and_only_if_it_matters(tmp_path):
    def spread(y_true, y_pred):
        return y_pred[:, 0]

    path, keep = tmp_path / "a.keras", Keep()
    for best_only in (False, True):
        checkpoint = callbacks.ModelCheckpoint(path, "spread", save_best_only=best_only)
        if best_only:
            with pytest.raises(ValueError, match="ModelCheckpoint: mode: expected 'min' or 'max'"):
                run(checkpoint, keep=keep, of=model(metrics=[spread]))
        else:
            run(checkpoint, of=model(metrics=[spread]))
    assert not keep.weights


# Batches


def test_save_freq_counts_the_batches_of_all_epochs(tmp_path):
    name = tmp_path / "{epoch}-{batch}-{loss:.3f}.keras"
    run(callbacks.ModelCheckpoint(name, save_freq=3), 4, batch_size=13)  # 4 batches each
    assert [f[:3] for f in files(tmp_path)] == ["1-3", "2-2", "3-1", "3-4", "4-3"]


def test_save_freq_counts_the_batches_of_a_group(tmp_path):
    of = model(steps_per_execution=2)
    run(callbacks.ModelCheckpoint(tmp_path / "{batch}.keras", save_freq=3), 1, of=of, batch_size=5)
    assert files(tmp_path) == ["4.keras", "8.keras"]


def test_best_only_between_batches_knows_no_validation(tmp_path):
    checkpoint = callbacks.ModelCheckpoint(
        tmp_path / "{batch}.keras", save_best_only=True, save_freq=2
    )
    with pytest.warns(UserWarning, match="'val_loss' is not among the logs loss") as seen:
        run(checkpoint, 2, batch_size=13, validation_data=(X, Y))
    assert len(seen) == 1 and files(tmp_path) == ["2.keras", "4.keras"]


def test_epochs_need_no_return_to_python_after_each_batch():
    assert not callbacks.ModelCheckpoint("a.keras").wants_batches()
    assert callbacks.ModelCheckpoint("a.keras", save_freq=9).wants_batches()
    assert not callbacks.ModelCheckpoint("a.keras", save_freq=9).wants_batches("test")


def test_a_checkpoint_between_batches_goes_on_with_the_same_bits(tmp_path):
    """What a file holds is the model as it was, with its optimizer."""
    of = keras.Sequential([layers.Dense(3, "tanh", input_shape=(D,)), layers.Dense(1)])
    of.compile("adam", "mse")
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "{batch}.keras", save_freq=2)
    given = {"batch_size": 10, "shuffle": False, "verbose": 0}
    of.fit(X, Y, callbacks=checkpoint, **given)
    again = load_model(tmp_path / "2.keras")
    again.fit(X[20:], Y[20:], **given)
    for a, b in ((of, again), (of.optimizer, again.optimizer)):
        assert arrays_equal([v.numpy() for v in a.variables], [v.numpy() for v in b.variables])


def test_saving_does_not_change_a_bit(tmp_path):
    plain, saved = Keep(), Keep()
    run(callbacks.History(), keep=plain)
    run(callbacks.ModelCheckpoint(tmp_path / "a.keras", save_freq=1), keep=saved)
    assert all(map(arrays_equal, plain.weights, saved.weights))


# What is said


def test_verbose_says_what_is_saved_and_why(tmp_path, capsys):
    path = str(tmp_path / "a.keras")
    checkpoint = callbacks.ModelCheckpoint(path, "a_loss", verbose=1, save_best_only=True)
    run(checkpoint, 3, Keep(a_loss=[2, 3, 1]))
    assert capsys.readouterr().out.split("\n\n") == [
        f"\nEpoch 1: a_loss improved from None to 2.00000, saving model to {path}",
        f"Epoch 1: finished saving model to {path}",
        "Epoch 2: a_loss did not improve from 2.00000",
        f"Epoch 3: a_loss improved from 2.00000 to 1.00000, saving model to {path}",
        f"Epoch 3: finished saving model to {path}\n",
    ]
    run(callbacks.ModelCheckpoint(path, verbose=1), 1)
    assert capsys.readouterr().out.startswith(f"\nEpoch 1: saving model to {path}\n\nEpoch 1: fin")


@pytest.mark.parametrize(
    "filepath, settings, words",
    [
        ("a.pkl", {}, r"filepath: expected the path of a file that ends with \.keras or \.h5 or"),
        ("a.keras", {"save_weights_only": True}, r"of weights that ends with \.weights\.h5 or"),
        ("a.weights.h5", {}, r"or save_weights_only=True, got 'a.weights.h5'"),
        (b"a.keras", {}, "filepath: expected the path"),
        ("{epoch.keras", {}, r"filepath: expected names in braces \(.*\), got"),
        ("{}.keras", {}, "filepath: expected names in braces, such as {epoch}, got"),
        (
            "a.keras",
            {"save_freq": "batch"},
            "save_freq: expected 'epoch' or an integer of at least",
        ),
        ("a.keras", {"save_freq": 0}, "save_freq: expected 'epoch' or an integer of at least 1"),
        ("a.keras", {"save_freq": 1.5}, "save_freq: expected 'epoch' or an integer of at least 1"),
        ("a.keras", {"mode": "unknown"}, "mode: expected 'auto', 'min' or 'max', got 'unknown'"),
        ("a.keras", {"initial_value_threshold": "a"}, "initial_value_threshold: expected a number"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_once(filepath, settings, words):
    with pytest.raises(ValueError, match=f"ModelCheckpoint: .*{words}"):
        callbacks.ModelCheckpoint(filepath, **settings)


@pytest.mark.parametrize(
    "name, words",
    [
        ("{val_loss}.keras", "names among loss, epoch; did you mean 'loss'?, got 'val_loss'"),
        ("{batch}.keras", "names among loss, epoch, got 'batch'"),
        ("{loss:d}.keras", r"formats that suit the values \(Unknown format code 'd' .*\), got"),
        ("{loss.high}.keras", r"formats that suit the values \(.*'high'.*\), got"),
    ],
)
def test_a_name_that_the_logs_do_not_have_is_an_error_with_those_they_have(tmp_path, name, words):
    words = words.replace("?,", r"\?,")
    with pytest.raises(ValueError, match=f"ModelCheckpoint: filepath: expected {words}"):
        run(callbacks.ModelCheckpoint(tmp_path / name))


def test_a_folder_in_the_place_of_the_file_is_an_error_before_any_work(tmp_path):
    (tmp_path / "a.keras").mkdir()
    keep = Keep()
    with pytest.raises(IsADirectoryError, match="filepath: expected the path of a file, got the f"):
        run(callbacks.ModelCheckpoint(tmp_path / "a.keras"), keep=keep)
    with pytest.raises(IsADirectoryError, match="filepath: expected the path of a file, got the f"):
        run(callbacks.ModelCheckpoint(str(tmp_path / "{name}.keras")), keep=Keep(name="aaa"))
    assert not keep.weights
