"""Histograms and means with weights."""

import numpy as np

from nnlite.checks import is_number
from nnlite.ops.creation import linspace
from nnlite.ops.elementwise import (
    add,
    divide,
    equal,
    greater_equal,
    less_equal,
    logical_and,
    minimum,
    multiply,
    subtract,
    where,
)
from nnlite.ops.operands import axis_of, cast, operands
from nnlite.ops.order import searchsorted
from nnlite.ops.places import bincount
from nnlite.ops.reduce import max, mean, min, sum
from nnlite.ops.shape import broadcast_to, reshape


def average(x, axis=None, weights=None):
    """The mean over axes, in which each element has a weight.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        By default all axes.
    weights : tensor, optional
        Of the shape of `x`, or a vector for one axis. By default all weights are equal.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.average([1.0, 4.0], weights=[2.0, 1.0]).item()
    2.0
    """
    if weights is None:
        return mean(x, axis)
    x, weights = operands(x, weights)
    if weights.shape != x.shape:
        if axis is None or isinstance(axis, (tuple, list)):
            raise ValueError(
                f"weights: expected shape {x.shape}, or a vector and one axis, got "
                f"{weights.shape} and axis={axis!r}"
            )
        at = axis_of(axis, x.shape)
        if weights.shape != (x.shape[at],):
            raise ValueError(
                f"weights: expected shape {(x.shape[at],)} for axis {axis} of shape {x.shape}, got "
                f"{weights.shape}"
            )
        sizes = [n if d == at else 1 for d, n in enumerate(x.shape)]
        weights = broadcast_to(reshape(weights, sizes), x.shape)
    return divide(sum(multiply(x, weights), axis), sum(weights, axis))


def _is_range(ends):
    """Whether these are two numbers in order."""
    if not isinstance(ends, (tuple, list)) or len(ends) != 2:
        return False
    return all(map(is_number, ends)) and ends[0] <= ends[1]


def histogram(x, bins=10, range=None):
    """How many elements are in each of several equal intervals.

    Parameters
    ----------
    x : tensor, shape (N,)
        Elements outside of the range do not count.
    bins : int, default 10
        The number of intervals. The last one holds its upper edge, too.
    range : (float, float), optional
        The lower edge of the first interval and the upper edge of the last; by default the least
        and the largest element.

    Returns
    -------
    counts : int32 Tensor, shape (bins,)
    edges : Tensor, shape (bins + 1,)

    Examples
    --------
    >>> from nnlite import ops
    >>> counts, edges = ops.histogram([0.0, 1.0, 1.5, 2.0], bins=2)
    >>> counts.numpy(), edges.numpy()
    (array([1, 3], dtype=int32), array([0., 1., 2.], dtype=float32))
    """
    if isinstance(bins, bool) or not isinstance(bins, (int, np.integer)) or bins < 1:
        raise ValueError(f"bins: expected a positive integer, got {bins!r}")
    if range is not None and not _is_range(range):
        raise ValueError(f"range: expected two numbers, the smaller one first, got {range!r}")
    (x,) = operands(x)
    if x.ndim != 1:
        raise ValueError(f"x: expected a vector, got shape {x.shape}")
    if range is not None:
        low, high = operands(*map(float, range))
    else:
        low, high = (min(x), max(x)) if x.size else operands(0.0, 1.0)
    half = where(equal(low, high), 0.5, 0.0)  # an interval of length 0 becomes one of length 1
    edges = cast(linspace(subtract(low, half), add(high, half), bins + 1), x.dtype)
    inside = logical_and(greater_equal(x, edges[0]), less_equal(x, edges[bins]))
    number = subtract(searchsorted(edges, x, side="right"), 1.0)
    # What is outside goes to one more interval, which is cut off.
    number = where(inside, minimum(number, bins - 1.0), float(bins))
    return bincount(cast(number, "int32"), minlength=bins + 1)[:bins], edges
