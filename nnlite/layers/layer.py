"""Layer: the base of all layers and models. A call builds it, keeps the penalties that it adds to
the loss, and puts its name in front of errors."""

import functools
import inspect

import numpy as np

from nnlite import config, regularizers
from nnlite.checks import check_setting
from nnlite.config import DTypePolicy
from nnlite.configurable import clone, snake_case, structure_version
from nnlite.engine.lengths import filled, has_unknown, open_shape, result_of_any
from nnlite.engine.recording import Recording, scope
from nnlite.engine.symbolic import Node, Symbol, is_symbolic, symbolic_call, symbols_of
from nnlite.engine.tensor import Tensor
from nnlite.errors import did_you_mean, prefixed
from nnlite.layers import settings, tracking
from nnlite.layers.arguments import (
    NOT_GIVEN,
    as_tensors,
    check_arguments,
    first_by_name,
    shapes_by_name,
    shapes_of_batches,
)
from nnlite.layers.building import (
    as_shapes,
    built_once,
    check_returned,
    here,
    is_building,
    no_shape,
    refuse_made_in_call,
    say_where,
    transaction,
)
from nnlite.layers.input_spec import check_specs
from nnlite.layers.masking import mask_arguments, masks_of, masks_to_give, set_masks
from nnlite.layers.penalties import Penalized
from nnlite.tree import flatten, is_shape, map_shapes, map_structure


