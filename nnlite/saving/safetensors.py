"""The format `.safetensors`: arrays by name behind a header of JSON, without any package.

Eight bytes hold the length of the header, little-endian. The header gives each array a type, a
shape and the place of its bytes; under '__metadata__' it has strings. A whole model is its state,
and its description among these strings. The names are the paths of `state.py`, with points."""

import contextlib
import json
import math
import os
import struct
import warnings

import numpy as np

from nnlite import warn
from nnlite.layers.vocabulary import learned_in_configs
from nnlite.saving import torch_weights
from nnlite.saving.bfloat16 import widened
from nnlite.saving.description import description_of, model_of, parsed
from nnlite.saving.own_state import warn_of_own_state
from nnlite.saving.state import OWN, name_at, state_of

_METADATA, _MODEL, _ESTIMATOR = "__metadata__", "nnlite.model", "nnlite.estimator"
_TYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "F16": "<f2",
    "BF16": "<u2",  # the upper half of a float32
    "U32": "<u4",
    "I32": "<i4",
    "F32": "<f4",
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
}
_NAMES = {np.dtype(code): name for name, code in _TYPES.items() if name != "BF16"}
_MOST_AXES = 64
_AT_A_TIME = 1 << 20  # values that are converted at once


def write(path, model, include_optimizer=True, estimator=None):
    """Write a model.

    Parameters
    ----------
    path : str, path or open file
        A temporary name.
    model : Model or None
        None for an estimator that is not fitted.
    include_optimizer : bool, default True
        Whether the state of the optimizer is part of it.
    estimator : str, optional
        What to keep beside it of the estimator whose model it is.
    """
    strings = {"format": "nnlite"}
    if model is not None:
        with learned_in_configs():
            strings[_MODEL] = json.dumps(description_of(model))
    if estimator is not None:
        strings[_ESTIMATOR] = estimator
    arrays = {} if model is None else _arrays(model, include_optimizer)
    with _opened(path, "wb") as file:
        write_arrays(file, arrays, strings)


def read(path, compile):
    """The model that a file holds.

    Parameters
    ----------
    path : str, path or open file
    compile : bool
        Whether to compile it as the file says.
    """
    with _opened(path, "rb") as file:
        return SafetensorsFile(file).model(compile)


def read_estimator(path):
    """What a file keeps of the estimator whose model it holds; None if it keeps nothing.

    Parameters
    ----------
    path : str, path or open file
    """
    with _opened(path, "rb") as file:
        return SafetensorsFile(file).strings.get(_ESTIMATOR)


def write_weights(path, model):
    """Write the weights of a model alone.

    Parameters
    ----------
    path : str or path
        A temporary name.
    model : Model
        Built.
    """
    with _opened(path, "wb") as file:
        write_arrays(file, _arrays(model, False), {"format": "nnlite"})


def read_weights(path, model, skip_mismatch=False, by_name=False):
    """Read the weights of a model, and the state of its optimizer if it is built and the file has
    it.

    Parameters
    ----------
    path : str or path
    model : Model
        Built.
    skip_mismatch : bool, default False
        Whether layers that do not fit are left as they are, with a warning.
    by_name : bool, default False
        Whether each layer gets what stands under its name, in a file of PyTorch's names. In one of
        nnlite's, layers are known by their places.

    Raises
    ------
    ValueError
        If a weight is missing or has another shape, or the file is not whole. No weight is changed
        then.
    """
    with _opened(path, "rb") as file:
        opened = SafetensorsFile(file)
        if opened.is_of_others:
            torch_weights.fill(model, opened.arrays(), skip_mismatch, by_name, in_order=False)
        elif by_name:
            raise ValueError(
                "by_name: expected a file in which layers have names: '.h5', or one of PyTorch"
            )
        else:
            opened.fill(model, skip_mismatch)


def read_arrays(path):
    """The arrays of a file.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    dict of str to array
        bfloat16 becomes float32.
    """
    with _opened(path, "rb") as file:
        return SafetensorsFile(file).arrays()


