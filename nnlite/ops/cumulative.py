"""Running sums, products and other combinations along an axis."""

import math

from nnlite.engine.dispatch import Op
from nnlite.ops.elementwise import multiply
from nnlite.ops.operands import axis_of, call, cast, flag, operands
from nnlite.ops.reduce import in_front
from nnlite.ops.shape import ones, reshape
from nnlite.ops.slicing import concatenate


def _cumsum_gradient(c, dy, need):
    return [call("cumsum", [dy], **{**c.attrs, "reverse": 1 - c.attrs["reverse"]})]


Op(
    "cumsum",
    infer=lambda x, **_: [x],
    attrs={"before": int, "reduced": int, "after": int, "reverse": int},
    gradient=_cumsum_gradient,
    in_place=(0,),
)


def _along(x, axis):
    """A real tensor, flat if `axis` is None, and the axis."""
    (x,) = operands(x)
    return (reshape(x, (-1,)), 0) if axis is None else (x, axis_of(axis, x.shape))


def cumsum(x, axis=None, dtype=None):
    """The sum of each element and of those before it along an axis.

    Parameters
    ----------
    x : tensor
    axis : int, optional
        By default `x` counts as flattened.
    dtype : {'float32', 'float64', 'int32'}, optional
        Of the result; by default real numbers.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.cumsum([[1.0, 2.0], [3.0, 4.0]], axis=0).numpy()
    array([[1., 2.],
           [4., 6.]], dtype=float32)
    """
    x, axis = _along(x, axis)
    before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    y = call("cumsum", [x], before=before, reduced=x.shape[axis], after=after, reverse=0)
    return y if dtype is None else cast(y, dtype)


def cumprod(x, axis=None, dtype=None):
    """The product of each element and of those before it along an axis.

    Parameters
    ----------
    x : tensor
    axis : int, optional
        By default `x` counts as flattened.
    dtype : {'float32', 'float64', 'int32'}, optional
        Of the result; by default real numbers.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.cumprod([1.0, 2.0, 3.0]).numpy()
    array([1., 2., 6.], dtype=float32)
    """
    x, axis = _along(x, axis)
    (y,) = running(lambda earlier, later: [multiply(earlier[0], later[0])], [x], axis)
    return y if dtype is None else cast(y, dtype)


def prod(x, axis=None, keepdims=False, dtype=None):
    """The product over axes; 1 of no elements.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        By default all axes.
    keepdims : bool, default False
        Whether the reduced axes remain with size 1.
    dtype : {'float32', 'float64', 'int32'}, optional
        Of the result; by default real numbers.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.prod([[1.0, 2.0], [3.0, 4.0]], axis=0).numpy()
    array([3., 8.], dtype=float32)
    """
    (x,), keepdims = operands(x), flag("keepdims", keepdims)
    y, shape = in_front(x, axis, keepdims)
    n = y.shape[0]
    while n > 1:  # the second half onto the first
        half = n // 2
        both = multiply(y[:half], y[half : 2 * half])
        y = concatenate([both, y[2 * half :]], 0) if n % 2 else both
        n -= half
    y = reshape(y, shape) if n else ones(shape, x.dtype)
    return y if dtype is None else cast(y, dtype)


def running(combine, tensors, axis):
    """The combinations of all entries up to each one along an axis, in about log2(n) steps.

    Step k joins what ends 2^k entries before (W. D. Hillis, G. L. Steele: "Data parallel
    algorithms", Comm. ACM 29, 1986).

    Parameters
    ----------
    combine : function
        Takes two lists of tensors, of earlier and of later entries, and returns such a list. It
        must be associative.
    tensors : list of tensor
        With axes of one length.
    axis : int
        From the front.
    """
    front = (slice(None),) * axis
    n, step = tensors[0].shape[axis], 1
    while step < n:
        earlier = [x[(*front, slice(0, n - step))] for x in tensors]
        later = combine(earlier, [x[(*front, slice(step, n))] for x in tensors])
        tensors = [
            concatenate([x[(*front, slice(0, step))], y], axis) for x, y in zip(tensors, later)
        ]
        step *= 2
    return tensors
