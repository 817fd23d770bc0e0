"""Objects as plain dicts, which JSON holds, in the form of Keras 3; and objects from such dicts.

The one idea: a dict names its class by family and class name, and only what a family makes public
is ever looked up. Nothing is imported, called or evaluated because a dict says so."""

import importlib
import inspect

import numpy as np

from nnlite.errors import prefixed
from nnlite.registry import (
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
)

# The modules whose public classes and functions a dict may name.
FAMILIES = (
    "activations",
    "constraints",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "random",
    "regularizers",
    "schedules",
    "importing",
    "convnext",
    "inception_resnet_v2",
)
_APPLICATIONS = FAMILIES[-2:]  # networks with layers of their own, in nnlite.applications


def serialize_keras_object(obj):
    """An object with settings, or a structure of such, as plain dicts, lists, strings and numbers.

    Parameters
    ----------
    obj : object
        What has a `get_config`, a named function, a number, a string, None, an array, a slice, or a
        list, tuple or dict of these.

    Returns
    -------
    dict, list, tuple, str, number or None

    Raises
    ------
    TypeError
        If something of another kind is found: a lambda, which no file can describe, among them.

    Examples
    --------
    >>> from nnlite import regularizers, saving
    >>> saving.serialize_keras_object(regularizers.L2(0.5))["config"]
    {'l2': 0.5}
    """
    if obj is None or isinstance(obj, (str, bool, int, float)):
        return obj
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if isinstance(obj, (list, tuple)):
        made = [serialize_keras_object(value) for value in obj]
        return tuple(made) if isinstance(obj, tuple) else made
    if isinstance(obj, np.generic) or (isinstance(obj, np.ndarray) and not obj.ndim):
        return obj.item()
    if isinstance(obj, np.ndarray):
        return _special("__numpy__", value=obj.tolist(), dtype=str(obj.dtype))
    if isinstance(obj, slice):
        parts = {part: getattr(obj, part) for part in ("start", "stop", "step")}
        return _special("__slice__", **serialize_keras_object(parts))
    if obj is Ellipsis:
        return _special("__ellipsis__")
    if isinstance(obj, bytes):
        return _special("__bytes__", value=obj.decode("utf-8"))
    if inspect.isfunction(obj):
        if obj.__name__ == "<lambda>":
            raise TypeError(
                "serialize_keras_object: expected a function with a name, by which custom_objects "
                f"gives it back, got {obj!r}"
            )
        return _described_function(obj)
    if isinstance(obj, type) or not hasattr(obj, "get_config"):
        raise TypeError(
            f"serialize_keras_object: expected an object with get_config(), got {obj!r}"
        )
    name = type(obj).__name__
    config = {key: value for key, value in obj.get_config().items() if key not in _TO_KERAS[name]}
    with prefixed(f"{name}: "):
        made = _described(type(obj), name, serialize_keras_object(config))
    for part in ("build_config", "compile_config"):
        get = getattr(obj, f"get_{part}", None)
        if get is not None and not _is_plain(get) and (found := get()) is not None:
            made[part] = serialize_keras_object(found)
    return made


def deserialize_keras_object(config, custom_objects=None, safe_mode=True):
    """The object of which `serialize_keras_object`, or Keras, made a config.

    Parameters
    ----------
    config : dict, list, str, number or None
        What is no config, such as a finished object, is returned itself.
    custom_objects : dict of str to class or function, optional
        Classes and functions of one's own by name.
    safe_mode : bool, default True
        Accepted for Keras's signature. Code that a config holds is refused whatever it says.

    Raises
    ------
    ValueError
        If a class or function is not known: neither nnlite's, nor registered, nor given; or if it
        has no such settings.

    Examples
    --------
    >>> from nnlite import losses, saving
    >>> saving.deserialize_keras_object(saving.serialize_keras_object(losses.Huber(2.0))).delta
    2.0
    """
    with custom_object_scope(custom_objects):
        return made_from(config)


