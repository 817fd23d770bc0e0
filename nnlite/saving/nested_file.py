"""Nested values in one file: numbers, strings and arrays in lists, tuples and dicts, with their
types. It is an archive of NumPy (`.npz`): the arrays, and as JSON how they are nested.

Nothing of a file is executed: it holds numbers and text alone."""

import json
import struct
import zipfile
import zlib

import numpy as np

_NESTING = "nesting"  # the member of the archive that is JSON
_PLAIN = (bool, int, float, str, type(None))
_BROKEN = (
    AttributeError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def write(path, value):
    """Write a nested value.

    Parameters
    ----------
    path : path
        A temporary name.
    value : dict, list, tuple, number, string, array or None

    Raises
    ------
    TypeError
        If something else is in it.
    """
    arrays = {}
    nesting = json.dumps(_described(value, arrays)).encode()
    with open(path, "wb") as file:  # np.savez would change the name
        np.savez(file, **{_NESTING: np.frombuffer(nesting, np.uint8)}, **arrays)


def read(path):
    """The nested value that a file holds.

    Parameters
    ----------
    path : path

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not whole.
    """
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                return _rebuilt(json.loads(arrays[_NESTING].tobytes()), arrays)
        except _BROKEN as error:
            raise ValueError(
                f"{path}: expected a whole file of values, got one where {error}"
            ) from None


def _described(value, arrays):
    """A value as JSON has it. An array goes to `arrays` and its number stands in its place."""
    if type(value) in _PLAIN:
        return value
    if type(value) is list:
        return [_described(v, arrays) for v in value]
    if isinstance(value, tuple):
        return {"tuple": [_described(v, arrays) for v in value]}
    if isinstance(value, dict):
        return {"dict": [[_described(part, arrays) for part in item] for item in value.items()]}
    if hasattr(value, "__array__") and (array := np.asarray(value)).dtype.kind in "biufcU":
        arrays[key := str(len(arrays))] = array
        return {"scalar" if isinstance(value, np.generic) else "array": key}
    raise TypeError(f"expected numbers, strings, arrays, lists, tuples and dicts, got {value!r}")


def _rebuilt(part, arrays):
    if isinstance(part, list):
        return [_rebuilt(v, arrays) for v in part]
    if not isinstance(part, dict):
        return part
    ((kind, inner),) = part.items()
    if kind == "tuple":
        return tuple(_rebuilt(v, arrays) for v in inner)
    if kind == "dict":
        return {_rebuilt(key, arrays): _rebuilt(value, arrays) for key, value in inner}
    found = arrays[inner]
    return found[()] if kind == "scalar" else found
