"""Products of vectors, matrices and tensors, made of `matmul`."""

import math

from nnlite.ops.elementwise import multiply, subtract
from nnlite.ops.linear import matmul
from nnlite.ops.operands import axis_of, integer, operands
from nnlite.ops.shape import moveaxis, reshape
from nnlite.ops.slicing import stack


def tensordot(x1, x2, axes=2):
    """The sum of products over axes of two tensors.

    Parameters
    ----------
    x1, x2 : tensor
    axes : int, or (axes of x1, axes of x2), default 2
        A number n means the last n axes of x1 and the first n axes of x2. Otherwise the axes of
        each, an int or several, in pairs of one size.

    Returns
    -------
    Tensor
        With the other axes of x1, then those of x2.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.tensordot(ops.ones((2, 3, 4)), ops.ones((4, 3, 5)), axes=([1, 2], [1, 0])).shape
    (2, 5)
    """
    x1, x2 = operands(x1, x2)
    if isinstance(axes, (tuple, list)):
        if len(axes) != 2:
            raise ValueError(f"axes: expected those of x1 and those of x2, got {axes!r}")
        first, second = (list(a) if isinstance(a, (tuple, list)) else [a] for a in axes)
    else:
        axes = integer("axes", axes)
        if not 0 <= axes <= min(x1.ndim, x2.ndim):
            raise ValueError(
                f"axes: expected a number of axes that both have, got {axes!r} for shapes "
                f"{x1.shape} and {x2.shape}"
            )
        first, second = list(range(x1.ndim - axes, x1.ndim)), list(range(axes))
    first, second = [axis_of(a, x1.shape) for a in first], [axis_of(a, x2.shape) for a in second]
    if [x1.shape[a] for a in first] != [x2.shape[a] for a in second]:
        raise ValueError(
            f"axes: expected pairs of one size, got axes {first} of {x1.shape} and {second} of "
            f"{x2.shape}"
        )
    ended = len(first)
    x1 = moveaxis(x1, first, list(range(x1.ndim - ended, x1.ndim)))
    x2 = moveaxis(x2, second, list(range(ended)))
    rows, columns = x1.shape[: x1.ndim - ended], x2.shape[ended:]
    k = math.prod(x2.shape[:ended])
    y = matmul(reshape(x1, (math.prod(rows), k)), reshape(x2, (k, math.prod(columns))))
    return reshape(y, (*rows, *columns))


def dot(x1, x2):
    """The product of two tensors as NumPy's `dot`: over the last axis of x1 and the last but one
    of x2, or its only one.

    Parameters
    ----------
    x1, x2 : tensor
        A single number multiplies the other.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.dot([1.0, 2.0], [3.0, 4.0]).item()
    11.0
    """
    x1, x2 = operands(x1, x2)
    if not x1.ndim or not x2.ndim:
        return multiply(x1, x2)
    return tensordot(x1, x2, [[-1], [-2 if x2.ndim > 1 else -1]])


def inner(x1, x2):
    """The sums of products over the last axes of both.

    Parameters
    ----------
    x1, x2 : tensors with last axes of one size
        A single number multiplies the other.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.inner(ops.ones((2, 3)), ops.ones((4, 3))).shape
    (2, 4)
    """
    x1, x2 = operands(x1, x2)
    if not x1.ndim or not x2.ndim:
        return multiply(x1, x2)
    return tensordot(x1, x2, [[-1], [-1]])


def vdot(x1, x2):
    """The sum of the products of all elements, of shape ().

    Parameters
    ----------
    x1, x2 : tensors of as many elements

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.vdot([[1.0, 2.0]], [[3.0], [4.0]]).item()
    11.0
    """
    x1, x2 = operands(x1, x2)
    return tensordot(reshape(x1, (-1,)), reshape(x2, (-1,)), 1)


def outer(x1, x2):
    """The product of each element of x1 with each of x2, as a matrix.

    Parameters
    ----------
    x1, x2 : tensors
        They count as flattened.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.outer([1.0, 2.0], [1.0, 10.0]).numpy()
    array([[ 1., 10.],
           [ 2., 20.]], dtype=float32)
    """
    x1, x2 = operands(x1, x2)
    return multiply(reshape(x1, (-1, 1)), reshape(x2, (1, -1)))


def kron(x1, x2):
    """The Kronecker product: x2 in place of each element of x1, multiplied by it.

    Parameters
    ----------
    x1, x2 : tensors
        The one of fewer axes gets axes of size 1 in front.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.kron([1.0, 2.0], [1.0, 10.0]).numpy()
    array([ 1., 10.,  2., 20.], dtype=float32)
    """
    x1, x2 = operands(x1, x2)
    ndim = max(x1.ndim, x2.ndim)
    a, b = ((*[1] * (ndim - x.ndim), *x.shape) for x in (x1, x2))
    y = outer(x1, x2)
    # One axis after the other, as C has a limit of axes: (a, rest of a, b, rest of b).
    done = ()
    for n, m in zip(a, b):
        rest_a, rest_b = y.shape[-2] // max(n, 1), y.shape[-1] // max(m, 1)
        y = reshape(y, (math.prod(done), n, rest_a, m, rest_b))
        y = moveaxis(y, 3, 2)
        done = (*done, n * m)
        y = reshape(y, (math.prod(done), rest_a, rest_b))
    return reshape(y, done)


def cross(x1, x2, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """The cross product of vectors of 3 components, or 2.

    Parameters
    ----------
    x1, x2 : tensors
        The other axes broadcast. A third component that is missing counts as 0.
    axisa, axisb : int, default -1
        The axes of the components of x1 and of x2.
    axisc : int, default -1
        That of the result. Of two components each, the result is the third one alone.
    axis : int, optional
        In place of all three.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]).numpy()
    array([0., 0., 1.], dtype=float32)
    """
    x1, x2 = operands(x1, x2)
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = (moveaxis(x, axis_of(d, x.shape), -1) for x, d in ((x1, axisa), (x2, axisb)))
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        raise ValueError(f"expected vectors of 2 or 3 components, got {a.shape} and {b.shape}")
    third = subtract(multiply(a[..., 0], b[..., 1]), multiply(a[..., 1], b[..., 0]))
    if a.shape[-1] == b.shape[-1] == 2:
        return third
    a2, b2 = (x[..., 2] if x.shape[-1] == 3 else 0.0 for x in (a, b))
    first = subtract(multiply(a[..., 1], b2), multiply(a2, b[..., 1]))
    second = subtract(multiply(a2, b[..., 0]), multiply(a[..., 0], b2))
    return moveaxis(stack([first, second, third], -1), -1, axisc)
