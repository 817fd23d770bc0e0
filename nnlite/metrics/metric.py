"""Metric: the base of all metrics; Mean, Sum, and means of functions of targets and outputs."""

import functools

import numpy as np

from nnlite import config, initializers, ops
from nnlite.configurable import name_of
from nnlite.engine.recording import tracing
from nnlite.engine.symbolic import Symbol
from nnlite.engine.tensor import Tensor, Variable, dtype_of
from nnlite.losses.loss import (
    Loss,
    Measure,
    OfFunction,
    as_outputs,
    masked,
    returned,
    weighted_values,
    weights_like,
)
from nnlite.tree import flatten


class MetricVariable(Variable):
    """A Variable of a metric, which no optimizer updates."""

    def __reduce__(self):
        return (MetricVariable, (self._data.copy(), False, self.name, self.dtype))

    def __deepcopy__(self, memo):
        return MetricVariable(self._data, False, self.name, self.dtype)


class MetricResult:
    """What `result()` gives inside a traced step: the promise of a value, which a step may return.

    It is read after the step has run. Nothing can be computed from it before.

    Parameters
    ----------
    metric : Metric
    """

    def __init__(self, metric):
        self.metric = metric

    def numpy(self, *args, **kwargs):
        """Raises RuntimeError: there is no value yet."""
        raise RuntimeError(
            f"metric {self.metric.name!r} has no value inside a traced step: a step may return "
            "what result() gives, but not compute with it; compile(run_eagerly=True) lets it"
        )

    __array__ = __float__ = __int__ = __bool__ = item = numpy
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = numpy
    __truediv__ = __rtruediv__ = __pow__ = __neg__ = __lt__ = __le__ = __gt__ = __ge__ = numpy


def _promised(result):
    """A metric's `result`, for which a promise stands inside a traced step."""

    @functools.wraps(result)
    def promised(self):
        return MetricResult(self) if tracing() else result(self)

    return promised


def _of_values(update_state):
    """A metric's `update_state`, which refuses symbols: their values would never be counted."""

    @functools.wraps(update_state)
    def of_values(self, *args, **kwargs):
        for value in (*args, *kwargs.values()):
            if isinstance(value, Symbol):
                raise TypeError(
                    f"metric {self.name!r}: expected arrays or tensors, got {value!r}, which has "
                    "no values: give metrics to `compile`, or call them on what a model returns"
                )
        return update_state(self, *args, **kwargs)

    return of_values


_PLAIN = {type(None), bool, float, int, str}  # classes of settings, which hold no Variables


