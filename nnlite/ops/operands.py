"""Conversion of operands: tensors, arrays, lists and numbers become tensors of one precision. And
checks of what ops take beside them: numbers, flags, axes, dtypes and keys."""

from numbers import Integral

import numpy as np

from nnlite import config
from nnlite.checks import LARGEST_SIZE, is_number
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
    dtype = dtype_of(dtype, DTYPES)
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
    array = as_array(value, "float64")
    wrong = array[(array != np.trunc(array)) | (np.abs(array) > LARGEST_SIZE)]
    if wrong.size:
        raise ValueError(f"{what}: expected integers below 2**31, got values such as {wrong[0]}")
    return constant(array, "int32")


def number(name, value):
    """A setting that is a number, as a float."""
    if not is_number(value) or (isinstance(value, Integral) and abs(value) > 2**1000):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    return float(value)


def flag(name, value):
    """A setting that is true or false, as 1 or 0."""
    if not isinstance(value, (bool, np.bool_, Integral)):
        raise TypeError(f"{name}: expected True or False, got {value!r}")
    return int(bool(value))


def axis_of(axis, shape, new=0):
    """An axis of a shape, or of one with a `new` axis, counted from the front."""
    if not isinstance(axis, Integral) or isinstance(axis, bool):
        raise TypeError(f"axis: expected an integer, got {axis!r}")
    ndim = len(shape) + new
    if not -ndim <= axis < ndim:
        raise ValueError(
            f"axis: expected a number in [{-ndim}, {ndim}) for shape {shape}, got {axis}"
        )
    return int(axis) % ndim


def axes_of(axis, shape):
    """One or several axes of a shape, counted from the front, in ascending order."""
    axes = list(axis) if isinstance(axis, (tuple, list)) else [axis]
    if not all(isinstance(a, Integral) and not isinstance(a, bool) for a in axes):
        raise TypeError(f"axis: expected an integer or several of them, got {axis!r}")
    return sorted({axis_of(a, shape) for a in axes})


def dtype_of(dtype, among=REALS):
    """A name of a dtype; None is `floatx()`."""
    if dtype is None:
        return config.floatx()
    if not isinstance(dtype, (str, np.dtype)) or dtype not in among:
        raise ValueError(f"dtype: expected one of {', '.join(among)}, got {dtype!r}")
    return str(dtype)


def key_of(name, value):
    """A key, or a state that makes keys, of random numbers: an int32 tensor."""
    if not isinstance(value, Tensor) or value.dtype != "int32":
        raise TypeError(f"{name}: expected an int32 tensor of shape (4,), got {value!r}")
    return value


def call(name, inputs, **attrs):
    """Apply the op `name` and return its only output."""
    return apply(OPS[name], inputs, attrs)[0]
