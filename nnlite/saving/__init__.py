"""Objects as plain dicts, which JSON holds, and names for classes and functions of one's own."""

import importlib
import inspect

import numpy as np

from nnlite.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    made_from,
    register_keras_serializable,
)

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "register_keras_serializable",
    "serialize_keras_object",
]


def serialize_keras_object(obj):
    """An object with settings, or a structure of such, as plain dicts, lists, strings and numbers.

    Parameters
    ----------
    obj : object
        What has a `get_config`, a function, a number, a string, None, an array, or a list, tuple or
        dict of these.

    Returns
    -------
    dict, list, str, number or None

    Raises
    ------
    TypeError
        If something of another kind is found.

    Examples
    --------
    >>> from nnlite import regularizers, saving
    >>> saving.serialize_keras_object(regularizers.L2(0.5))["config"]
    {'l2': 0.5}
    """
    if obj is None or isinstance(obj, (str, bool, int, float)):
        return obj
    if isinstance(obj, (list, dict)):
        entries = obj.items() if isinstance(obj, dict) else enumerate(obj)
        made = {key: serialize_keras_object(value) for key, value in entries}
        return made if isinstance(obj, dict) else list(made.values())
    if isinstance(obj, tuple):
        return {"class_name": "__tuple__", "items": [serialize_keras_object(v) for v in obj]}
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, np.ndarray):
        return {
            "class_name": "__numpy__",
            "config": {"value": obj.tolist(), "dtype": str(obj.dtype)},
        }
    if inspect.isfunction(obj):
        return {
            "module": _module(obj),
            "class_name": "function",
            "config": obj.__name__,
            "registered_name": _registered(obj),
        }
    if not hasattr(obj, "get_config"):
        raise TypeError(
            f"serialize_keras_object: expected an object with get_config(), got {obj!r}"
        )
    return {
        "module": _module(type(obj)),
        "class_name": type(obj).__name__,
        "config": serialize_keras_object(obj.get_config()),
        "registered_name": _registered(type(obj)),
    }


def deserialize_keras_object(config, custom_objects=None):
    """The object of which `serialize_keras_object` made a config.

    Parameters
    ----------
    config : dict, list, str, number or None
    custom_objects : dict of str to class or function, optional
        Classes and functions of one's own by name.

    Raises
    ------
    ValueError
        If a class or function is not known: neither nnlite's, nor registered, nor given.

    Examples
    --------
    >>> from nnlite import losses, saving
    >>> saving.deserialize_keras_object(saving.serialize_keras_object(losses.Huber(2.0))).delta
    2.0
    """
    with custom_object_scope(custom_objects):
        return made_from(config)


def _module(target):
    """Where a class or function is public: 'nnlite.losses'; None if it is not nnlite's."""
    if not target.__module__.startswith("nnlite."):
        return None
    family = ".".join(target.__module__.split(".")[:2])
    public = getattr(importlib.import_module(family), target.__name__, None)
    return family if public is target else target.__module__


def _registered(target):
    name = get_registered_name(target)
    return name if ">" in name or _module(target) is None else None
