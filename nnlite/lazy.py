"""Imports that wait until they are used: a library of many parts is imported quickly if what few
need is run when somebody asks for it.

In Python 3.15 `lazy import` does this. Until then it is a block, which editors and linters read as
the imports that it holds.
"""

import builtins
import importlib
import os
import sys
import threading
from collections.abc import Mapping

_PROMISED = {}  # of each module: name -> the import that was put off
_ONE_AT_A_TIME = threading.Lock()  # in a block nothing is imported, so nothing waits for another

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ONE_AT_A_TIME._at_fork_reinit)


class imports:
    """A `with` block at the top of a module, whose imports wait until they are used.

    `import json` gives the module a stand-in for json, which imports it when an attribute is asked
    for. What `from nnlite.layers.core import Dense` names is imported for those who ask the module
    for it, by its `__getattr__ = names.of(__name__)`. The module's own code does not see it.

    Parameters
    ----------
    module : str
        Its `__name__`.
    """

    def __init__(self, module):
        self.module = module
        self.namespace = vars(sys.modules[module])

    def __enter__(self):
        _ONE_AT_A_TIME.acquire()
        self.import_now = builtins.__import__
        builtins.__import__ = self._note

    def __exit__(self, *error):
        builtins.__import__ = self.import_now
        _ONE_AT_A_TIME.release()
        promised = _PROMISED.setdefault(self.module, {})
        for name, value in list(self.namespace.items()):
            if type(value) is _Promise:
                promised[name] = self.namespace.pop(name)
        if promised:
            self.namespace.setdefault("__dir__", lambda: sorted({*self.namespace, *promised}))

    def _note(self, name, globals=None, locals=None, fromlist=(), level=0):
        """What `import` calls inside of the block, in this module and in any other thread."""
        if globals is not self.namespace:
            return self.import_now(name, globals, locals, fromlist, level)
        return _Source(name) if fromlist else _StandIn(name, self.namespace)


class _StandIn:
    """A module's value for another module until that is used."""

    def __init__(self, name, namespace):
        self._name, self._namespace = name, namespace

    def __getattr__(self, attribute):
        imported = __import__(self._name)
        for name, value in list(self._namespace.items()):
            if value is self:
                self._namespace[name] = imported
        return getattr(imported, attribute)


class _Source:
    """What the names of a `from` are taken from."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, attribute):
        return _Promise(self._name, attribute)


class _Promise:
    """A name that a module will have."""

    def __init__(self, source, attribute):
        self.source, self.attribute = source, attribute


def promised(module):
    """The names that a module will have when they are asked for.

    Parameters
    ----------
    module : str
    """
    return _PROMISED.get(module, {}).keys()


def kept(module, name):
    """The value of a name that a module has promised.

    Parameters
    ----------
    module, name : str
    """
    promise = _PROMISED[module][name]
    if promise.source == module:  # a module within
        return importlib.import_module(f"{module}.{promise.attribute}")
    return getattr(importlib.import_module(promise.source), promise.attribute)


class Objects(Mapping):
    """Classes and functions by name, each imported when it is asked for.

    Parameters
    ----------
    paths : dict of str to str
        Name -> module and name there: 'nnlite.losses.huber'.
    """

    def __init__(self, paths):
        self.paths = paths

    def __getitem__(self, name):
        module, _, attribute = self.paths[name].rpartition(".")
        return getattr(importlib.import_module(module), attribute)

    def __contains__(self, name):
        return name in self.paths

    def __iter__(self):
        return iter(self.paths)

    def __len__(self):
        return len(self.paths)
