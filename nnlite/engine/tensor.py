"""Tensor, a contiguous array of one precision or its placeholder in a trace; and Variable."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nnlite import config
from nnlite.checks import refuse_masked
from nnlite.config import REALS
from nnlite.errors import memory_for

DTYPES = (*REALS, "int32")
NAMES = {np.dtype(name): name for name in DTYPES}


def dtype_of(dtype, among=DTYPES):
    """The dtype of tensors for what NumPy or Keras call one: 'int32' for integers of any size.
    Truth values are real numbers, 1 and 0, as comparisons give them.

    Parameters
    ----------
    dtype : str, type or NumPy's dtype, or None
        None, float and bool are `floatx()`.
    among : tuple of str, default those of tensors
        What is allowed.
    """
    if dtype.__class__ is str and dtype in among:
        return dtype
    name = config.floatx() if dtype is None or dtype is float or is_truth(dtype) else None
    if name is None and isinstance(dtype, (str, type, np.dtype)):
        try:
            kind = np.dtype(dtype)
            name = "int32" if kind.kind in "iu" else kind.name
        except (TypeError, ValueError):
            pass
    if name not in among:
        raise ValueError(f"dtype: expected one of {', '.join(among)}, got {dtype!r}")
    return name


def is_truth(dtype):
    """Whether a dtype, as `dtype_of` takes it, is that of truth values."""
    return isinstance(dtype, (str, type, np.dtype)) and dtype in ("bool", bool, np.bool_)


class ArgmaxGradient(NamedTuple):
    """The sparse form of a gradient that is zero except where a maximum was selected.

    Attributes
    ----------
    values : Tensor
        The entries of the gradient at the selected positions.
    selected : Tensor
        The entries of `source` at the selected positions.
    source : Tensor
        The tensor from which the maxima were selected.
    rescatter : function
        Takes other values; returns the gradient that has them at the selected positions.
    """

    values: "Tensor"
    selected: "Tensor"
    source: "Tensor"
    rescatter: Callable


class Tensor:
    """A contiguous array of float32, float64 or int32 values.

    Ops, `convert_to_tensor`, `ones` and `zeros` return tensors. Inside of a traced `call` or
    `train_step` a tensor has a shape but no values yet: methods that need values raise
    RuntimeError.

    Parameters
    ----------
    shape : tuple of int
    dtype : {'float32', 'float64', 'int32'}
    data : array, optional
        The values; None inside of a trace.
    """

    __array_priority__ = 100  # array + tensor is a tensor
    sparse_grad = None  # an `ArgmaxGradient` for the gradient of max pooling
    of_step = None  # of the gradient of one step of sequences: the step's number and its gradient
    of_part = None  # of the gradient of a part along an axis: axis, begin, and its gradient
    encoding = None  # of numbers as several values each: how a product reads them (`Encoding`)
    mask = None  # of sequences: a tensor (N, T) that is 0 at steps which do not count

    def __init__(self, shape, dtype, data=None):
        self.shape = shape
        self.dtype = dtype
        self._data = data
        self.logits = None  # of a result of softmax or sigmoid: its name and its input

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        return math.prod(self.shape)

    def numpy(self):
        """A copy of the values as a NumPy array."""
        if self._data is None:
            raise RuntimeError(
                f"Tensor of shape {self.shape}: it has no values here. A model's `call` and "
                "`train_step` are traced once and then run in C: use functions of nnlite.ops on "
                "it, not NumPy's or `if`; or pass run_eagerly=True to `compile` to look at values "
                "inside."
            )
        return self._data.copy()

    def __array__(self, dtype=None, copy=None):
        values = self.numpy()
        return values if dtype is None else values.astype(dtype, copy=False)

    def __dlpack__(self, **options):
        """A copy of the values for other packages: `torch.from_dlpack(x)`."""
        return self.numpy().__dlpack__(**options)

    def __dlpack_device__(self):
        return (1, 0)  # the CPU

    def item(self):
        """The value of a tensor of one element, as a Python number."""
        if self.size != 1:
            raise ValueError(
                f"expected a tensor of one element, got shape {self.shape}; reduce it first, as by "
                "ops.all, ops.any or ops.sum"
            )
        return self.numpy().item()

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __bool__(self):
        return bool(self.item())

    def __index__(self):
        if self.dtype != "int32":
            raise TypeError(f"expected an integer, got a tensor of {self.dtype}")
        return self.item()

    def __format__(self, spec):
        return format(self.item(), spec) if spec else repr(self)

    def __round__(self, ndigits=None):
        return round(self.item(), ndigits)

    def __len__(self):
        if not self.shape:
            raise TypeError("len(): a tensor of shape () has no length")
        return self.shape[0]

    def __repr__(self):
        values = (
            "no values while tracing"
            if self._data is None
            else np.array2string(self._data, separator=", ")
        )
        return f"<{type(self).__name__} shape={self.shape} dtype={self.dtype} {values}>"


CACHE_LINE = 64


def aligned_empty(shape, dtype):
    """A C-ordered array of any values that begins on a cache line, unless it fits into one."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size <= CACHE_LINE:
        return np.empty(shape, dtype)
    raw = np.empty(size + CACHE_LINE, np.uint8)
    shift = -raw.__array_interface__["data"][0] % CACHE_LINE
    return np.ndarray(shape, dtype, raw, shift)


