"""Graph: what leads from some symbols to others, as a functional model runs it."""

from nnlite import ops, warn
from nnlite.engine.lengths import fits
from nnlite.engine.symbolic import Node, Start, Symbol, input_symbol, symbols_of
from nnlite.engine.tensor import Tensor
from nnlite.models.front import front_of
from nnlite.tree import flatten, map_structure, sorted_dicts


class Graph:
    """The nodes that lead from input symbols to output symbols, in an order in which they can run.

    Parameters
    ----------
    inputs, outputs : Symbol, or list, tuple or dict of them

    Raises
    ------
    ValueError
        If something else is given, or if an output depends on an input that is not among `inputs`.
    """

    def __init__(self, inputs, outputs):
        self.inputs, self.outputs = inputs, outputs
        for what, given in (("inputs", inputs), ("outputs", outputs)):
            if not symbols_of(given) or len(symbols_of(given)) != len(flatten(given)):
                raise ValueError(
                    f"Model: expected {what} made by Input and by layers called on it, "
                    f"got {given!r}"
                )
        self.input_symbols = symbols_of(inputs)
        self.has_integer_inputs = any(s.dtype == "int32" for s in self.input_symbols)
        self.nodes = _sorted_nodes(self.input_symbols, symbols_of(outputs))
        self._parts = None  # what is called, once somebody asks
        self.front = front_of(self)  # the look-ups that it begins with, or None

    def run(self, inputs):
        """The outputs for tensors in the place of the inputs, or of what look-ups made of them."""
        if self.front is not None:
            return self.front.rest.run(inputs)
        values = {id(s): t for s, t in zip(self.input_symbols, self._matched(inputs))}
        for node in self.nodes:
            results = node.call_with(lambda s: values[id(s)])
            for symbol, result in zip(flatten(node.outputs), flatten(results)):
                values[id(symbol)] = result  # of a function also what is no symbol
        return map_structure(lambda s: values[id(s)], self.outputs, Symbol)

    def _matched(self, inputs):
        """One tensor for each input symbol, from a tensor, a list, or a dict by name."""
        symbols = self.input_symbols
        if isinstance(inputs, dict):
            keys = self.inputs if isinstance(self.inputs, dict) else [s.name for s in symbols]
            expected = f"expected inputs named {', '.join(keys)}, got {', '.join(map(str, inputs))}"
            if any(k not in inputs for k in keys):
                raise ValueError(expected)
            if len(inputs) > len(keys):
                _warn(f"{expected}; the others are not used")
            inputs = [inputs[k] for k in keys]
        elif isinstance(self.inputs, dict) and isinstance(inputs, (list, tuple)):
            names = ", ".join(self.inputs)
            if [*self.inputs] != sorted(self.inputs):
                raise ValueError(
                    f"inputs: expected a dict with {names}, got a list, whose order may be that of "
                    "the dict or of the names: name each input in a dict"
                )
            _warn(f"inputs: expected a dict with {names}, got a list, which is taken in this order")
        tensors = flatten(inputs)
        if len(tensors) != len(symbols):
            raise ValueError(
                f"expected {len(symbols)} inputs ({', '.join(s.name for s in symbols)}), "
                f"got {len(tensors)}"
            )
        return [_fitting(symbol, tensor) for symbol, tensor in zip(symbols, tensors)]

    def layers(self, kind):
        """The objects of class `kind` that are called, each once, in Keras's order."""
        if self._parts is None:
            outputs = symbols_of(sorted_dicts(self.outputs))
            self._parts = _by_depth(self.nodes, self.input_symbols, outputs)
        return [part for part in self._parts if isinstance(part, kind)]

    def copied(self, copy, inputs=None, call=None):
        """The same graph with `copy(layer or function)` for everything that it calls.

        Where the copies are built already nothing is computed. It begins with `inputs` if they are
        given, else with copies; `call(layer or function, *args, **kwargs)` makes the calls.
        """
        copies, made = {}, {}

        def once(function):
            if id(function) not in copies:
                copies[id(function)] = copy(function)
            return copies[id(function)]

        if inputs is not None:
            made = {id(s): new for s, new in zip(self.input_symbols, symbols_of(inputs))}
        else:
            for s in self.input_symbols:
                made[id(s)] = input_symbol(once(_start_of(s)), s.shape, s.dtype)
        for node in self.nodes:
            args, kwargs = map_structure(
                lambda symbol: made[id(symbol)], (node.args, node.kwargs), Symbol
            )
            part = once(node.function)
            outputs = part(*args, **kwargs) if call is None else call(part, *args, **kwargs)
            for old, new in zip(symbols_of(node.outputs), symbols_of(outputs)):
                made[id(old)] = new
        return Graph(*map_structure(lambda s: made[id(s)], (self.inputs, self.outputs), Symbol))

    def __reduce__(self):
        return _restored, self._flat()

    def _flat(self):
        """The graph without references from symbol to symbol, which would nest as deep as it."""
        numbers, shapes = {}, []

        def number(symbol):
            numbers[id(symbol)] = len(numbers)
            shapes.append((symbol.shape, symbol.dtype))
            return _Place(numbers[id(symbol)])

        def place(symbol):
            return _Place(numbers[id(symbol)])

        steps = [(_start_of(s), (), {}, number(s)) for s in symbols_of(self.inputs)]
        for node in self.nodes:
            args, kwargs = map_structure(place, (node.args, node.kwargs), Symbol)
            steps.append((node.function, args, kwargs, map_structure(number, node.outputs, Symbol)))
        return steps, shapes, *map_structure(place, (self.inputs, self.outputs), Symbol)


