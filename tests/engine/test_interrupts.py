"""Ctrl-C at any line leaves nothing behind: no trace, scope, flag or lock."""

import sys
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import nnlite
from nnlite import config, layers, ops
from nnlite.engine.recording import active_recordings
from nnlite.models import Model, Sequential

HOME = str(Path(nnlite.__file__).parent)
X = np.random.default_rng(0).standard_normal((12, 3)).astype("float32")
Y = np.arange(12) % 2


def network(**settings):
    model = Sequential([layers.Dense(4, "relu"), layers.Dropout(0.5), layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], **settings)
    return model


def fit(**settings):
    config.seed_draws(1)  # no block that Ctrl-C could leave half ended
    model = network(**settings)
    model.fit(X, Y, batch_size=8, verbose=0, validation_split=0.25)
    return model


def functional():
    inputs = nnlite.Input((3,))
    hidden = layers.Dense(4)(inputs)
    return Model(inputs, ops.add(hidden, layers.Dense(4)(hidden))).predict(X)


def tape():
    layer, drop = layers.Dense(4), layers.Dropout(0.5)
    optimizer = nnlite.optimizers.Adam(lambda: nnlite.ones(()))
    with nnlite.GradientTape() as outer:
        with nnlite.GradientTape() as inner:
            loss = ops.sum(ops.square(drop(layer(X), training=True)))
        slope = inner.gradient(loss, layer.trainable_weights)
        penalty = ops.sum(ops.square(slope[0]))
    outer.gradient(penalty, layer.trainable_weights)
    optimizer.apply_gradients(zip(slope, layer.trainable_weights))


def estimator():
    nnlite.NNClassifier((4,), epochs=1, random_state=0, early_stopping=True).fit(X, Y).predict(X)


# Where something becomes active and ends: the other files have twenty times as many lines.
KEEPERS = [
    "/config.py",
    "/engine/dispatch.py",
    "/engine/recording.py",
    "/layers/layer.py",
    "/layers/building.py",
    "/training/step_cache.py",
    "/data/batches.py",
    "/data/prefetch.py",
]


def streamed():
    batches = ((X[k : k + 4], Y[k : k + 4]) for k in (0, 4, 8))
    network().fit(batches, verbose=0)


JOBS = {
    "fit": fit,
    "streamed fit": streamed,
    "eager fit": lambda: fit(run_eagerly=True),
    "predict": lambda: (network().predict(X), network().evaluate(X, Y)),
    "functional": functional,
    "tape": tape,
    "estimator": estimator,
}


def interrupted(job, line=None, visit=0):
    """Run a job, with Ctrl-C at a visit of a line; how often it comes by each line of nnlite."""
    visits = Counter()

    def local(frame, event, arg):
        if event == "line":
            here = frame.f_code.co_filename, frame.f_lineno
            visits[here] += 1
            if here == line and visits[here] == visit:
                raise KeyboardInterrupt
        return local

    def trace(frame, event, arg):
        return local if frame.f_code.co_filename.startswith(HOME) else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        job()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return visits


def in_another_thread(function):
    results = []
    thread = threading.Thread(target=lambda: results.append(function()), daemon=True)
    thread.start()
    thread.join(20)
    assert results, "another thread hangs"
    return results[0]


def bits(model):
    return b"".join(w.tobytes() for w in model.get_weights()), model.history.history


def everything_is_as_ever():
    """Fail if a training flag, a trace, a tape, a precision, a seed or a lock was left behind."""
    assert layers.Dropout(0.5)(X).numpy().tobytes() == X.tobytes()
    assert not active_recordings() and config.floatx() == "float32"
    drawn = []
    for _ in range(2):  # the seed of a block would hide that of the process
        config.seed_draws(1)
        drawn.append(config.next_seed())
    assert drawn[0] == drawn[1]
    for thread in threading.enumerate():
        if thread.name == "nnlite-batches" and thread.is_alive():
            thread.join(10)
            assert not thread.is_alive()
    assert in_another_thread(lambda: network().predict(X).shape) == (12, 2)


@pytest.mark.parametrize("job", JOBS)
def test_nothing_is_left_after_ctrl_c_at_any_line(job):
    expected = bits(fit())
    JOBS[job]()  # what is made once a process is made now
    visits, rng = interrupted(JOBS[job]), np.random.default_rng(7)
    lines = sorted(line for line in visits if line[0].removeprefix(HOME) in KEEPERS)
    came, chosen = 0, rng.permutation(len(lines))[: 200 // len(JOBS)]
    for k in chosen:
        visit = visits[lines[k]]  # the last, which is most often that of an outermost call
        came += interrupted(JOBS[job], lines[k], visit)[lines[k]] == visit
        everything_is_as_ever()
        assert bits(fit()) == expected, f"visit {visit} of {lines[k]}"
    assert came > 0.8 * len(chosen) > 0  # how often a line is visited may depend on a thread
