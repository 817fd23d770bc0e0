"""Source: rows of samples that steps read where they are."""

import numpy as np

from nnlite import config


class Source:
    """Rows of samples that steps read in place.

    Attributes
    ----------
    array : array or sparse matrix
    name : str
        For messages: 'x', 'y', 'sample_weight'.
    rows : int
    row_shape : tuple of int
    integer : bool
        Whether rows are read as int32, rather than as real numbers.
    layout : tuple
        What a plan that reads the source depends on, its number of rows aside.
    """

    integer = False

    @property
    def dtype(self):
        """What a step reads rows as."""
        return "int32" if self.integer else config.floatx()

    def check_finite(self, real=None):
        """Raise ValueError if a value is NaN or infinite, or is so in the precision `real`."""
        values = self._numbers()
        if not _is_finite(values):
            raise ValueError(
                f"{self.name}: expected finite values, got NaN or infinity; impute or remove those "
                "rows"
            )
        check_range(self.name, values, real or self.dtype)

    def slice(self, rows):
        """The Source of some consecutive rows, which stay where they are."""
        raise NotImplementedError


def _is_finite(array):
    """Whether no value is NaN or infinite."""
    if array.dtype.kind != "f":
        return True
    with np.errstate(all="ignore"):
        # The sum is finite for nearly all finite data, and ten times faster than a look at each
        # value.
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def check_range(name, array, real):
    """Raise ValueError if finite values of an array or sparse matrix are infinite in the precision
    `real`."""
    array = array.data if hasattr(array, "tocsr") else array
    if real != "float32" or array.dtype != np.float64 or not array.size:
        return
    largest = max(np.fmax.reduce(array, axis=None), -np.fmin.reduce(array, axis=None))  # but NaN
    if largest > np.finfo(np.float32).max:
        raise ValueError(
            f"{name}: expected values that float32 holds, up to 3.4e38, got {largest:.3g}; scale "
            "them, or let the model compute in float64"
        )
