"""Models: layers that can be compiled, trained, evaluated and asked for predictions."""

import functools
import numbers

from nnlite import config, lazy, metrics, names, saving, visualization
from nnlite.checks import is_number, positive_int
from nnlite.configurable import clone
from nnlite.data.sources import LookedUp, input_alone
from nnlite.engine.symbolic import Symbol, is_symbolic, symbols_of
from nnlite.engine.tensor import Tensor
from nnlite.errors import did_you_mean, prefixed
from nnlite.layers.arguments import shapes_of_batches
from nnlite.layers.building import transaction
from nnlite.layers.layer import Layer
from nnlite.layers.masking import with_masks
from nnlite.models.exported import Exported
from nnlite.models.front import recorded_call, tensors_of
from nnlite.models.graph import Graph
from nnlite.models.graph_config import graph_config, graph_parts
from nnlite.models.naming import name_apart
from nnlite.models.state_tree import StateTree
from nnlite.registry import custom_object_scope
from nnlite.saving.state import in_order
from nnlite.serialization import made_from, serialize_keras_object
from nnlite.terminal import write
from nnlite.training.step_cache import StepCache, build_by_tracing
from nnlite.training.trainer import Trainer
from nnlite.tree import map_structure

with lazy.imports(__name__):
    import json

    import nnlite.models.frozen


