"""How a compiled model runs: each kind of step is traced once per batch size, and its plan then
runs many at a time.

`fit` hands C as many steps as take about a tenth of a second; between such calls Python looks at
signals (Ctrl-C) and moves the progress bar. Where a call returns cannot change a bit. """

import sys
import time
import warnings

import numpy as np

from nnlite import autodiff, config, ops
from nnlite.callbacks import EarlyStopping, History, ProgbarLogger
from nnlite.config import edits, next_seed
from nnlite.data import Source, packed, unpack_x_y_sample_weight
from nnlite.dispatch import Recording
from nnlite.plan import Plan
from nnlite.tensor import Tensor

CALL_SECONDS = 0.1  # of work handed to C at a time
PLANS_KEPT = 32  # per model
PREDICT_ROWS = 256  # of one inference step


class Step:
    """One kind of step over batches of one size, ready to run: a plan and how its feeds move.

    Parameters
    ----------
    model : Model
    kind : {'train', 'test', 'predict'}
    sources : list of Source or None
        x, y, sample_weight.
    batch : int
    indexed : bool
        Whether batches are gathered by row numbers, rather than read in order.
    """

    def __init__(self, model, kind, sources, batch, indexed):
        self.batch, self.indexed = batch, indexed
        self.feeds = [None if s is None else s.placeholder() for s in sources]
        index = Tensor((batch,), "int32") if indexed else None
        feeds = [f for f in self.feeds if f is not None] + ([index] if indexed else [])
        with config.precision(model.real), Recording(executing=False) as trace:
            data = [
                None if s is None else s.read(f, index, batch) for s, f in zip(sources, self.feeds)
            ]
            results = getattr(model, f"{kind}_step")(data[0] if kind == "predict" else packed(data))
            # Of a result that is a view of something older, a copy is handed out.
            results = [ops.broadcast_to(results, results.shape)] if kind == "predict" else []
        self.plan = Plan(trace, feeds, results, model.real)
        self.results = results

    def run(self, sources, start, runs, threads, index=None, outputs=()):
        """Run up to `runs` batches from row (or entry of `index`) `start`; returns how many were
        finished."""
        feeds = []
        for s in sources:
            if s is not None:
                step = 0 if self.indexed else s.row_bytes
                feeds.append((s.array, start * step, self.batch * step))
        if self.indexed:
            feeds.append((index, start * index.itemsize, self.batch * index.itemsize))
        for o in outputs:
            feeds.append((o, start * o.strides[0], self.batch * o.strides[0]))
        return self.plan.run(feeds, runs, threads)


def step_of(model, kind, sources, batch, indexed):
    """The model's Step for this layout of data; traced when it is first asked for."""
    layout = tuple(None if s is None else (s.layout, s.rows if indexed else 0) for s in sources)
    key = (kind, batch, indexed, layout)
    with model._lock:
        if model._plans_made_at != edits.count:
            model._plans.clear()
        step = model._plans.get(key)
        if step is None:
            step = Step(model, kind, sources, batch, indexed)
            while len(model._plans) >= PLANS_KEPT:
                model._plans.pop(next(iter(model._plans)))
            model._plans[key] = step
            model._plans_made_at = edits.count
    return step


def _chunks(step, total, run):
    """Call `run(start, count)` until `total` batches are done, about CALL_SECONDS of work each
    time."""
    done, count = 0, 1
    while done < total:
        began = time.perf_counter()
        finished = run(done, min(count, total - done))
        seconds = time.perf_counter() - began
        done += finished
        count = max(
            1,
            min(
                2 * count if seconds < CALL_SECONDS / 2 else count,
                int(count * CALL_SECONDS / max(seconds, 1e-6)),
            ),
        )
        yield done


def sources_of(x, y, sample_weight):
    """x, y and weights as Sources of the same number of rows, at least one."""
    x = Source(x, "x")
    y = None if y is None else Source(y, "y", labels=True)
    weight = None if sample_weight is None else Source(sample_weight, "sample_weight")
    if x.rows == 0:
        raise ValueError(f"x: expected at least one sample, got shape {x.array.shape}")
    for s in (y, weight):
        if s is not None and s.rows != x.rows:
            raise ValueError(f"{s.name}: expected {x.rows} samples, as many as x has, got {s.rows}")
    return [x, y, weight]


def run_batches(model, kind, sources, batch, index=None, each=None):
    """One pass over all rows: full batches, then the smaller last one.

    Parameters
    ----------
    index : int32 array, optional
        The order of rows.
    each : callable, optional
        Called with the number of batches done, a few times a second.
    """
    rows = sources[0].rows
    full, rest = divmod(rows, batch)
    done = 0
    for start, size, total in ((0, batch, full), (full * batch, rest, 1 if rest else 0)):
        if not total:
            continue
        if model.run_eagerly:
            runner = eager_batches(model, kind, sources, start, size, total, index)
        else:
            step = step_of(model, kind, sources, size, index is not None)
            runner = _chunks(
                step,
                total,
                lambda at, count, step=step, start=start, size=size: step.run(
                    sources, start + at * size, count, model.n_threads, index
                ),
            )
        for finished in runner:
            if each is not None:
                each(done + finished)
        done += total


