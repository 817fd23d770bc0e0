"""Rows of arrays by their numbers: `take`, and what a training step reads its batch with.

`gather`, `gather_csr` and, in a plan, `standardize` read memory of the caller's as their arguments
describe it. They check the row numbers, and nothing else: they are not public.
"""

import math

import numpy as np

from nnlite.engine.dispatch import Op
from nnlite.engine.tensor import Tensor, convert_to_tensor
from nnlite.ops.operands import axis_of, call, constant, integers, operands
from nnlite.ops.shape import moveaxis, reshape

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


def _gather_gradient(c, dy, need):
    if not need[0]:
        return [None] * len(need)
    source, index = c.inputs
    return [call("scatter_add", [dy, index], rows=source.shape[0], shape=source.shape), None]


def _infer_scatter_add(x, index, *, shape, **_):
    if x != (*index, *shape[1:]):
        raise ValueError(f"scatter_add: expected rows of shape {shape[1:]}, got shape {x}")
    return [shape]


Op(
    "scatter_add",
    infer=_infer_scatter_add,
    attrs={"rows": int, "shape": None},
    gradient=lambda c, dy, need: [take(dy, c.inputs[1], 0), None],
    fuses="producer",
    work=lambda inputs, outputs: math.prod(inputs[0]) + math.prod(outputs[0]) // 4,
)
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
    gradient=_gather_gradient,
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


def _infer_standardize(source, mean, rest, deviation, index=None, *, shape, **_):
    if mean != rest or mean != deviation or math.prod(shape) % max(1, math.prod(mean)):
        raise ValueError(
            f"standardize: expected a mean and a deviation for each entry of the last axis of "
            f"shape {shape}, got shapes {mean} and {deviation}"
        )
    return [shape]


def _standardize_gradient(c, dy, need):
    mean, deviation = c.inputs[1], c.inputs[3]
    dx = standardize(dy, np.zeros(mean.shape), deviation, inverse=c.attrs["inverse"])
    return [dx, None, None, None]


Op(
    "standardize",
    infer=_infer_standardize,
    attrs={"code": int, "row_bytes": int, "rows": int, "inverse": int, "shape": None},
    gradient=_standardize_gradient,
    in_place=(0,),
    reads_rows_of="gather",
)


def standardize(x, mean, deviation, rest=None, inverse=False):
    """(x - mean) / deviation along the last axis, in float64 before anything is rounded.

    In a plan the rows that x is gathered from are read, before they become the model's precision.

    Parameters
    ----------
    x : tensor, shape (..., C)
        Or of any shape whose number of elements C divides.
    mean, deviation : tensor, shape (C,)
        There is no gradient with respect to them.
    rest : tensor, shape (C,), optional
        What the model's precision does not hold of the mean, as `split` gives it; 0 by default. It
        counts only where mean + rest rounds to the mean, so that of an older mean does no harm.
    inverse : bool, default False
        Compute x * deviation + mean.
    """
    mean, deviation = operands(mean, deviation)
    (rest,) = operands(np.zeros(mean.shape) if rest is None else rest)
    x = x if isinstance(x, Tensor) and x.dtype == "int32" else operands(x, mean)[0]
    attrs = {"code": SOURCE_CODES[x.dtype], "row_bytes": 0, "rows": 0, "inverse": int(inverse)}
    return call("standardize", [x, mean, rest, deviation], shape=x.shape, **attrs)


def split(values, real):
    """float64 numbers as two of the precision `real`: rounded, and the rest."""
    values = np.asarray(values, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = values.astype(real)
        return rounded, np.nan_to_num(values - rounded, nan=0, posinf=0, neginf=0).astype(real)


def take(x, indices, axis=None):
    """Entries of `x` along an axis, by their numbers.

    Parameters
    ----------
    x : tensor
    indices : int or integer tensor
        Negative numbers count from the end, where they are known when the function is called.
    axis : int, optional
        By default `x` counts as flattened.

    Returns
    -------
    Tensor
        Of x's shape, with the shape of `indices` in place of the axis.

    Raises
    ------
    ValueError
        If there is no such axis, or an index is out of range.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.take([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [2, 0], axis=0).numpy()
    array([[5., 6.],
           [1., 2.]], dtype=float32)
    """
    x, index = convert_to_tensor(x), integers(indices, "indices")
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    axis = axis_of(axis, x.shape)
    before, entries, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    if index._data is None:  # in a trace: C checks the numbers, and they must be those of rows
        return _take_rows_of(x, axis, index)
    known = index._data
    wrong = known[(known < -entries) | (known >= entries)]
    if wrong.size:
        raise ValueError(
            f"indices: expected a number in [{-entries}, {entries}) for axis {axis} of shape "
            f"{x.shape}, got {wrong.flat[0]}"
        )
    firsts = np.arange(math.prod(before)) * entries
    numbers = np.add.outer(firsts, np.where(known < 0, known + entries, known))
    rows = reshape(x, (math.prod(before) * entries, *after))
    return reshape(_rows(rows, constant(numbers, "int32")), (*before, *index.shape, *after))


def _rows(x, index):
    """Rows of a tensor by numbers of any shape."""
    flat, width = reshape(index, (-1,)), math.prod(x.shape[1:])
    row_bytes = width * np.dtype(x.dtype).itemsize
    code = SOURCE_CODES[x.dtype]
    y = gather(x, flat, flat.size, x.shape[1:], x.dtype, code, row_bytes, x.shape[0])
    return reshape(y, (*index.shape, *x.shape[1:]))


def _take_rows_of(x, axis, index):
    """`take` where `axis` is moved to the front, and back."""
    if axis == 0:
        return _rows(x, index)
    if x.dtype == "int32":
        raise TypeError("axis: expected 0 for integers and indices that a model computes")
    places = list(range(index.ndim))
    return moveaxis(_rows(moveaxis(x, axis, 0), index), places, [axis + d for d in places])