class Model(Trainer, Exported, StateTree, Layer):
    """A layer made of layers: what leads from `inputs` to `outputs`, or a subclass that sets layers
    as attributes in `__init__` and uses them in `call`.

    Parameters
    ----------
    inputs : symbol, or list or dict of them, optional
        What `Input` gave, or any symbol on the way from there.
    outputs : symbol, or list or dict of them, optional
        What layers and functions of `nnlite.ops` gave when they were called on `inputs`.
    name : str, optional
        By default the class's name in snake case.
    trainable : bool, default True
        Whether training changes the weights of the layers.
    **kwargs
        Of `Layer`: dtype, input_shape, input_dim.

    Examples
    --------
    >>> import nnlite
    >>> inputs = nnlite.Input((3,))
    >>> x = nnlite.layers.Dense(8, activation="relu")(inputs)
    >>> outputs = nnlite.layers.Dense(2)(nnlite.layers.concatenate([x, inputs]))
    >>> nnlite.Model(inputs, outputs).count_params()
    56

    >>> import nnlite
    >>> class MyModel(nnlite.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = nnlite.layers.Dense(3, activation="relu")
    ...         self.out = nnlite.layers.Dense(2)
    ...     def call(self, x):
    ...         return self.out(self.hidden(x))
    >>> MyModel()(nnlite.ones((1, 3))).shape
    (1, 2)
    """

    _is_model = True
    _reads_its_config = True  # a config of layers and their calls

    def __init__(self, inputs=None, outputs=None, name=None, trainable=True, **kwargs):
        super().__init__(name=name, trainable=trainable, **kwargs)
        self._start()
        name_apart(super()._sublayers)  # those that were set before
        if inputs is not None or outputs is not None:
            self._follow(Graph(inputs, outputs))
            name_apart(self._sublayers)
            if not trainable:
                self.trainable = False

    def _start(self):
        self._graph = None
        self._real = None
        self._step_cache = StepCache()
        self.stop_training = self.stop_evaluating = self.stop_predicting = False
        self.history = None
        self.optimizer = self.loss = None
        self._loss_tracker = metrics.Mean("loss")
        self._objectives = None
        self.run_eagerly, self.n_threads = False, None

    def _follow(self, graph):
        """Become the model of a graph; its layers were built as it was put together."""
        self._graph = graph
        self._real = config.floatx()
        self.built = True
        self._output_shape = map_structure(lambda s: s.shape, graph.outputs, Symbol)
        if isinstance(graph.inputs, Symbol):
            self._given_input_shape = graph.inputs.shape[1:]

    # Symbols refer to each other as deep as a model is; a graph is pickled flat, they are not.
    def __getnewargs_ex__(self):
        return (), {k: v for k, v in self._given.items() if k not in ("inputs", "outputs")}

    def __getstate__(self):
        state = super().__getstate__()
        state["_given"] = self.__getnewargs_ex__()[1]
        state["_given_symbols"] = self._is_functional
        return state

    def __setstate__(self, state):
        symbols = state.pop("_given_symbols", False)
        self.__dict__.update(state)
        if symbols:
            self._given.update(inputs=self._graph.inputs, outputs=self._graph.outputs)

    def _clone(self, **overrides):
        if not self._is_functional:
            return super()._clone(**overrides)
        copy = self._graph.copied(lambda part: clone(part) if isinstance(part, Layer) else part)
        config = {**self._given, "inputs": copy.inputs, "outputs": copy.outputs, **overrides}
        return type(self)(**config)

    @property
    def _is_functional(self):
        """Whether the constructor was given symbols."""
        return self._given.get("outputs") is not None

    @property
    def _counts_itself(self):
        """1 of a functional model, whose first call Keras counts from 1 where a model ends; else
        0."""
        return int(self._is_functional)

    def get_config(self):
        """What the model is made of, as a dict that JSON holds if every layer's does.

        Returns
        -------
        dict
            Of a functional model 'name', 'trainable', 'layers' (with what each was called on),
            'input_layers' and 'output_layers'; of a subclass the constructor's arguments.
        """
        config = super().get_config()
        config = {key: v for key, v in config.items() if key not in ("inputs", "outputs")}
        if self._is_functional:
            config |= graph_config(self._graph, self._precision)
        for name in ("name", "trainable"):
            if name in config:
                config[name] = getattr(self, name)
        if config.get("trainable") and self._graph is not None:
            del config["trainable"]  # Keras would set it for the layers, which say their own
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The model that `get_config` described, with new weights.

        Parameters
        ----------
        config : dict
        custom_objects : dict of str to class or function, optional
            Classes and functions of one's own by name.

        Raises
        ------
        ValueError
            If the config describes no model.
        """
        with custom_object_scope(custom_objects):
            if "layers" not in config or "output_layers" not in config:
                return cls(**made_from(config))
            inputs, outputs = graph_parts(config)
            parts = ("layers", "input_layers", "output_layers")
            others = {key: value for key, value in config.items() if key not in parts}
            return cls(inputs=inputs, outputs=outputs, **made_from(others))

    def save(self, filepath, overwrite=True, include_optimizer=True, save_format=None):
        """Write the model: what it is made of, its weights, how it was compiled, and its optimizer.

        Parameters
        ----------
        filepath : str or path
            Its ending says the format: '.keras', '.h5' or '.hdf5' as in Keras 2, or '.safetensors',
            which needs no package.
        overwrite : bool, default True
            Whether a file of this name may be replaced.
        include_optimizer : bool, default True
            Whether the state of the optimizer is written, too.
        save_format : {'keras', 'h5'}, optional
            Accepted for Keras's signature: it must be what the ending says.

        Raises
        ------
        OSError, ImportError, TypeError, ValueError
            As `nnlite.saving.save_model`.
        """
        saving.save_model(self, filepath, overwrite, include_optimizer, save_format)

    def save_weights(self, filepath, overwrite=True):
        """Write the weights, without what the model is made of.

        Parameters
        ----------
        filepath : str or path
            Its ending says the format: '.weights.h5', as Keras 3 writes it, with the state of the
            optimizer if that is built; or '.h5' or '.hdf5', as Keras 2 did.
        overwrite : bool, default True
            Whether a file of this name may be replaced.

        Raises
        ------
        OSError, ImportError, TypeError, ValueError
            As `nnlite.saving.save_weights`.
        """
        saving.save_weights(self, filepath, overwrite)

    def load_weights(self, filepath, skip_mismatch=False, by_name=False):
        """Read weights of a file that nnlite, Keras or PyTorch wrote.

        Layers get what layers of the same place had; those without weights do not count. If the
        file holds the state of an optimizer and that of the model is built, it gets that, too.

        Parameters
        ----------
        filepath : str or path
            '.weights.h5', '.keras', '.pth' or another that `nnlite.saving.load_weights` lists.
        skip_mismatch : bool, default False
            Whether layers that do not fit are left as they are, with a warning.
        by_name : bool, default False
            Whether layers get what stands under their names instead, and those without such a name
            stay as they are. Of files '.h5' and '.hdf5', and of those of others.

        Raises
        ------
        OSError, ImportError, TypeError, ValueError
            As `nnlite.saving.load_weights`. No weight is changed then.
        """
        saving.load_weights(self, filepath, skip_mismatch, by_name)

    def _for_keras(self, model=None):
        """A model of layers that Keras has, which shares the weights and the optimizer of this one;
        the model itself, if Keras has all its layers."""
        graph = self._called_graph()
        known = {layer: layer._for_keras(Model) for layer in self.layers}
        if graph is None or all(layer is other for layer, other in known.items()):
            return self
        with config.precision(self._precision):
            graph = graph.copied(lambda part: known.get(part, part))
            made = Model(graph.inputs, graph.outputs, name=self.name)
        made.optimizer = in_order(self.optimizer, made.trainable_weights)
        return made

    def get_build_config(self):
        """The shapes that a model was built for, if its config does not say them.

        Returns
        -------
        dict or None
        """
        return None if self._graph is not None else super().get_build_config()

    def to_json(self, **kwargs):
        """What the model is made of, and how it was compiled, as JSON; no weights.

        Parameters
        ----------
        **kwargs
            Of `json.dumps`, such as indent.

        Returns
        -------
        str
            For `nnlite.models.model_from_json`.
        """
        return json.dumps(serialize_keras_object(self), **kwargs)

    def _called_graph(self):
        """The graph that `call` runs; None while there is none, or where a subclass defines
        `call`."""
        return self._graph if type(self).call is Model.call else None

    @property
    def _has_call(self):
        """Whether the model can be called: one whose steps call the models inside, as a GAN's do,
        need not."""
        return self._graph is not None or type(self).call is not Model.call

    def call(self, inputs, mask=None):
        if self._graph is None:
            return super().call(inputs)
        return self._graph.run(inputs if mask is None else with_masks(inputs, mask))

    @property
    def input(self):
        """The symbol, or list of them, that the model begins with."""
        return super().input if self._graph is None else self._graph.inputs

    @property
    def output(self):
        """The symbol, or list of them, that the model ends with."""
        return super().output if self._graph is None else self._graph.outputs

    @property
    def inputs(self):
        """The symbols that the model begins with, a list."""
        return symbols_of(self.input)

    @property
    def outputs(self):
        """The symbols that the model ends with, a list."""
        return symbols_of(self.output)

    @property
    def _sublayers(self):
        return super()._sublayers if self._graph is None else self._graph.layers(Layer)

    def _no_attribute(self, name):
        return names.missing_attribute(self, name)

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        known = self.__dict__  # before `super().__init__()` it is empty
        if name[0] != "_" and "_graph" in known and name in known.get("_tracked", ()):
            name_apart(self._sublayers)

    @property
    def _precision(self):
        """The model's precision: `floatx()` when it was built."""
        return self._real or config.floatx()

    @property
    def layers(self):
        """The layers of the model."""
        return self._sublayers

    def get_layer(self, name=None, index=None):
        """A layer of the model.

        Parameters
        ----------
        name : str, optional
        index : int, optional
            Its place among `layers`, instead of the name.

        Raises
        ------
        ValueError
            If there is no such layer; the message lists those there are.
        """
        if (name is None) == (index is None):
            raise ValueError(f"get_layer: expected a name or an index, got {name!r} and {index!r}")
        layers = self.layers
        if index is not None and not isinstance(index, numbers.Integral):
            raise TypeError(f"get_layer: index: expected an integer, got {index!r}")
        if index is None and not isinstance(name, str):
            raise TypeError(f"get_layer: name: expected a string, got {name!r}")
        if index is not None and -len(layers) <= index < len(layers):
            return layers[index]
        for layer in layers if index is None else ():
            if layer.name == name:
                return layer
        names = [layer.name for layer in layers]
        what = f"index {index}" if name is None else f"layer {name!r}{did_you_mean(name, names)}"
        raise ValueError(
            f"get_layer: no {what}; the model has {len(names)} layers: {', '.join(names)}"
        )

    def _build_for(self, inputs, *args, **kwargs):
        if type(self).build is not Model.build:
            return super()._build_for(inputs, *args, **kwargs)
        name_apart(self._sublayers)
        # Nothing of its own to build: the layers inside are built as `call` reaches them.
        self._built_for = shapes_of_batches(inputs)
        if isinstance(inputs, Tensor):
            self._given_input_shape = self._built_for[1:]
        self.built = True

    def _built_again(self, *args, **kwargs):
        """What a call of `build` does when the model is built: nothing, as the weights are made."""

    def build(self, input_shape):
        """Build every layer.

        Parameters
        ----------
        input_shape : tuple, or list or dict of them
            None for the batch, then the shape of a sample.
        """
        build_by_tracing(self, input_shape)

    @property
    def _front(self):
        """The look-ups that the model begins with, or None."""
        return None if self._graph is None else self._graph.front

    def _looked_up(self, x):
        """What the look-ups that the model begins with make of data: Sources of the rest; data as
        they are if there are none, but those of its only input without a list around them."""
        if isinstance(x, LookedUp):
            return x
        x = input_alone(self, x)
        self._build_to_look_up(x)
        if self._front is None:
            return x
        with prefixed(f"model {self.name!r}: ", ValueError), config.precision(self._precision):
            return self._front(x)

    def _frozen_cached(self, wanted, x):
        return nnlite.models.frozen.cached(self, wanted, x, Model())

    def _build_to_look_up(self, x):
        """Build a model that begins with look-ups, which have no trace that builds it, for data or
        symbols; others stay as they are."""

    @config.isolated
    def __call__(self, *args, training=None, **kwargs):
        if args and not isinstance(args[0], LookedUp):
            self._build_to_look_up(args[0])
            if self._front is not None and is_symbolic(args[:1]):
                return recorded_call(self, args[0])
            x = self._looked_up(args[0])
            args = (tensors_of(x) if isinstance(x, LookedUp) else x, *args[1:])
        call = functools.partial(super().__call__, *args, training=training, **kwargs)
        if not self.built:  # the first call builds the layers inside, or none of them
            return transaction(self, self._call_first, call)
        with config.precision(self._precision):
            return call()

    def _call_first(self, call):
        self._real = self._real or config.floatx()
        with config.precision(self._real):
            return call()

    @property
    def input_shape(self):
        """What a batch looks like, None for its size; an AttributeError before the model is
        built."""
        return self._known("input_shape", self._input_shape)

    @property
    def _input_shape(self):
        if self._graph is not None:
            inputs = self._graph.inputs
            if inputs.__class__ is Symbol:
                return inputs.shape
            return map_structure(lambda s: s.shape, inputs, Symbol)
        given = self._given_input_shape
        return None if given is None else (self._given_batch, *given)

    def summary(
        self,
        line_length=None,
        positions=None,
        print_fn=None,
        expand_nested=False,
        show_trainable=False,
        layer_range=None,
    ):
        """Print the layers with their output shapes and numbers of parameters.

        Parameters
        ----------
        line_length : int, optional
            Width of the table; by default 88, or 108 where a column says which layer takes what, or
            what fits the terminal. Cells that are too narrow for their text have several lines.
        positions : list of float, optional
            Where the columns end, as shares of the width.
        print_fn : function of str, default print
        expand_nested : bool, default False
            List the layers of models within the model, too.
        show_trainable : bool, default False
            A column says whether training changes the layers that have weights.
        layer_range : (str, str), optional
            The names, or regular expressions for them, of the first and the last layer to list.
        """
        if line_length is not None:
            line_length = positive_int("line_length", line_length)
        if positions is not None and not (
            isinstance(positions, (list, tuple)) and all(is_number(p) for p in positions)
        ):
            raise TypeError(f"positions: expected a list of numbers, got {positions!r}")
        if print_fn is not None and not callable(print_fn):
            raise TypeError(f"print_fn: expected a function of str, got {print_fn!r}")
        text = visualization.summary_text(
            self, line_length, positions, expand_nested, show_trainable, layer_range
        )
        (print_fn or write)(text)

    def _repr_html_(self):
        """What a notebook shows: the summary, and a picture if it is a small one."""
        return visualization.model_html(self)
