"""A warning that points at the line of the caller."""

import contextvars
import sys
import warnings

_gathering = contextvars.ContextVar("nnlite warnings to be given later", default=None)


def levels_to_the_caller():
    """The `stacklevel` of the code that called nnlite. (`sklearn.callback` wraps the estimators'
    fit.)"""
    frame, level, ours = sys._getframe(1), 1, ("nnlite.", "sklearn.callback.")
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(ours):
        frame, level = frame.f_back, level + 1
    return level


def warn(message, category=UserWarning):
    """Warn the caller of nnlite: now, or when the thread that `gathered` it is done."""
    later = _gathering.get()
    if later is None:
        warnings.warn(message, category, stacklevel=levels_to_the_caller())
    else:
        later[message] = category


def gathered(function, found):
    """Call a function in a thread that the caller does not see; its warnings go into a dict.

    Parameters
    ----------
    function : function
    found : dict
        Gets the category of each message, which threads that do the same share.
    """
    _gathering.set(found)
    return function()
