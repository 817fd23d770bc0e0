"""Configurable: an object that knows the arguments it was made with.

The one idea: a class's constructor signature is the only list of its settings. What was passed is
recorded before `__init__` runs, and everything else (`get_config`, `get_params`, `repr`, copies) is
read off that."""

import copy
import functools
import inspect
import re

import numpy as np


@functools.lru_cache(1024)
def _signature_of(init):
    """The signature of a constructor; its arguments by name, and whether each is required, or None
    where some have no name or place; whether it takes more by name. A fit makes dozens of objects:
    this is kept."""
    signature = inspect.signature(init)
    parameters = list(signature.parameters.values())[1:]
    open_ended = bool(parameters) and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD
    named = parameters[:-1] if open_ended else parameters
    plain = all(p.kind is p.POSITIONAL_OR_KEYWORD for p in named)
    required = {p.name: p.default is p.empty for p in named}
    return signature, required if plain else None, open_ended


@functools.lru_cache(1024)
def snake_case(name):
    """'MaxPooling2D' -> 'max_pooling2d', as Keras names layers."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def unique_name(base, taken, start=0):
    """The first of `base`, `base_1`, `base_2`, ... that is not taken.

    Parameters
    ----------
    base : str
    taken : collection of str
        The names that are in use.
    start : int, default 0
        The lowest number; 0 stands for the base alone.

    Examples
    --------
    >>> unique_name("dense", {"dense"}), unique_name("dense", (), start=1)
    ('dense_1', 'dense_1')
    """
    number, name = start, f"{base}_{start}" if start else base
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    return name


class edits:
    """How often a public attribute of any layer or optimizer was set: what was traced before is
    then traced again."""

    count = 0


class Configurable:
    """An object that knows the arguments it was made with.

    Subclasses write an ordinary `__init__`; `get_config`, `from_config`, `get_params`,
    `set_params`, `repr`, equality and copies follow from its signature. A subclass may define its
    own `get_config`.
    """

    def __new__(cls, *args, **kwargs):
        self = object.__new__(cls)
        object.__setattr__(self, "_given", cls._bind(self, args, kwargs))
        return self

    def __getnewargs_ex__(self):
        return (), self._given

    @classmethod
    def _signature(cls):
        """Name -> default of each constructor argument, `**kwargs` of a subclass looked up in its
        bases."""
        own = cls.__dict__.get("_signature_cache")
        if own is None:
            own, open_ended = {}, False
            for klass in cls.__mro__:
                init = klass.__dict__.get("__init__")
                if init is None or klass is object:
                    continue
                open_ended = False
                for p in list(inspect.signature(init).parameters.values())[1:]:
                    if p.kind is p.VAR_KEYWORD:
                        open_ended = True
                    elif p.kind is not p.VAR_POSITIONAL:
                        own.setdefault(p.name, p.default)
                if not open_ended:
                    break
            cls._signature_cache = own
        return own

    @classmethod
    def _bind(cls, self, args, kwargs):
        signature, names, open_ended = _signature_of(cls.__init__)
        if names is not None and len(args) <= len(names):
            given = dict(zip(names, args))
            fits = kwargs.keys().isdisjoint(given) and (open_ended or kwargs.keys() <= names.keys())
            given.update(kwargs)
            if fits and all(n in given for n, required in names.items() if required):
                return given
        try:
            bound = signature.bind(self, *args, **kwargs)
        except TypeError as error:
            raise TypeError(
                f"{cls.__name__}: {error}. It takes {', '.join(cls._signature())}"
            ) from None
        given = {}
        for name, value in list(bound.arguments.items())[1:]:
            kind = signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                given.update(value)
            elif kind is not inspect.Parameter.VAR_POSITIONAL:
                given[name] = value
        return given

    def get_config(self):
        """The arguments of the constructor as a dict; `from_config` makes an equal object from
        it."""
        return {
            name: self._given.get(name, default)
            for name, default in self._signature().items()
            if name in self._given or default is not inspect.Parameter.empty
        }

    @classmethod
    def from_config(cls, config):
        """The object that `get_config` described."""
        return cls(**config)

    def get_params(self, deep=True):
        """The settings by name; with `deep`, those of nested objects as `outer__inner`."""
        params = Configurable.get_config(self)
        if deep:
            for name, value in list(params.items()):
                if isinstance(value, Configurable):
                    nested = value.get_params(deep=True)
                    params.update((f"{name}__{key}", v) for key, v in nested.items())
        return params

    def _clone(self, **overrides):
        config = clone(Configurable.get_config(self))
        nested = {}
        for key, value in overrides.items():
            name, _, rest = key.partition("__")
            if name not in config and name not in self._signature():
                raise ValueError(
                    f"{type(self).__name__}: no setting {name!r}; it has {', '.join(config)}"
                )
            if rest:
                nested.setdefault(name, {})[rest] = value
            else:
                config[name] = value
        for name, inner in nested.items():
            config[name] = clone(config[name], **inner)
        return type(self)(**config)

    def __sklearn_clone__(self):
        """What scikit-learn's `clone` makes of it, inside of an estimator that a search copies."""
        return self._clone()

    def set_params(self, **params):
        """Change settings in place, as long as nothing was built from them; returns the object."""
        other = self._clone(**params)
        self.__dict__.clear()
        self.__dict__.update(other.__dict__)
        return self

    def __repr__(self):
        signature = self._signature()
        shown = [
            f"{k}={v!r}" for k, v in self._given.items() if not _same(v, signature.get(k, None))
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __eq__(self, other):
        if type(self) is not type(other):
            return NotImplemented
        return frozen(self) == frozen(other)

    def __hash__(self):
        return hash(frozen(self))


def _same(a, b):
    """Whether two settings are plainly the same (arrays never are)."""
    return type(a) is type(b) and not isinstance(a, np.ndarray) and a == b


def clone(value, **overrides):
    """A copy of a setting in which nothing is built or learned.

    Parameters
    ----------
    value : Configurable, or anything that a setting may be
    **overrides
        Of a Configurable, settings that are to differ; nested ones as `outer__inner`.

    Raises
    ------
    ValueError
        If there is no setting of a name.
    """
    if isinstance(value, Configurable):
        return value._clone(**overrides)
    if type(value) in (list, tuple):
        return type(value)(clone(v) for v in value)
    if type(value) is dict:
        return {key: clone(v) for key, v in value.items()}
    if value is None or type(value) in (str, bool, int, float):
        return value
    return copy.deepcopy(value)


def frozen(value):
    """A hashable form of a setting; equal settings have equal forms."""
    if isinstance(value, Configurable):
        return (type(value), frozen(Configurable.get_config(value)))
    if isinstance(value, dict):
        return ("dict", tuple(sorted((str(k), frozen(v)) for k, v in value.items())))
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, tuple(frozen(v) for v in value))
    if isinstance(value, np.ndarray):
        return ("array", value.shape, str(value.dtype), value.tobytes())
    if isinstance(value, (bool, int, float, np.number)):
        return ("number", float(value)) if not isinstance(value, bool) else value
    try:
        hash(value)
        return value
    except TypeError:
        return id(value)
