"""How a compiled model runs: each kind of step is traced once per batch size, and its plan then
runs many at a time.

`fit` hands C as many steps as take about a tenth of a second; between such calls Python looks at
signals (Ctrl-C) and moves the progress bar. Where a call returns cannot change a bit."""

import contextlib
import time
import warnings

import numpy as np

from nnlite import autodiff, config, configurable, ops
from nnlite.callbacks import EarlyStopping, History, ProgbarLogger
from nnlite.configurable import edits
from nnlite.data.batches import ArrayBatches, Span
from nnlite.data.sources import Source, leaves, packed, unpack_x_y_sample_weight
from nnlite.engine.dispatch import Recording
from nnlite.engine.plan import Plan
from nnlite.engine.tensor import Tensor
from nnlite.tree import mapped
from nnlite.warn import levels_to_the_caller

CALL_SECONDS = 0.1  # of work handed to C at a time
PLANS_KEPT = 32  # per model
# Rows of one inference step: at most so many, and so few that what is between the layers stays in a
# second cache; or is no more than the weights, which each step reads.
PREDICT_ROWS, PREDICT_BYTES = 512, 2 << 20
STOP = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}


class Step:
    """One kind of step over batches of one size, ready to run: a plan and how its feeds move.

    Parameters
    ----------
    model : Model
    kind : {'train', 'test', 'predict'}
    sources : tuple
        (x, y, sample_weight) of Sources.
    batch : int
    indexed : bool
        Whether batches are gathered by row numbers, rather than read in order.

    Attributes
    ----------
    outputs : Tensor, or list or dict of them
        What 'predict' computes.
    """

    def __init__(self, model, kind, sources, batch, indexed):
        self.batch, self.indexed = batch, indexed
        index = Tensor((batch,), "int32") if indexed else None
        feeds = []

        def read(source):
            placeholders = source.placeholders(index, batch)
            feeds.extend(placeholders)
            return source.read(placeholders, index, batch)

        with config.precision(model.real), Recording(executing=False) as trace:
            data = mapped(sources, Source, read)
            outputs = getattr(model, f"{kind}_step")(data[0] if kind == "predict" else packed(data))
            # Of a result that is a view of something older, a copy is handed out.
            self.outputs = mapped(
                outputs if kind == "predict" else None,
                Tensor,
                lambda y: ops.broadcast_to(y, y.shape),
            )
        self.results = []
        mapped(self.outputs, Tensor, self.results.append)
        self.plan = Plan(trace, feeds + ([index] if indexed else []), self.results, model.real)

    def run(self, span, threads, outputs=(), row=0):
        """Run up to `span.count` batches; returns how many were finished. `outputs` are arrays for
        the results, filled from `row` on."""
        feeds = []
        for s in leaves(span.sources):
            feeds += s.feeds(span.start, 0 if self.indexed else self.batch)
        if self.indexed:
            step = span.index.itemsize
            feeds.append((span.index, span.start * step, self.batch * step))
        for o in outputs:
            feeds.append((o, row * o.strides[0], self.batch * o.strides[0]))
        return self.plan.run(feeds, span.count, threads)


def step_of(model, kind, span):
    """The model's Step for this layout of data; traced when it is first asked for."""
    indexed = span.index is not None
    key = [kind, span.size, indexed]
    for s in span.sources:
        if s.__class__ is Source:
            key.append((s.layout, s.rows if indexed else 0))
        else:
            rows = mapped(s, Source, lambda s: (s.layout, s.rows if indexed else 0))
            key.append(configurable.frozen(rows))
    key = tuple(key)
    with model._lock:
        if model._plans_made_at != edits.count:
            model._plans.clear()
        step = model._plans.get(key)
        if step is None:
            step = Step(model, kind, span.sources, span.size, indexed)
            keep(model, key, step)
            model._plans_made_at = edits.count
    return step


def keep(model, key, step):
    """Remember a Step by a key of its own, and forget the oldest when they are too many."""
    with model._lock:
        model._plans.pop(key, None)
        while len(model._plans) >= PLANS_KEPT:
            model._plans.pop(next(iter(model._plans)))
        model._plans[key] = step


def run_span(model, kind, span):
    """Run up to `span.count` batches; returns how many were finished."""
    if model.run_eagerly:
        eager_batches(model, kind, span)
        return span.count
    return step_of(model, kind, span).run(span, model.n_threads)


def eager_batches(model, kind, span):
    """The same batches one by one in Python, as `compile(run_eagerly=True)` asks."""
    for start in range(span.start, span.start + span.count * span.size, span.size):
        rows = slice(start, start + span.size)
        rows = rows if span.index is None else span.index[rows]

        def read(s, rows=rows):
            values = np.ascontiguousarray(s.values(rows), "int32" if s.integer else model.real)
            return Tensor(values.shape, str(values.dtype), values)

        with config.precision(model.real):
            getattr(model, f"{kind}_step")(packed(mapped(span.sources, Source, read)))


