"""Trainings that are interrupted, and what is left of them. As a script, one of them, which a test
kills: `resumed.py KIND FOLDER FILE`."""

import random
import sys
from pathlib import Path

import numpy as np

import nnlite
from nnlite import callbacks, layers, metrics, optimizers
from nnlite.saving import nested_file

N, D, L = 90, 5, 3
X = np.random.default_rng(0).normal(size=(N, D)).astype("float32")
Y = np.random.default_rng(1).integers(0, L, N)


class Numbered(nnlite.utils.PyDataset):
    """Batches by number, of rows in an order of its own for each pass."""

    def __init__(self):
        super().__init__()
        self.rng, self.rows = np.random.default_rng(3), np.arange(N)

    def __len__(self):
        return 9

    def __getitem__(self, index):
        rows = self.rows[10 * index : 10 * index + 10]
        return X[rows], Y[rows]

    def on_epoch_end(self):
        self.rng.shuffle(self.rows)


class Renewed:
    """Batches one after the other, again from the first in each pass."""

    def __iter__(self):
        return ((X[k : k + 10], Y[k : k + 10]) for k in range(0, N, 10))


def endless():
    rng = np.random.default_rng(4)
    while True:
        rows = rng.integers(0, N, 7)
        yield X[rows], Y[rows]


def augmented():
    images = np.resize(X, (40, 3, 3, 1))
    changed = nnlite.preprocessing.image.ImageDataGenerator(horizontal_flip=True)
    return changed.flow(images, Y[:40], batch_size=8, seed=5)


def drawing():
    """Batches that draw from NumPy's generator as they are read."""
    for _ in range(10**6):
        rows = np.random.randint(0, N, 7)  # noqa: NPY002
        yield X[rows], Y[rows]


# Of each kind: how the data are given, and the batches between two backups.
KINDS = {
    "passes": (lambda: {"x": X, "y": Y, "batch_size": 16}, "epoch"),
    "passes, in batches": (lambda: {"x": X, "y": Y, "batch_size": 14}, 2),
    "steps": (lambda: {"x": X, "y": Y, "batch_size": 16, "steps_per_epoch": 4}, "epoch"),
    "steps, in batches": (lambda: {"x": X, "y": Y, "batch_size": 16, "steps_per_epoch": 4}, 3),
    "in order": (lambda: {"x": X, "y": Y, "steps_per_epoch": 2, "shuffle": False}, 3),
    "numbered": (lambda: {"x": Numbered()}, "epoch"),
    "numbered, in batches": (lambda: {"x": Numbered()}, 4),
    "numbered, steps": (lambda: {"x": Numbered(), "steps_per_epoch": 5}, 1),
    "renewed": (lambda: {"x": Renewed()}, 4),
    "renewed, steps": (lambda: {"x": Renewed(), "steps_per_epoch": 7}, "epoch"),
    "endless": (
        lambda: {
            "x": endless(),
            "steps_per_epoch": 5,
            "validation_data": endless(),
            "validation_steps": 2,
        },
        "epoch",
    ),
    "endless, in batches": (lambda: {"x": endless(), "steps_per_epoch": 5}, 3),
    "drawing": (lambda: {"x": drawing(), "steps_per_epoch": 5}, "epoch"),
    "augmented": (lambda: {"x": augmented()}, 3),
}


def model(kind):
    shape = {"augmented": {"input_shape": (3, 3, 1)}, "endless, in batches": {}}
    found = nnlite.Sequential(
        [
            layers.Flatten(**shape.get(kind, {"input_shape": (D,)})),  # the first batch builds one
            layers.Dense(8, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(L, "softmax"),
        ]
    )
    found.compile(
        optimizers.Adam(0.05),
        "sparse_categorical_crossentropy",
        metrics=["accuracy", metrics.MeanIoU(L, sparse_y_pred=False)],
        steps_per_execution=2 if kind == "passes, in batches" else 1,
    )
    return found


def draw(epoch, logs):
    """Draw from each generator of the process."""
    drawn = nnlite.config.next_seed(), np.random.random(), random.random()  # noqa: NPY002
    logs["draws"] = repr(drawn)


def trained(kind, folder, others=(), backup=True, epochs=8, patience=3):
    """What is left of a training: history, weights, optimizer and a file."""
    nnlite.utils.set_random_seed(7)
    found, (data, save_freq) = model(kind), KINDS[kind]
    log = Path(folder) / "log.csv"
    watching = [
        *([callbacks.BackupAndRestore(Path(folder) / "backup", save_freq)] if backup else []),
        callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True),
        callbacks.ReduceLROnPlateau("loss", 0.5, patience=0, cooldown=2, min_delta=9.0),
        callbacks.LambdaCallback(on_epoch_end=draw),
        callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.98),
        callbacks.CSVLogger(log),
        *others,
    ]
    held_out = augmented()[0] if kind == "augmented" else (X[:20], Y[:20])
    given = {"validation_data": held_out, **data()}
    history = found.fit(**given, epochs=epochs, verbose=0, callbacks=watching)
    return {
        "history": history.history,
        "epoch": history.epoch,
        "weights": found.get_weights(),
        "optimizer": [v.numpy() for v in found.optimizer.variables],
        "log": log.read_text(),
    }


class Begun(callbacks.Callback):
    def on_train_begin(self, logs=None):
        print("begun", flush=True)


if __name__ == "__main__":
    kind, folder, file = sys.argv[1:]
    nested_file.write(file, trained(kind, folder, [Begun()], epochs=60, patience=40))


def same(a, b):
    """Whether two nested values have the same bits."""
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and np.array_equal(a, b, equal_nan=isinstance(a, float))
