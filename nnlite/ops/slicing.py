"""Slices of tensors (`x[1:, 0]`), and ops that concatenate, stack, split and flip them."""

import itertools
import numbers

import numpy as np

from nnlite.engine.dispatch import MAX_NDIM, Op
from nnlite.engine.tensor import Tensor, as_numbers
from nnlite.errors import prefixed
from nnlite.ops.elementwise import add
from nnlite.ops.operands import axes_of, axis_of, call, operands
from nnlite.ops.rows import take
from nnlite.ops.shape import reshape, zeros

_BEGINS = tuple(f"begin_{d}" for d in range(MAX_NDIM))
_STEPS = tuple(f"step_{d}" for d in range(MAX_NDIM))
_MAX_INPUTS = 8  # of one concatenate in C


def _slice_gradient(c, dy, need):
    shape, part = c.inputs[0].shape, c.outputs[0].shape
    dx = call("slice_gradient", [dy], **{**c.attrs, "shape": shape})
    if len(shape) == 3 and part == (shape[0], 1, shape[2]):  # other rules may use `dy` alone
        dx.of_step = c.attrs["begin_1"], dy
    cut = [d for d, (n, m) in enumerate(zip(shape, part)) if n != m]
    if len(cut) == 1 and c.attrs[_STEPS[cut[0]]] == 1:
        dx.of_part = cut[0], c.attrs[_BEGINS[cut[0]]], dy
    return [dx]


def sum_of_gradients(found):
    """The sum of the gradients of one tensor.

    Where several are of parts, those of one axis are joined: each entry is written once, however
    many parts there are.

    Parameters
    ----------
    found : list of Tensor
    """
    parts, rest = {}, []
    for dx in found:
        if dx.of_part is None or len(found) == 1:
            rest.append(dx)
        else:
            parts.setdefault(dx.of_part[0], []).append(dx)
    for axis, some in parts.items():
        rest += _joined(axis, some)
    total = rest[0]
    for dx in rest[1:]:
        total = add(total, dx)
    return total


def _joined(axis, gradients):
    """One gradient of those of parts along an axis; the same, if parts overlap."""
    ordered = sorted((dx.of_part[1:] for dx in gradients), key=lambda part: part[0])
    shape, pieces, end = gradients[0].shape, [], 0
    for begin, dy in [*ordered, (shape[axis], None)]:
        if begin < end:
            return gradients
        if begin > end:
            gap = (*shape[:axis], begin - end, *shape[axis + 1 :])
            pieces.append(zeros(gap, gradients[0].dtype))
        if dy is not None:
            pieces.append(dy)
            end = begin + dy.shape[axis]
    return [concatenate(pieces, axis)]


_SLICE_ATTRS = {"int32": int, **dict.fromkeys(_BEGINS + _STEPS, int), "shape": None, "dtype": None}
Op(
    "slice",
    infer=lambda x, shape, **_: [shape],
    outputs=("given",),
    attrs=_SLICE_ATTRS,
    gradient=_slice_gradient,
)
Op(
    "slice_gradient",
    infer=lambda dy, shape, **_: [shape],
    outputs=("given",),
    attrs=_SLICE_ATTRS,
    gradient=lambda c, dy, need: [call("slice", [dy], **{**c.attrs, "shape": c.inputs[0].shape})],
)


def _range_of(key, n, axis):
    """(begin, size, step) of an index or slice along an axis of `n` entries."""
    if isinstance(key, slice):
        begin, stop, step = key.indices(n)
        return begin, len(range(begin, stop, step)), step
    if isinstance(key, Tensor) and key.dtype == "int32" and not key.shape:
        with prefixed("index: ", RuntimeError):
            key = key.item()
    if isinstance(key, numbers.Integral) and not isinstance(key, bool):
        if not -n <= key < n:
            raise IndexError(f"index {key} is out of range for axis {axis} of {n} entries")
        return int(key) % n, 1, 1
    raise TypeError(f"index: expected integers, slices, None and ..., got {key!r}")


