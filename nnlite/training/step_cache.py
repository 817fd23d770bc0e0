"""Compiled steps: each kind of step of a model is traced once per layout of its data, and kept."""

import copy
import functools
import numbers
import threading

import numpy as np

from nnlite import config, configurable, ops
from nnlite.configurable import structure_version
from nnlite.data.packing import pack_x_y_sample_weight
from nnlite.data.sources import ArraySource, Source, leaves
from nnlite.engine.lengths import filled, has_unknown, result_of_any
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording, tracing_lock
from nnlite.engine.tensor import Tensor, Variable
from nnlite.layers.building import transaction
from nnlite.metrics.metric import MetricResult, as_logs
from nnlite.ops.slicing import copied
from nnlite.training.agreement import faults_in
from nnlite.tree import flatten, is_shape, map_shapes, map_structure

PLANS_KEPT = 32  # per model

_transaction = config.isolated(transaction)


class CompiledStep:
    """One kind of step over batches of one size, ready to run: a plan and how its feeds move.

    Parameters
    ----------
    model : Model
    kind : {'train', 'test', 'predict'}
    batches : BatchRange
        Batches of the layout that the step is for: rows are gathered by number if they have an
        index, else read in order.

    folds : bool, default False
        Whether convolutions take in the normalizations behind them, see `absorb` in passes.py.

    Attributes
    ----------
    batch : int
        Rows of a batch.
    outputs : Tensor, or list or dict of them
        What the step returned: of 'train' and 'test' a dict of tensors, results of metrics and
        numbers.
    pace : int
        How many batches a call of C does.
    settings : object
        Those of the model when it was traced, as `_settings_of` gives them, if it lasts from one
        fit to the next; else None.
    """

    pace, settings = 1, None

    def __init__(self, model, kind, batches, folds=False):
        self.kind, self.batch = kind, batches.size
        self.indexed = batches.index is not None
        index = Tensor((self.batch,), "int32") if self.indexed else None
        feeds = []

        def read(source):
            placeholders = source.placeholders(index, self.batch)
            feeds.extend(placeholders)
            return source.read(placeholders, index, self.batch)

        by_bins = config.products_by_bins(kind != "predict")
        with config.precision(model._precision), by_bins, Recording(executing=False) as trace:
            data = map_structure(read, batches.sources, Source)
            if kind == "predict":
                self.outputs = map_structure(_copied, model.predict_step(data[0]), Tensor)
            else:
                packed = pack_x_y_sample_weight(*data)
                logs = returned_logs(model, kind, getattr(model, f"{kind}_step")(packed))
                self.outputs = {name: _copied_if_traced(value) for name, value in logs.items()}
        self.results = []
        map_structure(lambda y: y._data is None and self.results.append(y), self.outputs, Tensor)
        feeds += [index] if self.indexed else []
        # While training, what folds is a frozen part.
        self.plan = Plan(trace, feeds, self.results, model._precision, folds or kind == "train")

    def on(self, others):
        """The same step on other Variables and metrics.

        Parameters
        ----------
        others : dict
            For the id of each of those that this step has, the one that takes its place.

        Raises
        ------
        KeyError
            If there is none.
        """
        step = copy.copy(self)
        step.plan, step.pace = self.plan.on(others), 1
        if self.kind != "predict":
            step.outputs = {name: _in_place_of(y, others) for name, y in self.outputs.items()}
        return step

    def run(self, batches, threads, outputs=(), row=0):
        """Run up to `batches.count` batches; returns how many were finished.

        Parameters
        ----------
        batches : BatchRange
        threads : int or None
        outputs : list of array
            For the results. Predictions fill them from `row` on; what a training or test step
            returns is overwritten by each batch.
        row : int
        """
        feeds = []
        for s in leaves(batches.sources):
            feeds += s.feeds(batches.start, 0 if self.indexed else self.batch)
        if self.indexed:
            step = batches.index.itemsize
            feeds.append((batches.index, batches.start * step, self.batch * step))
        for o in outputs:
            stride = o.strides[0] if self.kind == "predict" else 0
            feeds.append((o, row * stride, self.batch * stride))
        return self.plan.run(feeds, batches.count, threads)

    def run_logged(self, batches, threads):
        """Run up to `batches.count` batches of a training or test step.

        Returns
        -------
        done : int
        logs : function
            Gives what the last step returned, as callbacks see it.
        """
        arrays = [np.empty(y.shape, y.dtype) for y in self.results]
        done = self.run(batches, threads, arrays)

        def logs():
            values = iter(arrays)
            return as_logs(
                {
                    name: next(values) if isinstance(y, Tensor) and y._data is None else y
                    for name, y in self.outputs.items()
                }
            )

        return done, logs


