"""Entries at places that are computed, and sums of what belongs to one place.

Where the places are known when a function is called, NumPy computes with them. In a trace real
numbers do, which hold each integer up to 2^24 (float32) or 2^53.
"""

import math

import numpy as np

from nnlite.checks import check_shape, check_size
from nnlite.engine.dispatch import NO_PLACE
from nnlite.ops.elementwise import (
    add,
    clip,
    equal,
    floor_divide,
    less,
    less_equal,
    logical_and,
    mod,
    multiply,
    where,
)
from nnlite.ops.operands import axis_of, call, cast, constant, flag, integers, operands
from nnlite.ops.rows import take
from nnlite.ops.shape import broadcast_to, ones, reshape


def exact_places(name, shape, real):
    """Raise a ValueError unless real numbers hold each place of a shape.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    shape : tuple of int
    real : {'float32', 'float64'}
    """
    largest = 2 ** (np.finfo(real).nmant + 1)
    if math.prod(shape) > largest:
        raise ValueError(
            f"{name}: expected at most {largest} entries, which {real} counts exactly, got shape "
            f"{shape}"
        )


def _flat_places(places, shape, real, sure=False):
    """The places of entries in a flat tensor, from those along each of its first axes.

    Parameters
    ----------
    places : list of int32 Tensor
        Along each axis; negative ones count from its end.
    shape : tuple of int
        The sizes of these axes.
    real : {'float32', 'float64'}
    sure : bool, default False
        Whether all places are in range and none is negative.

    Returns
    -------
    int32 Tensor
        `NO_PLACE` for places out of range, where they are not known.

    Raises
    ------
    ValueError
        If known places are out of range.
    """
    known = all(index._data is not None for index in places)
    if not known:
        exact_places("shape", shape, real)
    total, inside = 0, 1.0
    for index, n in zip(places, shape):
        if known:
            at = index._data.astype(np.int64)
            wrong = at[(at < -n) | (at >= n)]
            if wrong.size:
                raise ValueError(f"indices: expected numbers in [{-n}, {n}), got {wrong.flat[0]}")
            total = total * n + np.where(at < 0, at + n, at)
        else:
            at = cast(index, real)
            if not sure:
                at = where(less(at, 0.0), add(at, float(n)), at)
            total = add(multiply(total, float(n)), at)
            if not sure and index._data is None:
                inside = multiply(inside, equal(at, clip(at, 0.0, n - 1.0)))
    if known:
        return constant(total, "int32")
    return cast(total if sure else where(inside, total, float(NO_PLACE)), "int32")


def take_along_axis(x, indices, axis=None):
    """Entries of `x` along an axis, by their numbers: other ones for each place on the other axes.

    Parameters
    ----------
    x : tensor
    indices : integer tensor
        Of as many axes as `x`; the other axes of both broadcast. Negative numbers count from the
        end.
    axis : int, optional
        By default both count as flattened.

    Raises
    ------
    ValueError
        If an index is out of range.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.take_along_axis([[1.0, 2.0], [3.0, 4.0]], [[1], [0]], axis=1).numpy()
    array([[2.],
           [3.]], dtype=float32)
    """
    return entries_at(x, indices, axis)


def entries_at(x, indices, axis, sure=False):
    """`take_along_axis`, without its checks in a trace if the indices are `sure` to be in range."""
    (x,), index = operands(x), integers(indices, "indices")
    if axis is None:
        return take(reshape(x, (-1,)), _flat_places([reshape(index, (-1,))], (x.size,), x.dtype), 0)
    axis = axis_of(axis, x.shape)
    if index.ndim != x.ndim:
        raise ValueError(
            f"indices: expected {x.ndim} axes, as of shape {x.shape}, got shape {index.shape}"
        )
    others = [(*shape[:axis], 1, *shape[axis + 1 :]) for shape in (x.shape, index.shape)]
    try:
        shape = np.broadcast_shapes(*others)
    except ValueError:
        raise ValueError(
            f"indices: expected a shape that broadcasts with {x.shape} beside axis {axis}, got "
            f"{index.shape}"
        ) from None
    n, k = x.shape[axis], index.shape[axis]
    wanted = (*shape[:axis], k, *shape[axis + 1 :])
    if math.prod(wanted) == 0:
        return reshape(reshape(x, (-1,))[:0], wanted)
    x = broadcast_to(x, (*shape[:axis], n, *shape[axis + 1 :]))
    here = [
        index if d == axis else constant(_numbers(m, d, x.ndim), "int32")
        for d, m in enumerate(x.shape)
    ]
    return take(reshape(x, (-1,)), _flat_places(here, x.shape, x.dtype, sure), 0)


def _numbers(n, axis, ndim):
    """0 ... n - 1 along an axis of `ndim` axes."""
    return np.arange(n).reshape([-1 if d == axis else 1 for d in range(ndim)])


