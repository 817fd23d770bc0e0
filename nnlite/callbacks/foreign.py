"""Callbacks of other libraries, and what `fit` may be given as `callbacks`."""

from nnlite.callbacks.callback import Callback
from nnlite.configurable import snake_case
from nnlite.errors import did_you_mean

METHODS = [name for name in vars(Callback) if name[:3] == "on_"]


class Foreign(Callback):
    """A callback of another library, such as Keras's own or Optuna's: whatever has `set_model` and
    some of the methods of a `Callback`.

    Parameters
    ----------
    callback : object
    """

    _of_one_fit = True  # it may tell a trial of a search, or a server

    def __init__(self, callback):
        self.callback = callback

    def set_model(self, model):
        self.model = model
        self.callback.set_model(model)

    def set_params(self, *args, **params):
        if params or not args:
            return super().set_params(**params)
        if hasattr(self.callback, "set_params"):
            self.callback.set_params(args[0])
        return self

    def get_state(self):
        return getattr(self.callback, "get_state", dict)()

    def set_state(self, state):
        self.callback.set_state(state)

    def overrides(self, *methods):
        return any(_defines(self.callback, name) for name in methods)

    def _call(self, name, *args):
        method = getattr(self.callback, name, None)
        if method is not None:
            method(*args)
        elif name.startswith("on_train_batch"):
            self._call(name.replace("train_", ""), *args)


def _passing_on(name):
    def method(self, *args):
        self._call(name, *args)

    return method


for _name in METHODS:
    setattr(Foreign, _name, _passing_on(_name))


def _defines(callback, name):
    """Whether a foreign callback has a method that is more than that of its library's base class,
    which does nothing: the class that brings `set_model`."""
    if name in getattr(callback, "__dict__", {}):
        return True
    classes = type(callback).__mro__
    bases = [c for c in classes if "set_model" in vars(c)]
    defining = next((c for c in classes if name in vars(c)), None)
    return defining is not None and (defining is not bases[-1] or defining is type(callback))


def is_callback(value):
    """Whether `fit` can call this: a Callback, or an object that has `set_model` and a method
    `on_...`."""
    if isinstance(value, Callback):
        return True
    if isinstance(value, type) or not callable(getattr(value, "set_model", None)):
        return False
    return any(callable(getattr(value, name, None)) for name in METHODS)


def as_callbacks(given, known=()):
    """The callbacks that a user gave, as a list of Callback.

    Parameters
    ----------
    given : Callback, list or tuple of them, or None
        Those of other libraries are taken by their methods.
    known : collection of str
        The names of classes, for the message.

    Raises
    ------
    TypeError
        If something is no callback.
    """
    given = [] if given is None else given
    entries = list(given) if isinstance(given, (list, tuple)) else [given]
    for c in entries:
        if not is_callback(c):
            raise TypeError(f"callbacks: expected Callback objects, got {c!r}{_cure(c, known)}")
    return [c if isinstance(c, Callback) else Foreign(c) for c in entries]


def own_of(callbacks):
    """The callbacks themselves of what `as_callbacks` gave."""
    return [c.callback if isinstance(c, Foreign) else c for c in callbacks]


def _cure(given, known):
    if isinstance(given, type):
        return f"; make an object of the class: {given.__name__}(...)"
    if isinstance(given, str):
        by_name = {snake_case(name): name for name in known}
        found = by_name.get(snake_case(given))
        return f"; write {found}(...)" if found else did_you_mean(given, known)
    if callable(given):
        return "; LambdaCallback(on_epoch_end=...) makes one of a function"
    return ""
