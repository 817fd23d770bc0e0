"""HostLayer: a layer that looks up strings or numbers. It runs on arrays and lists, before tensors.

The engine has tensors of numbers, and a plan no Python. So a look-up is no part of a plan: called
on data it gives a tensor; at the beginning of a model it runs on the rows of the data, and the plan
reads what it gave (`nnlite/models/front.py`)."""

import math

import numpy as np

from nnlite import config
from nnlite.checks import refuse_masked
from nnlite.engine.symbolic import Node, Symbol, is_symbolic
from nnlite.engine.tensor import Tensor, convert_to_tensor
from nnlite.errors import prefixed
from nnlite.layers.arguments import NOT_GIVEN, first_by_name
from nnlite.layers.building import say_where
from nnlite.layers.layer import Layer
from nnlite.tree import map_structure

UTF_8 = ("utf-8", "UTF-8", "utf8", "utf_8")


class HostLayer(Layer):
    """A layer whose `call` takes an array or lists and gives an array, or a sparse matrix.

    Parameters
    ----------
    **kwargs
        Of `Layer`: name, input_shape.
    """

    _reads = None  # the dtype of its input: 'string', 'int32' or None, real numbers
    _gives = None  # that of its result

    def __call__(self, inputs=NOT_GIVEN, **kwargs):
        """The result for an array or lists.

        Parameters
        ----------
        inputs : array-like of str, bytes or numbers, or a list of them
            On symbols (`Input`) the call is recorded, for a functional `Model`.
        **kwargs
            Of `Layer`: training, without effect.

        Returns
        -------
        Tensor
            An array where the result is strings.
        """
        if inputs is NOT_GIVEN:
            inputs = first_by_name(self, kwargs)
        if is_symbolic((inputs,)):
            return super().__call__(inputs, **kwargs)
        result = self.looked_up(inputs)
        result = result.toarray() if isinstance(result, Bags) else result
        self._output_shape = (None, *result.shape[1:])
        if result.dtype == object:
            return result
        return convert_to_tensor(result, None if result.dtype.kind in "iu" else config.floatx())

    def looked_up(self, inputs):
        """What `call` gives, with the layer's name in errors.

        Parameters
        ----------
        inputs : array-like
        """
        parts = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        if any(isinstance(part, Tensor) and part._data is None for part in parts):
            raise TypeError(
                f"layer {self.name!r} ({type(self).__name__}): expected data, got the result of "
                "another layer: a look-up comes first in a model, Sequential or functional, or is "
                "called on the data before"
            )
        try:
            self.built = True
            return self.call(inputs)
        except (ValueError, TypeError, RuntimeError) as error:
            say_where(error, self)
            raise

    def compute_output_spec(self, inputs):
        """The symbol of the result.

        Parameters
        ----------
        inputs : symbol, or list of them
        """
        try:
            shape = self.compute_output_shape(map_structure(lambda s: s.shape, inputs, Symbol))
        except (ValueError, RuntimeError) as error:
            say_where(error, self)
            raise
        return Symbol(shape, self._gives or config.floatx(), Node(self, (inputs,), {}))

    def compute_output_shape(self, input_shape):
        """The shape of the result.

        Parameters
        ----------
        input_shape : tuple
        """
        return tuple(input_shape)


def array_of(inputs, dtype=None):
    """An array of whatever a look-up is called on.

    Parameters
    ----------
    inputs : array-like
    dtype : type, optional
        Of what is no array yet.
    """
    refuse_masked("inputs", inputs)
    if isinstance(inputs, np.ndarray):
        return inputs
    try:
        with prefixed("inputs: expected data: ", TypeError):  # a symbol has no values
            return np.asarray(inputs, dtype)
    except ValueError:
        raise ValueError(
            f"inputs: expected one array, got a {type(inputs).__name__} of parts that differ in "
            "shape"
        ) from None


def strings_of(inputs, encoding="utf-8"):
    """The strings of an array or lists, and its shape.

    Parameters
    ----------
    inputs : array-like of str or bytes
        Columns of pandas and Arrow, too.
    encoding : str, default 'utf-8'
        Of bytes.

    Returns
    -------
    list of bytes
        In UTF-8. Bytes that are said to be UTF-8 stay as they are.
    tuple
    """
    array = array_of(inputs, object)
    values = array.ravel().tolist()
    known = array.dtype.kind == "S" and encoding in UTF_8
    if not known:
        try:
            values = [*map(str.encode, values)]
        except (TypeError, UnicodeEncodeError):  # one of them is no str, or of bytes that are none
            values = [_encoded_one(v, i, array.shape, encoding) for i, v in enumerate(values)]
    return values, array.shape


def string_of(text):
    """A string of bytes that `strings_of` gave, which it makes the same bytes of, valid or not.

    Parameters
    ----------
    text : bytes
    """
    return text.decode("utf-8", "surrogateescape")


def _encoded_one(value, number, shape, encoding):
    """One of several strings as bytes in UTF-8."""
    try:
        if isinstance(value, str):
            return value.encode("utf-8", "surrogateescape")
        if isinstance(value, bytes):
            return value if encoding in UTF_8 else value.decode(encoding).encode()
        wrong, kind = "strings", TypeError
    except UnicodeError:
        wrong, kind = f"strings in {encoding}", ValueError
    place = tuple(map(int, np.unravel_index(number, shape))) or 0
    raise kind(f"inputs: expected {wrong}, got {value!r} at position {place}")


