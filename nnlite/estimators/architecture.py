"""What `layers=` of an estimator may be, and how its parts are named.

The one idea: whatever says what a network looks like (a list, a `Stack`, an `MLP`, sizes, a
function) is inert and becomes fresh layers by `hidden_layers`."""

import dataclasses
import inspect
import math
import numbers
import warnings

import numpy as np

from nnlite import errors, losses, warn
from nnlite.configurable import Configurable, clone, frozen, snake_case, unique_name
from nnlite.engine.symbolic import layer_of
from nnlite.estimators.nested_params import is_function, is_passthrough, meta_argument, settings_of
from nnlite.layers import Activation, BatchNormalization, Dense, Dropout, Flatten, Layer, Softmax
from nnlite.layers.core import positive_int
from nnlite.models.model import Model
from nnlite.models.sequential import Sequential

FORMS = (
    "a list of layers such as Dense(64) (or of names and layers), a Stack or an MLP, sizes such "
    "as '64-32' or (64, 32), or a function that returns one of these"
)


class Stack:
    """Layers one after another as one value: a category of a search.

    Unlike a list it can be hashed and is no sequence, which scikit-optimize asks for.
    Two with equal settings are equal.

    Parameters
    ----------
    *layers : Layer, (str, Layer), None or 'passthrough'
        As in a list; None and 'passthrough' stand for no layer.

    Examples
    --------
    >>> from nnlite import Stack
    >>> from nnlite.layers import Dense, Dropout
    >>> Stack(Dense(64), Dropout(0.2)) == Stack(Dense(64), Dropout(0.2))
    True
    """

    def __init__(self, *layers):
        self.layers = layers

    def __eq__(self, other):
        if type(other) is not type(self):
            return NotImplemented
        return frozen(self.layers) == frozen(other.layers)

    def __hash__(self):
        return hash(frozen(self.layers))

    def __repr__(self):
        return f"Stack({', '.join(map(repr, self.layers))})"

    def __sklearn_clone__(self):
        """A copy of fresh layers."""
        return Stack(*clone(self.layers))


