"""Diagonals and triangles of matrices."""

from nnlite.engine.tensor import convert_to_tensor
from nnlite.ops.creation import diagonal_number, eye, tri
from nnlite.ops.elementwise import where
from nnlite.ops.operands import axis_of, operands
from nnlite.ops.reduce import sum
from nnlite.ops.shape import moveaxis, reshape, zeros
from nnlite.ops.slicing import concatenate, expand_dims


def diag(x, k=0):
    """The matrix with a vector on a diagonal, or the diagonal of a matrix.

    Parameters
    ----------
    x : tensor, shape (n,) or (rows, columns)
    k : int, default 0
        The diagonal: above the main one if positive, below if negative.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.diag([1.0, 2.0]).numpy()
    array([[1., 0.],
           [0., 2.]], dtype=float32)
    """
    (x,), k = operands(x), diagonal_number("k", k)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ValueError(f"x: expected a vector or a matrix, got shape {x.shape}")
    x = concatenate([x, zeros(abs(k), x.dtype)])  # row i of the matrix, or column i, holds x[i]
    return where(eye(x.shape[0], k=k), expand_dims(x, 1 if k >= 0 else 0), 0.0)


def diagonal(x, offset=0, axis1=0, axis2=1):
    """A diagonal of the matrices along two axes, as the last axis of the result.

    Parameters
    ----------
    x : tensor of at least 2 axes
    offset : int, default 0
        The diagonal: above the main one if positive, below if negative.
    axis1, axis2 : int, default 0 and 1
        The axes of the rows and of the columns.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.diagonal([[1.0, 2.0], [3.0, 4.0]]).numpy()
    array([1., 4.], dtype=float32)
    """
    (x,), k = operands(x), diagonal_number("offset", offset)
    if x.ndim < 2:
        raise ValueError(f"x: expected at least 2 axes, got shape {x.shape}")
    axis1, axis2 = axis_of(axis1, x.shape), axis_of(axis2, x.shape)
    if axis1 == axis2:
        raise ValueError(f"axis1, axis2: expected two axes, got {axis1} twice")
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    *leading, rows, columns = x.shape
    count = max(0, min(rows + min(k, 0), columns - max(k, 0)))
    first = max(k, 0) + max(-k, 0) * columns
    end = first + (count - 1) * (columns + 1) + 1 if count else first
    return reshape(x, (*leading, rows * columns))[..., first : end : columns + 1]


def trace(x, offset=0, axis1=0, axis2=1):
    """The sum of a diagonal of the matrices along two axes.

    Parameters
    ----------
    x : tensor of at least 2 axes
    offset : int, default 0
        The diagonal: above the main one if positive, below if negative.
    axis1, axis2 : int, default 0 and 1
        The axes of the rows and of the columns.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.trace([[1.0, 2.0], [3.0, 4.0]]).item()
    5.0
    """
    return sum(diagonal(x, offset, axis1, axis2), axis=-1)


def tril(x, k=0):
    """The lower triangles of matrices; zeros above.

    Parameters
    ----------
    x : tensor, shape (..., rows, columns)
    k : int, default 0
        The last diagonal that is kept: above the main one if positive, below if negative.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.tril([[1.0, 2.0], [3.0, 4.0]]).numpy()
    array([[1., 0.],
           [3., 4.]], dtype=float32)
    """
    return _triangle(x, k, lower=True)


def triu(x, k=0):
    """The upper triangles of matrices; zeros below.

    Parameters
    ----------
    x : tensor, shape (..., rows, columns)
    k : int, default 0
        The first diagonal that is kept: above the main one if positive, below if negative.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.triu([[1.0, 2.0], [3.0, 4.0]]).numpy()
    array([[1., 2.],
           [0., 4.]], dtype=float32)
    """
    return _triangle(x, k, lower=False)


def _triangle(x, k, lower):
    x = convert_to_tensor(x)
    if not x.shape:
        raise ValueError("x: expected at least one axis, got shape ()")
    rows, columns = (*x.shape, *x.shape)[-2:] if x.ndim == 1 else x.shape[-2:]
    below = tri(rows, columns, diagonal_number("k", k) - (not lower))
    return where(below, x, 0.0) if lower else where(below, 0.0, x)
