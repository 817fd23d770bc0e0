"""The state of a model by paths, as Keras's files have it: 'layers/dense_1/vars/0'.

A path goes by attributes. In a list of layers the name is that of the class, numbered, not that of
the layer. What only nnlite has, such as the draws that a Dropout made, stands under 'nnlite'."""

import warnings

from nnlite import warn
from nnlite.configurable import snake_case
from nnlite.engine.tensor import Variable
from nnlite.layers.tracking import Tracked
from nnlite.saving import hdf5
from nnlite.saving.filling import fill
from nnlite.saving.own_state import load_own_arrays, own_arrays, saves_itself

OWN = "nnlite"  # where the state stands that Keras does not have
_KERAS_NAMES = {"Model": "functional", "GroupQueryAttention": "grouped_query_attention"}


def state_of(model, optimizer=True):
    """Every Variable of a model by its path.

    Parameters
    ----------
    model : Model
        Built.
    optimizer : bool, default True
        Whether its slots belong to it.

    Returns
    -------
    variables : dict of str to Variable
    parts : dict of str to Layer or Optimizer
        By path, also those without Variables.
    """
    variables, parts = {}, {}
    _add(model, "", variables, parts, {})
    if optimizer and model.optimizer is not None and model.optimizer.built:
        parts["optimizer"] = model.optimizer
        for i, variable in enumerate(model.optimizer.variables):
            variables[f"optimizer/vars/{i}"] = variable
    return variables, parts


def _add(part, path, variables, parts, seen):
    """Add the Variables of a layer, and those of the layers in it."""
    if id(part) in seen:
        return
    seen[id(part)] = part
    parts[path] = part
    own = part._weights_in_order()
    for i, variable in enumerate(own):
        variables[_joined(path, "vars", str(i))] = variable
    held = sorted(part._held(), key=lambda item: (item[0][0] == "_", item[0]))
    weights = {id(v) for v in own}
    for name, value in held:
        if isinstance(value, Variable) and id(value) not in weights:
            variables[_joined(OWN, path, name)] = value
    if getattr(part, "_called_graph", lambda: None)() is not None or hasattr(part, "_layers"):
        _add_all(part.layers, _joined(path, "layers"), variables, parts, seen)
    for name, value in held:
        if name == "_layers":
            continue
        if isinstance(value, Tracked):
            _add(value, _joined(path, name), variables, parts, seen)
        elif isinstance(value, (list, tuple, dict)):
            _add_all(value, _joined(path, name), variables, parts, seen)


def _add_all(held, path, variables, parts, seen):
    """Add the layers in a list, tuple or dict, by the names of their classes; what contains itself
    is gone through once."""
    if id(held) in seen:
        return
    seen[id(held)] = held  # a list that is kept cannot lend its id to the next one
    counts = {}
    for part in list(held.values() if isinstance(held, dict) else held):
        if isinstance(part, Tracked):
            key = _KERAS_NAMES.get(type(part).__name__) or snake_case(type(part).__name__)
        elif isinstance(part, (list, tuple, dict)):
            key = "container"
        else:
            continue
        counts[key] = number = counts.get(key, -1) + 1
        inner = _joined(path, f"{key}_{number}" if number else key)
        add = _add if isinstance(part, Tracked) else _add_all
        add(part, inner, variables, parts, seen)


def name_at(path, parts):
    """What messages call a part of a model: a layer or optimizer has a name, other state its path.

    Parameters
    ----------
    path : str
    parts : dict of str to Layer or Optimizer
        Of `state_of`.
    """
    return parts[path].name if path in parts else path


def _joined(*parts):
    return "/".join(part for part in parts if part)


def save_state(file, model, optimizer=True):
    """Write the state of a model into an open HDF5 file.

    Parameters
    ----------
    file : h5py.Group
    model : Model
        Built.
    optimizer : bool, default True
        Whether that of its optimizer, too.
    """
    variables, parts = state_of(model, optimizer)
    savers = _savers(parts)
    arrays = {p: _for_keras(p, v) for p, v in variables.items() if _group(p) not in savers}
    for path, part in savers.items():
        arrays |= {f"{path}/{name}": values for name, values in own_arrays(part).items()}
    hdf5.write_arrays(file, arrays, {path: part.name for path, part in parts.items()})


def _savers(parts):
    """The layers that say which arrays a file gets, by the group of these."""
    return {_joined(path, "vars"): part for path, part in parts.items() if saves_itself(part)}


def _group(path):
    return path.rpartition("/")[0]


def _for_keras(path, variable):
    """The values of a Variable in the type that Keras has there."""
    values = variable._data
    return values.astype("int64") if path == "optimizer/vars/0" else values


def load_state(file, model, skip_mismatch=False):
    """Read the state of a model, and that of its optimizer if it is built, from an open HDF5 file.

    Parameters
    ----------
    file : h5py.Group
    model : Model
        Built.
    skip_mismatch : bool, default False
        Whether a layer that does not fit is left as it is, with a warning.

    Raises
    ------
    ValueError
        If a weight is missing or has another shape. Nothing is changed then.
    """
    variables, parts = state_of(model)
    savers, entries = _savers(parts), {}
    for path, variable in variables.items():
        if _group(path) in savers:
            continue
        part = path.rpartition("/vars/")[0]
        dataset = hdf5.found_dataset(file, path)
        if dataset is not None or not path.startswith(f"{OWN}/"):
            entries.setdefault(part, []).append((path, variable, dataset))
    found = hdf5.found_group(file, "optimizer/vars") or ()
    if len(found) != len(entries.get("optimizer", ())):
        entries.pop("optimizer", None)
        if model.optimizer is not None and len(found) > 2:  # else it had made no step
            _warn_of_optimizer(model, len(found))
    fill([(name_at(path, parts), found) for path, found in entries.items()], skip_mismatch)
    for path, part in savers.items():
        load_own_arrays(file, path, part)


def in_order(optimizer, variables):
    """An optimizer of the same state, with the slots of some variables in their order.

    Parameters
    ----------
    optimizer : Optimizer or None
    variables : list of Variable
        Those that it changes.
    """
    return optimizer if optimizer is None or not optimizer.built else optimizer._in_order(variables)


def build_optimizer(file, model):
    """Build the optimizer of a model, if a file holds the state of one.

    Parameters
    ----------
    file : h5py.Group
    model : Model
        Built.
    """
    if model.optimizer is not None and hdf5.found_group(file, "optimizer/vars") is not None:
        model.optimizer.build(model.trainable_weights)


def _warn_of_optimizer(model, count):
    optimizer = model.optimizer
    reason = (
        f"expected {len(optimizer.variables)} values, got {count}"
        if optimizer.built
        else "it is not built; call model.optimizer.build(model.trainable_weights) before, "
        "to go on with the training of the file"
    )
    warnings.warn(
        f"model {model.name!r}: the state of the optimizer is not read: {reason}",
        UserWarning,
        stacklevel=warn.levels_to_the_caller(),
    )