def returned_logs(model, kind, returned):
    """What a step returned, as a dict; the running metrics if it returned nothing."""
    if returned is None:
        return model.get_metrics_result()
    if not isinstance(returned, dict):
        raise TypeError(
            f"{kind}_step: expected it to return a dict of names to values, as "
            f"get_metrics_result() gives, got {returned!r}"
        )
    returned = _flat(returned)
    for name, value in returned.items():
        if not isinstance(value, (Tensor, MetricResult, np.ndarray, numbers.Number, np.generic)):
            raise TypeError(
                f"{kind}_step: {name!r}: expected a tensor, the result of a metric or a number, "
                f"got {value!r}"
            )
    # What `variable.value` copied while the step was traced is old when it has run.
    return {name: getattr(value, "variable", value) for name, value in returned.items()}


def _flat(returned):
    """The entries of a dict and of dicts in it, such as the result of a metric."""
    found = {}
    for name, value in returned.items():
        found |= _flat(value) if isinstance(value, dict) else {name: value}
    return found


def _copied(y):
    """A tensor of its own: what is a view of something older would be overwritten with that."""
    return copied(y) if y.dtype == "int32" else ops.broadcast_to(y, y.shape)


def _copied_if_traced(value):
    return _copied(value) if isinstance(value, Tensor) and value._data is None else value


def _in_place_of(value, others):
    """What a step returns in place of a value of logs, on other Variables and metrics."""
    if isinstance(value, MetricResult):
        return MetricResult(others[id(value.metric)])
    return others[id(value)] if isinstance(value, Variable) else value


class StepCache:
    """The compiled steps of one model, by the layout of their data.

    They are dropped when a part of this model has changed, and only then: other models may come,
    go and change meanwhile. A fit also looks at what parts have no number for, and what no fit
    needs is dropped before it.
    """

    def __init__(self):
        self.steps = {}
        self.in_use = threading.Lock()  # the model's metrics, see trackers.py
        self.twins = []
        self.shared = None  # the SharedSteps of models that are like this one as it was
        self._seen = None, None  # `structure_version.latest`, and the versions of the model's parts
        self.metrics = None  # the model's, as long as no step is new

    def __reduce__(self):  # copies and pickles begin empty
        return (StepCache, ())

    def clear(self):
        """Drop the steps, and with them their working memory."""
        with tracing_lock:
            self.steps.clear()
            self.metrics = None
            self.twins = []

    def begin_fit(self, model):
        """Keep only the steps that a fit would trace in the same way once more."""
        now = _settings_of(model)
        with tracing_lock:
            for key, step in [*self.steps.items()]:
                if now is None or step.settings != now:
                    del self.steps[key]
            self.metrics, self.twins = None, []

    def end_fit(self):
        """Give back the working memory of all steps."""
        with tracing_lock:
            for step in self.steps.values():
                step.plan.program.release()
            self.metrics, self.twins = None, []

    def find(self, model, key):
        """The step kept under a key, or None; drops all of them if the model has changed."""
        latest, known = self._seen
        if latest != structure_version.latest:
            latest, structure = structure_version.latest, _structure_of(model)
            if structure != known:
                self.steps.clear()
                self.metrics = None
                self.shared = None if known else self.shared
            self._seen = latest, structure
        return self.steps.get(key)

    def keep(self, key, step):
        """Keep a step under a key, and forget the oldest when they are too many."""
        with tracing_lock:
            self.steps.pop(key, None)
            while len(self.steps) >= PLANS_KEPT:
                self.steps.pop(next(iter(self.steps)))
            self.steps[key], self.metrics = step, None

    def step(self, model, kind, batches, folds=False):
        """The model's step for this layout of data; traced when it is first asked for."""
        key = (*_layout_key(kind, batches), folds)
        made = (model, kind, batches, folds)
        return self.find(model, key) or _transaction(None, self._traced, key, *made)

    def _traced(self, key, model, kind, batches, folds):
        step = self.find(model, key)  # another thread may have traced it meanwhile
        if step is None:
            trace = functools.partial(CompiledStep, model, kind, batches, folds)
            step = trace() if self.shared is None else self.shared.step(key, model, trace)
            # Tracing may have built layers.
            self._seen = structure_version.latest, _structure_of(model)
            # A step that warned while it was traced is traced, and warns, in each fit.
            lasts = kind != "predict" and not faults_in(model._advised)
            step.settings = _settings_of(model) if lasts else None
            self.keep(key, step)
        return step


