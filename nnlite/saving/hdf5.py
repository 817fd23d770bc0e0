"""Arrays in HDF5 files. A file is read by the paths that a model asks for, never by what it claims
to hold, so that its size and its links decide nothing."""

import contextlib
import math

import numpy as np

from nnlite.saving.guarded_file import GuardedFile


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


# What h5py raises for what is not whole; UnicodeError for names.
_UNREADABLE = OSError, RuntimeError, KeyError, MemoryError, OverflowError, TypeError, UnicodeError


@contextlib.contextmanager
def reading(path, file=None):
    """An open HDF5 file.

    Parameters
    ----------
    path : str or path
        What is opened; if `file` is given, what that is called in messages.
    file : file object, optional

    Raises
    ------
    ValueError
        If it is no whole HDF5 file, also from within the block.
    """
    h5py = require_h5py()
    where = "" if file is None else f"{path}: "
    try:
        with contextlib.ExitStack() as stack:
            file = file or stack.enter_context(open(path, "rb", buffering=0))
            yield stack.enter_context(h5py.File(GuardedFile(file), "r"))
    except _UNREADABLE as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise
        raise ValueError(
            f"{where}expected a whole HDF5 file, got one that h5py cannot read: {error}"
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
        group = isinstance(parent, h5py.Group) and part not in ("", ".", "..")
        link = parent.get(part, getlink=True) if group else None
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


def write_names(group, attribute, names):
    """Write a list of names as an attribute, or as several if it is long: an attribute of HDF5
    holds 64 kB.

    Parameters
    ----------
    group : h5py.Group
    attribute : str
    names : list of str
    """
    text = require_h5py().string_dtype()
    pieces = [names[i : i + _MOST_NAMES] for i in range(0, len(names), _MOST_NAMES)] or [[]]
    for i, piece in enumerate(pieces):
        key = attribute if len(pieces) == 1 else f"{attribute}{i}"
        group.attrs.create(key, np.array(piece, object), dtype=text)


_MOST_NAMES = 2000  # in an attribute, of 16 bytes each


def has_names(group, attribute):
    """Whether there is a list of names.

    Parameters
    ----------
    group : h5py.Group
    attribute : str
    """
    return attribute in group.attrs or f"{attribute}0" in group.attrs


def names_in(group, attribute, where):
    """The names that `write_names`, or Keras, wrote.

    Parameters
    ----------
    group : h5py.Group
    attribute : str
    where : str
        For messages.

    Raises
    ------
    ValueError
        If it is no list of names.
    """
    keys, number = [attribute], 0
    if attribute not in group.attrs:
        keys = []
        while f"{attribute}{number}" in group.attrs:
            keys.append(f"{attribute}{number}")
            number += 1
    found = []
    for key in keys:
        values = _attribute(group, key)
        if not isinstance(values, np.ndarray) or values.ndim != 1:
            raise ValueError(f"{where}: {key}: expected a list of names, got {values!r:.100}")
        found += [_text(value, f"{where}: {key}") for value in values]
    return found


def text_in(group, attribute):
    """The text of an attribute; None if there is none.

    Parameters
    ----------
    group : h5py.Group
    attribute : str

    Raises
    ------
    ValueError
        If it is no text.
    """
    return _text(_attribute(group, attribute), attribute) if attribute in group.attrs else None


def _attribute(group, key):
    """The text, or list of texts, of an attribute, after a look at its kind and at the memory that
    it asks for: HDF5 believes what a broken file says of either."""
    found = group.attrs.get_id(key)
    count = math.prod(found.shape or ())
    if count > _MOST_ENTRIES or count * found.dtype.itemsize > _MOST_BYTES:
        raise ValueError(
            f"{key}: expected at most {_MOST_ENTRIES} entries and {_MOST_BYTES >> 20} MB, got "
            f"{count} of {found.dtype.itemsize} bytes"
        )
    if count == 0:  # a list of no names, of any type
        return np.empty(0, object)
    if require_h5py().check_string_dtype(found.dtype) is None:
        raise ValueError(f"{key}: expected text, got {found.dtype}")
    return group.attrs[key]


_MOST_ENTRIES, _MOST_BYTES = 100_000, 1 << 26


def _text(value, where):
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        raise ValueError(f"{where}: expected text, got {value!r:.100}")
    return value
