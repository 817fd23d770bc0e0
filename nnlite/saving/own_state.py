"""State that layers of one's own write and read themselves, as in Keras: arrays, by
`save_own_variables` and `load_own_variables`."""

import numpy as np

from nnlite.errors import prefixed
from nnlite.saving import hdf5


def own_arrays(part):
    """What a layer's `save_own_variables` writes, by name.

    Parameters
    ----------
    part : Layer

    Returns
    -------
    dict of str to array
    """
    store = {}
    part.save_own_variables(store)
    if bad := [name for name in store if not isinstance(name, str) or "/" in name]:
        raise ValueError(
            f"layer {part.name!r}: save_own_variables: expected names without '/', got {bad[0]!r}"
        )
    return {name: np.asarray(value) for name, value in store.items()}


def load_own_arrays(file, place, part):
    """Let a layer read what its `save_own_variables` wrote.

    Parameters
    ----------
    file : h5py.Group
    place : str
        The group of the layer's arrays.
    part : Layer
    """
    group = hdf5.found_group(file, place)
    store = {}
    for name in () if group is None else group:
        dataset = hdf5.found_dataset(file, f"{place}/{name}")
        if dataset is not None:
            store[name] = hdf5.array_of(dataset, f"{place}/{name}")
    with prefixed(f"{place}: "):
        part.load_own_variables(store)
