"""Optimizers made of others: one that scales the loss as gradients allow, one for several groups of
weights."""

import copy
import re
from collections.abc import MutableMapping

from nnlite import configurable, initializers, ops
from nnlite.configurable import Configurable
from nnlite.engine.dispatch import when
from nnlite.engine.tensor import Variable
from nnlite.optimizers.gradients import unscaled
from nnlite.optimizers.optimizer import Optimizer


class Around(Optimizer):
    """Base: other optimizers change the weights and keep the slots.

    Attributes
    ----------
    _inner : list of Optimizer
    """

    def __init__(self, inner, name=None):
        super().__init__(0.0, name=name)
        self._inner = list(inner)
        self._zero = Variable(0.0, False, "learning_rate")  # which Keras's files have

    @property
    def _slots(self):
        return {key: made for inner in self._inner for key, made in inner._slots.items()}

    @_slots.setter
    def _slots(self, slots):
        """They are those of the optimizers inside."""

    def build(self, variables):
        super().build([])
        if variables:
            self._real = variables[0].dtype

    def _parts(self):
        return [self, *(part for inner in self._inner for part in inner._parts())]

    def _in_order(self, variables):
        made = copy.copy(self)
        made._inner = [inner._in_order(variables) for inner in self._inner]
        return made

    @property
    def variables(self):
        own = [self._iterations, self._zero, *self._added]
        return own + [v for inner in self._inner for v in inner.variables]

    def finalize_variable_values(self, trainable_variables):
        for inner in self._inner:
            inner.finalize_variable_values(trainable_variables)

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        for inner in self._inner:
            inner.exclude_from_weight_decay(var_list, var_names)

    def __setstate__(self, state):
        state.pop("_slots")
        self.__dict__.update(state)


class LossScaleOptimizer(Around):
    """Scales the loss before gradients are computed, so that small ones are not lost.

    A step whose gradients are not all finite changes no weight and halves the scale. After
    `dynamic_growth_steps` steps without such the scale doubles. It stays a normal number of the
    weights' precision.

    Parameters
    ----------
    inner_optimizer : Optimizer
        Its own `loss_scale_factor` is set to None.
    initial_scale : float above 0, default 32768.0
    dynamic_growth_steps : int of at least 1, default 2000
    name : str, optional

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable(1.0)
    >>> rule = nnlite.optimizers.LossScaleOptimizer(nnlite.optimizers.SGD(0.5), initial_scale=4.0)
    >>> for gradient in (4.0, float("inf"), 4.0):
    ...     rule.apply_gradients([(gradient, w)])
    >>> w.item(), rule.dynamic_scale.item()
    (-0.5, 2.0)
    """

    _legal = {"initial_scale": "(0, inf)", "dynamic_growth_steps": "int [1, inf)"}

    def __init__(
        self, inner_optimizer, initial_scale=2.0**15, dynamic_growth_steps=2000, name=None
    ):
        _check_inner(type(self).__name__, "inner_optimizer", inner_optimizer)
        super().__init__([inner_optimizer], name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale, self.dynamic_growth_steps = initial_scale, dynamic_growth_steps
        inner_optimizer.loss_scale_factor = None

    def build(self, variables):
        super().build(variables)
        self.inner_optimizer.build(variables)
        self._start(self._real)

    def _start(self, real):
        """Make the variables, in a precision; the loss comes before the weights are known."""
        if not self._added:
            self.step_counter = self.add_variable((), dtype=real, name="step_counter")
            first = initializers.Constant(self.initial_scale)
            self.dynamic_scale = self.add_variable((), first, real, "dynamic_scale")

    @property
    def iterations(self):
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self):
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.inner_optimizer.learning_rate = value

    lr = learning_rate

    def scale_loss(self, loss):
        (loss,) = ops.operands(loss)
        self._start(loss.dtype)
        return loss * self.dynamic_scale

    def apply(self, grads, trainable_variables=None):
        grads, variables = self._with_gradients(grads, trainable_variables)
        if not variables:
            return
        rest = [ops.sum(g * 0.0) for g in grads]  # NaN where an element is not finite
        finite = ops.equal(sum(rest[1:], rest[0]), 0.0)
        scale, steps = self.dynamic_scale, self.step_counter + 1.0
        with when(ops.cast(finite, "int32")):
            self.inner_optimizer.apply(unscaled(grads, variables, scale), variables)
        grown = finite * ops.greater_equal(steps, float(self.dynamic_growth_steps))
        # Half of infinity is infinity, and 0 divides 0 by 0.
        changed = scale * (0.5 + 0.5 * finite) * (1.0 + grown)
        ops.assign(scale, ops.clip(changed, *_LIMITS[scale.dtype]))
        ops.assign(self.step_counter, finite * (1.0 - grown) * steps)


# The least and the largest power of 2 that a normal number can be.
_LIMITS = {"float32": (2.0**-126, 2.0**127), "float64": (2.0**-1022, 2.0**1023)}


