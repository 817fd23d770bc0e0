"""The order of entries along an axis: sorting, the largest ones, quantiles, places in an order.

The one idea: the C kernel finds the places of the entries in ascending or descending order, and
`entries_at` takes the entries from there, with their gradient.
"""

import math
from numbers import Integral

import numpy as np

from nnlite.checks import check_choice
from nnlite.engine.dispatch import Op
from nnlite.engine.tensor import Tensor, as_array
from nnlite.ops.elementwise import (
    add,
    equal,
    floor,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_or,
    minimum,
    multiply,
    subtract,
    where,
)
from nnlite.ops.logarithms import isfinite, isnan
from nnlite.ops.operands import axis_of, call, cast, constant, flag, integers, operands
from nnlite.ops.places import entries_at, exact_places, take_along_axis
from nnlite.ops.reduce import in_front, sum
from nnlite.ops.rounding import round_half_to_even
from nnlite.ops.rows import take
from nnlite.ops.shape import moveaxis, reshape, zeros_like
from nnlite.ops.slicing import expand_dims

Op(
    "top_k",
    infer=lambda x, k, smallest: [(x[0], k)],
    attrs={"k": int, "smallest": int},
    outputs=("int32",),
    gradient="none",
    work=lambda inputs, outputs: math.prod(inputs[0]) * (2 + outputs[0][1].bit_length()),
)


def places_in_order(x, k=None, smallest=False):
    """The places of the k largest entries along the last axis, in descending order.

    Parameters
    ----------
    x : tensor, shape (..., L)
    k : int, optional
        By default L.
    smallest : bool, default False
        Those of the smallest entries, in ascending order.

    Returns
    -------
    int32 Tensor, shape (..., k)
    """
    length = x.shape[-1]
    k = length if k is None else k
    rows = reshape(x, (math.prod(x.shape[:-1]), length))
    return reshape(call("top_k", [rows], k=k, smallest=int(smallest)), (*x.shape[:-1], k))


def top_k(x, k, sorted=True):
    """The k largest entries along the last axis, in descending order.

    Among equal entries the one with the lowest index comes first.

    Parameters
    ----------
    x : tensor, shape (..., L)
    k : int in [1, L]
    sorted : bool, default True
        Ignored: they are always in order.

    Returns
    -------
    values : Tensor, shape (..., k)
    indices : int32 Tensor, shape (..., k)

    Examples
    --------
    >>> from nnlite import ops
    >>> values, indices = ops.top_k([0.1, 0.5, 0.4], k=2)
    >>> indices.numpy()
    array([1, 2], dtype=int32)
    """
    (x,) = operands(x)
    length = x.shape[-1] if x.shape else 0
    if not isinstance(k, Integral) or not 1 <= k <= length:
        raise ValueError(f"top_k: expected k from 1 to {length} (shape {x.shape}), got {k!r}")
    indices = places_in_order(x, int(k))
    return entries_at(x, indices, -1, sure=True), indices


def in_top_k(targets, predictions, k):
    """1 where the value of the target is among the k largest of its row, else 0.

    Parameters
    ----------
    targets : integer tensor, shape (N,)
        Columns.
    predictions : tensor, shape (N, classes)
        Values that equal the k-th largest are among them; a row in which that of the target is not
        finite gives 0.
    k : int

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.in_top_k([1, 0], [[0.1, 0.9, 0.5], [0.2, 0.3, 0.4]], k=2).numpy()
    array([1., 0.], dtype=float32)
    """
    (y,), targets = operands(predictions), integers(targets, "targets")
    if y.ndim != 2 or targets.shape != y.shape[:1]:
        raise ValueError(
            "expected targets of shape (N,) and predictions of shape (N, classes), got "
            f"{targets.shape} and {y.shape}"
        )
    chosen = take_along_axis(y, expand_dims(targets, 1), 1)
    larger = sum(greater(y, chosen), axis=1)
    return logical_and(less(larger, k), isfinite(reshape(chosen, targets.shape)))


def _last(x, axis):
    """A real tensor with an axis at the end, or flat if it is None; and the axis."""
    (x,) = operands(x)
    if axis is None:
        return reshape(x, (-1,)), 0
    x = x if x.shape else reshape(x, (1,))
    axis = axis_of(axis, x.shape)
    return moveaxis(x, axis, -1), axis


def argsort(x, axis=-1):
    """The places of the entries along an axis in ascending order, int32.

    Equal entries stay in their order; NaN comes last.

    Parameters
    ----------
    x : tensor
    axis : int or None, default -1
        None: `x` counts as flattened.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.argsort([3.0, 1.0, 2.0]).numpy()
    array([1, 2, 0], dtype=int32)
    """
    x, axis = _last(x, axis)
    places = places_in_order(x, smallest=True)
    if axis == x.ndim - 1:
        return places
    exact_places("argsort", x.shape[-1:], x.dtype)
    return cast(moveaxis(cast(places, x.dtype), -1, axis), "int32")


def sort(x, axis=-1):
    """The entries along an axis in ascending order; NaN comes last.

    Parameters
    ----------
    x : tensor
    axis : int or None, default -1
        None: `x` counts as flattened.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.sort([3.0, 1.0, 2.0]).numpy()
    array([1., 2., 3.], dtype=float32)
    """
    x, axis = _last(x, axis)
    y = entries_at(x, places_in_order(x, smallest=True), -1, sure=True)
    return moveaxis(y, -1, axis)


