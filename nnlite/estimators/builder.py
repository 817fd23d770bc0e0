"""From `layers=` to fresh layers or a compiled model."""

import inspect
import warnings

from nnlite import warn
from nnlite.configurable import clone
from nnlite.estimators.architecture import MLP, Meta, Stack, is_sizes, sizes_of
from nnlite.estimators.nested_params import is_function, is_passthrough, meta_argument, settings_of
from nnlite.estimators.steps import entries_of, is_named, steps_of
from nnlite.layers import Flatten, Layer, Softmax
from nnlite.models.model import Model
from nnlite.models.sequential import Sequential

FORMS = (
    "a list of layers such as Dense(64) (or of names and layers), a Stack or an MLP, sizes such "
    "as '64-32' or (64, 32), or a function that returns one of these"
)


def meta_of(sample_shape, output):
    """The Meta of an estimator with this output layer, a Dense."""
    tasks = {"softmax": "multiclass", "sigmoid": "multilabel" if output.units > 1 else "binary"}
    task = tasks.get(output.activation, "regression")
    return Meta(tuple(sample_shape), int(output.units), task)


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
    entries = [layers] if single else entries_of(layers)
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
    if is_named(entry) and "name" in step._signature() and not step._given.get("name"):
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
