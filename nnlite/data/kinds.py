"""What kind of data something is, by what it has: nothing is imported to find out."""

import array
import collections.abc

import numpy as np


def yields_batches(x):
    """Whether an object is no array but a source of batches.

    Parameters
    ----------
    x : anything
    """
    known = ("shape", "__array__", "__array_interface__", "__dlpack__")
    if any(hasattr(x, name) for name in known):
        return False
    if isinstance(x, (collections.abc.Sequence, collections.abc.Mapping, array.array)):
        return False
    return hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))


def yields_samples(x):
    """Whether an object gives single samples: a Dataset of PyTorch without a DataLoader.

    Parameters
    ----------
    x : anything
    """
    names = [(c.__module__.partition(".")[0], c.__name__) for c in type(x).__mro__]
    return ("torch", "Dataset") in names


def is_read_by_slices(x):
    """Whether an object is an array of numbers that lies elsewhere, and of which slices are read: a
    dataset of h5py, an array of zarr, whatever has their `shape`, `dtype` and `[start:stop]`.

    Parameters
    ----------
    x : anything
    """
    in_memory = ("__array_interface__", "__dlpack__", "iloc", "tocsr")
    if isinstance(x, np.generic) or any(hasattr(x, name) for name in in_memory):
        return False
    numbers = isinstance(getattr(x, "dtype", None), np.dtype) and x.dtype.kind in "biuf"
    return numbers and hasattr(x, "__getitem__") and len(getattr(x, "shape", ())) > 0
