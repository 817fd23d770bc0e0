"""Elementwise arithmetic, powers, comparisons and selection, with NumPy's broadcasting."""

import math
import numbers
import operator

import numpy as np

from nnlite import config
from nnlite.engine.dispatch import Op
from nnlite.engine.recording import active_recordings
from nnlite.engine.tensor import REALS, Tensor, convert_to_tensor
from nnlite.ops.operands import each


def _broadcast(*shapes, **_):
    if shapes.count(shapes[0]) == len(shapes):
        return [shapes[0]]
    longest = max(shapes, key=len)
    if all([longest[len(longest) - len(s) :] == s for s in shapes]):
        return [longest]
    try:
        shape = np.broadcast_shapes(*shapes)
        return [next((s for s in shapes if s == shape), shape)]  # it may hold a Length
    except ValueError:
        shown = " and ".join(str(s) for s in shapes)
        raise ValueError(f"expected shapes that broadcast together, got {shown}") from None


def _unary(name, gradient):
    row = {"in_place": (0,), "by_sample": (0,), "elementwise": True}
    op = Op(name, infer=lambda x: [x], gradient=gradient, **row)

    def function(x):
        return each(op, x)

    function.__name__ = function.__qualname__ = name
    return function


def _binary(name, gradient):
    row = {"in_place": (0, 1), "by_sample": (0, 1), "elementwise": True}
    op = Op(name, infer=_broadcast, gradient=gradient, **row)

    def function(x1, x2):
        return each(op, x1, x2)

    function.__name__ = function.__qualname__ = name
    return function


negative = _unary("negative", lambda c, dy, need: [negative(dy)])
exp = _unary("exp", lambda c, dy, need: [multiply(dy, c.outputs[0])])
expm1 = _unary("expm1", lambda c, dy, need: [multiply(dy, add(c.outputs[0], 1.0))])
log = _unary("log", lambda c, dy, need: [divide(dy, c.inputs[0])])
log1p = _unary("log1p", lambda c, dy, need: [divide(dy, add(c.inputs[0], 1.0))])
erf = _unary(
    "erf",
    lambda c, dy, need: [
        multiply(dy, multiply(exp(negative(square(c.inputs[0]))), 2.0 / math.sqrt(math.pi)))
    ],
)
sqrt = _unary("sqrt", lambda c, dy, need: [divide(multiply(dy, 0.5), c.outputs[0])])
square = _unary("square", lambda c, dy, need: [multiply(multiply(dy, 2.0), c.inputs[0])])
sign = _unary("sign", "none")
floor = _unary("floor", "none")
cos = _unary("cos", lambda c, dy, need: [negative(multiply(dy, sin(c.inputs[0])))])
sin = _unary("sin", lambda c, dy, need: [multiply(dy, cos(c.inputs[0]))])
abs = _unary("abs", lambda c, dy, need: [multiply(dy, sign(c.inputs[0]))])

add = _binary("add", lambda c, dy, need: [dy, dy])
subtract = _binary("subtract", lambda c, dy, need: [dy, negative(dy) if need[1] else None])


def _multiply_gradient(c, dy, need):
    a, b = c.inputs
    return [multiply(dy, b) if need[0] else None, multiply(dy, a) if need[1] else None]


def _divide_gradient(c, dy, need):
    (_, b), (y,) = c.inputs, c.outputs
    da = divide(dy, b)
    return [da, negative(multiply(da, y)) if need[1] else None]


def _power_gradient(c, dy, need):
    (a, b), (y,) = c.inputs, c.outputs
    da = multiply(dy, multiply(b, power(a, subtract(b, 1.0)))) if need[0] else None
    # At a = 0 and b > 0, a^b does not change with b: the derivative is 0, where 0 * log(0) is NaN.
    safe_log = log(where(greater(a, 0.0), a, 1.0)) if need[1] else None
    return [da, multiply(dy, multiply(y, safe_log)) if need[1] else None]


def _selection_gradient(c, dy, need):
    """Of maximum and minimum: all to the selected operand, half to each where they are equal."""
    (a, b), (y,) = c.inputs, c.outputs
    tie = multiply(equal(a, b), 0.5)
    return [
        multiply(dy, subtract(equal(a, y), tie)) if need[0] else None,
        multiply(dy, subtract(equal(b, y), tie)) if need[1] else None,
    ]


def _squared_difference_gradient(c, dy, need):
    a, b = c.inputs
    da = multiply(multiply(dy, 2.0), subtract(a, b))
    return [da, negative(da) if need[1] else None]


multiply = _binary("multiply", _multiply_gradient)
divide = _binary("divide", _divide_gradient)
power = _binary("power", _power_gradient)
maximum = _binary("maximum", _selection_gradient)
minimum = _binary("minimum", _selection_gradient)
squared_difference = _binary("squared_difference", _squared_difference_gradient)
equal = _binary("equal", "none")
greater = _binary("greater", "none")
greater_equal = _binary("greater_equal", "none")


