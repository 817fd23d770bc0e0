"""Loss: the base of all losses, and what they share: shapes that fit, weights, reductions."""

import numpy as np

from nnlite import configurable, ops
from nnlite.configurable import Configurable
from nnlite.engine.tensor import Tensor, convert_to_tensor

REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "none", "mean_with_sample_weight", None)


def as_outputs(y_pred):
    """Outputs as a real tensor."""
    return y_pred if isinstance(y_pred, Tensor) else ops.operands(convert_to_tensor(y_pred))[0]


def _reshaped(y_pred, shape):
    """Outputs under another shape; those of a sigmoid still know their logits."""
    result = ops.reshape(y_pred, shape)
    if y_pred.logits is not None and y_pred.logits[0] == "sigmoid":
        result.logits = ("sigmoid", ops.reshape(y_pred.logits[1], shape))
    return result


def same_rank(y_true, y_pred):
    """Both as tensors of as many axes, where one lacks the last axis of the other.

    As in Keras, a last axis of size 1 is added to shape (N,) and else taken from the longer one.
    Targets that lack the last axis of several outputs are the same for all of them.
    """
    y_pred = as_outputs(y_pred)
    y_true = ops.operands(y_pred, y_true)[1]
    if y_true.ndim == y_pred.ndim - 1:
        if y_pred.shape[-1] == 1 and y_true.ndim > 1:
            y_pred = _reshaped(y_pred, y_pred.shape[:-1])
        else:
            y_true = ops.reshape(y_true, (*y_true.shape, 1))
    elif y_pred.ndim == y_true.ndim - 1 and y_true.shape[-1] == 1:
        if y_pred.ndim == 1:
            y_pred = _reshaped(y_pred, (*y_pred.shape, 1))
        else:
            y_true = ops.reshape(y_true, y_true.shape[:-1])
    return y_true, y_pred


def broadcasting(name, y_true, y_pred):
    """Both as tensors whose shapes broadcast together."""
    y_true, y_pred = same_rank(y_true, y_pred)
    try:
        np.broadcast_shapes(y_true.shape, y_pred.shape)
    except ValueError:
        raise ValueError(
            f"{name}: expected targets of shape {y_pred.shape}, got {y_true.shape}"
        ) from None
    return y_true, y_pred


def equal_shapes(name, y_true, y_pred):
    """Both as tensors of one shape."""
    given = np.shape(y_true)
    y_true, y_pred = same_rank(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        sparse = f"; integer labels go with sparse_{name}" if "categorical_cross" in name else ""
        raise ValueError(f"{name}: expected targets of shape {y_pred.shape}, got {given}{sparse}")
    return y_true, y_pred


class OfFunction(Configurable):
    """An object around a function of targets and outputs: the settings that its class adds to
    those of `plain` are the function's further arguments."""

    function = None  # as `staticmethod`
    plain = Configurable

    def values_of(self, y_true, y_pred):
        """What the function gives."""
        further = self._signature().keys() - self.plain._signature().keys()
        settings = {name: getattr(self, name) for name in further}
        return type(self).function(y_true, y_pred, **settings)


class Loss(OfFunction):
    """Base of all: `call(y_true, y_pred)` gives one value per sample, the object reduces them.

    Parameters
    ----------
    reduction : str or None
        'sum_over_batch_size' or 'mean' (default): sum(weight * loss) / number of values; 'sum';
        'none' or None; 'mean_with_sample_weight': sum(weight * loss) / sum(weight).
    name : str, optional
        By default the class's name in snake case.
    dtype : str, optional
        Kept for Keras's signature: a loss has the precision of the model's outputs.

    Examples
    --------
    >>> from nnlite import losses, ops
    >>> class Cubic(losses.Loss):
    ...     def call(self, y_true, y_pred):
    ...         return ops.mean(ops.abs(y_true - y_pred) ** 3, axis=-1)
    >>> Cubic()(0.0, [[1.0, 3.0]]).item()
    14.0
    """

    def __init__(self, reduction="sum_over_batch_size", name=None, dtype=None):
        self.reduction, self.dtype = reduction, dtype
        self.name = name or configurable.snake_case(type(self).__name__)

    def call(self, y_true, y_pred):
        """One value per sample."""
        if type(self).function is None:
            raise TypeError(f"{type(self).__name__}: a loss must define call(y_true, y_pred)")
        return self.values_of(y_true, y_pred)

    def counted(self, y_true, values):
        """1 for each of the values that counts and 0 for those to be left out; None: all count."""

    def check_targets(self, y, output_shape):
        """Raise ValueError if values of the array `y` cannot be targets of such outputs, before any
        work."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The reduced loss of `y_pred`, a scalar tensor (per sample with reduction='none')."""
        y_pred = as_outputs(y_pred)
        values = self.call(y_true, y_pred)
        return reduce(values, sample_weight, self.reduction, self.counted(y_true, values))


Loss.plain = Loss


class LossFunctionWrapper(Loss):
    """A loss made of a function `f(y_true, y_pred)` written in `nnlite.ops`.

    Parameters
    ----------
    fn : callable
        Gives one value per sample.
    reduction, name, dtype
        As for `Loss`; the name is by default the function's.

    Examples
    --------
    >>> from nnlite import losses, ops
    >>> losses.get(lambda y, p: ops.max(ops.abs(y - p), axis=-1))([[1.0, 2.0]], [[1.5, 4.0]]).item()
    2.0
    """

    def __init__(self, fn, reduction="sum_over_batch_size", name=None, dtype=None):
        super().__init__(reduction, name or getattr(fn, "__name__", "loss"), dtype)
        self.fn = fn

    def call(self, y_true, y_pred):
        return self.fn(y_true, y_pred)


def weights_like(values, sample_weight):
    """Sample weights as a tensor that broadcasts to `values`: one for each sample, or for each
    value. One value for the whole batch takes weights of any shape."""
    values, weight = ops.operands(values, sample_weight)
    given = weight.shape
    if values.shape == ():
        return weight
    if weight.ndim == values.ndim + 1 and given[-1] == 1:
        weight = ops.reshape(weight, given[:-1])
    if weight.ndim < values.ndim:
        weight = ops.reshape(weight, (*given, *(1,) * (values.ndim - weight.ndim)))
    if weight.ndim > values.ndim or any(
        w not in (1, n) for w, n in zip(weight.shape, values.shape)
    ):
        raise ValueError(f"sample_weight: expected a shape that fits {values.shape}, got {given}")
    return weight


def reduce(values, sample_weight, reduction, counted=None):
    """One number from one loss per sample.

    Parameters
    ----------
    values : tensor
    sample_weight : tensor or None
    reduction : one of `REDUCTIONS`
    counted : tensor of 0 and 1 like `values`, optional
        Means are taken over those that are 1, everything else gives 0.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"loss: expected a reduction of {', '.join(map(str, REDUCTIONS))}, got {reduction!r}"
        )
    weight = None if sample_weight is None else weights_like(values, sample_weight)
    if counted is not None:
        weight = counted if weight is None else counted * weight
    if weight is not None:
        values = values * weight
    if reduction in ("none", None):
        return values
    total = ops.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and weight is not None:
        return _divided(total, ops.sum(ops.broadcast_to(weight, values.shape)))
    return ops.mean(values) if counted is None else _divided(total, ops.sum(counted))


def _divided(total, by):
    """total / by; 0 where that is 0 / 0."""
    return total / (by + ops.equal(by, 0.0))