class Metric(Measure):
    """Base of all metrics: a value over all batches since `reset_state`, computed from Variables.

    To write a metric, make Variables with `add_weight`, change them in `update_state` with ops, and
    compute the value from them in `result`. `update_state` is traced, like a layer's `call`.

    Parameters
    ----------
    name : str, optional
        The key in logs; by default the class's name in snake case.
    dtype : str, optional
        Ignored; accepted for Keras's signature. A metric has the precision of its model.

    Attributes
    ----------
    higher_is_better : bool or None
        Whether a higher value is better, for callbacks that watch the metric with `mode='auto'`;
        None, the default of a class of one's own: not known. A function that is a metric may have
        this attribute, too.

    Raises
    ------
    ValueError
        If a setting is out of range.

    Examples
    --------
    >>> from nnlite import metrics, ops
    >>> class LargestError(metrics.Metric):
    ...     higher_is_better = False
    ...     def __init__(self, name="largest_error", **kwargs):
    ...         super().__init__(name=name, **kwargs)
    ...         self.largest = self.add_weight(name="largest", initializer="zeros")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         error = ops.max(ops.abs(ops.subtract(y_true, y_pred)))
    ...         self.largest.assign(ops.maximum(self.largest, error))
    ...     def result(self):
    ...         return self.largest.value
    >>> metric = LargestError()
    >>> metric.update_state([[1.0]], [[4.0]])
    >>> metric([[1.0]], [[2.0]]).item()
    3.0
    """

    def __init_subclass__(cls):
        if "result" in vars(cls):
            cls.result = _promised(cls.result)
        if "update_state" in vars(cls):
            cls.update_state = _of_values(cls.update_state)

    higher_is_better = None

    def __init__(self, name=None, dtype=None):
        super().__init__(name, dtype)
        self._variables = []

    def get_config(self):
        """The constructor's arguments as a dict, from which `from_config` makes an equal object.

        Returns
        -------
        dict
        """
        return {**super().get_config(), "dtype": self.dtype}

    @property
    def variables(self):
        """The Variables that hold the state, a list; with those of Variables and metrics that are
        attributes."""
        if not self._variables and (shapes := self._shapes()):
            self._running(*shapes)
        found = {id(v): v for v in self._variables}
        held = [v for name, v in vars(self).items() if name[0] != "_" and v.__class__ not in _PLAIN]
        for part in flatten(held):
            for v in part.variables if isinstance(part, Metric) else [part]:
                if isinstance(v, Variable):
                    found.setdefault(id(v), v)
        return list(found.values())

    def _shapes(self):
        """The shapes that `_running` will be asked for, if they are known before data is."""
        return ()

    def add_variable(self, shape=(), initializer="zeros", dtype=None, aggregation=None, name=None):
        """Make a Variable of this metric; `reset_state` sets it to 0.

        Parameters
        ----------
        shape : tuple of int, default ()
        initializer : str, Initializer or function of a shape, default 'zeros'
        dtype : {'float32', 'float64'}, default `floatx()`
        aggregation : str, optional
            Ignored; accepted for Keras's signature.
        name : str, optional

        Returns
        -------
        Variable
            Its `assign`, `assign_add` and `assign_sub` take tensors.
        """
        dtype = dtype_of(dtype)
        initializer = initializers.get("zeros" if initializer is None else initializer)
        values = initializers.draw(initializer, tuple(shape), dtype)
        variable = MetricVariable(values, False, name or "variable", dtype)
        self._variables.append(variable)
        return variable

    def add_weight(self, shape=(), initializer="zeros", dtype=None, name=None):
        """Make a Variable of this metric; `reset_state` sets it to 0.

        Parameters
        ----------
        shape, initializer, dtype, name
            As for `add_variable`.

        Returns
        -------
        Variable
        """
        return self.add_variable(shape, initializer, dtype, name=name)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Update the state with one batch.

        Parameters
        ----------
        y_true, y_pred : tensors or array-like
            Targets and outputs.
        sample_weight : tensor or array-like, optional
            One weight for each sample, or for each value.
        """
        raise TypeError(
            f"{type(self).__name__}: a metric must define update_state(y_true, y_pred, "
            "sample_weight=None)"
        )

    def result(self):
        """The value over all batches since `reset_state`."""
        raise TypeError(f"{type(self).__name__}: a metric must define result()")

    def reset_state(self):
        """Set all Variables to 0, as before the first batch."""
        for v in Metric.variables.fget(self):  # whole, also where a subclass shows parts of it
            v.assign(np.zeros(v.shape, v.dtype))

    def __call__(self, *args, **kwargs):
        """Update the state, and return the value so far.

        Parameters
        ----------
        *args, **kwargs
            The arguments of `update_state`.
        """
        self.update_state(*args, **kwargs)
        return self.result()

    def _running(self, *shapes):
        """The Variables of nnlite's own metrics: pairs of a sum and its rounding error.

        They are made at the first update, when shapes and the precision of the model are known.
        """
        if {v.dtype for v in self._variables} != {config.floatx()}:
            self._variables = [
                Variable(np.zeros(s), trainable=False, name=self.name) for s in shapes
            ]
        known = [v.shape for v in self._variables]
        if known != list(shapes):
            raise ValueError(
                f"metric {self.name!r}: expected outputs of as many classes as before; its sums "
                f"have the shapes {known}, now {list(shapes)} are needed"
            )
        return self._variables

    def _sums(self):
        """The sums of `_running` as float64 arrays; an empty list before the first update."""
        return [v._data.astype(np.float64).reshape(-1, 2).sum(axis=1) for v in self._variables]


def as_logged(value):
    """A value as logs hold it: a Python float, or an array of several."""
    values = np.asarray(value._data if isinstance(value, Tensor) else value)
    return values.item() if values.size == 1 else values


def as_logs(values):
    """Values by name as logs hold them: those of a dict, such as a metric may give, under their own
    names; the result of a metric is read once no step is traced."""
    found = {}
    for name, value in values.items():
        if isinstance(value, MetricResult) and not tracing():
            value = value.metric.result()
        if isinstance(value, dict):
            found |= as_logs(value)
        else:
            found[name] = value if isinstance(value, MetricResult) else as_logged(value)
    return found


def _halves(variable):
    """The two halves of a vector as Variables in the same memory."""
    for name, part in zip(("total", "count"), np.split(variable._data, 2)):
        half = MetricVariable(part, False, name, variable.dtype)
        half._data = part
        yield half


def direction_of(measure):
    """Whether a higher value of a metric, loss or function is better, as it says itself; else None.

    It says so by `higher_is_better`, or as in Keras by `_direction`, "up" or "down".

    Parameters
    ----------
    measure : Metric, Loss or function
    """
    if isinstance(measure, Loss):
        return False
    said = getattr(measure, "higher_is_better", None)
    in_keras = {"up": True, "down": False}.get(getattr(measure, "_direction", None))
    return in_keras if said is None else bool(said)


class Mean(Metric):
    """The weighted mean of values.

    Parameters
    ----------
    name, dtype
        As for `Metric`.

    Examples
    --------
    >>> from nnlite import metrics
    >>> mean = metrics.Mean()
    >>> mean.update_state([1.0, 3.0])
    >>> mean([8.0])
    4.0
    """

    def update_state(self, values, sample_weight=None):
        """Add values to the mean.

        Parameters
        ----------
        values : tensor or array-like
        sample_weight : tensor or array-like, optional
            One weight for each sample, or for each value.
        """
        values = as_outputs(values, "values")
        if sample_weight is not None:
            sample_weight = weights_like(values, sample_weight)
            shape = np.broadcast_shapes(values.shape, sample_weight.shape)
            values, sample_weight = (
                x if x.shape == shape else ops.broadcast_to(x, shape)
                for x in (values, sample_weight)
            )
        ops.accumulate(*self._running((4,)), values, sample_weight)

    def _shapes(self):
        return ((4,),)

    @property
    def variables(self):
        """The total and the count: Variables of shape (2,), a sum and its rounding error."""
        state, *others = super().variables
        return [*_halves(state), *others]

    def result(self):
        """The mean so far, a float; 0.0 without values."""
        for total, count in self._sums():
            return float(total / count) if count else 0.0
        return 0.0


class Sum(Mean):
    """The weighted sum of values.

    Parameters
    ----------
    name, dtype
        As for `Metric`.

    Examples
    --------
    >>> from nnlite import metrics
    >>> metrics.Sum()([1.0, 3.0], sample_weight=[1.0, 0.5])
    2.5
    """

    @property
    def variables(self):
        """The sum: a Variable of shape (2,), the sum and its rounding error."""
        total, _, *others = super().variables
        return [total, *others]

    def result(self):
        """The sum so far, a float."""
        return float(sum(total for total, _ in self._sums()))


class SampleMean(Mean, OfFunction):
    """The weighted mean over samples of a function of targets and outputs.

    A subclass sets `function`, which returns one value per sample. The arguments of its constructor
    beyond `name` and `dtype` are further arguments of the function.
    """

    plain = Metric

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add one batch to the mean.

        Parameters
        ----------
        y_true, y_pred : tensors or array-like
            Targets and outputs.
        sample_weight : tensor or array-like, optional
            One weight for each sample, or for each element of the outputs.
        """
        values, weight = weighted_values(
            self.values_of, self.elements_of, y_true, y_pred, sample_weight
        )
        if weight is None and values.shape == ():  # of targets of shape (N,), N samples
            elements = self.elements_of(y_true, y_pred)
            values = values if elements is None else elements
        super().update_state(values, masked(weight, getattr(y_pred, "mask", None), values))


