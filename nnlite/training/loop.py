"""How a compiled model runs: each kind of step is traced once per batch size, and its plan then
runs many at a time.

`fit` hands C as many steps as take about a tenth of a second; between such calls Python looks at
signals (Ctrl-C) and moves the progress bar. Where a call returns cannot change a bit."""

import contextlib
import time
import warnings

import numpy as np

from nnlite import config
from nnlite.callbacks import EarlyStopping, History, ProgbarLogger
from nnlite.data.batches import ArrayBatches
from nnlite.data.sources import Source, packed
from nnlite.engine.tensor import Tensor
from nnlite.metrics.metric import as_logged
from nnlite.training.step_cache import returned_logs
from nnlite.tree import mapped
from nnlite.warn import levels_to_the_caller

CALL_SECONDS = 0.1  # of work handed to C at a time
STOP = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}


def run_span(model, kind, span):
    """Run up to `span.count` batches; returns how many were finished, and a function that gives
    what the last of them returned."""
    if model.run_eagerly:
        return span.count, eager_batches(model, kind, span)
    return model._step_cache.step(model, kind, span).run_logged(span, model.n_threads)


def eager_batches(model, kind, span):
    """The same batches one by one in Python, as `compile(run_eagerly=True)` asks; returns a
    function that gives what the last of them returned."""
    for start in range(span.start, span.start + span.count * span.size, span.size):
        rows = slice(start, start + span.size)
        rows = rows if span.index is None else span.index[rows]

        def read(s, rows=rows):
            values = np.ascontiguousarray(
                s.values(rows), "int32" if s.integer else model._precision
            )
            return Tensor(values.shape, str(values.dtype), values)

        with config.precision(model._precision):
            returned = getattr(model, f"{kind}_step")(packed(mapped(span.sources, Source, read)))
    logs = returned_logs(model, kind, returned)
    return lambda: {name: as_logged(value) for name, value in logs.items()}


def run_batches(model, kind, spans, callbacks=()):
    """Run every batch of some spans; returns how many that were, and the logs after the last.

    About CALL_SECONDS of work are handed over at a time; a callback with methods for batches gets
    to act around each.
    """
    by_batch = [c for c in callbacks if c.wants_batches(kind)]
    watching = [c for c in callbacks if kind == "train" and c.overrides("on_progress")]
    done, pace, logs = 0, 1, dict
    for span in spans:
        at = 0
        while at < span.count:
            count = 1 if by_batch or model.run_eagerly else min(pace, span.count - at)
            call(by_batch, f"on_{kind}_batch_begin", done, {})
            began = time.perf_counter()
            finished, logs = run_span(model, kind, span.part(at, count))
            pace = next_pace(count, time.perf_counter() - began)
            at, done = at + finished, done + finished
            if by_batch or watching:
                seen = logs()
                call(by_batch, f"on_{kind}_batch_end", done - 1, seen)
                call(watching, "on_progress", done, seen)
            if getattr(model, STOP[kind]):
                return done, logs()
    return done, logs()


def next_pace(count, seconds):
    """How many steps to hand over next, where `count` of them took so long."""
    most = 2 * count if seconds < CALL_SECONDS / 2 else count
    return max(1, min(most, int(count * CALL_SECONDS / max(seconds, 1e-6))))


def fit(
    model,
    data,
    validation,
    epochs,
    callbacks,
    verbose,
    initial_epoch=0,
    steps=None,
    validation_steps=None,
    validation_freq=1,
):
    """The training loop; everything was checked by `Model.fit`.

    Parameters
    ----------
    model : Model
    data : ArrayBatches or StreamBatches
    validation : the same, or None
    epochs : int
    callbacks : list of Callback
    verbose : {0, 1, 2}
    initial_epoch : int
    steps, validation_steps : int or None
    validation_freq : int or collection of int
        Every how many epochs to evaluate, or after which of them, counted from 1.
    """
    history = History()
    callbacks = [*callbacks, *([ProgbarLogger(verbose)] if verbose else []), history]
    model.history = history
    model._warned_not_finite = False
    params = {"epochs": epochs, "steps": steps or data.steps, "verbose": verbose}
    introduce(callbacks, model, {**params, "do_validation": validation is not None})
    model._step_cache.clear()  # settings may have changed since
    if isinstance(validation, ArrayBatches) and not model.run_eagerly:
        for span in validation.epoch(anew=True):
            model._step_cache.step(model, "test", span)  # that it fits, before any work
    model.stop_training, logs = False, {}
    try:
        call(callbacks, "on_train_begin")
        for epoch in range(initial_epoch, epochs):
            model.reset_metrics()
            call(callbacks, "on_epoch_begin", epoch)
            with contextlib.closing(data.epoch(steps)) as spans:
                done, logs = run_batches(model, "train", spans, callbacks)
            dry = not model.stop_training and done < (steps or 1)
            if dry:
                _ran_out(
                    data.name, done, f"of epoch {epoch + 1} of {epochs}", epoch > initial_epoch
                )
            if not done:
                break
            _warn_once(model, logs)
            if validation is not None and _is_due(epoch, validation_freq):
                figures = evaluate(model, validation, validation_steps, callbacks)
                logs.update({f"val_{name}": value for name, value in figures.items()})
            call(callbacks, "on_epoch_end", epoch, logs)
            if model.stop_training or dry:
                break
    except KeyboardInterrupt:
        # The weights are those of the last finished steps; the best ones come back if they were
        # kept.
        for c in callbacks:
            if isinstance(c, (EarlyStopping, ProgbarLogger)):
                c.on_train_end()
        raise
    finally:
        model._step_cache.clear()  # and with the steps their working memory
    call(callbacks, "on_train_end", logs)
    return history


def introduce(callbacks, model, params):
    """Tell callbacks about the model and what is about to be done."""
    for c in callbacks:
        c.set_model(model)
        c.set_params(params)


def call(callbacks, method, *args):
    """Call a method of each callback."""
    for c in callbacks:
        getattr(c, method)(*args)


def _is_due(epoch, frequency):
    """Whether validation follows this epoch."""
    counted = epoch + 1
    return counted in frequency if np.iterable(frequency) else counted % frequency == 0


def _ran_out(name, done, where, began):
    """Data that end too early: an error if there were none at all, else a warning."""
    if not done and not began:
        raise ValueError(f"{name}: expected at least one batch, got none")
    warnings.warn(
        f"{name} ran out of data after {done} batches {where}. A generator can be gone through "
        "once: let it yield without end and say how many steps to take, or give something that can "
        "begin anew, such as a keras.utils.PyDataset",
        RuntimeWarning,
        stacklevel=levels_to_the_caller(),
    )


def _warn_once(model, logs):
    """A loss that is no longer finite: say what the cause most likely is."""
    if not np.isfinite(logs.get("loss", 0.0)) and not model._warned_not_finite:
        model._warned_not_finite = True
        warnings.warn(
            f"the loss became {logs['loss']}: the training diverged. Lower the learning rate, or "
            "scale the input (pixels / 255, StandardScaler) and regression targets",
            RuntimeWarning,
            stacklevel=levels_to_the_caller(),
        )


def evaluate(model, data, steps=None, callbacks=()):
    """The figures of the model on some data, by name."""
    model.stop_evaluating = False
    call(callbacks, "on_test_begin")
    model.reset_metrics()
    with contextlib.closing(data.epoch(steps, anew=True)) as spans:
        done, logs = run_batches(model, "test", spans, callbacks)
    if not model.stop_evaluating and done < (steps or 1):
        _ran_out(data.name, done, "of the evaluation", False)
    call(callbacks, "on_test_end", logs)
    return logs
