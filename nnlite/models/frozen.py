"""Frozen layers that a model begins with: what they give for each row is the same in each epoch, so
it is computed once, before a training.

The one idea: for the time of a fit they are the front of the model's graph (`front.py`). Data pass
it when Sources are made of them; steps are of the rest."""

import contextlib

from nnlite import config
from nnlite.data.batches import yields_batches
from nnlite.data.packing import unpack_x_y_sample_weight
from nnlite.engine.lengths import filled, has_unknown, result_of_any
from nnlite.engine.recording import Recording
from nnlite.engine.symbolic import symbols_of
from nnlite.engine.tensor import Tensor
from nnlite.layers.building import here
from nnlite.layers.layer import Layer
from nnlite.models.front import Front
from nnlite.warn import warn


class FrozenFront(Front):
    """The calls at the beginning of a graph that give the same in each epoch.

    Parameters
    ----------
    graph : Graph
    computer : Model
        One without layers, which becomes that of the front.

    Raises
    ------
    ValueError
        If there are no weights in it.
    """

    def __init__(self, graph, computer):
        known, nodes, faults, others = {id(s) for s in graph.input_symbols}, [], [], []
        for node in graph.nodes:
            fault = None
            if all(id(s) in known for s in node.inputs):
                fault = _fault(node)
                if fault is None:
                    nodes.append(node)
                    known |= {id(s) for s in symbols_of(node.outputs)}
                    continue
                faults.append(f"{node.name!r}, {fault}")
            if _is_frozen(node):
                others.append(node.name)
        if not any(map(_is_frozen, nodes)):
            raise ValueError(
                "cache_frozen: expected a model that begins with layers whose weights do not train "
                f"(base.trainable = False), got {faults[0] if faults else 'none with weights'}"
            )
        super().__init__(graph, nodes)
        if others:
            warn(
                f"cache_frozen: frozen layers are computed in each step ({', '.join(others)}), "
                f"behind {faults[0]}"
            )
        inputs = graph.input_symbols
        inputs = inputs if len(inputs) > 1 else inputs[0]
        computer._follow(type(graph)(inputs, self.rest.input_symbols))
        self.computer = computer

    def _results(self, given):
        given = given[0] if len(given) == 1 else given
        rows = len(given) if hasattr(given, "shape") else len(given[0])
        return self.computer._predict(given, batch_size=max(rows, 1))


def _is_frozen(node):
    """Whether the called layer has weights, and trains none of them."""
    part = node.function
    return isinstance(part, Layer) and bool(part.weights) and not part.trainable_weights


def _fault(node):
    """Why what a call gives may differ from epoch to epoch, or is not all that it does; None if it
    is neither."""
    part = node.function
    if isinstance(part, Layer) and part.trainable_weights:
        return "whose weights train"
    (calls, _), (trained, added) = (_traced(node, training) for training in (False, True))
    if calls != trained or any(call.writes for call, *_ in trained):
        return "which is another in training, as Dropout, or keeps something from batch to batch"
    if added:
        return "which adds to the loss"
    if any(s._of_mask is not None for s in symbols_of(node.outputs)):
        return "whose result has a mask"


@config.isolated
def _traced(node, training):
    """The ops of a call, and how much it adds to the loss."""
    here.training, found, part = training, [], node.function

    def traced(length=None):
        with Recording(executing=False) as trace:
            results = node.call_with(lambda s: Tensor((1, *filled(s.shape, length)[1:]), s.dtype))
            added = len(part._added_losses(None)) if isinstance(part, Layer) else 0
        calls = [(c.op, [y.shape for y in c.outputs], repr(c.attrs)) for c in trace.calls]
        found[:] = calls, added
        return results

    shapes = [s.shape for s in node.inputs]
    result_of_any(traced, shapes) if has_unknown(shapes) else traced()
    return found


@contextlib.contextmanager
def cached(model, wanted, x, computer):
    """A `with` block in which data pass the frozen layers of a model before its steps.

    Parameters
    ----------
    model : Model
    wanted : bool
        False: nothing happens.
    x : array-like, or what yields batches
        For which the model is built, if it is not.
    computer : Model
        One without layers.

    Yields
    ------
    function
        Of (x, y, sample_weight) as `fit` takes them: the same, or batches whose frozen part is
        computed.

    Raises
    ------
    ValueError
        If there are no frozen layers, or if they cannot be told apart.
    """
    if not wanted:
        yield lambda data: data
        return
    if not model.built:
        _build(model, x)
    graph = model._called_graph()
    if graph is None:
        raise ValueError(
            "cache_frozen: expected a Sequential or Model(inputs, outputs), built, got "
            f"{type(model).__name__} {model.name!r}"
        )
    if graph.front is not None:
        raise ValueError(
            f"cache_frozen: expected a model without look-ups, got layer {graph.nodes[0].name!r}"
        )
    with config.precision(model._precision):
        graph.front = FrozenFront(graph, computer)
    try:
        yield lambda data: (_kept(model, data[0]), *data[1:])
    finally:
        graph.front = None


def _build(model, x):
    """Build a model for data, if they are arrays or can be gone through again."""
    if yields_batches(x) and not hasattr(x, "__next__"):
        first = x[0] if hasattr(x, "__getitem__") else next(iter(x))
        x, _, _ = unpack_x_y_sample_weight(first)
    if hasattr(x, "shape"):
        model.build((None, *x.shape[1:]))


class Kept:
    """Batches of another object, past the front of a model, in memory.

    Parameters
    ----------
    model : Model
    batches : iterable
    """

    def __init__(self, model, batches):
        self.items = []
        for batch in batches:
            x, *others = unpack_x_y_sample_weight(batch)
            self.items.append((model._looked_up(x), *others))

    def __iter__(self):
        return iter(self.items)

    def __len__(self):
        return len(self.items)


class KeptByNumber(Kept):
    """Those that `fit` may ask for in any order."""

    def __init__(self, model, batches):
        super().__init__(model, (batches[k] for k in range(len(batches))))

    def __getitem__(self, number):
        return self.items[number]


def _kept(model, x):
    """Batches whose frozen part is computed; arrays as they are, which pass the front as a
    whole."""
    if not yields_batches(x):
        return x
    if hasattr(x, "__next__"):
        raise ValueError(
            "cache_frozen: expected arrays, a Dataset or a PyDataset, whose rows are the same in "
            f"each epoch, got an iterator, {type(x).__name__}"
        )
    by_number = hasattr(x, "__getitem__") and hasattr(x, "__len__")
    return (KeptByNumber if by_number else Kept)(model, x)
