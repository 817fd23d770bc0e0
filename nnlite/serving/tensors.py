"""Tensors of requests: their types under the names of the Open Inference Protocol, and their values
in JSON and in bytes."""

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
_NAMES = {dtype: name for name, dtype in DATATYPES.items()}
_NUMBERS = "a number", "biuf"
_TEXTS = "a string", "U"


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
        if self.datatype is not None:
            expected, kinds = _TEXTS if self.datatype == "BYTES" else _NUMBERS
            if array.dtype.kind not in kinds:
                raise Refused(400, f"input {self.name!r}: expected {expected} in each place")
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


def from_json(name, values):
    """The array of a JSON value: float64, integers, booleans, strings; objects where it has null.

    Parameters
    ----------
    name : str
        Of the input, for messages.
    values : anything that JSON holds
    """
    try:
        array = np.array(values)
    except (ValueError, OverflowError):
        raise Refused(
            400, f"input {name!r}: expected lists of equal lengths, got some that differ"
        ) from None
    if array.dtype.kind in "OU":
        array = _of_objects(name, values)
    return array


def _of_objects(name, values):
    """The array of a JSON value in which not everything is a number."""
    array = np.array(values, object)
    kinds = set(map(type, array.flat)) - {type(None)}
    if kinds <= {str} and kinds:
        return array if None in array else array.astype(str)
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
        return np.array(_texts(name, count, content), str).reshape(shape)
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