def not_equal(x1, x2):
    """1 where x1 != x2, else 0; NaN differs from everything.

    Parameters
    ----------
    x1, x2 : tensors of shapes that broadcast
    """
    return subtract(1.0, equal(x1, x2))


def less(x1, x2):
    """1 where x1 < x2, else 0.

    Parameters
    ----------
    x1, x2 : tensors of shapes that broadcast
    """
    return greater(x2, x1)


def less_equal(x1, x2):
    """1 where x1 <= x2, else 0.

    Parameters
    ----------
    x1, x2 : tensors of shapes that broadcast
    """
    return greater_equal(x2, x1)


def rsqrt(x):
    """1 / sqrt(x), element by element.

    Parameters
    ----------
    x : tensor
    """
    return divide(1.0, sqrt(x))


def logical_not(x):
    """1 where x is 0, else 0: `~condition`.

    Parameters
    ----------
    x : tensor
    """
    return equal(x, 0.0)


def logical_and(x1, x2):
    """1 where neither x1 nor x2 is 0, else 0: `condition & condition`.

    Parameters
    ----------
    x1, x2 : tensors of shapes that broadcast
    """
    return multiply(not_equal(x1, 0.0), not_equal(x2, 0.0))


def logical_or(x1, x2):
    """1 where x1 or x2 is not 0, else 0: `condition | condition`.

    Parameters
    ----------
    x1, x2 : tensors of shapes that broadcast
    """
    return maximum(not_equal(x1, 0.0), not_equal(x2, 0.0))


def logical_xor(x1, x2):
    """1 where one of x1 and x2 is 0 and the other is not, else 0.

    Parameters
    ----------
    x1, x2 : tensors of shapes that broadcast
    """
    return not_equal(not_equal(x1, 0.0), not_equal(x2, 0.0))


def floor_divide(x1, x2):
    """The largest integer of at most x1 / x2, a real number: `x1 // x2`.

    Parameters
    ----------
    x1, x2 : tensors of shapes that broadcast
    """
    return floor(divide(x1, x2))


def mod(x1, x2):
    """What remains of x1, with the sign of x2: x1 - x2 * floor(x1 / x2), or `x1 % x2`.

    Parameters
    ----------
    x1, x2 : tensors of shapes that broadcast
    """
    return subtract(x1, multiply(x2, floor_divide(x1, x2)))


def _where_gradient(c, dy, need):
    condition = c.inputs[0]
    return [
        None,
        where(condition, dy, 0.0) if need[1] else None,
        where(condition, 0.0, dy) if need[2] else None,
    ]


_WHERE = Op("where", infer=_broadcast, gradient=_where_gradient, in_place=(0, 1, 2))


def where(condition, x1=None, x2=None):
    """x1 where `condition` is not 0, else x2. Without both, the places where it is not 0.

    Parameters
    ----------
    condition : tensor
        For the places its values must be known: not in a trace.
    x1, x2 : tensors of shapes that broadcast, optional

    Returns
    -------
    Tensor, or tuple of int32 Tensor
        The places have a tensor for each axis of `condition`.
    """
    if x1 is None and x2 is None:
        condition = convert_to_tensor(condition)
        if not condition.shape:
            raise ValueError("where: condition: expected at least one axis, got shape ()")
        places = np.nonzero(condition.numpy())
        return tuple(convert_to_tensor(place) for place in places)
    if x1 is None or x2 is None:
        raise ValueError("where: expected both x1 and x2, or neither")
    return each(_WHERE, condition, x1, x2)


def ceil(x):
    """The smallest integer of at least x, for each element.

    Parameters
    ----------
    x : tensor
    """
    return negative(floor(negative(x)))


def clip(x, x_min, x_max):
    """`x` limited to [x_min, x_max]; the gradient passes where `x` is within.

    Parameters
    ----------
    x : tensor
    x_min, x_max : float or tensor of a shape that broadcasts
    """
    return minimum(maximum(x, x_min), x_max)


_DOCS = {
    negative: "-x.",
    exp: "e to the power x.",
    expm1: "e to the power x, minus 1: accurate for small x.",
    log1p: "The natural logarithm of 1 + x: accurate for small x.",
    erf: "The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.",
    log: "The natural logarithm: -inf at 0, NaN below.",
    sqrt: "The square root: NaN below 0.",
    square: "x * x.",
    sign: "-1, 0 or 1.",
    floor: "The largest integer of at most x.",
    cos: "The cosine of x in radians.",
    sin: "The sine of x in radians.",
    abs: "|x|.",
    add: "x1 + x2.",
    subtract: "x1 - x2.",
    multiply: "x1 * x2.",
    divide: "x1 / x2.",
    power: "x1 to the power x2.",
    maximum: "The larger of x1 and x2; NaN if either is.",
    minimum: "The smaller of x1 and x2; NaN if either is.",
    squared_difference: "(x1 - x2) squared.",
    equal: "1 where x1 == x2, else 0.",
    greater: "1 where x1 > x2, else 0.",
    greater_equal: "1 where x1 >= x2, else 0.",
}
_ONE = "x : tensor"
_TWO = "x1, x2 : tensors of shapes that broadcast"
for _function, _text in _DOCS.items():
    _inputs = _ONE if _function.__code__.co_argcount == 1 else _TWO
    _function.__doc__ = (
        f"{_text}\n\nComputed for each element.\n\nParameters\n----------\n{_inputs}\n"
    )


