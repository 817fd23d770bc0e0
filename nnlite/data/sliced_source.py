"""An array that lies in a file, HDF5's or zarr's, and is read by slices."""

import math

import numpy as np

from nnlite.data.source import Source


class SlicedSource(Source):
    """An array that is read by slices.

    Parameters
    ----------
    array : object
        As `is_read_by_slices` finds it.
    name : str
    first, rows : int
        Which rows of it are meant.
    """

    def __init__(self, array, name, first=0, rows=None):
        self.array, self.name, self.first = array, name, first
        self.rows = array.shape[0] if rows is None else rows
        self.row_shape = tuple(array.shape[1:])
        chunks = getattr(array, "chunks", None)
        whole = isinstance(chunks, tuple) and chunks and isinstance(chunks[0], int)
        self.chunk = chunks[0] if whole else None

    @property
    def bytes_of_row(self):
        """The memory of a row that was read."""
        return math.prod(self.row_shape) * self.array.dtype.itemsize

    def check_finite(self, real=None):
        """Do nothing: batches are checked when they are read."""

    def slice(self, rows):
        start, stop, _ = rows.indices(self.rows)
        return SlicedSource(self.array, self.name, self.first + start, stop - start)

    def values(self, rows):
        """A slice of rows; or those of an array of row numbers, one by one."""
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(self.rows)
            return np.asarray(self.array[self.first + start : self.first + stop])
        return np.stack([np.asarray(self.array[self.first + int(row)]) for row in rows])
