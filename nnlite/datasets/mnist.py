"""MNIST, 70,000 images of handwritten digits, from a folder, from the cache, or downloaded once.

Every file is checked: its header, its length and the SHA-256 of its unpacked content must be
MNIST's. (The compressed bytes differ between copies.)
"""

import hashlib
import os
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np

from nnlite.atomic_write import write_whole
from nnlite.datasets.files import idx_array, idx_content
from nnlite.download import FAILED, DamagedFile, blocks, cache_folder

__all__ = ["load_data"]

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

# name -> shape, SHA-256 of the unpacked file; in the order of Keras's result.
FILES = {
    "train-images-idx3-ubyte.gz": (
        (60_000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train-labels-idx1-ubyte.gz": (
        (60_000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "t10k-images-idx3-ubyte.gz": (
        (10_000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "t10k-labels-idx1-ubyte.gz": (
        (10_000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}
ARCHIVE_KEYS = ("x_train", "y_train", "x_test", "y_test")  # the same four in Keras's mnist.npz


def load_data(path="mnist.npz"):
    """Load the images and labels of MNIST.

    Each of the four original files (`train-images-idx3-ubyte.gz`, ...) is read from the first
    place that has it:

    1. the folder `mnist` in the folder that the environment variable NNLITE_DATA names;
    2. the cache, `nnlite/mnist` in XDG_CACHE_HOME (by default `~/.cache`);
    3. public mirrors; the file is then written to the cache.

    Parameters
    ----------
    path : str or path, default 'mnist.npz'
        If it is the absolute path of an existing archive like Keras's `mnist.npz`, the archive is
        read instead of the four files. Otherwise it is ignored.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : arrays of uint8
        Images of shapes (60000, 28, 28) and (10000, 28, 28), values in [0, 255], white on black;
        labels of shapes (60000,) and (10000,), values in [0, 9].

    Raises
    ------
    OSError
        If a file can neither be found nor downloaded, or is not MNIST's. The message explains how
        to provide it.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document
    recognition, 1998.

    Examples
    --------
    >>> from nnlite.datasets import mnist
    >>> (x_train, y_train), (x_test, y_test) = mnist.load_data()  # doctest: +SKIP
    >>> x_train.shape, y_train[:5]  # doctest: +SKIP
    ((60000, 28, 28), array([5, 0, 4, 1, 9], dtype=uint8))
    """
    path = os.fspath(path)
    if os.path.isabs(path) and os.path.exists(path):
        x_train, y_train, x_test, y_test = _read_archive(path)
    else:
        x_train, y_train, x_test, y_test = (_load(name) for name in FILES)
    return (x_train, y_train), (x_test, y_test)


def _load(name):
    """One of the FILES as an array, from the first place that has it."""
    problems = []
    given = os.environ.get("NNLITE_DATA")
    if given:
        file = Path(given, "mnist", name)
        if file.is_file():
            try:
                return _unpacked(file.read_bytes(), name, file)
            except DamagedFile as error:  # the user's folder is never changed
                raise DamagedFile(f"{error}. Replace it, or unset NNLITE_DATA") from None
        problems.append(f"{file}: no such file")
    file = cache_folder("mnist") / name
    try:
        if file.is_file():
            return _unpacked(file.read_bytes(), name, file)
    except DamagedFile as error:
        problems.append(str(error))
    for mirror in MIRRORS:
        try:
            packed = _download(mirror + name, name)
            array = _unpacked(packed, name, mirror + name)
        except DamagedFile as error:
            problems.append(str(error))
        except FAILED as error:
            problems.append(f"{mirror + name}: {error or type(error).__name__}")
        else:
            _write_to_cache(packed, file)
            return array
    raise OSError(
        "MNIST is not on this machine and could not be downloaded. Put these files\n  "
        + "\n  ".join(FILES)
        + f"\ninto the folder {file.parent}, "
        + "or set NNLITE_DATA to a folder with them in its subfolder mnist.\nWhat was tried:\n  "
        + "\n  ".join(problems)
    )


def _unpacked(packed, name, origin):
    """The array in a gzipped idx file; DamagedFile if its content is not the expected one."""
    shape, sha256 = FILES[name]
    content = idx_content(packed, shape, origin)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DamagedFile(f"{origin}: expected the SHA-256 {sha256} when unpacked, got another")
    return idx_array(content, shape)


def _download(url, name):
    """The content of an address; DamagedFile if it is too long."""
    longest = 1024 + int(np.prod(FILES[name][0]))  # the unpacked size is an upper limit
    return b"".join(blocks(url, name, longest))


def _write_to_cache(packed, file):
    """Write a file as a whole; warn if that is impossible."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, packed)
    except OSError as error:
        warnings.warn(
            f"MNIST was downloaded, but cannot be kept in {file.parent}: {error.strerror}. "
            "Set XDG_CACHE_HOME to a folder that can be written, or it is downloaded each time",
            RuntimeWarning,
            stacklevel=4,
        )


def _read_archive(path):
    """The four arrays of an .npz archive like Keras's."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = [archive[key] for key in ARCHIVE_KEYS]
    except (TypeError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedFile(
            f"{path}: expected an .npz archive of {', '.join(ARCHIVE_KEYS)}, got one with: {error}"
        ) from None
    for key, array, (shape, _) in zip(ARCHIVE_KEYS, arrays, FILES.values()):
        if array.shape != shape or array.dtype != np.uint8:
            raise DamagedFile(
                f"{path}: {key}: expected uint8 {shape}, got {array.dtype} {array.shape}"
            )
    return arrays
