"""Files from the network: kept in a cache, checked by their hash, written whole or not at all."""

import contextlib
import hashlib
import http.client
import itertools
import os
import tarfile
import tempfile
import urllib.parse
import urllib.request
import warnings
import zipfile
from pathlib import Path

from nnlite.atomic_write import replacing
from nnlite.checks import check_choice
from nnlite.progress import ProgressBar

TIMEOUT = 10  # seconds without a byte
FAILED = (OSError, http.client.HTTPException)  # what a download may raise


class DamagedFile(OSError):
    """A file exists but does not have the expected content."""


def cache_folder(*parts):
    """The folder for downloaded files: `nnlite` in XDG_CACHE_HOME, by default `~/.cache`. It is
    created when the first one is written.

    Parameters
    ----------
    *parts : str
        Folders within it.

    Raises
    ------
    OSError
        If this user has no home folder.
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(given):  # relative paths are ignored, by the XDG specification
        return Path(given, "nnlite", *parts)
    try:
        return Path.home().joinpath(".cache", "nnlite", *parts)
    except RuntimeError:
        raise OSError(
            "There is no place for downloaded files, for this user has no home folder. Set "
            "XDG_CACHE_HOME to a folder for them"
        ) from None


def blocks(url, label, longest=None):
    """The content of an address, with a progress bar.

    Parameters
    ----------
    url : str
    label : str
        What is downloaded, for the bar.
    longest : int, optional
        Bytes that it may have at most.

    Yields
    ------
    bytes

    Raises
    ------
    DamagedFile
        If it is longer.
    OSError, http.client.HTTPException
        If it does not come.
    """
    done = 0
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
        bar = ProgressBar(getattr(answer, "length", None) or 0, f"Downloading {label}", unit="B")
        try:
            while block := answer.read(1 << 16):
                done += len(block)
                bar.update(done)
                if longest is not None and done > longest:
                    raise DamagedFile(f"{url}: expected at most {longest} bytes, got more")
                yield block
        finally:
            bar.close()


def get_file(
    fname=None,
    origin=None,
    untar=False,
    md5_hash=None,
    file_hash=None,
    cache_subdir="datasets",
    hash_algorithm="auto",
    extract=False,
    archive_format="auto",
    cache_dir=None,
    force_download=False,
):
    """The path of a file that is downloaded once.

    Parameters
    ----------
    fname : str, optional
        Its name in the cache; by default that in the address.
    origin : str
        Its address.
    untar : bool, default False
        Old name of `extract`, for tar archives.
    md5_hash : str, optional
        Old name of `file_hash`.
    file_hash : str, optional
        SHA-256 or MD5 of the file, in hexadecimal. Without it, whatever comes is believed.
    cache_subdir : str, default 'datasets'
        The folder in the cache; an absolute path is the folder itself.
    hash_algorithm : {'auto', 'sha256', 'md5'}, default 'auto'
        'auto': by the length of the hash.
    extract : bool, default False
        Whether the file is an archive to be unpacked, into a folder beside it.
    archive_format : {'auto', 'tar', 'zip'} or None, default 'auto'
        None: it is not unpacked.
    cache_dir : path, optional
        The cache; by default `nnlite` in XDG_CACHE_HOME (`~/.cache`). A file that Keras keeps in
        KERAS_HOME (`~/.keras`) is then used, too.
    force_download : bool, default False
        Whether it is downloaded again.

    Returns
    -------
    str
        The path of the file; with `extract`, of the folder.

    Raises
    ------
    ValueError
        If there is no address, or no name in it.
    OSError
        If the file can neither be found nor downloaded, or does not have the hash. The message says
        where to put it.

    Examples
    --------
    >>> from nnlite.utils import get_file
    >>> get_file(origin="https://www.example.com/flowers.zip", extract=True)  # doctest: +SKIP
    '/home/ada/.cache/nnlite/datasets/flowers'
    """
    check_choice("hash_algorithm", hash_algorithm, ("auto", "sha256", "md5"))
    check_choice("archive_format", archive_format, ("auto", "tar", "zip", None))
    if not origin:
        raise ValueError(f"origin: expected the address of a file, got {origin!r}")
    name = os.fspath(fname) if fname else os.path.basename(urllib.parse.urlsplit(origin).path)
    if not name or os.path.basename(name) != name:
        raise ValueError(f"fname: expected the name of a file, without folders, got {name!r}")
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    if hash_algorithm == "auto":
        hash_algorithm = "sha256" if file_hash and len(file_hash) == 64 else "md5"
    expected = file_hash and (hash_algorithm, file_hash.lower())

    target, folder = name, None
    if extract or untar:
        stem, dot, _ = name.partition(".") if fname else (name, "", "")
        target, folder = (name, f"{stem}_extracted") if dot else (f"{name}_archive", name)
    cache = Path(cache_dir).expanduser() if cache_dir is not None else cache_folder()
    places = [cache / cache_subdir / target]
    if cache_dir is None:
        keras = Path(os.environ.get("KERAS_HOME", "~/.keras"))
        with contextlib.suppress(RuntimeError):  # no home folder
            places.append(keras.expanduser() / cache_subdir / target)
    found, faults = None, []
    for place in () if force_download else filter(Path.is_file, places):
        if (fault := _fault(place, expected)) is None:
            found = place
            break
        faults.append(fault)
    if found is None:
        found = places[0]
        _download(origin, found, expected, faults)
    if folder is None:
        return str(found)
    return str(_unpack(found, found.parent / folder, "tar" if untar else archive_format))


def check_hash(path, file_hash):
    """Raise DamagedFile unless a file has a hash.

    Parameters
    ----------
    path : path
    file_hash : str
        SHA-256 or MD5, in hexadecimal.
    """
    if fault := _fault(path, ("sha256" if len(file_hash) == 64 else "md5", file_hash)):
        raise DamagedFile(fault)


def _fault(path, expected):
    """What is wrong with a file; None if nothing is, or no hash is expected."""
    if expected is None:
        return None
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, lambda: _hasher(expected)).hexdigest()
    return None if found == expected[1] else _differs(path, expected, found)


def _hasher(expected):
    return hashlib.new(expected[0] if expected else "md5", usedforsecurity=False)


def _differs(origin, expected, found):
    return f"{origin}: expected a file with the {expected[0]} {expected[1]}, got {found}"


def _download(url, target, expected, faults):
    """Write the content of an address to a file, if it has the hash that is expected.

    `faults` are those of the files that are there."""
    hasher, content = _hasher(expected), _content(url, target, faults)
    first = next(content, b"")  # before a folder is made for it
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary, open(temporary, "wb") as file:
        for block in itertools.chain((first,), content):
            file.write(block)
            hasher.update(block)
        found = hasher.hexdigest()
        if expected and found != expected[1]:
            raise DamagedFile(_differs(url, expected, found))


def _content(url, target, faults):
    """The blocks of an address; an error says what else can be done."""
    try:
        yield from blocks(url, target.name)
    except FAILED as error:
        raise OSError(_offline(url, target, faults, error)) from None


def _offline(url, target, faults, error):
    return (
        f"{target.name} is not on this machine and could not be downloaded from {url}: "
        + "; ".join([str(error) or type(error).__name__, *faults])
        + f". Put the file into the folder {target.parent}"
    )


def _unpack(archive, folder, archive_format):
    """Unpack an archive into a folder, whole or not at all; one that is there stays as it is."""
    if folder.exists() or archive_format is None:
        return folder
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        inside = os.path.join(temporary, "files")
        if archive_format != "zip" and tarfile.is_tarfile(archive):
            with tarfile.open(archive) as file:
                file.extractall(inside, filter="data")  # nothing outside of the folder
        elif archive_format != "tar" and zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                file.extractall(inside)
        else:
            warnings.warn(
                f"{archive}: expected an archive, tar or zip, got another file; it is not unpacked",
                stacklevel=3,
            )
            return folder
        try:
            os.rename(inside, folder)
        except OSError:
            if not folder.is_dir():  # where another process was quicker, its files are there
                raise
    return folder
