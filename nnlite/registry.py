"""Names for classes and functions of one's own: by `register_keras_serializable`, or in a
`custom_object_scope`."""

import contextvars

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

    Raises
    ------
    TypeError
        If it is no dict.

    Examples
    --------
    >>> from nnlite import activations, ops, saving
    >>> with saving.custom_object_scope({"cube": lambda x: x * x * x}):
    ...     activations.get("cube")(ops.ones(())).item()
    1.0
    """

    def __init__(self, custom_objects):
        if not isinstance(custom_objects, (dict, type(None))):
            raise TypeError(
                "custom_objects: expected a dict of classes and functions by name, got "
                f"{custom_objects!r:.100}"
            )
        self.custom_objects = dict(custom_objects or {})

    def __enter__(self):
        self._before = _scope.get()
        _scope.set({**(self._before or {}), **self.custom_objects})
        return self

    def __exit__(self, *error):
        _scope.set(self._before)


custom_object_scope = CustomObjectScope