def _fitting(symbol, tensor):
    """An input as its symbol says; None, where that is optional."""
    if tensor is None and getattr(symbol.node.function, "optional", False):
        return None
    if tensor is None:
        raise ValueError(f"expected input {symbol.name!r}, which is not optional, got None")
    if not isinstance(tensor, Tensor):
        raise TypeError(f"expected input {symbol.name!r}, a tensor, got {tensor!r}")
    tensor = of_rank(tensor, symbol)
    if not fits(tensor.shape[1:], symbol.shape[1:]):
        raise _other_shape(symbol, tensor)
    return tensor


def of_rank(tensor, symbol):
    """An input with as many axes as its symbol: a last axis of one entry, such as the channel of
    gray images, is added or removed."""
    shape, more = tensor.shape, len(tensor.shape) - len(symbol.shape)
    if more == 1 and shape[-1] == 1 and len(shape) > 1:
        return ops.reshape(tensor, shape[:-1])
    if more == -1 and symbol.shape[-1] == 1 and len(symbol.shape) > 1:
        return ops.reshape(tensor, (*shape, 1))
    if more:
        raise _other_shape(symbol, tensor)
    return tensor


def _warn(words):
    warn.warn(words, UserWarning)


def _other_shape(symbol, tensor):
    wanted = ", ".join(map(str, ("N", *symbol.shape[1:])))
    return ValueError(
        f"expected input {symbol.name!r} of shape ({wanted}), N samples, got shape {tensor.shape}"
    )


def _start_of(symbol):
    """The input layer of a symbol that a graph begins with."""
    return Start(symbol.name) if symbol.node.inputs else symbol.node.function


class _Place(int):
    """The number of a symbol in a flat graph."""


def _restored(steps, shapes, inputs, outputs):
    """The graph of its flat form; nothing is computed."""
    symbols = {}

    def symbol(place):
        return symbols[place]

    for function, args, kwargs, places in steps:
        node = Node(function, *map_structure(symbol, (args, kwargs), _Place))
        node.outputs = map_structure(lambda p, node=node: Symbol(*shapes[p], node), places, _Place)
        for place, made in zip(flatten(places), flatten(node.outputs)):
            if isinstance(place, _Place):
                symbols[place] = made
        if args and hasattr(function, "_record_call"):
            function._record_call(node)
    return Graph(*map_structure(symbol, (inputs, outputs), _Place))


def _by_depth(nodes, inputs, outputs):
    """What the nodes call, each once, in the order in which Keras numbers the layers of a file.

    The deepest comes first. The depth of a layer is the number of calls from its first call to an
    output, on the longest way; among equals that one comes first which is met first on the way from
    the outputs, first inputs first.
    """
    starts, depths, of_part = {id(s.node): _start_of(s) for s in inputs}, {}, {}

    def part_of(node):
        return starts.get(id(node)) or node.function

    parts = {}
    for node in [*reversed(nodes), *(s.node for s in inputs)]:
        part = part_of(node)
        parts[id(part)] = part
        depth = max(depths.get(id(node), 0), of_part.get(id(part), 0))
        depths[id(node)] = of_part[id(part)] = depth
        if id(node) not in starts:
            for symbol in node.inputs:
                inner = id(symbol.node)
                depths[inner] = max(depths.get(inner, 0), depth + 1)
    met, seen, waiting = {}, set(), [s.node for s in reversed(outputs)]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        met.setdefault(id(part_of(node)), len(met))
        if id(node) not in starts:
            waiting += [s.node for s in reversed(node.inputs)]
    return sorted(parts.values(), key=lambda p: (-of_part[id(p)], met.get(id(p), -1)))


def _sorted_nodes(inputs, outputs):
    """The nodes between, each after those that it needs."""
    known, found = {id(s.node) for s in inputs}, []
    waiting = [s.node for s in reversed(outputs)]
    while waiting:
        node = waiting[-1]
        needed = [s.node for s in node.inputs if id(s.node) not in known]
        if id(node) in known or not needed:
            waiting.pop()
            if id(node) in known:
                continue
            if not node.inputs:
                raise ValueError(
                    f"Model: the outputs depend on input {node.name!r}, which is not in inputs="
                )
            known.add(id(node))
            found.append(node)
        else:
            waiting.extend(reversed(needed))
    return found