def layers_in(model):
    """A model and all layers in it, each once."""
    found, waiting = {id(model): model}, [model]
    while waiting:
        for inner in waiting.pop()._sublayers:
            if id(inner) not in found:
                found[id(inner)] = inner
                waiting.append(inner)
    return list(found.values())


def _structure_of(model):
    """The versions of all layers in a model, and of its optimizer."""
    found = [structure_version.of(layer) for layer in layers_in(model)]
    if model.optimizer is not None:
        found += map(structure_version.of, model.optimizer._parts())
    return found


def _settings_of(model):
    """What steps of training and evaluation are traced from, beside what `_structure_of` tells:
    which weights train, the state of penalties, constraints, losses and metrics, and the epsilon
    of all. None if code takes part that is not nnlite's: it may read anything."""
    layers, weights = layers_in(model), model._all_weights()
    parts = [*model.metrics, *(layer.activity_regularizer for layer in layers)]
    parts += [p for v, _ in weights for p in (v.regularizer, v.constraint)]
    if model._objectives is not None:
        parts += [g.loss for g in model._objectives.with_loss]
    parts = [p for p in parts if p is not None]
    made = [*layers, *([] if model.optimizer is None else model.optimizer._parts())]
    given = [v for part in (*made, *parts) for v in getattr(part, "_given", {}).values()]
    if not all(map(_is_ours, (*made, *parts, *filter(callable, given)))):
        return None
    states = [(id(p), configurable.frozen(getattr(p, "__dict__", {}))) for p in parts]
    weights = [(id(v), trains, v.overwrite_with_gradient) for v, trains in weights]
    return states, weights, config.epsilon()


def _is_ours(code):
    """Whether an object's class, or a function, is part of nnlite."""
    return str(getattr(code, "__module__", "")).partition(".")[0] == "nnlite"


def _layout_key(kind, batches):
    """What a step over the batches of a batches depends on, apart from the model."""
    indexed = batches.index is not None
    key = [kind, batches.size, indexed, config.is_winograd_enabled()]
    for s in batches.sources:
        if s.__class__ is ArraySource:
            key.append((s.layout, s.rows if indexed else 0))
        else:
            rows = map_structure(lambda s: (s.layout, s.rows if indexed else 0), s, Source)
            key.append(configurable.frozen(rows))
    return tuple(key)


@config.isolated
def build_by_tracing(model, shapes):
    """Build a model by tracing it on one sample of a shape (None, ...), or of several.

    One that has no `call` is left to its steps. So is one of built layers whose own steps may call
    these, or the model on something else, such as all of what a generator yields.
    """
    if not model._has_call:
        return
    try:
        _traced_on_one(model, shapes)
    except Exception:
        if not model._own_targets or not all(layer.built for layer in model._sublayers):
            raise


def _traced_on_one(model, shapes):
    """Trace a model on one sample, which builds it."""

    def traced(length=None):
        x = map_shapes(lambda s: Tensor((1, *filled(s, length)[1:]), model._precision), shapes)
        with Recording(executing=False, shapes_only=True):
            return model(x, training=False)

    flat = flatten(shapes, is_shape)
    if has_unknown(flat):
        outputs = transaction(None, result_of_any, traced, flat)
        model._output_shape = map_structure(lambda y: (None, *y.shape[1:]), outputs, Tensor)
    else:
        traced()