class MeanMetricWrapper(SampleMean):
    """The mean over samples of a loss, or of a function `f(y_true, y_pred)` written in ops.

    Parameters
    ----------
    fn : callable or Loss
        Returns one value per sample.
    name : str, optional
        By default the name of the function or loss.
    dtype : str, optional
        Ignored; accepted for Keras's signature.

    Examples
    --------
    >>> from nnlite import losses, metrics
    >>> metrics.MeanMetricWrapper(losses.Huber(delta=0.5))([[0.0]], [[1.0]])
    0.375
    """

    def __init__(self, fn, name=None, dtype=None):
        if not callable(fn):
            raise TypeError(f"fn: expected a Loss or a function of (y_true, y_pred), got {fn!r}")
        super().__init__(name or name_of(fn), dtype)
        self.fn = fn
        if self.higher_is_better is None:
            self.higher_is_better = direction_of(fn)

    def values_of(self, y_true, y_pred):
        function = self.fn.call if isinstance(self.fn, Loss) else self.fn
        return ops.operands(returned(f"metric {self.name!r}", function(y_true, y_pred)))[0]

    def elements_of(self, y_true, y_pred):
        if isinstance(self.fn, Loss):
            return self.fn._elements(y_true, y_pred)
        elements = getattr(self.fn, "elements", None)
        return None if elements is None else elements(y_true, y_pred)
