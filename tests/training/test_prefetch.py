"""The second thread that fetches batches: what it fetches, and how it ends."""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback

import pytest
from small_models import D, X, Y, line
from test_streams import Again, endless, parts

from nnlite import callbacks


def ours():
    return [t for t in threading.enumerate() if t.name.startswith("nnlite")]


def test_one_batch_is_fetched_ahead_in_a_second_thread_that_ends_with_the_epoch():
    fetched, used, names = [], [], set()

    def batches():
        for k, batch in enumerate(parts(X, Y)):
            fetched.append(k)
            names.add(threading.current_thread().name)
            yield batch

    class Watch(callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            deadline = time.monotonic() + 10
            while len(fetched) < min(batch + 2, 7) and time.monotonic() < deadline:
                time.sleep(0.001)
            used.append(len(fetched))

        def on_epoch_end(self, epoch, logs=None):
            assert not ours()

    line(D).fit(batches(), verbose=0, callbacks=Watch())
    assert used == [2, 3, 4, 5, 6, 7, 7]
    assert len(names) == 1 and names != {threading.current_thread().name}


def test_error_in_a_generator_comes_out_with_its_traceback():
    def batches():
        yield parts(X, Y)[0]
        raise LookupError("no such picture")

    model = line(D)
    with pytest.raises(LookupError, match="no such picture") as caught:
        model.fit(batches(), verbose=0)
    assert "raise LookupError" in "".join(traceback.format_exception(caught.value))
    assert int(model.optimizer.iterations) == 1 and not ours()
    model.fit(X, Y, verbose=0)


def test_pass_that_is_stopped_is_closed():
    closed = []

    class Data(Again):
        def __iter__(self):
            try:
                yield from endless(self.batches)
            finally:
                closed.append(True)

    class Enough(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 2

    model = line(D)
    model.fit(Data(parts(X, Y)), verbose=0, callbacks=Enough())
    assert int(model.optimizer.iterations) == 3 and closed == [True] and not ours()


INTERRUPTED = """
import os, signal, threading, time
import numpy as np
import nnlite as keras

signal.signal(signal.SIGINT, signal.default_int_handler)

def batches(seconds=0.05):
    while True:
        yield np.ones((4, 3)), np.ones(4)
        time.sleep(seconds)

class Slow(keras.utils.PyDataset):
    def __len__(self):
        return 9
    def __getitem__(self, k):
        threading.current_thread() is threading.main_thread() or time.sleep(1000)
        return np.ones((4, 3)), np.ones(4)

model = keras.Sequential([keras.layers.Dense(1, input_shape=(3,))])
model.compile("sgd", "mse")
ready = keras.callbacks.LambdaCallback(
    on_train_batch_end=lambda batch, logs: batch == 1 and print("training", flush=True)
)
try:
    model.fit(batches(), verbose=0, callbacks=ready)
except KeyboardInterrupt:
    print("interrupted", threading.active_count(), flush=True)
model.fit(batches(), steps_per_epoch=2, verbose=0)
print("usable", flush=True)
for data in (batches(1000), Slow()):
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    try:
        model.fit(data, verbose=0)
    except KeyboardInterrupt:
        print("again", time.monotonic() - began < 1.5, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_stops_a_fit_on_an_endless_generator(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", INTERRUPTED],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert child.stdout.readline() == "training\n", child.stderr.read()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
        assert out == "interrupted 1\nusable\nagain True\nagain True\n", err
        assert child.returncode == 0, err
    finally:
        child.kill()


def slow(noted, awake):
    """Two batches, and one that is long in coming."""
    try:
        yield from parts(X, Y)[:2]
        awake.wait(20)
        yield parts(X, Y)[2]
    finally:
        noted.append("closed")


@pytest.mark.parametrize("own", [True, False], ids=["generator", "iterable"])
@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt])
def test_error_does_not_wait_for_a_slow_batch_and_closes_the_generator(own, error):
    def fail(batch, logs):
        if batch == 1:
            raise error

    batches = slow(noted := [], awake := threading.Event())
    watch = callbacks.LambdaCallback(on_train_batch_end=fail)
    began = time.monotonic()
    with pytest.raises(error):
        line(D).fit(batches if own else Again(batches), verbose=0, callbacks=watch)
    assert time.monotonic() - began < 5 and not noted  # the thread is in the generator
    awake.set()
    for thread in ours():
        thread.join(20)
    assert noted == ["closed"] and not ours()
    with pytest.raises(StopIteration):
        next(batches)
