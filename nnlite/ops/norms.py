"""Norms of vectors and matrices, and tensors that are divided by them."""

import numpy as np

from nnlite import config
from nnlite.checks import check_number, is_number
from nnlite.engine.dispatch import Op
from nnlite.ops.elementwise import (
    abs,
    divide,
    maximum,
    multiply,
    not_equal,
    power,
    rsqrt,
    sqrt,
    square,
)
from nnlite.ops.linear import matmul
from nnlite.ops.operands import axis_of, call, flag, operands
from nnlite.ops.reduce import max, min, squeezed, sum
from nnlite.ops.shape import moveaxis, reshape
from nnlite.ops.slicing import expand_dims

_OF_SINGULAR_VALUES = {2: max, -2: min, "nuc": sum}


def norm(x, ord=None, axis=None, keepdims=False):
    """The norm of vectors, or of matrices.

    Parameters
    ----------
    x : tensor
    ord : number, infinity, 'fro' or 'nuc', optional
        Which norm, as in `numpy.linalg.norm`; by default the root of the sum of squares. The
        matrix norms 2, -2 and 'nuc' need values: there is none in a trace, and their second
        derivatives are an error.
    axis : int or (int, int), optional
        The axis of the vectors, or those of the matrices. By default all elements are one vector;
        with `ord` x is one vector or one matrix.
    keepdims : bool, default False
        Whether these axes remain with size 1.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.norm([3.0, 4.0]).item()
    5.0
    >>> ops.norm([[1.0, -2.0], [3.0, 4.0]], ord=1).item()
    6.0
    """
    (x,), keepdims = operands(x), flag("keepdims", keepdims)
    if not (ord is None or isinstance(ord, str) or is_number(ord)):
        raise TypeError(f"ord: expected a number, 'fro' or 'nuc', got {ord!r}")
    if axis is None:
        if ord is None:
            return _kept(sqrt(sum(square(x), keepdims=True)), None, keepdims)
        if x.ndim not in (1, 2):
            raise ValueError(f"axis: expected one or two of the axes of {x.shape}, got None")
        axis = tuple(range(x.ndim))
    axes = tuple(axis_of(a, x.shape) for a in (axis if isinstance(axis, (tuple, list)) else [axis]))
    if len(axes) not in (1, 2) or len({*axes}) < len(axes):
        raise ValueError(f"axis: expected an axis, or two of them, got {axis!r}")
    found = _of_vectors(x, ord, axes[0]) if len(axes) == 1 else _of_matrices(x, ord, axes)
    return _kept(found, axes, keepdims)


def _kept(found, axes, keepdims):
    return found if keepdims else squeezed(found, axes)


def _of_vectors(x, ord, axis):
    """Norms along an axis, which remains with size 1."""
    if ord in (None, 2):
        return sqrt(sum(square(x), axis, keepdims=True))
    if isinstance(ord, str):
        raise ValueError(f"ord: expected a number for vectors, got {ord!r}")
    if ord in (np.inf, -np.inf):
        return (max if ord > 0 else min)(abs(x), axis, keepdims=True)
    if ord == 0:
        return sum(not_equal(x, 0.0), axis, keepdims=True)
    if ord == 1:
        return sum(abs(x), axis, keepdims=True)
    return power(sum(power(abs(x), float(ord)), axis, keepdims=True), 1.0 / ord)


def _of_matrices(x, ord, axes):
    """Norms of the matrices along two axes, which remain with size 1."""
    rows, columns = axes
    if ord in (None, "fro"):
        return sqrt(sum(square(x), axes, keepdims=True))
    if ord in (1, -1, np.inf, -np.inf):
        ended, rest = (rows, columns) if ord in (1, -1) else (columns, rows)
        sums = sum(abs(x), ended, keepdims=True)
        return (max if ord > 0 else min)(sums, rest, keepdims=True)
    if ord not in _OF_SINGULAR_VALUES:
        raise ValueError(f"ord: expected 'fro', 'nuc', 1, 2, inf, -1, -2 or -inf, got {ord!r}")
    found = _OF_SINGULAR_VALUES[ord](_singular_values(moveaxis(x, axes, (-2, -1))), axis=-1)
    for axis in sorted(axes):
        found = expand_dims(found, axis)
    return found


Op(
    "first_order",
    infer=lambda x: [x],
    view=True,
    gradient=lambda c, dy, need: [call("first_order_gradient", [dy, c.inputs[0]])],
)
Op("first_order_gradient", infer=lambda dy, x: [dy], view=True)


def _singular_values(x):
    """The singular values of matrices, shape (..., k).

    Each is u' x v for its vectors u and v. They count as constants: their changes do not matter in
    first order. In second order they would: `first_order` makes that an error.
    """
    u, _, v = np.linalg.svd(x.numpy().astype(np.float64), full_matrices=False)
    x = call("first_order", [x])
    return sum(multiply(u, matmul(x, np.swapaxes(v, -1, -2))), axis=-2)


def normalize(x, axis=-1, order=2, epsilon=None):
    """`x`, divided by its norms along an axis.

    Parameters
    ----------
    x : tensor
    axis : int, default -1
    order : int in [1, inf), or infinity, default 2
        Which norm.
    epsilon : float, default `epsilon()`
        Norms below it count as it.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.normalize([[3.0, 4.0]]).numpy()
    array([[0.6, 0.8]], dtype=float32)
    """
    (x,) = operands(x)
    epsilon = config.epsilon() if epsilon is None else epsilon
    check_number("epsilon", epsilon, "[0, inf)")
    if not is_number(order, "[1, inf]") or (order != np.inf and order % 1):
        raise ValueError(f"order: expected a whole number from 1 on, or infinity, got {order!r}")
    if not x.shape:
        return reshape(normalize(reshape(x, (1,)), 0, order, epsilon), ())
    if order == 2:
        squares = sum(square(x), axis, keepdims=True)
        return multiply(x, rsqrt(maximum(squares, float(epsilon) ** 2)))
    return divide(x, maximum(norm(x, order, axis, keepdims=True), float(epsilon)))
