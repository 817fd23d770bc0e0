"""Optimizer: the base of all rules, with the learning rate, weight decay, clipping and the slots of
each weight. Every change is an op, so that a step is part of a training plan."""

import re

import numpy as np

from nnlite import config, configurable, constraints, ops, warn
from nnlite.checks import check_number
from nnlite.configurable import Configurable, structure_version
from nnlite.engine.dispatch import tracing
from nnlite.engine.tensor import Tensor, Variable
from nnlite.errors import did_you_mean, memory_for, prefixed
from nnlite.optimizers.averages import follow
from nnlite.optimizers.gradients import (
    gradient_for,
    is_trainable,
    limited,
    list_of,
    pairs_of,
    takes_one,
    updatable,
)
from nnlite.optimizers.older import settings_of_keras_2
from nnlite.optimizers.schedules import LearningRateSchedule


class Optimizer(Configurable):
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
    loss_scale_factor, gradient_accumulation_steps
        Not supported; accepted for Keras's signature.
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
        "name": "str",
    }
    whole_batches = False  # whether `fit` gives it all rows at once, and calls its `minimize`
    _clips = ("clipnorm", "clipvalue", "global_clipnorm")
    _may_be_none = ("weight_decay", *_clips)
    _unsupported = ("loss_scale_factor", "gradient_accumulation_steps")
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
        self._undecayed = [[], []]  # the Variables, and the patterns of names, without decay
        self.iterations = Variable(0, trainable=False, name="iterations", dtype="int32")
        self._check(self._given)
        self.name = name or configurable.next_name(configurable.snake_case(type(self).__name__))

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)
        if "_version" in self.__dict__ and name[0] != "_" and name not in self._no_settings:
            structure_version.advance(self)

    def _check(self, settings=None):
        """Raise a ValueError if a setting, by default as it is now, is out of range or not
        supported."""
        owner = type(self).__name__
        if isinstance(self._source, LearningRateSchedule):
            self._source.check()
        elif not callable(self._source):
            self._check_rate(self._source)
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
        for name in self._unsupported:
            if getattr(self, name) is not None:
                raise ValueError(f"{owner}: {name} is not supported")

    def _check_rate(self, value):
        """Raise a ValueError unless a value can be the learning rate."""
        check_number("learning_rate", value, "[0, inf)", type(self).__name__)

    @property
    def learning_rate(self):
        """The learning rate.

        - A Variable if a number was given. It can be set between steps.
        - The tensor for the next step if a schedule or callable was given.
        """
        if callable(self._source):
            return self._computed_rate()
        if self._rate is None:
            self._check_rate(self._source)
            # In float64 until the precision of the weights is known, so that no digit is lost.
            dtype = self._real or "float64"
            self._rate = Variable(float(self._source), False, "learning_rate", dtype)
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value):
        if callable(value) and not isinstance(value, Tensor):
            self._source, self._rate = value, None
            structure_version.advance(self)
        elif callable(self._source):
            raise TypeError(
                f"{type(self).__name__}: the learning rate is computed by {self._source!r} and "
                "cannot be set to a number; set another schedule, or make the optimizer with a "
                "number"
            )
        else:
            value = value.item() if isinstance(value, (Tensor, np.ndarray)) else value
            self._check_rate(value)
            self.learning_rate.assign(float(value))

    lr = learning_rate

    @config.isolated
    def _computed_rate(self):
        """The learning rate that the schedule or callable computes for step `iterations`."""
        source = self._source
        with config.precision(self._real or config.floatx()):
            takes_step = isinstance(source, LearningRateSchedule) or takes_one(source)
            with prefixed(f"{type(self).__name__}: learning_rate: "):
                rate = source(self.iterations) if takes_step else source()
            if tracing() and not isinstance(rate, Tensor):
                raise TypeError(
                    f"{type(self).__name__}: learning_rate: expected a function that returns a "
                    f"tensor computed from the step, or a Variable, got {rate!r}: a training plan "
                    "would never ask again. Compile with run_eagerly=True to call it each step"
                )
            return ops.operands(rate)[0]

    @property
    def built(self):
        """Whether the slots were made."""
        return self._real is not None

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

    def _slots_of(self, variable):
        """The slots of a variable in the order of `slots()`; missing ones are made."""
        _, made = self._slots.setdefault(id(variable), (variable, {}))
        first_values = self.slots()
        for name, first in first_values.items():
            if name not in made:
                full_name, dtype = f"{variable.name}/{name}", variable.dtype
                with memory_for(f"{type(self).__name__}: {full_name!r}", variable.shape, dtype):
                    values = np.full(variable.shape, first, dtype)
                    made[name] = Variable(values, False, full_name, dtype)
        if self.use_ema and "average" not in made:
            made["average"] = Variable(
                variable.numpy(), False, f"{variable.name}/average", variable.dtype
            )
        return [made[name] for name in first_values]

    @property
    def variables(self):
        """Every Variable of the optimizer: iterations, the learning rate unless it is computed,
        then the slots of each weight, in Keras's order."""
        own = [] if callable(self._source) else [self.learning_rate]
        slots = [made for _, made in self._slots.values()]
        together = [name for name in self.slots() if name not in self._slots_apart]
        groups = [["average"], together, *([name] for name in self._slots_apart)]
        found = [made[n] for group in groups for made in slots for n in group if n in made]
        return [self.iterations, *own, *found]

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
        if trainable_variables is None:
            trainable_variables = [v for v, _ in self._slots.values()]
        grads = list_of("apply", "grads", grads)
        variables = list_of("apply", "trainable_variables", trainable_variables)
        if len(grads) != len(variables):
            raise ValueError(
                f"{type(self).__name__}: expected a gradient for each of {len(variables)} "
                f"variables, got {len(grads)}"
            )
        pairs = [(gradient_for(v, g), v) for g, v in zip(grads, variables) if updatable(v, g)]
        if grads and not pairs:
            raise ValueError(
                f"{type(self).__name__}: expected a gradient for at least one variable, got None "
                f"for each of {', '.join(v.name for v in trainable_variables)}: the loss does not "
                "depend on them"
            )
        self.build(variables)  # also slots of those without a gradient, as in Keras's files
        variables = [v for _, v in pairs]
        if not pairs:
            ops.increment(self.iterations)
            return
        if len(pairs) < len(grads):
            left = ", ".join(v.name for g, v in zip(grads, trainable_variables) if g is None)
            warn.warn(
                f"{type(self).__name__}: no gradient for {left}: the loss does not depend on them, "
                "so they stay as they are",
                UserWarning,
            )
        rate = self.learning_rate  # of a schedule, for the number of steps before this one
        grads = self._clip_gradients([g for g, _ in pairs])
        ops.increment(self.iterations)
        if self.weight_decay:
            for v in variables:
                if self._decays(v):
                    ops.decay_weights(v, rate, self.weight_decay)
        self._update(grads, variables, rate)
        if self.use_ema:
            for v in variables:
                how = self.iterations, self.ema_momentum, self.ema_overwrite_frequency
                follow(self._slots[id(v)][1]["average"], v, *how)
        constraints.impose(variables)

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """Choose weights that `weight_decay` leaves alone; before the first step.

        Parameters
        ----------
        var_list : list of Variable, optional
        var_names : list of str, optional
            Regular expressions; one that is found in the name of a weight excludes it.

        Raises
        ------
        ValueError
            After the first step.
        """
        excluded = [
            [] if given is None else list_of("exclude_from_weight_decay", name, given)
            for name, given in (("var_list", var_list), ("var_names", var_names))
        ]
        if self.built:
            raise ValueError(
                f"{type(self).__name__}: expected exclude_from_weight_decay before the first step"
            )
        self._undecayed = excluded

    def _decays(self, variable):
        variables, names = self._undecayed
        found = any(v is variable for v in variables)
        return not (found or any(re.search(name, variable.name) for name in names))

    def finalize_variable_values(self, trainable_variables):
        """With `use_ema`, overwrite weights by their moving averages, as `fit` does at its end.

        Parameters
        ----------
        trainable_variables : list of Variable
        """
        for v in trainable_variables if self.use_ema else ():
            _, made = self._slots.get(id(v), (None, {}))
            if "average" in made:
                v.assign(made["average"])

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
            self.update_step(grad, v, learning_rate, *self._slots_of(v))

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
