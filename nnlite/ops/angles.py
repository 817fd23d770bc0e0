"""Angles of tangents.

The one idea: half an angle has the tangent t / (1 + sqrt(1 + t^2)). After three halves its series
is short."""

import math

from nnlite.ops.elementwise import (
    add,
    divide,
    equal,
    greater,
    less,
    multiply,
    negative,
    sqrt,
    square,
    subtract,
    where,
)
from nnlite.ops.operands import operands

_HALVES, _TERMS = 3, 9


def _of_at_most_1(t):
    """The angle of a tangent in [0, 1]."""
    for _ in range(_HALVES):
        t = divide(t, add(1.0, sqrt(add(1.0, square(t)))))
    s, total = square(t), 0.0
    for k in range(_TERMS - 1, -1, -1):
        total = add(multiply(total, s), (-1) ** k / (2 * k + 1))
    return multiply(multiply(total, t), 2.0**_HALVES)


def arctan2(x1, x2):
    """The angle of the point (x2, x1), in [-pi, pi]; 0 of (0, 0).

    Parameters
    ----------
    x1 : tensor
        The y of the point. The sign of a zero does not count.
    x2 : tensor
        The x of the point.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.arctan2([1.0, 0.0, -1.0], [0.0, -1.0, 1.0]).numpy().round(3)
    array([ 1.571,  3.142, -0.785], dtype=float32)
    """
    y, x = operands(x1, x2)
    # Choices, no maximum and no absolute value: so gradients are right on axes and diagonals.
    high, wide = where(less(y, 0.0), negative(y), y), where(less(x, 0.0), negative(x), x)
    steep = greater(high, wide)
    below = where(steep, high, wide)
    angle = _of_at_most_1(divide(where(steep, wide, high), where(equal(below, 0.0), 1.0, below)))
    angle = where(steep, subtract(math.pi / 2, angle), angle)
    angle = where(less(x, 0.0), subtract(math.pi, angle), angle)
    return where(less(y, 0.0), negative(angle), angle)


def arctan(x):
    """The angle in [-pi / 2, pi / 2] of a tangent, element by element.

    Parameters
    ----------
    x : tensor, any shape

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.arctan([-1.0, 0.0, 1e30]).numpy().round(3)
    array([-0.785,  0.   ,  1.571], dtype=float32)
    """
    return arctan2(x, 1.0)
