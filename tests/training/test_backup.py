"""BackupAndRestore: a training that is interrupted, and begun again, ends as one that was not."""

import contextlib
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import resumed
from models_saved import MODELS
from resumed import KINDS, X, same, trained

import nnlite
from nnlite import callbacks, layers, optimizers
from nnlite.saving import nested_file

# Trainings that are killed, and how often each; NNLITE_KILLED=20 has more of them.
KILLED, KILLS = (int(os.environ["NNLITE_KILLED"]), 8) if "NNLITE_KILLED" in os.environ else (1, 2)
METHODS = [name for name in vars(callbacks.Callback) if name.startswith("on_")]


class Failure(BaseException):
    pass


class Power(callbacks.Callback):
    """Fails at a call, counted from 1 over those of all methods."""

    def __init__(self, at=None):
        self.at, self.calls = at, 0

    def _count(self, *args):
        self.calls += 1
        if self.calls == self.at:
            raise Failure


for _name in METHODS:
    if not _name.startswith(("on_batch", "on_predict", "on_progress")):
        setattr(Power, _name, Power._count)


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_that_fails_at_any_call_ends_in_the_same_bits(kind, tmp_path):
    whole, rng = Power(), np.random.default_rng(len(kind))
    unbroken = trained(kind, tmp_path, others=[whole], backup=False)
    assert whole.calls > 40
    for attempt, first in enumerate(rng.integers(1, whole.calls, 4, endpoint=True)):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        for at in (first, *rng.integers(1, whole.calls, 2), None):
            try:
                found = trained(kind, folder, others=[Power(at)])
            except Failure:
                continue
            break
        assert at != first
        assert same(found, unbroken)
        assert os.listdir(folder) == ["log.csv"]  # the backup is deleted


# Killed


def finished(kind, folder, rng=None):
    """What is left of a process, which is killed at random moments and begun again until it ends;
    and how often it was killed."""
    result = Path(folder) / "result"
    command = [sys.executable, "-P", resumed.__file__, kind, folder, result]
    for kills in itertools.count():
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"begun\n"
            if rng is not None and kills < KILLS:
                time.sleep(rng.random() * 0.3)
                process.kill()
        if result.exists():
            return nested_file.read(result), kills


@pytest.mark.parametrize("seed", range(KILLED))
def test_a_training_that_is_killed_ends_in_the_same_bits(seed, tmp_path):
    kind = list(KINDS)[(seed + 1) % len(KINDS)]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    found, kills = finished(kind, parts, np.random.default_rng(seed))
    assert same(found, finished(kind, whole)[0])
    print(f"{kind}: killed {kills} times")


# What is kept


def interrupted(program, make, at, **settings):
    """What `program(model, callbacks)` returns of a model that is made again after it failed at
    a call of a callback."""
    for failing in (Power(at), Power()):
        nnlite.utils.set_random_seed(2)
        with contextlib.suppress(Failure):
            found = program(make(), [failing, callbacks.BackupAndRestore(**settings)])
    assert failing.calls and not os.path.exists(settings["backup_dir"])
    return found


def uninterrupted(program, make):
    nnlite.utils.set_random_seed(2)
    return program(make(), [])


@pytest.mark.parametrize("at", [14, 25])
@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_every_kind_of_model_and_optimizer_goes_on(make, at, tmp_path):
    def program(made, watching):
        model, x, y = made
        history = model.fit(x, y, batch_size=5, epochs=4, verbose=0, callbacks=watching)
        return history.history, [v.numpy() for v in model.variables + model.optimizer.variables]

    found = interrupted(program, make, at, backup_dir=tmp_path / "backup", save_freq=2)
    assert same(found, uninterrupted(program, make))


