"""Objects by name: `get('adam')`, `get('Adam')`, `get(Adam())` and `get({'class_name': 'Adam'})`
are equivalent. And the pair `serialize`, `deserialize` of a family."""

import inspect

from nnlite.configurable import snake_case
from nnlite.errors import did_you_mean, prefixed
from nnlite.registry import custom_object_scope, get_custom_objects, get_registered_object
from nnlite.serialization import made_from, made_of, serialize_keras_object


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
        found = _configured(kind, identifier, names)
        if not accepts(found):
            raise ValueError(f"{kind}: expected the config of one, got {identifier!r:.200}")
        return found
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
    if "module" in config and name != "function" and name not in names and not registered:
        return made_from(config)  # of another family, such as a layer for an activation
    if not isinstance(name, str) or not isinstance(settings, (dict, str)):
        raise ValueError(
            f"{kind}: expected a dict with a 'class_name' and the 'config' of that class, "
            f"got {config!r}"
        )
    if isinstance(settings, str):  # of a function, its name
        return registered or _named(kind, settings, names)
    found = registered or _named(kind, name, names)
    return made_of(found, settings) if isinstance(found, type) else found


def as_dicts(module, kind, get, example, serialized=serialize_keras_object):
    """The functions `serialize` and `deserialize` of a family.

    Parameters
    ----------
    module : str
        The family's `__name__`.
    kind : str
        What the family holds: 'loss', 'learning_rate_schedule', ...; the parameter of `serialize`.
    get : function of dict, or class
        Gives the object of a config; or what the object must be of.
    example : str
        An object, as it is written with the family's name.
    serialized : function of an object, optional
        Gives its config.

    Returns
    -------
    (function, function)
    """
    family, words = module.removeprefix("nnlite."), kind.replace("_", " ")
    signature = inspect.Signature(
        [inspect.Parameter(kind, inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    )

    def serialize(*args, **kwargs):
        (obj,) = signature.bind(*args, **kwargs).arguments.values()
        with prefixed(f"{kind}: "):
            return serialized(obj)

    def deserialize(config, custom_objects=None):
        with custom_object_scope(custom_objects), prefixed("config: "):
            return _made(config, get, module) if isinstance(get, type) else get(config)

    serialize.__signature__ = signature
    for function, text in ((serialize, _SERIALIZE), (deserialize, _DESERIALIZE)):
        text = f"{text}{_EXAMPLE}"
        function.__doc__ = text.format(kind=kind, words=words, family=family, example=example)
        function.__module__, function.__qualname__ = module, function.__name__
    return serialize, deserialize


def _made(config, cls, module):
    """The object of a class that a config describes, which need not say the module."""
    made = made_from({"module": module, **config}) if isinstance(config, dict) else config
    if not isinstance(made, cls):
        raise ValueError(f"expected that of a {cls.__name__}, got {config!r:.200}")
    return made


_EXAMPLE = """
    Examples
    --------
    >>> import nnlite
    >>> config = nnlite.{family}.serialize(nnlite.{family}.{example})
    >>> again = nnlite.{family}.deserialize(config)
    >>> nnlite.{family}.serialize(again) == config
    True
    """
_SERIALIZE = """A {words} as a plain dict, which JSON holds.

    Parameters
    ----------
    {kind} : object or function
        Of `nnlite.{family}`, or one's own.

    Returns
    -------
    dict
        Or the name alone of one of nnlite's activations.

    Raises
    ------
    TypeError
        If it is a lambda, or has no `get_config`: no dict describes it.
"""
_DESERIALIZE = """The {words} of which `serialize`, or Keras, made a dict.

    Parameters
    ----------
    config : dict
        Also one with 'class_name' and 'config' only.
    custom_objects : dict of str to class or function, optional
        Classes and functions of one's own by name.

    Raises
    ------
    ValueError
        If the class or function is not known, or does not take such settings.
"""
