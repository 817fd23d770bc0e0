"""TensorBoard: what the event files hold, read back record by record."""

import builtins
import struct
from pathlib import Path

import numpy as np
import pytest
from small_models import LABELS, D, X, Y, classifier, line, trained

import nnlite as keras
from nnlite import callbacks, layers, metrics

Event = pytest.importorskip("tensorboardX.proto.event_pb2").Event


def events(path):
    """The events of a file: each record is a length and its checksum, the bytes and theirs."""
    data, at = Path(path).read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        yield Event.FromString(data[at + 12 : at + 12 + length])
        at += 16 + length
    assert at == len(data)


def written(folder):
    """Run -> tag -> list of (step, number or histogram)."""
    found = {}
    for path in sorted(Path(folder).rglob("*tfevents*"), key=lambda p: int(p.suffix[1:])):
        first, *others = events(path)
        assert first.file_version == "brain.Event:2"
        run = found.setdefault(path.parent.name, {})
        for event in others:
            for value in event.summary.value:
                kind = value.WhichOneof("value")
                assert kind in ("simple_value", "histo")
                run.setdefault(value.tag, []).append((event.step, getattr(value, kind)))
    return found


def curve(run, tag):
    return [step for step, _ in run[tag]], pytest.approx([value for _, value in run[tag]])


def test_figures_of_each_epoch_are_in_the_folders_and_under_the_names_of_keras(tmp_path):
    model = classifier(metrics=["accuracy"])
    log = callbacks.TensorBoard(tmp_path / "a" / "b")
    history = trained(model, X, LABELS, epochs=3, validation_split=0.2, callbacks=log).history
    found = written(tmp_path / "a" / "b")
    assert found.keys() == {"train", "validation"}
    assert found["train"].keys() == {"epoch_loss", "epoch_accuracy", "epoch_learning_rate"}
    assert found["validation"].keys() == {
        *("epoch_loss", "epoch_accuracy"),
        *("evaluation_loss_vs_iterations", "evaluation_accuracy_vs_iterations"),
    }
    for name in ("loss", "accuracy"):
        assert curve(found["train"], f"epoch_{name}") == ([0, 1, 2], history[name])
        held_out = history[f"val_{name}"]
        assert curve(found["validation"], f"epoch_{name}") == ([0, 1, 2], held_out)
        over = curve(found["validation"], f"evaluation_{name}_vs_iterations")
        assert over == ([2, 4, 6], held_out)  # 40 rows in batches of 32
    rate = float(model.optimizer.learning_rate)
    assert curve(found["train"], "epoch_learning_rate") == ([0, 1, 2], [rate] * 3)


def test_without_validation_there_is_one_folder_and_no_return_to_python_after_batches(tmp_path):
    log = callbacks.TensorBoard(tmp_path)
    assert not log.wants_batches()
    trained(line(D), X, Y, callbacks=log)
    assert written(tmp_path).keys() == {"train"}