def run_batches(model, kind, spans, callbacks=()):
    """Run every batch of some spans; returns how many that were.

    About CALL_SECONDS of work are handed over at a time; a callback with methods for batches gets
    to act around each.
    """
    by_batch = [c for c in callbacks if c.wants_batches(kind)]
    watching = [c for c in callbacks if kind == "train" and c.overrides("on_progress")]
    done, pace = 0, 1
    for span in spans:
        at = 0
        while at < span.count:
            count = 1 if by_batch or model.run_eagerly else min(pace, span.count - at)
            call(by_batch, f"on_{kind}_batch_begin", done, {})
            began = time.perf_counter()
            finished = run_span(model, kind, span.part(at, count))
            pace = next_pace(count, time.perf_counter() - began)
            at, done = at + finished, done + finished
            if by_batch or watching:
                logs = model.metric_results()
                call(by_batch, f"on_{kind}_batch_end", done - 1, logs)
                call(watching, "on_progress", done, logs)
            if getattr(model, STOP[kind]):
                return done
    return done


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
    model._plans.clear()  # settings may have changed since
    if isinstance(validation, ArrayBatches) and not model.run_eagerly:
        for span in validation.epoch(anew=True):
            step_of(model, "test", span)  # that it fits, before any work
    model.stop_training, logs = False, {}
    try:
        call(callbacks, "on_train_begin")
        for epoch in range(initial_epoch, epochs):
            model.reset_metrics()
            call(callbacks, "on_epoch_begin", epoch)
            with contextlib.closing(data.epoch(steps)) as spans:
                done = run_batches(model, "train", spans, callbacks)
            dry = not model.stop_training and done < (steps or 1)
            if dry:
                _ran_out(
                    data.name, done, f"of epoch {epoch + 1} of {epochs}", epoch > initial_epoch
                )
            if not done:
                break
            logs = model.metric_results()
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
        model._plans.clear()  # and with them their working memory
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
        done = run_batches(model, "test", spans, callbacks)
    if not model.stop_evaluating and done < (steps or 1):
        _ran_out(data.name, done, "of the evaluation", False)
    logs = model.metric_results()
    call(callbacks, "on_test_end", logs)
    return logs


def predict(model, data, steps=None, callbacks=()):
    """The outputs for every row of some batches."""
    model.stop_predicting = False
    call(callbacks, "on_predict_begin")
    by_batch = [c for c in callbacks if c.wants_batches("predict")]
    parts = []
    with contextlib.closing(data.epoch(steps, anew=True)) as spans:
        for batch in (span.part(k, 1) for span in spans for k in range(span.count)):
            call(by_batch, "on_predict_batch_begin", len(parts), {})
            parts.append(predict_rows(model, batch))
            call(by_batch, "on_predict_batch_end", len(parts) - 1, {"outputs": parts[-1]})
            if model.stop_predicting:
                break
    if not model.stop_predicting and len(parts) < (steps or 1):
        _ran_out(data.name, len(parts), "of the prediction", False)
    call(callbacks, "on_predict_end")
    return _joined(parts)


def _joined(parts):
    """The outputs of all batches, one after the other."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, dict):
        return {key: _joined([p[key] for p in parts]) for key in first}
    if isinstance(first, (list, tuple)):
        return type(first)(_joined(list(entries)) for entries in zip(*parts))
    return np.concatenate(parts)


def predict_rows(model, batch):
    """The outputs for the rows of a batch of any size.

    A row's result does not depend on the rows beside it, so the last step may overlap the one
    before.
    """
    rows, x = batch.size, batch.sources[:1]
    if model.run_eagerly:
        part = slice(batch.start, batch.start + rows)
        inputs = mapped(x[0], Source, lambda s: s.values(part))
        return mapped(model(inputs, training=False), Tensor, lambda y: y.numpy())
    size = power_of_two(min(PREDICT_ROWS, rows))
    step = step_of(model, "predict", Span(x, 0, size, 1))
    excess = step.plan.arena_bytes / max(PREDICT_BYTES, step.plan.memory)
    if excess > 1 and size > 1:
        size = power_of_two(max(1, int(size / excess)))
        step = step_of(model, "predict", Span(x, 0, size, 1))
    arrays = []

    def room(y):
        arrays.append(np.empty((rows, *y.shape[1:]), y.dtype))
        return arrays[-1]

    outputs = mapped(step.outputs, Tensor, room)
    if x[0].__class__ is Source and isinstance(step.outputs, Tensor):
        array = x[0].array
        if len(array) == rows == size:  # the whole of it, in one step
            keep(model, (array.dtype, array.shape, array.strides), step)
    done, pace, full = 0, 1, rows // size
    while done < full:
        began = time.perf_counter()
        span = Span(x, batch.start + done * size, size, min(pace, full - done))
        finished = step.run(span, model.n_threads, arrays, done * size)
        done += finished
        pace = next_pace(finished, time.perf_counter() - began)
    if rows % size:
        span = Span(x, batch.start + rows - size, size, 1)
        step.run(span, model.n_threads, arrays, rows - size)
    return outputs


def predict_again(model, x):
    """The outputs for an array just like one before: same type, shape and strides, and a step for
    all of its rows. None if there was none."""
    step = model._plans.get((x.dtype, x.shape, x.strides))
    if step is None or model._plans_made_at != edits.count or not x.flags.aligned:
        return None
    y = np.empty(step.outputs.shape, step.outputs.dtype)
    step.plan.run([(x, 0, 0), (y, 0, 0)], 1, model.n_threads)
    return y


def power_of_two(number):
    """The largest power of two that is no larger."""
    return 1 << (number.bit_length() - 1)


def dry_run(model, shapes):
    """Build a model by tracing it on one sample of a shape (None, ...), or of several."""
    with Recording(executing=False):
        x = mapped(shapes, tuple, lambda shape: Tensor((1, *shape[1:]), model.real))
        model(x, training=False)


def train_step(model, data):
    """The default `Model.train_step`: forward, loss, gradients, update, figures."""
    x, y, sample_weight = unpack_x_y_sample_weight(data)
    with autodiff.GradientTape() as tape:
        y_pred = model(x, training=True)
        loss = model.compute_loss(x, y, y_pred, sample_weight)
    variables = model.trainable_variables
    grads = tape.gradient(loss, variables)
    model.optimizer.apply_gradients(zip(grads, variables))
    return model.track(loss, x, y, y_pred, sample_weight)