def _dtype_name(value):
    try:
        return np.asarray(value).dtype.name
    except ValueError:  # rows of different lengths
        return "object"


def _conditions(operator, *values):
    """Raise a TypeError for operands of `&`, `|` and `~` that are no conditions: bits of integers
    are something else."""
    for value in values:
        dtype = value.dtype if isinstance(value, Tensor) else _dtype_name(value)
        if dtype != "bool" and (dtype == "int32" or not isinstance(value, Tensor)):
            example = "~(x > 0)" if operator == "~" else f"(x > 0) {operator} (x < 1)"
            raise TypeError(f"{operator}: expected conditions as in {example}, got {value!r}")


# What NumPy calls for an operator between an array and a tensor.
_OPERATORS = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
    np.floor_divide: operator.floordiv,
    np.remainder: operator.mod,
    np.power: operator.pow,
    np.matmul: operator.matmul,
    np.equal: operator.eq,
    np.not_equal: operator.ne,
    np.greater: operator.gt,
    np.greater_equal: operator.ge,
    np.less: operator.lt,
    np.less_equal: operator.le,
    np.bitwise_and: operator.and_,
    np.bitwise_or: operator.or_,
    np.bitwise_xor: operator.xor,
}


def _array_ufunc(self, ufunc, method, *inputs, **kwargs):
    """An operator between an array and a tensor gives a tensor. NumPy's other functions read the
    values, which have no gradient."""
    found = _OPERATORS.get(ufunc)
    if found is not None and method == "__call__" and not kwargs:
        first, *others = inputs
        if not isinstance(first, Tensor):
            both_real = self.dtype in REALS and np.asarray(first).dtype.kind == "f"
            first = convert_to_tensor(first, self.dtype if both_real else None)
        return found(first, *others)
    if active_recordings() and "out" not in kwargs:
        traced = any(isinstance(x, Tensor) and x._data is None for x in inputs)
        if not traced:  # `numpy` below raises an error for what is traced
            raise TypeError(
                f"np.{ufunc.__name__}: NumPy's functions of tensors have no gradient, and a "
                f"GradientTape is recording here; use functions of nnlite.ops, or x.numpy() for "
                "values without a gradient"
            )
    values = [x.numpy() if isinstance(x, Tensor) else x for x in inputs]
    return getattr(ufunc, method)(*values, **kwargs)


def _operators():
    """Give tensors Python's operators."""

    def own(name, f):
        setattr(Tensor, f"__{name}__", lambda self, other: f(self, other))

    def with_swapped(name, f):
        own(name, f)
        setattr(Tensor, f"__r{name}__", lambda self, other: f(other, self))

    for name, f in {
        "add": add,
        "sub": subtract,
        "mul": multiply,
        "truediv": divide,
        "pow": power,
        "floordiv": floor_divide,
        "mod": mod,
    }.items():
        with_swapped(name, f)
    for name, f in {"gt": greater, "ge": greater_equal, "lt": less, "le": less_equal}.items():
        own(name, f)
    conditions = [("and", "&", logical_and), ("or", "|", logical_or), ("xor", "^", logical_xor)]
    for name, sign, f in conditions:
        with_swapped(name, lambda a, b, sign=sign, f=f: _conditions(sign, a, b) or f(a, b))
    for name, f in ("eq", equal), ("ne", not_equal):
        # Nothing but numbers can be equal to a number: `tensor == None` is False.
        own(name, lambda a, b, f=f: f(a, b) if isinstance(b, _NUMBERS) else NotImplemented)
    Tensor.__hash__ = object.__hash__
    Tensor.__array_ufunc__ = _array_ufunc
    Tensor.__pos__ = lambda self: self
    Tensor.__neg__ = lambda self: negative(self)
    Tensor.__abs__ = lambda self: abs(self)
    Tensor.__invert__ = lambda self: _conditions("~", self) or logical_not(self)


_NUMBERS = (Tensor, numbers.Number, np.ndarray, np.generic, list, tuple)
_operators()


def clip_probability(p):
    """`p` clipped to [epsilon(), 1 - epsilon()]."""
    return clip(p, config.epsilon(), 1.0 - config.epsilon())
