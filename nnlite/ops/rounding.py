"""Rounding to integers and to decimals."""

from nnlite.ops.elementwise import (
    abs,
    add,
    divide,
    equal,
    floor,
    greater,
    mod,
    multiply,
    sign,
    subtract,
    where,
)
from nnlite.ops.operands import integer, operands


def round_half_to_even(x):
    """The nearest integer; of two, the even one.

    Parameters
    ----------
    x : tensor
    """
    low = floor(x)
    share = subtract(x, low)
    up = where(equal(share, 0.5), mod(low, 2.0), greater(share, 0.5))
    return add(low, up)


def round(x, decimals=0):
    """The nearest number with some decimals; of two as near, the one with an even last digit.

    Parameters
    ----------
    x : tensor
    decimals : int, default 0
        Negative ones stand before the point.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.round([0.5, 1.5, -1.2]).numpy()
    array([ 0.,  2., -1.], dtype=float32)
    """
    (x,), decimals = operands(x), integer("decimals", decimals)
    unit = 10.0 ** min(max(decimals, -decimals), 300)
    if not decimals:
        return round_half_to_even(x)
    if decimals > 0:
        return divide(round_half_to_even(multiply(x, unit)), unit)
    return multiply(round_half_to_even(divide(x, unit)), unit)


def trunc(x):
    """`x` without what stands behind the point.

    Parameters
    ----------
    x : tensor

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.trunc([1.7, -1.7]).numpy()
    array([ 1., -1.], dtype=float32)
    """
    (x,) = operands(x)
    return multiply(sign(x), floor(abs(x)))
