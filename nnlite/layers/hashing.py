"""Anything, or several things together, as the bin of a hash."""

import numpy as np

from nnlite.checks import positive_int
from nnlite.engine.tensor import dtype_of
from nnlite.layers.categories import BAGS
from nnlite.layers.fingerprints import both, farmhash64, siphash64
from nnlite.layers.host import HostLayer, array_of, encoded, encoded_shape, strings_of
from nnlite.layers.vocabulary import not_supported, salt_of
from nnlite.tree import is_shape


class Hashing(HostLayer):
    """The bin of a hash: strings or integers as one of `num_bins` numbers.

    Parameters
    ----------
    num_bins : int
    mask_value : str or int, optional
        What gets bin 0, alone.
    salt : int or pair of int, optional
        The key of SipHash64; by default the hash is FarmHash64.
    output_mode : {'int', 'one_hot', 'multi_hot', 'count'}, default 'int'
        The number of the bin, or as of `CategoryEncoding`.
    sparse : {False}
    **kwargs
        Of `Layer`: name, input_shape, dtype.

    Notes
    -----
    Input (...) of str, bytes or numbers; numbers are hashed as text, without a fraction. Output of
    'int' the same shape, of int32; of the others as of `CategoryEncoding`. The bins are those of
    Keras, on every machine.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> from nnlite import layers
    >>> layers.Hashing(num_bins=3)([["A"], ["B"], ["C"], ["D"], ["E"]]).numpy().ravel()
    array([1, 0, 1, 1, 2], dtype=int32)
    """

    _reads = "string"
    _legal = {
        "num_bins": positive_int,
        "salt": salt_of,
        "output_mode": ("int", *BAGS),
        "sparse": not_supported,
    }

    def __init__(
        self, num_bins, mask_value=None, salt=None, output_mode="int", sparse=False, **kwargs
    ):
        super().__init__(**kwargs)
        _check_dtype(self, output_mode, kwargs.get("dtype"))
        self.num_bins, self.mask_value = int(num_bins), mask_value
        self.salt = None if salt is None else salt_of("salt", salt)
        self.output_mode, self.sparse = output_mode, sparse

    @property
    def _gives(self):
        return "int32" if self.output_mode == "int" else None

    def call(self, inputs):
        values, shape = _keys_of(inputs)
        mask = None if self.mask_value is None else _keys_of([self.mask_value])[0][0]
        first = int(mask is not None and self.num_bins > 1)
        bins = {}
        for value in {*values}:
            text = value if isinstance(value, bytes) else b"%d" % value
            number = farmhash64(text) if self.salt is None else siphash64(text, self.salt)
            bins[value] = number % (self.num_bins - first) + first
        if first:
            bins[mask] = 0
        numbers = np.fromiter(map(bins.__getitem__, values), np.int32, len(values)).reshape(shape)
        if self.output_mode == "int":
            return numbers
        return encoded(numbers, self.output_mode, self.num_bins)

    def compute_output_shape(self, input_shape):
        """The shape of the result.

        Parameters
        ----------
        input_shape : tuple
        """
        return encoded_shape(tuple(input_shape), self.output_mode, lambda: self.num_bins)


class HashedCrossing(HostLayer):
    """The bin of a hash of several categories together: strings or integers as one of `num_bins`
    numbers.

    Parameters
    ----------
    num_bins : int
    output_mode : {'int', 'one_hot'}, default 'int'
        The number of the bin, or a vector with 1 at it.
    sparse : {False}
    **kwargs
        Of `Layer`: name, dtype.

    Notes
    -----
    Called on a list of at least two inputs of one shape, (N,), (N, 1) or (), of str, bytes or
    integers. Output of 'int' the same shape, of int32; of 'one_hot' (N, num_bins) or (num_bins,).
    The bins are those of Keras, on every machine.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> from nnlite import layers
    >>> layers.HashedCrossing(5)([["A", "B", "A", "B", "A"], [101, 101, 101, 102, 102]]).numpy()
    array([1, 4, 1, 1, 3], dtype=int32)
    """

    _reads = "string"
    _legal = {
        "num_bins": positive_int,
        "output_mode": ("int", "one_hot"),
        "sparse": not_supported,
    }

    def __init__(self, num_bins, output_mode="int", sparse=False, **kwargs):
        super().__init__(**kwargs)
        _check_dtype(self, output_mode, kwargs.get("dtype"))
        self.num_bins, self.output_mode, self.sparse = int(num_bins), output_mode, sparse

    @property
    def _gives(self):
        return "int32" if self.output_mode == "int" else None

    def call(self, inputs):
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
            raise ValueError(f"expected a list of at least two inputs, got {inputs!r:.100}")
        columns, shapes = zip(*map(_categories_of, inputs))
        shape = self._one_shape(shapes)
        bins = np.fromiter(map(self._bin_of, zip(*columns)), np.int32, len(columns[0]))
        bins = bins.reshape(shape)
        return bins if self.output_mode == "int" else encoded(bins, "one_hot", self.num_bins)

    def _one_shape(self, shapes):
        """The shape that inputs have in common."""
        if is_shape(shapes) or len(shapes) < 2:
            raise ValueError(f"expected a list of at least two inputs, got shape {shapes}")
        first = tuple(shapes[0])
        if any(tuple(s) != first for s in shapes) or len(first) > 2 or first[1:] not in ((), (1,)):
            raise ValueError(
                "expected inputs of one shape, (N,), (N, 1) or (), got shapes "
                f"{', '.join(map(str, shapes))}"
            )
        return first

    def _bin_of(self, values):
        found = 0xDECAFCAFFE  # the key that Keras's hash begins with
        for value in values:
            found = both(found, farmhash64(value) if isinstance(value, bytes) else value)
        return found % self.num_bins

    def compute_output_shape(self, input_shape):
        """The shape of the result.

        Parameters
        ----------
        input_shape : list of tuple
        """
        return encoded_shape(self._one_shape(input_shape), self.output_mode, lambda: self.num_bins)


def _check_dtype(layer, output_mode, dtype):
    """Raise a ValueError if a layer that gives numbers of bins was told that they are real."""
    if output_mode == "int" and dtype is not None and dtype_of(dtype) != "int32":
        raise ValueError(
            f"{type(layer).__name__}: dtype: expected one of integers beside output_mode 'int', "
            f"got {dtype!r}"
        )


def _categories_of(inputs):
    """Strings as bytes, or integers as they are, and the shape of these."""
    array = array_of(inputs)
    if array.dtype.kind in "fc" or array.dtype == bool:
        raise ValueError(f"inputs: expected integers or strings, got an array of {array.dtype}")
    return _keys_of(array) if array.dtype.kind in "iu" else strings_of(inputs)


def _keys_of(inputs):
    """Strings as bytes, or numbers as they are, and the shape of these."""
    array = array_of(inputs)
    if array.dtype.kind in "biuf":
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError("inputs: expected finite numbers or strings, got NaN or infinity")
        return array.ravel().tolist(), array.shape
    return strings_of(inputs)