class OptimizerMap(Configurable, MutableMapping):
    """Which optimizer changes which weights, by their paths: 'dense/kernel'.

    Parameters
    ----------
    default_optimizer : Optimizer
        Of the weights that no pattern fits.
    optimizer_map : dict of str to Optimizer, optional
        The keys are paths, or regular expressions that fit whole paths. More are added as
        `map[pattern] = optimizer`.

    Raises
    ------
    ValueError
        In `map[path]`, if several patterns fit.

    Examples
    --------
    >>> from nnlite.optimizers import SGD, Adam, OptimizerMap
    >>> found = OptimizerMap(SGD(), {"encoder/.*": Adam()})
    >>> found["encoder/kernel"], found["head/kernel"]
    (Adam(), SGD())
    """

    def __init__(self, default_optimizer, optimizer_map=None):
        _check_inner("OptimizerMap", "default_optimizer", default_optimizer)
        if optimizer_map is not None and not isinstance(optimizer_map, dict):
            raise TypeError(f"OptimizerMap: optimizer_map: expected a dict, got {optimizer_map!r}")
        self.default_optimizer, self._by_pattern = default_optimizer, {}
        self._given = {**self._given, "optimizer_map": self._by_pattern}
        for pattern, optimizer in (optimizer_map or {}).items():
            self[pattern] = optimizer

    def __getitem__(self, path):
        if path in self._by_pattern:
            return self._by_pattern[path]
        found = [pattern for pattern in self._by_pattern if re.fullmatch(pattern, path)]
        if len(found) > 1:
            raise ValueError(f"OptimizerMap: expected one pattern for {path!r}, got {found}")
        return self._by_pattern[found[0]] if found else self.default_optimizer

    def __setitem__(self, pattern, optimizer):
        if not isinstance(pattern, str):
            raise ValueError(f"OptimizerMap: expected a string as key, got {pattern!r}")
        if pattern in self._by_pattern:
            raise ValueError(f"OptimizerMap: expected new keys, got {pattern!r} again")
        _check_inner("OptimizerMap", f"optimizer_map[{pattern!r}]", optimizer, ValueError)
        self._by_pattern[pattern] = optimizer

    def __delitem__(self, pattern):
        del self._by_pattern[pattern]

    def __iter__(self):
        return iter(self._by_pattern)

    def __len__(self):
        return len(self._by_pattern)

    def __call__(self, variable):
        """The optimizer of a Variable."""
        return self[variable.path]

    __eq__, __hash__ = Configurable.__eq__, Configurable.__hash__


class MultiOptimizer(Around):
    """Several optimizers, each for some of the weights.

    Parameters
    ----------
    optimizer_map : OptimizerMap, or function of a Variable
        Which optimizer changes a weight.
    loss_scale_factor : float above 0, optional
        As of `Optimizer`; it takes the place of the optimizers' own.
    name : str, optional

    Raises
    ------
    ValueError
        When it meets a weight, if the function gives no Optimizer, or one made of others.

    Examples
    --------
    >>> import nnlite
    >>> from nnlite.optimizers import SGD, MultiOptimizer, OptimizerMap
    >>> fast, slow = (nnlite.Variable(1.0, name=f"{n}/kernel") for n in ("head", "base"))
    >>> rule = MultiOptimizer(OptimizerMap(SGD(0.5), {"base/.*": SGD(0.125)}))
    >>> rule.apply_gradients([(1.0, fast), (1.0, slow)])
    >>> fast.item(), slow.item()
    (0.5, 0.875)
    """

    def __init__(self, optimizer_map, loss_scale_factor=None, name=None):
        if not callable(optimizer_map):
            raise TypeError(
                "MultiOptimizer: optimizer_map: expected an OptimizerMap or a function of a "
                f"Variable, got {optimizer_map!r}"
            )
        super().__init__([], name)
        self.optimizer_map, self.loss_scale_factor = optimizer_map, loss_scale_factor
        self._include_mapped()

    @property
    def optimizers(self):
        """The optimizers inside."""
        return list(self._inner)

    def _include_mapped(self):
        """Take in the optimizers of an OptimizerMap, in the order that a file of it gives."""
        given = self.optimizer_map
        if isinstance(given, OptimizerMap):
            found, self._inner = self._inner, []
            for inner in (*given.values(), given.default_optimizer, *found):
                self._include(inner)

    def _include(self, inner):
        if not any(inner is other for other in self._inner):
            inner.loss_scale_factor = None
            self._inner.append(inner)

    def build(self, variables):
        super().build(variables)
        self._include_mapped()  # it may have grown
        known = self._slots
        for v in variables:
            if id(v) not in known:
                inner = self.optimizer_map(v)
                _check_inner("MultiOptimizer", f"the optimizer of {v.name!r}", inner, ValueError)
                self._include(inner)
                inner.build([v])

    @property
    def learning_rate(self):
        """Each of the `optimizers` has its own."""
        raise AttributeError("MultiOptimizer has no learning_rate; its `optimizers` have")

    @learning_rate.setter
    def learning_rate(self, value):
        raise AttributeError("MultiOptimizer has no learning_rate; set those of its `optimizers`")

    lr = learning_rate

    def _rates(self):
        found = {}
        for inner in self._inner:
            found[configurable.unique_name(f"learning_rate_{inner.name}", found)] = inner
        return found

    def apply(self, grads, trainable_variables=None):
        grads, variables = self._with_gradients(grads, trainable_variables)
        pairs = list(zip(self._unscaled(grads, variables), variables))
        for inner in self._inner:
            own = [(g, v) for g, v in pairs if id(v) in inner._slots]
            if own:
                inner.apply_gradients(own)
        ops.increment(self._iterations)


def _check_inner(owner, what, optimizer, error=TypeError):
    """Raise an error unless this is an optimizer that stands alone."""
    if not isinstance(optimizer, Optimizer) or isinstance(optimizer, Around):
        raise error(f"{owner}: {what}: expected an Optimizer of its own, got {optimizer!r}")
