"""Reductions along axes: sums, means, extremes and their positions.

The C kernels reduce the middle axis of (A, R, B). Other axes take several such calls.
"""

import math
from numbers import Integral

from nnlite.engine.dispatch import Op
from nnlite.engine.tensor import Tensor
from nnlite.ops.elementwise import (
    divide,
    equal,
    multiply,
    negative,
    not_equal,
    sign,
    sqrt,
    square,
    subtract,
)
from nnlite.ops.operands import axes_of, call, flag, operands
from nnlite.ops.shape import broadcast_to, moveaxis, reshape


def _infer_reduce(x, before, reduced, after):
    return [(before, after)]


def _sum_gradient(c, dy, need):
    (x,) = c.inputs
    a, r, b = (c.attrs[k] for k in ("before", "reduced", "after"))
    return [reshape(broadcast_to(reshape(dy, (a, 1, b)), (a, r, b)), x.shape)]


def _max_gradient(c, dy, need):
    (x,), (y,) = c.inputs, c.outputs
    a, r, b = (c.attrs[k] for k in ("before", "reduced", "after"))
    maxima = equal(reshape(x, (a, r, b)), reshape(y, (a, 1, b)))
    shared = divide(maxima, sum(maxima, axis=1, keepdims=True))
    return [reshape(multiply(shared, reshape(dy, (a, 1, b))), x.shape)]


_ATTRS = {"before": int, "reduced": int, "after": int}
Op("reduce_sum", infer=_infer_reduce, gradient=_sum_gradient, attrs=_ATTRS)
Op("reduce_max", infer=_infer_reduce, gradient=_max_gradient, attrs=_ATTRS)
Op("argmax", infer=_infer_reduce, gradient="none", attrs=_ATTRS, outputs=("int32",))


def _axes(axis, shape):
    """The axes to reduce, in ascending order, from None (all), an int or a tuple."""
    return list(range(len(shape))) if axis is None else axes_of(axis, shape)


def _reduce(op, x, axis, keepdims):
    shape, keepdims = x.shape, flag("keepdims", keepdims)
    axes = _axes(axis, shape)
    while axes:
        # One call reduces the last group of adjacent axes.
        last = first = axes.pop()
        while axes and axes[-1] == first - 1:
            first = axes.pop()
        a, r, b = (
            math.prod(shape[:first]),
            math.prod(shape[first : last + 1]),
            math.prod(shape[last + 1 :]),
        )
        if r == 0 and op != "reduce_sum":
            raise ValueError(
                f"{op}: expected at least one element along axis {axis}, got shape {x.shape}"
            )
        x = call(op, [x], before=a, reduced=r, after=b)
        shape = (*shape[:first], *(1,) * (last + 1 - first), *shape[last + 1 :])
    return reshape(x, shape if keepdims else _without(shape, axis))


def _without(shape, axis):
    """A shape without the axes that are reduced."""
    reduced = _axes(axis, shape)
    return tuple([n for d, n in enumerate(shape) if d not in reduced])


def in_front(x, axis, keepdims):
    """A tensor whose axes that are to be reduced are one, the first; and the shape of what a
    reduction of that one axis gives.

    Parameters
    ----------
    x : Tensor
    axis : int, tuple of int or None
        As of `sum`.
    keepdims : bool
    """
    axes, kept = _axes(axis, x.shape), _without(x.shape, axis)
    shape = tuple([1 if d in axes else n for d, n in enumerate(x.shape)]) if keepdims else kept
    x = moveaxis(x, axes, list(range(len(axes))))
    return reshape(x, (math.prod(x.shape[: len(axes)]), *kept)), shape


def squeezed(x, axis):
    """A tensor without axes that were reduced to size 1.

    Parameters
    ----------
    x : Tensor
    axis : int, tuple of int or None
        As of `sum`.
    """
    return reshape(x, _without(x.shape, axis))


def sum(x, axis=None, keepdims=False):
    """The sum over axes, added in an order that depends only on the shape.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        By default all axes.
    keepdims : bool, default False
        Whether the reduced axes remain with size 1.
    """
    return _reduce("reduce_sum", operands(x)[0], axis, keepdims)


