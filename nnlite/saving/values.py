"""Settings as data that JSON holds, from which they come back exactly: their types, every bit.

In the data a dict has a single key, which says what kind of value it stands for. None, booleans,
whole numbers, finite floats, strings and lists stand for themselves."""

import base64
import functools
import inspect
import math
import pathlib

import numpy as np

from nnlite.configurable import Configurable
from nnlite.engine.symbolic import Symbol, layer_of
from nnlite.errors import prefixed
from nnlite.serialization import FAMILIES, described_place, found_by, made_from
from nnlite.serialization import serialize_keras_object as in_keras_form

_CLASSES = (*FAMILIES, "callbacks", "architecture")  # families whose public classes may be settings
_FUNCTIONS = ("activations", "constraints", "initializers", "losses", "metrics", "regularizers")
_MOST_BYTES = 1 << 26  # of an array of strings
_AS_BYTES, _AS_STRINGS, _AS_OBJECTS = "biufcmMS", "U", "O"  # kinds of arrays


def described(value):
    """The data of a value.

    Parameters
    ----------
    value : object

    Raises
    ------
    TypeError
        If it cannot be described: a lambda, an open file, an object without `get_config`.
    """
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if kind is list:
        return [described(part) for part in value]
    if kind in _PLAIN:
        tag, data_of, _ = _PLAIN[kind]
        return {tag: data_of(value)}
    if isinstance(value, np.generic):
        return {"number": _array_data(np.asarray(value))}
    if isinstance(value, np.dtype):
        return {"dtype": _type_name(value)}
    if isinstance(value, pathlib.PurePath):
        return {"path": str(value)}
    if isinstance(value, np.random.RandomState) and value.get_state()[0] == "MT19937":
        return {"random state": described(value.get_state(legacy=False))}
    if inspect.isfunction(value) and value.__name__ != "<lambda>":
        return {"function": described_place(value, _CLASSES)}
    if isinstance(value, Symbol):
        return described(layer_of(value))
    if isinstance(value, type) and hasattr(value, "get_config"):
        return {"class": described_place(value, _CLASSES)}
    if hasattr(kind, "_is_functional") and value._is_functional:  # a graph of layers
        return {"model": in_keras_form(value)}
    if hasattr(value, "get_config") and not isinstance(value, type):
        settings = value._given if isinstance(value, Configurable) else value.get_config()
        with prefixed(f"{kind.__name__}: "):
            return {"object": [described_place(kind, _CLASSES), _settings_data(settings)]}
    raise TypeError(
        "expected what a file can describe, such as a number, a string, an array, a function with "
        f"a name or an object with get_config(), got {value!r:.200}"
    )


def _settings_data(settings):
    found = {}
    for name, value in settings.items():
        with prefixed(f"{name}: "):
            found[name] = described(value)
    return found


def revived(data):
    """The value that data describe.

    Parameters
    ----------
    data : dict, list, str, number or None
        As `described` gives it.

    Raises
    ------
    ValueError
        If they are not of that form, or name what nobody knows. No code is taken from the data.
    """
    if isinstance(data, list):
        return [revived(part) for part in data]
    if not isinstance(data, dict):
        return data
    if len(data) == 1:
        ((tag, content),) = data.items()
        if tag in _REVIVE:
            with prefixed(f"{tag}: "):
                try:
                    return _REVIVE[tag](content)
                except _NOT_OF_THE_FORM as error:
                    raise ValueError(f"{type(error).__name__}: {error}") from error
    raise ValueError(
        f"expected a dict with one of the keys {', '.join(_REVIVE)}, got {data!r:.100}"
    )


_NOT_OF_THE_FORM = (
    AttributeError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    TypeError,
)


def _array_data(array):
    """[type, shape, values] of an array."""
    name, shape = _type_name(array.dtype), list(array.shape)
    if array.dtype.kind in _AS_BYTES:
        return [name, shape, _text(array.tobytes())]
    return [name, shape, [described(value) for value in array.reshape(-1).tolist()]]


def _type_name(dtype):
    kinds = _AS_BYTES + _AS_STRINGS + _AS_OBJECTS
    if dtype.names or dtype.subdtype or dtype.kind not in kinds or not dtype.itemsize:
        raise TypeError(f"expected an array of numbers, times or strings, got dtype {dtype}")
    return dtype.str


def _array(content):
    name, shape, values = content
    dtype = np.dtype(name)
    _type_name(dtype)
    if dtype.kind in _AS_BYTES:
        return np.frombuffer(base64.b64decode(values), dtype).reshape(shape).copy()
    if dtype.itemsize * len(values) > _MOST_BYTES:
        raise ValueError(f"expected at most {_MOST_BYTES} bytes, got {len(values)} of {dtype}")
    array = np.empty(len(values), dtype)
    for i, value in enumerate(values):
        array[i] = revived(value)
    return array.reshape(shape)


def _text(content):
    return base64.b64encode(content).decode()


def _random_state(content):
    state = np.random.RandomState(0)
    state.set_state(revived(content))
    return state


def _function(content):
    found = found_by(content, content.get("class_name"), _FUNCTIONS)
    if not callable(found) or isinstance(found, type):
        raise ValueError(f"expected a function, got {found!r:.100}")
    return found


def _class(content):
    found = found_by(content, content.get("class_name"), _CLASSES)
    if not isinstance(found, type) or not hasattr(found, "get_config"):
        raise ValueError(f"expected a class with get_config(), got {found!r:.100}")
    return found


def _object(content):
    place, data = content
    found, settings = _class(place), {}
    with prefixed(f"{found.__name__}: "):
        for name, value in data.items():
            with prefixed(f"{name}: "):
                settings[name] = revived(value)
        if not issubclass(found, Configurable):
            return found.from_config(settings)
        try:
            return found(**settings)
        except (TypeError, ValueError):  # of a setting that `fit` is to refuse
            if not settings.keys() <= found._signature().keys():
                raise
            return found._unchecked(settings)


def _partial(content):
    function, args, keywords = revived(content)
    return functools.partial(function, *args, **keywords)


def _of_parts(kind):
    return lambda value: [described(part) for part in value], lambda data: kind(revived(data))


# Type -> (its key in the data, what is written, the value from that)
_PLAIN = {
    bytes: ("bytes", _text, base64.b64decode),
    complex: (
        "complex",
        lambda value: [described(value.real), described(value.imag)],
        lambda data: complex(*revived(data)),
    ),
    dict: (
        "dict",
        lambda value: [[described(key), described(part)] for key, part in value.items()],
        lambda data: dict(revived(data)),
    ),
    frozenset: ("frozenset", *_of_parts(frozenset)),
    functools.partial: (
        "partial",
        lambda value: described([value.func, list(value.args), value.keywords]),
        _partial,
    ),
    np.ndarray: ("array", _array_data, _array),
    range: (
        "range",
        lambda value: [value.start, value.stop, value.step],
        lambda data: range(*data),
    ),
    set: ("set", *_of_parts(set)),
    slice: (
        "slice",
        lambda value: described([value.start, value.stop, value.step]),
        lambda data: slice(*revived(data)),
    ),
    tuple: ("tuple", *_of_parts(tuple)),
    type(...): ("ellipsis", lambda value: None, lambda data: ...),
}
_REVIVE = {
    **{tag: revive for tag, _, revive in _PLAIN.values()},
    "class": _class,
    "dtype": np.dtype,
    "float": float,
    "function": _function,
    "model": made_from,
    "number": lambda data: _array(data)[()],
    "object": _object,
    "path": pathlib.Path,
    "random state": _random_state,
}