@pytest.mark.parametrize(
    "frequency, group, steps",
    [
        ("batch", 1, [1, 2, 3, 4, 5, 6, 7, 8]),
        (1, 1, [1, 2, 3, 4, 5, 6, 7, 8]),
        (3, 1, [3, 6]),
        (3, 2, [4, 8]),
    ],
)
def test_update_freq_counts_the_batches_of_all_epochs(tmp_path, frequency, group, steps):
    class Note(callbacks.Callback):
        seen = []

        def on_train_batch_end(self, batch, logs=None):
            self.seen.append(logs["loss"])

    note, log = Note(), callbacks.TensorBoard(tmp_path, update_freq=frequency)
    note.seen = []
    model = line(D, steps_per_execution=group)
    trained(model, X, Y, batch_size=13, epochs=2, callbacks=[log, note])
    found = written(tmp_path)["train"]
    assert curve(found, "batch_loss") == (steps, [note.seen[s // group - 1] for s in steps])
    assert len(found["epoch_loss"]) == 2


def test_steps_per_second_are_written_on_demand(tmp_path):
    log = callbacks.TensorBoard(tmp_path, write_steps_per_second=True, update_freq=2)
    trained(line(D), X, Y, batch_size=10, epochs=2, callbacks=log)
    found = written(tmp_path)["train"]
    assert [step for step, _ in found["epoch_steps_per_second"]] == [0, 1]
    assert [step for step, _ in found["batch_steps_per_second"]] == [2, 4, 6, 8, 10]
    speeds = found["epoch_steps_per_second"] + found["batch_steps_per_second"]
    assert all(0 < value < 1e9 for _, value in speeds)


def test_histograms_hold_every_weight(tmp_path):
    inner = keras.Sequential([layers.Dense(5, name="one"), layers.Dense(2, name="two")], name="in")
    model = keras.Sequential([keras.Input((D,)), inner, layers.Dense(1, name="out")])
    model.compile("sgd", "mse")
    log = callbacks.TensorBoard(tmp_path, histogram_freq=2)
    trained(model, X, Y, epochs=3, callbacks=log)
    found = {t: v for t, v in written(tmp_path)["train"].items() if t.endswith("/histogram")}
    names = [f"{layer}/{w}" for layer in ("in/one", "in/two", "out") for w in ("kernel", "bias")]
    assert list(found) == [f"{name}/histogram" for name in names]
    for values, weight in zip(found.values(), model.get_weights()):
        assert [step for step, _ in values] == [0, 2]
        last = values[-1][1]
        assert sum(last.bucket) == last.num == weight.size
        counts, edges = np.histogram(weight.astype("float64"), 30)
        assert list(last.bucket) == list(counts)
        np.testing.assert_allclose(last.bucket_limit, edges[1:])
        figures = [
            weight.min(),
            weight.max(),
            weight.sum(dtype="f8"),
            np.square(weight, dtype="f8").sum(),
        ]
        np.testing.assert_allclose([last.min, last.max, last.sum, last.sum_squares], figures)


def test_layers_of_one_name_in_models_inside_have_histograms_of_their_own(tmp_path):
    def inner():
        return keras.Sequential([keras.Input((D,)), layers.Dense(D, name="same")])

    model = keras.Sequential([keras.Sequential([inner(), inner()], name="in"), layers.Dense(1)])
    model.compile("sgd", "mse")
    trained(model, X, Y, callbacks=callbacks.TensorBoard(tmp_path, histogram_freq=1))
    tags = [t for t in written(tmp_path)["train"] if "same/kernel" in t]
    assert len(tags) == 2


def test_weights_that_are_not_finite_are_left_out(tmp_path):
    model = line(D)
    model.set_weights(
        [np.array([[1.0], [np.nan], [np.inf], [2.0], [2.0], [2.0]]), np.array([np.nan])]
    )
    log = callbacks.TensorBoard(tmp_path, histogram_freq=1)
    log.set_model(model)
    log.on_train_begin()
    log.on_epoch_begin(0)
    log.on_epoch_end(0, {"loss": np.nan})
    log.on_train_end()
    found = written(tmp_path)["train"]
    assert found["dense/kernel/histogram"][0][1].num == 4
    assert "dense/bias/histogram" not in found and np.isnan(found["epoch_loss"][0][1])


def test_entry_of_several_numbers_has_a_curve_for_each_and_words_have_none(tmp_path):
    class Adds(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["note"] = "words"

    model = classifier()
    model.compile("sgd", "categorical_crossentropy", metrics=[metrics.F1Score(name="f1")])
    log = callbacks.TensorBoard(tmp_path)
    history = trained(model, X, np.eye(3)[LABELS], callbacks=[Adds(), log]).history
    found = written(tmp_path)["train"]
    values = [found[f"epoch_f1/{number}"][0][1] for number in range(3)]
    np.testing.assert_allclose(values, history["f1"][0], rtol=1e-6)
    assert len(found) == 5


def test_trainings_and_evaluations_one_after_the_other_have_files_of_their_own(tmp_path):
    log, model = callbacks.TensorBoard(tmp_path), line(D)
    for epochs in (1, 2):
        trained(model, X, Y, initial_epoch=epochs - 1, epochs=epochs, callbacks=log)
    loss = model.evaluate(X, Y, callbacks=log)
    found = written(tmp_path)
    assert [step for step, _ in found["train"]["epoch_loss"]] == [0, 1]
    assert curve(found["validation"], "evaluation_loss_vs_iterations") == ([4], [loss])
    assert len(list(tmp_path.rglob("*tfevents*"))) == 3 and not log._files


def test_a_model_without_an_optimizer_is_evaluated_without_a_word(tmp_path):
    model = line(D)
    model.compile(None, "mse")
    model.evaluate(X, Y, callbacks=callbacks.TensorBoard(tmp_path))
    assert not written(tmp_path)


def test_the_rate_of_a_schedule_is_written(tmp_path):
    model = line(D)
    rate = keras.optimizers.schedules.InverseTimeDecay(0.1, 1, 1.0)
    model.compile(keras.optimizers.SGD(rate), "mse")
    trained(model, X, Y, batch_size=25, epochs=2, callbacks=callbacks.TensorBoard(tmp_path))
    rates = [value for _, value in written(tmp_path)["train"]["epoch_learning_rate"]]
    assert rates == pytest.approx([0.1 / 3, 0.1 / 5])


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_an_interrupted_training_wrote_can_be_read(tmp_path, error):
    class Break(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise error

    log = callbacks.TensorBoard(tmp_path, update_freq=1)
    with pytest.raises(error):
        trained(line(D), X, Y, epochs=3, callbacks=[log, Break()])
    assert [step for step, _ in written(tmp_path)["train"]["epoch_loss"]] == [0, 1]
    assert bool(log._files) is (error is RuntimeError)
    log.set_model(line(D))
    assert not log._files


def test_training_is_the_same_with_it(tmp_path):
    a, b = classifier(dropout=0.3), classifier(dropout=0.3)
    trained(a, X, LABELS, epochs=2)
    log = callbacks.TensorBoard(tmp_path, histogram_freq=1, update_freq=1)
    trained(b, X, LABELS, epochs=2, callbacks=log)
    assert all(np.array_equal(*pair) for pair in zip(a.get_weights(), b.get_weights()))


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"write_graph": True}, "write_graph: expected False, as no graph is written; utils.plot"),
        ({"write_images": True}, "write_images: expected False, as no pictures are written;"),
        ({"profile_batch": 2}, "profile_batch: expected 0, as no profile is written, got 2"),
        ({"profile_batch": (2, 4)}, r"profile_batch: expected 0, as .*, got \(2, 4\)"),
        ({"embeddings_freq": 1}, "embeddings_freq: expected 0, as no embeddings are written"),
        ({"embeddings_metadata": {}}, "embeddings_metadata: expected None, as no"),
        ({"histogram_freq": -1}, r"histogram_freq: expected an integer in \[0, inf\), got -1"),
        ({"update_freq": "step"}, "update_freq: expected 'epoch', 'batch' or an integer of at"),
        ({"update_freq": 0}, "update_freq: expected 'epoch', 'batch' or an integer of at least 1"),
        ({"write_steps_per_second": 3}, "write_steps_per_second: expected True or False, got 3"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_once(settings, words):
    with pytest.raises(ValueError, match=f"TensorBoard: {words}"):
        callbacks.TensorBoard(**settings)
    harmless = {"write_graph": False, "write_images": False, "profile_batch": 0}
    callbacks.TensorBoard("logs", embeddings_freq=0, embeddings_metadata=None, **harmless)


def test_a_missing_library_is_named_before_anything_is_done(monkeypatch, tmp_path):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("tensorboardX"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "nnlite\[tensorboard\]"'):
        callbacks.TensorBoard(tmp_path)
    assert not list(tmp_path.iterdir())
