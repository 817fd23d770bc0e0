"""Logarithms of other bases and of sums, and numbers that are not finite."""

import math

import numpy as np

from nnlite.ops.elementwise import (
    abs,
    add,
    equal,
    exp,
    less,
    log,
    log1p,
    maximum,
    multiply,
    negative,
    not_equal,
    subtract,
    where,
)
from nnlite.ops.operands import flag, operands
from nnlite.ops.reduce import max, squeezed, sum
from nnlite.ops.shape import stop_gradient


def log2(x):
    """The logarithm to the base 2: -inf at 0, NaN below.

    Parameters
    ----------
    x : tensor

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.log2([1.0, 8.0]).numpy()
    array([0., 3.], dtype=float32)
    """
    return multiply(log(x), 1.0 / math.log(2.0))


def log10(x):
    """The logarithm to the base 10: -inf at 0, NaN below.

    Parameters
    ----------
    x : tensor

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.log10([1.0, 10.0]).numpy()
    array([0., 1.], dtype=float32)
    """
    return multiply(log(x), 1.0 / math.log(10.0))


def logaddexp(x1, x2):
    """log(exp(x1) + exp(x2)), without overflow.

    Parameters
    ----------
    x1, x2 : tensors of shapes that broadcast

    Examples
    --------
    >>> from nnlite import ops
    >>> f"{ops.logaddexp(1000.0, 1000.0):.2f}"
    '1000.69'
    """
    x1, x2 = operands(x1, x2)
    # Two equal infinities have no difference.
    between = where(equal(x1, x2), 0.0, subtract(x1, x2))
    return add(maximum(x1, x2), log1p(exp(negative(abs(between)))))


def logsumexp(x, axis=None, keepdims=False):
    """log(sum(exp(x))) over axes, without overflow.

    Parameters
    ----------
    x : tensor
        With at least one element along the axes.
    axis : int or tuple of int, optional
        By default all axes.
    keepdims : bool, default False
        Whether the reduced axes remain with size 1.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.logsumexp([0.0, 0.0]).item()
    0.6931471824645996
    """
    (x,), keepdims = operands(x), flag("keepdims", keepdims)
    largest = stop_gradient(max(x, axis, keepdims=True))
    largest = where(isfinite(largest), largest, 0.0)
    y = add(log(sum(exp(subtract(x, largest)), axis, keepdims=True)), largest)
    return y if keepdims else squeezed(y, axis)


def isnan(x):
    """1 where x is NaN, else 0.

    Parameters
    ----------
    x : tensor

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.isnan([1.0, float("nan")]).numpy()
    array([0., 1.], dtype=float32)
    """
    (x,) = operands(x)
    return not_equal(x, x)


def isinf(x):
    """1 where x is infinite, else 0.

    Parameters
    ----------
    x : tensor

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.isinf([1.0, -float("inf")]).numpy()
    array([0., 1.], dtype=float32)
    """
    return equal(abs(x), np.inf)


def isfinite(x):
    """1 where x is neither infinite nor NaN, else 0.

    Parameters
    ----------
    x : tensor

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.isfinite([1.0, float("inf"), float("nan")]).numpy()
    array([1., 0., 0.], dtype=float32)
    """
    return less(abs(x), np.inf)


def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    """`x` with other numbers in place of NaN and infinities.

    Parameters
    ----------
    x : tensor
    nan : float, default 0.0
        In place of NaN.
    posinf : float, optional
        In place of infinity; by default the largest number of the precision.
    neginf : float, optional
        In place of minus infinity; by default the lowest number of the precision.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.nan_to_num([1.0, float("nan"), float("inf")], posinf=9.0).numpy()
    array([1., 0., 9.], dtype=float32)
    """
    (x,) = operands(x)
    largest = float(np.finfo(x.dtype).max)
    x = where(isnan(x), nan, x)
    x = where(equal(x, np.inf), largest if posinf is None else posinf, x)
    return where(equal(x, -np.inf), -largest if neginf is None else neginf, x)
