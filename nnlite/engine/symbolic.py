"""Functional models: symbols, and the nodes that compute them.

A `Symbol` is a placeholder of a tensor that a model will compute. A call of a layer or of a
function of `nnlite.ops` on a symbol does not run: a `Node` records it and makes the symbols of its
results, whose shapes come from a trace on one sample. A `Graph` later calls the recorded layers
and functions on tensors."""

import functools
import operator

from nnlite.config import isolated
from nnlite.engine.lengths import filled, has_unknown, result_of_any
from nnlite.engine.recording import Recording, in_a_layer
from nnlite.engine.tensor import Tensor, dtype_of
from nnlite.tree import map_structure


class Start:
    """What a symbol comes from that no call of a layer or function made."""

    def __init__(self, name):
        self.name = name

    def _record_call(self, node):
        """Nothing remembers it."""


class Symbol:
    """A placeholder of a tensor in a functional model, as `Input` and layers make it.

    One made by its class stands for a shape and a dtype only: what `compute_output_spec` of a
    layer takes and gives.

    Parameters
    ----------
    shape : tuple
        The first entry is the size of a batch, or None if it may be any.
    dtype : str, default 'float32'
    node : Node, optional
        The call that computes it.
    name : str, default 'keras_tensor'
        Of one without a call.

    Examples
    --------
    >>> import nnlite
    >>> x = nnlite.KerasTensor((None, 4))
    >>> nnlite.layers.Dense(3).compute_output_spec(x).shape
    (None, 3)
    """

    __array_priority__ = 100  # array + symbol is a symbol
    __hash__ = object.__hash__
    _of_mask = None  # shape and dtype of the mask that the tensors it stands for have

    def __init__(self, shape, dtype="float32", node=None, name=None):
        if node is None:
            shape, dtype = tuple(shape), dtype_of(dtype)
            node = Node(Start(name or "keras_tensor"), (), {})
            node.outputs = self
        self.shape, self.dtype, self.node = shape, dtype, node

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def name(self):
        """The name of the layer or function that computes it."""
        return self.node.name

    def numpy(self, *args, **kwargs):
        """Raise TypeError: a symbol has no values.

        Parameters
        ----------
        *args, **kwargs : ignored
        """
        raise TypeError(
            f"symbol {self.name!r} of shape {self.shape} has no values: it stands for what a model "
            "will compute. Use functions of nnlite.ops on it (ops.log, not np.log), and call the "
            "finished Model on data"
        )

    __array__ = __bool__ = __float__ = __int__ = __index__ = __complex__ = numpy

    def __format__(self, spec):
        return self.numpy() if spec else repr(self)

    def __iter__(self):
        raise TypeError(
            f"symbol {self.name!r} of shape {self.shape}: its first axis is the batch, whose size "
            "is not known here, so it can't be iterated over"
        )

    __len__ = __iter__

    def __repr__(self):
        return f"<Symbol {self.name!r} shape={self.shape} dtype={self.dtype}>"


def _symbolic_operator(function):
    """A method of Symbol that records a call of an operator."""
    return lambda self, *others: symbolic_call(function, (self, *others), {})


def _swapped(function):
    return lambda self, other: symbolic_call(function, (other, self), {})


def _comparison(function):
    """Of == and !=: nothing but a number is compared."""

    def compare(self, other):
        plain = other is None or isinstance(other, (str, type))
        return NotImplemented if plain else symbolic_call(function, (self, other), {})

    return compare


for _name in (
    "add",
    "sub",
    "mul",
    "truediv",
    "pow",
    "matmul",
    "floordiv",
    "mod",
    "and_",
    "or_",
    "xor",
):
    setattr(Symbol, f"__{_name.strip('_')}__", _symbolic_operator(getattr(operator, _name)))
    setattr(Symbol, f"__r{_name.strip('_')}__", _swapped(getattr(operator, _name)))
for _name in ("gt", "ge", "lt", "le", "neg", "abs", "invert", "getitem"):
    setattr(Symbol, f"__{_name}__", _symbolic_operator(getattr(operator, _name)))
Symbol.__pos__ = lambda self: self
Symbol.__eq__, Symbol.__ne__ = _comparison(operator.eq), _comparison(operator.ne)


