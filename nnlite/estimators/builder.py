"""Builders: what `layers=` says, resolved once into an object that makes networks.

The one idea: `builder_of` alone decides what a value of `layers=` is. The value itself is never
built: each call of `build` makes fresh layers from it."""

import inspect
import warnings

from nnlite import errors, warn
from nnlite.configurable import clone
from nnlite.estimators import defaults
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


def builder_of(layers, activation="relu", hidden_layer_sizes=()):
    """The builder for a value of `layers=`.

    Parameters
    ----------
    layers : Layer, list, tuple, Stack, MLP, sizes, function or None
        What an estimator was given.
    activation : str or function, default 'relu'
        The activation of layers that are given as sizes.
    hidden_layer_sizes : int, sequence of int or str, default ()
        The sizes that None stands for.

    Returns
    -------
    Builder
        Its `check` and `build` raise an error if `layers` is none of these.
    """
    if layers is None:
        return SizesBuilder("hidden_layer_sizes", hidden_layer_sizes, activation, True)
    if is_function(layers):
        return FunctionBuilder(layers, activation)
    if isinstance(layers, MLP):
        return MLPBuilder(layers)
    if is_sizes(layers):
        return SizesBuilder("layers", layers, activation)
    return LayersBuilder(layers)


class Builder:
    """Makes the hidden layers of a network, or a whole model.

    Attributes
    ----------
    decides_scale : bool
        Whether a function makes the network. If so, the function decides about scaling and the
        learning rate where the estimator's settings are 'auto'.
    of_sizes : bool
        Whether sizes of layers are all that says what the network is.
    flattens_first : bool
        Whether images are flattened before they are scaled, so that each pixel is a column.
    reads_tables : bool
        Whether the network may read a table with gaps.
    """

    decides_scale = False
    of_sizes = False
    flattens_first = False
    reads_tables = True

    def check(self):
        """Raise an error if it is known without data that no network can be made."""
        self.build(None)

    def build(self, meta):
        """Make a network.

        Parameters
        ----------
        meta : Meta or None
            What is known about the data.

        Returns
        -------
        list of Layer, or Model
            Fresh hidden layers; or a whole model with its output layer, which a function made.
        """
        raise NotImplementedError


class MLPBuilder(Builder):
    """Makes the layers of a multilayer perceptron, and before them what makes a row of a sample: a
    Flatten of images, a recurrent layer of sequences of different lengths."""

    def __init__(self, mlp):
        self.mlp = mlp

    def build(self, meta):
        """Fresh layers."""
        several_axes = meta is not None and len(meta.sample_shape) > 1
        first = defaults.sequence_reader if several_axes and None in meta.sample_shape else Flatten
        return [first()] * several_axes + self.mlp.layers()


class SizesBuilder(Builder):
    """Makes the layers of a multilayer perceptron of some sizes; `setting` is where they stand."""

    of_sizes = True

    def __init__(self, setting, sizes, activation, flattens_first=False):
        self.setting, self.sizes, self.activation = setting, sizes, activation
        self.flattens_first = flattens_first

    def build(self, meta):
        """Fresh layers."""
        sizes = defaults.hidden_sizes(meta) if defaults.is_auto(self.sizes) else self.sizes
        mlp = MLP(sizes_of(self.setting, sizes), self.activation)
        return MLPBuilder(mlp).build(meta)


class LayersBuilder(Builder):
    """Copies the layers that were given: one, or a list, tuple or Stack of them."""

    def __init__(self, layers):
        self.layers = layers

    @property
    def reads_tables(self):
        """Whether the first layer takes rows, and has no scale of its own."""
        layers = [self.layers] if isinstance(self.layers, Layer) else self.layers
        layers = [step for _, step in steps_of(layers) if isinstance(step, Layer)]
        return defaults.reads_rows(layers)

    def build(self, meta):
        """Copies of the layers, with the names of their steps."""
        layers = [self.layers] if isinstance(self.layers, Layer) else self.layers
        steps = [step for _, step in steps_of(layers)]
        legal = isinstance(layers, (list, tuple, Stack))
        if not legal or not all(isinstance(s, Layer) or is_passthrough(s) for s in steps):
            raise TypeError(f"layers: expected {FORMS}, got {self.layers!r}")
        if isinstance(self.layers, Model) and self.layers.optimizer is not None:
            raise TypeError(
                f"layers: expected {FORMS}, got a compiled model; give the function that makes it"
            )
        entries = zip(entries_of(layers), steps)
        found = [_fresh_layer(entry, step) for entry, step in entries if not is_passthrough(step)]
        if found:
            check_last(found[-1], meta)
        return found


class FunctionBuilder(Builder):
    """Calls a function that returns a compiled model, or whatever else `layers=` may be."""

    decides_scale = True

    def __init__(self, function, activation="relu"):
        self.function, self.activation = function, activation

    def check(self):
        """Do nothing: the function is only called when there are data."""

    def build(self, meta):
        """Fresh layers from what the function returns, or its compiled Model as it is."""
        with errors.prefixed("layers: "):
            made = self._call(meta)
        if isinstance(made, Model) and made.optimizer is not None:
            return made
        if is_function(made):
            raise TypeError(f"layers: expected the function to return layers, got {made!r}")
        return builder_of([] if made is None else made, self.activation).build(meta)

    def _call(self, meta):
        parameters = inspect.signature(self.function).parameters
        argument = meta_argument(list(parameters.values()))
        if argument is None:
            return self.function()
        if parameters[argument].kind is inspect.Parameter.POSITIONAL_ONLY:
            return self.function(meta)
        return self.function(**{argument: meta})


def meta_of(sample_shape, output):
    """The Meta of an estimator with this output layer, a Dense."""
    tasks = {"softmax": "multiclass", "sigmoid": "multilabel" if output.units > 1 else "binary"}
    task = tasks.get(output.activation, "regression")
    return Meta(tuple(sample_shape), int(output.units), task)


def check_last(layer, meta=None):
    """Raise an error or warn if the last layer seems to be an output layer: the estimator adds it.

    A softmax is an error, because the layer behind it would learn little. A sigmoid with one unit
    for each output is a warning, because it may be meant as a hidden layer; without a Meta the
    number of outputs is not known.
    """
    while isinstance(layer, Sequential) and layer._sublayers:
        layer = layer._sublayers[-1]
    settings = {"activation": "softmax"} if isinstance(layer, Softmax) else settings_of(layer)
    activation = settings.get("activation")
    activation = getattr(activation, "__name__", activation)
    activation = activation if isinstance(activation, str) else None
    found = f"layers: expected hidden layers, as the estimator adds the output layer, got {layer!r}"
    if activation == "softmax":
        raise ValueError(
            f"{found} as the last; leave it out, or give a function that returns a compiled model"
        )
    outputs = meta is not None and meta.task in ("binary", "multilabel") and meta.n_outputs
    if activation == "sigmoid" and settings.get("units") == outputs:
        warnings.warn(
            f"{found} as the last; leave it out unless it is meant to be hidden",
            UserWarning,
            stacklevel=warn.levels_to_the_caller(),
        )


def _fresh_layer(entry, step):
    """A copy of a layer, with the name that its entry gives it."""
    name = entry[0] if is_named(entry) else step.name
    with errors.prefixed(f"layer {name!r}: "):
        if is_named(entry) and "name" in step._signature() and not step._given.get("name"):
            return clone(step, name=name)
        return clone(step)