class MLP(Configurable):
    """A multilayer perceptron as one value, whose depth and width can be searched.

    Parameters
    ----------
    units : int, sequence of int or str such as '64-32', default (64, 32)
        The sizes of the hidden layers.
    activation : str or function, default 'relu'
    dropout : float in [0, 1), default 0.0
        Above 0 each hidden layer is followed by Dropout at this rate.
    batch_norm : bool, default False
        Whether BatchNormalization stands between each layer and its activation.
    depth : int of at least 0, optional
        The number of hidden layers, in place of that of `units`: the first so many of them, the
        last repeated where there are too few.
    width : int, optional
        The size of every hidden layer, in place of `units`.

    Examples
    --------
    >>> from nnlite import MLP
    >>> MLP("64-32", depth=3).layers()
    [Dense(units=64, activation='relu'), Dense(units=32, activation='relu'), \
Dense(units=32, activation='relu')]
    >>> MLP(width=16).sizes()
    [16, 16]
    """

    def __init__(
        self,
        units=(64, 32),
        activation="relu",
        dropout=0.0,
        batch_norm=False,
        depth=None,
        width=None,
    ):
        self.units, self.activation, self.dropout = units, activation, dropout
        self.batch_norm, self.depth, self.width = batch_norm, depth, width

    def sizes(self):
        """The sizes of the hidden layers; raises a ValueError where a setting is wrong."""
        sizes = sizes_of("units", self.units)
        if self.depth is not None:
            depth = 0 if _is_number(self.depth) and self.depth == 0 else self.depth
            depth = depth and positive_int("depth", depth)
            if depth > len(sizes) == 0 and self.width is None:
                raise ValueError("MLP: expected width= where depth= is given and units are none")
            sizes = (sizes + (sizes[-1:] or [1]) * depth)[:depth]
        if self.width is not None:
            sizes = [positive_int("width", self.width)] * len(sizes)
        return sizes

    def layers(self):
        """Fresh layers."""
        for name, legal in (("dropout", _is_number), ("batch_norm", _is_bool)):
            if not legal(value := getattr(self, name)):
                expected = "a number in [0, 1)" if name == "dropout" else "True or False"
                raise ValueError(f"MLP: expected {name} to be {expected}, got {value!r}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"MLP: expected dropout to be in [0, 1), got {self.dropout!r}")
        found = []
        for units in self.sizes():
            if self.batch_norm:  # which has a bias of its own
                found += [Dense(units, use_bias=False), BatchNormalization()]
                found += [Activation(self.activation)]
            else:
                found += [Dense(units, self.activation)]
            found += [Dropout(self.dropout)] * bool(self.dropout)
        return clone(found)


@dataclasses.dataclass(frozen=True)
class Meta:
    """What a function given as `layers=` may want to know of the data.

    Attributes
    ----------
    sample_shape : tuple of int
        The shape of one row of X.
    n_outputs : int
        Units of the output layer: 1 for two classes, the number of classes for more, of targets in
        a regression.
    task : {'binary', 'multiclass', 'multilabel', 'regression'}
    """

    sample_shape: tuple
    n_outputs: int
    task: str

    @property
    def n_features(self):
        """Numbers in one row of X."""
        return math.prod(self.sample_shape)


def meta_of(sample_shape, output):
    """The Meta of an estimator with this output layer, a Dense."""
    tasks = {"softmax": "multiclass", "sigmoid": "multilabel" if output.units > 1 else "binary"}
    task = tasks.get(output.activation, "regression")
    return Meta(tuple(sample_shape), int(output.units), task)


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def _is_bool(value):
    return isinstance(value, (bool, np.bool_)) or (_is_number(value) and value in (0, 1))


def is_sizes(value):
    """Whether this is meant as sizes of hidden layers: a number, a sequence of them, '64-32'."""
    if isinstance(value, str):
        return any(c.isdigit() for c in value)
    values = np.ravel(value).tolist() if isinstance(value, np.ndarray) else value
    values = values if isinstance(values, (list, tuple)) else [values]
    return bool(values) and all(_is_number(v) for v in values)


def sizes_of(name, value):
    """The sizes of hidden layers as a list of int.

    Parameters
    ----------
    name : str
        Of the setting, for messages.
    value : int, sequence of int or str such as '64-32'
    """
    parts = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(value, str):
        parts = [int(p) if p.strip().isdecimal() else value for p in value.split("-")]
    ordered = isinstance(parts, (list, tuple, range))
    with errors.reworded(lambda m: f"{m}; sizes are such as 64, (64, 32) or '64-32'", ValueError):
        return [positive_int(name, n) for n in (parts if ordered else [parts])]


# Steps: the entries of a list or Stack, or of `callbacks=`


def steps_of(value, taken=()):
    """(name, step) of each entry of a list, tuple, Stack or Sequential; [] for anything else.

    Parameters
    ----------
    value : object
        An entry is a step or (name, step). A step without a name has that of its own `name=`, else
        its class's in snake case and the lowest number that is free: 'dense_1', 'dense_2'. What is
        no step, or is None without a name, has the name None.
    taken : collection of str
        Names that an own `name=` cannot have.
    """
    if not isinstance(value, (list, tuple, Stack, Sequential)) or is_sizes(value):
        return []
    entries = [_entry(entry, taken) for entry in _entries(value)]
    used, found = {name for name, _ in entries}, []
    for name, step in entries:
        if name is None and isinstance(step, Configurable):
            name = unique_name(snake_case(type(step).__name__), used, start=1)
            used.add(name)
        found.append((name, step))
    return found


def _entries(value):
    if isinstance(value, Sequential):
        return value._sublayers
    return value.layers if isinstance(value, Stack) else value


def _is_named(entry):
    return isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)


def _entry(entry, taken):
    """(the name that was given or None, the step)."""
    if _is_named(entry):
        return entry[0], layer_of(entry[1])
    step = layer_of(entry)
    name = step._given.get("name") if isinstance(step, Layer) else None
    own = isinstance(name, str) and name and "__" not in name and name not in taken
    return (name if own else None), step


def with_step(value, number, step, name=None):
    """A list, tuple or Stack with another step at a place; `name` fixes its name. A Sequential,
    which has layers alone, becomes a Stack."""
    entries = list(_entries(value))
    name = entries[number][0] if _is_named(entries[number]) else name
    entries[number] = step if name is None else (name, step)
    return type(value)(entries) if isinstance(value, (list, tuple)) else Stack(*entries)


def check_names(settings, lists):
    """Raise a ValueError if names that were given to steps collide.

    Parameters
    ----------
    settings : collection of str
        The names of the estimator's own settings.
    lists : dict of str to object
        Setting -> what it is.
    """
    used = set()
    for setting, value in lists.items():
        for entry, (name, _) in zip(_entries(value), steps_of(value, settings)):
            if name is None:
                continue
            if name in used:
                raise ValueError(f"{setting}: expected every step's name once, got {name!r} twice")
            used.add(name)
            if _is_named(entry) and (not name or "__" in name or name in settings):
                raise ValueError(
                    f"{setting}: expected names of steps without '__' that are none of the "
                    f"estimator's settings, got {name!r}; those are {', '.join(settings)}"
                )


# From a spec to layers


