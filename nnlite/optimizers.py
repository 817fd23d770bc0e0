"""Optimizers: how gradients change weights. Each update is one op, so it is part of a training
plan."""

import math
import numbers

import numpy as np

from nnlite import config, ops, registry
from nnlite.config import Configurable
from nnlite.tensor import REALS, Variable


class Optimizer(Configurable):
    """Base of all: subclasses define `slots` and `update(variable, grad, *slots)`.

    Parameters
    ----------
    learning_rate : float
        Positive; `lr` is another name for it.
    name : str, optional
    lr : float, optional
    """

    slots = ()  # names of the Variables that go with each weight

    def __init__(self, learning_rate=0.01, name=None, lr=None):
        self.name = name or config.snake_case(type(self).__name__)
        self._initial_rate = learning_rate if lr is None else lr
        self._rate = None
        self._slot_variables = {}
        self.iterations = Variable(0, trainable=False, name="iterations", dtype="int32")

    def _check(self):
        self._number("learning_rate", self._initial_rate, 0.0, math.inf)

    def _number(self, name, value, low, high):
        """A setting that must be a number within [low, high)."""
        if (
            not isinstance(value, numbers.Real)
            or isinstance(value, bool)
            or not low <= value < high
        ):
            raise ValueError(
                f"{type(self).__name__}: expected {name} in [{low}, {high}), got {value!r}"
            )

    @property
    def learning_rate(self):
        """The learning rate: a Variable once training began, before that the number given."""
        return self._initial_rate if self._rate is None else self._rate

    @learning_rate.setter
    def learning_rate(self, value):
        if self._rate is None:
            self._initial_rate = float(value)
        else:
            self._rate.assign(float(value))

    lr = learning_rate

    @property
    def built(self):
        return self._rate is not None

    def build(self, variables):
        """Make the slots of each variable, all zeros; those that exist already are kept."""
        if self._rate is None and variables:
            self._check()
            self._rate = Variable(
                float(self._initial_rate), False, "learning_rate", dtype=variables[0].dtype
            )
        for v in variables:
            if id(v) not in self._slot_variables:
                made = [
                    Variable(np.zeros(v.shape), False, f"{v.name}/{slot}", v.dtype)
                    for slot in self._slot_names()
                ]
                self._slot_variables[id(v)] = (v, made)

    def _slot_names(self):
        return self.slots

    @property
    def variables(self):
        """Every Variable of the optimizer: iterations, learning rate, then the slots of each
        weight."""
        own = [] if self._rate is None else [self._rate]
        return [
            self.iterations,
            *own,
            *(s for _, made in self._slot_variables.values() for s in made),
        ]

    def apply_gradients(self, grads_and_vars):
        """Change each variable by its gradient.

        Parameters
        ----------
        grads_and_vars : iterable of (tensor or array, Variable)
            Pairs without a gradient (None) are left alone.
        """
        pairs = []
        for g, v in grads_and_vars:
            if not isinstance(v, Variable) or v.dtype not in REALS:
                what = f"one of {v.dtype}" if isinstance(v, Variable) else type(v).__name__
                raise TypeError(f"apply_gradients: expected float Variables to update, got {what}")
            if g is None:
                continue
            grad = ops.operands(v, g)[1]
            if grad.shape != v.shape:
                raise ValueError(
                    f"apply_gradients: expected a gradient of shape {v.shape} for {v.name!r}, "
                    f"got {grad.shape}"
                )
            pairs.append((grad, v))
        self.build([v for _, v in pairs])
        ops.increment(self.iterations)
        for grad, v in pairs:
            self.update(v, grad, *self._slot_variables[id(v)][1])

    def update(self, variable, grad, *slots):
        raise TypeError(
            f"{type(self).__name__}: an optimizer must define update(variable, grad, *slots)"
        )

    def __getstate__(self):
        state = self.__dict__.copy()
        state["_slot_variables"] = list(self._slot_variables.values())
        return state

    def __setstate__(self, state):
        slots = state.pop("_slot_variables")
        self.__dict__.update(state)
        self._slot_variables = {id(v): (v, made) for v, made in slots}


class SGD(Optimizer):
    """Gradient descent, with momentum if asked (Keras's form, the learning rate inside the
    velocity).

    velocity = momentum * velocity - learning_rate * g; w += velocity
    (nesterov: w += momentum * velocity - learning_rate * g; Sutskever et al., 2013).

    Parameters
    ----------
    learning_rate : float, default 0.01
    momentum : float in [0, 1), default 0.0
    nesterov : bool, default False

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable(1.0)
    >>> nnlite.optimizers.SGD(learning_rate=0.1).apply_gradients([(0.5, w)])
    >>> round(w.numpy().item(), 4)
    0.95
    """

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, name="SGD", lr=None):
        super().__init__(learning_rate, name, lr)
        self.momentum, self.nesterov = momentum, nesterov

    def _check(self):
        super()._check()
        self._number("momentum", self.momentum, 0.0, 1.0)

    def _slot_names(self):
        return ("velocity",) if self.momentum else ()

    def update(self, variable, grad, velocity=None):
        if velocity is None:
            ops.sgd_update(variable, grad, self._rate)
        else:
            ops.momentum_update(variable, velocity, grad, self._rate, self.momentum, self.nesterov)


class Adam(Optimizer):
    """Adam (Kingma & Ba, 2015), with Keras's epsilon: added to the uncorrected root.

    Parameters
    ----------
    learning_rate : float, default 0.001
    beta_1, beta_2 : float in [0, 1), default 0.9 and 0.999
    epsilon : float, default 1e-7

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable(1.0)
    >>> nnlite.optimizers.Adam(learning_rate=0.1).apply_gradients([(1.0, w)])
    >>> round(w.numpy().item(), 4)
    0.9
    """

    slots = ("momentum", "velocity")

    def __init__(
        self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, name="adam", lr=None
    ):
        super().__init__(learning_rate, name, lr)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def _check(self):
        super()._check()
        self._number("beta_1", self.beta_1, 0.0, 1.0)
        self._number("beta_2", self.beta_2, 0.0, 1.0)
        self._number("epsilon", self.epsilon, 0.0, math.inf)

    def update(self, variable, grad, m, v):
        ops.adam_update(
            variable,
            m,
            v,
            grad,
            self._rate,
            self.iterations,
            self.beta_1,
            self.beta_2,
            self.epsilon,
        )


_BY_NAME = {"sgd": SGD, "adam": Adam}


def get(identifier):
    """An optimizer from its name or itself."""
    return registry.find("optimizer", identifier, _BY_NAME, lambda o: isinstance(o, Optimizer))
