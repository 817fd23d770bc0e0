"""Tensors made of numbers: ranges, grids, identity matrices."""

import math

import numpy as np

from nnlite import config
from nnlite.checks import LARGEST_SIZE, check_shape, check_size, is_number
from nnlite.engine.tensor import REALS, Tensor, convert_to_tensor, dtype_of, is_truth
from nnlite.errors import memory_for
from nnlite.ops.elementwise import add, divide, floor, multiply, subtract
from nnlite.ops.operands import cast, constant, flag, operands
from nnlite.ops.shape import broadcast_to, check_broadcast, filled, moveaxis, reshape


def _known(name, value):
    """A setting that is one number, perhaps as a tensor with a value."""
    if is_number(value):
        return value
    with_value = convert_to_tensor(value)
    if with_value.shape:
        raise ValueError(f"{name}: expected one number, got shape {with_value.shape}")
    return with_value.item()


def array(x, dtype=None):
    """A tensor with the values of `x`, a copy.

    Parameters
    ----------
    x : tensor, array-like or number
    dtype : {'float32', 'float64', 'int32'}, optional
        By default `floatx()` for floats, int32 for integers and booleans.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.array([1, 2]).dtype
    'int32'
    """
    made = convert_to_tensor(x, dtype) if not isinstance(x, Tensor) or dtype is None else None
    made = cast(x, dtype) if made is None else made
    return broadcast_to(made, made.shape) if made is x and made.dtype in REALS else made


def arange(start, stop=None, step=None, dtype=None):
    """The numbers from `start`, in steps of `step`, before `stop`.

    Parameters
    ----------
    start : number
        Alone it is `stop`, and the numbers begin at 0.
    stop : number, optional
    step : number, default 1
        Not 0.
    dtype : {'float32', 'float64', 'int32'}, optional
        By default int32 if all of these are integers, else `floatx()`.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.arange(2, 9, 3).numpy()
    array([2, 5, 8], dtype=int32)
    """
    given = (0, start, step) if stop is None else (start, stop, step)
    first, end, by = (
        _known(name, 1 if value is None else value)
        for name, value in zip(("start", "stop", "step"), given)
    )
    if by == 0:
        raise ValueError("step: expected a number other than 0, got 0")
    if not all(map(math.isfinite, (first, end, by))):
        raise ValueError(f"start, stop, step: expected finite numbers, got {given}")
    count = (end - first) / by
    if count <= 0:
        return convert_to_tensor(np.arange(first, first, by), dtype)
    with memory_for("arange", (math.ceil(min(count, 1e18)),), "float64"):
        return convert_to_tensor(np.arange(first, end, by), dtype)


def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    """Numbers at equal distances from `start` to `stop`.

    Parameters
    ----------
    start, stop : number or tensors of shapes that broadcast
    num : int, default 50
        How many.
    endpoint : bool, default True
        Whether the last one is `stop`; otherwise one more would be.
    retstep : bool, default False
        Whether to return the distance, too.
    dtype : {'float32', 'float64', 'int32'}, default that of real operands, or `floatx()`
    axis : int, default 0
        The axis of the numbers, in front of those of the operands or among them.

    Returns
    -------
    Tensor, or (Tensor, Tensor) with `retstep`

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.linspace(0, 1, 5).numpy()
    array([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32)
    """
    num = check_size("num", _known("num", num))
    parts = num - flag("endpoint", endpoint)
    if dtype is not None and dtype_of(dtype) in REALS and not isinstance(start, Tensor):
        start = constant(start, dtype_of(dtype))
    start, stop = operands(start, stop)
    distance = divide(subtract(stop, start), float(parts) if parts > 0 else np.nan)
    share = np.arange(num) / max(parts, 1)
    share = constant(share.reshape(-1, *[1] * max(start.ndim, stop.ndim)), start.dtype)
    # Both ends are exact.
    y = add(multiply(start, subtract(1.0, share)), multiply(stop, share))
    y = moveaxis(y, 0, axis)
    if dtype is not None:
        y = cast(floor(y) if dtype_of(dtype) == "int32" else y, dtype)
    return (y, distance) if flag("retstep", retstep) else y