def getitem(x, key):
    """`x[key]`, a copy with a gradient.

    Parameters
    ----------
    x : Tensor
    key : int, slice, None, `...`, or a tuple of them; or an array or tensor of integers
        As for a NumPy array.

    Raises
    ------
    IndexError
        If an integer is out of range, or there are more indices than dimensions.
    TypeError
        If an array or a tensor holds no integers: a mask, say.

    Examples
    --------
    >>> import nnlite
    >>> x = nnlite.convert_to_tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> x[:, ::-2].numpy()
    array([[3., 1.],
           [6., 4.]], dtype=float32)
    """
    if isinstance(key, (Tensor, np.ndarray, list)):
        with prefixed("index: ", (TypeError, ValueError, RuntimeError)):
            return take(x, _entries(key), 0)
    keys = key if isinstance(key, tuple) else (key,)
    used = sum(k is not None and k is not Ellipsis for k in keys)
    if used > x.ndim or sum(k is Ellipsis for k in keys) > 1:
        raise IndexError(f"too many indices for a tensor of shape {x.shape}: {key!r}")
    if not any(k is Ellipsis for k in keys):
        keys = (*keys, Ellipsis)
    ranges, shape = [], []
    for k in keys:
        if k is None:
            shape.append(1)
        elif k is Ellipsis:
            for n in x.shape[len(ranges) : len(ranges) + x.ndim - used]:
                ranges.append((0, n, 1))
                shape.append(n)
        else:
            ranges.append(_range_of(k, x.shape[len(ranges)], len(ranges)))
            if isinstance(k, slice):
                shape.append(ranges[-1][1])
    sizes = tuple(size for _, size, _ in ranges)
    if sizes != x.shape or any(step != 1 for _, _, step in ranges):
        x = _strided(x, ranges)
    return reshape(x, shape)


def _entries(key):
    """The numbers of entries that an array, a list or a tensor holds; a TypeError for a mask."""
    key = key if isinstance(key, Tensor) else as_numbers(key)
    if key.size and np.dtype(key.dtype).kind not in "iu":
        raise TypeError(
            f"expected integers, got {key.dtype}; x[ops.where(mask)[0]] takes the entries where a "
            "mask is not 0"
        )
    return key


def _strided(x, ranges):
    """The elements at (begin, size, step) along each axis."""
    padded = ranges + [(0, 1, 1)] * (MAX_NDIM - x.ndim)
    begins = {name: begin for name, (begin, _, _) in zip(_BEGINS, padded)}
    steps = {name: step for name, (_, _, step) in zip(_STEPS, padded)}
    attrs = {"int32": int(x.dtype == "int32"), **begins, **steps}
    return call("slice", [x], **attrs, shape=tuple(n for _, n, _ in ranges), dtype=x.dtype)


def copied(x):
    """The same elements in memory of their own.

    Parameters
    ----------
    x : Tensor
    """
    return _strided(x, [(0, n, 1) for n in x.shape])


def _iterate(x):
    """The entries along the first axis; TypeError for a tensor of shape (), as in NumPy."""
    if not x.shape:
        raise TypeError("iteration over a tensor of shape ()")
    return (x[k] for k in range(len(x)))


Tensor.__getitem__, Tensor.__iter__ = getitem, _iterate


def _infer_concatenate(*shapes, axis, **_):
    first = shapes[0]
    for shape in shapes[1:]:
        if len(shape) != len(first) or any(
            a != b for d, (a, b) in enumerate(zip(shape, first)) if d != axis
        ):
            raise ValueError(
                "expected shapes that differ along the axis "
                f"{axis} alone, got {', '.join(map(str, shapes))}"
            )
    return [(*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])]


def _concatenate_gradient(c, dy, need):
    axis, at, found = c.attrs["axis"], 0, []
    for x, needed in zip(c.inputs, need):
        after = at + x.shape[axis]
        found.append(dy[(*[slice(None)] * axis, slice(at, after))] if needed else None)
        at = after
    return found


Op(
    "concatenate",
    infer=_infer_concatenate,
    attrs={"axis": int},
    gradient=_concatenate_gradient,
)


def several(xs, name):
    """The tensors that are to be joined."""
    if isinstance(xs, (Tensor, np.ndarray)) and xs.shape and len(xs):
        return list(xs)
    if not isinstance(xs, (list, tuple)) or not xs:
        raise ValueError(f"{name}: expected a list of tensors, got {xs!r}")
    return xs


