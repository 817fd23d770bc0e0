"""Conversion of operands: tensors, arrays, lists and numbers become tensors of one precision."""

import numpy as np

from nnlite import config
from nnlite.engine.dispatch import OPS, Op, apply
from nnlite.engine.tensor import DTYPES, NAMES, REALS, Tensor, as_array

Op(
    "cast",
    infer=lambda x, **_: [x],
    attrs={"to_int": int, "dtype": None},
    outputs=("given",),
    gradient="none",
)


def cast(x, dtype):
    """`x` in another dtype, without a gradient.

    Parameters
    ----------
    x : tensor
        A real tensor of a trace cannot change its precision: a model has one.
    dtype : {'float32', 'float64', 'int32'}
        Real numbers are truncated towards zero for 'int32'.
    """
    if dtype not in DTYPES:
        raise ValueError(f"cast: expected {', '.join(DTYPES)}, got {dtype!r}")
    if not isinstance(x, Tensor):
        x = constant(x, None)
    if x.dtype == dtype:
        return x
    if x.dtype in REALS and dtype in REALS:
        return constant(x, dtype)
    return call("cast", [x], to_int=int(dtype == "int32"), dtype=dtype)


def constant(value, dtype):
    """A tensor of `value` in `dtype`; None: `floatx()` for floats, int32 for integers."""
    array = as_array(value, dtype)
    return Tensor(array.shape, NAMES[array.dtype], array)


def operands(*values):
    """The values as real tensors of one precision.

    It is the precision of the first real tensor among them, else `floatx()`.
    """
    real = next((v.dtype for v in values if isinstance(v, Tensor) and v.dtype in REALS), None)
    real = real or config.floatx()
    return [
        (v if v.dtype != "int32" else cast(v, real)) if isinstance(v, Tensor) else constant(v, real)
        for v in values
    ]


def integers(value, what):
    """The value as an int32 tensor; arrays may hold floats without a fractional part."""
    if isinstance(value, Tensor):
        return value if value.dtype == "int32" else cast(value, "int32")
    array = np.asarray(value)
    if array.dtype.kind == "f" and not np.array_equal(array, np.trunc(array)):
        raise ValueError(
            f"{what}: expected integers, got values such as {array[array != np.trunc(array)][0]}"
        )
    return constant(array, "int32")


def call(name, inputs, **attrs):
    """Apply the op `name` and return its only output."""
    return apply(OPS[name], inputs, attrs)[0]