class Layer(Penalized):
    """A part of a model: settings, weights, and a function of tensors.

    To write a layer, define `call(self, x)` with `nnlite.ops`. If it has weights, define also
    `build(self, input_shape)` and make them there with `add_weight`; of a `call(self, x, y)` that
    may be `build(self, x_shape, y_shape)`. The constructor's arguments are recorded automatically,
    for `get_config` and copies.

    Parameters
    ----------
    name : str, optional
        By default the class's name in snake case. A model numbers layers of equal names.
    trainable : bool, default True
        Whether training changes the layer's weights.
    dtype : {'float32', 'float64'} or DTypePolicy, optional
        A model has one precision: `floatx()` at the time when it is built. A layer may say which
        it expects. Look-ups say the kind of their results.
    input_shape : tuple of int, optional
        The shape of one sample, for the first layer of a Sequential.
    input_dim : int, optional
        `input_dim=n` means `input_shape=(n,)`.
    activity_regularizer : str, Regularizer or function of the result, optional
        Its value, divided by the size of the batch, is added to the loss.
    batch_shape : tuple, optional
        `input_shape` after the size of a batch, which may be None.
    **unknown
        Any other argument is refused.

    Raises
    ------
    TypeError
        If an argument is unknown, or is of a kind that it cannot be.
    ValueError
        If an argument is out of its range. The constructors of all layers check their arguments.

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
        batch_shape=None,
        **unknown,
    ):
        if unknown:
            meant = did_you_mean(next(iter(unknown)), self._signature())
            raise TypeError(
                f"{type(self).__name__}: unknown argument {', '.join(map(repr, unknown))}"
                f"{meant or '.'} It takes {', '.join(self._signature())}"
            )
        self._check_given()
        if not isinstance(name, (str, type(None))):
            raise TypeError(f"{type(self).__name__}: name: expected a string, got {name!r}")
        check_setting("trainable", trainable, "bool", type(self).__name__)
        self._name = name
        self.trainable = trainable
        self.activity_regularizer = activity_regularizer
        if activity_regularizer is not None:
            with prefixed(f"{type(self).__name__}: activity_regularizer: "):
                self.activity_regularizer = regularizers.get(activity_regularizer)
        self.built = False
        self._given_batch, self._given_input_shape = None, input_shape
        if batch_shape is not None:
            given = self._shape_given("batch_shape", batch_shape)
            self._given_batch, self._given_input_shape = given[0], given[1:]
        elif input_dim is not None:
            self._given_input_shape = self._shape_given("input_dim", input_dim)
        elif input_shape is not None:
            self._given_input_shape = self._shape_given("input_shape", input_shape)
        self._output_shape = None
        self._made = next(tracking.made)
        structure_version.advance(self)
        if here.made is not None:
            caller = here.calling
            here.made.append((self, caller, caller._output_shape is not None))

    def __getattr__(self, name):
        if name[:2] != "__" and "_output_shape" not in vars(self):
            raise RuntimeError(
                f"{type(self).__name__}: expected `super().__init__()` at the beginning of its "
                "`__init__`, before anything else"
            )
        if hasattr(type(self), name):  # a property that raised AttributeError: it says why
            return object.__getattribute__(self, name)
        raise self._no_attribute(name)

    def _no_attribute(self, name):
        words = f"{type(self).__name__!r} object has no attribute {name!r}"
        return AttributeError(words, name=name, obj=self)

    _legal = {"dtype": settings.precision}
    stateful = False  # whether a batch begins with the states that the one before ended with
    input_spec = None  # InputSpec, or a structure of them: what the inputs must be
    # Of a layer of one tensor: the least and the largest number of its dimensions, and words for
    # it. None: whatever comes.
    _takes = None

    def _shape_given(self, argument, shape):
        """A shape that the constructor was given, as a tuple."""
        with prefixed(f"layer {self.name!r} ({type(self).__name__}): "):
            return settings.input_shape(argument, shape)

    # A layer is that layer, whatever its settings: two Dense(64) are two layers.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if not hasattr(cls.build, "runs_once"):
            cls.build = built_once(cls.build)

    @property
    def name(self):
        """The layer's name: as it was given, else its class's in snake case, numbered in a
        model."""
        return self.__dict__.get("_name") or snake_case(type(self).__name__)

    @name.setter
    def name(self, value):
        self._name = value

    @property
    def trainable(self):
        """Whether training changes the weights. Set, it is set for all layers inside, too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value):
        self._trainable = value
        if "_output_shape" in vars(self):  # else it has no layers inside yet
            for layer in self._sublayers:
                layer.trainable = value

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
        mask : Tensor, or list or dict of them, or None
            Which steps of the inputs count. Given to a subclass whose `call` takes it, if no other
            argument is a tensor; of several, `call(self, query, value, query_mask=None)` gets that
            of `query` as `query_mask`.

        Returns
        -------
        Tensor
            Or a list or dict of tensors.
        """
        raise NotImplementedError(
            f"layer {self.name!r} ({type(self).__name__}): `call` is not implemented: expected the "
            "class to define call(self, inputs)"
        )

    def compute_output_shape(self, input_shape):
        """The shape of the result for an input of a shape, found without computing anything.

        Parameters
        ----------
        input_shape : tuple, or list or dict of them
            The size of the batch, or None, then the shape of a sample. Its sizes may be None, too,
            where no weight depends on them.

        Returns
        -------
        tuple, or list or dict of them
            With None where the size depends on one that is None.

        Examples
        --------
        >>> from nnlite import layers
        >>> layers.Dense(3).compute_output_shape((None, 5))
        (None, 3)
        """
        if type(self).call is Layer.call:
            self.call(None)  # says that it is not implemented
        shapes = as_shapes(input_shape)
        if None in flatten(shapes, is_shape):
            raise TypeError(no_shape(shapes))
        flat = flatten(shapes, is_shape)
        sizes = [shape[0] for shape in flat if shape]
        batch, known = sizes[0] if sizes else None, self._output_shape
        layer = self if self.built else clone(self)

        def traced(length=None):
            inputs = map_shapes(
                lambda s: Tensor((batch or 1, *filled(s, length)[1:]), config.floatx()), shapes
            )
            with Recording(executing=False, shapes_only=True), config.seeded(0):
                return layer(inputs)

        outputs = result_of_any(traced, flat) if has_unknown(flat) else traced()
        self._output_shape = known
        return map_structure(lambda y: (batch, *y.shape[1:]), outputs, Tensor)

    def compute_output_spec(self, inputs):
        """Symbols of the shapes that `compute_output_shape` gives.

        A subclass may say itself what a call on symbols gives: one that defines this method, with
        the arguments of `call`, and whose `call` does not run on symbols then, unless the method
        raises NotImplementedError.

        Parameters
        ----------
        inputs : symbol, or list or dict of them
        """
        symbols = symbols_of(inputs)
        if not symbols or len(symbols) != len(flatten(inputs)):
            raise TypeError(f"inputs: expected symbols, as Input gives, got {inputs!r}")
        shapes = map_structure(lambda symbol: symbol.shape, inputs, Symbol)
        node, dtype = Node(self, (inputs,), {}), symbols[0].dtype
        node.outputs = map_shapes(
            lambda shape: Symbol(shape, dtype, node), self.compute_output_shape(shapes)
        )
        return node.outputs

    def _call_as_said(self, args, kwargs):
        """Record a call on symbols whose results a `compute_output_spec` of one's own describes:
        `call` does not run."""
        node = Node(self, args, kwargs)
        samples, further = map_structure(
            lambda s: Tensor((1, *s.shape[1:]) if s.shape else (), s.dtype), (args, kwargs), Symbol
        )
        self._build_for(*samples, **further)
        try:
            said = self.compute_output_spec(*args, **kwargs)
        except NotImplementedError:  # a trace tells
            return symbolic_call(self, args, kwargs)
        node.outputs = map_structure(lambda s: Symbol(s.shape, s.dtype, node), said, Symbol)
        self._output_shape = map_structure(lambda s: s.shape, node.outputs, Symbol)
        return node.outputs

    def get_config(self):
        """The constructor's arguments as a dict, from which `from_config` makes an equal layer.

        Returns
        -------
        dict
            Without those of the input's shape and the result's regularizer that were not given.
            The name is that which a model gave the layer; 'trainable' is as it was set last.
        """
        config = super().get_config()
        if config.get("name") is None and "name" in config:
            config["name"] = self._name
        if "trainable" in config:
            config["trainable"] = self.trainable
        if isinstance(config.get("dtype"), DTypePolicy):
            config["dtype"] = config["dtype"].name
        return {k: v for k, v in config.items() if v is not None or k not in _SELDOM_GIVEN}

    @property
    def output_shape(self):
        """The shape of the last result, with None for the batch; an AttributeError before the first
        call."""
        return self._known("output_shape", self._output_shape)

    def _known(self, name, shape):
        if shape is None:
            raise AttributeError(f"layer {self.name!r} has no {name} yet: it was never called")
        return shape

    def _for_keras(self, model=None):
        """The layer; of one that Keras lacks, a function that says the same on symbols. `model` is
        the class Model, for a layer that needs one to say it."""
        return getattr(self, "_in_keras", self)

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
        return {k: v for k, v in self.__dict__.items() if k not in _OF_CALLS}

    @config.isolated
    def __call__(self, inputs=NOT_GIVEN, *args, training=None, **kwargs):
        """Build the layer at the first call, and return its result.

        Parameters
        ----------
        inputs : tensor or array-like, or a list or dict of them
            On symbols (`Input`) the call is recorded, for a functional `Model`. It may also be
            given by the name that it has in `call`. Values beyond float32 become infinite.
        *args, **kwargs
            Further arguments of `call`.
        training : bool, optional
            By default that of the calling layer, or without one that in the signature of `call`.
        """
        inputs = first_by_name(self, kwargs) if inputs is NOT_GIVEN else inputs
        if inputs.__class__ is Symbol or is_symbolic((inputs, args, kwargs)):
            if training is not None:
                kwargs["training"] = training
            own = type(self).compute_output_spec is not Layer.compute_output_spec
            record = Layer._call_as_said if own and not self._is_model else symbolic_call
            call = functools.partial(record, self, (inputs, *args), kwargs)
            outputs = call() if self.built else transaction(None, call)
            self._record_call(symbols_of(outputs)[0].node)
            self._output_shape = map_structure(lambda s: (None, *s.shape[1:]), outputs, Symbol)
            return outputs
        if args or kwargs:
            check_arguments(self, args, kwargs)
        if training is not None and training.__class__ is not bool:
            training = self._flag(training)
        caller, training = here.calling, here.training if training is None else training
        if training is None and self._takes_training():
            training = self._training_by_default
        here.training, here.calling = training, self
        if caller is None:
            here.made = []
        try:
            with scope(self.name):
                inputs = as_tensors(inputs)
                if not self.built:
                    self._build_for(inputs, *args, **kwargs)
                elif self._takes is not None:
                    self._check_shapes(map_structure(lambda x: x.shape, inputs, Tensor))
                if self.input_spec is not None:
                    check_specs(self.input_spec, inputs)
                if self._takes_training():
                    kwargs["training"] = bool(training)
                if mask_arguments(type(self)):
                    kwargs |= masks_to_give(self, inputs, args, kwargs)
                mask = kwargs.get("mask")
                mask = masks_of(inputs) if mask is None else mask
                outputs = self.call(inputs, *args, **kwargs)
                if self._makes_mask() or (mask is not None and not self._is_model):
                    set_masks(self, inputs, mask, outputs)
                if outputs.__class__ is not Tensor:
                    check_returned(outputs)
                if self.activity_regularizer is not None:
                    for y in flatten(outputs):
                        self.add_loss(self.activity_regularizer(y) / max((y.shape or (1,))[0], 1))
                if caller is None:
                    self.__dict__["_run"] = here.made
                    if here.made:
                        refuse_made_in_call(self, here.made)
        except (ValueError, TypeError, MemoryError) as error:
            say_where(error, self)
            raise
        if not (self._is_model and self._called_graph()):  # which knows the shapes
            self._output_shape = map_structure(
                lambda y: (None, *open_shape(y.shape[1:])), outputs, Tensor
            )
        return outputs

    def _check_shapes(self, shapes):
        """Raise a ValueError unless inputs of these shapes are what the layer `_takes`."""
        least, most, words = self._takes
        if not is_shape(shapes) or not least <= len(shapes) <= most:
            got = "shape" if is_shape(shapes) else "several tensors, of shapes"
            raise ValueError(f"expected {words}, got {got} {shapes}")

    def _build_for(self, inputs, *args, **kwargs):
        transaction(None, self._build_if_unbuilt, inputs, args, kwargs)

    def _build_if_unbuilt(self, inputs, args, kwargs):
        if not self.built and not is_building(self):
            settings.check_precision(self._given.get("dtype"))
            several = shapes_by_name(self, (inputs, *args), kwargs) if args or kwargs else {}
            self.build(**several) if several else self.build(shapes_of_batches(inputs))
            self.built = True

    def _flag(self, training):
        """`training` as a bool."""
        if isinstance(training, np.bool_) or (isinstance(training, int) and training in (0, 1)):
            return bool(training)
        raise TypeError(
            f"layer {self.name!r} ({type(self).__name__}): training: expected True, False or "
            f"None, got {training!r}"
        )

    # Whether what `call` returns has the mask of its input.
    supports_masking = False

    def compute_mask(self, inputs, previous_mask):
        """The mask of the result: which steps of its sequences count.

        Parameters
        ----------
        inputs : Tensor, or list or dict of them
        previous_mask : Tensor, or list or dict of them, or None
            Of the inputs: (N, T), 0 at steps that do not count.

        Returns
        -------
        Tensor, list of them, or None
        """
        return previous_mask if self.supports_masking else None

    @classmethod
    def _makes_mask(cls):
        return cls.compute_mask is not Layer.compute_mask

    @classmethod
    def _takes_training(cls):
        known = cls.__dict__.get("_takes_training_cache")
        if known is None:
            parameter = inspect.signature(cls.call).parameters.get("training")
            known = cls._takes_training_cache = parameter is not None
            cls._training_by_default = known and parameter.default is True
        return known


_SELDOM_GIVEN = frozenset(["activity_regularizer", "batch_shape", "input_dim", "input_shape"])
# Attributes that copies begin without.
_OF_CALLS = frozenset(["_added", "_has_warned", "_node", "_run", "_version"])