def full(shape, fill_value, dtype=None):
    """A tensor whose elements are all `fill_value`.

    Parameters
    ----------
    shape : int or tuple of int
    fill_value : number, or tensor of a shape that broadcasts to `shape`
    dtype : {'float32', 'float64', 'int32'}, default `floatx()`

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.full((2, 2), 7).numpy()
    array([[7., 7.],
           [7., 7.]], dtype=float32)
    """
    shape, dtype = check_shape("shape", shape), dtype if is_truth(dtype) else dtype_of(dtype)
    with memory_for("full", shape, dtype_of(dtype)):
        if isinstance(fill_value, Tensor) and dtype != "int32":
            return broadcast_to(cast(fill_value, dtype), shape)
        values = convert_to_tensor(fill_value, dtype)
        check_broadcast(values.shape, shape)
        return convert_to_tensor(np.broadcast_to(values.numpy(), shape), values.dtype)


def empty(shape, dtype=None):
    """A tensor of any values: zeros.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : {'float32', 'float64', 'int32'}, default `floatx()`

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.empty((2, 3)).shape
    (2, 3)
    """
    return filled("empty", shape, 0, dtype)


def tri(N, M=None, k=0, dtype=None):
    """A matrix of ones on and below a diagonal, zeros above.

    Parameters
    ----------
    N : int
        Rows.
    M : int, optional
        Columns; by default as many as rows.
    k : int, default 0
        The diagonal: above the main one if positive, below if negative.
    dtype : {'float32', 'float64', 'int32'}, default `floatx()`

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.tri(2, 3, k=1).numpy()
    array([[1., 1., 0.],
           [1., 1., 1.]], dtype=float32)
    """
    return _matrix(np.tri, N, M, k, dtype)


def eye(N, M=None, k=0, dtype=None):
    """A matrix of ones on a diagonal, zeros elsewhere.

    Parameters
    ----------
    N : int
        Rows.
    M : int, optional
        Columns; by default as many as rows.
    k : int, default 0
        The diagonal: above the main one if positive, below if negative.
    dtype : {'float32', 'float64', 'int32'}, default `floatx()`

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.eye(2, 3, k=1).numpy()
    array([[0., 1., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    return _matrix(np.eye, N, M, k, dtype)


def _matrix(function, rows, columns, k, dtype):
    columns = rows if columns is None else columns
    for name, n in ("N", rows), ("M", columns):
        if isinstance(n, float):
            raise TypeError(f"{name}: expected an integer, got {n!r}")
    shape = check_shape("N, M", (rows, columns))
    k = diagonal_number("k", k)
    with memory_for("matrix", shape, "float64"):
        dtype = config.floatx() if dtype is None or is_truth(dtype) else dtype
        return convert_to_tensor(function(*shape, k), dtype_of(dtype))


def diagonal_number(name, k):
    """The number of a diagonal."""
    k = _known(name, k)
    if isinstance(k, float):
        raise TypeError(f"{name}: expected an integer, got {k!r}")
    return max(-LARGEST_SIZE, min(int(k), LARGEST_SIZE))


def identity(n, dtype=None):
    """A square matrix of ones on the main diagonal, zeros elsewhere.

    Parameters
    ----------
    n : int
    dtype : {'float32', 'float64', 'int32'}, default `floatx()`

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.identity(2).numpy()
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    return eye(n, dtype=dtype)


def meshgrid(*x, indexing="xy"):
    """The coordinates of a grid: for each vector a tensor of the grid's shape.

    Parameters
    ----------
    *x : tensors
        The coordinates along each axis: vectors; others count as flattened.
    indexing : {'xy', 'ij'}, default 'xy'
        'ij': the axes of the grid are in the order of the vectors. 'xy': the first two are swapped.

    Returns
    -------
    list of Tensor

    Examples
    --------
    >>> from nnlite import ops
    >>> columns, rows = ops.meshgrid([1.0, 2.0, 3.0], [10.0, 20.0])
    >>> columns.numpy()
    array([[1., 2., 3.],
           [1., 2., 3.]], dtype=float32)
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"indexing: expected 'xy' or 'ij', got {indexing!r}")
    vectors = operands(*x)
    order = list(range(len(vectors)))
    if indexing == "xy":
        order[:2] = order[:2][::-1]
    along = [reshape(v, [-1 if d == axis else 1 for d in order]) for axis, v in enumerate(vectors)]
    shape = np.broadcast_shapes(*(v.shape for v in along))
    return [broadcast_to(v, shape) for v in along]
