"""State that layers of one's own write and read themselves, as in Keras: arrays, by
`save_own_variables` and `load_own_variables`."""

import warnings

import numpy as np

from nnlite import warn
from nnlite.engine.tensor import Variable
from nnlite.errors import prefixed
from nnlite.layers.tracking import Tracked
from nnlite.saving import hdf5


def saves_itself(part):
    """Whether a layer itself says which arrays a file gets, or takes them itself.

    Parameters
    ----------
    part : Layer or Optimizer
    """
    return isinstance(part, Tracked) and any(
        getattr(type(part), name) is not getattr(Tracked, name)
        for name in ("save_own_variables", "load_own_variables")
    )


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


def warn_of_own_state(parts, where):
    """Warn of layers that save more than Variables, before these alone are written.

    Parameters
    ----------
    parts : dict of str to Layer or Optimizer
        By path.
    where : str
        What gets the Variables alone.
    """
    left = [part.name for part in parts.values() if _has_more_than_variables(part)]
    if left:
        warnings.warn(
            f"{where} holds only the weights and other Variables of a layer. It does not hold all "
            f"that {', '.join(map(repr, left))} saves by save_own_variables or save_assets: "
            "files .keras do, and .weights.h5 but for save_assets",
            UserWarning,
            stacklevel=warn.levels_to_the_caller(),
        )


def _has_more_than_variables(part):
    if hasattr(part, "save_assets"):
        return True
    if not saves_itself(part):
        return False
    held = [value for _, value in part._held()]
    known = part._weights_in_order() + [v for v in held if isinstance(v, Variable)]
    return not all(
        any(np.array_equal(values, v._data, equal_nan=True) for v in known)
        for values in own_arrays(part).values()
    )
