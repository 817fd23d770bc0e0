"""Prediction: the outputs for every row, as many rows at a time as the caches hold."""

import time

import numpy as np

from nnlite import config
from nnlite.data.batches import BatchRange, passing
from nnlite.data.sources import ArraySource, Source
from nnlite.engine.tensor import Tensor
from nnlite.errors import memory_for
from nnlite.layers.tracking import keeps_states
from nnlite.training.loop import call, next_pace, say_ran_out
from nnlite.tree import map_structure

# The most rows of one inference step, and the most bytes of results between its layers: they stay
# in the L2 cache then. Weights may be larger; as many bytes of results may be, too.
PREDICT_ROWS, PREDICT_BYTES = 512, 2 << 20


def predict(model, batches, steps=None, callbacks=(), folds=True):
    """The outputs for every row of some batches."""
    model.stop_predicting = False
    call(callbacks, "on_predict_begin", {})
    by_batch = [c for c in callbacks if c.wants_batches("predict")]
    parts, first, group = [], 0, model.steps_per_execution
    with passing(batches, steps, restart=True) as ranges:
        for batch in (run.slice(k, 1) for run in ranges for k in range(run.count)):
            if len(parts) == first:
                call(by_batch, "on_predict_batch_begin", first, {})
            parts.append(predict_rows(model, batch, folds))
            if by_batch and len(parts) == first + group:
                first = _end(by_batch, parts, first, group)
            if model.stop_predicting:
                break
    if by_batch and len(parts) > first:
        _end(by_batch, parts, first, group)
    if not model.stop_predicting and len(parts) < (steps or 1):
        say_ran_out(batches.name, len(parts), "of the prediction", False)
    call(callbacks, "on_predict_end", {})
    return _joined(parts)


def _end(callbacks, parts, first, group):
    """Tell callbacks the outputs of a group of batches; gives where the next one begins."""
    outputs = {"outputs": _joined(parts[first:])}
    call(callbacks, "on_predict_batch_end", first + group - 1, outputs)
    return first + group


def _joined(parts):
    """The outputs of all batches, one after the other."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, dict):
        return {key: _joined([p[key] for p in parts]) for key in first}
    if isinstance(first, (list, tuple)):
        return type(first)(_joined(list(entries)) for entries in zip(*parts))
    shapes = sorted({y.shape[1:] for y in parts})
    if len(shapes) > 1:
        one, other = (next(y.shape for y in parts if y.shape[1:] == s) for s in shapes[:2])
        raise ValueError(
            f"predict: expected outputs of one length, got batches of shapes {one} and {other}: "
            "pad the inputs to one length, or predict the batches one by one"
        )
    return np.concatenate(parts)


def predict_rows(model, batch, folds=True):
    """The outputs for the rows of a batch of any size.

    A row's result does not depend on the rows beside it, so the last step may overlap the one
    before.
    """
    rows, x = batch.size, batch.sources[:1]
    if model.run_eagerly:
        part = slice(batch.start, batch.start + rows)
        inputs = map_structure(lambda s: s.values(part), x[0], Source)
        return map_structure(lambda y: y.numpy(), model(inputs, training=False), Tensor)
    whole = keeps_states(model)  # then a step is a batch
    size = rows if whole else power_of_two(min(PREDICT_ROWS, rows))
    step = model._step_cache.step(model, "predict", BatchRange(x, 0, size, 1), folds)
    excess = step.plan.arena_bytes / max(PREDICT_BYTES, step.plan.memory)
    if excess > 1 and size > 1 and not whole:
        size = power_of_two(max(1, int(size / excess)))
        step = model._step_cache.step(model, "predict", BatchRange(x, 0, size, 1), folds)
    arrays = []

    def room(y):
        shape = (rows, *y.shape[1:])
        with memory_for("predict", shape, y.dtype):
            arrays.append(np.empty(shape, y.dtype))
        return arrays[-1]

    outputs = map_structure(room, step.outputs, Tensor)
    if x[0].__class__ is ArraySource and isinstance(step.outputs, Tensor):
        array = x[0].array
        checked = x[0].integer and array.dtype != np.int32  # the next one's values are, too
        if folds and len(array) == rows == size and not checked:  # the whole of it, in one step
            model._step_cache.keep(_key_of(array), step)
    done, pace, full = 0, 1, rows // size
    while done < full:
        began = time.perf_counter()
        batch_range = BatchRange(x, batch.start + done * size, size, min(pace, full - done))
        finished = step.run(batch_range, model.n_threads, arrays, done * size)
        done += finished
        pace = next_pace(finished, time.perf_counter() - began)
    if rows % size:
        batch_range = BatchRange(x, batch.start + rows - size, size, 1)
        step.run(batch_range, model.n_threads, arrays, rows - size)
    return outputs


def _key_of(array):
    """What the step that predicts all rows of an array at once depends on."""
    return array.dtype, array.shape, array.strides, config.is_winograd_enabled()


def predict_cached(model, x):
    """The outputs for an array just like one before: same type, shape and strides, and a step for
    all of its rows. None if there was none."""
    step = model._step_cache.find(model, _key_of(x))
    if step is None or not x.flags.aligned:
        return None
    y = np.empty(step.outputs.shape, step.outputs.dtype)
    step.plan.run([(x, 0, 0), (y, 0, 0)], 1, model.n_threads)
    return y


def power_of_two(number):
    """The largest power of two that is no larger."""
    return 1 << (number.bit_length() - 1)
