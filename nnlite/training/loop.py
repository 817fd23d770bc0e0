"""The loops of training and evaluation.

C runs as many batches in one call as take about a tenth of a second. Between calls Python handles
signals (Ctrl-C) and moves the progress bar. Where a call ends does not change the bits."""

import math
import time
from dataclasses import dataclass

import numpy as np

from nnlite import config, warn
from nnlite.callbacks import History, ProgbarLogger
from nnlite.data.batches import ArrayBatches, passing
from nnlite.data.packing import pack_x_y_sample_weight
from nnlite.data.sources import Source
from nnlite.engine.tensor import Tensor
from nnlite.metrics.metric import as_logs
from nnlite.training.agreement import causes_of_nan
from nnlite.training.fit_state import Fit
from nnlite.training.step_cache import returned_logs
from nnlite.tree import map_structure

CALL_SECONDS = 0.1  # of work in one call of C
STOP = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}


def run_range(model, kind, batch_range, step):
    """Run up to `batch_range.count` batches, by the model's step for them, or in Python without.

    Returns
    -------
    done : int
        How many were finished.
    logs : function
        Gives what the step of the last of them returned.
    """
    if step is None:
        return batch_range.count, eager_batches(model, kind, batch_range)
    return step.run_logged(batch_range, model.n_threads)


@config.isolated
def eager_batches(model, kind, batches):
    """The same batches one by one in Python, as `compile(run_eagerly=True)` asks; gives `logs`."""
    for k in range(batches.count):
        start = batches.start + k * batches.size
        rows = slice(start, start + batches.size)
        rows = rows if batches.index is None else batches.index[rows]

        def read(s, rows=rows):
            values = np.ascontiguousarray(
                s.values(rows), "int32" if s.integer else model._precision
            )
            return Tensor(values.shape, str(values.dtype), values)

        with config.precision(model._precision), config.products_by_bins(kind != "predict"):
            data = pack_x_y_sample_weight(*map_structure(read, batches.sources, Source))
            returned = getattr(model, f"{kind}_step")(data)
    logs = returned_logs(model, kind, returned)
    return lambda: as_logs(logs)


def run_batches(model, kind, ranges, callbacks=(), asked=None, at=None):
    """Run every batch of some ranges.

    A call of C does about CALL_SECONDS of work. If a callback has methods for batches it is called
    around groups of as many batches as `compile(steps_per_execution=)` says.
    `asked` is the model that may be told to stop, if `model` is a twin of it. `at` is the Fit that
    the batches belong to; it knows how many of the epoch went before.

    Returns
    -------
    done : int
        How many batches were run.
    logs : dict
        What the step of the last batch returned.
    """
    by_batch = [c for c in callbacks if c.wants_batches(kind)]
    watching = [c for c in callbacks if kind == "train" and c.overrides("on_progress")]
    done, logs = 0, dict
    if at is not None and at.done:
        done, logs = at.done, at.logs.copy
        ranges = () if model.stop_training else ranges
    group = model.steps_per_execution if by_batch else math.inf
    first = done  # the first batch of the group under way

    def end_group(number, seen):
        if at is not None:
            at.done, at.logs = done, dict(seen)
        call(by_batch, f"on_{kind}_batch_end", number, seen)

    for batch_range in ranges:
        begun = 0
        while begun < batch_range.count:
            if done == first:
                call(by_batch, f"on_{kind}_batch_begin", done, {})
            # Callbacks may have changed the model, and with it the step.
            step = None if model.run_eagerly else model._step_cache.step(model, kind, batch_range)
            most = 1 if step is None else min(step.pace, first + group - done)
            began = time.perf_counter()
            part = batch_range.slice(begun, min(most, batch_range.count - begun))
            finished, logs = run_range(model, kind, part, step)
            seconds = time.perf_counter() - began
            if step is not None and (part.count >= step.pace or seconds > CALL_SECONDS):
                step.pace = next_pace(part.count, seconds)
            begun, done = begun + finished, done + finished
            if watching or done == first + group:
                seen = logs()
                call(watching, "on_progress", done, seen)
                if done == first + group:
                    first = done
                    end_group(done - 1, seen)
            if getattr(asked or model, STOP[kind]):
                return done, logs()
    if by_batch and done > first:  # the last group has fewer; it ends with the number of a full one
        end_group(first + group - 1, logs())
    return done, logs()


def next_pace(count, seconds):
    """How many steps the next call of C does, if `count` steps took this long."""
    most = 2 * count if seconds < CALL_SECONDS / 2 else count
    return max(1, min(most, int(count * CALL_SECONDS / max(seconds, 1e-6))))


