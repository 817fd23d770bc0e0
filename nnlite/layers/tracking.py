"""Tracked: the part of a layer that finds the weights and layers among its attributes."""

import functools
import itertools
import math
import numbers
from types import FunctionType, MethodType

from nnlite import config, constraints, initializers, regularizers
from nnlite.checks import MOST_ELEMENTS
from nnlite.configurable import Configurable, structure_version
from nnlite.engine.lengths import Length, open_shape
from nnlite.engine.tensor import Variable, dtype_of, is_truth
from nnlite.errors import memory_for
from nnlite.layers.building import as_shapes, here
from nnlite.metrics.metric import Metric
from nnlite.ops.random import is_seed_state
from nnlite.tree import objects_in


def _name_first(add_weight):
    """A version of `add_weight` that also takes the name first, as older programs give it."""

    @functools.wraps(add_weight)
    def with_name(self, *args, **kwargs):
        if args and isinstance(args[0], str) and "name" not in kwargs and (args[1:] or kwargs):
            kwargs["name"], args = args[0], args[1:]
        return add_weight(self, *args, **kwargs)

    return with_name


made = itertools.count(1)  # the places of layers in the order in which they are made


class Tracked(Configurable):
    """What has weights, and layers inside that have weights: it finds them among its attributes,
    also in lists and dicts."""

    # Public attributes that no plan depends on.
    _state_not_settings = frozenset(
        ["built", "stop_training", "stop_evaluating", "stop_predicting", "n_threads", "history"]
    )

    _made = 0  # models number layers without a name in this order
    _free_names = set()
    _is_model = False  # whether it is drawn as layers within a frame

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls._free_names = set()  # of attributes that hide nothing of the class

    def __setattr__(self, name, value):
        public = name[0] != "_"
        if public and name not in self._free_names:
            self._refuse_taken(name, value)
        if value.__class__ not in _PLAIN and isinstance(value, _HOLDERS):
            self.__dict__.setdefault("_tracked", {})[name] = value
        elif name in self.__dict__.get("_tracked", ()):
            del self._tracked[name]
        object.__setattr__(self, name, value)
        if public and "_version" in self.__dict__ and name not in self._state_not_settings:
            structure_version.advance(self)

    def _clone(self, **overrides):
        copy = super()._clone(**overrides)
        copy._made = self._made  # in a copy of the model it has the same name
        return copy

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

    def _held(self):
        """(name, value) of the attributes that may be or contain weights, layers and metrics; a
        list, as another thread may build."""
        return list(self.__dict__.get("_tracked", {}).items())

    @property
    def _sublayers(self):
        """The layers directly inside this one, in the order in which attributes were set."""
        found = {}
        for _, value in self._held():
            found |= {id(v): v for v in objects_in(value, Tracked)}
        return list(found.values())

    @_name_first
    def add_weight(
        self,
        shape=(),
        initializer=None,
        dtype=None,
        trainable=True,
        regularizer=None,
        name="weight",
        constraint=None,
        autocast=True,
        aggregation=None,
        overwrite_with_gradient=False,
    ):
        """Make a weight of this layer.

        Parameters
        ----------
        shape : tuple of int, default ()
        initializer : str, Initializer or function of a shape, optional
            By default 'glorot_uniform' for real numbers; 'zeros' for integers and truth values.
        dtype : {'float32', 'float64', 'int32'}, default `floatx()`
        trainable : bool, default True
            Whether training changes the weight.
        regularizer : str, Regularizer or function of the weight, optional
            Its value is added to the loss.
        name : str, default 'weight'
        constraint : str, Constraint or function of the weight, optional
            What the weight becomes after each step of an optimizer.
        autocast, aggregation
            Ignored; accepted for Keras's signature.
        overwrite_with_gradient : bool, default False
            Whether optimizers put the gradient in place of the weight, and do no more with it.

        Returns
        -------
        Variable
        """
        shape = _checked_shape(shape, name)
        if initializer is None:
            whole = is_truth(dtype) or dtype_of(dtype) == "int32"
            initializer = "zeros" if whole else "glorot_uniform"
        dtype = dtype_of(dtype)
        if here.calling is self:
            raise ValueError(
                f"add_weight: {name!r} would be made in each `call`, and training would change "
                "none of them: make it once, in `__init__` or `build`"
            )
        with memory_for(f"weight {name!r}", shape, dtype):
            values = initializers.draw(initializers.get(initializer), shape, dtype)
            weight = Variable(values, trainable, f"{self.name}/{name}", dtype)
        weight.regularizer = regularizers.get(regularizer)
        if constraint is not None:
            weight.constraint = constraints.get(constraint)
        weight.overwrite_with_gradient = overwrite_with_gradient
        self.__dict__.setdefault("_weights", []).append(weight)
        return weight

    add_variable = add_weight

    def _own_weights(self):
        """This layer's own Variables in the order in which it got them: those of `add_weight`, and
        those set as attributes, but for the states of random numbers."""
        own = {id(v): v for v in self.__dict__.get("_weights", ())}
        places, last = {key: place for place, key in enumerate(own)}, -1
        for _, value in self._held():
            for v in () if isinstance(value, Tracked) else objects_in(value, Variable):
                if not is_seed_state(v):
                    last = max(last, places.setdefault(id(v), last))
                    own[id(v)] = v
        return sorted(own.values(), key=lambda v: places[id(v)])

    def get_build_config(self):
        """The shapes that the weights were made for, which `build_from_config` takes. A subclass
        whose `build` needs more, or is not called by a model, may define both.

        Returns
        -------
        dict or None
        """
        shapes = vars(self).get("_built_for")
        return None if shapes is None else {"input_shape": shapes}

    def build_from_config(self, config):
        """Make the weights, unless they are made.

        Parameters
        ----------
        config : dict
            As `get_build_config` gives it.
        """
        if not self.built and config.get("input_shape") is not None:
            self.build(as_shapes(config["input_shape"]))

    def _weights_in_order(self):
        """This layer's own Variables in Keras's order: the trainable ones first."""
        return sorted(self._own_weights(), key=lambda v: not v.trainable)

    def save_own_variables(self, store):
        """Put the layer's own weights, without those of layers inside, where a file gets them from.
        A subclass may define it, and then `load_own_variables`, too, to save other arrays.

        Parameters
        ----------
        store : dict of str to array
            Filled with '0', '1', ..., the trainable ones first.
        """
        for i, v in enumerate(self._weights_in_order()):
            store[str(i)] = v.numpy()

    def load_own_variables(self, store):
        """Take the layer's own weights as `save_own_variables` put them.

        Parameters
        ----------
        store : dict of str to array

        Raises
        ------
        ValueError
            If there are more or fewer, or one of another shape.
        """
        own = self._weights_in_order()
        if {*store} != {str(i) for i in range(len(own))}:
            raise ValueError(
                f"layer {self.name!r}: expected {len(own)} arrays, got {', '.join(store) or 'none'}"
            )
        for i, v in enumerate(own):
            v.assign(store[str(i)])

    def _all_weights(self):
        """(Variable, whether training changes it) of each weight: this layer's own, then those of
        the inner layers."""
        trains = self.trainable  # but no integers
        own = [(v, trains and v.trainable and v.dtype != "int32") for v in self._weights_in_order()]
        for layer in self._sublayers:
            own += [(v, t and trains) for v, t in layer._all_weights()]
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
    def dtype(self):
        """The precision, 'float32' or 'float64': of the weights, else `floatx()`."""
        found = (v.dtype for v in self.weights if v.dtype != "int32")
        return next(found, None) or config.floatx()

    compute_dtype = variable_dtype = input_dtype = dtype

    @property
    def dtype_policy(self):
        """The precision as a DTypePolicy."""
        return config.DTypePolicy(self.dtype)

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
        own = self.weights
        try:
            given = None if isinstance(weights, (str, bytes, dict)) else list(weights)
        except (TypeError, NotImplementedError):  # nothing that can be gone through
            given = None
        if given is None:
            raise TypeError(
                f"layer {self.name!r}: weights: expected a list of {len(own)} arrays, "
                f"got {weights!r}"
            )
        weights = given
        if len(weights) != len(own):
            raise ValueError(
                f"layer {self.name!r}: weights: expected {len(own)} arrays, got {len(weights)}"
                + ("" if own else "; it has no weights yet, build or call it first")
            )
        for v, w in zip(own, weights):
            if tuple(getattr(w, "shape", ())) != v.shape:
                raise ValueError(
                    f"layer {self.name!r}: weights: expected {v.name!r} of shape {v.shape}, "
                    f"got {tuple(getattr(w, 'shape', ()))}"
                )
        for v, w in zip(own, weights):
            v.assign(w)


