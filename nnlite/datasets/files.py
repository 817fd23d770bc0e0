"""The files of data sets: where they are, and how pickles, gzipped arrays and tables are read.

The reader of a pickle calls whatever it names, so this one knows no names but those of an array,
and has dummies for these: nothing that a file says is ever run."""

import gzip
import io
import os
import pickle
import zlib
from pathlib import Path

import numpy as np

from nnlite.download import DamagedFile, check_hash, get_file

ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


def located(path, folder, name, file_hash, origin=ORIGIN, cache_subdir="datasets"):
    """The path of a file: the one that is given, or in NNLITE_DATA, or in the cache.

    Parameters
    ----------
    path : str or path
        An existing file, if it is absolute; else its name in the cache.
    folder : str
        Where it is in the folder that NNLITE_DATA names.
    name : str
        Where it is published.
    file_hash : str
        SHA-256 or MD5. An absolute path is not checked.
    origin : str
        The address that the name follows; by default Keras's storage.
    cache_subdir : str, default 'datasets'
    """
    path = os.fspath(path)
    if os.path.isabs(path) and os.path.exists(path):
        return path
    given = os.environ.get("NNLITE_DATA")
    if given and (file := Path(given, folder, name)).is_file():
        try:
            check_hash(file, file_hash)
        except DamagedFile as error:  # the user's folder is never changed
            raise DamagedFile(f"{error}. Replace it, or unset NNLITE_DATA") from None
        return file
    try:
        return get_file(
            os.path.basename(path), origin + name, file_hash=file_hash, cache_subdir=cache_subdir
        )
    except DamagedFile:
        raise
    except OSError as error:
        raise OSError(
            f"{error}, or set NNLITE_DATA to a folder with {name} in its subfolder {folder}"
        ) from None


class _Dummy:
    """In place of what makes an array: it keeps what it is given."""

    def __init__(self, *args):
        self.args, self.state = args, None

    def __setstate__(self, state):
        self.state = state


class _Reader(pickle.Unpickler):
    NAMES = {
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
    }

    def find_class(self, module, name):
        if (module, name) not in self.NAMES:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return _Dummy


def unpickled(file):
    """What is in a pickle, with a dummy in place of each array; strings of Python 2 are bytes.

    Parameters
    ----------
    file : file
        Open for reading bytes.
    """
    return _Reader(file, encoding="bytes").load()


def uint8_array(dummy):
    """The array of uint8 that a dummy stands for."""
    _, shape, dtype, by_columns, content = dummy.state
    if dtype.args[0] not in ("u1", b"u1"):
        raise ValueError(f"an array of {dtype.args[0]}")
    return np.frombuffer(content, np.uint8).reshape(shape, order="F" if by_columns else "C")


def idx_content(packed, shape, origin):
    """The content of a gzipped idx file of uint8, whose last bytes are the elements.

    An idx file consists of two zeros, the type of its elements (8: uint8), the number of its
    dimensions, the dimensions as big-endian int32, and the elements.

    Parameters
    ----------
    packed : bytes
    shape : tuple of int
        What it must have.
    origin : str or path
        Of the file, for messages.

    Raises
    ------
    DamagedFile
        If it is anything else.
    """
    start = 4 + 4 * len(shape)
    expected = start + int(np.prod(shape))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            content = stream.read(expected + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DamagedFile(
            f"{origin}: expected a whole gzipped file, got {len(packed)} bytes ({error})"
        ) from None
    if content[:4] != bytes((0, 0, 8, len(shape))):
        raise DamagedFile(
            f"{origin}: expected an idx file of uint8 in {len(shape)} dimensions, "
            f"got one that begins with {content[:4].hex() or 'nothing'}"
        )
    found = tuple(np.frombuffer(content[4:start].ljust(start - 4, b"\0"), ">i4").tolist())
    if found != shape:
        raise DamagedFile(f"{origin}: expected the dimensions {shape}, got {found}")
    if len(content) != expected:
        got = "more" if len(content) > expected else len(content)
        raise DamagedFile(f"{origin}: expected {expected} bytes when unpacked, got {got}")
    return content


def idx_array(content, shape):
    """The array of the elements at the end of an idx file."""
    array = np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)
    return array.copy()  # a view of bytes would be read-only
