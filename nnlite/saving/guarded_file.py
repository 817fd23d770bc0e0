"""Files that HDF5 reads, with a look at what would keep it in a circle for ever: a heap of strings
with an entry of no size."""

import io

_HEAP = b"GCOL\x01\0\0\0"  # how a heap begins; its size follows
_METADATA = 1 << 16  # bytes; HDF5 asks for the beginning of a heap in no longer piece
_MOST_HEAP = 1 << 27


class GuardedFile(io.RawIOBase):
    """A file to read from that refuses broken heaps.

    Parameters
    ----------
    file : file object
        Of bytes, that can be gone through in any order.
    """

    def __init__(self, file):
        self._file, self._checked = file, set()

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        return self._file.seek(offset, whence)

    def tell(self):
        return self._file.tell()

    def readinto(self, buffer):
        start = self._file.tell()
        count = self._file.readinto(buffer)
        if count and count <= _METADATA:
            self._look(start, bytes(memoryview(buffer)[:count]))
            self._file.seek(start + count)
        return count

    def _look(self, start, piece):
        """Check the heaps that begin in a piece, or before it and in it."""
        before = min(start, len(_HEAP) - 1)
        self._file.seek(start - before)
        piece = self._file.read(before) + piece
        at = piece.find(_HEAP)
        while at >= 0:
            place = start - before + at
            if place not in self._checked:
                self._checked.add(place)
                self._check_heap(place)
            at = piece.find(_HEAP, at + 1)

    def _check_heap(self, place):
        self._file.seek(place + len(_HEAP))
        size = int.from_bytes(self._file.read(8), "little")
        heap = self._file.read(size - 16) if 16 < size <= _MOST_HEAP else b""
        if len(heap) != size - 16:
            raise OSError(f"a heap at {place} with a size of {size}")
        at = 0
        while at + 16 <= len(heap):
            number = int.from_bytes(heap[at : at + 2], "little")
            size = int.from_bytes(heap[at + 8 : at + 16], "little")
            step = 16 + (size + 7) // 8 * 8 if number else size  # 0 is what is free
            if step < 16 or step > len(heap) - at:
                raise OSError(f"a heap at {place} with an entry of size {size}")
            at += step
