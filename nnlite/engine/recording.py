"""What this thread records: op calls for gradients and traces, the layers that it is in, and the
condition under which ops run.

A `Recording` is the list of calls made while it was active; one that does not execute is a trace,
which `plan` turns into a program."""

import contextvars
import functools
import os
import threading

from nnlite import config

RECORDINGS = contextvars.ContextVar("nnlite recordings", default=())
SCOPES = contextvars.ContextVar("nnlite layers being called", default=())
CONDITION = contextvars.ContextVar("nnlite condition of ops", default=None)


class _Leave:
    """The `__exit__` of a Recording: the release of its lock.

    Ctrl-C may come before or after it, but not within it, as it is a function of C.
    """

    def __get__(self, recording, owner=None):
        return (lambda r, *exc: r.__exit__(*exc)) if recording is None else recording._open.__exit__


class Recording:
    """The op calls made in this thread while it is entered; `executing=False` makes it a trace.

    Parameters
    ----------
    executing : bool, default True
    shapes_only : bool, default False
        Of a trace: whether it is recorded for the shapes of results, and never runs.

    Attributes
    ----------
    _open : Lock
        Locked from the beginning of the `with` block to its end.
    """

    def __init__(self, executing=True, shapes_only=False):
        self.executing, self.shapes_only = executing, shapes_only
        self.calls = []
        self._open = threading.Lock()

    def __enter__(self):
        others = active_recordings()
        if not self._open.acquire(blocking=False):
            raise RuntimeError("a GradientTape can be entered by one block at a time")
        try:
            RECORDINGS.set((*others, self))
            return self
        except BaseException:
            self._open.release()
            raise

    __exit__ = _Leave()

    @config.isolated
    def _paused(self, function, *args):
        """What a function returns, whose ops are not recorded here."""
        RECORDINGS.set(tuple(r for r in active_recordings() if r is not self))
        return function(*args)


def active_recordings():
    """The recordings that are active in this thread."""
    recordings = RECORDINGS.get()
    for recording in recordings:
        if not recording._open.locked():
            recordings = tuple(r for r in recordings if r._open.locked())
            RECORDINGS.set(recordings)
            break
    return recordings


def record_nothing():
    """Let ops run at once and unrecorded, until the end of the `isolated` call that this is in."""
    RECORDINGS.set(())
    CONDITION.set(None)


def unrecorded(function):
    """A function whose ops run at once, also when it is called while a trace is recorded."""
    if hasattr(function, "records_nothing"):
        return function

    @config.isolated
    @functools.wraps(function)
    def at_once(*args, **kwargs):
        record_nothing()
        return function(*args, **kwargs)

    at_once.records_nothing = True
    return at_once


def traces():
    """The traces that are being recorded in this thread."""
    return [r for r in active_recordings() if not r.executing]


def in_a_layer():
    """Whether a layer is being called, in this thread."""
    return bool(SCOPES.get())


def tracing():
    """Whether ops are only being recorded, in this thread."""
    recordings = active_recordings()
    return bool(recordings) and any(not r.executing for r in recordings)


# One thread at a time builds and traces. (A trace also makes the variables of metrics.)
tracing_lock = threading.RLock()
if hasattr(os, "register_at_fork"):  # so a child has no model that is half built, and no lock
    os.register_at_fork(
        before=tracing_lock.acquire,
        after_in_parent=tracing_lock.release,
        after_in_child=tracing_lock.release,
    )


def producer(tensor, recorded=None):
    """The op call that made a tensor, or None if it is not known.

    Parameters
    ----------
    tensor : Tensor
    recorded : list of Call, optional
        By default the calls that this thread is recording.
    """
    for calls in [r.calls for r in active_recordings()] if recorded is None else [recorded]:
        for call in reversed(calls):
            if any(y is tensor for y in call.outputs):
                return call
    return None


class scope:
    """Names what is being computed (a layer), for error messages."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.before = SCOPES.get()
        SCOPES.set((*self.before, self.name))

    def __exit__(self, *exc):
        SCOPES.set(self.before)
