"""Hostile arguments: a call works, or raises an error that names the argument; never an error from
within, and never for long."""

import contextlib
import math
import os
import re
import signal
import time
import warnings

import numpy as np
import pytest

import nnlite as keras
from nnlite import callbacks, layers

N = 12
X = np.linspace(-1.0, 1.0, N * 3).reshape(N, 3)
Y = np.linspace(0.0, 1.0, N)[:, None]
LONGEST = 2.0  # seconds of a call


class Odd:
    """An object of no use, that can be made of anything."""

    def __init__(self, *args):
        pass

    def __repr__(self):
        return "Odd()"


NUMBERS = [0, -1, 1, 2.5, 1e308, -1e308, 2**31, 2**63, 10**30, math.nan, math.inf, -math.inf, 1j]
KINDS = [None, True, "", "nonsense", b"bytes", (), [], {}, set(), Odd(), Odd, print, np.zeros(3)]
KINDS += [np.float32(2), np.array(2), np.zeros((0, 3)), [None], {"a": 1}, ["x", 1], range(3), ...]
ANY = NUMBERS + KINDS


def data():
    """Hostile values in the place of arrays, beside those of any argument."""
    arrays = [
        np.zeros((N, 3, 2)),
        np.full((N, 3), np.nan),
        1e300 * np.ones((N, 3)),
        np.array(["a"] * N),
        np.zeros(N, dtype=complex),
        np.array([Odd()] * N),
        np.zeros((N, 3), dtype=[("a", "f4")]),
        np.zeros(N, dtype="datetime64[s]"),
        np.ma.masked_array(X, X > 0),
        keras.ones((N, 3)),
        keras.Input((3,)),
    ]
    lists = [[[1, 2], [3]], [X, X], {"a": X}, [None] * N, (X, Y), [(X, Y), (X, Y)], [X, None]]
    batches = [[X], [(X, Y, Y, Y)], [], [None], [()], [X, 3], [(X, "y")], range(3)]
    return [*ANY, *arrays, *lists, *map(iter, batches)]


def line():
    model = keras.Sequential([layers.Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse")
    return model


def compiling(name):
    def call(value):
        model = keras.Sequential([layers.Dense(1, input_shape=(3,))])
        given = {"optimizer": "sgd", "loss": "mse", name: value}
        model.compile(**given)
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


def calls():
    """(the name of an argument, a function of its value, the values it may have)."""
    for name in ("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics"):
        yield f"compile {name}", compiling(name), ANY
    for name in ("run_eagerly", "steps_per_execution", "n_threads", "jit_compile", "learning_rate"):
        yield f"compile {name}", compiling(name), ANY
    for name in ("x", "y", "sample_weight", "validation_data"):
        yield f"fit {name}", method("fit", name), data()
    counts = "batch_size epochs initial_epoch steps_per_epoch validation_steps validation_freq"
    for name in (*counts.split(), "validation_batch_size", "validation_split"):
        yield f"fit {name}", method("fit", name, **HELD_OUT.get(name, {})), ANY
    for name in ("verbose", "callbacks", "shuffle", "class_weight"):
        yield f"fit {name}", method("fit", name), ANY
    for which in ("evaluate", "predict"):
        for name in ("x", "batch_size", "steps", "callbacks", "verbose"):
            yield f"{which} {name}", method(which, name), data() if name == "x" else ANY
    for which in ("train_on_batch", "test_on_batch"):
        for name in ("x", "y", "sample_weight"):
            yield f"{which} {name}", method(which, name), data()
    yield "train_on_batch class_weight", method("train_on_batch", "class_weight"), ANY
    for kind, other in CALLBACKS.items():
        for name in list(kind._signature())[:8]:
            yield f"{kind.__name__} {name}", making(kind, name, **other), ANY


HELD_OUT = {
    name: {"validation_data": (X, Y), "epochs": 2}
    for name in ("validation_steps", "validation_freq", "validation_batch_size")
}
CALLBACKS = {
    callbacks.EarlyStopping: {"monitor": "loss"},
    callbacks.ReduceLROnPlateau: {"monitor": "loss"},
    callbacks.LearningRateScheduler: {"schedule": lambda epoch: 0.1},
    callbacks.TerminateOnNaN: {},
    callbacks.ProgbarLogger: {},
    callbacks.LambdaCallback: {},
    callbacks.CSVLogger: {"filename": os.devnull},
}
EXPECTED = (ValueError, TypeError, RuntimeError)
# What an argument may be called beside its own name: where it reaches a layer or a loss, these say
# what they take; batches in the place of x come without y.
SYNONYMS = {
    "x": ["expected (an )?input", "y: expected None beside batches", "define __len__"],
    "y": ["expected targets"],
    "validation_data": ["y: expected targets"],
    "metrics": ["metric"],
    "weighted_metrics": ["metric"],
}


class Late(BaseException):
    """A call took too long; no library catches this."""


@contextlib.contextmanager
def time_limit():
    """Raise `Late` in a block that takes longer than `LONGEST`."""

    def raise_late(*args):
        raise Late

    before = signal.signal(signal.SIGALRM, raise_late)
    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def complaint(where, call, value):
    """What is wrong with what a call did; None if nothing is."""
    try:
        with time_limit(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call(value)
        error = None
    except EXPECTED as e:
        error = e
    except Exception as e:
        return f"{type(e).__name__}: {e}"
    except Late:
        return f"more than {LONGEST} s"
    if error is not None:
        name = where.split()[1]
        words = [rf"\b{name}\b", *SYNONYMS.get(name, ())]
        if not any(re.search(word, str(error)) for word in words):
            return f"{type(error).__name__} without the argument's name: {error}"
    return None


def tries(each=8, seed=0):
    """Some values for each call."""
    rng = np.random.default_rng(seed)
    for where, call, values in calls():
        for k in rng.choice(len(values), each, replace=False):
            yield where, call, values[k]


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no alarm on this system")
def test_a_hostile_argument_works_or_is_named_by_the_error(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = []
    for where, call, value in tries():
        said = complaint(where, call, value)
        if said is not None:
            found.append(f"{where}={value!r:.60}: {said:.200}")
    assert not found, "\n".join([f"{len(found)} calls:", *found])


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no alarm on this system")
def test_the_search_for_complaints_can_find_some(monkeypatch):
    def leaks(value):
        return [][value]

    def vague(value):
        raise ValueError("something is wrong")

    def endless(value):
        while True:
            time.sleep(0.01)

    monkeypatch.setattr(f"{__name__}.LONGEST", 0.05)
    assert complaint("fit x", leaks, 3).startswith("IndexError")
    assert "without the argument's name" in complaint("fit x", vague, 3)
    assert complaint("fit x", endless, 3) == "more than 0.05 s"
    assert complaint("fit wrong", vague, 3) is None
