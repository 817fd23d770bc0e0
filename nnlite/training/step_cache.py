"""Compiled steps: each kind of step of a model is traced once per layout of its data, and kept."""

import threading

from nnlite import autodiff, config, configurable, ops
from nnlite.configurable import structure_version
from nnlite.data.sources import Source, leaves, packed, unpack_x_y_sample_weight
from nnlite.engine.dispatch import Recording
from nnlite.engine.plan import Plan
from nnlite.engine.tensor import Tensor
from nnlite.tree import mapped

PLANS_KEPT = 32  # per model


class CompiledStep:
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

        with config.precision(model._precision), Recording(executing=False) as trace:
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
        self.plan = Plan(
            trace, feeds + ([index] if indexed else []), self.results, model._precision
        )

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


class StepCache:
    """The compiled steps of one model, by the layout of their data.

    They are dropped when a part of this model has changed, and only then: other models may come,
    go and change meanwhile.
    """

    def __init__(self):
        self.steps = {}
        self._lock = threading.RLock()
        self._structure = self._latest = None

    def __reduce__(self):  # copies and pickles begin empty
        return (StepCache, ())

    def clear(self):
        """Drop the steps, and with them their working memory."""
        with self._lock:
            self.steps.clear()

    def find(self, model, key):
        """The step kept under a key, or None; drops all of them if the model has changed."""
        if self._latest != structure_version.latest:
            with self._lock:
                latest, structure = structure_version.latest, _structure_of(model)
                if structure != self._structure:
                    self.steps.clear()
                self._structure, self._latest = structure, latest
        return self.steps.get(key)

    def keep(self, key, step):
        """Keep a step under a key, and forget the oldest when they are too many."""
        with self._lock:
            self.steps.pop(key, None)
            while len(self.steps) >= PLANS_KEPT:
                self.steps.pop(next(iter(self.steps)))
            self.steps[key] = step

    def step(self, model, kind, span):
        """The model's step for this layout of data; traced when it is first asked for."""
        key = _layout_key(kind, span)
        with self._lock:
            step = self.find(model, key)
            if step is None:
                step = CompiledStep(model, kind, span.sources, span.size, span.index is not None)
                self._latest = structure_version.latest  # tracing may have built layers
                self._structure = _structure_of(model)
                self.keep(key, step)
        return step


def _structure_of(model):
    """The versions of all layers in a model, and of its optimizer."""
    found, waiting = [], [model]
    seen = {id(model)}
    while waiting:
        layer = waiting.pop()
        found.append(structure_version.of(layer))
        for inner in layer._sublayers:
            if id(inner) not in seen:
                seen.add(id(inner))
                waiting.append(inner)
    if model.optimizer is not None:
        found.append(structure_version.of(model.optimizer))
    return found


def _layout_key(kind, span):
    """What a step over the batches of a span depends on, apart from the model."""
    indexed = span.index is not None
    key = [kind, span.size, indexed]
    for s in span.sources:
        if s.__class__ is Source:
            key.append((s.layout, s.rows if indexed else 0))
        else:
            rows = mapped(s, Source, lambda s: (s.layout, s.rows if indexed else 0))
            key.append(configurable.frozen(rows))
    return tuple(key)


def build_by_tracing(model, shapes):
    """Build a model by tracing it on one sample of a shape (None, ...), or of several."""
    with Recording(executing=False):
        x = mapped(shapes, tuple, lambda shape: Tensor((1, *shape[1:]), model._precision))
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