def concatenate(xs, axis=0):
    """Join tensors along an axis.

    Parameters
    ----------
    xs : list of tensor
        At least one; their shapes may differ along `axis` only.
    axis : int or None, default 0
        None: they count as flattened.

    Raises
    ------
    ValueError
        If the shapes differ along another axis, or there is no such axis.
    """
    xs = operands(*several(xs, "concatenate"))
    if axis is None:
        xs, axis = [reshape(x, (-1,)) for x in xs], 0
    if len(xs) == 1:
        return xs[0]
    while len(xs) > _MAX_INPUTS:
        xs = [concatenate(xs[k : k + _MAX_INPUTS], axis) for k in range(0, len(xs), _MAX_INPUTS)]
    axis = axis_of(axis, xs[0].shape)
    return call("concatenate", list(xs), axis=axis)


def stack(x, axis=0):
    """Join tensors of one shape along a new axis.

    Parameters
    ----------
    x : list of tensor
    axis : int, default 0
        The position of the new axis.
    """
    xs = operands(*several(x, "stack"))
    axis = axis_of(axis, xs[0].shape, new=1)
    return concatenate([reshape(x, (*x.shape[:axis], 1, *x.shape[axis:])) for x in xs], axis)


def split(x, indices_or_sections, axis=0):
    """Cut a tensor along an axis into a list of tensors.

    Parameters
    ----------
    x : tensor
    indices_or_sections : int or list of int
        The number of equal parts, or the indices at which parts after the first begin.
    axis : int, default 0

    Raises
    ------
    ValueError
        If the axis cannot be cut into that many equal parts.
    """
    (x,) = operands(x)
    axis = axis_of(axis, x.shape)
    n, parts = x.shape[axis], indices_or_sections
    if isinstance(parts, numbers.Integral) and not isinstance(parts, bool):
        if not 1 <= parts <= max(n, 1) or n % parts:
            raise ValueError(f"split: {n} entries cannot be cut into {parts} equal parts")
        begins = [n // parts * k for k in range(1, parts)]
    elif isinstance(parts, (tuple, list, np.ndarray)) and all(
        isinstance(k, numbers.Integral) for k in parts
    ):
        begins = list(parts)
    else:
        raise TypeError(
            f"split: indices_or_sections: expected an integer or a list of integers, got {parts!r}"
        )
    ends = [0, *begins, n]
    before = [slice(None)] * axis
    return [x[(*before, slice(a, b))] for a, b in itertools.pairwise(ends)]


def flip(x, axis=None):
    """`x` with its entries along axes in reverse order.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        By default all axes.
    """
    (x,) = operands(x)
    axis = range(x.ndim) if axis is None else axis
    axes = {
        axis_of(a, x.shape) for a in (axis if isinstance(axis, (tuple, list, range)) else [axis])
    }
    return x[tuple(slice(None, None, -1) if d in axes else slice(None) for d in range(x.ndim))]


def expand_dims(x, axis):
    """`x` with new axes of size 1.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int
        The position of the new axis in the result, or of several.
    """
    (x,) = operands(x)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = sorted(axis_of(a, x.shape, new=len(axes)) for a in axes)
    if len({*axes}) < len(axes):
        raise ValueError(f"axis: expected each place once, got {axis}")
    shape = list(x.shape)
    for a in axes:
        shape.insert(a, 1)
    return reshape(x, tuple(shape))


def squeeze(x, axis=None):
    """`x` without axes of size 1.

    Parameters
    ----------
    x : tensor
    axis : int or tuple of int, optional
        The axes to remove; by default all axes of size 1.

    Raises
    ------
    ValueError
        If the size along `axis` is not 1.
    """
    (x,) = operands(x)
    if axis is None:
        return reshape(x, tuple(n for n in x.shape if n != 1))
    axes = axes_of(axis, x.shape)
    if any(x.shape[a] != 1 for a in axes):
        raise ValueError(f"expected one entry along axis {axis}, got {x.shape}")
    return reshape(x, tuple(n for d, n in enumerate(x.shape) if d not in axes))