def made_from(config):
    """What a config describes.

    Parameters
    ----------
    config : dict, list, str, number or None
    """
    if isinstance(config, (list, tuple)):
        return type(config)(made_from(entry) for entry in config)
    if not isinstance(config, dict):
        return config
    name, inner = config.get("class_name"), config.get("config")
    if not isinstance(name, str) or "config" not in config:
        return {key: made_from(value) for key, value in config.items()}
    if name in _SPECIAL:
        with prefixed(f"{name}: "):
            return _SPECIAL[name](inner)
    if name == "function":
        if not isinstance(inner, str):
            raise TypeError(f"function: config: expected its name, got {inner!r:.100}")
        return found_by(config, inner)
    made = made_of(found_by(config, name), {} if inner is None else inner)
    for part in ("build", "compile"):
        settings, take = config.get(f"{part}_config"), getattr(made, f"{part}_from_config", None)
        if settings and take is not None and not _is_plain(take):
            take(settings)
    return made


def made_of(cls, settings):
    """An object of a class, with settings in which objects may be dicts.

    Parameters
    ----------
    cls : type
        If it writes `from_config` itself, that gets the settings as they are.
    settings : dict
    """
    if not isinstance(settings, dict):
        raise TypeError(f"{cls.__name__}: config: expected a dict of settings, got {settings!r}")
    if not hasattr(cls, "from_config"):
        raise ValueError(f"{cls.__name__}: expected a class with from_config, got {cls!r}")
    if not _is_ours(getattr(cls.from_config, "__func__", cls.from_config)):
        return cls.from_config(dict(settings))
    if hasattr(cls, "_signature"):  # a class of nnlite, or made of one
        settings = _known_settings(cls, settings)
    if not getattr(cls, "_reads_its_config", False):
        settings = made_from(settings)
    try:
        return getattr(cls, "_of_new_parts", cls.from_config)(settings)
    except TypeError as error:  # settings that it does not take
        raise ValueError(f"{cls.__name__}: {error}") from error


def found_by(config, name, known_families=FAMILIES):
    """The class or function that a config names: a registered one, or a public one of a family.

    Parameters
    ----------
    config : dict
        Its 'registered_name' and 'module' say where to look.
    name : str
    known_families : tuple of str, optional
        Where public ones may be.
    """
    registered, module = config.get("registered_name"), config.get("module")
    for known in (registered, name):
        if isinstance(known, str) and (found := get_registered_object(known)) is not None:
            return found
    parts = str(module).split(".")
    ours = [] if parts[0] not in ("nnlite", "keras", "builtins") else parts
    families = [part for part in reversed(ours) if part in known_families]
    if module in ("keras", "nnlite"):
        families = ["models"]
    if module == "builtins":
        families = ["activations", "losses", "metrics", "initializers"]
    for family in families if isinstance(name, str) else ():
        public = _public(family)
        known = name in _OTHER_NAMES or name in public.__all__
        found = getattr(public, _OTHER_NAMES.get(name, name), None) if known else None
        if _may_be_named(found, family):
            if registered and registered not in (name, config.get("class_name")):
                break  # a class of one's own that is not registered here, perhaps of another kind
            return found
    if config.get("class_name") == "function":  # of Keras before 3.7, which left the package out
        same = [found for key, found in get_custom_objects().items() if key.endswith(f">{name}")]
        if len(same) == 1:
            return same[0]
    raise ValueError(
        f"{name!r}: expected a class or function of nnlite, or one that "
        f"register_keras_serializable or custom_objects makes known, got one of {module!r}"
    )


def _public(family):
    """The module that makes a family public."""
    folder = "applications." if family in _APPLICATIONS else ""
    return importlib.import_module(f"nnlite.{folder}{family}")


def _may_be_named(found, family):
    """Whether a public name of a family is that of a class with settings, or of a function that
    stands for an object of the family."""
    if isinstance(found, type):
        return hasattr(found, "from_config")
    of_classes = (
        "layers",
        "models",
        "optimizers",
        "random",
        "schedules",
        "importing",
        *_APPLICATIONS,
    )
    by_name = family not in of_classes
    helps = getattr(found, "__name__", "") in ("get", "serialize", "deserialize")
    return inspect.isfunction(found) and by_name and not helps


def _special(name, **config):
    return {"class_name": name, "config": config}


def _described(target, class_name, config):
    """A dict that says where a class or function is found again."""
    return {**described_place(target), "class_name": class_name, "config": config}


def described_place(target, families=FAMILIES):
    """Where `found_by` finds a class or function, as a dict.

    Parameters
    ----------
    target : class or function
    families : tuple of str, optional
        Where public ones may be.
    """
    module, name = _module(target, families), get_registered_name(target)
    own = module is None or ">" in name
    return {
        "module": target.__module__ if module is None else module,
        "class_name": target.__name__,
        "config": None,
        "registered_name": name if own else None,
    }