@dataclass
class Validation:
    """Data to evaluate a model on between epochs.

    Attributes
    ----------
    batches : ArrayBatches or IterableBatches
    steps : int or None
        Batches of an evaluation; None: one pass.
    frequency : int or collection of int
        Every how many epochs to evaluate, or after which of them, counted from 1.
    """

    batches: object
    steps: int = None
    frequency: object = 1

    def is_due(self, epoch):
        """Whether an evaluation follows this epoch, counted from 0."""
        counted = epoch + 1
        if np.iterable(self.frequency):
            return counted in self.frequency
        return counted % self.frequency == 0


def fit(model, batches, epochs, *, steps=None, validation=None, callbacks=(), verbose=0):
    """The training loop; everything was checked by `Model.fit`.

    Parameters
    ----------
    model : Model
    batches : ArrayBatches or IterableBatches
    epochs : range
        The numbers of the epochs, counted from 0.
    steps : int or None
        Batches of an epoch; None: one pass.
    validation : Validation or None
    callbacks : list of Callback
    verbose : {0, 1, 2}

    Returns
    -------
    History
    """
    history = History()
    callbacks = [*callbacks, *([ProgbarLogger(verbose)] if verbose else []), history]
    callbacks.sort(key=lambda c: c._keeps_the_fit)  # it keeps what others have done
    model.history = history
    model._advised = set() if model._advised is None else model._advised
    whole = model.optimizer is not None and model.optimizer.whole_batches
    if whole and not isinstance(batches, ArrayBatches):
        raise ValueError(
            f"{batches.name}: expected arrays, as {type(model.optimizer).__name__} takes all rows "
            "at once, got what yields batches"
        )
    if model.optimizer is not None and not model.optimizer._rates():
        # A function of the weights gives it its optimizers, whose rates callbacks set.
        model.optimizer.build(model.trainable_variables)
    steps = 1 if whole else steps
    params = {"epochs": epochs.stop, "steps": steps or batches.steps, "verbose": verbose}
    introduce(callbacks, model, {**params, "do_validation": validation is not None})
    model._step_cache.begin_fit(model)
    if validation is not None and not model.run_eagerly:
        _trace(model, validation.batches)
    model.stop_training, begun = False, False
    held_out = None if validation is None else validation.batches
    at = Fit(model, batches, held_out, callbacks, steps, epochs.start)
    backups = [c for c in callbacks if c._keeps_the_fit]
    for c in backups:
        c.fit = at
    metrics = model._step_cache.in_use
    claimed = metrics.acquire(blocking=False)

    def begin_epoch():
        if backups:
            at.mark()
        model.reset_metrics()
        call(callbacks, "on_epoch_begin", at.epoch, {})

    def end_epoch(logs, ran_out=False):
        epoch = at.epoch
        at.diverged = at.diverged or _warn_if_diverged(model, logs)
        if validation is not None and validation.is_due(epoch):
            values = evaluate(model, validation.batches, validation.steps, callbacks)
            logs.update({f"val_{name}": value for name, value in values.items()})
        at.epoch, at.done, at.logs, at.over = epoch + 1, 0, logs, ran_out
        if backups:
            at.mark()
        call(callbacks, "on_epoch_end", epoch, logs)
        at.over |= model.stop_training

    try:
        call(callbacks, "on_train_begin", {})
        begun = True
        if whole and at.epoch < epochs.stop:
            _search(batches, epochs.stop - at.epoch, callbacks, at, begin_epoch, end_epoch)
            at.over = True
        while at.epoch < epochs.stop and not at.over:
            begin_epoch()
            with passing(batches, at.steps, skip=at.done) as ranges:
                done, logs = run_batches(model, "train", ranges, callbacks, at=at)
            ran_out = not model.stop_training and done < (at.steps or 1)
            if ran_out and done and not batches.single_pass:
                say_too_many(batches.name, at.steps, done)
                at.steps, ran_out = done, False
            elif ran_out:
                where = f"of epoch {at.epoch + 1} of {epochs.stop}"
                say_ran_out(batches.name, done, where, at.epoch > epochs.start)
            if not done:
                break
            end_epoch(logs, ran_out)
    except BaseException as error:
        batches.close()
        # The weights are those of the last finished steps; the best ones come back if they were
        # kept. Lines and files end.
        for c in callbacks if begun and isinstance(error, KeyboardInterrupt) else ():
            if c._ends_when_interrupted:
                c.on_train_end()
        raise
    finally:
        model._step_cache.end_fit()
        model._advised = None
        for c in backups:
            c.fit = None
        if claimed:
            metrics.release()
    weights = model._all_weights()
    if not at.diverged:
        _warn_of_statistics([v for v, trainable in weights if not trainable])
    if model.optimizer is not None:
        model.optimizer.finalize_variable_values([v for v, trainable in weights if trainable])
    call(callbacks, "on_train_end", at.logs)
    return history


