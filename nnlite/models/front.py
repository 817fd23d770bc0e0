"""Front: what a model begins with that runs on the rows of its data; plans read what it gave. It is
look-ups here; `frozen.py` has another one, for the time of a fit.

A graph with look-ups has two parts: the front, of look-ups that need nothing but inputs of the
model, and the rest, a graph of tensors. Data pass the front once: an array as a whole, other data
batch by batch."""

import numpy as np

from nnlite.data.sources import LookedUp, source_of
from nnlite.engine.lengths import fits
from nnlite.engine.symbolic import Node, Symbol, symbols_of
from nnlite.engine.tensor import Tensor
from nnlite.layers.host import HostLayer
from nnlite.tree import flatten, map_structure


def front_of(graph):
    """The Front of a graph, or None if it has no look-ups.

    Parameters
    ----------
    graph : Graph
    """
    if not any(is_host(node.function) for node in graph.nodes):
        return None
    graph = _unfolded(graph)
    return Front(graph, [node for node in graph.nodes if isinstance(node.function, HostLayer)])


def is_host(part):
    """Whether a layer, or a model inside, begins with a look-up.

    Parameters
    ----------
    part : Layer or function
    """
    first = getattr(part, "_layers", ())[:1]  # of a Sequential, which may be unbuilt
    inside = _front_inside(part) is not None or any(map(is_host, first))
    return isinstance(part, HostLayer) or inside


def dtype_read(part):
    """The dtype of what a layer reads that is a look-up, or a model that begins with one.

    Parameters
    ----------
    part : Layer
        Of which `is_host` is true.
    """
    if isinstance(part, HostLayer):
        return part._reads
    front = _front_inside(part)
    return dtype_read(part._layers[0]) if front is None else front.graph.input_symbols[0].dtype


def _front_inside(part):
    graph = getattr(part, "_called_graph", lambda: None)()
    return None if graph is None else graph.front


def _unfolded(graph):
    """The same graph with the layers of models that begin with look-ups in their place."""

    def call(part, *args, **kwargs):
        if _front_inside(part) is None:
            return part(*args, **kwargs)
        inner = _unfolded(part._called_graph())
        inputs = map_structure(lambda s: s, args[0], Symbol)
        return inner.copied(lambda function: function, inputs, call).outputs

    if all(_front_inside(node.function) is None for node in graph.nodes):
        return graph
    return graph.copied(lambda function: function, graph.inputs, call)


class Front:
    """The look-ups at the beginning of a graph.

    Parameters
    ----------
    graph : Graph
    nodes : list of Node
        Those of the front, in order.

    Attributes
    ----------
    rest : Graph
        What follows: from what the look-ups give, a list, to the outputs.

    Raises
    ------
    ValueError
        If a look-up needs what is computed in the rest.
    """

    def __init__(self, graph, nodes):
        self.graph, known = graph, {id(s) for s in graph.input_symbols}
        self.nodes = nodes
        for node in self.nodes:
            for symbol in node.inputs:
                if id(symbol) not in known:
                    raise ValueError(
                        f"Model: layer {node.name!r}: expected inputs of the model, or the result "
                        f"of another look-up, got that of {symbol.name!r}: a look-up comes first"
                    )
            known |= {id(symbol) for symbol in symbols_of(node.outputs)}
        read = [s for node in graph.nodes if node not in self.nodes for s in node.inputs]
        read += symbols_of(graph.outputs)
        needed = {id(s): s for s in read if id(s) in known}
        for symbol in needed.values():
            if symbol.dtype == "string":
                raise ValueError(
                    f"Model: expected outputs that are numbers, got the strings of {symbol.name!r}"
                )
        self.rest = type(graph)([*needed.values()], graph.outputs)

    def __call__(self, inputs):
        """What the rest reads.

        Parameters
        ----------
        inputs : array-like, or list or dict of them
            As the model takes it.

        Returns
        -------
        LookedUp of Source
        """
        given = [
            _of_rank(values, symbol)
            for values, symbol in zip(self._matched(inputs), self.graph.input_symbols)
        ]
        symbols = self.rest.input_symbols
        return LookedUp(
            source_of(values, "x", symbol.dtype == "int32")
            for values, symbol in zip(self._results(given), symbols)
        )

    def _results(self, given):
        """The values of each symbol that the rest begins with, for those of the inputs."""
        values = {id(s): array for s, array in zip(self.graph.input_symbols, given)}
        for node in self.nodes:
            given = map_structure(lambda symbol: values[id(symbol)], node.args[0], Symbol)
            values[id(symbols_of(node.outputs)[0])] = node.function.looked_up(given)
        return [values[id(s)] for s in self.rest.input_symbols]

    def _matched(self, inputs):
        """One array-like for each input of the graph."""
        symbols, structure = self.graph.input_symbols, self.graph.inputs
        names = [*structure] if isinstance(structure, dict) else [s.name for s in symbols]
        if isinstance(inputs, dict):
            if any(name not in inputs for name in names):
                raise ValueError(
                    f"expected inputs named {', '.join(names)}, got {', '.join(map(str, inputs))}"
                )
            return [inputs[name] for name in names]
        if isinstance(structure, Symbol):
            return [inputs]
        if not isinstance(inputs, (list, tuple)) or len(inputs) != len(symbols):
            raise ValueError(
                f"expected {len(symbols)} inputs ({', '.join(names)}), a list or dict of arrays, "
                f"got {type(inputs).__name__}"
            )
        return inputs


def _of_rank(given, symbol):
    """An input as an array with as many axes as its symbol: a last axis of one entry is added or
    removed."""
    if isinstance(given, Tensor):
        given = given.numpy()
    if not isinstance(given, np.ndarray) and not hasattr(given, "tocsr"):
        given = np.asarray(given, object if symbol.dtype == "string" else None)
    shape, wanted = given.shape, symbol.shape
    if len(shape) == len(wanted) - 1 and wanted[-1] in (1, None):
        given = given.reshape(*shape, 1)
    elif len(shape) == len(wanted) + 1 and shape[-1] == 1:
        given = given.reshape(shape[:-1])
    if not fits(given.shape[1:], wanted[1:]):
        shown = ", ".join(map(str, ("N", *wanted[1:])))
        raise ValueError(
            f"expected input {symbol.name!r} of shape ({shown}), N samples, got shape {shape}"
        )
    return given


def recorded_call(model, x):
    """The symbols of a call of a model that begins with look-ups, which have no trace.

    Parameters
    ----------
    model : Model
        Built.
    x : symbol, or list or dict of them
    """
    node = Node(model, (x,), {})
    outputs = model._graph.outputs
    node.outputs = map_structure(lambda s: Symbol(s.shape, s.dtype, node), outputs, Symbol)
    model._record_call(node)
    return node.outputs


def tensors_of(sources):
    """The rows of some Sources as tensors.

    Parameters
    ----------
    sources : LookedUp of Source

    Returns
    -------
    LookedUp of Tensor
    """

    def tensor(source):
        values = np.ascontiguousarray(source.values(slice(None)), source.dtype)
        return Tensor(values.shape, source.dtype, values)

    return LookedUp(map(tensor, flatten([*sources])))
