"""Sequential: a model of layers one after another."""

import numpy as np

from nnlite import config
from nnlite.configurable import clone, structure_version
from nnlite.engine.lengths import fits
from nnlite.engine.symbolic import Symbol, input_symbol, layer_of
from nnlite.engine.tensor import Tensor
from nnlite.layers.building import as_shapes, no_shape
from nnlite.layers.core import InputLayer
from nnlite.layers.layer import Layer
from nnlite.layers.masking import with_masks
from nnlite.models.front import dtype_read, is_host
from nnlite.models.graph import Graph, of_rank
from nnlite.models.graph_config import input_entry, layer_entry
from nnlite.models.model import Model
from nnlite.models.naming import name_apart
from nnlite.registry import custom_object_scope
from nnlite.serialization import made_from, serialize_keras_object
from nnlite.tree import is_shape

NO_LAYERS = "expected at least one layer, got none: call add first"


class Sequential(Model):
    """Layers one after another.

    Parameters
    ----------
    layers : list of Layer, optional
        The first may say what a sample looks like, by `input_shape` or as an `Input`: the model
        is built at once then.
    name : str, optional
        By default 'sequential'.
    trainable : bool, default True
        Whether training changes the weights of the layers.

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
        layers = [] if layers is None else layers
        no_list = isinstance(layers, (Layer, Symbol, str)) or not hasattr(layers, "__iter__")
        if no_list or getattr(layers, "ndim", 1) != 1:
            raise TypeError(
                f"Sequential: layers: expected a list of layers, as in Sequential([Dense(8), "
                f"Dense(1)]), got {layers!r}"
            )
        super().__init__(name=name, trainable=trainable)
        self._layers = []
        for layer in layers:
            self._append(layer)
        if self._layers and self._layers[0]._given_input_shape is not None:
            self._start_from(self._layers[0]._given_input_shape)
        if not trainable:
            self.trainable = False

    @property
    def _sublayers(self):
        return self._layers

    @property
    def layers(self):
        """The layers, without the one that only says what the input looks like."""
        return [x for x in self._layers if not isinstance(x, InputLayer)]

    def add(self, layer):
        """Append a layer, which is built at once if the shape of its input is known.

        Parameters
        ----------
        layer : Layer or symbol of `Input`

        Raises
        ------
        TypeError
            If it is no layer.
        ValueError
            If it is in the model already or does not fit what the last layer gives; the model is
            as before then.
        """
        layer = self._append(layer)
        try:
            if len(self._layers) == 1 and layer._given_input_shape is not None:
                self._start_from(layer._given_input_shape)
            elif self._graph is not None:
                self._connect(self._graph.inputs, self._graph.outputs, [layer])
        except (ValueError, TypeError):
            self.pop()
            raise

    def _append(self, layer):
        """Append a layer that is to be built."""
        layer = layer_of(layer)
        if not isinstance(layer, Layer):
            raise TypeError(f"Sequential.add: expected a layer, got {layer!r}")
        name = layer._given.get("name")
        if isinstance(layer, InputLayer) and self._layers:
            raise ValueError(
                f"Sequential.add: expected an Input to be the first, got one after "
                f"{self._layers[-1].name!r}"
            )
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
        self._edited()
        if not self._layers:
            self._graph, self._output_shape = None, None
            self._given_input_shape, self.built = None, False
        elif self._graph is not None:
            inputs = self._graph.inputs
            outputs = self._layers[-1].output if self.layers else inputs
            self._follow(Graph(inputs, outputs))
        return layer

    def _edited(self):
        """Take note that the list of layers changed."""
        self._given["layers"] = list(self._layers)
        structure_version.advance(self)

    def get_config(self):
        """What the model is made of, as a dict that JSON holds if every layer's does.

        Returns
        -------
        dict
            With the keys 'name', 'trainable' and 'layers'; where the model is built, the first
            layer is an InputLayer.
        """
        config = super().get_config()
        if "layers" not in self._signature():
            return config
        other = self._precision if self._precision != "float32" else None
        if self._graph is None:
            config["layers"] = [serialize_keras_object(layer) for layer in self._layers]
        else:
            config["layers"] = [layer_entry(layer, other) for layer in self.layers]
            start = self._layers[0] if isinstance(self._layers[0], InputLayer) else None
            name = start.name if start else "input_layer"
            config["layers"].insert(0, input_entry(self._graph.inputs, name))
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The model that `get_config` described, of new layers.

        Parameters
        ----------
        config : dict
        custom_objects : dict of str to class or function, optional
            Classes and functions of one's own by name.

        Raises
        ------
        ValueError
            If the config says no layers, or describes something else.
        """
        if "layers" in cls._signature() and "layers" not in config:
            raise ValueError(f"Sequential: expected a config with 'layers', got {config!r:.100}")
        with custom_object_scope(custom_objects):
            settings = made_from(clone(config))
            shape = settings.pop("build_input_shape", None)
            settings.pop("dtype", None)  # each layer says its own
            model = cls(**settings)
            if shape is not None and not model.built:
                model.build(as_shapes(shape))
            return model

    def build(self, input_shape=None):
        """Build every layer.

        Parameters
        ----------
        input_shape : tuple
            None for the batch, then the shape of a sample.

        Raises
        ------
        ValueError
            If the model is built for samples of another shape.
        """
        if not is_shape(input_shape) or not input_shape:
            raise TypeError(no_shape(input_shape))
        self._start_from(input_shape[1:])

    def _built_again(self, input_shape=None):
        if self._graph is not None and input_shape is not None:
            shape = as_shapes(input_shape)
            if not is_shape(shape) or not fits(shape[1:], self.input_shape[1:]):
                raise ValueError(
                    f"input_shape: expected {self.input_shape}, which the model {self.name!r} is "
                    f"built for, got {input_shape}"
                )

    def _build_for(self, inputs, *args, **kwargs):
        if isinstance(inputs, Tensor):
            return super()._build_for(inputs, *args, **kwargs)
        # Several inputs: the layers are built as `call` reaches them.
        if not self._layers:
            raise ValueError(NO_LAYERS)
        self.built = True

    def _build_to_look_up(self, x):
        if self._graph is None and any(map(is_host, self.layers[:1])):
            self._start_from(tuple(x.shape if hasattr(x, "shape") else np.shape(x))[1:])

    def _start_from(self, shape):
        """Build the layers for samples of a shape."""
        if not self._layers:
            raise ValueError(NO_LAYERS)
        self._real = self._real or config.floatx()
        first = self._layers[0]
        dtype = "int32" if getattr(first, "_reads_integers", False) else None
        dtype = dtype_read(first) if is_host(first) else dtype
        start = first if isinstance(first, InputLayer) else InputLayer(shape, dtype=dtype)
        if start.shape != tuple(shape):
            raise ValueError(
                f"expected input_shape {start.batch_shape}, as the first layer says, got "
                f"{(None, *shape)}"
            )
        dtype = start._dtype_in(self._precision)
        node = vars(first).get("_node") if start is first else None
        if node is not None and node.outputs.dtype == dtype:
            symbol = node.outputs  # that of Input
        else:
            symbol = input_symbol(start, (first._given_batch, *shape), dtype)
        self._connect(symbol, symbol, self.layers)

    @config.isolated
    def _connect(self, inputs, outputs, layers):
        """Become the chain that ends with these layers, each called on what the one before
        made."""
        with config.precision(self._precision):
            for layer in layers:
                layer.__dict__.pop("_node", None)  # `layer.input` is what it has here
                outputs = layer(outputs)
            self._follow(Graph(inputs, outputs))

    def call(self, inputs, mask=None):
        if self._front is not None:
            return super().call(inputs, mask)
        # Not by the graph: here each layer itself says what it cannot take.
        if self._graph is not None and isinstance(inputs, Tensor):
            inputs = of_rank(inputs, self._graph.inputs)
        inputs = inputs if mask is None else with_masks(inputs, mask)
        for layer in self._layers:
            inputs = layer(inputs)
        return inputs

    def _called_graph(self):
        return self._graph if type(self).call is Sequential.call else None
