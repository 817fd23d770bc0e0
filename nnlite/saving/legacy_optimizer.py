"""The state of an optimizer in files `.h5`: a list of names, whose order and form differ between
the versions of Keras."""

import re
import warnings

from nnlite import warn
from nnlite.configurable import unique_name
from nnlite.saving import hdf5
from nnlite.saving.filling import fill

_NAMES = "weight_names"
_STEPS = re.compile(r"(^|/)(iterations?|iter)(_\d+)?(:\d+)?$")
_RATE = re.compile(r"(^|/)learning_rate(_\d+)?(:\d+)?$")
_OWN = re.compile(r"(^|/)(momentum_cache|m_schedule|product|variable)(_\d+)?(:\d+)?$")  # of Nadam


def write(group, optimizer, names):
    """Write the state of an optimizer, in Keras 3's order.

    Parameters
    ----------
    group : h5py.Group
    optimizer : Optimizer
        Built.
    names : dict of int to str
        The name of each weight of the model, by its id.
    """
    arrays, of_slots = {}, {}
    for weight, made in optimizer._slots.values():
        name = names.get(id(weight), weight.name).replace("/", "_")
        of_slots |= {id(v): f"{name}_{kind}" for kind, v in made.items()}
    for variable in optimizer.variables:
        name = of_slots.get(id(variable), variable.name)
        name = "iteration" if variable is optimizer._iterations else name
        values = variable._data
        if variable is optimizer._iterations:
            values = values.astype("int64")
        arrays[unique_name(f"{optimizer.name}/{name}", arrays)] = values
    hdf5.write_names(group, _NAMES, list(arrays))
    hdf5.write_arrays(group, arrays)


def read(group, model, weights):
    """Read the state of the optimizer of a model. If the file holds that of another, a warning says
    so and the optimizer keeps its initial state.

    Parameters
    ----------
    group : h5py.Group
    model : Model
        Compiled; its optimizer is not built.
    weights : list of Variable
        What training changes, in the order of the file.
    """
    optimizer = model.optimizer
    optimizer.build(model.trainable_weights)
    names = hdf5.names_in(group, _NAMES, "optimizer_weights")
    try:
        places = _places(names, optimizer, weights)
        entries = [(name, v, hdf5.found_dataset(group, name)) for name, v in places]
        fill([("optimizer", entries)])
    except ValueError as error:
        warnings.warn(
            f"model {model.name!r}: the optimizer keeps its initial state: {error}",
            UserWarning,
            stacklevel=warn.levels_to_the_caller(),
        )


def _places(names, optimizer, weights):
    """(name in the file, Variable) of the state of an optimizer."""
    slots = {id(weight): made for weight, made in optimizer._slots.values()}
    steps = next((name for name in names if _STEPS.search(name)), "")
    found = [(steps, optimizer._iterations)] if steps else []
    of_slots = {id(v) for made in slots.values() for v in made.values()}
    own = [v for v in optimizer.variables if id(v) not in of_slots]
    own = own[1:] if callable(optimizer._source) else own[2:]  # Nadam has one more
    left = []
    for name in names:
        if name == steps:
            continue
        if _RATE.search(name) and not callable(optimizer._source):
            found.append((name, optimizer.learning_rate))
        elif _OWN.search(name) and own:
            found.append((name, own.pop(0)))
        else:
            left.append(name)
    if not slots or not any(slots.values()):  # what SGD keeps in vain without momentum
        return found
    order = _order(left, steps, optimizer, [slots[id(weight)] for weight in weights])
    return found + [(name, slots[id(weights[i])][kind]) for name, i, kind in order]


def _order(names, steps, optimizer, slots):
    """(name in the file, number of the weight, kind) of what is kept for each weight."""
    kinds, count = [*optimizer.slots()], len(slots)
    together = [kind for kind in kinds if kind not in optimizer._slots_apart]
    groups = [["average"]] * bool(optimizer.use_ema)
    groups += [["gradient_accumulator"]] * bool(optimizer.gradient_accumulation_steps)
    if _is_of_keras_3(steps) or _is_by_weight(names):
        groups += [together, *([kind] for kind in kinds if kind not in together)]
    else:
        groups += [[kind] for kind in kinds]
    order = [
        (i, kind)
        for group in groups
        for i, made in enumerate(slots)
        for kind in group
        if kind in made
    ]
    alike = len({frozenset(made) for made in slots}) == 1
    if len(names) < len(order) or (alike and len(names) % count):
        raise ValueError(
            f"expected {len(order) // count} values for each of {count} weights that training "
            f"changes, got {len(names)} in all"
        )
    return [(name, *place) for name, place in zip(names, order)]


def _is_of_keras_3(steps):
    """Whether the name of the number of steps is that of Keras 3, or of 2.11 and later: those keep
    the values of a weight together."""
    return _STEPS.search(steps) is not None and "iterations" not in steps and "iter:" not in steps


def _is_by_weight(names):
    """Whether the first two values are of one weight: 'a/kernel/accumulator', 'a/kernel/linear'."""
    if len(names) < 2 or "/" not in names[0]:
        return False
    (where, kind), (other, second) = (
        (n.rpartition("/")[0], n.rpartition("/")[2]) for n in names[:2]
    )
    return where == other and kind.rstrip("_:0123456789") != second.rstrip("_:0123456789")
