"""Errors that say what they are about: more words for the message of what is raised in a block,
arrays that memory does not hold, and the name that was perhaps meant."""

import functools
import math
import os

from nnlite import lazy

with lazy.imports(__name__):
    import difflib


class reworded:
    """Give the errors that are raised in a `with` block another message.

    Parameters
    ----------
    reword : function of str
        Takes the message and returns the new one. It is called only if there is an error.
    kinds : class or tuple of classes, default (TypeError, ValueError)
        The errors that are reworded; all others pass unchanged.

    Examples
    --------
    >>> with reworded(lambda message: f"{message}; give a number"):
    ...     float("one")
    Traceback (most recent call last):
    ValueError: could not convert string to float: 'one'; give a number
    """

    def __init__(self, reword, kinds=(TypeError, ValueError)):
        self.reword, self.kinds = reword, kinds

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, self.kinds):
            error.args = (self.reword(str(error)),)


def prefixed(prefix, kinds=(TypeError, ValueError)):
    """Begin the message of each error that is raised in a `with` block with a prefix.

    Parameters
    ----------
    prefix : str
    kinds : class or tuple of classes, default (TypeError, ValueError)
        The errors that get the prefix; all others pass unchanged.

    Examples
    --------
    >>> with prefixed("units: "):
    ...     float("one")
    Traceback (most recent call last):
    ValueError: units: could not convert string to float: 'one'
    """
    return reworded(lambda message: f"{prefix}{message}", kinds)


class memory_for:
    """Say what memory does not hold, if a `with` block that makes an array fails for want of it, or
    if the machine has less than the array takes.

    Parameters
    ----------
    what : str
        What the array is, for the message.
    shape : tuple of int
    dtype : str

    Examples
    --------
    >>> with memory_for("x", (2**20, 2**20), "float32"):
    ...     pass
    Traceback (most recent call last):
    MemoryError: x: expected a shape that memory holds, got (1048576, 1048576): 4,398 GB of float32
    """

    def __init__(self, what, shape, dtype):
        self.what, self.shape, self.dtype = what, shape, dtype
        self.bytes = math.prod(shape) * (8 if dtype == "float64" else 4)

    def error(self):
        """The error that says so."""
        size = self.bytes / 1e9
        return MemoryError(
            f"{self.what}: expected a shape that memory holds, got {self.shape}: "
            f"{size:{',.0f' if size >= 10 else '.2g'}} GB of {self.dtype}"
        )

    def __enter__(self):
        if self.bytes > memory_of_machine():
            raise self.error()

    def __exit__(self, kind, error, traceback):
        if isinstance(error, MemoryError):
            raise self.error() from None


@functools.cache
def memory_of_machine():
    """The bytes of memory that there are; infinity where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not POSIX
        return math.inf


def did_you_mean(name, known):
    """The words '; did you mean ...?' with the known names most like an unknown one.

    Parameters
    ----------
    name : object
        What was given; only a string is like a name.
    known : iterable of str

    Returns
    -------
    str
        Empty if no known name is like it.

    Examples
    --------
    >>> did_you_mean("Adm", ["adam", "sgd"])
    "; did you mean 'adam'?"
    """
    by_lower = {str(k).lower(): str(k) for k in known}
    like = difflib.get_close_matches(str(name).lower(), by_lower, n=2)
    return f"; did you mean {' or '.join(repr(by_lower[k]) for k in like)}?" if like else ""
