"""Steps: the entries of `layers=` or `callbacks=`, each under a name by which it can be set."""

from nnlite.configurable import Configurable, snake_case, unique_name
from nnlite.engine.symbolic import layer_of
from nnlite.estimators.architecture import Stack, is_sizes
from nnlite.layers import Layer
from nnlite.models.sequential import Sequential


def steps_of(value, taken=()):
    """The steps of a list, tuple, Stack or Sequential, each with its name.

    Parameters
    ----------
    value : object
        Each entry is a step or (name, step).
    taken : collection of str
        Names that the `name=` of a layer cannot give to its step.

    Returns
    -------
    list of (name, step)
        Empty if `value` is of another type. A step is named by its entry, else by the layer's
        `name=`, else by its class in snake case and the lowest number that is free: 'dense_1',
        'dense_2'. The name is None if the step is none of these, such as None.
    """
    if not isinstance(value, (list, tuple, Stack, Sequential)) or is_sizes(value):
        return []
    entries = [_entry(entry, taken) for entry in entries_of(value)]
    used, found = {name for name, _ in entries}, []
    for name, step in entries:
        if name is None and isinstance(step, Configurable):
            name = unique_name(snake_case(type(step).__name__), used, start=1)
            used.add(name)
        found.append((name, step))
    return found


def entries_of(value):
    """The entries of a list, tuple, Stack or Sequential as they were given."""
    if isinstance(value, Sequential):
        return value._sublayers
    return value.layers if isinstance(value, Stack) else value


def is_named(entry):
    """Whether an entry is (name, step)."""
    return isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)


def _entry(entry, taken):
    """The name that an entry was given, or None, and its step."""
    if is_named(entry):
        return entry[0], layer_of(entry[1])
    step = layer_of(entry)
    name = step._given.get("name") if isinstance(step, Layer) else None
    legal = isinstance(name, str) and name and "__" not in name and name not in taken
    return (name if legal else None), step


def with_step(value, number, step, name=None):
    """A copy of a list, tuple, Stack or Sequential with another step at index `number`.

    The step keeps the name of its entry, else it gets `name`, if there is one. A Sequential cannot
    hold names and becomes a Stack.
    """
    entries = list(entries_of(value))
    name = entries[number][0] if is_named(entries[number]) else name
    entries[number] = step if name is None else (name, step)
    return type(value)(entries) if isinstance(value, (list, tuple)) else Stack(*entries)


def check_names(settings, lists):
    """Raise a ValueError if names of steps collide with each other or with settings.

    Parameters
    ----------
    settings : collection of str
        The names of the estimator's settings.
    lists : dict of str to object
        The name of each setting that has steps, and its value.
    """
    used = set()
    for setting, value in lists.items():
        for entry, (name, _) in zip(entries_of(value), steps_of(value, settings)):
            if name is None:
                continue
            if name in used:
                raise ValueError(f"{setting}: expected every step's name once, got {name!r} twice")
            used.add(name)
            if is_named(entry) and (not name or "__" in name or name in settings):
                raise ValueError(
                    f"{setting}: expected names of steps without '__' that are none of the "
                    f"estimator's settings, got {name!r}; those are {', '.join(settings)}"
                )
