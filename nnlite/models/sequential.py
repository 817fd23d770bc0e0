"""Sequential: a model of layers one after another."""

import numbers

from nnlite import config
from nnlite.configurable import edits, fresh
from nnlite.engine.dispatch import Recording
from nnlite.engine.symbolic import chained, input_symbol, layer_of
from nnlite.engine.tensor import Tensor
from nnlite.layers.core import InputLayer
from nnlite.layers.layer import Layer
from nnlite.models.model import Model, name_apart


class Sequential(Model):
    """Layers one after another.

    Parameters
    ----------
    layers : list of Layer, optional
    name : str, optional

    Examples
    --------
    >>> import nnlite
    >>> model = nnlite.Sequential([
    ...     nnlite.layers.Dense(16, activation="relu", input_shape=(4,)),
    ...     nnlite.layers.Dense(3, activation="softmax"),
    ... ])
    >>> model.count_params()
    131
    """

    _one_array = True

    def __init__(self, layers=None, name=None, trainable=True):
        super().__init__(name=name, trainable=trainable)
        self._layers, self._shape = [], None
        for layer in layers or ():
            self._append(layer)
        if self._layers and self._layers[0].input_shape_given is not None:
            self._start_from(self._layers[0].input_shape_given)

    @property
    def sublayers(self):
        return self._layers

    @property
    def layers(self):
        """The layers, without the one that only says what the input looks like."""
        return [x for x in self._layers if not isinstance(x, InputLayer)]

    def add(self, layer):
        """Append a layer; built at once if the shape of its input is known."""
        layer = self._append(layer)
        try:
            if len(self._layers) == 1 and layer.input_shape_given is not None:
                self._start_from(layer.input_shape_given)
            elif self.built:
                self._extend([layer])
        except (ValueError, TypeError):
            self.pop()
            raise

    def _append(self, layer):
        """Append a layer that is to be built."""
        layer = layer_of(layer)
        if not isinstance(layer, Layer):
            raise TypeError(f"Sequential.add: expected a layer, got {layer!r}")
        name = layer._given.get("name")
        if any(layer is x or (name and name == x._given.get("name")) for x in self._layers):
            raise ValueError(f"Sequential.add: layer {layer.name!r} is in the model already")
        self._layers.append(layer)
        name_apart(self._layers)
        self._edited()
        return layer

    def pop(self):
        """Remove the last layer and return it."""
        if not self._layers:
            raise IndexError(f"model {self.name!r}: there is no layer to pop")
        layer = self._layers.pop()
        if self._layers:
            self._shape = self._layers[-1].output_shape
        else:
            self._shape, self.input_shape_given, self.built = None, None, False
        self._edited()
        return layer

    def _edited(self):
        """Take note that the list of layers changed."""
        self._given["layers"] = list(self._layers)
        edits.count += 1

    @classmethod
    def from_config(cls, config):
        """The model that `get_config` described, of fresh layers."""
        return cls(**fresh(config))

    def _start_from(self, shape):
        if not self._layers:
            raise ValueError("expected at least one layer, got none: call add first")
        shape = (shape,) if isinstance(shape, numbers.Number) else tuple(shape)
        for n in shape:
            if n is not None and (not isinstance(n, numbers.Integral) or n < 1):
                raise ValueError(
                    f"layer {self._layers[0].name!r}: expected an input_shape of positive "
                    f"integers, got {shape}"
                )
        self.input_shape_given = shape
        self._real = self._real or config.floatx()
        self._shape = (None, *shape)
        self.built = True
        self._extend(self._layers)

    def _extend(self, layers):
        """Build layers on top of what is there, by a trace on one sample."""
        with config.precision(self.real):
            x = Tensor((1, *self._shape[1:]), self.real)
            with Recording(executing=False):
                for layer in layers:
                    x = layer(x, training=False)
        self._shape = (None, *x.shape[1:])
        self._connect()

    def _connect(self):
        """Let the layers have symbols: `input` and `output`."""
        symbol = input_symbol(InputLayer(self.input_shape_given), self.input_shape, self.real)
        for layer in self.layers:
            layer.__dict__.pop("_node", None)
            symbol = chained(symbol, layer, layer.output_shape)

    def __setstate__(self, state):
        super().__setstate__(state)
        if self.built and self.layers:
            self._connect()

    @property
    def input(self):
        """The symbol that the model begins with."""
        return self.layers[0].input

    @property
    def output(self):
        """The symbol that the model ends with."""
        return self.layers[-1].output

    def build(self, input_shape):
        """Build every layer for samples of `input_shape[1:]`."""
        if not self.built:
            self._start_from(input_shape[1:])

    @property
    def output_shape(self):
        return self._shape

    def call(self, inputs):
        for layer in self._layers:
            inputs = layer(inputs)
        return inputs
