"""Nested parameters: the settings of a spec, and of the specs among them, as `outer__inner`.

A spec is a Configurable, whose settings are the arguments of its constructor, or a function, whose
settings are its keyword arguments. The one idea: a spec is never changed. `deep_settings` reads its
settings, and `clone_with_params` makes a copy with other settings."""

import functools
import inspect

from nnlite import constraints, initializers, regularizers
from nnlite.configurable import Configurable, clone
from nnlite.layers import Layer

_OPEN_ENDED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def is_passthrough(value):
    """Whether a value is None or 'passthrough': a step that is left out."""
    return value is None or (isinstance(value, str) and value == "passthrough")


def is_function(value):
    """Whether a value is a function. (Layers and classes are callable, but no functions.)"""
    return callable(value) and not isinstance(value, (type, Layer, Configurable))


def settings_of(spec):
    """The settings of a spec by name, without nested ones."""
    if isinstance(spec, Configurable):
        return Configurable.get_config(spec)
    return {p.name: p.default for p in _keywords(spec) if p.default is not p.empty}


def _keywords(function):
    """The parameters of a function that are settings; none if it is no function."""
    if not is_function(function):
        return []
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a function in C without a signature
        return []
    return [
        p
        for p in found
        if p.kind not in (*_OPEN_ENDED, p.POSITIONAL_ONLY) and p.name != meta_argument(found)
    ]


def meta_argument(parameters):
    """The name of the argument for the Meta: `meta`, else the first one if it has no default."""
    by_name = [p for p in parameters if p.name == "meta" and p.kind not in _OPEN_ENDED]
    first = [p for p in parameters[:1] if p.default is p.empty and p.kind in _POSITIONAL]
    for p in by_name or first:
        return p.name
    return None


def spec_of(name, value):
    """The spec that the value of a setting stands for, or None.

    Names of regularizers, initializers and constraints stand for their objects. A regularizer of
    None stands for a penalty of 0, so that `kernel_regularizer__l2` can be set on any layer.
    """
    if isinstance(value, Configurable) or is_function(value):
        return value
    if name.endswith("_regularizer"):
        if value is None:  # some layers allow no activity regularizer, even one of 0
            return None if name == "activity_regularizer" else regularizers.L1L2()
        return _found(regularizers.get, value)
    if name.endswith("_initializer"):
        return _found(initializers.get, value)
    return _found(constraints.get, value) if name.endswith("_constraint") else None


def _found(get, value):
    """The Configurable that a name stands for; None if it stands for none."""
    try:
        found = get(value)
    except (TypeError, ValueError):
        return None
    return found if isinstance(found, Configurable) else None


def deep_settings(spec):
    """The settings of a spec and of the specs in it, as `outer__inner`."""
    found = {}
    for name, value in settings_of(spec).items():
        found[name] = value
        if isinstance(inner := spec_of(name, value), Configurable):
            found.update((f"{name}__{k}", v) for k, v in deep_settings(inner).items())
    return found


def group_nested(settings):
    """Split settings in two dicts: those without '__', and name -> {rest: value} of the others."""
    direct, nested = {}, {}
    for key, value in settings.items():
        name, nests, rest = key.partition("__")
        if nests:
            nested.setdefault(name, {})[rest] = value
        else:
            direct[name] = value
    return direct, nested


def renamed(settings, name, new_name):
    """The setting of a name and those nested in it, under another name."""
    found = [k for k in settings if k.startswith(name) and _is_within(k, name)]
    return {new_name + k[len(name) :]: settings[k] for k in found}


def without(settings, *names):
    """The settings without those of some names and those nested in them."""
    found = [k for k in settings if k.startswith(names) and any(_is_within(k, n) for n in names)]
    return {k: v for k, v in settings.items() if k not in found}


def _is_within(name, outer):
    """Whether this is the name of a setting `outer` or of one nested in it."""
    return name == outer or name.startswith(f"{outer}__")


def clone_with_params(spec, settings):
    """A copy of a spec with some settings changed: the direct ones first, then the nested ones.

    Raises
    ------
    ValueError
        If there is no setting of a name; the message says which there are.
    """
    direct, nested = group_nested(settings)
    spec = _with_settings(spec, direct)
    for name, inner in nested.items():
        value = settings_of(_with_settings(spec, {}, known=[name])).get(name)
        part = spec_of(name, value)
        if part is not None:
            spec = _with_settings(spec, {name: clone_with_params(part, inner)})
        elif not is_passthrough(value) or (value is None and name not in direct):
            raise ValueError(f"{name}: no setting {next(iter(inner))!r}; it has none, as {value!r}")
    return spec


def _with_settings(spec, settings, known=()):
    """A copy with some direct settings changed; it must have settings of the `known` names too."""
    if isinstance(spec, Configurable):
        names = [*spec._signature()]
        open_ended = False
    else:
        names = [p.name for p in _keywords(spec)]
        kinds = [p.kind for p in inspect.signature(spec).parameters.values()]
        open_ended = inspect.Parameter.VAR_KEYWORD in kinds
    for name in (*settings, *known):
        if name not in names and not open_ended:
            of = getattr(spec, "__name__", type(spec).__name__)
            raise ValueError(f"{of}: no setting {name!r}; it has {', '.join(names)}")
    if isinstance(spec, Configurable):
        # `fit` makes the object again and says what is wrong with its settings.
        return type(spec)._unchecked({**clone(settings_of(spec)), **settings})
    return functools.partial(spec, **settings) if settings else spec
