"""Files that are written whole or not at all."""

import contextlib
import os
import uuid
from pathlib import Path


def write_whole(path, content):
    """Put a file in its place: written beside it first, then renamed, so that nobody ever sees half
    of it.

    Parameters
    ----------
    path : str or path
    content : bytes

    Examples
    --------
    >>> from pathlib import Path
    >>> from nnlite.atomic_write import write_whole
    >>> write_whole("note.txt", b"whole")
    >>> Path("note.txt").read_text()
    'whole'
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    finally:
        with contextlib.suppress(OSError):  # the error that led here says more
            beside.unlink()