def scatter(indices, values, shape):
    """A tensor of zeros to which values are added at places.

    Parameters
    ----------
    indices : integer tensor, shape (..., n)
        The places along the first n axes of the result. Of values at one place the sum counts. A
        place out of range is an error; in a trace its value is left out.
    values : tensor, shape (..., further axes of the result)
    shape : tuple of int
        Of the result.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.scatter([[0], [2]], [3.0, 4.0], (4,)).numpy()
    array([3., 0., 4., 0.], dtype=float32)
    """
    index, (values,) = integers(indices, "indices"), operands(values)
    shape = check_shape("shape", shape)
    depth = index.shape[-1] if index.shape else 0
    if not index.shape or depth > len(shape) or values.shape != index.shape[:-1] + shape[depth:]:
        raise ValueError(
            "expected indices of shape (..., n) and values of shape (..., further axes), got "
            f"{index.shape} and {values.shape} for a result of shape {shape}"
        )
    rows, width = math.prod(shape[:depth]), shape[depth:]
    count = math.prod(index.shape[:-1])
    places = [reshape(index[..., d], (count,)) for d in range(depth)]
    if not depth:
        places, shape_of_places = [constant(np.zeros(count), "int32")], (1,)
    else:
        shape_of_places = shape[:depth]
    flat = _flat_places(places, shape_of_places, values.dtype)
    values = reshape(values, (count, *width))
    made = call("scatter_add", [values, flat], rows=rows, shape=(rows, *width))
    return reshape(made, shape)


def segment_sum(data, segment_ids, num_segments=None, sorted=False):
    """The sums of the rows that belong to each segment.

    Parameters
    ----------
    data : tensor, shape (N, ...)
    segment_ids : integer tensor, shape (N,)
        The number of each row's segment. Rows with numbers out of range are left out.
    num_segments : int, optional
        By default one more than the largest number, which must be known.
    sorted : bool, default False
        Ignored: the numbers may stand in any order.

    Returns
    -------
    Tensor, shape (num_segments, ...)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.segment_sum([1.0, 2.0, 4.0], [0, 0, 2], num_segments=3).numpy()
    array([3., 0., 4.], dtype=float32)
    """
    (x,), index = operands(data), integers(segment_ids, "segment_ids")
    if not x.shape or index.shape != x.shape[:1]:
        raise ValueError(
            f"segment_ids: expected shape {x.shape[:1]}, one for each row of shape {x.shape}, got "
            f"{index.shape}"
        )
    if num_segments is None:
        num_segments = int(index.numpy().max(initial=-1)) + 1
    rows = check_size("num_segments", num_segments)
    return call("scatter_add", [x, index], rows=rows, shape=(rows, *x.shape[1:]))


def unravel_index(indices, shape):
    """The places along each axis of a shape of entries that are numbered in order.

    Parameters
    ----------
    indices : integer tensor
        Negative numbers count from the end. A number out of range is an error; in a trace its
        places mean nothing.
    shape : tuple of int

    Returns
    -------
    tuple of int32 Tensor
        One for each axis.

    Examples
    --------
    >>> from nnlite import ops
    >>> [place.item() for place in ops.unravel_index(5, (2, 3))]
    [1, 2]
    """
    shape = check_shape("shape", shape)
    index = integers(indices, "indices")
    rest = _flat_places([index], (math.prod(shape),), operands(0.0)[0].dtype)
    found = []
    for n in shape[::-1]:
        if rest._data is not None:
            at, rest = (constant(v, "int32") for v in (rest._data % n, rest._data // n))
        else:
            at, rest = (cast(f(rest, float(n)), "int32") for f in (mod, floor_divide))
        found.append(at)
    return tuple(found[::-1])


def bincount(x, weights=None, minlength=0, sparse=False):
    """How often each of the integers 0, 1, 2 ... comes, or the sums of the weights.

    Parameters
    ----------
    x : integer tensor, shape (N,) or (batch, N)
        Not negative.
    weights : tensor of the same shape, optional
    minlength : int, default 0
        The result has at least as many entries. Where the integers are not known, in a trace, it
        has just as many, and larger integers are not counted.
    sparse : bool, default False
        Must be False.

    Returns
    -------
    Tensor, shape (length,) or (batch, length)
        int32 without weights.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.bincount([1, 1, 3]).numpy()
    array([0, 2, 0, 1], dtype=int32)
    """
    if flag("sparse", sparse):
        raise ValueError("sparse: expected False, got True: there are no sparse tensors")
    index = integers(x, "x")
    if index.ndim not in (1, 2):
        raise ValueError(f"x: expected shape (N,) or (batch, N), got {index.shape}")
    known = index._data is not None
    # float32 would stop counting at 2^24; a trace has one precision.
    count_in = "float64" if known else None
    weight = ones(index.shape, count_in) if weights is None else operands(weights)[0]
    if weight.shape != index.shape:
        raise ValueError(f"weights: expected shape {index.shape}, got {weight.shape}")
    length = check_size("minlength", minlength)
    if known:
        if index._data.min(initial=0) < 0:
            raise ValueError(f"x: expected no negative integers, got {index._data.min()}")
        length = max(length, int(index._data.max(initial=-1)) + 1)
    counts = _counted(index, weight, length)
    return cast(counts, "int32") if weights is None else counts


def _counted(index, weight, length):
    if index.ndim == 1:
        return segment_sum(weight, index, length)
    batch = index.shape[0]
    row = constant(np.arange(batch)[:, None], "int32")
    inside = cast(index, weight.dtype)
    inside = logical_and(less_equal(0.0, inside), less(inside, float(length)))
    weight = where(inside, weight, 0.0)
    index = cast(where(inside, cast(index, weight.dtype), 0.0), "int32")
    flat = _flat_places([row, index], (batch, length), weight.dtype) if length else index
    sums = segment_sum(reshape(weight, (-1,)), reshape(flat, (-1,)), batch * length)
    return reshape(sums, (batch, length))
