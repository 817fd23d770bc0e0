"""The name of a file says its format."""

import os
from pathlib import Path


def format_of(filepath, formats):
    """A path, and the format that its ending says.

    Parameters
    ----------
    filepath : str or path
    formats : dict
        By ending; the longest that fits counts.

    Raises
    ------
    TypeError
        If it is no path.
    ValueError
        If no format has the ending.
    """
    if not isinstance(filepath, (str, os.PathLike)):
        raise TypeError(f"filepath: expected a path, got {filepath!r}")
    path = Path(filepath)
    fitting = [ending for ending in formats if path.name.endswith(ending)]
    if not fitting:
        raise ValueError(
            f"filepath: expected a name that ends in {' or '.join(formats)}, got {filepath}"
        )
    return path, formats[max(fitting, key=len)]


def refuse_older(path, overwrite):
    """Raise a FileExistsError if there is a file that must not be replaced.

    Parameters
    ----------
    path : Path
    overwrite : bool
    """
    if not overwrite and path.exists():
        raise FileExistsError(f"filepath: expected a new file with overwrite=False, got {path}")


def check_there(path):
    """Raise a FileNotFoundError if there is no file.

    Parameters
    ----------
    path : Path
    """
    if not path.exists():
        raise FileNotFoundError(f"filepath: expected a file, got {path}, which is not there")
