"""Reshaping, transposing, broadcasting, gathering rows, one-hot encoding and constants."""

import math
from numbers import Integral

import numpy as np

from nnlite import config
from nnlite.checks import is_number
from nnlite.engine.dispatch import MAX_NDIM, OPS, Op, apply
from nnlite.engine.tensor import Tensor, Variable, convert_to_tensor
from nnlite.ops.operands import call, constant, integers, operands


def _infer_reshape(x, shape, dtype):
    size = math.prod(x)
    known = math.prod(n for n in shape if n != -1)
    if -1 in shape:
        if shape.count(-1) > 1 or (known and size % known) or (not known and size):
            raise ValueError(f"reshape: expected a shape of {size} elements, got {shape} for {x}")
        shape = tuple((size // known if known else 0) if n == -1 else n for n in shape)
    elif known != size:
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
    shape = tuple(int(n) for n in newshape)
    if isinstance(x, Variable) and x.dtype != "int32":
        x = broadcast_to(x, x.shape)  # its memory may be overwritten later
    if shape == x.shape:
        return x
    return call("reshape", [x], shape=shape, dtype=x.dtype)


def _infer_broadcast(x, shape):
    if np.broadcast_shapes(x, shape) != shape:
        raise ValueError(f"broadcast_to: shape {x} does not broadcast to {shape}")
    return [shape]


# autodiff.gradients sums the gradient to the input's shape, as for every op that broadcasts.
Op(
    "broadcast_to",
    infer=_infer_broadcast,
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
    return call("broadcast_to", operands(x), shape=tuple(shape))


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
    axes = tuple(range(x.ndim))[::-1] if axes is None else tuple(a % x.ndim for a in axes)
    padded = (*axes, *range(x.ndim, MAX_NDIM))
    return call("transpose", [x], axes=axes, **{f"axis_{d}": a for d, a in enumerate(padded)})


Tensor.T = property(lambda self: transpose(self))

# The codes of csrc/ops/shape.c for the element types that `gather` reads.
SOURCE_CODES = {
    name: code
    for code, name in enumerate(
        [
            "float32",
            "float64",
            "uint8",
            "int8",
            "int16",
            "uint16",
            "int32",
            "uint32",
            "int64",
            "uint64",
            "bool",
        ]
    )
}


def _infer_gather(source, index=None, *, count, row_shape, **_):
    if index is not None and index != (count,):
        raise ValueError(f"gather: expected an index of shape {(count,)}, got {index}")
    return [(count, *row_shape)]


Op(
    "gather",
    infer=_infer_gather,
    outputs=("given",),
    attrs={
        "code": int,
        "row_bytes": int,
        "rows": int,
        "to_int": int,
        "count": None,
        "row_shape": None,
        "dtype": None,
    },
    gradient="none",
    work=lambda inputs, outputs: math.prod(outputs[0]),
)


def gather(source, index, count, row_shape, dtype, code, row_bytes, rows):
    """Rows of an array in the caller's memory: a traced training step reads its batch so.

    Parameters
    ----------
    source : Tensor
        Placeholder for the array.
    index : int32 Tensor or None
        Row numbers; None reads `count` rows in order.
    count : int
        Number of rows to read.
    row_shape : tuple of int
    dtype : {'float32', 'float64', 'int32'}
        Of the result.
    code : int
        Element type of the array, as in `SOURCE_CODES`.
    row_bytes : int
        Distance between rows, in bytes.
    rows : int
        Number of rows of the array.
    """
    return call(
        "gather",
        [source] if index is None else [source, index],
        code=code,
        row_bytes=row_bytes,
        rows=rows,
        to_int=int(dtype == "int32"),
        count=count,
        row_shape=tuple(row_shape),
        dtype=dtype,
    )


def _infer_gather_csr(values, columns, begin, index=None, *, shape, **_):
    if index is not None and index != shape[:1]:
        raise ValueError(f"gather_csr: expected an index of shape {shape[:1]}, got {index}")
    return [shape]


Op(
    "gather_csr",
    infer=_infer_gather_csr,
    outputs=("given",),
    attrs={"code": int, "rows": int, "shape": None, "dtype": None},
    gradient="none",
    work=lambda inputs, outputs: math.prod(outputs[0]),
)


def gather_csr(values, columns, begin, index, shape, dtype, code, rows):
    """Rows of a CSR matrix in the caller's memory, as a dense tensor.

    Parameters
    ----------
    values, columns, begin : Tensor
        Placeholders for the entries, their int32 columns, and the int64 start of each row.
    index : int32 Tensor or None
        Row numbers; None reads rows in order.
    shape : tuple of int
        Of the result.
    dtype : {'float32', 'float64'}
        Of the result.
    code : int
        Type of the entries, float32 or float64, as in `SOURCE_CODES`.
    rows : int
        Number of rows of the matrix.
    """
    given = [values, columns, begin]
    return call(
        "gather_csr",
        given if index is None else [*given, index],
        code=code,
        rows=rows,
        shape=tuple(shape),
        dtype=dtype,
    )


Op(
    "one_hot",
    infer=lambda x, classes, **_: [(*x, classes)],
    attrs={"classes": None, "dtype": None},
    gradient="none",
)


def one_hot(x, num_classes, axis=-1, dtype=None):
    """One-hot vectors of labels, along a new axis.

    Parameters
    ----------
    x : integer tensor, shape (...)
        Labels in [0, num_classes).
    num_classes : int
    axis : int, default -1
        The axis of the classes in the result.
    dtype : {'float32', 'float64'}, default `floatx()`

    Returns
    -------
    Tensor, shape (..., num_classes)
        If `axis` is -1.

    Raises
    ------
    ValueError
        For a label out of range.
    """
    if not is_number(num_classes, "[0, inf)") or num_classes % 1:
        raise ValueError(f"one_hot: expected num_classes, a number of classes, got {num_classes!r}")
    attrs = {"classes": int(num_classes), "dtype": dtype or config.floatx()}
    y = call("one_hot", [integers(x, "one_hot")], **attrs)
    if not isinstance(axis, Integral) or not -y.ndim <= axis < y.ndim:
        raise ValueError(f"one_hot: expected axis in [{-y.ndim}, {y.ndim}), got {axis!r}")
    order = list(range(y.ndim - 1))
    order.insert(axis % y.ndim, y.ndim - 1)
    return y if order[-1] == y.ndim - 1 else transpose(y, order)


def _infer_assign(target, x):
    if target != x:
        raise ValueError(f"assign: expected shape {target}, got {x}")
    return []


Op("assign", infer=_infer_assign, outputs=(), writes=(0,))


def assign(variable, value):
    """Overwrite a Variable; inside of a model this becomes a step of its computation.

    Parameters
    ----------
    variable : Variable
    value : tensor of the same shape
    """
    apply(OPS["assign"], operands(variable, value), {})


def ones(shape, dtype=None):
    """A tensor of ones.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : {'float32', 'float64', 'int32'}, default `floatx()`
    """
    return constant(np.ones(shape), dtype or config.floatx())


def zeros(shape, dtype=None):
    """A tensor of zeros.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : {'float32', 'float64', 'int32'}, default `floatx()`
    """
    return constant(np.zeros(shape), dtype or config.floatx())


def full_like(x, fill_value, dtype=None):
    """A tensor of x's shape whose elements are all `fill_value`.

    Parameters
    ----------
    x : tensor
    fill_value : float
    dtype : {'float32', 'float64', 'int32'}, default that of x
    """
    x = convert_to_tensor(x)
    return broadcast_to(constant(fill_value, dtype or x.dtype), x.shape)


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
