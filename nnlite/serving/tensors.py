"""Tensors of requests: their types under the names of the Open Inference Protocol, and their values
in JSON and in bytes."""

import itertools
import math
import struct
from typing import NamedTuple

import numpy as np

from nnlite.serving.refusal import Refused

# By the protocol's names. BYTES are texts here, in UTF-8.
DATATYPES = {
    "BOOL": np.dtype(bool),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype(object),
}
_MOST_FILLED = 1 << 25  # values of a request of which most are filled up
_NAMES = {dtype: name for name, dtype in DATATYPES.items()}


class TensorSpec(NamedTuple):
    """What a model takes or gives under a name.

    Parameters
    ----------
    name : str
    datatype : str
        Of the protocol; None of a column that holds numbers and strings.
    shape : tuple of int
        -1 stands for any size; rows come first.
    """

    name: str
    datatype: str
    shape: tuple

    def described(self):
        """The tensor in the answer to a question for metadata."""
        return {
            "name": self.name,
            "datatype": self.datatype or "BYTES",
            "shape": self.shape,
        }

    def checked(self, array):
        """An array of a request as this input takes it; Refused if it does not fit."""
        if self.datatype == "BYTES":
            if array.dtype != object or not set(map(type, array.ravel().tolist())) <= {str}:
                raise Refused(400, f"input {self.name!r}: expected a string in each place")
        elif self.datatype is not None and array.dtype.kind not in "biuf":
            raise Refused(400, f"input {self.name!r}: expected a number in each place")
        shape = array.shape
        if len(shape) == 2 and shape[1] == 1 and len(self.shape) == 1:  # a column
            array = array[:, 0]
        elif len(shape) != len(self.shape) or any(
            size not in (-1, found) for size, found in zip(self.shape, shape)
        ):
            raise Refused(
                400,
                f"input {self.name!r}: expected shape {_shown(self.shape)}, got {_shown(shape)}",
            )
        if not array.size:
            raise Refused(
                400, f"input {self.name!r}: expected at least one value, got shape {_shown(shape)}"
            )
        return array


def _shown(shape):
    return f"[{', '.join('N' if size == -1 else str(size) for size in shape)}]"


def datatype_of(dtype):
    """The protocol's name of a type of NumPy."""
    return "BYTES" if dtype.kind in "OUS" else _NAMES[dtype.newbyteorder("<")]


def check_filled(name, lengths, least=0):
    """Refuse rows that would take much more memory than the request, as all of them are filled up
    to the length of the longest.

    Parameters
    ----------
    name : str
        Of the input, for messages.
    lengths : list of int
    least : int, default 0
        To which all are filled up anyway.
    """
    filled = len(lengths) * max([least, *lengths])
    if filled > max(_MOST_FILLED, 8 * sum(lengths)):
        raise Refused(
            400,
            f"input {name!r}: expected rows of similar lengths, got {len(lengths)} of which one "
            f"has {max(lengths)} values: ask for long ones alone",
        )


def from_json(name, values):
    """The array of a JSON value: float64, integers or booleans; objects where it has strings.

    Parameters
    ----------
    name : str
        Of the input, for messages.
    values : anything that JSON holds
    """
    if not _are_numbers(values):
        return _of_objects(name, values)
    try:
        return np.array(values)
    except (ValueError, OverflowError):
        raise Refused(
            400, f"input {name!r}: expected lists of equal lengths, got some that differ"
        ) from None


def _are_numbers(values):
    """Whether a JSON value holds numbers and booleans alone. NumPy would give all strings of an
    array the length of the longest."""
    first, depth = values, 0
    while isinstance(first, list) and first:
        first, depth = first[0], depth + 1
    flat = values if depth else [values]
    for _ in range(depth - 1):
        flat = itertools.chain.from_iterable(flat)
    try:
        sum(flat)
    except TypeError:  # of strings and null, or of lists that are not equally deep
        return False
    return True


def _of_objects(name, values):
    """The array of a JSON value in which not everything is a number."""
    array = np.array(values, object)
    kinds = set(map(type, array.ravel().tolist())) - {type(None)}
    if kinds <= {int, float, bool}:
        return array.astype(np.float64)  # null is a gap, NaN
    if kinds <= {int, float, bool, str}:
        return array
    raise Refused(
        400,
        f"input {name!r}: expected numbers or strings in lists of equal lengths, got "
        f"{', '.join(sorted(_JSON[kind] for kind in kinds - {int, float, bool, str}))}",
    )


_JSON = {dict: "an object", list: "a list"}


def from_bytes(name, datatype, shape, content):
    """The array of a tensor whose values came as bytes behind the JSON.

    Parameters
    ----------
    name : str
    datatype : str
    shape : tuple of int
    content : memoryview
    """
    dtype, count = DATATYPES[datatype], math.prod(shape)
    if datatype == "BYTES":
        return np.array(_texts(name, count, content), object).reshape(shape)
    if len(content) != count * dtype.itemsize:
        raise Refused(
            400,
            f"input {name!r}: expected {count * dtype.itemsize} bytes for shape {_shown(shape)} of "
            f"{datatype}, got {len(content)}",
        )
    if datatype == "BOOL":
        array = np.frombuffer(content, np.uint8) != 0
    else:
        array = np.require(np.frombuffer(content, dtype), requirements="A")
    return array.reshape(shape)


def _texts(name, count, content):
    """Strings that stand one after the other, each behind its length."""
    texts, at = [], 0
    while at + 4 <= len(content) and len(texts) < count:
        (length,) = struct.unpack_from("<I", content, at)
        at += 4 + length
        try:
            texts.append(str(content[at - length : at], "utf-8"))
        except UnicodeDecodeError:
            raise Refused(400, f"input {name!r}: expected strings in UTF-8") from None
    if at != len(content) or len(texts) != count:
        raise Refused(
            400, f"input {name!r}: expected {count} strings, each behind its length of 4 bytes"
        )
    return texts


def to_bytes(array):
    """The values of an array as the protocol writes them behind the JSON."""
    if array.dtype.kind in "OUS":
        texts = [str(text).encode() for text in array.flat]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def to_json(array):
    """An array as orjson writes it: itself, if that knows its type."""
    if array.dtype.kind in "OUS" or array.dtype == np.float16:
        return array.tolist()
    return np.ascontiguousarray(array)