class Both(nnlite.Model):
    """Two optimizers; the names of the outputs are not known before the first batch."""

    def __init__(self):
        super().__init__()
        self.a, self.b = layers.Dense(3, "tanh"), layers.Dense(1)
        self.other = optimizers.Nadam(0.1)

    def call(self, x):
        hidden = self.a(x)
        return {"one": self.b(hidden), "two": hidden}

    def train_step(self, data):
        x, y = data
        with nnlite.GradientTape(persistent=True) as tape:
            loss = self.compute_loss(x, y, outputs := self(x, training=True))
        for optimizer, layer in ((self.optimizer, self.a), (self.other, self.b)):
            weights = layer.trainable_weights[::-1]
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
        self._track_loss(loss, outputs, None)
        return self.compute_metrics(x, y, outputs)


@pytest.mark.parametrize("at", range(12, 30))
def test_optimizers_that_share_the_weights_and_metrics_of_outputs_go_on(at, tmp_path):
    def make():
        model = Both()
        model.compile(
            optimizers.RMSprop(0.01), {"one": "mse", "two": "mae"}, metrics={"one": ["mae"]}
        )
        return model

    def program(model, watching):
        history = model.fit(
            X, {"one": X[:, :1], "two": X[:, :3]}, epochs=4, verbose=0, callbacks=watching
        )
        kept = model.variables + model.optimizer.variables + model.other.variables
        return history.history, [v.numpy() for v in kept]

    found = interrupted(program, make, at, backup_dir=tmp_path / "backup", save_freq=1)
    assert same(found, uninterrupted(program, make))


def small(
    folder,
    epochs=3,
    watching=(),
    first=0,
    rows=20,
    units=4,
    batch_size=8,
    optimizer="adam",
    eager=False,
    **settings,
):
    """A training with a backup; what it returns."""
    nnlite.utils.set_random_seed(0)
    model = nnlite.Sequential([layers.Dense(units, input_shape=(5,)), layers.Dense(1)])
    model.compile(optimizer, "mse", run_eagerly=eager)
    backup = callbacks.BackupAndRestore(folder, **settings)
    x = X[first : first + rows]
    given = {"epochs": epochs, "batch_size": batch_size, "callbacks": [backup, *watching]}
    return model.fit(x, x[:, :1], verbose=0, **given)


def failed(folder, **settings):
    """A training that failed in its third epoch, and left a backup."""
    with pytest.raises(Failure):
        small(folder, watching=[Power(20)], **settings)
    return folder


class Own(callbacks.Callback):
    """A callback that counts."""

    def __init__(self):
        self.count, self.counts = 0, []

    def get_state(self):
        return {"count": np.int64(self.count), "pairs": [(1, None), {"a": b"" != b"a"}]}

    def set_state(self, state):
        assert state["pairs"] == [(1, None), {"a": True}] and type(state["count"]) is np.int64
        self.count = state["count"]

    def on_epoch_end(self, epoch, logs=None):
        self.count += 1
        logs["count"] = self.count


class Duck:
    """The same of another library."""

    def set_model(self, model):
        self.count = 0

    get_state, set_state, on_epoch_end = Own.get_state, Own.set_state, Own.on_epoch_end


@pytest.mark.parametrize("kind", [Own, Duck])
def test_a_callback_of_ones_own_says_what_it_must_find_again(kind, tmp_path):
    with pytest.raises(Failure):
        small(tmp_path / "a", watching=[kind(), Power(20)])
    assert small(tmp_path / "a", watching=[kind()]).history["count"] == [1, 2, 3]


def test_a_state_that_is_no_data_is_an_error(tmp_path):
    class Bad(callbacks.Callback):
        _state = ("model",)

    with pytest.raises(TypeError, match="BackupAndRestore: expected numbers, strings, arrays"):
        small(tmp_path / "a", watching=[Bad()])


def test_backups_do_not_change_a_bit_and_their_place_in_the_list_does_not_matter(tmp_path):
    first, second = callbacks.EarlyStopping("loss"), callbacks.EarlyStopping("loss")
    with pytest.raises(Failure):
        small(tmp_path / "a", watching=[first, Power(20)])
    wait = nested_file.read(tmp_path / "a" / "latest.npz")["values"]["callbacks"][0]
    assert wait["best"] == first.best
    a = small(tmp_path / "a", watching=[second])
    b = small(tmp_path / "b", watching=[callbacks.EarlyStopping("loss")], save_freq=1)
    assert same(a.history, b.history) and a.epoch == b.epoch == [0, 1, 2]