class Node:
    """A recorded call of a layer or function.

    Parameters
    ----------
    function : Layer or callable
    args, kwargs : tuple and dict
        Symbols are among the values, or in lists, tuples and dicts among them.

    Attributes
    ----------
    outputs : Symbol, or list, tuple or dict of them
    """

    def __init__(self, function, args, kwargs):
        self.function, self.outputs = function, None
        # Copies of the containers: the caller may change its own later.
        self._takes_one = not kwargs and len(args) == 1 and args[0].__class__ is Symbol
        if not self._takes_one:
            args, kwargs = map_structure(lambda symbol: symbol, (args, kwargs), Symbol)
        self.args, self.kwargs = args, kwargs

    @property
    def name(self):
        return getattr(self.function, "name", None) or self.function.__name__

    @property
    def inputs(self):
        """The symbols among the arguments."""
        return [self.args[0]] if self._takes_one else symbols_of((self.args, self.kwargs))

    def call_with(self, replace):
        """Call the function with `replace(symbol)` in place of each symbol."""
        if self._takes_one:
            return self.function(replace(self.args[0]))
        args = map_structure(replace, self.args, Symbol)
        return self.function(*args, **map_structure(replace, self.kwargs, Symbol))


def symbols_of(structure):
    """The symbols in lists, tuples and dicts."""
    if structure.__class__ is Symbol:
        return [structure]
    found = []
    map_structure(found.append, structure, Symbol)
    return found


def is_symbolic(values):
    """Whether a symbol is among the values, or in a list, tuple or dict among them."""
    for value in values:
        kind = value.__class__
        if kind is Symbol:
            return True
        if kind is list or kind is tuple:
            if is_symbolic(value):
                return True
        elif kind is dict and is_symbolic(value.values()):
            return True
    return False


@isolated
def symbolic_call(function, args, kwargs):
    """Record a call on symbols; return the symbols of its results.

    Their shapes come from a trace on one sample, or on as many as a batch is said to have.
    """
    for symbol in symbols_of((args, kwargs)):
        if symbol.dtype == "string":
            name = getattr(function, "name", None) or function.__name__
            raise TypeError(
                f"{name}: expected numbers, got the strings of {symbol.name!r}: TextVectorization, "
                "StringLookup and Hashing make numbers of them"
            )
    node = Node(function, args, kwargs)
    shapes = [s.shape for s in node.inputs]
    batch = next((shape[0] for shape in shapes if shape and shape[0] is not None), None)

    def traced(length=None, rows=batch or 1):
        def tensor(shape, dtype):
            known = filled(shape, length)
            return Tensor((known[0] or rows, *known[1:]) if shape else (), dtype)

        def samples(symbol):
            made = tensor(symbol.shape, symbol.dtype)
            if symbol._of_mask is not None:
                made.mask = tensor(*symbol._of_mask)
            return made

        with Recording(executing=False, shapes_only=True):
            return node.call_with(samples)

    def symbol(tensor):
        made = Symbol(shape_of(tensor), tensor.dtype, node)
        if tensor.mask is not None:
            made._of_mask = shape_of(tensor.mask), tensor.mask.dtype
        return made

    def shape_of(tensor):
        if anywhere:
            return tensor.shape
        return (batch and tensor.shape[0], *tensor.shape[1:]) if tensor.shape else ()

    # A layer gives a sample for each sample. What a function makes of the batch may be anything.
    of_batches = hasattr(function, "call")
    anywhere = not of_batches and any(s[:1] == (None,) for s in shapes)
    if anywhere:
        try:
            results = result_of_any(lambda length: traced(length, length), shapes)
        except (TypeError, ValueError):
            anywhere = False
    if not anywhere:
        unknown = has_unknown(shapes)
        results = result_of_any(traced, shapes, not of_batches) if unknown else traced()
    node.outputs = map_structure(symbol, results, Tensor)
    if not symbols_of(node.outputs):
        name = getattr(function, "name", None) or function.__name__
        raise TypeError(f"{name}: expected a result computed from the symbols, got {results!r}")
    return node.outputs


def supports_symbols(function, module="nnlite.ops", records=True):
    """A version of a function of tensors whose calls on symbols are recorded (if `records`), and
    whose errors name it, and not the functions that it calls, unless a layer called it."""
    name = function.__name__

    @functools.wraps(function)
    def op(*args, **kwargs):
        if records and (is_symbolic(args) or (kwargs and is_symbolic(kwargs.values()))):
            return symbolic_call(op, args, kwargs)
        try:
            return function(*args, **kwargs)
        except (TypeError, ValueError, RuntimeError) as error:
            if not in_a_layer():
                inner, error.of_op = getattr(error, "of_op", name), name
                error.args = (f"{name}: {str(error).removeprefix(f'{inner}: ')}",)
            raise

    op.__module__ = module  # its public place, by which models that use it are pickled
    return op


def input_symbol(layer, shape, dtype):
    """The symbol of an input layer."""
    node = Node(layer, (), {})
    node.outputs, layer._output_shape = Symbol(shape, dtype, node), shape
    layer._record_call(node)
    return node.outputs


def layer_of(value):
    """The input layer of a symbol that `Input` returned; other values are returned unchanged."""
    return value.node.function if isinstance(value, Symbol) else value
