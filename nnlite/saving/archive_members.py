"""Large members of zip archives: written and read where they lie, and gone through in any order.

A checksum takes about as long as the bytes themselves take to the disk or from it. A second thread
does one of the two."""

import concurrent.futures
import contextlib
import errno
import io
import os
import struct
import tempfile
import zipfile
import zlib

# What zipfile raises for what is not whole.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    UnicodeError,
    struct.error,
)
_ENCRYPTED = 0x41  # bits of an archive's flags
_MOST_COMPRESSED = 100  # times; what is packed closer is no model
_IN_MEMORY = 1 << 26  # bytes of what was compressed that need no temporary file
_PIECE = 1 << 18  # bytes of a checksum at once; they stay in the cache


@contextlib.contextmanager
def opened_archive(path, kind):
    """An open archive.

    Parameters
    ----------
    path : str, path or file object
    kind : str
        What the file should be, for messages.

    Yields
    ------
    zipfile.ZipFile

    Raises
    ------
    ValueError
        If it is no whole archive, also from within the block.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (*_BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # of a place before the file
            raise
        raise ValueError(f"expected a whole {kind} file, got one where {error}") from None


@contextlib.contextmanager
def member_to_fill(archive, info):
    """A new member of an archive as a file, for the block to fill.

    Parameters
    ----------
    archive : zipfile.ZipFile
        To write.
    info : zipfile.ZipInfo

    Yields
    ------
    file object
    """
    file = archive.fp
    info.header_offset, info.external_attr = file.tell(), 0o600 << 16
    info.CRC = info.file_size = info.compress_size = 0  # until they are known
    file.write(info.FileHeader(zip64=True))
    part = _Part(file, file.tell())
    yield part
    file.flush()
    info.file_size = info.compress_size = part.seek(0, io.SEEK_END)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        written = pool.submit(os.fsync, file.fileno()) if archive.filename else None
        info.CRC = _checksum(part)
        if written is not None:
            written.result()
    file.seek(info.header_offset)
    file.write(info.FileHeader(zip64=True))
    archive.filelist.append(info)
    archive.NameToInfo[info.filename] = info
    archive.start_dir = part.seek(0, io.SEEK_END) + part.start
    file.seek(archive.start_dir)


@contextlib.contextmanager
def member_to_read(archive, info, check_first=False):
    """A member of an archive as a file. What is not compressed is read where it lies.

    Parameters
    ----------
    archive : zipfile.ZipFile
    info : zipfile.ZipInfo
    check_first : bool, default False
        Whether its checksum is looked at before the block, not at the end of it.

    Yields
    ------
    file object

    Raises
    ------
    zipfile.BadZipFile
        If the checksum is another one, whatever the block raised.
    """
    if info.compress_type != zipfile.ZIP_STORED:
        with archive.open(info) as member, tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
            while piece := member.read(_PIECE):
                file.write(piece)
            yield file
        return
    start = _start(archive.fp, info)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        part = _Part(archive.fp, start, info.file_size)
        checked = pool.submit(_check, part, info)
        if check_first or part.shares_a_position:
            checked.result()
        try:
            yield io.BufferedReader(_Part(archive.fp, start, info.file_size))
        finally:
            checked.result()


def checked_member(info):
    """A member of an archive, if it is no longer than what it takes there can hold.

    Parameters
    ----------
    info : zipfile.ZipInfo

    Raises
    ------
    ValueError
        If it is longer, or encrypted.
    """
    if info.file_size > _MOST_COMPRESSED * max(info.compress_size, 1000):
        raise ValueError(
            f"{info.filename}: expected at most {_MOST_COMPRESSED} times the bytes that it takes, "
            f"{info.compress_size}, got {info.file_size}"
        )
    if info.flag_bits & _ENCRYPTED:
        raise ValueError(f"{info.filename}: expected a member that can be read, got a secret one")
    return info


def _start(file, info):
    """Where the bytes of a member begin."""
    file.seek(info.header_offset + 26)
    name, extra = struct.unpack("<HH", file.read(4))  # the lengths of what precedes the bytes
    return info.header_offset + 30 + name + extra


def _check(part, info):
    if _checksum(part) != info.CRC:
        raise zipfile.BadZipFile(f"Bad CRC-32 for file {info.filename!r}")


def _checksum(part):
    part.seek(0)
    found, piece = 0, memoryview(bytearray(_PIECE))
    while count := part.readinto(piece):
        found = zlib.crc32(piece[:count], found)
    return found


class _Part(io.RawIOBase):
    """A part of a file as a file of its own: from `start` to its end, or of `size` bytes."""

    def __init__(self, file, start, size=None):
        self._file, self.start, self._size, self._at = file, start, size, 0
        self._number = None
        with contextlib.suppress(OSError):  # a file in memory has no number
            self._number = file.fileno()

    @property
    def shares_a_position(self):
        """Whether one thread's reading disturbs another's."""
        return self._number is None

    def readable(self):
        return True

    def writable(self):
        return self._size is None

    def seekable(self):
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        if whence == io.SEEK_END:
            size = self._size
            offset += self._file.seek(0, io.SEEK_END) - self.start if size is None else size
        self._at = max(0, offset + self._at if whence == io.SEEK_CUR else offset)
        return self._at

    def tell(self):
        return self._at

    def readinto(self, buffer):
        memory = memoryview(buffer)
        if self._size is not None:
            memory = memory[: max(0, self._size - self._at)]
        if self._number is None:
            self._file.seek(self.start + self._at)
            count = self._file.readinto(memory)
        else:
            count = os.preadv(self._number, [memory], self.start + self._at)
        self._at += count
        return count

    def write(self, content):
        self._file.seek(self.start + self._at)
        count = self._file.write(content)
        self._at += count
        return count

    def truncate(self, size=None):
        size = self._at if size is None else size
        self._file.truncate(self.start + size)
        return size
