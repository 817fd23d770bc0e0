"""Losses: how wrong a batch of predictions is. Functions give one value per sample, classes reduce
them."""

import numpy as np

from nnlite import ops, registry
from nnlite.config import Configurable, epsilon
from nnlite.tensor import Tensor, convert_to_tensor

REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "none", "mean_with_sample_weight", None)


def _logits(y_pred, of, from_logits):
    """What a softmax or sigmoid output was computed from, when that is known; else `y_pred` if it
    is logits.

    As in Keras, `from_logits=True` on the output of a softmax or sigmoid does not apply it twice.
    """
    if y_pred.logits is not None and y_pred.logits[0] == of:
        return y_pred.logits[1]
    return y_pred if from_logits else None


def _rows(x):
    """The last axis kept, all others joined."""
    return ops.reshape(x, (-1, x.shape[-1]))


def _smoothed(y_true, smoothing, classes):
    """Targets pulled towards 1 / classes."""
    return y_true * (1.0 - smoothing) + smoothing / classes if smoothing else y_true


def categorical_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0):
    """-sum(y_true * log(y_pred)) over the last axis.

    Parameters
    ----------
    y_true : tensor, shape (..., L)
        A distribution over classes for each sample.
    y_pred : tensor, shape (..., L)
        Probabilities (rescaled to sum to 1), or logits.
    from_logits : bool, default False
    label_smoothing : float in [0, 1], default 0.0

    Returns
    -------
    Tensor, shape (...)
    """
    y_true, y_pred = _aligned("categorical_crossentropy", y_true, y_pred)
    y_true = _smoothed(y_true, label_smoothing, y_pred.shape[-1])
    logits = _logits(y_pred, "softmax", from_logits)
    if logits is not None:
        return ops.reshape(
            ops.softmax_cross_entropy(_rows(logits), _rows(y_true)), y_pred.shape[:-1]
        )
    p = y_pred / ops.sum(y_pred, axis=-1, keepdims=True)
    return -ops.sum(y_true * ops.log(ops.clip(p, epsilon(), 1.0 - epsilon())), axis=-1)


def sparse_categorical_crossentropy(y_true, y_pred, from_logits=False):
    """-log(y_pred[y_true]).

    Parameters
    ----------
    y_true : integer tensor, shape (...) or (..., 1)
        Labels in [0, L).
    y_pred : tensor, shape (..., L)
        Probabilities, or logits.
    from_logits : bool, default False

    Returns
    -------
    Tensor, shape (...)
    """
    y_pred = _tensor(y_pred)
    y_true = ops.cast(y_true, "int32")
    if y_true.shape == (*y_pred.shape[:-1], 1):
        y_true = ops.reshape(y_true, y_pred.shape[:-1])
    if y_true.shape != y_pred.shape[:-1]:
        raise ValueError(
            f"sparse_categorical_crossentropy: expected labels of shape {y_pred.shape[:-1]} for "
            f"outputs of shape {y_pred.shape}, got {y_true.shape}; one-hot rows go with "
            "categorical_crossentropy"
        )
    logits = _logits(y_pred, "softmax", from_logits)
    if logits is not None:
        return ops.reshape(
            ops.softmax_cross_entropy(_rows(logits), ops.reshape(y_true, (-1,))), y_pred.shape[:-1]
        )
    return categorical_crossentropy(ops.one_hot(y_true, y_pred.shape[-1], y_pred.dtype), y_pred)


def binary_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0):
    """-(y_true * log(y_pred) + (1 - y_true) * log(1 - y_pred)), the mean over the last axis.

    Parameters
    ----------
    y_true : tensor, shape (..., L)
        In [0, 1].
    y_pred : tensor, shape (..., L)
        Probabilities, or logits.
    from_logits : bool, default False
    label_smoothing : float in [0, 1], default 0.0
    """
    y_true, y_pred = _aligned("binary_crossentropy", y_true, y_pred)
    y_true = _smoothed(y_true, label_smoothing, 2)
    logits = _logits(y_pred, "sigmoid", from_logits)
    if logits is not None:
        return ops.mean(ops.sigmoid_cross_entropy(logits, y_true), axis=-1)
    p = ops.clip(y_pred, epsilon(), 1.0 - epsilon())
    return -ops.mean(y_true * ops.log(p) + (1.0 - y_true) * ops.log(1.0 - p), axis=-1)


def mean_squared_error(y_true, y_pred):
    """(y_true - y_pred)^2, the mean over the last axis. Shapes broadcast."""
    y_true, y_pred = ops.operands(y_true, y_pred)
    if y_true.ndim == y_pred.ndim - 1:
        y_true = ops.reshape(y_true, (*y_true.shape, 1))
    try:
        return ops.mean(ops.squared_difference(y_pred, y_true), axis=-1)
    except ValueError:
        raise ValueError(
            f"mean_squared_error: expected targets of shape {y_pred.shape}, got {y_true.shape}"
        ) from None


def _tensor(y_pred):
    return y_pred if isinstance(y_pred, Tensor) else ops.operands(convert_to_tensor(y_pred))[0]


def _aligned(name, y_true, y_pred):
    """Both as tensors of one shape; targets without the last axis get one where it is 1."""
    y_pred = _tensor(y_pred)
    y_true = ops.operands(y_pred, y_true)[1]
    if y_true.shape != y_pred.shape and (*y_true.shape, 1) == y_pred.shape:
        y_true = ops.reshape(y_true, y_pred.shape)
    if y_true.shape != y_pred.shape:
        hint = (
            "; integer labels go with sparse_categorical_crossentropy"
            if "categorical" in name
            else ""
        )
        raise ValueError(
            f"{name}: expected targets of shape {y_pred.shape}, got {y_true.shape}{hint}"
        )
    return y_true, y_pred