def test_a_complete_training_has_nothing_left_to_do_unless_it_is_longer(tmp_path):
    keep = {"delete_checkpoint": False}
    whole = small(tmp_path / "a", epochs=5, **keep)
    assert same(small(tmp_path / "a", epochs=5, watching=[Power(3)], **keep).history, whole.history)
    small(tmp_path / "b", epochs=3, **keep)
    assert same(small(tmp_path / "b", epochs=5, **keep).history, whole.history)
    assert os.listdir(tmp_path / "b") == ["latest.npz"]


@pytest.mark.parametrize("stopped", ["on_epoch_end", "on_train_batch_end"])
@pytest.mark.parametrize("save_freq", ["epoch", 1])
def test_a_training_that_was_told_to_stop_does_not_go_on(stopped, save_freq, tmp_path):
    def stop(number, logs=None):
        watch.model.stop_training = True

    for at in (None, 5, 6, 9, 10):  # at the end of the epoch, and of the training
        watch, power = callbacks.LambdaCallback(**{stopped: stop}), Power(at)
        with contextlib.suppress(Failure):
            history = small(tmp_path / "a", watching=[watch, power], save_freq=save_freq)
        if at is None:
            whole = history
    assert same(small(tmp_path / "a", save_freq=save_freq, watching=[watch]).history, whole.history)


def test_checkpoints_and_curves_keep_their_pace(tmp_path):
    """A value that was the best stays so, and batches are counted on."""
    pytest.importorskip("h5py")
    pytest.importorskip("tensorboardX")
    written = []

    def program(folder, watching):
        files = str(folder / "{epoch}-{batch}-{loss:.5f}.keras")
        curves = callbacks.TensorBoard(folder / "logs", update_freq=2)
        curves._write = lambda where, name, figures, step: written.append((name, step))
        best = callbacks.ModelCheckpoint(
            files, "loss", save_best_only=True, save_freq=2, mode="max"
        )
        small(folder / "backup", watching=[curves, best, *watching], save_freq=1)
        return sorted(path.name for path in folder.iterdir()), set(written)

    whole = program(tmp_path / "a", [])
    written.clear()
    with pytest.raises(Failure):
        program(tmp_path / "b", [Power(13)])
    assert program(tmp_path / "b", []) == whole


def test_steps_in_python_go_on(tmp_path):
    whole = small(tmp_path / "whole", eager=True)
    for save_freq in (1, "epoch"):
        with pytest.raises(Failure):
            small(tmp_path / "a", eager=True, watching=[Power(14)], save_freq=save_freq)
        assert same(small(tmp_path / "a", eager=True, save_freq=save_freq).history, whole.history)


def test_arrays_of_other_values_are_warned_of(tmp_path):
    """The folds of a search, for one, may be of the same sizes."""
    failed(tmp_path / "a")
    with pytest.warns(UserWarning, match="training with other values of x, y or sample") as seen:
        small(tmp_path / "a", first=1)
    assert seen[0].filename == __file__


# Files


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"units": 3}, r"weights {'layers/dense/vars/0': \(\(5, 4\), 'float32'\), .*\(5, 3\)"),
        ({"rows": 19}, r"data {'rows': 20}, got {'rows': 19}"),
        ({"batch_size": 4}, r"data {'batch_size': 8, 'steps': 3}, got {'batch_size': 4, 'steps'"),
        ({"optimizer": "sgd"}, "optimizers {'optimizer': 'Adam'}, got {'optimizer': 'SGD'}"),
        (
            {"watching": [callbacks.EarlyStopping("loss")]},
            r"callbacks \['History', 'BackupAndRestore'\], got \['EarlyStopping', 'History'",
        ),
    ],
)
def test_the_backup_of_another_training_is_refused_in_words(changed, words, tmp_path):
    failed(tmp_path / "a")
    with pytest.raises(
        ValueError, match=f"not that of this training: expected a fit with the {words}"
    ):
        small(tmp_path / "a", **changed)


