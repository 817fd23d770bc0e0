"""Keras's own format, `.keras`: a zip archive of a model's config as JSON and its state as HDF5.

nnlite puts beside Keras's keys what only it knows. Keras ignores that. Members of the archive are
read where they lie and by their names; nothing is unpacked."""

import contextlib
import io
import json
import shutil
import struct
import tempfile
import zipfile
import zlib

from nnlite.saving import hdf5
from nnlite.saving.description import description_of, model_of, parsed
from nnlite.saving.own_state import load_assets, write_assets
from nnlite.saving.state import load_state, own_savers, save_state

_CONFIG, _WEIGHTS, _METADATA = "config.json", "model.weights.h5", "metadata.json"
_FORMAT = "3.15.1"  # the version of Keras whose format this is
_IN_MEMORY = 1 << 26  # bytes of state that need no temporary file
_BROKEN = zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error
_MOST_COMPRESSED = 100  # times; what is packed closer is no model


def write(path, model, include_optimizer=True):
    """Write a model.

    Parameters
    ----------
    path : str or path
        A temporary name.
    model : Model
    include_optimizer : bool, default True
        Whether the state of the optimizer is part of it.
    """
    h5py = hdf5.require_h5py()
    config = json.dumps(description_of(model))
    with (
        zipfile.ZipFile(path, "w") as archive,
        tempfile.SpooledTemporaryFile(_IN_MEMORY) as state,
    ):
        archive.writestr(_member(_METADATA), json.dumps({"keras_version": _FORMAT}))
        archive.writestr(_member(_CONFIG), config)
        with h5py.File(state, "w") as file:
            save_state(file, model, include_optimizer)
        state.seek(0)
        with archive.open(_member(_WEIGHTS), "w", force_zip64=True) as member:
            shutil.copyfileobj(state, member, 1 << 20)
        write_assets(archive, own_savers(model))


def read(path, compile):
    """The model that a file holds.

    Parameters
    ----------
    path : str or path
    compile : bool
        Whether to compile it as the file says.
    """
    hdf5.require_h5py()
    with _opened(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        for name in (_CONFIG, _WEIGHTS):
            if name not in members:
                raise ValueError(f"{path}: expected a member {name!r}, got {', '.join(members)}")
        for info in (members[_CONFIG], members[_WEIGHTS]):
            if info.file_size > _MOST_COMPRESSED * max(info.compress_size, 1000):
                raise ValueError(
                    f"{path}: {info.filename}: expected at most {_MOST_COMPRESSED} times the bytes "
                    f"that it takes, {info.compress_size}, got {info.file_size}"
                )
        config = parsed(archive.read(members[_CONFIG]), f"{path}: {_CONFIG}")
        model = model_of(config, compile, members[_WEIGHTS].file_size)
        with (
            _member_file(archive, members[_WEIGHTS]) as file,
            hdf5.reading(f"{path}: {_WEIGHTS}", file) as state,
        ):
            load_state(state, model)
        load_assets(archive, own_savers(model))
        return model


@contextlib.contextmanager
def _opened(path):
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _BROKEN as error:
        raise ValueError(f"{path}: expected a whole .keras file, got one where {error}") from None


def _member(name):
    return zipfile.ZipInfo(name)  # without the time: the same model gives the same bytes


@contextlib.contextmanager
def _member_file(archive, info):
    """A member as a file that can be gone through in any order, after a look at its checksum. What
    is not compressed is read where it lies."""
    with archive.open(info) as member, tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        stored = info.compress_type == zipfile.ZIP_STORED
        while piece := member.read(1 << 20):
            if not stored:
                file.write(piece)
        yield io.BufferedReader(_Window(archive.fp, info)) if stored else file


class _Window(io.RawIOBase):
    """A member of an archive that is not compressed, as a file."""

    def __init__(self, file, info):
        file.seek(info.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))  # the lengths of what precedes the data
        self._file, self._start = file, info.header_offset + 30 + name + extra
        self._size, self._at = info.file_size, 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        self._at = max(0, offset + {0: 0, 1: self._at, 2: self._size}[whence])
        return self._at

    def readinto(self, buffer):
        count = min(len(buffer), max(0, self._size - self._at))
        self._file.seek(self._start + self._at)
        read = self._file.readinto(memoryview(buffer)[:count])
        self._at += read
        return read