class Loss(Configurable):
    """Base of all: `call(y_true, y_pred)` gives one value per sample, the object reduces them.

    Parameters
    ----------
    reduction : str
        'sum_over_batch_size' (default): sum(weight * loss) / number of samples; 'sum'; 'none';
        'mean_with_sample_weight': sum(weight * loss) / sum(weight).
    name : str, optional
    """

    def __init__(self, reduction="sum_over_batch_size", name=None):
        self.reduction, self.name = reduction, name

    def call(self, y_true, y_pred):
        raise TypeError(f"{type(self).__name__}: a loss must define call(y_true, y_pred)")

    def check_targets(self, y, output_shape):
        """Raise ValueError if values of the array `y` cannot be targets of such outputs, before any
        work."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The reduced loss of `y_pred`, a scalar tensor (per sample with reduction='none')."""
        return reduce(self.call(y_true, y_pred), sample_weight, self.reduction)


def weights_like(values, sample_weight):
    """Sample weights as a tensor that broadcasts to `values`: one for each sample, or for each
    value."""
    values, weight = ops.operands(values, sample_weight)
    given = weight.shape
    if weight.ndim == values.ndim + 1 and given[-1] == 1:
        weight = ops.reshape(weight, given[:-1])
    if weight.ndim < values.ndim:
        weight = ops.reshape(weight, (*given, *(1,) * (values.ndim - weight.ndim)))
    if weight.ndim > values.ndim or any(
        w not in (1, n) for w, n in zip(weight.shape, values.shape)
    ):
        raise ValueError(f"sample_weight: expected a shape that fits {values.shape}, got {given}")
    return weight


def reduce(values, sample_weight, reduction):
    """One number from one loss per sample."""
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"loss: expected a reduction of {', '.join(map(str, REDUCTIONS))}, got {reduction!r}"
        )
    weight = None
    if sample_weight is not None:
        weight = weights_like(values, sample_weight)
        values = values * weight
    if reduction in ("none", None):
        return values
    if reduction == "mean_with_sample_weight" and weight is not None:
        return ops.sum(values) / ops.sum(ops.broadcast_to(weight, values.shape))
    return ops.sum(values) if reduction == "sum" else ops.mean(values)


class CategoricalCrossentropy(Loss):
    """Cross-entropy with targets that are distributions (one-hot rows); see
    `categorical_crossentropy`.

    Examples
    --------
    >>> from nnlite import losses
    >>> y_true, y_pred = [[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]
    >>> round(losses.CategoricalCrossentropy()(y_true, y_pred).item(), 5)
    1.17694
    """

    def __init__(
        self,
        from_logits=False,
        label_smoothing=0.0,
        reduction="sum_over_batch_size",
        name="categorical_crossentropy",
    ):
        super().__init__(reduction, name)
        self.from_logits, self.label_smoothing = from_logits, label_smoothing

    def call(self, y_true, y_pred):
        return categorical_crossentropy(y_true, y_pred, self.from_logits, self.label_smoothing)


class SparseCategoricalCrossentropy(Loss):
    """Cross-entropy with integer labels; see `sparse_categorical_crossentropy`."""

    def __init__(
        self,
        from_logits=False,
        reduction="sum_over_batch_size",
        name="sparse_categorical_crossentropy",
    ):
        super().__init__(reduction, name)
        self.from_logits = from_logits

    def check_targets(self, y, output_shape):
        classes = output_shape[-1]
        if y.size == 0:
            return
        if y.dtype.kind == "f" and not np.array_equal(y, np.trunc(y)):
            raise ValueError(
                f"y: expected integer labels, got values such as {y[y != np.trunc(y)][0]}"
            )
        if y.min() < 0 or y.max() >= classes:
            bad = y.min() if y.min() < 0 else y.max()
            raise ValueError(
                f"y: expected labels in [0, {classes}), one for each output, got {bad}"
            )

    def call(self, y_true, y_pred):
        return sparse_categorical_crossentropy(y_true, y_pred, self.from_logits)


class BinaryCrossentropy(Loss):
    """Cross-entropy of independent yes/no targets; see `binary_crossentropy`."""

    def __init__(
        self,
        from_logits=False,
        label_smoothing=0.0,
        reduction="sum_over_batch_size",
        name="binary_crossentropy",
    ):
        super().__init__(reduction, name)
        self.from_logits, self.label_smoothing = from_logits, label_smoothing

    def call(self, y_true, y_pred):
        return binary_crossentropy(y_true, y_pred, self.from_logits, self.label_smoothing)


class MeanSquaredError(Loss):
    """The mean of squared differences."""

    def __init__(self, reduction="sum_over_batch_size", name="mean_squared_error"):
        super().__init__(reduction, name)

    def call(self, y_true, y_pred):
        return mean_squared_error(y_true, y_pred)


class FunctionLoss(Loss):
    """A loss made of a function `f(y_true, y_pred)` written in `nnlite.ops`."""

    def __init__(self, fn, reduction="sum_over_batch_size", name=None):
        super().__init__(reduction, name or getattr(fn, "__name__", "loss"))
        self.fn = fn

    def call(self, y_true, y_pred):
        return self.fn(y_true, y_pred)


_BY_NAME = {
    "categorical_crossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "binary_crossentropy": BinaryCrossentropy,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
}


def get(identifier):
    """A loss from its name, itself or a function."""
    found = registry.find("loss", identifier, _BY_NAME, callable)
    return found if isinstance(found, Loss) else FunctionLoss(found)