class Unset(Tensor):
    """A tensor without values, whose memory becomes that of the Variable made of it."""

    def __init__(self, shape, dtype):
        super().__init__(shape, dtype, aligned_empty(shape, dtype))


class Variable(Tensor):
    """A tensor that persists and that ops may overwrite, such as a weight or a counter.

    Parameters
    ----------
    initial_value : array-like
        Copied.
    trainable : bool, default True
        Whether optimizers update it.
    name : str, default 'variable'
    dtype : {'float32', 'float64', 'int32'}, optional
        By default `floatx()` for floats and int32 for integers.

    Attributes
    ----------
    regularizer : function of the values or None
        What it returns is added to the loss of a layer whose weight this is.
    constraint : function of the values or None
        Optimizers put what it returns in place of the values after each step.
    overwrite_with_gradient : bool
        Whether optimizers put its gradient in place of the values, and do no more with it.

    Examples
    --------
    >>> import nnlite
    >>> v = nnlite.Variable(1.0)
    >>> v.assign(2.5).numpy()
    array(2.5, dtype=float32)
    """

    is_state = False  # whether a compiled step assigns it, so that batches depend on those before

    def __init__(self, initial_value, trainable=True, name="variable", dtype=None):
        values = as_array(initial_value, dtype)
        # The storage never moves: plans hold its address.
        if isinstance(initial_value, Unset) and np.may_share_memory(values, initial_value._data):
            storage = initial_value._data
        else:
            storage = self._copied(values, name)
        super().__init__(values.shape, NAMES[values.dtype], storage)
        self.trainable = trainable
        self.name = name
        self.regularizer = self.constraint = None
        self._overwrites = False
        self.version = 0

    @property
    def overwrite_with_gradient(self):
        return self._overwrites

    @overwrite_with_gradient.setter
    def overwrite_with_gradient(self, value):
        if not isinstance(value, bool):
            raise TypeError(
                f"Variable {self.name!r}: overwrite_with_gradient: expected True or False, "
                f"got {value!r}"
            )
        self._overwrites = value

    @staticmethod
    def _copied(values, name):
        try:
            storage = aligned_empty(values.shape, values.dtype)
        except MemoryError:
            raise memory_for(
                f"Variable {name!r}", values.shape, values.dtype.name
            ).error() from None
        storage[...] = values
        return storage

    @property
    def path(self):
        """Its name; that of a weight tells the layer, too: 'dense/kernel'."""
        return self.name

    @property
    def value(self):
        """A copy of the current value as a tensor, as `v.value` or as `v.value()`."""
        value = CurrentValue(self.shape, self.dtype, self._data.copy())
        value.variable = self
        return value

    def assign(self, value):
        """Copy a value into the variable; in a `call` or `train_step` that `fit` compiles, in each
        step.

        Parameters
        ----------
        value : array-like of the same shape

        Returns
        -------
        Variable
            Itself.
        """
        values = as_array(value, self.dtype)
        if values.shape != self.shape:
            raise ValueError(
                f"Variable {self.name!r}: expected shape {self.shape}, got {values.shape}"
            )
        self._data[...] = values
        self.version += 1
        return self

    def assign_add(self, value):
        """Add a value in place.

        Parameters
        ----------
        value : array-like of the same shape

        Returns
        -------
        Variable
            Itself.
        """
        return self.assign(self._data + as_array(value, self.dtype))

    def assign_sub(self, value):
        """Subtract a value in place.

        Parameters
        ----------
        value : array-like of the same shape

        Returns
        -------
        Variable
            Itself.
        """
        return self.assign(self._data - as_array(value, self.dtype))

    def __reduce__(self):
        return (_restore_variable, (self._data.copy(), *self._attributes()))

    def __deepcopy__(self, memo):
        return _restore_variable(self._data, *self._attributes())

    def _attributes(self):
        return self.trainable, self.name, self.regularizer, self.constraint, self._overwrites