def _opened(path, mode):
    if hasattr(path, "read"):
        path.seek(0)
        return contextlib.nullcontext(path)
    return open(path, mode, buffering=0)


def _arrays(model, optimizer):
    variables, parts = state_of(model, optimizer)
    warn_of_own_state(parts, "a file .safetensors")
    return {_key(path): v._data for path, v in variables.items()}


def _key(path):
    return path.replace("/", ".")


def write_arrays(file, arrays, strings):
    """Write arrays by name.

    Parameters
    ----------
    file : open file
    arrays : dict of str to array
    strings : dict of str to str
        The metadata.

    Raises
    ------
    ValueError
        If the header would be longer than any reader takes.
    """
    header, end = {_METADATA: dict(strings)}, 0
    wide_first = sorted(arrays.items(), key=lambda item: -item[1].itemsize)  # aligned without holes
    for name, values in wide_first:
        start, end = end, end + values.nbytes
        kind = _NAMES[values.dtype.newbyteorder("<")]
        header[name] = {"dtype": kind, "shape": values.shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    parsed(text, "the header")
    _write(file, struct.pack("<Q", len(text)) + text)
    for _, values in wide_first:
        plain = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        _write(file, plain.reshape(-1).view("u1"))


def _write(file, content):
    memory = memoryview(content)
    while memory:
        memory = memory[file.write(memory) :]


class SafetensorsFile:
    """An open file, whose header was checked.

    Parameters
    ----------
    file : open file

    Raises
    ------
    ValueError
        If the file is not whole or not of this format.

    Attributes
    ----------
    strings : dict of str to str
        The metadata.
    """

    def __init__(self, file):
        self._file = file
        self._read_header()

    def _read_header(self):
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(0)
        start = self._file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > size - 8:
            raise ValueError(
                f"expected a whole .safetensors file, got {size} bytes with a header of {length}"
            )
        header = parsed(self._bytes(8, length), "header")
        strings = header.pop(_METADATA, {})
        if not isinstance(strings, dict) or not all(isinstance(v, str) for v in strings.values()):
            raise ValueError(f"{_METADATA}: expected a dict of strings, got {strings!r:.100}")
        self.strings, self._start = strings, 8 + length
        self._entries = {name: self._entry(name, about) for name, about in header.items()}
        end = 0
        in_order = sorted(self._entries.items(), key=lambda item: item[1][2:])
        for name, (_, _, begin, stop) in in_order:
            if begin != end:
                raise ValueError(f"{name!r}: expected bytes from {end} on, got {begin}")
            end = stop
        if end != size - self._start:
            raise ValueError(f"expected {end} bytes of arrays, got {size - self._start}")

    def _entry(self, name, about):
        """(type, shape, first byte, byte behind the last) of an array."""
        about = about if isinstance(about, dict) else {}
        kind, shape, place = (about.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not isinstance(kind, str) or kind not in _TYPES:
            raise ValueError(f"{name!r}: expected a dtype of {', '.join(_TYPES)}, got {kind!r}")
        if not _are_sizes(shape) or len(shape) > _MOST_AXES:
            raise ValueError(f"{name!r}: expected a shape of integers, got {shape!r:.100}")
        if not _are_sizes(place) or len(place) != 2:
            raise ValueError(f"{name!r}: expected two data_offsets, got {place!r:.100}")
        expected = math.prod(shape) * np.dtype(_TYPES[kind]).itemsize
        if place[1] - place[0] != expected:
            raise ValueError(
                f"{name!r}: expected {expected} bytes for {kind} of shape {shape}, got "
                f"data_offsets {place}"
            )
        return kind, tuple(shape), *place

    def _bytes(self, start, count):
        """Some bytes of the file, where it has as many."""
        found = bytearray(count)
        self._read_into(memoryview(found), start)
        return bytes(found)

    def _read_into(self, memory, start):
        self._file.seek(start)
        while memory:
            count = self._file.readinto(memory)
            if not count:
                raise ValueError("expected a file that stays whole, got one that became shorter")
            memory = memory[count:]

    def model(self, compile):
        """The model that the file describes.

        Parameters
        ----------
        compile : bool
            Whether to compile it as the file says.
        """
        if _MODEL not in self.strings:
            raise ValueError(
                "expected a model, got weights alone: load_weights of a model of the same layers "
                "reads them"
            )
        description = parsed(self.strings[_MODEL], _MODEL)
        values = sum(math.prod(shape) for _, shape, _, _ in self._entries.values())
        model = model_of(description, compile, 4 * values)
        if self._slots and model.optimizer is not None:
            model.optimizer.build(model.trainable_weights)
        self.fill(model)
        return model

    @property
    def is_of_others(self):
        """Whether nnlite did not write it: the names are PyTorch's then, as everywhere."""
        return bool(self._entries) and not any(".vars." in f".{name}" for name in self._entries)

    def arrays(self):
        """All arrays by their names, in the order of the file."""
        return {name: self._array(*entry) for name, entry in self._entries.items()}

    def _array(self, kind, shape, start, _):
        found = np.empty(shape, _TYPES[kind])
        self._read_into(memoryview(found.reshape(-1).view("u1")), start + self._start)
        return widened(found) if kind == "BF16" else found

    @property
    def _slots(self):
        return sum(name.startswith("optimizer.vars.") for name in self._entries)

    def fill(self, model, skip_mismatch=False):
        """Read the state of a model, and that of its optimizer if it is built.

        Parameters
        ----------
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
        slots = [path for path in variables if path.startswith("optimizer/")]
        if len(slots) != self._slots:
            if slots and self._slots > 2:  # else it had made no step
                _warn(
                    f"model {model.name!r}: the optimizer keeps its initial state: "
                    f"expected {len(slots)} values, got {self._slots}"
                )
            variables = {path: v for path, v in variables.items() if path not in slots}
        wrong = {}
        for path, variable in variables.items():
            if reason := self._mismatch(path, variable):
                wrong.setdefault(path.rpartition("/vars/")[0], reason)
        if wrong and not skip_mismatch:
            raise ValueError(next(iter(wrong.values())))
        for part, reason in wrong.items():
            _warn(f"layer {name_at(part, parts)!r} is left as it is: {reason}")
        for path, variable in variables.items():
            if _key(path) in self._entries and path.rpartition("/vars/")[0] not in wrong:
                self._fill(self._entries[_key(path)], variable)

    def _mismatch(self, path, variable):
        """Why a Variable cannot have what stands at its path; None if it can."""
        key = _key(path)
        if key not in self._entries:
            missing = f"{key}: expected the values of {variable.name!r}, got none"
            return None if path.startswith(f"{OWN}/") else missing
        shape = self._entries[key][1]
        if shape == variable.shape:
            return None
        return f"{key}: expected shape {variable.shape}, which {variable.name!r} has, got {shape}"

    def _fill(self, entry, variable):
        """Copy an array into a Variable."""
        kind, _, start, _ = entry
        start, memory, stored = start + self._start, variable._data, np.dtype(_TYPES[kind])
        flat = memory.reshape(-1)
        if stored == memory.dtype and kind != "BF16":
            self._read_into(memoryview(flat.view("u1")), start)
        else:
            for first in range(0, flat.size, _AT_A_TIME):
                part = flat[first : first + _AT_A_TIME]
                read = np.empty(part.size, stored)
                self._read_into(memoryview(read.view("u1")), start + first * stored.itemsize)
                with np.errstate(over="ignore"):
                    part[...] = widened(read) if kind == "BF16" else read
        variable.version += 1


def _warn(message):
    warnings.warn(message, UserWarning, stacklevel=warn.levels_to_the_caller())


def _are_sizes(values):
    return isinstance(values, list) and all(type(n) is int and 0 <= n < 1 << 63 for n in values)
