"""Functional models: a `Symbol` stands for a tensor that a model will compute, a `Graph` is what
leads from some symbols to others.

A layer or a function of `nnlite.ops` that is called on a symbol is not run but noted down, as the
`Node` that makes other symbols; their shapes come from a trace on one sample. A `Graph` calls the
noted layers and functions again, on tensors."""

import functools
import operator

from nnlite.engine.dispatch import Recording
from nnlite.engine.tensor import Tensor
from nnlite.tree import mapped


class Symbol:
    """A tensor of a model that is being put together: a shape, and what makes it.

    Attributes
    ----------
    shape : tuple
        None first, for the batch.
    dtype : str
    node : Node
        The call that makes it.
    """

    __array_priority__ = 100  # array + symbol is a symbol
    __iter__ = None

    def __init__(self, shape, dtype, node):
        self.shape, self.dtype, self.node = shape, dtype, node

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def name(self):
        """That of the layer or function that makes it."""
        return self.node.name

    def numpy(self):
        """Raises TypeError: a symbol has no values."""
        raise TypeError(
            f"symbol {self.name!r} of shape {self.shape} has no values: it stands for what a model "
            "will compute. Use functions of nnlite.ops on it, and call the finished Model on data"
        )

    __bool__ = __float__ = __int__ = numpy

    def __repr__(self):
        return f"<Symbol {self.name!r} shape={self.shape} dtype={self.dtype}>"


def symbolic_operator(function, swapped=False):
    """An operator on symbols that notes itself down."""
    if swapped:
        return lambda self, other: symbolic_call(function, (other, self), {})
    return lambda self, *others: symbolic_call(function, (self, *others), {})


for _name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(Symbol, f"__{_name}__", symbolic_operator(getattr(operator, _name)))
    setattr(Symbol, f"__r{_name}__", symbolic_operator(getattr(operator, _name), swapped=True))
for _name in ("gt", "ge", "lt", "le", "neg", "abs", "getitem"):
    setattr(Symbol, f"__{_name}__", symbolic_operator(getattr(operator, _name)))


class Node:
    """A call of a layer or function, noted down.

    Attributes
    ----------
    function : Layer or callable
    args, kwargs : tuple and dict
        Some entries, or entries of lists, tuples and dicts in them, are symbols.
    outputs : Symbol, or list, tuple or dict of them
    """

    def __init__(self, function, args, kwargs):
        self.function, self.outputs = function, None
        # Copies of lists: the caller may go on to change its own.
        self.args, self.kwargs = mapped((args, kwargs), Symbol, lambda symbol: symbol)

    @property
    def name(self):
        return getattr(self.function, "name", None) or self.function.__name__

    @property
    def inputs(self):
        """The symbols among the arguments."""
        return symbols_of((self.args, self.kwargs))

    def call_with(self, replace):
        """The result of the call with something else for each symbol."""
        args = mapped(self.args, Symbol, replace)
        return self.function(*args, **mapped(self.kwargs, Symbol, replace))


def symbols_of(structure):
    """The symbols in lists, tuples and dicts."""
    found = []
    mapped(structure, Symbol, found.append)
    return found


def is_symbolic(values):
    """Whether a symbol is among the values, or in a list, tuple or dict among them."""
    for value in values:
        if isinstance(value, Symbol):
            return True
        if type(value) in (list, tuple):
            if is_symbolic(value):
                return True
        elif type(value) is dict and is_symbolic(value.values()):
            return True
    return False


def symbolic_call(function, args, kwargs):
    """The symbols that a call on symbols makes; their shapes come from a trace on one sample."""
    node = Node(function, args, kwargs)
    with Recording(executing=False):
        results = node.call_with(_one_sample)
    node.outputs = mapped(
        results, Tensor, lambda t: Symbol((None, *t.shape[1:]) if t.shape else (), t.dtype, node)
    )
    return node.outputs


def _one_sample(symbol):
    return Tensor((1, *symbol.shape[1:]) if symbol.shape else (), symbol.dtype)


def supports_symbols(function):
    """Let a function of tensors be noted down when it is called on symbols."""

    @functools.wraps(function)
    def op(*args, **kwargs):
        if is_symbolic(args) or (kwargs and is_symbolic(kwargs.values())):
            return symbolic_call(op, args, kwargs)
        return function(*args, **kwargs)

    op.__module__ = "nnlite.ops"  # where it is found, so that models that use it can be pickled
    return op


def input_symbol(layer, shape, dtype):
    """The symbol that an input layer stands for."""
    node = Node(layer, (), {})
    node.outputs, layer._output_shape = Symbol(shape, dtype, node), shape
    return node.outputs


def layer_of(value):
    """The layer that an `Input` stands for; anything but a symbol is itself."""
    return value.node.function if isinstance(value, Symbol) else value
