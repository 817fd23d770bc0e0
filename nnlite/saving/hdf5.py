"""Arrays in HDF5 files. A file is read by the paths that a model asks for, never by what it claims
to hold, so that its size and its links decide nothing."""

import contextlib

import numpy as np


def require_h5py():
    """The package h5py.

    Raises
    ------
    ImportError
        If it is not installed: says what to install.
    """
    try:
        import h5py
    except ImportError:
        raise ImportError(
            'files of Keras\'s formats need h5py: pip install "nnlite[files]" '
            "(.safetensors files need nothing)"
        ) from None
    return h5py


def write_arrays(group, arrays, names=()):
    """Write arrays into a group of an open file.

    Parameters
    ----------
    group : h5py.Group
    arrays : dict of str to array
        By path.
    names : dict of str to str
        Groups to make, each with an attribute 'name'.
    """
    for path, name in dict(names).items():
        made = group.require_group(f"{path}/vars" if path else "vars")
        made.attrs["name"] = name
    for path, values in arrays.items():
        group.create_dataset(path, data=values, track_times=False)


@contextlib.contextmanager
def reading(path, file=None):
    """An open HDF5 file.

    Parameters
    ----------
    path : str or path
        For messages, and what is opened unless `file` is given.
    file : file object, optional

    Raises
    ------
    ValueError
        If it is no whole HDF5 file, also from within the block.
    """
    h5py = require_h5py()
    try:
        with h5py.File(path if file is None else file, "r") as opened:
            yield opened
    except (OSError, RuntimeError, KeyError, MemoryError, OverflowError, TypeError) as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise
        raise ValueError(
            f"{path}: expected a whole HDF5 file, got one that h5py cannot read: {error}"
        ) from None


def found_group(parent, path):
    """The group at a path; None if there is none. Links are not followed.

    Parameters
    ----------
    parent : h5py.Group
    path : str
    """
    return _found(parent, path, "Group")


def found_dataset(parent, path):
    """The dataset at a path, of numbers that lie in this file; None if there is none.

    Parameters
    ----------
    parent : h5py.Group
    path : str

    Raises
    ------
    ValueError
        If its numbers lie in other files, or it holds no numbers.
    """
    dataset = _found(parent, path, "Dataset")
    if dataset is None:
        return None
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{path}: expected numbers in this file, got a link to others")
    if dataset.dtype.kind not in "biuf":
        raise ValueError(f"{path}: expected numbers, got {dataset.dtype}")
    return dataset


def _found(parent, path, kind):
    h5py = require_h5py()
    for part in path.split("/"):
        link = parent.get(part, getlink=True) if isinstance(parent, h5py.Group) else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{path}: expected no links in the file, got one at {part!r}")
        parent = parent[part]
    return parent if isinstance(parent, getattr(h5py, kind)) else None


def array_of(dataset, path):
    """The numbers of a dataset, of which no more are read than the file holds.

    Parameters
    ----------
    dataset : h5py.Dataset
    path : str
        For messages.

    Raises
    ------
    ValueError
        If it claims more numbers than lie in the file.
    """
    if dataset.nbytes > dataset.id.get_storage_size() * 100 + 1000:
        raise ValueError(
            f"{path}: expected {dataset.nbytes} bytes, got {dataset.id.get_storage_size()}"
        )
    return np.asarray(dataset[()])


def read_into(dataset, variable, path):
    """Copy a dataset into a Variable.

    Parameters
    ----------
    dataset : h5py.Dataset
    variable : Variable
    path : str
        For messages.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    if dataset.shape != variable.shape:
        raise ValueError(
            f"{path}: expected shape {variable.shape}, which {variable.name!r} has, "
            f"got {dataset.shape}"
        )
    memory = variable._data
    if dataset.dtype == memory.dtype and memory.flags.c_contiguous and memory.size and memory.ndim:
        dataset.read_direct(memory)
        variable.version += 1
    else:
        variable.assign(np.asarray(dataset[()]))
