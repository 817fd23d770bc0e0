"""PyTorch's files (`.pth`, `.pt`, `.bin`): the tensors of a state_dict as arrays, without PyTorch.

Such a file is a pickle that names tensors, and their numbers in storages. Since PyTorch 1.6 it is a
zip archive with a member for each storage, before that the storages follow the pickle. Nothing of
the pickle is run (`pickled.py`)."""

import contextlib
import io
import math

import numpy as np

from nnlite.errors import reworded
from nnlite.saving.archive_members import checked_member, opened_archive
from nnlite.saving.bfloat16 import widened
from nnlite.saving.pickled import unpickled

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # what a file before PyTorch 1.6 begins with
_KINDS = {
    "Float": "f4",
    "Double": "f8",
    "Half": "f2",
    "BFloat16": "u2",  # the upper half of a float32
    "Long": "i8",
    "Int": "i4",
    "Short": "i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "?",
}
_MOST_AXES = 32
# Keys under which a checkpoint has the state_dict, beside those of optimizers and counters.
_WRAPPED = ("state_dict", "model_state_dict", "model", "net", "params_ema", "params")


class _Storage:
    """A piece of memory that tensors share: `count` numbers of a kind."""

    def __init__(self, kind, key, count):
        if not isinstance(key, str) or type(count) is not int or count < 0:
            raise ValueError("expected a storage with a name and a size, got another one")
        self.kind, self.key, self.count, self.values = kind, key, count, None

    def nbytes(self):
        return self.count * np.dtype(_KINDS[self.kind]).itemsize

    def fill(self, content, order):
        """Take the bytes, of which there are as many as `nbytes` says."""
        values = np.frombuffer(content, np.dtype(_KINDS[self.kind]).newbyteorder(order))
        self.values = widened(values) if self.kind == "BFloat16" else values


class _Tensor:
    """A view of a storage."""

    def __init__(self, storage, offset, shape, strides, *_):
        if not isinstance(storage, _Storage) or not _are_sizes((offset, *shape, *strides)):
            raise ValueError("expected a tensor of a storage, got another one")
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        if len(shape) > _MOST_AXES or (math.prod(shape) and last >= storage.count):
            raise ValueError(
                f"expected a tensor within its storage of {storage.count} numbers, got one of "
                f"shape {shape} with strides {strides} from {offset} on"
            )
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self):
        values = self.storage.values
        if not math.prod(self.shape):
            return np.zeros(self.shape, values.dtype)
        strides = [step * values.itemsize for step in self.strides]
        view = values[self.offset :]
        return np.lib.stride_tricks.as_strided(view, self.shape, strides, writeable=False)


def _are_sizes(values):
    return all(type(n) is int and 0 <= n < 1 << 48 for n in values)


_NAMES = {
    "collections.OrderedDict": dict,
    "torch._utils._rebuild_tensor_v2": _Tensor,
    "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
    **{f"torch.{kind}Storage": lambda: None for kind in _KINDS},
}


class _Storages(dict):
    """The storages that a pickle names, by their keys."""

    def __call__(self, place):
        what, kind, key, _, count, *view = place
        kind = getattr(kind, "name", "").removeprefix("torch.").removesuffix("Storage")
        if what != "storage" or kind not in _KINDS or any(part is not None for part in view):
            raise ValueError("expected storages of numbers, got something else beside the pickle")
        made = _Storage(kind, key, count)
        found = self.setdefault(key, made)
        if (found.kind, found.count) != (kind, count):
            raise ValueError(f"storage {key!r}: expected one size and type, got two")
        return found


def read_arrays(path):
    """The tensors of the state_dict in a file.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    dict of str to array
        In the order of the file. bfloat16 becomes float32.

    Raises
    ------
    ValueError
        If the file is not whole, names anything but tensors, or holds no state_dict.
    """
    with open(path, "rb") as file, reworded(_with_advice):
        zipped = file.read(2) == b"PK"
        file.seek(0)
        value = _of_archive(file) if zipped else _of_older(file.read())
    return {name: tensor.array() for name, tensor in _state_dict(value).items()}


def _with_advice(words):
    advice = "; torch.save(net.state_dict(), path) saves tensors alone"
    return words + advice if "that names" in words else words


def _of_archive(file):
    with opened_archive(file, "PyTorch") as archive:
        members = {}
        for info in archive.infolist():
            members[info.filename.partition("/")[2]] = info
        if "data.pkl" not in members:
            raise ValueError(
                f"expected a member data.pkl, as PyTorch writes it, got {', '.join(members):.200}"
            )

        def content(name, size=None):
            info = checked_member(members[name])
            if size is not None and info.file_size != size:
                raise ValueError(f"{name}: expected {size} bytes, got {info.file_size}")
            return archive.read(info)

        order = content("byteorder") if "byteorder" in members else b"little"
        storages = _Storages()
        value = unpickled(io.BytesIO(content("data.pkl")), _NAMES, storages)
        for key, storage in storages.items():
            if f"data/{key}" not in members:
                raise ValueError(f"expected a member data/{key}, got none")
            storage.fill(content(f"data/{key}", storage.nbytes()), ">" if order == b"big" else "<")
        return value


def _of_older(content):
    file, storages, magic = io.BytesIO(content), _Storages(), None
    with contextlib.suppress(ValueError):
        magic = unpickled(file, {})
    if magic != _MAGIC:
        raise ValueError("expected a file that PyTorch's save wrote, got another one")
    version, about = unpickled(file, {}), unpickled(file, {})
    if version != _PROTOCOL or not isinstance(about, dict):
        raise ValueError(f"expected protocol {_PROTOCOL}, got another one")
    order = "<" if about.get("little_endian", True) else ">"
    value, keys = unpickled(file, _NAMES, storages), unpickled(file, {})
    if not isinstance(keys, list) or len(keys) != len(storages):
        raise ValueError(f"expected {len(storages)} storages, got another number")
    start = file.tell()
    for key in keys:
        storage = storages.get(key) if isinstance(key, str) else None
        if storage is None or storage.values is not None:
            raise ValueError("expected each storage once, got another one")
        begin, end = start + 8, start + 8 + storage.nbytes()
        count = int.from_bytes(content[start:begin], "little")
        if count != storage.count or end > len(content):
            raise ValueError(
                f"storage {key!r:.50}: expected {storage.count} numbers, got fewer: the file is "
                "not whole"
            )
        storage.fill(memoryview(content)[begin:end], order)
        start = end
    return value


def _state_dict(value):
    """The tensors by name, wherever a checkpoint has them."""
    parts = value.items() if isinstance(value, dict) else ()
    inside = {key: tensors for key, part in parts if (tensors := _tensors_of(part))}
    for key in _WRAPPED:
        if key in inside:
            return inside[key]
    if found := _tensors_of(value):
        return found
    if len(inside) == 1:
        return next(iter(inside.values()))
    raise ValueError(
        "expected a state_dict, a dict of tensors, got "
        + (f"several, under {', '.join(map(repr, inside)):.200}" if inside else "none")
    )


def _tensors_of(value):
    entries = value.items() if isinstance(value, dict) else ()
    return {k: v for k, v in entries if isinstance(k, str) and isinstance(v, _Tensor)}
