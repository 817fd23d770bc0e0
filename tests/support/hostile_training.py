"""Hostile arguments of compile, fit, evaluate, predict, those of one batch, and callbacks."""

import os

from hostile import Call, X, Y, some_of

import nnlite as keras
from nnlite import callbacks, layers

EACH = 8  # values in the place of each argument


def line():
    model = keras.Sequential([layers.Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse")
    return model


def compiling(name):
    def call(value):
        model = keras.Sequential([layers.Dense(1, input_shape=(3,))])
        model.compile(**{"optimizer": "sgd", "loss": "mse", name: value})
        model.fit(X, Y, verbose=0)

    return call


def method(which, name, **other):
    def call(value):
        given = {"x": X, "y": Y, **other, name: value}
        if which in ("fit", "evaluate"):
            given.setdefault("verbose", 0)
        if which == "predict":
            given.pop("y")
        getattr(line(), which)(**given)

    return call


def making(kind, name, **other):
    def call(value):
        watch = kind(**{**other, name: value})
        line().fit(X, Y, verbose=0, epochs=2, callbacks=watch, validation_data=(X, Y))

    return call


HELD_OUT = {
    name: {"validation_data": (X, Y), "epochs": 2}
    for name in ("validation_steps", "validation_freq", "validation_batch_size")
}
CALLBACKS = {
    callbacks.BackupAndRestore: {"backup_dir": "backup"},
    callbacks.EarlyStopping: {"monitor": "loss"},
    callbacks.ReduceLROnPlateau: {"monitor": "loss"},
    callbacks.LearningRateScheduler: {"schedule": lambda epoch: 0.1},
    callbacks.TerminateOnNaN: {},
    callbacks.ProgbarLogger: {},
    callbacks.LambdaCallback: {},
    callbacks.CSVLogger: {"filename": os.devnull},
    callbacks.ModelCheckpoint: {"filepath": "a.keras"},
    callbacks.TensorBoard: {},
}
OF_COMPILE = "optimizer loss loss_weights metrics weighted_metrics run_eagerly learning_rate"
OF_COMPILE += " steps_per_execution n_threads jit_compile"
OF_FIT = "x y sample_weight validation_data batch_size epochs initial_epoch steps_per_epoch"
OF_FIT += " validation_steps validation_freq validation_batch_size validation_split verbose"
OF_FIT += " callbacks shuffle class_weight"


def arguments():
    """(where, the name of an argument, a function of its value)."""
    for name in OF_COMPILE.split():
        yield "compile", name, compiling(name)
    for name in OF_FIT.split():
        yield "fit", name, method("fit", name, **HELD_OUT.get(name, {}))
    for which in ("evaluate", "predict"):
        for name in ("x", "batch_size", "steps", "callbacks", "verbose"):
            yield which, name, method(which, name)
    for which in ("train_on_batch", "test_on_batch"):
        for name in ("x", "y", "sample_weight"):
            yield which, name, method(which, name)
    yield "train_on_batch", "class_weight", method("train_on_batch", "class_weight")
    for kind, other in CALLBACKS.items():
        for name in list(kind._signature())[:8]:
            yield kind.__name__, name, making(kind, name, **other)


# What an argument may be called beside its own name: where it reaches a layer or a loss, these say
# what they take; batches in the place of x come without y.
SYNONYMS = {
    "x": ["expected (an )?input", "y: expected None beside batches", "define __len__"],
    "y": ["expected targets"],
    "validation_data": ["y: expected targets"],
    "metrics": ["metric"],
    "weighted_metrics": ["metric"],
}


def calls(rng):
    for where, name, run in arguments():
        words = (name, *SYNONYMS.get(name, ()))
        for label, value in some_of(rng, EACH):
            yield Call(f"{where}({name}={label})", words, lambda run=run, v=value: run(v), [value])
