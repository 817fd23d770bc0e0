"""Tensors whose axes are moved, and whose entries are repeated or moved along axes."""

import math

import numpy as np

from nnlite.checks import check_choice, check_shape
from nnlite.engine.lengths import agree
from nnlite.engine.tensor import Tensor, convert_to_tensor
from nnlite.ops.operands import axis_of, integer, number, operands
from nnlite.ops.rows import take
from nnlite.ops.shape import broadcast_to, filled, reshape, transpose
from nnlite.ops.slicing import concatenate, several


def swapaxes(x, axis1, axis2):
    """`x` with two axes exchanged.

    Parameters
    ----------
    x : tensor
    axis1, axis2 : int

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.swapaxes(ops.ones((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    (x,) = operands(x)
    axis1, axis2 = axis_of(axis1, x.shape), axis_of(axis2, x.shape)
    order = list(range(x.ndim))
    order[axis1], order[axis2] = axis2, axis1
    return transpose(x, order)


def ravel(x):
    """All elements along one axis.

    Parameters
    ----------
    x : tensor

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.ravel(ops.ones((2, 3))).shape
    (6,)
    """
    return reshape(x, (-1,))


def roll(x, shift, axis=None):
    """`x` with its entries moved along axes; those that leave at the end come in at the beginning.

    Parameters
    ----------
    x : tensor
    shift : int or tuple of int
        By how many places; negative: towards the beginning.
    axis : int or tuple of int, optional
        By default `x` counts as flattened, and has its own shape afterwards.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.roll([1.0, 2.0, 3.0], 1).numpy()
    array([3., 1., 2.], dtype=float32)
    """
    (x,) = operands(x)
    shifts = [integer("shift", s) for s in (shift if _is_list(shift) else [shift])]
    if axis is None:
        return reshape(roll(reshape(x, (-1,)), sum(shifts), 0), x.shape)
    axes = [axis_of(a, x.shape) for a in (axis if _is_list(axis) else [axis])]
    if len(shifts) == 1:
        shifts *= len(axes)
    if len(axes) == 1:
        axes *= len(shifts)
    if len(shifts) != len(axes):
        raise ValueError(f"shift: expected one for each of {len(axes)} axes, got {shift!r}")
    for by, d in zip(shifts, axes):
        n = x.shape[d]
        cut = -by % n if n else 0
        if cut:
            before = (slice(None),) * d
            x = concatenate([x[(*before, slice(cut, n))], x[(*before, slice(0, cut))]], d)
    return x


def _is_list(value):
    return isinstance(value, (tuple, list))


def tile(x, repeats):
    """`x` beside itself along axes.

    Parameters
    ----------
    x : tensor
    repeats : int or sequence of int
        How many times along each of the last axes; `x` gets new axes in front if it has fewer.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.tile([1.0, 2.0], (2, 2)).numpy()
    array([[1., 2., 1., 2.],
           [1., 2., 1., 2.]], dtype=float32)
    """
    (x,), repeats = operands(x), check_shape("repeats", repeats)
    ndim = max(x.ndim, len(repeats))
    shape = (*[1] * (ndim - x.ndim), *x.shape)
    repeats = (*[1] * (ndim - len(repeats)), *repeats)
    for d, count in enumerate(repeats):  # one axis after the other: C has a limit of axes
        if count != 1:
            a, n, b = math.prod(shape[:d]), shape[d], math.prod(shape[d + 1 :])
            x = broadcast_to(reshape(x, (a, 1, n * b)), (a, count, n * b))
            shape = (*shape[:d], count * n, *shape[d + 1 :])
    return reshape(x, shape)


def repeat(x, repeats, axis=None):
    """`x` with each entry along an axis several times in a row.

    Parameters
    ----------
    x : tensor
    repeats : int or sequence of int
        How many times, for all entries or for each.
    axis : int, optional
        By default `x` counts as flattened.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.repeat([1.0, 2.0], 2).numpy()
    array([1., 1., 2., 2.], dtype=float32)
    """
    (x,) = operands(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    axis = axis_of(axis, x.shape)
    given = isinstance(repeats, (np.ndarray, Tensor))
    counts = check_shape("repeats", np.ravel(repeats).tolist() if given else repeats)
    if len(counts) not in (1, x.shape[axis]):
        raise ValueError(
            f"repeats: expected one number, or {x.shape[axis]} for axis {axis} of shape {x.shape}, "
            f"got {len(counts)}"
        )
    return take(x, np.repeat(np.arange(x.shape[axis]), counts), axis)


def pad(x, pad_width, mode="constant", constant_values=None):
    """`x` with further entries before and behind, along axes.

    Parameters
    ----------
    x : tensor
    pad_width : int, (int, int), or a sequence of (int, int)
        How many before and behind: for all axes, or for each.
    mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}, default 'constant'
        What they are, as in `numpy.pad`.
    constant_values : float, default 0.0
        For 'constant' only.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.pad([1.0, 2.0, 3.0], (1, 2), mode="reflect").numpy()
    array([2., 1., 2., 3., 2., 1.], dtype=float32)
    """
    check_choice("mode", mode, ("constant", "edge", "reflect", "symmetric", "wrap"))
    (x,) = operands(x)
    if constant_values is not None and mode != "constant":
        raise ValueError(f"constant_values: expected None for mode={mode!r}, got a value")
    value = number("constant_values", 0.0 if constant_values is None else constant_values)
    pairs = list(pad_width) if _is_list(pad_width) else [pad_width]
    pairs = [pairs] if len(pairs) == 2 and not any(map(_is_list, pairs)) else pairs
    pairs = [check_shape("pad_width", pair) for pair in pairs]
    pairs = [pair * 2 if len(pair) == 1 else pair for pair in pairs]
    pairs = pairs * x.ndim if len(pairs) == 1 else pairs
    if len(pairs) != x.ndim or any(len(pair) != 2 for pair in pairs):
        raise ValueError(
            f"pad_width: expected (before, behind), or one for each axis of shape {x.shape}, got "
            f"{pad_width!r}"
        )
    for axis, pair in enumerate(pairs):
        if any(pair):
            x = _padded(x, axis, pair, mode, value)
    return x


def _padded(x, axis, pair, mode, value):
    n = x.shape[axis]
    if mode != "constant":
        if not n:
            raise ValueError(f"x: expected entries along axis {axis}, got shape {x.shape}")
        return take(x, np.pad(np.arange(n), pair, mode), axis)
    parts = [
        filled("pad", (*x.shape[:axis], count, *x.shape[axis + 1 :]), value, x.dtype)
        for count in pair
    ]
    return concatenate([parts[0], x, parts[1]], axis)


def unstack(x, num=None, axis=0):
    """The list of the entries of a tensor along an axis, each without it.

    Parameters
    ----------
    x : tensor
    num : int, optional
        The length of the axis, which is known.
    axis : int, default 0

    Examples
    --------
    >>> from nnlite import ops
    >>> [part.shape for part in ops.unstack(ops.ones((2, 3)))]
    [(3,), (3,)]
    """
    x = convert_to_tensor(x)
    axis = axis_of(axis, x.shape)
    n = x.shape[axis]
    num = None if num is None else integer("num", num)
    if num is not None and not agree(n, num):
        raise ValueError(f"num: expected {n}, the length of axis {axis} of {x.shape}, got {num!r}")
    return [x[(*[slice(None)] * axis, k)] for k in range(n if num is None else num)]


def hstack(xs):
    """Join tensors along their second axis; vectors along their only one.

    Parameters
    ----------
    xs : list of tensor

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.hstack([ops.ones((2, 3)), ops.ones((2, 1))]).shape
    (2, 4)
    """
    xs = [x if x.ndim else reshape(x, (1,)) for x in operands(*several(xs, "hstack"))]
    return concatenate(xs, 0 if xs[0].ndim == 1 else 1)


def vstack(xs):
    """Join tensors along their first axis; vectors are rows.

    Parameters
    ----------
    xs : list of tensor

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.vstack([[1.0, 2.0], [3.0, 4.0]]).shape
    (2, 2)
    """
    xs = operands(*several(xs, "vstack"))
    return concatenate([reshape(x, (1, -1)) if x.ndim < 2 else x for x in xs], 0)
