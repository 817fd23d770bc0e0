"""The Open Inference Protocol, version 2, over HTTP: requests for predictions and their
answers, with tensors in JSON or in bytes behind it.

Its names and rules: https://github.com/kserve/open-inference-protocol; the extension for bytes is
Triton's "binary data"."""

import math
from typing import NamedTuple

import numpy as np
import orjson

from nnlite.serving.refusal import Refused, shown
from nnlite.serving.tensors import (
    DATATYPES,
    datatype_of,
    from_bytes,
    from_json,
    to_bytes,
    to_json,
)

JSON_LENGTH = b"inference-header-content-length"


class Asked(NamedTuple):
    """How an answer shall look."""

    id: str | None
    outputs: dict  # name -> whether as bytes; None: all
    as_bytes: bool  # those that are not named


def parsed(body, json_length):
    """What a request gives and asks.

    Parameters
    ----------
    body : bytes
    json_length : bytes or None
        The value of the header that says how many of the bytes are JSON.

    Returns
    -------
    dict of str to array, Asked
    """
    rest = memoryview(b"")
    if json_length is not None:
        if not json_length.isdigit() or len(json_length) > 18 or int(json_length) > len(body):
            raise Refused(
                400,
                f"Inference-Header-Content-Length: expected an integer in [0, {len(body)}], got "
                f"{json_length.decode('latin-1')[:40]!r}",
            )
        body, rest = memoryview(body)[: int(json_length)], memoryview(body)[int(json_length) :]
    request = json_object(body)
    given, at = {}, 0
    for tensor in _list_of_objects(request, "inputs"):
        name, datatype, shape = _head_of(tensor)
        _check_new("inputs", name, given)
        size = _parameters(tensor).get("binary_data_size")
        if size is None:
            given[name] = _array_of(name, datatype, shape, tensor.get("data"))
            continue
        if not _is_count(size) or at + size > len(rest):
            raise Refused(
                400,
                f"input {name!r}: binary_data_size: expected at most the {len(rest) - at} bytes "
                f"that come behind the JSON, got {shown(size)}",
            )
        given[name] = from_bytes(name, datatype, shape, rest[at : at + size])
        at += size
    if at != len(rest):
        raise Refused(
            400, f"expected {at} bytes behind the JSON, as its inputs say, got {len(rest)}"
        )
    if not given:
        raise Refused(400, "inputs: expected at least one tensor, got none")
    return given, _asked(request)


def _asked(request):
    id, outputs = request.get("id"), None
    if id is not None and not isinstance(id, str):
        raise Refused(400, f"id: expected a string, got {shown(id)}")
    as_bytes = _parameters(request).get("binary_data_output") is True
    if request.get("outputs") is not None:
        outputs = {}
        for output in _list_of_objects(request, "outputs"):
            name, settings = _name_of(output, "outputs"), _parameters(output)
            if "classification" in settings:
                raise Refused(400, "outputs: classification: this server gives whole tensors")
            _check_new("outputs", name, outputs)
            outputs[name] = settings.get("binary_data", as_bytes) is True
    return Asked(id, outputs or None, as_bytes)


def _check_new(what, name, known):
    if name in known:
        raise Refused(400, f"{what}: expected different names, got {name!r:.80} twice")


def _name_of(tensor, what):
    name = tensor.get("name")
    if not isinstance(name, str):
        raise Refused(400, f"{what}: name: expected a string, got {shown(name)}")
    return name


def json_object(body):
    """The JSON object that some bytes are."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"expected JSON, got none: {error}") from None
    if not isinstance(value, dict):
        raise Refused(400, "expected a JSON object, got another value")
    return value


def _list_of_objects(request, name):
    values = request.get(name)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise Refused(400, f"{name}: expected a list of objects, each with a name")
    return values


def _parameters(of):
    found = of.get("parameters")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Refused(400, f"parameters: expected an object, got {shown(found)}")
    return found


def _head_of(tensor):
    name = _name_of(tensor, "inputs")
    datatype, shape = tensor.get("datatype"), tensor.get("shape")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise Refused(
            400,
            f"input {name!r}: datatype: expected one of {', '.join(DATATYPES)}, got "
            f"{shown(datatype)}",
        )
    if not isinstance(shape, list) or len(shape) > 32 or not all(map(_is_count, shape)):
        raise Refused(
            400, f"input {name!r}: shape: expected a list of at most 32 sizes, got {shown(shape)}"
        )
    if not _is_count(
        math.prod(size or 1 for size in shape)
    ):  # NumPy refuses it without values, too
        raise Refused(400, f"input {name!r}: shape: expected less than 2^40 values")
    return name, datatype, tuple(shape)


def _is_count(value):
    return type(value) is int and 0 <= value < 2**40


def _array_of(name, datatype, shape, values):
    """The array of a tensor whose values are in the JSON, flat or nested."""
    if not isinstance(values, list):
        raise Refused(400, f"input {name!r}: data: expected a list of values")
    array, dtype = from_json(name, values), DATATYPES[datatype]
    if array.size != math.prod(shape):
        raise Refused(
            400,
            f"input {name!r}: expected {math.prod(shape)} values for shape {list(shape)}, got "
            f"{array.size}",
        )
    array = array.reshape(shape)
    if datatype == "BYTES":
        if array.size and array.dtype != object:
            raise Refused(400, f"input {name!r}: expected strings for BYTES, got numbers")
        return array
    if not array.size:
        return array.astype(dtype)
    if array.dtype.kind not in ("biuf" if datatype[:2] == "FP" else "biu"):
        kind = "numbers" if datatype[:2] == "FP" else "integers"
        raise Refused(400, f"input {name!r}: expected {kind} for {datatype}, got others")
    with np.errstate(over="ignore"):
        found = array.astype(dtype)
    if datatype[:2] != "FP" and not np.array_equal(found, array):
        raise Refused(400, f"input {name!r}: expected integers that {datatype} holds, got others")
    return found


def answered(entry, asked, outputs):
    """The answer's body, and its headers.

    Parameters
    ----------
    entry : Entry
        That predicted.
    asked : Asked
    outputs : list of array
    """
    by_name = {spec.name: y for spec, y in zip(entry.served.outputs, outputs)}
    wanted = asked.outputs or dict.fromkeys(by_name, asked.as_bytes)
    tensors, parts = [], []
    for name, as_bytes in wanted.items():
        if name not in by_name:
            raise Refused(400, f"outputs: expected some of {', '.join(by_name)}, got {name!r:.80}")
        y = by_name[name]
        tensor = {"name": name, "datatype": datatype_of(y.dtype), "shape": y.shape}
        if as_bytes:
            parts.append(to_bytes(y))
            tensor["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            tensor["data"] = to_json(y.reshape(-1))
        tensors.append(tensor)
    answer = {"model_name": entry.name, "model_version": entry.version, "outputs": tensors}
    if asked.id is not None:
        answer["id"] = asked.id
    body = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    if not parts:
        return body, ()
    length = str(len(body)).encode()
    return b"".join([body, *parts]), ((JSON_LENGTH, length),)


def metadata(entry, versions):
    """What a model takes and gives.

    Parameters
    ----------
    entry : Entry
    versions : list of str
    """
    served = entry.served
    return {
        "name": entry.name,
        "versions": versions,
        "platform": "nnlite",
        "inputs": [spec.described() for spec in served.inputs],
        "outputs": [spec.described() for spec in served.outputs],
        **({"parameters": served.details} if served.details else {}),
    }
