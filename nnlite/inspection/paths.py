"""A network's output and gradients along a straight path from a baseline to each row.

The path is straight where the network reads numbers: in its input, and behind each layer that says
by `sources` which column each entry of its result is made of. Such a layer makes vectors of
categories, and half of a category is none."""

import copy
import functools

import numpy as np

from nnlite import config, ops
from nnlite.autodiff import GradientTape
from nnlite.engine.tensor import convert_to_tensor

_NODES = 16  # of a Gauss-Legendre rule
_VALUES_AT_A_TIME = 1 << 20  # of inputs: the results of all layers are kept for their gradients


@functools.lru_cache
def nodes_of(steps):
    """The nodes in (0, 1) and weights of an integral by at least `steps` values: Gauss-Legendre
    rules in pieces of one length. (A kink, as ReLUs have, spoils only the piece that it is in.)"""
    pieces = -(-steps // _NODES)
    nodes, weights = np.polynomial.legendre.leggauss(min(steps, _NODES))
    begins = np.arange(pieces)[:, None]
    return ((begins + (nodes + 1) / 2) / pieces).ravel(), np.tile(weights / 2 / pieces, pieces)


class Network:
    """A copy of a model, of which parts can be held at values.

    Parameters
    ----------
    model : Model
        Built.
    outputs_of : function of a tensor
        What is asked for of the model's outputs: a tensor of shape (N, F).
    parts_in : function of the copy, optional
        Gives the layers whose results can be held; by default those that have `sources`.
    """

    def __init__(self, model, outputs_of, parts_in=None):
        left_out = {id(model.optimizer): None, id(model.history): None}
        self.model, self.outputs_of = copy.deepcopy(model, left_out), outputs_of
        self.parts = list((parts_in or _parts_in)(self.model))
        self.held, self.seen = None, {}
        for number, part in enumerate(self.parts):
            vars(part)["call"] = self._held_or_seen(number, part.call)

    def _held_or_seen(self, number, call):
        def held_or_seen(inputs, *args, **kwargs):
            if self.held is not None:
                return self.held[number]
            found = self.seen[number] = call(inputs, *args, **kwargs)
            return found

        return held_or_seen

    def __call__(self, x):
        """The outputs for rows, float64."""
        return self._run(convert_to_tensor(x, self.model._precision)).numpy().astype(np.float64)

    def _run(self, x):
        return self.outputs_of(self.model(x, training=False))

    def points(self, x):
        """Where paths begin or end: rows, and what each part makes of them; arrays of float64."""
        self(x)
        parts = [self.seen[number].numpy() for number in range(len(self.parts))]
        return [np.asarray(part, np.float64) for part in (x, *parts)]

    def gradients(self, points, chosen):
        """The gradients of the chosen outputs with respect to points.

        Parameters
        ----------
        points : list of array
        chosen : array of int, shape (N,)
            An output for each row.
        """
        first, *parts = (convert_to_tensor(p, self.model._precision) for p in points)
        self.held = parts
        try:
            with GradientTape() as tape:
                outputs = self._run(first)
                wanted = np.eye(outputs.shape[-1])[chosen]
                target = ops.sum(ops.multiply(outputs, wanted))
        finally:
            self.held = None
        found = tape.gradient(target, [first, *parts])
        return [None if g is None else g.numpy().astype(np.float64) for g in found]

    def columns(self):
        """For each part the column of X that each entry of its result is made of."""
        return [np.asarray(part.sources) for part in self.parts]


def _parts_in(layer):
    """The outermost layers in a model that have `sources`, each once."""
    found = {}
    for inside in layer._sublayers:
        if hasattr(type(inside), "sources"):
            found[id(inside)] = inside
        else:
            found |= {id(part): part for part in _parts_in(inside)}
    return found.values()


@config.isolated
def attributions(network, x, baseline, chosen, steps):
    """The integrals of gradients along the paths, by columns.

    Parameters
    ----------
    network : Network
    x, baseline : array, shape (N, ...)
    chosen : array of int, shape (N,)
    steps : int

    Returns
    -------
    array of float64, of the shape of x
    """
    found = np.empty(x.shape)
    nodes, weights = nodes_of(steps)
    size = max(1, int(np.prod(x.shape[1:])))
    rows = max(1, _VALUES_AT_A_TIME // (size * len(nodes)))
    with config.precision(network.model._precision):
        for begin in range(0, len(x), rows):
            part = slice(begin, begin + rows)
            found[part] = _of_rows(network, x[part], baseline[part], chosen[part], nodes, weights)
    return found


def _of_rows(network, x, baseline, chosen, nodes, weights):
    begins, ends = network.points(baseline), network.points(x)
    n, count = len(x), len(nodes)
    points = []
    for begin, end in zip(begins, ends):
        share = nodes.reshape(-1, *[1] * begin.ndim)
        points.append((begin + share * (end - begin)).reshape(-1, *begin.shape[1:]))
    grads = network.gradients(points, np.tile(chosen, count))
    found = []
    for begin, end, gradient in zip(begins, ends, grads):
        if gradient is None:  # nothing but parts reads these rows
            found.append(np.zeros(begin.shape))
            continue
        mean = np.tensordot(weights, gradient.reshape(count, n, *begin.shape[1:]), 1)
        found.append(mean * (end - begin))
    by_column, *of_parts = found
    for columns, values in zip(network.columns(), of_parts):
        np.add.at(by_column.T, columns, values.T)
    return by_column
