"""Data as training reads it: arrays stay where they are, and each step gathers its rows by
index."""

from collections.abc import Mapping

import numpy as np

from nnlite import config, ops
from nnlite.ops.shape import SOURCE_CODES
from nnlite.tensor import Tensor


class Source:
    """An array whose rows are samples, read in place whatever its element type.

    Parameters
    ----------
    values : array-like
        Floats, integers or booleans; rows along the first axis.
    name : str
        For messages: 'x', 'y', 'sample_weight'.
    labels : bool, default False
        Integers stay integers (int32) instead of becoming real, unless they are too large.
    """

    def __init__(self, values, name, labels=False):
        array = values.numpy() if isinstance(values, Tensor) else np.asarray(values)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"{name}: expected numbers, got values of type {array.dtype}")
        if array.dtype.kind == "O":
            try:
                array = array.astype(np.float64)
            except (TypeError, ValueError):
                raise TypeError(
                    f"{name}: expected numbers, got values of type {array.dtype}"
                ) from None
        if array.ndim == 0:
            raise ValueError(f"{name}: expected one row per sample, got a single number")
        if array.dtype.name not in SOURCE_CODES:
            array = array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
        if not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        if not _rows_are_contiguous(array):
            array = np.ascontiguousarray(array)
        integer = labels and array.dtype.kind in "biu"
        if integer and array.size and array.dtype.itemsize >= 4:
            info = np.iinfo(np.int32)
            integer = info.min <= array.min() and array.max() <= info.max
        self.array, self.name, self.integer = array, name, integer
        self.rows, self.row_shape = len(array), array.shape[1:]
        self.row_bytes = array.strides[0] if self.rows > 1 else array[:1].nbytes
        self.code = SOURCE_CODES[array.dtype.name]

    @property
    def layout(self):
        """What a plan that reads this array depends on, its number of rows aside."""
        return (self.code, self.row_bytes, self.row_shape, self.integer)

    def check_finite(self):
        """Raise ValueError if a value is NaN or infinite."""
        # The sum is finite for nearly all finite data, and ten times faster than looking at each
        # value.
        if self.array.dtype.kind == "f" and self.array.size:
            with np.errstate(all="ignore"):
                if not np.isfinite(self.array.sum()) and not np.isfinite(self.array).all():
                    raise ValueError(
                        f"{self.name}: expected finite values, got NaN or infinity; "
                        "impute or remove those rows"
                    )

    def as_column(self):
        """Samples that are one number each become samples of one feature."""
        self.array, self.row_shape = self.array[:, None], (1,)

    def placeholder(self):
        """A tensor that stands for the array's memory in a trace."""
        return Tensor((), "int32")

    def read(self, source, index, count):
        """`count` rows as a tensor: those of `index`, or consecutive ones where it is None."""
        dtype = "int32" if self.integer else config.floatx()
        rows = count if index is None else self.rows
        return ops.gather(
            source, index, count, self.row_shape, dtype, self.code, self.row_bytes, rows
        )


def _rows_are_contiguous(array):
    """Whether each row's elements lie together, so that a row is one run of memory."""
    return array.shape[0] == 0 or (array[0].flags.c_contiguous and array.strides[0] >= 0)


def unpack_x_y_sample_weight(data):
    """(x, y, sample_weight) of a tuple of one to three, or of x alone; what is missing is None."""
    if not isinstance(data, (tuple, list)):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(f"expected (x,), (x, y) or (x, y, sample_weight), got {len(data)} entries")
    return (*data, None, None)[:3]


def packed(data):
    """x, y and sample_weight as a `train_step` takes them: without what is None at the end."""
    while data and data[-1] is None:
        data = data[:-1]
    return tuple(data)


def weights_of(y, sample_weight, class_weight):
    """One weight per sample from both ways of giving them; None if neither was given."""
    if class_weight is None:
        return sample_weight
    if not isinstance(class_weight, Mapping):
        raise TypeError(f"class_weight: expected a dict of class to weight, got {class_weight!r}")
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels = labels.argmax(axis=1)
    weights = np.ones(len(labels))
    for label, weight in class_weight.items():
        weights[labels.reshape(-1) == int(label)] = weight
    if sample_weight is None:
        return weights
    sample_weight = np.asarray(sample_weight)
    if sample_weight.shape != weights.shape:
        raise ValueError(
            f"sample_weight: expected shape {weights.shape}, got {sample_weight.shape}"
        )
    return weights * sample_weight


def split(x, y, sample_weight, fraction):
    """The first part for training and the last `fraction` for validation, each (x, y,
    sample_weight)."""
    if not 0 < fraction < 1:
        raise ValueError(f"validation_split: expected a number in (0, 1), got {fraction!r}")
    arrays = [None if a is None else np.asarray(a) for a in (x, y, sample_weight)]
    at = int(len(arrays[0]) * (1 - fraction))
    if at == 0 or at == len(arrays[0]):
        raise ValueError(
            f"validation_split: {fraction} of {len(arrays[0])} samples leaves one part empty"
        )
    return [None if a is None else a[:at] for a in arrays], [
        None if a is None else a[at:] for a in arrays
    ]