def _search(batches, most, callbacks, at, begin_epoch, end_epoch):
    """The epochs of an optimizer that takes all rows at once: each is one of its iterations, with
    as many evaluations of the loss as it wants. Callbacks see each of them as a batch."""
    model, logs, under_way = at.model, {}, False

    def evaluate_loss():
        nonlocal logs, under_way
        if not under_way:
            begin_epoch()
        under_way = True
        model.reset_metrics()
        _, logs = run_batches(model, "train", [batches.all()], callbacks)
        if "loss" not in logs:
            raise ValueError(
                f"train_step: expected a 'loss' among what it returns, for "
                f"{type(model.optimizer).__name__} to make small, got {', '.join(logs)}"
            )
        return logs["loss"]

    def end_iteration(loss):
        nonlocal under_way
        under_way = False
        end_epoch(logs)
        if at.over:
            raise StopIteration

    model.optimizer.minimize(evaluate_loss, model.trainable_variables, most, end_iteration)


def _trace(model, batches):
    """Trace the evaluation of arrays, so that what does not fit is an error before any work."""
    if isinstance(batches, ArrayBatches):
        for batch_range in batches.epoch(restart=True):
            model._step_cache.step(model, "test", batch_range)


def introduce(callbacks, model, params):
    """Tell callbacks about the model and what is about to be done."""
    for c in callbacks:
        c.set_model(model)
        c.set_params(params)


def call(callbacks, method, *args):
    """Call a method of each callback."""
    for c in callbacks:
        getattr(c, method)(*args)


def say_ran_out(name, done, where, began):
    """Data that end too early: an error if there were none at all, else a warning."""
    if not done and not began:
        raise ValueError(f"{name}: expected at least one batch, got none")
    warn.warn(
        f"{name} ran out of data after {done} batches {where}. A generator can be gone through "
        "once: let it yield without end and say how many steps to take, or give something that can "
        "be read again, such as a keras.utils.PyDataset",
        RuntimeWarning,
    )


def say_too_many(name, steps, most):
    """Warn of epochs that end with the data."""
    warn.warn(
        f"steps_per_epoch: expected at most {most}, the batches of one pass over {name}, got "
        f"{steps}; each epoch ends after {most}. For more let a generator yield without end",
        RuntimeWarning,
    )


def _warn_if_diverged(model, logs):
    """Warn of a loss that is no longer finite, and say whether it is so."""
    loss = logs.get("loss", 0.0)
    if math.isfinite(loss) if loss.__class__ is float else np.isfinite(loss).all():
        return False
    causes = [f"{fault.figure}; {fault.cure}" for fault in causes_of_nan(model._advised)]
    cause = ". ".join(causes) or (
        "the training diverged. Lower the learning rate, or scale the input (pixels / 255, "
        "StandardScaler) and regression targets"
    )
    warn.warn(f"the loss became {logs['loss']}: {cause}", RuntimeWarning)
    return True


def _warn_of_statistics(variables):
    """Warn of weights that follow the data, such as a moving variance, and are not finite."""
    for v in variables:
        if v.dtype != "int32" and not np.isfinite(v._data).all():
            warn.warn(
                f"{v.name} is no longer finite, so predictions mean nothing, although the loss is "
                f"finite: what it is computed from is too large for {v.dtype}. Scale the input "
                "(StandardScaler), or call set_floatx('float64')",
                RuntimeWarning,
            )
            return


def evaluate(model, batches, steps=None, callbacks=(), twin=None):
    """The logs of a model on some data: what its test step, or a twin's, returned after the last
    batch."""
    model.stop_evaluating, runner = False, twin or model
    call(callbacks, "on_test_begin", {})
    runner.reset_metrics()
    with passing(batches, steps, restart=True) as ranges:
        done, logs = run_batches(runner, "test", ranges, callbacks, model)
    if not model.stop_evaluating and done < (steps or 1):
        say_ran_out(batches.name, done, "of the evaluation", False)
    call(callbacks, "on_test_end", logs)
    return logs


def as_evaluated(logs, return_dict):
    """What `evaluate` gives: figures by name, or a list of them, or the only one."""
    values = list(logs.values())
    return logs if return_dict else values if len(values) > 1 else values[0]
