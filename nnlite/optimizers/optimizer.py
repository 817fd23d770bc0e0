"""Optimizer: what all rules share. The learning rate, weight decay, clipping, the slots of each
weight; every change is an op, so a step is part of a training plan."""

import inspect

import numpy as np

from nnlite import config, configurable, ops
from nnlite.checks import check_number
from nnlite.configurable import Configurable, edits
from nnlite.engine.dispatch import tracing
from nnlite.engine.tensor import REALS, Tensor, Variable
from nnlite.optimizers.schedules import LearningRateSchedule


class Optimizer(Configurable):
    """Base of all: changes weights by their gradients.

    To write one, define `update_step(self, gradient, variable, learning_rate, *slots)` with
    `nnlite.ops`, and `slots(self)` where something is kept for each weight.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
        At least 0. A callable takes the step, an int32 Variable that counts from 0, or nothing;
        a training plan runs many steps without Python, so it must compute a tensor by ops, or
        return a Variable.
    weight_decay : float, optional
        At least 0. Before the step each weight loses `learning_rate * weight_decay` of itself.
    clipnorm : float, optional
        The gradient of each weight is scaled down to this norm if its own is larger. At most one
        of `clipnorm`, `clipvalue` and `global_clipnorm` can be given; 0 is as None.
    clipvalue : float, optional
        Each element of a gradient is limited to [-clipvalue, clipvalue].
    global_clipnorm : float, optional
        All gradients are scaled down together if their common norm is larger.
    use_ema, loss_scale_factor, gradient_accumulation_steps
        Not supported (with `ema_momentum` and `ema_overwrite_frequency`).
    name : str, optional
    lr : float, optional
        Another name for `learning_rate`.

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

    # What a setting of this name must be, in all optimizers.
    _intervals = {
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
    }
    _clips = ("clipnorm", "clipvalue", "global_clipnorm")
    _may_be_none = ("weight_decay", *_clips)
    _unsupported = ("use_ema", "loss_scale_factor", "gradient_accumulation_steps")
    _no_settings = ("learning_rate", "lr")  # to set these changes no plan

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
            )
        self.name = name or configurable.snake_case(type(self).__name__)
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.use_ema, self.ema_momentum = use_ema, ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._source = learning_rate if lr is None else lr  # a number, or what computes the rate
        self._rate = None  # the Variable, if it is a number
        self._real = None  # the precision, once built
        self._slots = {}  # id of a weight -> (the weight, its slots by name)
        self.iterations = Variable(0, trainable=False, name="iterations", dtype="int32")

    def __setattr__(self, name, value):
        if name[0] != "_" and name not in self._no_settings:
            edits.count += 1
        object.__setattr__(self, name, value)

    def _check(self):
        """Raise a ValueError if a setting is out of range or not supported."""
        owner = type(self).__name__
        if isinstance(self._source, LearningRateSchedule):
            self._source.check()
        elif not callable(self._source):
            self._check_rate(self._source)
        for name, default in self._signature().items():
            if name in self._intervals and name != "learning_rate":
                value = getattr(self, name, default)
                if value is not None or name not in self._may_be_none:
                    check_number(name, value, self._intervals[name], owner)
        given = [f"{name}={getattr(self, name)!r}" for name in self._clips if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(
                f"{owner}: expected at most one of {', '.join(self._clips)}, got {', '.join(given)}"
            )
        for name in self._unsupported:
            if getattr(self, name):
                raise ValueError(f"{owner}: {name} is not supported")

    def _check_rate(self, value):
        """Raise a ValueError unless a value can be the learning rate."""
        interval = self._intervals["learning_rate"]
        check_number("learning_rate", value, interval, type(self).__name__)

    @property
    def learning_rate(self):
        """The learning rate: a Variable, which can be assigned between steps; or, of a schedule or
        callable, the tensor that it gives for the next step."""
        if callable(self._source):
            return self._computed_rate()
        if self._rate is None:
            self._check_rate(self._source)
            # Until the precision of the weights is known, nothing is lost of the number given.
            self._rate = Variable(
                float(self._source), False, "learning_rate", self._real or "float64"
            )
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value):
        if callable(value) and not isinstance(value, Tensor):
            self._source, self._rate = value, None
            edits.count += 1
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

    def _computed_rate(self):
        """What the schedule or callable gives for the step that `iterations` stands at."""
        source = self._source
        with config.precision(self._real or config.floatx()):
            takes_step = isinstance(source, LearningRateSchedule) or _takes_one(source)
            rate = source(self.iterations) if takes_step else source()
            if tracing() and not isinstance(rate, Tensor):
                raise TypeError(
                    f"{type(self).__name__}: expected the learning rate's function to return a "
                    f"tensor computed from the step, or a Variable, got {rate!r}: a training plan "
                    "would never ask again. Compile with run_eagerly=True to call it each step"
                )
            return ops.operands(rate)[0]

    @property
    def built(self):
        return self._real is not None

    def build(self, variables):
        """Make the slots of each variable; those that exist already are kept."""
        if not self.built and variables:
            self._check()
            self._real = variables[0].dtype
            if not callable(self._source):
                self._rate = Variable(self.learning_rate.item(), False, "learning_rate", self._real)
        for v in variables:
            self._slots_of(v)

    def slots(self):
        """Name -> first value of each Variable that is kept for a weight, of its shape."""
        return {}

    def _slots_of(self, variable):
        _, made = self._slots.setdefault(id(variable), (variable, {}))
        first_values = self.slots()
        for name, first in first_values.items():
            if name not in made:
                made[name] = Variable(
                    np.full(variable.shape, first, variable.dtype),
                    False,
                    f"{variable.name}/{name}",
                    variable.dtype,
                )
        return [made[name] for name in first_values]

    @property
    def variables(self):
        """Every Variable of the optimizer: iterations, learning rate, then the slots of each
        weight."""
        own = [] if self._rate is None else [self._rate]
        return [
            self.iterations,
            *own,
            *(slot for _, made in self._slots.values() for slot in made.values()),
        ]

    def apply_gradients(self, grads_and_vars):
        """Change each variable by its gradient.

        Parameters
        ----------
        grads_and_vars : iterable of (tensor or array, Variable)
            Pairs without a gradient (None) are left alone.

        Returns
        -------
        None
        """
        pairs = list(grads_and_vars)
        self.apply([grad for grad, _ in pairs], [variable for _, variable in pairs])

    def apply(self, grads, trainable_variables=None):
        """Change each variable by its gradient.

        Parameters
        ----------
        grads : list of tensor or array
            None leaves a variable alone.
        trainable_variables : list of Variable, optional
            By default those that the optimizer was built with.
        """
        if trainable_variables is None:
            trainable_variables = [v for v, _ in self._slots.values()]
        grads, variables = list(grads), list(trainable_variables)
        if len(grads) != len(variables):
            raise ValueError(
                f"{type(self).__name__}: expected a gradient for each of {len(variables)} "
                f"variables, got {len(grads)}"
            )
        pairs = [(_gradient_for(v, g), v) for g, v in zip(grads, variables) if _updatable(v, g)]
        variables = [v for _, v in pairs]
        self.build(variables)
        if not pairs:
            ops.increment(self.iterations)
            return
        rate = self.learning_rate  # of a schedule, for the steps before this one
        grads = self._clipped([g for g, _ in pairs])
        ops.increment(self.iterations)
        if self.weight_decay:
            for v in variables:
                ops.decay_weights(v, rate, self.weight_decay)
        self._update(grads, variables, rate)

    def _clipped(self, grads):
        if self.clipnorm:
            return [_limited([g], self.clipnorm)[0] for g in grads]
        if self.global_clipnorm:
            return _limited(grads, self.global_clipnorm)
        if self.clipvalue:
            return [ops.clip(g, -self.clipvalue, self.clipvalue) for g in grads]
        return grads

    def _update(self, grads, variables, learning_rate):
        for grad, v in zip(grads, variables):
            self.update_step(grad, v, learning_rate, *self._slots_of(v))

    def update_step(self, gradient, variable, learning_rate, *slots):
        """Change one variable.

        Parameters
        ----------
        gradient : Tensor
            Of the variable's shape and precision, clipped.
        variable : Variable
        learning_rate : Tensor
            Of one element.
        *slots : Variable
            As `slots()` orders them. `self.iterations` is 1 at the first step.
        """
        raise TypeError(
            f"{type(self).__name__}: an optimizer must define update_step(gradient, variable, "
            "learning_rate, *slots)"
        )

    def __getstate__(self):
        return {**self.__dict__, "_slots": list(self._slots.values())}

    def __setstate__(self, state):
        slots = {id(variable): (variable, made) for variable, made in state["_slots"]}
        self.__dict__.update(state, _slots=slots)


def _takes_one(function):
    """Whether a function can be called with one argument."""
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    return True


def _updatable(variable, grad):
    """Whether there is a gradient; raises a TypeError for what is not a float Variable."""
    if not isinstance(variable, Variable) or variable.dtype not in REALS:
        got = type(variable).__name__
        got = f"one of {variable.dtype}" if isinstance(variable, Variable) else got
        raise TypeError(f"apply_gradients: expected float Variables to update, got {got}")
    return grad is not None


def _gradient_for(variable, grad):
    """The gradient as a tensor of the variable's shape and precision."""
    tensor = ops.operands(variable, grad)[1]
    if tensor.shape != variable.shape:
        raise ValueError(
            f"apply_gradients: expected a gradient of shape {variable.shape} for "
            f"{variable.name!r}, got {tensor.shape}"
        )
    return tensor


def _limited(grads, norm):
    """The gradients scaled down together so that the norm of all their elements is at most
    `norm`."""
    total, *more = [ops.sum_squares(g) for g in grads]
    for square in more:
        total = total + square
    scale = norm / ops.maximum(ops.sqrt(total), norm)
    return [g * scale for g in grads]