# Where a quantile lies between two entries, in [0, 1]: for an array, or a tensor, of places.
_BETWEEN = {
    "linear": lambda place, low: place - low,
    "lower": lambda place, low: (place - low) * 0.0,
    "higher": lambda place, low: (place > low) * 1.0,
    "midpoint": lambda place, low: (place > low) * 0.5,
    "nearest": lambda place, low: _rounded(place) - low,
}


def _rounded(place):
    return round_half_to_even(place) if isinstance(place, Tensor) else np.rint(place)


def quantile(x, q, axis=None, method="linear", keepdims=False):
    """The values below which shares of the entries lie; NaN if there is one.

    Parameters
    ----------
    x : tensor
        With at least one entry along the axes.
    q : float in [0, 1], or tensor of them
        The shares.
    axis : int or tuple of int, optional
        By default all axes.
    method : {'linear', 'lower', 'higher', 'midpoint', 'nearest'}, default 'linear'
        What lies between two entries.
    keepdims : bool, default False
        Whether the reduced axes remain with size 1.

    Returns
    -------
    Tensor
        The axes of `q` come first.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.quantile([1.0, 2.0, 3.0, 4.0], [0.0, 0.5]).numpy()
    array([1. , 2.5], dtype=float32)
    """
    check_choice("method", method, [*_BETWEEN])
    (x,), keepdims = operands(x), flag("keepdims", keepdims)
    if isinstance(q, Tensor) and q._data is None:
        (q,) = operands(q)
    else:  # in float64, which counts far
        q = as_array(q, "float64")
        if not np.all((q >= 0) & (q <= 1)):
            raise ValueError(f"q: expected numbers in [0, 1], got {q}")
    entries, shape = in_front(x, axis, keepdims)
    count = entries.shape[0]
    if not count:
        raise ValueError("x: expected at least one entry along the axes, got none")
    entries = sort(entries, 0)
    y = _between(entries, q, count, method)
    # NaN is the last entry where there is one.
    y = where(isnan(entries[count - 1]), np.nan, y)
    return reshape(y, (*q.shape, *shape))


def _between(entries, q, count, method):
    """The values at shares q of the way from the first to the last of sorted entries."""
    place = q * (count - 1.0)
    low = floor(place) if isinstance(q, Tensor) else np.floor(place)
    high = minimum(low + 1.0, count - 1.0) if isinstance(q, Tensor) else np.ceil(place)
    share = operands(entries, _BETWEEN[method](place, low))[1]
    share = reshape(share, (*q.shape, *[1] * (entries.ndim - 1)))
    below, above = take(entries, low, 0), take(entries, high, 0)
    # The other term could be 0 times infinity.
    mixed = add(multiply(below, subtract(1.0, share)), multiply(above, share))
    return where(less_equal(share, 0.0), below, where(greater_equal(share, 1.0), above, mixed))


def median(x, axis=None, keepdims=False):
    """The middle entry, or the mean of the two in the middle; NaN if there is one.

    Parameters
    ----------
    x : tensor
        With at least one entry along the axes.
    axis : int or tuple of int, optional
        By default all axes.
    keepdims : bool, default False
        Whether the reduced axes remain with size 1.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.median([3.0, 1.0, 2.0]).item()
    2.0
    """
    return quantile(x, 0.5, axis, "midpoint", keepdims)


def searchsorted(sorted_sequence, values, side="left"):
    """Where values would stand in a sorted vector, int32, by a binary search.

    Parameters
    ----------
    sorted_sequence : tensor, shape (n,)
        In ascending order, with NaN at the end.
    values : tensor of any shape
    side : {'left', 'right'}, default 'left'
        The first place that keeps the order, or the last.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.searchsorted([1.0, 2.0, 4.0], [2.0, 3.0, 9.0]).numpy()
    array([1, 2, 3], dtype=int32)
    """
    check_choice("side", side, ("left", "right"))
    entries, values = operands(sorted_sequence, values)
    if entries.ndim != 1:
        raise ValueError(f"sorted_sequence: expected a vector, got shape {entries.shape}")
    (n,) = entries.shape
    exact_places("sorted_sequence", (n,), entries.dtype)
    before = zeros_like(values)  # how many entries are known to stand before
    # NaN stands behind all numbers, in the vector and among the values.
    behind = isnan(values)
    step = 1 << n.bit_length() >> 1
    while step:
        more = add(before, float(step))
        entry = take(entries, cast(subtract(minimum(more, float(n)), 1.0), "int32"), 0)
        if side == "left":
            stands = logical_or(less(entry, values), logical_and(behind, equal(entry, entry)))
        else:
            stands = logical_or(less_equal(entry, values), behind)
        before = where(logical_and(less_equal(more, float(n)), stands), more, before)
        step //= 2
    return cast(before, "int32")


def digitize(x, bins):
    """The number of the bin of each element, int32: how many of the edges are at most as large.

    Parameters
    ----------
    x : tensor
    bins : tensor, shape (n,)
        The edges, in ascending order.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.digitize([0.5, 1.0, 5.0], [1.0, 2.0]).numpy()
    array([0, 1, 2], dtype=int32)
    """
    edges = bins if hasattr(bins, "shape") else constant(bins, None)
    if len(edges.shape) != 1:
        raise ValueError(f"bins: expected a vector, got shape {edges.shape}")
    return searchsorted(edges, x, side="right")