def hidden_layers(layers, activation="relu", meta=None):
    """Fresh hidden layers of what was given as `layers=`.

    Parameters
    ----------
    layers : Layer, list, tuple, Stack, MLP, sizes or function
    activation : str or function
        Of layers that are given by their sizes alone.
    meta : Meta, optional
        Of the data. Without it a function is not called, but stands for no layer.

    Returns
    -------
    list of Layer, or a compiled Model
        The latter from a function only.

    Raises
    ------
    TypeError, ValueError
        If it is none of these.
    """
    if is_function(layers):
        return [] if meta is None else _called(layers, activation, meta)
    perceptron = layers if isinstance(layers, MLP) else None
    if perceptron is None and is_sizes(layers):
        perceptron = MLP(sizes_of("layers", layers), activation)
    if perceptron is not None:
        images = meta is not None and len(meta.sample_shape) > 1
        return [Flatten()] * images + perceptron.layers()
    single = isinstance(layers, Layer)
    steps = [(None, layers)] if single else steps_of(layers)
    legal = single or isinstance(layers, (list, tuple, Stack))
    if not legal or not all(isinstance(s, Layer) or is_passthrough(s) for _, s in steps):
        raise TypeError(f"layers: expected {FORMS}, got {layers!r}")
    if isinstance(layers, Model) and layers.optimizer is not None:
        raise TypeError(
            f"layers: expected {FORMS}, got a compiled model; give the function that makes it"
        )
    entries = [layers] if single else _entries(layers)
    found = [_fresh_layer(e, s) for e, (_, s) in zip(entries, steps) if not is_passthrough(s)]
    if found:
        check_last(found[-1], meta)
    return found


def check_last(layer, meta=None):
    """Tell users that their last layer seems to be an output layer, which is added behind it.

    A softmax is an error: behind it little can be learned. A sigmoid with as many units as there
    are outputs may be meant as a hidden layer, and is a warning; it takes a Meta to see that.
    """
    while isinstance(layer, Sequential) and layer._sublayers:
        layer = layer._sublayers[-1]
    given = {"activation": "softmax"} if isinstance(layer, Softmax) else settings_of(layer)
    activation = given.get("activation")
    activation = getattr(activation, "__name__", activation)
    found = f"layers: expected hidden layers, as the estimator adds the output layer, got {layer!r}"
    if isinstance(activation, str) and activation == "softmax":
        raise ValueError(
            f"{found} as the last; leave it out, or give a function that returns a compiled model"
        )
    outputs = meta is not None and meta.task in ("binary", "multilabel") and meta.n_outputs
    if isinstance(activation, str) and activation == "sigmoid" and given.get("units") == outputs:
        warnings.warn(
            f"{found} as the last; leave it out unless it is meant to be hidden",
            UserWarning,
            stacklevel=warn.levels_to_the_caller(),
        )


def _fresh_layer(entry, step):
    """A copy of a layer, under the name that its step was given."""
    if _is_named(entry) and "name" in step._signature() and not step._given.get("name"):
        return clone(step, name=entry[0])
    return clone(step)


def _called(function, activation, meta):
    """What a function given as `layers=` returned: fresh layers, or a compiled Model as it is."""
    parameters = inspect.signature(function).parameters
    argument = meta_argument(list(parameters.values()))
    if argument is None:
        result = function()
    elif parameters[argument].kind is inspect.Parameter.POSITIONAL_ONLY:
        result = function(meta)
    else:
        result = function(**{argument: meta})
    if isinstance(result, Model) and result.optimizer is not None:
        return result
    if is_function(result):
        raise TypeError(f"layers: expected the function to return layers, got {result!r}")
    return hidden_layers([] if result is None else result, activation, meta)


# Models that a function compiled


def check_outputs(model, meta, name="layers"):
    """Raise a ValueError if a compiled model does not end with the outputs that a task needs; it
    begins with the name of the setting."""
    legal = (1, 2) if meta.task == "binary" else (meta.n_outputs,)
    if model.output_shape[-1] not in legal:
        raise ValueError(
            f"{name}: expected a compiled model with {' or '.join(map(str, legal))} outputs for "
            f"this {meta.task} target, got {model.output_shape[-1]}"
        )


def compiled_loss(model, loss):
    """The loss to train a compiled model with, on targets as the estimator's own `loss` takes them:
    class numbers, where a categorical cross-entropy takes rows of 0 and 1."""
    given, reduction = model.loss, "mean_with_sample_weight"
    sparse, binary = losses.SparseCategoricalCrossentropy, losses.BinaryCrossentropy
    if not isinstance(loss, (sparse, binary)):
        return clone(given, reduction=reduction)
    if not isinstance(given, (sparse, binary, losses.CategoricalCrossentropy)):
        raise ValueError(
            f"layers: expected a classifier's model compiled with a cross-entropy, got {given!r}"
        )
    if isinstance(given, binary):
        return clone(given, reduction=reduction)
    if settings_of(given).get("label_smoothing"):
        raise ValueError("layers: label_smoothing is not supported in a classifier's model")
    return sparse(from_logits=settings_of(given)["from_logits"], reduction=reduction)