def test_a_backup_that_is_not_whole_is_refused_or_the_one_before_is_taken(tmp_path):
    whole = small(tmp_path / "whole")
    for double in (False, True):
        latest = failed(tmp_path / str(double), double_checkpoint=double) / "latest.npz"
        content = latest.read_bytes()
        for size in (0, 10, len(content) // 2, len(content) - 5):
            latest.write_bytes(content[:size])
            if not double:
                with pytest.raises(ValueError, match=r"latest\.npz: expected a whole file"):
                    small(tmp_path / str(double))
    assert sorted(os.listdir(latest.parent)) == ["latest.npz", "previous.npz"]
    assert same(small(latest.parent, double_checkpoint=True).history, whole.history)
    assert not latest.parent.exists()


def test_a_kill_between_two_renames_leaves_the_backup_before(tmp_path):
    whole = small(tmp_path / "whole")
    latest = failed(tmp_path / "a", double_checkpoint=True) / "latest.npz"
    latest.unlink()
    assert same(small(latest.parent).history, whole.history)


def test_a_backup_of_which_one_byte_is_wrong_is_an_error_or_the_same(tmp_path):
    latest = failed(tmp_path / "a") / "latest.npz"
    content, whole, rng = latest.read_bytes(), nested_file.read(latest), np.random.default_rng(0)
    refused = 0
    for at in rng.integers(0, len(content), 300):
        changed = bytearray(content)
        changed[at] ^= 1 << rng.integers(8)
        latest.write_bytes(changed)
        try:
            assert same(nested_file.read(latest), whole)
        except ValueError as error:
            assert "expected a whole file of values" in str(error)
            refused += 1
    assert refused > 200


def test_what_a_kill_left_half_written_goes_and_files_of_others_stay(tmp_path):
    (tmp_path / ".latest.npz.0123").write_bytes(b"half")
    (tmp_path / "mine").write_bytes(b"")
    small(tmp_path)
    assert os.listdir(tmp_path) == ["mine"]


def test_nested_values_come_back_with_their_types(tmp_path):
    values = {
        "a": [1, 2.5, True, None, "ä\0", -0.0, float("inf"), 10**30],
        3: (np.float32(1.5), np.zeros((0, 2), "int32"), (), {}, np.uint64(2**64 - 1)),
        None: {"tuple": [1], "array": {"b": np.array(["x"])}},
    }
    nested_file.write(tmp_path / "file", values)
    found = nested_file.read(tmp_path / "file")
    assert same(found, values) and repr(found) == repr(values)
    for bad in (object(), {1, 2}, np.array([object()]), b"bytes", nnlite):
        with pytest.raises(TypeError, match="expected numbers, strings, arrays"):
            nested_file.write(tmp_path / "file", [bad])


def test_nothing_of_a_file_is_executed(tmp_path):
    np.savez(tmp_path / "a.npz", nesting=np.array([print], object))
    with pytest.raises(ValueError, match=r"a\.npz: expected a whole file of values"):
        nested_file.read(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"backup_dir": ""}, "backup_dir: expected the path of a folder, got ''"),
        ({"backup_dir": 3}, "backup_dir: expected the path of a folder, got 3"),
        ({"save_freq": 0}, "save_freq: expected 'epoch' or an integer of at least 1, got 0"),
        ({"save_freq": "batch"}, "save_freq: expected 'epoch' or an integer"),
        ({"double_checkpoint": 3}, "double_checkpoint: expected"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_once(settings, words):
    with pytest.raises((TypeError, ValueError), match=f"BackupAndRestore: {words}"):
        callbacks.BackupAndRestore(**{"backup_dir": "a", **settings})
