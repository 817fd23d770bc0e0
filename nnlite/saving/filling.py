"""What a file holds goes into the weights of a model: all of it or nothing."""

import warnings

import numpy as np

from nnlite import warn


def fill(parts, skip_mismatch=False):
    """Copy arrays into Variables: all of them or, if one is missing or has another shape, none.

    Parameters
    ----------
    parts : iterable of (str, list of (str, Variable or None, array or None))
        What a layer is called, and for each of its weights where it stands in the file, for
        messages, and what stands there: an array, or a dataset of h5py.
    skip_mismatch : bool, default False
        Whether a part that does not fit is left as it is, with a warning.

    Raises
    ------
    ValueError
        If a part does not fit.
    """
    taken, skipped = [], []
    for name, entries in parts:
        try:
            for entry in entries:
                _check_fits(*entry)
        except ValueError as error:
            if not skip_mismatch:
                raise
            skipped.append(f"{name!r} ({error})")
        else:
            taken += entries
    if skipped:
        warnings.warn(
            f"skip_mismatch=True: as they were are {len(skipped)} layers: {'; '.join(skipped)}",
            UserWarning,
            stacklevel=warn.levels_to_the_caller(),
        )
    # What is compressed may be broken, which only unpacking tells: that comes first.
    unpacked = [None if getattr(d, "chunks", None) is None else d[()] for _, _, d in taken]
    for (_, variable, dataset), values in zip(taken, unpacked):
        _read_into(dataset, variable, values)


def _check_fits(path, variable, dataset):
    if variable is None:
        raise ValueError(f"{path}: expected no such weight, as the layer of the model has none")
    if dataset is None:
        raise ValueError(f"{path}: expected the values of {variable.name!r}, got none")
    if dataset.shape != variable.shape:
        raise ValueError(
            f"{path}: expected shape {variable.shape}, which {variable.name!r} has, "
            f"got {dataset.shape}"
        )


def _read_into(dataset, variable, values):
    memory = variable._data
    if values is not None:
        variable.assign(values)
    elif (
        hasattr(dataset, "read_direct")
        and dataset.dtype == memory.dtype
        and memory.flags.c_contiguous
        and memory.size
        and memory.ndim
    ):
        dataset.read_direct(memory)
        variable.version += 1
    else:
        variable.assign(np.asarray(dataset[()]))