def eager_batches(model, kind, sources, start, size, total, index):
    """The same batches one by one in Python, as `compile(run_eagerly=True)` asks."""
    for b in range(total):
        rows = slice(start + b * size, start + (b + 1) * size)
        rows = rows if index is None else index[rows]
        with config.precision(model.real):
            data = []
            for s in sources:
                if s is None:
                    data.append(None)
                else:
                    values = np.ascontiguousarray(
                        s.array[rows], "int32" if s.integer else model.real
                    )
                    data.append(Tensor(values.shape, str(values.dtype), values))
            getattr(model, f"{kind}_step")(packed(data))
        yield b + 1


def one_batch_at_a_time(model, sources, batch, index, callbacks, each):
    """A training pass that lets callbacks in before and after each batch; `each` as in
    `run_batches`."""
    rows = sources[0].rows
    for number, start in enumerate(range(0, rows, batch)):
        for c in callbacks:
            c.on_train_batch_begin(number, {})
        part = np.ascontiguousarray(index[start : start + batch])
        if model.run_eagerly:
            list(eager_batches(model, "train", sources, 0, len(part), 1, part))
        else:
            step_of(model, "train", sources, len(part), True).run(
                sources, 0, 1, model.n_threads, part
            )
        for c in callbacks:
            c.on_train_batch_end(number, model.metric_results())
        each(number + 1)
        if model.stop_training:
            return


def fit(
    model,
    sources,
    validation,
    epochs,
    batch,
    shuffle,
    callbacks,
    verbose,
    initial_epoch=0,
    validation_batch=None,
):
    """The training loop; everything was checked by `Model.fit`."""
    history = History()
    bar = ProgbarLogger(verbose)
    callbacks = [history, *callbacks, bar]
    steps = -(-sources[0].rows // batch)
    model.stop_training = model._warned_not_finite = False
    model.history = history
    for c in callbacks:
        c.set_model(model)
        c.set_params({"epochs": epochs, "steps": steps, "verbose": verbose})
    by_batch = [c for c in callbacks if c.wants_batches()]
    rng = np.random.Generator(np.random.Philox(next_seed()))
    order = np.arange(sources[0].rows, dtype=np.int32)

    def show(done):
        bar.show(done, model.metric_results())

    model._plans.clear()  # settings may have changed since
    if validation is not None:
        validation_batch = min(validation_batch or batch, validation[0].rows)
        if not model.run_eagerly:
            step_of(
                model, "test", validation, validation_batch, False
            )  # that it fits, before any work
    try:
        _call(callbacks, "on_train_begin")
        for epoch in range(initial_epoch, epochs):
            index = rng.permutation(order) if shuffle else order
            model.reset_metrics()
            _call(callbacks, "on_epoch_begin", epoch)
            if by_batch:
                one_batch_at_a_time(model, sources, batch, index, by_batch, show)
            else:
                run_batches(model, "train", sources, batch, index, show)
            logs = model.metric_results()
            _warn_once(model, logs)
            if validation is not None:
                logs.update(
                    {
                        f"val_{k}": v
                        for k, v in evaluate(model, validation, validation_batch).items()
                    }
                )
            _call(callbacks, "on_epoch_end", epoch, logs)
            if model.stop_training:
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
    _call(callbacks, "on_train_end")
    return history


def _call(callbacks, method, *args):
    for c in callbacks:
        getattr(c, method)(*args)


def _warn_once(model, logs):
    """A loss that is no longer finite: say what the cause most likely is."""
    if not np.isfinite(logs.get("loss", 0.0)) and not model._warned_not_finite:
        model._warned_not_finite = True
        warnings.warn(
            f"the loss became {logs['loss']}: the training diverged. Lower the learning rate, or "
            "scale the input (pixels / 255, StandardScaler) and regression targets",
            RuntimeWarning,
            stacklevel=_levels_to_the_caller(),
        )


def _levels_to_the_caller():
    """The `stacklevel` of whoever called into nnlite."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("nnlite."):
        frame, level = frame.f_back, level + 1
    return level


def evaluate(model, sources, batch):
    """The figures of the model on some data, by name."""
    model.reset_metrics()
    run_batches(model, "test", sources, batch)
    return model.metric_results()


def predict(model, source, rows_a_step=PREDICT_ROWS):
    """The outputs for every row.

    A row's result does not depend on the rows beside it, so the last step may overlap the one
    before.
    """
    rows = source.rows
    size = min(rows_a_step, 1 << (rows.bit_length() - 1))
    step = step_of(model, "predict", [source], size, False)
    out = np.empty((rows, *step.results[0].shape[1:]), step.results[0].dtype)
    full = rows // size

    def run(at, count):
        return step.run([source], at * size, count, model.n_threads, outputs=[out])

    if full == 1:
        run(0, 1)
    else:
        for _ in _chunks(step, full, run):
            pass
    if rows % size:
        step.run([source], rows - size, 1, model.n_threads, outputs=[out])
    return out


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
