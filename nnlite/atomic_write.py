"""Atomic writing of files."""

import contextlib
import os
import uuid
from pathlib import Path


def write_whole(path, content):
    """Write a file completely or not at all.

    The content goes to a temporary file in the same folder, which then takes the file's name.

    Parameters
    ----------
    path : str or path
    content : bytes

    Raises
    ------
    OSError
        If the file cannot be written; an older one stays as it is.

    Examples
    --------
    >>> from pathlib import Path
    >>> from nnlite.atomic_write import write_whole
    >>> write_whole("note.txt", b"whole")
    >>> Path("note.txt").read_text()
    'whole'
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def replacing(path, durable=True):
    """A `with` block that writes a file completely or not at all.

    Parameters
    ----------
    path : str or path
    durable : bool, default True
        Whether to wait until the disk has the content, some milliseconds: then also a machine that
        loses its power leaves the old file or the new one.

    Yields
    ------
    Path
        A temporary name in the same folder. What the block writes there takes the name of the file
        at its end; after an error in the block it is removed.

    Raises
    ------
    OSError
        If the file cannot be written; an older one stays as it is.

    Examples
    --------
    >>> from pathlib import Path
    >>> from nnlite.atomic_write import replacing
    >>> with replacing("note.txt") as temporary:
    ...     temporary.write_text("whole")
    5
    >>> Path("note.txt").read_text()
    'whole'
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        yield temporary
        if durable:
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:  # it names the temporary file, of which nobody knows
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        with contextlib.suppress(OSError):  # it was renamed, or an earlier error is more useful
            temporary.unlink()