# What may be or contain weights, layers and metrics; lists and dicts may be filled later.
_HOLDERS = (Tracked, Variable, Metric, list, tuple, dict)
_PLAIN = frozenset([type(None), bool, int, float, str])  # what most attributes are


def _checked_shape(shape, name):
    """The shape of the weight `name` as a tuple of int; `n` is `(n,)`."""
    sizes = shape if isinstance(shape, (list, tuple)) else [shape]
    if any(n is None or type(n) is Length for n in sizes):
        raise ValueError(
            f"add_weight: shape: expected sizes that are known, got {open_shape(sizes)} of "
            f"{name!r}: give that size in the shape of the model's input"
        )
    if not all(map(_is_size, sizes)):
        hint = f"; a name is given as name={shape!r}" if isinstance(shape, str) else ""
        raise ValueError(f"add_weight: shape: expected a tuple of sizes, got {shape!r}{hint}")
    sizes = tuple(map(int, sizes))
    if math.prod(sizes) > MOST_ELEMENTS:
        raise ValueError(
            f"add_weight: shape: expected at most 2**36 elements of {name!r}, got {shape!r}"
        )
    return sizes


def _is_size(n):
    whole = n.__class__ is int or (isinstance(n, numbers.Integral) and not isinstance(n, bool))
    return whole and n >= 0


def first_layer(kind, layer):
    """The first layer in a model that is of a class, or of one of some; None if there is none."""
    if isinstance(layer, kind):
        return layer
    found = (first_layer(kind, inside) for inside in layer._sublayers)
    return next((part for part in found if part is not None), None)


def keeps_states(layer):
    """Whether batches depend on those before: whether a layer, or one in it, is a stateful RNN or
    assigns to its weights in `call`.

    Parameters
    ----------
    layer : Layer
    """
    stateful = layer.stateful or any(v.is_state for v in layer._own_weights())
    return bool(stateful) or any(map(keeps_states, layer._sublayers))
