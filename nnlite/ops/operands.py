"""Conversion of operands: tensors, arrays, lists and numbers become tensors of one precision. And
checks of what ops take beside them: numbers, flags, axes and keys."""

from numbers import Integral

import numpy as np

from nnlite import config
from nnlite.checks import LARGEST_SIZE, is_number
from nnlite.engine import tensor
from nnlite.engine.dispatch import OPS, Op, apply, at_once
from nnlite.engine.tensor import NAMES, REALS, Tensor, as_array, as_numbers, dtype_of, is_truth

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
    dtype : {'float32', 'float64', 'int32'}, or another name, type or NumPy's dtype
        Real numbers are truncated towards zero for 'int32', which stands for any type of integers.
        'bool' gives 1 where `x` is not 0, else 0, as real numbers.
    """
    if not isinstance(x, Tensor):
        x = constant(x, None)
    if is_truth(dtype):
        return call("subtract", operands(1.0, call("equal", operands(x, 0.0))))
    dtype = dtype_of(dtype)
    if x.dtype == dtype:
        return x
    if x.dtype in REALS and dtype in REALS:
        return constant(x, dtype)
    return call("cast", [x], to_int=int(dtype == "int32"), dtype=dtype)


def convert_to_tensor(x, dtype=None):
    """A tensor with the values of `x`; a tensor itself, unless `dtype` asks for another.

    Parameters
    ----------
    x : tensor, array-like or number
        Floats become `floatx()`, integers and booleans int32, unless `dtype` says otherwise.
    dtype : {'float32', 'float64', 'int32'}, optional

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import nnlite
    >>> nnlite.ops.convert_to_tensor([[1.0, 2.0]]).shape
    (1, 2)
    """
    if isinstance(x, Tensor):
        return x if dtype is None else cast(x, dtype)
    return tensor.convert_to_tensor(x, dtype)


def convert_to_numpy(x):
    """The values of a tensor as a NumPy array, a copy.

    Parameters
    ----------
    x : tensor, array-like or number
        A tensor inside of a trace, and a symbol, have no values: that is an error.

    Returns
    -------
    array

    Examples
    --------
    >>> import nnlite
    >>> nnlite.ops.convert_to_numpy(nnlite.ones((2,)))
    array([1., 1.], dtype=float32)
    """
    return x.numpy() if isinstance(x, Tensor) else np.array(as_numbers(x))


def constant(value, dtype):
    """A tensor of `value` in `dtype`; None: `floatx()` for floats, int32 for integers."""
    kind = value.__class__
    if kind is float and dtype in REALS:  # what is most often given goes a shorter way
        return Tensor((), dtype, np.array(value, dtype))
    known = kind is np.ndarray and dtype.__class__ is str and dtype == NAMES.get(value.dtype)
    if known and value.flags.c_contiguous:
        return Tensor(value.shape, dtype, value)
    array = as_array(value, dtype)
    return Tensor(array.shape, NAMES[array.dtype], array)


def operands(*values):
    """The values as real tensors of one precision.

    It is the precision of the first real tensor among them, else `floatx()`.
    """
    for value in values:
        if isinstance(value, Tensor) and value.dtype in REALS:
            real = value.dtype
            break
    else:
        real = config.floatx()
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


def integer(name, value):
    """A setting that is an integer, perhaps as a tensor with a value, as an int."""
    if isinstance(value, Tensor) and value.dtype == "int32" and value.size == 1:
        value = value.item()
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    return int(value)


def axis_of(axis, shape, new=0):
    """An axis of a shape, or of one with a `new` axis, counted from the front."""
    if axis.__class__ is not int and (not isinstance(axis, Integral) or isinstance(axis, bool)):
        raise TypeError(f"axis: expected an integer, got {axis!r}")
    ndim = len(shape) + new
    if not -ndim <= axis < ndim:
        raise ValueError(
            f"axis: expected a number in [{-ndim}, {ndim}) for shape {shape}, got {axis}"
        )
    return int(axis) % ndim


def axes_of(axis, shape):
    """One or several axes of a shape, counted from the front, in ascending order."""
    if axis.__class__ is int:
        return [axis_of(axis, shape)]
    axes = list(axis) if isinstance(axis, (tuple, list)) else [axis]
    if not all(isinstance(a, Integral) and not isinstance(a, bool) for a in axes):
        raise TypeError(f"axis: expected an integer or several of them, got {axis!r}")
    return sorted({axis_of(a, shape) for a in axes})


def key_of(name, value):
    """A key, or a state that makes keys, of random numbers: an int32 tensor."""
    if not isinstance(value, Tensor) or value.dtype != "int32":
        raise TypeError(f"{name}: expected an int32 tensor of shape (4,), got {value!r}")
    return value


def each(op, *values, **attrs):
    """Apply an op that works element by element to values that may not be tensors yet.

    Parameters
    ----------
    op : Op
        Of one output, whose shape is that to which all operands broadcast.
    *values : tensor, array-like or number
    **attrs
        Every attribute of the row.

    Returns
    -------
    Tensor
    """
    done = at_once(op, values, op.c_attrs(attrs))
    return apply(op, operands(*values), attrs)[0] if done is None else done


def call(name, inputs, **attrs):
    """Apply the op `name` and return its only output."""
    return apply(OPS[name], inputs, attrs)[0]
