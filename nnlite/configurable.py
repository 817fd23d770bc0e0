"""Configurable: an object that knows the arguments it was made with.

The one idea: the signature of a class's constructor is the only list of its settings. Arguments are
recorded before `__init__` runs. `get_config`, `get_params`, `repr` and copies use that record."""

import collections
import copy
import functools
import inspect
import itertools
import re

import numpy as np

from nnlite.checks import check_setting
from nnlite.errors import did_you_mean


def _no_constructor(self):
    """In place of `object.__init__`, whose signature is a text that takes anything."""


@functools.lru_cache(1024)
def _signature_of(init):
    """Of a constructor: (signature, name -> whether it is required, whether it has `**kwargs`).

    The second is None if an argument is positional-only or keyword-only. The result is cached: a
    fit makes dozens of objects."""
    signature = inspect.signature(_no_constructor if init is object.__init__ else init)
    parameters = list(signature.parameters.values())[1:]
    open_ended = bool(parameters) and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD
    named = parameters[:-1] if open_ended else parameters
    plain = all(p.kind is p.POSITIONAL_OR_KEYWORD for p in named)
    required = {p.name: p.default is p.empty for p in named}
    return signature, required if plain else None, open_ended


@functools.lru_cache(1024)
def snake_case(name):
    """'MaxPooling2D' -> 'max_pooling2d', 'ConvLSTM2D' -> 'conv_lstm2d', '<lambda>' -> 'lambda':
    Keras's name of what has none."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def name_of(function):
    """The name of a Loss, a Metric or a function, in logs: its own, or that of its class."""
    given = getattr(function, "name", None) or getattr(function, "__name__", None)
    return snake_case(given or type(function).__name__)


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


_given_names = collections.Counter()  # how often `next_name` was asked for each base


def next_name(base):
    """`base` at the first call of the process, then `base_1`, `base_2`, ..."""
    number = _given_names[base]
    _given_names[base] += 1
    return f"{base}_{number}" if number else base


def forget_names():
    """Let `next_name` begin again."""
    _given_names.clear()


class structure_version:
    """When a setting that a compiled step may depend on last changed.

    A layer or optimizer in its present state has a number that no other has, and loses it when a
    public attribute is set. A model compiles its steps again when the numbers of its own parts
    differ from before. `latest` is another number after each change in the process: while it is the
    same, no numbers need be compared.
    """

    _numbers = itertools.count(1)
    latest = 0

    @classmethod
    def of(cls, part):
        """The number of a layer or optimizer in its present state."""
        number = part.__dict__.get("_version")
        if number is None:
            number = part.__dict__["_version"] = next(cls._numbers)
        return number

    @classmethod
    def advance(cls, part):
        """Take note that a layer or optimizer is new or has changed."""
        part.__dict__.pop("_version", None)
        cls.latest = next(cls._numbers)


class Configurable:
    """An object that knows the arguments it was made with.

    A subclass defines an ordinary `__init__`. Its signature determines `get_config`, `from_config`,
    `get_params`, `set_params`, `repr`, equality and copies. A subclass may override `get_config`.

    Parameters
    ----------
    *args, **kwargs
        The arguments of the subclass's `__init__`.

    Raises
    ------
    TypeError
        If they do not fit its signature.
    """

    # What `check_setting` may find of a setting of this name, in this class and its subclasses.
    _legal = {}

    def __new__(cls, *args, **kwargs):
        self = object.__new__(cls)
        object.__setattr__(self, "_given", cls._bind(self, args, kwargs))
        return self

    def __getnewargs_ex__(self):
        return (), self._given

    @classmethod
    def _signature(cls):
        """Name -> default of each constructor argument. Where a class takes `**kwargs`, those of
        its base follow."""
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
        """The arguments of a call of the constructor by name; a TypeError if they do not fit."""
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
            known = cls._signature()
            unknown = [name for name in kwargs if name not in known]
            meant = did_you_mean(unknown[0], known) if unknown else ""
            raise TypeError(
                f"{cls.__name__}: {error}. It takes {', '.join(known) or 'none'}{meant}"
            ) from None
        given = {}
        for name, value in list(bound.arguments.items())[1:]:
            kind = signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                given.update(value)
            elif kind is not inspect.Parameter.VAR_POSITIONAL:
                given[name] = value
        return given

    def _check_given(self, settings=None):
        """Raise a ValueError if a setting, by default of those that the constructor was given, is
        not what `_legal` says. A default is legal."""
        legal, defaults = _legal_of(type(self)), self._signature()
        for name, value in (self._given if settings is None else settings).items():
            if name in legal and value is not defaults.get(name):
                check_setting(name, value, legal[name], type(self).__name__)

    def get_config(self):
        """The constructor's arguments as a dict, from which `from_config` makes an equal object.

        A class with a `get_config` of its own gets from `super().get_config()` only those that its
        base takes, and adds its own: `dict(units=self.units, **super().get_config())`.

        Returns
        -------
        dict
        """
        added = _added_by_users(type(self))
        return {k: v for k, v in Configurable._identity(self).items() if k not in added}

    def _identity(self):
        """The settings that make two objects equal."""
        return {
            name: self._given.get(name, default)
            for name, default in self._signature().items()
            if name in self._given or default is not inspect.Parameter.empty
        }

    @classmethod
    def from_config(cls, config):
        """Make the object that a config describes.

        Parameters
        ----------
        config : dict
            As `get_config` returns it.

        Returns
        -------
        object of this class
        """
        return cls(**config)

    def get_params(self, deep=True):
        """The settings by name.

        Parameters
        ----------
        deep : bool, default True
            Whether to include the settings of nested objects, as `outer__inner`.

        Returns
        -------
        dict
        """
        params = Configurable._identity(self)
        if deep:
            for name, value in list(params.items()):
                if isinstance(value, Configurable):
                    nested = value.get_params(deep=True)
                    params.update((f"{name}__{key}", v) for key, v in nested.items())
        return params

    def _clone(self, **overrides):
        """A new object with the same settings, but for those given."""
        config = clone(Configurable._identity(self))
        nested = {}
        for key, value in overrides.items():
            name, _, rest = key.partition("__")
            if name not in config and name not in self._signature():
                raise ValueError(
                    f"{type(self).__name__}: no setting {name!r}; it has {', '.join(config)}"
                    f"{did_you_mean(name, config)}"
                )
            if rest:
                nested.setdefault(name, {})[rest] = value
            else:
                config[name] = value
        for name, inner in nested.items():
            config[name] = clone(config[name], **inner)
        return type(self)(**config)

    def __sklearn_clone__(self):
        """The copy that scikit-learn's `clone` makes, as a search does of an estimator's parts. The
        settings of a search may be out of range until `fit` says so."""
        try:
            return self._clone()
        except (TypeError, ValueError):
            return type(self)._unchecked(clone(Configurable._identity(self)))

    @classmethod
    def _unchecked(cls, settings):
        """An object with these settings; one that knows them only, if the constructor refuses
        them."""
        try:
            return cls(**settings)
        except (TypeError, ValueError):
            return cls.__new__(cls, **settings)

    def set_params(self, **params):
        """Change settings in place. Weights, slots and other state are lost, as in a new object.

        Parameters
        ----------
        **params
            New values by name; those of nested objects as `outer__inner`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no setting of a name.
        """
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


@functools.lru_cache(1024)
def _legal_of(cls):
    """The `_legal` of a class with those of its bases."""
    found = {}
    for klass in reversed(cls.__mro__):
        found |= vars(klass).get("_legal", {})
    return found


@functools.lru_cache(1024)
def _added_by_users(cls):
    """The settings that classes outside nnlite with a `get_config` have beyond those of their
    base."""
    found = set()
    for klass in cls.__mro__:
        ours = klass.__module__.partition(".")[0] == "nnlite"
        if "get_config" in vars(klass) and issubclass(klass, Configurable) and not ours:
            base = next(b for b in klass.__mro__[1:] if issubclass(b, Configurable))
            found |= klass._signature().keys() - base._signature().keys()
    return found


def _same(a, b):
    """Whether two settings have one type and are equal. Arrays never count as equal."""
    return type(a) is type(b) and not hasattr(a, "__array__") and bool(a == b)


def clone(value, **overrides):
    """A copy of a setting without built or learned state.

    Parameters
    ----------
    value : Configurable, or any other value of a setting
    **overrides
        New values of settings, for a Configurable; nested ones as `outer__inner`.

    Raises
    ------
    ValueError
        If there is no setting of a name.
    """
    if isinstance(value, Configurable):
        return value._clone(**overrides)
    if type(value) in (list, tuple):
        numbers = _PLAIN.issuperset(map(type, value))  # thousands of them, where it is boundaries
        return type(value)(value if numbers else map(clone, value))
    if type(value) is dict:
        return {key: clone(v) for key, v in value.items()}
    return value if type(value) in _PLAIN else copy.deepcopy(value)


_PLAIN = frozenset([type(None), str, bool, int, float])


def frozen(value):
    """A hashable form of a setting. Equal settings have equal forms; a list equals a tuple of the
    same values, as JSON has lists only.

    Parameters
    ----------
    value : Configurable, dict, list, tuple, array, number, or any hashable object
        An unhashable object of another kind is told apart by its identity.
    """
    if isinstance(value, Configurable):
        return (type(value), frozen(value._identity()))
    if isinstance(value, dict):
        return ("dict", tuple(sorted((str(k), frozen(v)) for k, v in value.items())))
    if isinstance(value, (list, tuple)):
        return ("list", tuple(frozen(v) for v in value))
    if isinstance(value, np.ndarray):
        return ("array", value.shape, str(value.dtype), value.tobytes())
    if isinstance(value, (bool, int, float, np.number)):
        return ("number", float(value)) if not isinstance(value, bool) else value
    if hasattr(value, "__array__"):  # a tensor compares element by element
        return id(value)
    try:
        hash(value)
        return value
    except TypeError:
        return id(value)
