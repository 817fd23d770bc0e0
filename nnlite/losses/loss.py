"""Loss: the base of all losses, and what they share: checks of shapes, weights, reductions."""

import functools
import types

import numpy as np

from nnlite import config, configurable, ops
from nnlite.configurable import Configurable, name_of
from nnlite.engine.recording import tracing
from nnlite.engine.symbolic import is_symbolic
from nnlite.engine.tensor import Tensor, as_array
from nnlite.errors import prefixed
from nnlite.ops.operands import operands
from nnlite.tree import flatten, map_structure

ARRAYS = (Tensor, np.ndarray)
REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "none", "mean_with_sample_weight", None)


def as_outputs(y_pred, name="y_pred"):
    """Outputs as a tensor of real numbers; `name` is for errors."""
    with prefixed(f"{name}: "):
        return _operands(y_pred)[0]


def beside(y_pred, value, name="y_true"):
    """Targets or weights as a tensor of the precision of outputs; `name` is for errors."""
    with prefixed(f"{name}: "):
        return _operands(y_pred, value)[1]


def _operands(*values):
    # `ops.operands` records symbols, but its errors begin with its own name.
    return (ops.operands if is_symbolic(values) else operands)(*values)


def _reshaped(y_pred, shape):
    """Outputs in another shape. The outputs of a sigmoid keep their logits."""
    result = ops.reshape(y_pred, shape)
    if y_pred.logits is not None and y_pred.logits[0] == "sigmoid":
        result.logits = ("sigmoid", ops.reshape(y_pred.logits[1], shape))
    return result


def same_rank(y_true, y_pred):
    """Targets and outputs as tensors with the same number of axes, if one lacks the last axis.

    - A last axis of size 1 is added to shape (N,), otherwise removed from the longer one, as in
      Keras.
    - Targets that lack the last axis of several outputs are repeated for each of them.
    """
    y_pred = as_outputs(y_pred)
    y_true = beside(y_pred, y_true)
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
    """Targets and outputs as tensors whose shapes broadcast; `name` is for the error."""
    y_true, y_pred = same_rank(y_true, y_pred)
    shapes = [tuple(1 if n is None else n for n in y.shape) for y in (y_true, y_pred)]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(
            f"{name}: expected targets of shape {y_pred.shape}, got {y_true.shape}"
        ) from None
    return y_true, y_pred


