"""A warning that points at the line of the caller."""

import sys


def levels_to_the_caller():
    """The `stacklevel` of the code that called nnlite. (`sklearn.callback` wraps the estimators'
    fit.)"""
    frame, level, ours = sys._getframe(1), 1, ("nnlite.", "sklearn.callback.")
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(ours):
        frame, level = frame.f_back, level + 1
    return level
