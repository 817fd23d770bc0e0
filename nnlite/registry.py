"""Objects by name: `get('adam')`, `get('Adam')`, `get(Adam())` and `get({'class_name': 'Adam'})`
are equivalent. Classes and functions of one's own get a name by `register_keras_serializable` or in
a `custom_object_scope`."""

import contextvars
import importlib

import numpy as np

from nnlite.configurable import snake_case
from nnlite.errors import did_you_mean, prefixed

_objects = {}  # registered name -> class or function, in the whole process
_names = {}  # class or function -> its registered name
_scope = contextvars.ContextVar("nnlite custom objects", default=None)  # of `custom_object_scope`


def register_keras_serializable(package="Custom", name=None):
    """A decorator that gives a class or function of one's own a name, by which configs refer to it.

    Parameters
    ----------
    package : str, default 'Custom'
        The registered name is 'package>name'.
    name : str, optional
        By default the name of the class or function.

    Raises
    ------
    ValueError
        If a class has no `get_config`.

    Examples
    --------
    >>> from nnlite import regularizers, saving
    >>> @saving.register_keras_serializable(package="mine")
    ... class Largest(regularizers.Regularizer):
    ...     pass
    >>> regularizers.get("mine>Largest")
    Largest()
    """

    def register(target):
        if isinstance(target, type) and not hasattr(target, "get_config"):
            raise ValueError(
                f"{target.__name__}: expected a class with get_config() to be registered"
            )
        registered = f"{package}>{name or target.__name__}"
        _objects[registered], _names[target] = target, registered
        return target

    return register


def get_registered_name(obj):
    """The name under which a class or function was registered; otherwise its own name.

    Parameters
    ----------
    obj : class or function
    """
    return _names.get(obj, getattr(obj, "__name__", str(obj)))


def get_registered_object(name, custom_objects=None, module_objects=None):
    """The class or function that a name stands for; None if it stands for none.

    Parameters
    ----------
    name : str
    custom_objects, module_objects : dict of str to class or function, optional
        Where to look, too: after the scope and the registered objects.
    """
    for objects in (_scope.get(), _objects, custom_objects, module_objects):
        if objects and name in objects:
            return objects[name]
    return None


def get_custom_objects():
    """The registered classes and functions by name: a dict that may be changed."""
    return _objects


class CustomObjectScope:
    """A `with` block in which names stand for classes and functions of one's own, in this thread.

    Parameters
    ----------
    custom_objects : dict of str to class or function

    Examples
    --------
    >>> from nnlite import activations, ops, saving
    >>> with saving.custom_object_scope({"cube": lambda x: x * x * x}):
    ...     activations.get("cube")(ops.ones(())).item()
    1.0
    """

    def __init__(self, custom_objects):
        self.custom_objects = dict(custom_objects or {})

    def __enter__(self):
        self._before = _scope.get()
        _scope.set({**(self._before or {}), **self.custom_objects})
        return self

    def __exit__(self, *error):
        _scope.set(self._before)


custom_object_scope = CustomObjectScope


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
        known = [n for n in names if n.islower()] + [*_objects]
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
    return found.from_config(made_from(settings)) if isinstance(found, type) else found


def made_from(config):
    """What `saving.serialize_keras_object` made a config of.

    Parameters
    ----------
    config : dict, list, str, number or None
    """
    if isinstance(config, list):
        return [made_from(entry) for entry in config]
    if not isinstance(config, dict):
        return config
    name, inner = config.get("class_name"), config.get("config")
    if name == "__tuple__":
        return tuple(made_from(entry) for entry in config["items"])
    if name == "__numpy__":
        return np.array(inner["value"], inner["dtype"])
    if name is None or "config" not in config:
        return {key: made_from(value) for key, value in config.items()}
    function = name == "function"
    found = _found(config, inner if function else name)
    return found if function else found.from_config(made_from(inner))


def _found(config, name):
    """The class or function of a config: a registered one, or one of nnlite."""
    for known in (config.get("registered_name"), name):
        if known is not None and (found := get_registered_object(known)) is not None:
            return found
    package, _, rest = str(config.get("module")).partition(".")
    rest = rest.removeprefix("src.")
    for path in (rest, rest.split(".")[0]) if package in ("nnlite", "keras") else ():
        try:
            return getattr(importlib.import_module(f"nnlite.{path}"), name)
        except (ImportError, AttributeError):
            pass
    raise ValueError(
        f"{name!r}: expected a class or function of nnlite, or one that "
        "register_keras_serializable or custom_objects makes known, got one of "
        f"{config.get('module')!r}"
    )