def equal_shapes(name, y_true, y_pred):
    """Targets and outputs as tensors of one shape; `name` is for the error."""
    y_pred = as_outputs(y_pred)
    y_true = beside(y_pred, y_true)
    given = y_true.shape
    y_true, y_pred = same_rank(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        sparse = f"; integer labels go with sparse_{name}" if "categorical_cross" in name else ""
        raise ValueError(f"{name}: expected targets of shape {y_pred.shape}, got {given}{sparse}")
    return y_true, y_pred


def check_labels(y_true, classes=None, ignored=None, what="y_true"):
    """Raise a ValueError unless labels are whole numbers, in [0, classes).

    Inside of a trace there are no values to look at: the labels that `fit` is given are checked
    before.

    Parameters
    ----------
    y_true : tensor or array-like
    classes : int, optional
        None: labels may be any whole numbers.
    ignored : int, optional
        A label that may be anywhere.
    what : str
        The name of the labels in the message.
    """
    if isinstance(y_true, Tensor) and (tracing() or y_true._data is None):
        return
    if type(y_true) is np.ndarray and y_true.dtype.kind in "biuf":
        y = y_true
    else:
        with prefixed(f"{what}: "):
            y = as_array(y_true)
    if ignored is not None:
        y = y[y != ignored] if y.ndim else y.reshape(-1)
    if y.size == 0:
        return
    if y.dtype.kind == "f" and not np.array_equal(y, np.trunc(y)):
        raise ValueError(
            f"{what}: expected integer labels, got values such as {y[y != np.trunc(y)][0]}"
        )
    if classes is not None and y.dtype.kind in "biuf" and (y.min() < 0 or y.max() >= classes):
        bad = y.min() if y.min() < 0 else y.max()
        raise ValueError(
            f"{what}: expected labels in [0, {classes}), one for each output, got {bad}"
        )


def mean_of_elements(elements):
    """A function that gives each element of the outputs a value becomes one that gives each sample
    their mean over the last axis. `.elements` of it is the first function: weights that are given
    for each element meet its values."""

    @functools.wraps(elements)
    def mean(*args, **kwargs):
        return ops.mean(elements(*args, **kwargs), axis=-1)

    mean.elements = elements
    return mean


class Measure(Configurable):
    """What losses and metrics share: a name, and the precision that was asked for.

    Parameters
    ----------
    name : str, optional
        By default the class's name in snake case.
    dtype : {'float32', 'float64'}, optional
        By default `floatx()`; values follow the model's precision.
    """

    _legal = {"name": "str"}

    def __init__(self, name=None, dtype=None):
        self._check_given()
        self.name = name or configurable.snake_case(type(self).__name__)
        self._dtype = dtype

    @property
    def dtype(self):
        """The precision that was asked for, by default `floatx()`; values follow the model's."""
        return config.floatx() if self._dtype is None else self._dtype

    def get_config(self):
        """The constructor's arguments as a dict, from which `from_config` makes an equal object.

        Returns
        -------
        dict
        """
        given = super().get_config()
        return {name: value for name, value in self._identity().items() if name in given}

    def _identity(self):
        settings = {**super()._identity(), "name": self.name}
        settings.pop("dtype", None)
        return settings


class OfFunction(Measure):
    """Base: an object that calls a function of targets and outputs.

    The settings that the class has beyond those of `plain` are further arguments of the function.
    """

    function = None  # as `staticmethod`
    plain = Configurable

    def _arguments(self):
        """The further arguments of the function by name."""
        further = self._signature().keys() - self.plain._signature().keys()
        return {name: getattr(self, name) for name in further}

    def values_of(self, y_true, y_pred):
        """Call the function.

        Parameters
        ----------
        y_true, y_pred : tensors
            Targets and outputs.

        Returns
        -------
        Tensor
            One value per sample.
        """
        return type(self).function(y_true, y_pred, **self._arguments())

    def elements_of(self, y_true, y_pred):
        """The loss of each element of the outputs. `values_of` gives means of them.

        Parameters
        ----------
        y_true, y_pred : tensors
            Targets and outputs.

        Returns
        -------
        Tensor or None
            One value for each element of the outputs; None if the function has none.
        """
        elements = getattr(type(self).function, "elements", None)
        if elements is None:
            return None
        settings = {k: v for k, v in self._arguments().items() if k != "axis"}
        return elements(y_true, y_pred, **settings)


def weighted_values(values_of, elements_of, y_true, y_pred, sample_weight):
    """The values of a batch and the weights that multiply them: how weights meet values, for every
    loss and mean.

    Weights are those of samples, and of steps in time, ...: their axes are the first axes of the
    values. Weights with more axes than one value per sample are those of the elements of the
    outputs. Targets and outputs of shape (N,) are N samples of one element.

    Parameters
    ----------
    values_of, elements_of : functions of (y_true, y_pred)
        One value per sample; one value per element, or None if there is none.
    y_true, y_pred : tensors
    sample_weight : tensor, array-like or None

    Returns
    -------
    values : Tensor
    weight : Tensor that broadcasts to `values`, or None
    """
    values = values_of(y_true, y_pred)
    if sample_weight is None:
        return values, None
    weight = beside(values, sample_weight, "sample_weight")
    spare = weight.ndim - values.ndim
    if spare > 1 or (spare == 1 and (values.ndim == 0 or weight.shape[-1] != 1)):
        elements = elements_of(y_true, y_pred)
        values = values if elements is None else elements
    return values, weights_like(values, weight)


class Loss(OfFunction):
    """Base of all losses: `call(y_true, y_pred)` returns one value per sample, and calling the
    object reduces the values.

    Parameters
    ----------
    reduction : str or None, default 'sum_over_batch_size'
        - 'sum_over_batch_size' or 'mean': sum(weight * loss) / number of values,
        - 'mean_with_sample_weight': sum(weight * loss) / sum(weight),
        - 'sum': sum(weight * loss),
        - 'none' or None: weight * loss of each sample; of each element if each has a weight.
    name : str, optional
        By default the class's name in snake case.
    dtype : str, optional
        Ignored; accepted for Keras's signature. A loss has the precision of the model's outputs.

    Raises
    ------
    ValueError
        If a setting is out of range.

    Examples
    --------
    >>> from nnlite import losses, ops
    >>> class Cubic(losses.Loss):
    ...     def call(self, y_true, y_pred):
    ...         return ops.mean(ops.abs(y_true - y_pred) ** 3, axis=-1)
    >>> Cubic()(0.0, [[1.0, 3.0]]).item()
    14.0
    """

    _legal = {"reduction": REDUCTIONS}

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        function = cls.function
        if isinstance(function, types.FunctionType) and not hasattr(function, "higher_is_better"):
            function.higher_is_better = False  # also as a metric of its own

    def __init__(self, reduction="sum_over_batch_size", name=None, dtype=None):
        super().__init__(name, dtype)
        self.reduction = reduction

    def call(self, y_true, y_pred):
        """The loss of each sample.

        Parameters
        ----------
        y_true, y_pred : tensors
            Targets and outputs.

        Returns
        -------
        Tensor
            One value per sample.
        """
        if type(self).function is None:
            raise TypeError(f"{type(self).__name__}: a loss must define call(y_true, y_pred)")
        return self.values_of(y_true, y_pred)

    def counted(self, y_true, values):
        """Which values a mean is taken over.

        Parameters
        ----------
        y_true : tensor
            Targets.
        values : Tensor
            What `call` returned.

        Returns
        -------
        Tensor or None
            1 for a value that counts, 0 for one that does not. None: all count.
        """

    def check_targets(self, y, output_shape):
        """Raise a ValueError if an array cannot be the targets of a model; called before training.

        Parameters
        ----------
        y : array
            All targets.
        output_shape : tuple
            Of the model's output, with None for the batch.
        """

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The reduced loss.

        Parameters
        ----------
        y_true, y_pred : tensors or array-like, or lists, tuples or dicts of tensors
            Targets and outputs; of several outputs together, where `call` compares them.
        sample_weight : tensor or array-like, optional
            One weight for each sample, or for each element of the outputs.

        Returns
        -------
        Tensor
            A scalar; with reduction 'none' one value per sample.
        """
        mask = getattr(y_pred, "mask", None)
        if type(self).function is None and _are_several(y_pred):
            y_true = map_structure(functools.partial(beside, flatten(y_pred)[0]), y_true, ARRAYS)
            values, weight = as_outputs(self.call(y_true, y_pred), "values"), sample_weight
        else:
            y_pred = as_outputs(y_pred)
            values, weight = weighted_values(
                self.call, self._elements, y_true, y_pred, sample_weight
            )
        counted = masked(self.counted(y_true, values), mask, values)
        return reduce(values, weight, self.reduction, counted)

    def _elements(self, y_true, y_pred):
        """`elements_of`, unless a subclass has a `call` of its own."""
        return self.elements_of(y_true, y_pred) if type(self).call is Loss.call else None


Loss.plain = Loss


class LossFunctionWrapper(Loss):
    """A loss from a function `f(y_true, y_pred)` written in `nnlite.ops`.

    Parameters
    ----------
    fn : callable
        Returns one value per sample.
    reduction, name, dtype
        As for `Loss`. By default the name is the function's.

    Examples
    --------
    >>> from nnlite import losses, ops
    >>> furthest = losses.LossFunctionWrapper(lambda y, p: ops.max(ops.abs(y - p), axis=-1))
    >>> furthest([[1.0, 2.0]], [[1.5, 4.0]]).item()
    2.0
    """

    def __init__(self, fn, reduction="sum_over_batch_size", name=None, dtype=None):
        if not callable(fn):
            raise TypeError(f"fn: expected a function of (y_true, y_pred), got {fn!r}")
        super().__init__(reduction, name, dtype)
        self.name = name or name_of(fn)
        self.fn = fn

    def call(self, y_true, y_pred):
        return returned(f"loss {self.name!r}", self.fn(y_true, y_pred))


def _are_several(y_pred):
    """Whether these are several outputs, not the rows of one."""
    return isinstance(y_pred, (list, tuple, dict)) and any(
        isinstance(y, Tensor) for y in flatten(y_pred)
    )


def returned(what, values):
    """What a user's function of targets and outputs returned; an error if it is no number."""
    if values is None or isinstance(values, (str, dict)):
        raise TypeError(
            f"{what}: expected its function to return one value per sample, got {values!r}"
        )
    return values


def weights_like(values, sample_weight):
    """Sample weights as a tensor that broadcasts to `values`.

    There may be one weight for each sample or one for each value. If `values` is a scalar, for the
    whole batch, weights may have any shape.
    """
    values = as_outputs(values, "values")
    weight = beside(values, sample_weight, "sample_weight")
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


def masked(weight, mask, values):
    """Weights of the values of a batch, 0 for what a mask of the outputs leaves out.

    Parameters
    ----------
    weight : Tensor or None
    mask : Tensor or None
        Its axes are the first ones of the values.
    values : Tensor
    """
    if mask is None or values.ndim < mask.ndim:
        return weight
    mask = ops.reshape(mask, (*mask.shape, *[1] * (values.ndim - mask.ndim)))
    mask = ops.broadcast_to(ops.cast(mask, values.dtype), values.shape)
    return mask if weight is None else weight * mask


def reduce(values, sample_weight, reduction, counted=None):
    """Reduce one loss per sample to a scalar.

    Parameters
    ----------
    values : tensor
    sample_weight : tensor or None
    reduction : one of `REDUCTIONS`
    counted : tensor of 0 and 1 like `values`, optional
        The values that a mean is taken over; the others become 0.
    """
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
    """total / by; 0 for 0 / 0."""
    return total / (by + ops.equal(by, 0.0))