def _described_function(function):
    """A dict that says where a function is found again: by its name alone, as in Keras, unless
    another one is found first."""
    made = {
        "module": "builtins",
        "class_name": "function",
        "config": get_registered_name(function),
        "registered_name": "function",
    }
    family = _module(function, FAMILIES)
    if family is not None and found_by(made, made["config"]) is not function:
        made |= {"module": family, "registered_name": None}
    return made


def _module(target, families):
    """Where Keras makes a class or function of nnlite public: 'keras.losses'; None if it is not
    nnlite's."""
    if not _is_ours(target):
        return None
    name = target.__name__
    for family in reversed([part for part in target.__module__.split(".") if part in families]):
        if vars(_public(family)).get(name) is target:
            known = _MODULES.get(family, f"keras.{family}")
            return f"nnlite.{family}" if name in _ALONE else known
    return target.__module__


_MODULES = {
    "models": "keras",
    "schedules": "keras.optimizers.schedules",
    **{family: f"keras.src.applications.{family}" for family in _APPLICATIONS},
}
_ALONE = {  # not in Keras
    "AccuracyByShape",
    "FanInUniform",
    "InputScaling",
    "LearnedScaling",
    "MLP",
    "OneCycle",
    "OnnxNodes",
    "PaddingMask",
    "PeriodicEmbedding",
    "PiecewiseLinearEncoding",
    "Pinball",
    "Quantile",
    "Stack",
}


def _is_ours(target):
    return str(getattr(target, "__module__", "")).startswith("nnlite.")


def _is_plain(method):
    """Whether a layer builds as any: the calls in a model say then for which shapes."""
    return method.__module__ == "nnlite.layers.tracking" and not method.__self__._is_model


def _refuse_code(inner):
    raise ValueError(
        "expected a named function, which custom_objects gives back, got the code of a lambda: "
        "nnlite never runs code from a file"
    )


def _array(inner):
    dtype = str(inner.get("dtype"))
    if dtype not in _NUMBERS:
        raise ValueError(f"dtype: expected one of {', '.join(_NUMBERS)}, got {dtype!r}")
    return np.array(inner["value"], dtype)


def _precision(name):
    """What a layer computes in whose policy has a name: where Keras has fewer digits than float32,
    in float32."""
    fewer = isinstance(name, str) and "float" in name and name != "float64"
    return "float32" if fewer else name


_NUMBERS = ("bool", "int8", "uint8", "int16", "int32", "int64", "float16", "float32", "float64")
_SPECIAL = {
    "__numpy__": _array,
    "__tensor__": _array,
    "__bytes__": lambda inner: inner["value"].encode(),
    "__ellipsis__": lambda inner: Ellipsis,
    "__slice__": lambda inner: slice(inner["start"], inner["stop"], inner["step"]),
    "__lambda__": _refuse_code,
    # What a layer computes in; nnlite asks only for its name.
    "DTypePolicy": lambda inner: _precision(inner["name"]),
    "Policy": lambda inner: _precision(inner["name"]),
}
_OTHER_NAMES = {"Functional": "Model"}


class _Table(dict):
    def __missing__(self, key):
        return ()


# Settings of a class that Keras's class of the same name does not take.
_WITHOUT_TRAINABLE = ("Discretization", "SpatialDropout1D", "SpatialDropout2D")
_TO_KERAS = _Table(dict.fromkeys(_WITHOUT_TRAINABLE, ("trainable",)))
# Settings by other names, of Keras 2.
_OLDER = {"batch_input_shape": "batch_shape", "lr": "learning_rate"}
# Settings that only Keras has, with values that change nothing in nnlite. Of any, None and False
# switch nothing on.
_IDLE = {
    "autocast": (True,),
    "jit_compile": (True,),
    "is_legacy_optimizer": (True,),
}


def _known_settings(cls, settings):
    """The settings of a class of Keras under nnlite's names, without those that do nothing."""
    known, found = {*cls._signature(), *getattr(cls, "_only_in_configs", ())}, {}
    for name, value in settings.items():
        if name not in known and name in _OLDER:
            name = _OLDER[name]
        if name in known:
            found[name] = _precision(value) if name == "dtype" else value
        elif not (value is None or value is False or value in _IDLE.get(name, ())):
            found[name] = value
    return cls._from_older(found) if hasattr(cls, "_from_older") else found
