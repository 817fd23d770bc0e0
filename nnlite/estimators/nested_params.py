"""Settings inside of specs: an object made with them, or a function with keyword arguments.

The one idea: a spec is never changed; `clone_with_params` gives a copy with other settings, named
as `outer__inner`, and `deep_settings` reads all of them."""

import functools
import inspect

from nnlite import initializers, regularizers
from nnlite.configurable import Configurable, clone
from nnlite.layers import Layer

_OPEN_ENDED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def is_passthrough(value):
    """Whether a step stands for nothing: None or 'passthrough'."""
    return value is None or (isinstance(value, str) and value == "passthrough")


def is_function(value):
    """Whether this is a function that builds; layers and classes are callable, too."""
    return callable(value) and not isinstance(value, (type, Layer, Configurable))


def settings_of(spec):
    """The settings of a spec by name: of an object those of its constructor, of a function its
    keyword arguments."""
    if isinstance(spec, Configurable):
        return Configurable.get_config(spec)
    return {p.name: p.default for p in _keywords(spec) if p.default is not p.empty}


def _keywords(function):
    """The parameters of a function that can be searched."""
    if not is_function(function):
        return []
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # written in C, without a signature
        return []
    return [
        p
        for p in found
        if p.kind not in (*_OPEN_ENDED, p.POSITIONAL_ONLY) and p.name != meta_argument(found)
    ]


def meta_argument(parameters):
    """The name of the argument that takes the Meta: `meta`, or the first if it has no default."""
    by_name = [p for p in parameters if p.name == "meta" and p.kind not in _OPEN_ENDED]
    first = [p for p in parameters[:1] if p.default is p.empty and p.kind in _POSITIONAL]
    for p in by_name or first:
        return p.name
    return None


def spec_of(name, value):
    """The object with settings that the value of a setting stands for, or None.

    Names of regularizers and initializers stand for objects; a regularizer of None for a penalty
    of 0, so that `kernel_regularizer__l2` can be set on any layer.
    """
    if isinstance(value, Configurable) or is_function(value):
        return value
    if name.endswith("_regularizer"):
        if value is None:  # a penalty on activations cannot be 0: layers may not have it at all
            return None if name == "activity_regularizer" else regularizers.L1L2()
        return _found(regularizers.get, value)
    if name.endswith("_initializer"):
        return _found(initializers.get, value)
    return None


def _found(get, value):
    """What a name stands for; None for anything else."""
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
    """(settings without '__', first name -> the rest of those with it)."""
    own, nested = {}, {}
    for key, value in settings.items():
        name, nests, rest = key.partition("__")
        if nests:
            nested.setdefault(name, {})[rest] = value
        else:
            own[name] = value
    return own, nested


def renamed(settings, name, new_name):
    """The setting of a name and those nested in it, under another name."""
    found = [k for k in settings if k.startswith(name) and _is_within(k, name)]
    return {new_name + k[len(name) :]: settings[k] for k in found}


def without(settings, *names):
    """The settings but for those of some names and what is nested in them."""
    found = [k for k in settings if k.startswith(names) and any(_is_within(k, n) for n in names)]
    return {k: v for k, v in settings.items() if k not in found}


def _is_within(name, outer):
    """Whether this is the name of a setting `outer` or of one nested in it."""
    return name == outer or name.startswith(f"{outer}__")


def clone_with_params(spec, settings):
    """A copy of a spec with some of its settings changed: whole ones first, then nested ones.

    Raises
    ------
    ValueError
        If there is no setting of a name; the message says which there are.
    """
    own, nested = group_nested(settings)
    spec = _with_settings(spec, own)
    for name, inner in nested.items():
        value = settings_of(_with_settings(spec, {}, known=[name])).get(name)
        part = spec_of(name, value)
        if part is not None:
            spec = _with_settings(spec, {name: clone_with_params(part, inner)})
        elif not is_passthrough(value):
            raise ValueError(f"{name}: no setting {next(iter(inner))!r}; it has none, as {value!r}")
    return spec


def _with_settings(spec, settings, known=()):
    """A copy with settings of its own; `known` are more names that it must have."""
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
        try:
            return clone(spec, **settings)
        except (TypeError, ValueError):  # of a constructor that checks; it does so in `fit` again
            config = {**clone(settings_of(spec)), **settings}
            return type(spec).__new__(type(spec), **config)
    return functools.partial(spec, **settings) if settings else spec