def integers_of(inputs):
    """The integers of an array or lists, and its shape.

    Parameters
    ----------
    inputs : array-like of integers, or of whole numbers

    Returns
    -------
    list of int
    tuple
    """
    array = array_of(inputs)
    if array.dtype.kind not in "biuf" and array.dtype != object:
        raise TypeError(f"inputs: expected integers, got an array of {array.dtype}")
    if array.dtype.kind not in "iu":
        try:
            with np.errstate(invalid="ignore"):  # NaN is no whole number
                whole = array.astype(np.int64)
        except (TypeError, ValueError, OverflowError):
            raise TypeError(f"inputs: expected integers, got {inputs!r:.100}") from None
        if not np.array_equal(whole, array):
            raise ValueError("inputs: expected integers, got fractions")
        array = whole
    return array.ravel().tolist(), array.shape


def encoded(numbers, mode, depth, factors=None):
    """Categories as one-hot vectors, or a bag of them for each sample.

    Parameters
    ----------
    numbers : int array, shape (T,), (N, T) or (N, T, ...)
        Of categories; a negative number is none.
    mode : {'one_hot', 'multi_hot', 'count', 'tf_idf'}
        One vector for each entry, or which categories are among T, or how many times.
    depth : int
        The number of categories.
    factors : array, shape (depth,), optional
        What counts are multiplied by.

    Returns
    -------
    array of real numbers, or Bags where it has 2 axes
        One-hot: (..., T, depth), without a last axis of 1; a bag: (depth,) or (N, ..., depth).
    """
    if mode == "one_hot":
        numbers = numbers[..., 0] if numbers.ndim > 1 and numbers.shape[-1] == 1 else numbers
        return (numbers[..., None] == np.arange(depth)).astype(config.floatx())
    numbers = np.moveaxis(numbers, 1, -1) if numbers.ndim > 2 else np.atleast_1d(numbers)
    lead, length = numbers.shape[:-1], numbers.shape[-1]
    count = math.prod(lead)
    rows = np.repeat(np.arange(count), length)
    bags = bags_of(rows, numbers.reshape(-1), count, mode, depth, factors)
    return bags if len(lead) == 1 else bags.toarray().reshape(*lead, depth)


def encoded_shape(shape, mode, depth):
    """The shape of what `encoded` gives, or of numbers alone.

    Parameters
    ----------
    shape : tuple
        Of the numbers.
    mode : {'int', 'one_hot', 'multi_hot', 'count', 'tf_idf'}
    depth : function
        Gives the number of categories.
    """
    if mode == "int":
        return shape
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth())
    return (*shape[:1], *shape[2:], depth()) if len(shape) > 1 else (depth(),)


class Bags:
    """Which categories are in each row, and how many times: a sparse matrix, in SciPy's CSR form
    and with its names.

    Parameters
    ----------
    data, indices : array, shape (K,)
        What there is, row after row, and its columns in rising order.
    indptr : int array, shape (N + 1,)
        Where rows begin.
    shape : tuple
    """

    format, has_canonical_format = "csr", True

    def __init__(self, data, indices, indptr, shape):
        self.data, self.indices, self.indptr, self.shape = data, indices, indptr, shape
        self.dtype = data.dtype

    def tocsr(self):
        """The matrix itself."""
        return self

    def toarray(self):
        """The matrix as an array."""
        result = np.zeros(self.shape, self.dtype)
        result[np.repeat(np.arange(self.shape[0]), np.diff(self.indptr)), self.indices] = self.data
        return result

    def __getitem__(self, rows):
        """The matrix of some rows, an int array."""
        lengths = np.diff(self.indptr)[rows]
        begins = np.append(0, np.cumsum(lengths))
        places = np.arange(begins[-1]) + np.repeat(self.indptr[rows] - begins[:-1], lengths)
        shape = len(lengths), self.shape[1]
        return Bags(self.data[places], self.indices[places], begins, shape)


def bags_of(rows, numbers, count, mode, depth, factors=None):
    """The categories in each of `count` rows; see `encoded`.

    Parameters
    ----------
    rows, numbers : int array, shape (K,)
        Entry k says that category `numbers[k]` is in row `rows[k]`.
    count : int
    mode, depth, factors
        As of `encoded`.

    Returns
    -------
    Bags
    """
    kept = numbers >= 0
    places, times = np.unique(rows[kept] * depth + numbers[kept], return_counts=True)
    rows, columns = np.divmod(places, depth)
    values = np.ones(len(places)) if mode == "multi_hot" else times
    values = values if factors is None else values * factors[columns]
    begins = np.searchsorted(rows, np.arange(count + 1))
    return Bags(values.astype(config.floatx()), columns, begins, (count, depth))


def sequences_of(numbers, lengths, length=None):
    """Sequences of numbers as rows of one array, with 0 at the end of short ones.

    Parameters
    ----------
    numbers : int array, shape (sum of lengths,)
        The sequences, one after the other.
    lengths : int array, shape (N,)
    length : int, optional
        Of the rows; by default that of the longest sequence.

    Returns
    -------
    int32 array, shape (N, length)
    """
    most = int(lengths.max(initial=0)) if length is None else length
    ends = np.cumsum(lengths)
    starts = ends - lengths
    places = np.arange(most)
    kept = places < lengths[:, None]
    result = np.zeros(kept.shape, np.int32)
    result[kept] = numbers[(starts[:, None] + places)[kept]]
    return result
