"""Compiled steps: each kind of step of a model is traced once per layout of its data, and kept."""

from nnlite import autodiff, config, configurable, ops
from nnlite.configurable import edits
from nnlite.data.sources import Source, leaves, packed, unpack_x_y_sample_weight
from nnlite.engine.dispatch import Recording
from nnlite.engine.plan import Plan
from nnlite.engine.tensor import Tensor
from nnlite.tree import mapped

PLANS_KEPT = 32  # per model


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


def dry_run(model, shapes):
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
