"""Objects by name: `get('adam')`, `get('Adam')`, `get(Adam())` and `get({'class_name': 'Adam'})`
are equivalent."""

from nnlite.configurable import snake_case
from nnlite.errors import did_you_mean, prefixed
from nnlite.registry import get_custom_objects, get_registered_object
from nnlite.serialization import made_of


def find(kind, identifier, names, accepts):
    """The object that `identifier` refers to.

    Parameters
    ----------
    kind : str
        For error messages: 'optimizer', 'loss', ...
    identifier : str, dict, class, object or None
        A class is called without arguments; an object is returned unchanged, and None as well. A
        dict has the keys 'class_name' and 'config', the arguments of the class, in which objects
        may be dicts, too.
    names : dict of str to class or function
        The keys are in snake case, or the names of classes.
    accepts : callable
        Takes an object; returns whether it is valid.

    Raises
    ------
    TypeError
        If `accepts` rejects an object.
    ValueError
        If no object has the name.
    """
    if identifier is None:
        return None
    if isinstance(identifier, str):
        found = _named(kind, identifier, names)
        return found() if isinstance(found, type) else found
    if isinstance(identifier, dict):
        return _configured(kind, identifier, names)
    if isinstance(identifier, type):
        with prefixed(f"{kind} without arguments: "):
            identifier = identifier()
    if accepts(identifier):
        return identifier
    article = "an" if kind[0] in "aeiou" else "a"
    raise TypeError(
        f"expected {article} {kind}, its name or a function, got {identifier!r}; "
        f"known: {_listed(names)}"
    )


def _named(kind, name, names):
    """The class or function of a name."""
    found = get_registered_object(name) or names.get(name) or names.get(snake_case(name))
    if found is None:
        known = [n for n in names if n.islower()] + [*get_custom_objects()]
        raise ValueError(
            f"unknown {kind} {name!r}; known: {_listed(names)}{did_you_mean(name, known)}"
        )
    return found


def _listed(names):
    return ", ".join(sorted(n for n in names if n.islower()))


def _configured(kind, config, names):
    """The object that a dict of 'class_name' and 'config' describes."""
    name, settings = config.get("class_name"), config.get("config", {})
    registered = get_registered_object(config.get("registered_name"))
    if not isinstance(name, str) or not isinstance(settings, (dict, str)):
        raise ValueError(
            f"{kind}: expected a dict with a 'class_name' and the 'config' of that class, "
            f"got {config!r}"
        )
    if isinstance(settings, str):  # of a function, its name
        return registered or _named(kind, settings, names)
    found = registered or _named(kind, name, names)
    return made_of(found, settings) if isinstance(found, type) else found