def mean(x, axis=None, keepdims=False):
    """The mean over axes; NaN of no elements.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        By default all axes.
    keepdims : bool, default False
        Whether the reduced axes remain with size 1.
    """
    (x,) = operands(x)
    count = math.prod([x.shape[a] for a in _axes(axis, x.shape)])
    return divide(sum(x, axis, keepdims), float(count))


def var(x, axis=None, keepdims=False):
    """The biased variance over axes.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        By default all axes.
    keepdims : bool, default False
        Whether the reduced axes remain with size 1.
    """
    (x,) = operands(x)
    return mean(square(subtract(x, mean(x, axis, keepdims=True))), axis, keepdims)


def std(x, axis=None, keepdims=False):
    """The standard deviation over axes, the square root of `var`.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        By default all axes.
    keepdims : bool, default False
        Whether the reduced axes remain with size 1.
    """
    return sqrt(var(x, axis, keepdims))


def max(x, axis=None, keepdims=False):
    """The maximum over axes; NaN if there is one. Equal maxima share the gradient.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        By default all axes.
    keepdims : bool, default False
        Whether the reduced axes remain with size 1.
    """
    return _reduce("reduce_max", operands(x)[0], axis, keepdims)


def min(x, axis=None, keepdims=False):
    """The minimum over axes; NaN if there is one. Equal minima share the gradient.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        By default all axes.
    keepdims : bool, default False
        Whether the reduced axes remain with size 1.
    """
    return negative(max(negative(x), axis, keepdims))


def argmax(x, axis=None, keepdims=False):
    """The index of the first maximum along an axis, int32.

    Parameters
    ----------
    x : tensor
    axis : int, optional
        By default the index is that of the flattened tensor.
    keepdims : bool, default False
        Whether the reduced axes remain with size 1.
    """
    if axis is not None and not isinstance(axis, Integral):
        raise TypeError(f"argmax: axis: expected an integer or None, got {axis!r}")
    return _reduce("argmax", operands(x)[0], axis, keepdims)


def argmin(x, axis=None, keepdims=False):
    """The index of the first minimum along an axis, int32.

    Parameters
    ----------
    x : tensor
    axis : int, optional
        By default the index is that of the flattened tensor.
    keepdims : bool, default False
        Whether the reduced axes remain with size 1.
    """
    return argmax(negative(x), axis, keepdims)


def any(x, axis=None, keepdims=False):
    """1 if any element over axes is not 0, else 0.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        By default all axes.
    keepdims : bool, default False
        Whether the reduced axes remain with size 1.
    """
    return max(not_equal(x, 0.0), axis, keepdims)


def all(x, axis=None, keepdims=False):
    """1 if no element over axes is 0, else 0.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        By default all axes.
    keepdims : bool, default False
        Whether the reduced axes remain with size 1.
    """
    return min(not_equal(x, 0.0), axis, keepdims)


Op(
    "sum_squares",
    infer=lambda x: [()],
    gradient=lambda c, dy, need: [multiply(c.inputs[0], multiply(dy, 2.0))],
)


def _sum_abs_gradient(c, dy, need):
    return [multiply(sign(c.inputs[0]), dy)]


Op("sum_abs", infer=lambda x: [()], gradient=_sum_abs_gradient)


def sum_squares(x):
    """The sum of x * x over all elements, of shape ().

    Parameters
    ----------
    x : tensor
    """
    return call("sum_squares", operands(x))


def sum_abs(x):
    """The sum of |x| over all elements, of shape ().

    Parameters
    ----------
    x : tensor
    """
    return call("sum_abs", operands(x))


def sum_to(x: Tensor, shape):
    """`x` summed to `shape`, which broadcasts to the shape of x."""
    if x.shape == tuple(shape):
        return x
    extra = x.ndim - len(shape)
    axes = [
        *range(extra),
        *(d + extra for d, n in enumerate(shape) if n == 1 and x.shape[d + extra] != 1),
    ]
    return reshape(sum(x, tuple(axes)) if axes else x, tuple(shape))
