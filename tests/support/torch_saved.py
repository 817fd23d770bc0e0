"""Files as PyTorch writes them, without PyTorch: pickles written step by step, and the storages."""

import io
import struct
import zipfile
from collections import OrderedDict

import numpy as np

KINDS = {"f4": "Float", "f8": "Double", "f2": "Half", "i8": "Long", "i4": "Int", "b1": "Bool"}
KINDS |= {"i2": "Short", "i1": "Char", "u1": "Byte"}
OLDER = 0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}


class Named(str):
    """A class or function, 'module.name'."""


class Called(tuple):
    """(Named, arguments): what a function makes."""


class Outside(tuple):
    """What lies outside of the pickle."""


class BFloat16(np.ndarray):
    """uint16 that are the upper halves of float32."""


def steps(value):
    """The steps of a pickle that make a value."""
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, Named):
        return "c{}\n{}\n".format(*value.rpartition(".")[::2]).encode()
    if isinstance(value, Called):
        return b"".join(map(steps, value)) + b"R"
    if isinstance(value, Outside):
        return steps(tuple(value)) + b"Q"
    if isinstance(value, str):
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
    if isinstance(value, int):
        content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        return b"\x8a" + bytes([len(content)]) + content
    if isinstance(value, tuple):
        return b"(" + b"".join(map(steps, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(steps, value)) + b"e"
    items = b"".join(steps(part) for item in value.items() for part in item)
    begin = steps(Called((Named("collections.OrderedDict"), ())))
    return (begin if isinstance(value, OrderedDict) else b"}") + b"(" + items + b"u"


def pickled(value):
    """A pickle of protocol 2."""
    return b"\x80\x02" + steps(value) + b"."


def tensor(array, storages, older):
    """What a pickle has for a tensor: a view of a storage, which is added to `storages`."""
    base = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    base = base.reshape(-1, order="A")
    key = next((k for k, b in storages.items() if b.ctypes.data == base.ctypes.data), None)
    if key is None:
        key = str(len(storages))
        storages[key] = base
    kind = "BFloat16" if isinstance(array, BFloat16) else KINDS[array.dtype.str[1:]]
    place = Outside(
        ("storage", Named(f"torch.{kind}Storage"), key, "cpu", base.size, *[None] * older)
    )
    size = array.itemsize
    offset = (array.__array_interface__["data"][0] - base.ctypes.data) // size
    strides = tuple(step // size for step in array.strides)
    rest = offset, array.shape, strides, False, {}
    return Called((Named("torch._utils._rebuild_tensor_v2"), (place, *rest)))


def described(value, storages, older):
    """A nested value with the arrays in it as tensors."""
    if isinstance(value, dict):
        return OrderedDict((key, described(part, storages, older)) for key, part in value.items())
    return tensor(value, storages, older) if isinstance(value, np.ndarray) else value


def torch_file(value, older=False):
    """The bytes of a file.

    Parameters
    ----------
    value : dict of str to array, or of dicts
    older : bool, default False
        Whether as before PyTorch 1.6.
    """
    storages = {}
    value = described(value, storages, older)
    if older:
        head = b"".join(map(pickled, (*OLDER, value, [*storages])))
        return head + b"".join(struct.pack("<q", s.size) + s.tobytes() for s in storages.values())
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("net/data.pkl", pickled(value))
        archive.writestr("net/byteorder", "little")
        archive.writestr("net/version", "3\n")
        for key, storage in storages.items():
            archive.writestr(f"net/data/{key}", storage.tobytes())
    return made.getvalue()