def _restore_variable(values, trainable, name, regularizer, constraint=None, overwrites=False):
    variable = Variable(values, trainable, name, NAMES[values.dtype])
    variable.regularizer, variable.constraint = regularizer, constraint
    variable.overwrite_with_gradient = overwrites
    return variable


class CurrentValue(Tensor):
    """A copy of a variable's value; a call returns itself, as in TensorFlow's `v.value()`."""

    def __call__(self):
        return self


def as_array(value, dtype=None):
    """`value` as a contiguous NumPy array of one of the three dtypes."""
    known = value.__class__ is np.ndarray and dtype.__class__ is str
    if known and NAMES.get(value.dtype) == dtype:
        return np.ascontiguousarray(value).reshape(value.shape)
    if isinstance(value, Tensor):
        if value._data is None:
            value.numpy()  # raises RuntimeError
        value = value._data
    array = as_numbers(value)
    if dtype is None:
        dtype = config.floatx() if array.dtype.kind == "f" else "int32"
    elif not isinstance(dtype, (str, np.dtype)) or dtype not in DTYPES:
        array, dtype = array != 0 if is_truth(dtype) else array, dtype_of(dtype)
    if dtype == "int32" and array.dtype.kind in "iu" and array.dtype != np.int32 and array.size:
        if array.max() > np.iinfo(np.int32).max or array.min() < np.iinfo(np.int32).min:
            raise ValueError("Tensor: an integer is outside of int32's range")
    try:
        return np.ascontiguousarray(array, dtype=dtype).reshape(array.shape)
    except MemoryError:
        raise memory_for("Tensor", array.shape, dtype).error() from None


def as_numbers(value):
    """`value` as a NumPy array of booleans, integers or floats of any size."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"Tensor: expected rows of equal lengths, got {_shown(value)}") from None
    if array.dtype == object and hasattr(value, "__dlpack__") and array is not value:
        array = np.from_dlpack(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"Tensor: expected numbers, got {kind_of(array)}")
    refuse_masked("Tensor", value)
    return array


def kind_of(array):
    """What an array without numbers holds, in words."""
    if array.dtype != object:
        return f"values of type {array.dtype}"
    numbers = (int, float, np.number)
    first = _shown(next((v for v in array.flat if not isinstance(v, numbers)), array))
    return f"values of type object, such as {first}" if array.ndim else first


def _shown(value):
    text = repr(value)
    return text if len(text) < 100 else f"{text[:96]} ..."


def convert_to_tensor(value, dtype=None):
    """A tensor with the values of `value`.

    Parameters
    ----------
    value : array-like
        Floats become `floatx()`, integers and booleans int32, unless `dtype` says otherwise.
    dtype : {'float32', 'float64', 'int32'}, optional

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import nnlite
    >>> nnlite.convert_to_tensor([[1.0, 2.0]]).shape
    (1, 2)
    """
    if isinstance(value, Tensor) and (dtype is None or value.dtype is dtype):
        return value
    array = as_array(value, dtype)
    if array is value or array.base is not None:
        array = array.copy()
    return Tensor(array.shape, NAMES[array.dtype], array)
