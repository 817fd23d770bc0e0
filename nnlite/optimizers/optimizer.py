"""Optimizer: the base of all rules, with weight decay, clipping, averages and the slots of each
weight. Every change is an op, so that a step is part of a training plan."""

import copy

import numpy as np

from nnlite import configurable, constraints, ops, warn
from nnlite.configurable import structure_version
from nnlite.engine.dispatch import when
from nnlite.engine.recording import tracing, unrecorded
from nnlite.engine.tensor import Variable
from nnlite.errors import did_you_mean, memory_for
from nnlite.optimizers.averages import Averaging
from nnlite.optimizers.gradients import (
    gradient_for,
    is_trainable,
    left_to_update,
    limited,
    list_of,
    pairs_of,
    unscaled,
    updatable,
)
from nnlite.optimizers.older import settings_of_keras_2
from nnlite.optimizers.own_variables import OwnVariables
from nnlite.optimizers.rate import Rated
from nnlite.optimizers.weight_decay import Decaying


class Optimizer(OwnVariables, Averaging, Decaying, Rated):
    """Base of all optimizers: changes weights by their gradients, then as their constraints say.

    To write an optimizer, define `update_step(self, gradient, variable, learning_rate, *slots)`
    with `nnlite.ops`. If it keeps values for each weight, such as averages, define also
    `slots(self)`.

    Parameters
    ----------
    learning_rate : float of at least 0, LearningRateSchedule or callable, default 0.01
        A callable takes the step, an int32 Variable that counts from 0, or no argument. It must
        compute a tensor with ops or return a Variable: a training plan runs many steps without
        Python.
    weight_decay : float of at least 0, optional
        Before each step: w -= learning_rate * weight_decay * w.
    clipnorm : float of at least 0, optional
        The gradient of each weight is scaled down to this norm if its norm is larger. 0 means None.
    clipvalue : float of at least 0, optional
        Each element of a gradient is limited to [-clipvalue, clipvalue]. 0 means None.
    global_clipnorm : float of at least 0, optional
        All gradients are scaled down together to this norm if their common norm is larger. 0 means
        None.
    use_ema : bool, default False
        Whether to keep a moving average of each weight: average = ema_momentum * average + (1 -
        ema_momentum) * w after each step, before constraints. `fit` ends with the averages as
        weights, to which constraints are not applied.
    ema_momentum : float in [0, 1], default 0.99
    ema_overwrite_frequency : int of at least 1, optional
        Every how many steps the averages become the weights; by default only at the end of `fit`.
    loss_scale_factor : float above 0, optional
        The loss is multiplied by it before gradients are computed (`scale_loss`), and gradients
        are divided by it before they are used.
    gradient_accumulation_steps : int of at least 2, optional
        The weights change at each step of this number, by the mean of the gradients since the last
        change. `iterations` counts the changes.
    name : str, optional
        By default the class's name in snake case, with a number from the second one on.
    lr : float, optional
        Another name for `learning_rate`.
    **unknown
        Any other argument is refused.

    Raises
    ------
    TypeError
        If an argument is unknown.
    ValueError
        If a setting is out of range, or more than one of `clipnorm`, `clipvalue` and
        `global_clipnorm` is given; at the first step if it was changed to such a value.

    Examples
    --------
    >>> import nnlite
    >>> from nnlite import ops
    >>> class Momentum(nnlite.optimizers.Optimizer):
    ...     def slots(self):
    ...         return {"average": 0.0}
    ...     def update_step(self, gradient, variable, learning_rate, average):
    ...         ops.assign(average, 0.9 * average + gradient)
    ...         ops.assign(variable, variable - learning_rate * average)
    >>> w, rule = nnlite.Variable(1.0), Momentum(0.1)
    >>> for _ in range(2):
    ...     rule.apply_gradients([(1.0, w)])
    >>> round(w.item(), 4)
    0.71
    """

    # Of a setting of this name, in all optimizers.
    _legal = {
        "learning_rate": "[0, inf)",
        "momentum": "[0, 1)",
        "rho": "[0, 1)",
        "beta_1": "[0, 1)",
        "beta_2": "[0, 1)",
        "epsilon": "[0, inf)",
        "initial_accumulator_value": "[0, inf)",
        "learning_rate_power": "(-inf, 0]",
        "l1_regularization_strength": "[0, inf)",
        "l2_regularization_strength": "[0, inf)",
        "l2_shrinkage_regularization_strength": "[0, inf)",
        "beta": "[0, inf)",
        "weight_decay": "[0, inf)",
        "clipnorm": "[0, inf)",
        "clipvalue": "[0, inf)",
        "global_clipnorm": "[0, inf)",
        "nesterov": "bool",
        "amsgrad": "bool",
        "centered": "bool",
        "use_ema": "bool",
        "ema_momentum": "[0, 1]",
        "ema_overwrite_frequency": "int [1, inf)",
        "loss_scale_factor": "(0, inf)",
        "gradient_accumulation_steps": "int [2, inf)",
        "name": "str",
    }
    whole_batches = False  # whether `fit` gives it all rows at once, and calls its `minimize`
    _clips = ("clipnorm", "clipvalue", "global_clipnorm")
    _may_be_none = ("weight_decay", *_clips)
    _slots_apart = ()
    _no_settings = ("learning_rate", "lr")  # a plan stays valid if these are set

    def __init__(
        self,
        learning_rate=0.01,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        use_ema=False,
        ema_momentum=0.99,
        ema_overwrite_frequency=None,
        loss_scale_factor=None,
        gradient_accumulation_steps=None,
        name=None,
        lr=None,
        **unknown,
    ):
        if unknown:
            raise TypeError(
                f"{type(self).__name__}: unknown argument {', '.join(map(repr, unknown))}. "
                f"It takes {', '.join(self._signature())}"
                f"{did_you_mean(next(iter(unknown)), self._signature())}"
            )
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.use_ema, self.ema_momentum = use_ema, ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._source = learning_rate if lr is None else lr  # a number, schedule or callable
        self._rate = None  # a Variable, if the source is a number
        self._real = None  # the precision of the weights, once built
        self._slots = {}  # id of a weight -> (the weight, its slots by name)
        self._added = []  # the Variables that `add_variable` made
        self._undecayed = [[], []]  # the Variables, and the patterns of names, without decay
        self._iterations = Variable(0, trainable=False, name="iteration", dtype="int32")
        self._updates = None  # where gradients are accumulated: how often weights changed
        self._check(self._given)
        self.name = name or configurable.next_name(configurable.snake_case(type(self).__name__))

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.build = unrecorded(cls.build)  # the first step of a trace builds

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)
        if "_version" in self.__dict__ and name[0] != "_" and name not in self._no_settings:
            structure_version.advance(self)

    def _check(self, settings=None):
        """Raise a ValueError if a setting, by default as it is now, is out of range or not
        supported."""
        owner = type(self).__name__
        self._check_source()
        if settings is None:
            now = vars(self)
            settings = {name: now[name] for name in self._signature() if name in now}
        no_limits = {name for name in self._may_be_none if settings.get(name) is None}
        left = settings.keys() - no_limits - {"learning_rate"}
        self._check_given({name: settings[name] for name in left})
        given = [f"{name}={getattr(self, name)!r}" for name in self._clips if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(
                f"{owner}: expected at most one of {', '.join(self._clips)}, got {', '.join(given)}"
            )

    @property
    def iterations(self):
        """How often the weights have changed, an int32 Variable."""
        every = self.gradient_accumulation_steps
        if not every:
            return self._iterations
        if self._updates is None:
            self._updates = Variable(0, trainable=False, name="updates", dtype="int32")
        if not tracing():  # it may have been read from a file, which holds the steps only
            self._updates.assign(self._iterations.item() // every)
        return self._updates

    @property
    def built(self):
        """Whether the slots were made."""
        return self._real is not None

    @unrecorded
    def build(self, variables):
        """Make the slots of each variable. Existing slots are kept.

        Parameters
        ----------
        variables : list of Variable
        """
        if not isinstance(variables, (list, tuple)) or not all(map(is_trainable, variables)):
            raise TypeError(f"build: expected a list of float Variables, got {variables!r}")
        if not self.built and variables:
            self._check()
            self._real = variables[0].dtype
            if not callable(self._source):
                self._rate = Variable(self.learning_rate.item(), False, "learning_rate", self._real)
        for v in variables:
            self._slots_of(v)

    def slots(self):
        """The Variables that are kept for each weight and have its shape.

        Returns
        -------
        dict
            Name -> initial value, a float.
        """
        return {}

    def _slot_forms(self, variable):
        """Name -> shape and first value of each slot of a variable; a Variable stands for its
        value."""
        return {name: (variable.shape, first) for name, first in self.slots().items()}

    def _slots_of(self, variable):
        """The slots of a variable by name; missing ones are made. As in Keras's files, one that is
        overwritten with its gradient has none of the rule's and no average."""
        _, made = self._slots.setdefault(id(variable), (variable, {}))
        forms = {}
        if not variable.overwrite_with_gradient:
            forms = self._slot_forms(variable)
            if self.use_ema:
                forms["average"] = variable.shape, variable
        if self.gradient_accumulation_steps:
            forms["gradient_accumulator"] = variable.shape, 0.0
        for name, (shape, first) in forms.items():
            if name not in made:
                full_name, dtype = f"{variable.name}/{name}", variable.dtype
                with memory_for(f"{type(self).__name__}: {full_name!r}", shape, dtype):
                    values = first.numpy() if isinstance(first, Variable) else first
                    values = np.full(shape, values, dtype)
                    made[name] = Variable(values, False, full_name, dtype)
        return made

    @property
    def variables(self):
        """Every Variable of the optimizer: iterations, the learning rate unless it is computed,
        then the slots of each weight, in Keras's order."""
        own = [] if callable(self._source) else [self.learning_rate]
        slots = [made for _, made in self._slots.values()]
        alone = ("average", "gradient_accumulator")
        found = [made[name] for name in alone for made in slots if name in made]
        apart = (*alone, *self._slots_apart)
        found += [v for made in slots for name, v in made.items() if name not in apart]
        found += [made[name] for name in self._slots_apart for made in slots if name in made]
        return [self._iterations, *own, *found, *self._added]

    def set_weights(self, weights):
        """Set the values of all `variables`, as `[v.numpy() for v in variables]` gives them.

        Parameters
        ----------
        weights : list of array

        Raises
        ------
        ValueError
            Before the first step, or if number or shapes differ.
        """
        variables, weights = self.variables, list(weights) if np.iterable(weights) else []
        if not self.built or len(weights) != len(variables):
            raise ValueError(
                f"{type(self).__name__}: expected build(variables) before set_weights, and as many "
                f"arrays as variables: {len(variables)}, got {len(weights)}"
            )
        for variable, value in zip(variables, weights):
            variable.assign(value)

    def apply_gradients(self, grads_and_vars):
        """Change each variable by its gradient.

        Parameters
        ----------
        grads_and_vars : iterable of (tensor or array, Variable)
            A pair whose gradient is None is skipped.

        Raises
        ------
        TypeError
            If a variable is not a Variable of floats.
        ValueError
            If a gradient and its variable differ in shape.
        """
        pairs = pairs_of(grads_and_vars)
        self.apply([grad for grad, _ in pairs], [variable for _, variable in pairs])

    def apply(self, grads, trainable_variables=None):
        """Change each variable by its gradient.

        Parameters
        ----------
        grads : list of tensor, array or None
            One gradient for each variable. A variable whose gradient is None is skipped.
        trainable_variables : list of Variable, optional
            By default those that the optimizer was built with.

        Raises
        ------
        TypeError, ValueError
            As for `apply_gradients`.
        """
        grads, variables = self._with_gradients(grads, trainable_variables)
        every = self.gradient_accumulation_steps
        grads, variables = left_to_update(grads, variables, every)
        if not variables:
            ops.increment(self._iterations)
            return
        grads = self._unscaled(grads, variables)
        if every:  # the count may have been read from a file
            ops.count_steps(self._iterations, self.iterations, every, 0)
        rate = self.learning_rate  # of a schedule, for the number of changes before this one
        if self.use_ema:
            change = ops.cast(self.iterations, grads[0].dtype) + 1.0
        if every:
            self._accumulate(grads, variables, rate)
        else:
            ops.increment(self._iterations)
            self._change(grads, variables, rate)
        if self.use_ema:
            for v in variables:
                self._follow(v, self._slots_of(v)["average"], change)
        constraints.impose(variables)

    def _with_gradients(self, grads, variables=None):
        """The gradients that there are as tensors, and their variables; all are built."""
        if variables is None:
            variables = [v for v, _ in self._slots.values()]
        grads = list_of("apply", "grads", grads)
        variables = list_of("apply", "trainable_variables", variables)
        if len(grads) != len(variables):
            raise ValueError(
                f"{type(self).__name__}: expected a gradient for each of {len(variables)} "
                f"variables, got {len(grads)}"
            )
        pairs = [(gradient_for(v, g), v) for g, v in zip(grads, variables) if updatable(v, g)]
        if grads and not pairs:
            raise ValueError(
                f"{type(self).__name__}: expected a gradient for at least one variable, got None "
                f"for each of {', '.join(v.name for v in variables)}: the loss does not "
                "depend on them"
            )
        if any(id(v) not in self._slots for v in variables):
            self.build(variables)  # also slots of those without a gradient, as in Keras's files
        if len(pairs) < len(grads):
            left = ", ".join(v.name for g, v in zip(grads, variables) if g is None)
            warn.warn(
                f"{type(self).__name__}: no gradient for {left}: the loss does not depend on them, "
                "so they stay as they are",
                UserWarning,
            )
        return [g for g, _ in pairs], [v for _, v in pairs]

    def _accumulate(self, grads, variables, rate):
        """Add gradients up; at every step of the number change the variables by their mean."""
        every = self.gradient_accumulation_steps
        due = ops.count_steps(self._iterations, self.iterations, every, 1)
        sums = [self._slots_of(v)["gradient_accumulator"] for v in variables]
        for total, grad in zip(sums, grads):
            ops.sgd_update(total, grad, -1.0)  # += grad, tile by tile as a product gives it
        with when(due):
            self._change([total * (1.0 / every) for total in sums], variables, rate)
            for total in sums:
                ops.assign(total, ops.zeros_like(total))

    def _change(self, grads, variables, rate):
        """Change variables by their gradients."""
        grads = self._clip_gradients(grads)
        self._apply_weight_decay(variables, rate)
        self._update(grads, variables, rate)

    def scale_loss(self, loss):
        """The loss as gradients are to be computed of it: times `loss_scale_factor`.

        Parameters
        ----------
        loss : tensor or number
        """
        return loss * self.loss_scale_factor if self.loss_scale_factor else loss

    def _unscaled(self, grads, variables):
        """Gradients of the loss, of those of the loss that `scale_loss` returned."""
        factor = self.loss_scale_factor
        return unscaled(grads, variables, factor) if factor else grads

    def _clip_gradients(self, grads):
        """The gradients, clipped as the settings say."""
        if self.clipnorm:
            return [limited([g], self.clipnorm)[0] for g in grads]
        if self.global_clipnorm:
            return limited(grads, self.global_clipnorm)
        if self.clipvalue:
            return [ops.clip(g, -self.clipvalue, self.clipvalue) for g in grads]
        return grads

    def _update(self, grads, variables, learning_rate):
        """Change each variable with `update_step`."""
        for grad, v in zip(grads, variables):
            slots = self._slots_of(v)
            names = self._slot_forms(v)
            self.update_step(grad, v, learning_rate, *(slots[name] for name in names))

    def update_step(self, gradient, variable, learning_rate, *slots):
        """Change one variable. During the first step `self.iterations` is 1.

        Parameters
        ----------
        gradient : Tensor
            The clipped gradient, of the variable's shape and precision.
        variable : Variable
        learning_rate : Tensor
            Of one element.
        *slots : Variable
            In the order of `slots()`.
        """
        raise TypeError(
            f"{type(self).__name__}: an optimizer must define update_step(gradient, variable, "
            "learning_rate, *slots)"
        )

    def _parts(self):
        """It, and the optimizers in it."""
        return [self]

    def _rates(self):
        """The name in logs of each learning rate, and the optimizer that has it."""
        return {"learning_rate": self}

    def _in_order(self, variables):
        """An optimizer of the same state, with the slots of some variables in their order."""
        made, slots = copy.copy(self), self._slots
        made._slots = {id(v): slots[id(v)] for v in variables if id(v) in slots} | slots
        return made

    _from_older = classmethod(settings_of_keras_2)

    def get_config(self):
        """The constructor's arguments as a dict, from which `from_config` makes an equal object.

        Returns
        -------
        dict
        """
        settings = {**super().get_config(), "name": self.name}
        older = settings.pop("lr", None)
        return settings if older is None else {**settings, "learning_rate": older}

    def _identity(self):
        settings = {**super()._identity(), "name": None}
        older = settings.pop("lr", None)
        return settings if older is None else {**settings, "learning_rate": older}

    def __getstate__(self):
        state = {**self.__dict__, "_slots": list(self._slots.values())}
        state.pop("_version", None)
        return state

    def __setstate__(self, state):
        slots = {id(variable): (variable, made) for variable, made in state["_slots"]}
        self.__dict__.update(state, _slots=slots)
