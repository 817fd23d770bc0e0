"""Layer: the base of all layers and models. It tracks its weights and inner layers, and adds its
name to errors."""

import functools
import inspect
from types import FunctionType, MethodType

import numpy as np

from nnlite import config, initializers, regularizers
from nnlite.configurable import Configurable, snake_case, structure_version
from nnlite.engine import dispatch
from nnlite.engine.symbolic import Symbol, is_symbolic, symbolic_call, symbols_of
from nnlite.engine.tensor import Tensor, Variable, convert_to_tensor
from nnlite.layers.building import built_once, here, is_building, say_where, transaction
from nnlite.tree import flatten, map_structure


class Layer(Configurable):
    """A part of a model: settings, weights, and a function of tensors.

    To write a layer, define `call(self, x)` with `nnlite.ops`. If it has weights, define also
    `build(self, input_shape)` and make them there with `add_weight`. The constructor's arguments
    are recorded automatically, for `get_config` and copies.

    Parameters
    ----------
    name : str, optional
        By default the class's name in snake case. A model numbers layers of equal names.
    trainable : bool, default True
        Whether training changes the layer's weights.
    dtype : {'float32', 'float64'}, optional
        Ignored; accepted for Keras's signature. A model has one precision: `floatx()` at the time
        when it is built.
    input_shape : tuple of int, optional
        The shape of one sample, for the first layer of a Sequential.
    input_dim : int, optional
        `input_dim=n` means `input_shape=(n,)`.
    activity_regularizer : None
        Not supported.
    **unknown
        Any other argument is refused.

    Raises
    ------
    TypeError
        If an argument is unknown.

    Examples
    --------
    >>> import nnlite
    >>> from nnlite import ops
    >>> class Scale(nnlite.layers.Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones")
    ...     def call(self, x):
    ...         return x * self.factor
    >>> Scale()(nnlite.ones((2, 3))).shape
    (2, 3)
    """

    def __init__(
        self,
        name=None,
        trainable=True,
        dtype=None,
        input_shape=None,
        input_dim=None,
        activity_regularizer=None,
        **unknown,
    ):
        if unknown:
            raise TypeError(
                f"{type(self).__name__}: unknown argument {', '.join(map(repr, unknown))}. "
                f"It takes {', '.join(self._signature())}"
            )
        if activity_regularizer is not None:
            raise ValueError(f"{type(self).__name__}: activity_regularizer is not supported")
        if not isinstance(name, (str, type(None))):
            raise TypeError(f"{type(self).__name__}: expected name to be a string, got {name!r}")
        self._name = name
        self.trainable = trainable
        self.built = False
        self._given_input_shape = (input_dim,) if input_dim is not None else input_shape
        self._output_shape = None
        structure_version.advance(self)
        if here.made is not None:
            caller = here.calling
            here.made = (*here.made, (self, caller, caller._output_shape is not None))

    # Public attributes that no plan depends on.
    _state_not_settings = frozenset(
        ["built", "stop_training", "stop_evaluating", "stop_predicting", "n_threads", "history"]
    )

    _free_names = set()
    _is_model = False  # whether it is drawn as layers within a frame

    # A layer is that layer, whatever its settings: two Dense(64) are two layers.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls._free_names = set()  # of attributes that hide nothing of the class
        if not hasattr(cls.build, "runs_once"):
            cls.build = built_once(cls.build)

    def __setattr__(self, name, value):
        public = name[0] != "_"
        if public and name not in self._free_names:
            self._refuse_taken(name, value)
        if isinstance(value, (Layer, Variable, list, tuple, dict)):  # those may be filled later
            self.__dict__.setdefault("_tracked", {})[name] = value
        elif name in self.__dict__.get("_tracked", ()):
            del self._tracked[name]
        object.__setattr__(self, name, value)
        if public and "_version" in self.__dict__ and name not in self._state_not_settings:
            structure_version.advance(self)

    @classmethod
    def _refuse_taken(cls, name, value):
        """Raise AttributeError for an attribute that would hide a part of this class that nnlite
        itself uses; functions may take the place of methods."""
        taken = getattr(cls, name, None)
        if taken is None:
            cls._free_names.add(name)
            return
        if isinstance(taken, property):
            hidden = taken.fset is None and taken.fget.__module__.startswith("nnlite.")
        else:
            ours = isinstance(taken, (FunctionType, MethodType)) and taken.__module__
            replaced = isinstance(value, (FunctionType, MethodType, functools.partial))
            hidden = ours and ours.startswith("nnlite.") and not replaced
        if hidden:
            kind = "property" if isinstance(taken, property) else "method"
            owner = "model" if cls._is_model else "layer"
            raise AttributeError(
                f"{cls.__name__}: {name!r} is a {kind} that every {owner} needs; choose another "
                f"name for this attribute, {value!r}"
            )

    @property
    def name(self):
        """The layer's name: as it was given, else its class's in snake case, numbered in a
        model."""
        return self.__dict__.get("_name") or snake_case(type(self).__name__)

    @name.setter
    def name(self, value):
        self._name = value

    @property
    def _sublayers(self):
        """The layers directly inside this one, in the order in which attributes were set."""
        found = {}
        for value in self.__dict__.get("_tracked", {}).values():
            for layer in flatten(value):
                if isinstance(layer, Layer):
                    found.setdefault(id(layer), layer)
        return list(found.values())

    @built_once
    def build(self, input_shape):
        """Make the weights. The first call of the layer calls `build` before `call`; if it was
        called before, it does nothing. A `build` that raises leaves no weights behind.

        Parameters
        ----------
        input_shape : tuple
            The shape of the input with None for the batch; a list of shapes if the input is a list.
        """

    def call(self, inputs):
        """Compute the result: the function that a subclass defines with `nnlite.ops`.

        Parameters
        ----------
        inputs : Tensor
            With the batch as its first axis; a list or dict of tensors if the layer was called on
            one.
        training : bool
            Whether the call is part of training. Given to a subclass whose `call` takes it.

        Returns
        -------
        Tensor
            Or a list or dict of tensors.
        """
        raise TypeError("a layer must define call(self, inputs)")

    def add_weight(
        self,
        shape=(),
        initializer="glorot_uniform",
        dtype=None,
        trainable=True,
        regularizer=None,
        name="weight",
        constraint=None,
    ):
        """Make a weight of this layer.

        Parameters
        ----------
        shape : tuple of int, default ()
        initializer : str, Initializer or function of a shape, default 'glorot_uniform'
        dtype : {'float32', 'float64'}, default `floatx()`
        trainable : bool, default True
            Whether training changes the weight.
        regularizer : str, Regularizer or function of the weight, optional
            Its value is added to the loss.
        name : str, default 'weight'
        constraint : None
            Not supported.

        Returns
        -------
        Variable
        """
        if constraint is not None:
            raise ValueError(f"layer {self.name!r}: constraints are not supported")
        if here.calling is self and self._output_shape is not None:
            raise ValueError(
                f"add_weight: {name!r} would be made in each `call`, and training would change "
                "none of them: make it once, in `__init__` or `build`"
            )
        values = initializers.draw(
            initializers.get(initializer), tuple(shape), dtype or config.floatx()
        )
        weight = Variable(values, trainable, f"{self.name}/{name}", dtype or config.floatx())
        weight.regularizer = regularizers.get(regularizer)
        self.__dict__.setdefault("_weights", []).append(weight)
        return weight

    def _own_weights(self):
        """This layer's own Variables: those of `add_weight`, then those set as attributes."""
        own = list(self.__dict__.get("_weights", ()))
        seen = {id(v) for v in own}
        for value in self.__dict__.get("_tracked", {}).values():
            for v in flatten(value):
                if isinstance(v, Variable) and id(v) not in seen and v.dtype != "int32":
                    own.append(v)
        return own

    def _all_weights(self):
        """(Variable, whether training changes it) of each weight: this layer's own, then those of
        the inner layers."""
        own = [(v, v.trainable and self.trainable) for v in self._own_weights()]
        for layer in self._sublayers:
            own += [(v, t and self.trainable) for v, t in layer._all_weights()]
        unique = {}
        for v, t in own:
            unique.setdefault(id(v), (v, t))
        return list(unique.values())

    @property
    def weights(self):
        """All weights as Variables, trainable or not: the layer's own, then its inner layers'."""
        return [v for v, _ in self._all_weights()]

    variables = weights

    @property
    def trainable_weights(self):
        """The weights that training changes."""
        return [v for v, t in self._all_weights() if t]

    trainable_variables = trainable_weights

    @property
    def non_trainable_weights(self):
        """The weights that training does not change."""
        return [v for v, t in self._all_weights() if not t]

    non_trainable_variables = non_trainable_weights

    def count_params(self):
        """The number of elements of all weights, an int."""
        return sum(v.size for v in self.weights)

    def get_weights(self):
        """Copies of all weights: a list of arrays, in the order of `weights`."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights):
        """Copy arrays into the weights.

        Parameters
        ----------
        weights : list of array
            In the order of `get_weights`.

        Raises
        ------
        ValueError
            If the number of arrays or a shape differs. No weight is changed then.
        """
        own, weights = self.weights, list(weights)
        if len(weights) != len(own):
            raise ValueError(
                f"layer {self.name!r}: expected {len(own)} weight arrays, got {len(weights)}"
                + ("" if own else "; it has no weights yet, build or call it first")
            )
        for v, w in zip(own, weights):
            if tuple(getattr(w, "shape", ())) != v.shape:
                raise ValueError(
                    f"layer {self.name!r}: expected weight {v.name!r} of shape {v.shape}, "
                    f"got {tuple(getattr(w, 'shape', ()))}"
                )
        for v, w in zip(own, weights):
            v.assign(w)

    @property
    def losses(self):
        """The regularization penalties of the trainable weights, a list of scalar tensors."""
        return [v.regularizer(v) for v, t in self._all_weights() if t and v.regularizer is not None]

    @property
    def output_shape(self):
        """The shape of the last result, with None for the batch; None before the first call."""
        return self._output_shape

    def _record_call(self, node):
        """Keep the node of the first call on symbols, for `input` and `output`."""
        self.__dict__.setdefault("_node", node)

    def _first_node(self):
        node = self.__dict__.get("_node")
        if node is None:
            raise AttributeError(f"layer {self.name!r} was never called on an Input, or on symbols")
        return node

    @property
    def input(self):
        """The symbol, or list of them, that the layer was first called on."""
        return self._first_node().args[0]

    @property
    def output(self):
        """The symbol, or list of them, that the layer's first call on symbols returned."""
        return self._first_node().outputs

    def __getstate__(self):
        return {k: v for k, v in self.__dict__.items() if k not in ("_node", "_version")}

    def __call__(self, inputs, *args, training=None, **kwargs):
        """Build the layer at the first call, and return its result.

        Parameters
        ----------
        inputs : tensor or array-like, or a list or dict of them
            On symbols (`Input`) the call is recorded, for a functional `Model`.
        *args
            Further positional arguments of `call`.
        training : bool, optional
            By default the value that the calling layer was given; False without such a layer.
        **kwargs
            Further arguments of `call`.
        """
        if inputs.__class__ is Symbol or is_symbolic((inputs, args, kwargs)):
            if training is not None:
                kwargs["training"] = training
            outputs = symbolic_call(self, (inputs, *args), kwargs)
            self._record_call(symbols_of(outputs)[0].node)
            return outputs
        outer, caller = here.training, here.calling
        training = outer if training is None else training
        here.training, here.calling = training, self
        if caller is None:
            here.made = ()
        try:
            with dispatch.scope(self.name):
                inputs = _as_tensors(inputs)
                if not self.built:
                    self._build_for(inputs)
                if self._takes_training():
                    kwargs["training"] = bool(training)
                outputs = self.call(inputs, *args, **kwargs)
                if caller is None and here.made:
                    self._refuse_made_in_call(here.made)
        except (ValueError, TypeError) as error:
            say_where(error, self)
            raise
        finally:
            here.training, here.calling = outer, caller
            if caller is None:
                here.made = None
        self._output_shape = map_structure(lambda y: (None, *y.shape[1:]), outputs, Tensor)
        return outputs

    def _build_for(self, inputs):
        with transaction(self):
            if not self.built and not is_building(self):
                self.build(map_structure(lambda x: (None, *x.shape[1:]), inputs, Tensor))
                self.built = True

    def _refuse_made_in_call(self, made):
        """Raise a ValueError if a layer that was made in `call` has weights that training would not
        change, or that the next call would make again."""
        kept = {id(v) for v in self.weights}
        for layer, caller, again in made:
            weights = layer.trainable_weights
            if weights and (again or any(id(v) not in kept for v in weights)):
                raise ValueError(
                    f"`call` of {caller.name!r} made the layer {layer!r}, so each call would begin "
                    "with new weights and training would change none: make it once, in `__init__` "
                    f"or `build`, and keep it as an attribute (self.{layer.name} = ...)"
                )

    @classmethod
    def _takes_training(cls):
        known = cls.__dict__.get("_takes_training_cache")
        if known is None:
            parameters = inspect.signature(cls.call).parameters
            known = cls._takes_training_cache = "training" in parameters
        return known


def _as_tensors(inputs):
    """The inputs of a call as a tensor; as a list or dict of tensors if several were given."""
    if isinstance(inputs, dict):
        return {key: convert_to_tensor(x) for key, x in inputs.items()}
    if isinstance(inputs, (list, tuple)) and any(
        isinstance(x, (Tensor, np.ndarray)) for x in inputs
    ):
        return [convert_to_tensor(x) for x in inputs]
    return convert_to_tensor(inputs)
