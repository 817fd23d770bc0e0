"""Reshaping, transposing, broadcasting, one-hot encoding and constants."""

import math

import numpy as np

from nnlite.checks import check_shape, is_number
from nnlite.engine.dispatch import MAX_NDIM, Op
from nnlite.engine.lengths import agree
from nnlite.engine.symbolic import Symbol
from nnlite.engine.tensor import (
    REALS,
    Tensor,
    Variable,
    as_numbers,
    convert_to_tensor,
    dtype_of,
    is_truth,
)
from nnlite.errors import memory_for
from nnlite.ops.operands import axis_of, call, cast, constant, flag, integers, operands


def shape(x):
    """The shape of a tensor, a tuple of int; that of a symbol has None for the size of the batch.

    Parameters
    ----------
    x : tensor, symbol or array-like

    Returns
    -------
    tuple

    Examples
    --------
    >>> import nnlite
    >>> nnlite.ops.shape(nnlite.ones((2, 3)))
    (2, 3)
    """
    return tuple(x.shape) if isinstance(x, (Tensor, Symbol)) else as_numbers(x).shape


def _infer_reshape(x, shape, dtype):
    size = math.prod(x)
    known = math.prod(n for n in shape if n != -1)
    if -1 in shape:
        whole = agree(size % known, 0) if known else not size
        if shape.count(-1) > 1 or not whole:
            raise ValueError(f"reshape: expected a shape of {size} elements, got {shape} for {x}")
        shape = tuple((size // known if known else 0) if n == -1 else n for n in shape)
    elif not agree(known, size):
        raise ValueError(f"reshape: expected a shape of {size} elements, got {shape} for {x}")
    return [shape]


Op(
    "reshape",
    infer=_infer_reshape,
    view=True,
    attrs={"shape": None, "dtype": None},
    outputs=("given",),
    gradient=lambda c, dy, need: [reshape(dy, c.inputs[0].shape)],
)


def reshape(x, newshape):
    """The same elements in the same order in another shape, without a copy.

    Parameters
    ----------
    x : tensor
    newshape : sequence of int
        One entry may be -1: it follows from the number of elements.

    Raises
    ------
    ValueError
        If the new shape has another number of elements.
    """
    x = convert_to_tensor(x) if not isinstance(x, Tensor) else x
    newshape = (-1,) if type(newshape) is int and newshape == -1 else newshape
    if type(newshape) is tuple and all(type(n) is int for n in newshape):
        shape = newshape
    elif isinstance(newshape, (tuple, list)):
        known = [n for n in newshape if not (is_number(n) and n == -1)]
        check_shape("newshape", known)
        shape = tuple(n if isinstance(n, int) else int(n) for n in newshape)
    else:
        shape = check_shape("newshape", newshape)
    if isinstance(x, Variable) and x.dtype != "int32":
        x = broadcast_to(x, x.shape)  # its memory may be overwritten later
    if shape == x.shape:
        return x
    return call("reshape", [x], shape=shape, dtype=x.dtype)


Op(
    "stop_gradient",
    infer=lambda x, dtype: [x],
    view=True,
    attrs={"dtype": None},
    outputs=("given",),
    gradient="none",
)


def stop_gradient(variable):
    """The same tensor, through which no gradient goes: a constant to what is computed of it.

    Parameters
    ----------
    variable : tensor
        Any; a Variable keeps its values as they are now.

    Examples
    --------
    >>> import nnlite
    >>> x = nnlite.Variable(3.0)
    >>> with nnlite.GradientTape() as tape:
    ...     y = x * nnlite.ops.stop_gradient(x)
    >>> tape.gradient(y, x).item()
    3.0
    """
    x = convert_to_tensor(variable) if not isinstance(variable, Tensor) else variable
    if isinstance(x, Variable) and x.dtype != "int32":
        x = broadcast_to(x, x.shape)  # its memory may be overwritten later
    return call("stop_gradient", [x], dtype=x.dtype)


def values_of(variable):
    """The values of a Variable as a tensor, without a copy: what functions of users get.

    In a trace it has none, so that NumPy's functions raise an error there. Those of the Variable
    are the present ones, which a plan would use in each step.
    """
    return call("reshape", [variable], shape=variable.shape, dtype=variable.dtype)


def check_broadcast(x, shape):
    """The shape rule of `broadcast_to`; a ValueError if a shape does not broadcast to another.

    Parameters
    ----------
    x, shape : tuple of int
    """
    fits = all(n in (1, m) for n, m in zip(x[::-1], shape[::-1]))
    if len(x) > len(shape) or not fits:
        raise ValueError(f"broadcast_to: shape {x} does not broadcast to {shape}")
    return [shape]


# autodiff.gradients sums the gradient to the input's shape, as for every op that broadcasts.
Op(
    "broadcast_to",
    infer=check_broadcast,
    attrs={"shape": None},
    gradient=lambda c, dy, need: [dy],
    in_place=(0,),
)


def broadcast_to(x, shape):
    """`x` repeated along new axes and axes of size 1.

    Parameters
    ----------
    x : tensor
    shape : tuple of int
        The shape of the result.
    """
    return call("broadcast_to", operands(x), shape=check_shape("shape", shape))


def _infer_transpose(x, axes, **_):
    if sorted(axes) != list(range(len(x))):
        raise ValueError(f"transpose: expected a permutation of {len(x)} axes, got {axes}")
    return [tuple(x[a] for a in axes)]


def _transpose_gradient(c, dy, need):
    return [transpose(dy, tuple(int(a) for a in np.argsort(c.attrs["axes"])))]


Op(
    "transpose",
    infer=_infer_transpose,
    gradient=_transpose_gradient,
    attrs={"axes": None, **{f"axis_{d}": int for d in range(MAX_NDIM)}},
)


def transpose(x, axes=None):
    """`x` with its axes in another order.

    Parameters
    ----------
    x : tensor
    axes : sequence of int, optional
        Axis d of the result is axis `axes[d]` of x; by default in reverse order.
    """
    (x,) = operands(x)
    if axes is None:
        axes = tuple(range(x.ndim))[::-1]
    elif isinstance(axes, (tuple, list)):
        axes = tuple(axis_of(a, x.shape) for a in axes)
    else:
        raise TypeError(f"axes: expected a sequence of integers, got {axes!r}")
    padded = (*axes, *range(x.ndim, MAX_NDIM))
    return call("transpose", [x], axes=axes, **{f"axis_{d}": a for d, a in enumerate(padded)})


def moveaxis(x, source, destination):
    """`x` with some axes at other places; the others stay in order.

    Parameters
    ----------
    x : tensor
    source, destination : int or sequence of int
        Where the axes are, and where they go to.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.moveaxis(ops.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    (x,) = operands(x)
    source, destination = (
        [axis_of(a, x.shape) for a in (axes if isinstance(axes, (tuple, list)) else [axes])]
        for axes in (source, destination)
    )
    if not len(source) == len({*source}) == len(destination) == len({*destination}):
        raise ValueError(
            f"expected as many places as axes, each once, got {source} and {destination}"
        )
    order = [a for a in range(x.ndim) if a not in source]
    for place, axis in sorted(zip(destination, source)):
        order.insert(place, axis)
    return x if order == sorted(order) else transpose(x, order)


Tensor.T = property(lambda self: transpose(self))

Op(
    "one_hot",
    infer=lambda x, classes, **_: [(*x, classes)],
    attrs={"classes": None, "dtype": None},
    gradient="none",
)


def one_hot(x, num_classes, axis=-1, dtype=None, sparse=False):
    """One-hot vectors of labels, along a new axis.

    Parameters
    ----------
    x : integer tensor, shape (...)
        Labels in [0, num_classes).
    num_classes : int
    axis : int, default -1
        The axis of the classes in the result.
    dtype : {'float32', 'float64'}, default `floatx()`
    sparse : bool, default False
        Must be False.

    Returns
    -------
    Tensor, shape (..., num_classes)
        If `axis` is -1.

    Raises
    ------
    ValueError
        For a label out of range.
    """
    if flag("sparse", sparse):
        raise ValueError("one_hot: sparse: expected False, got True: there are no sparse tensors")
    if not is_number(num_classes, "[0, inf)") or num_classes % 1:
        raise ValueError(f"one_hot: num_classes: expected a number of classes, got {num_classes!r}")
    attrs = {"classes": int(num_classes), "dtype": dtype_of(dtype, REALS)}
    return moveaxis(call("one_hot", [integers(x, "one_hot")], **attrs), -1, axis)


def ones(shape, dtype=None):
    """A tensor of ones.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : {'float32', 'float64', 'int32'}, default `floatx()`
    """
    return filled("ones", shape, 1, dtype)


def zeros(shape, dtype=None):
    """A tensor of zeros.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : {'float32', 'float64', 'int32'}, default `floatx()`
    """
    return filled("zeros", shape, 0, dtype)


def filled(name, shape, value, dtype=None):
    """A tensor of one value; `name` is that of the function that makes it, for errors."""
    shape, dtype = check_shape("shape", shape), dtype_of(dtype)
    with memory_for(name, shape, dtype):
        return Tensor(shape, dtype, np.full(shape, value, dtype))


def full_like(x, fill_value, dtype=None):
    """A tensor of x's shape whose elements are all `fill_value`.

    Parameters
    ----------
    x : tensor
    fill_value : number, or tensor of a shape that broadcasts
    dtype : {'float32', 'float64', 'int32'}, default that of x
    """
    x = convert_to_tensor(x)
    dtype = x.dtype if dtype is None else dtype if is_truth(dtype) else dtype_of(dtype)
    known = not isinstance(fill_value, Tensor)
    value = constant(fill_value, dtype) if known else cast(fill_value, dtype)
    return broadcast_to(value, x.shape)


def ones_like(x, dtype=None):
    """Ones of x's shape.

    Parameters
    ----------
    x : tensor
    dtype : {'float32', 'float64', 'int32'}, default that of x
    """
    return full_like(x, 1.0, dtype)


def zeros_like(x, dtype=None):
    """Zeros of x's shape.

    Parameters
    ----------
    x : tensor
    dtype : {'float32', 'float64', 'int32'}, default that of x
    """
    return full_like(x, 0.0, dtype)
