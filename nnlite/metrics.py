"""Metrics: running figures over batches, exact however many there are."""

import numpy as np

from nnlite import config, losses, ops, registry
from nnlite.config import Configurable
from nnlite.tensor import Variable


class Metric(Configurable):
    """Base of all: a weighted mean of `values(y_true, y_pred)`, one value per sample.

    Parameters
    ----------
    name : str, optional
        The key in logs; by default the class's name in snake case.
    """

    def __init__(self, name=None):
        self.name = name or config.snake_case(type(self).__name__)
        self._state = None

    @property
    def variables(self):
        """The Variables that hold the running sums."""
        return [self._ready()]

    def _ready(self):
        if self._state is None or self._state.dtype != config.floatx():
            self._state = Variable(np.zeros(4), trainable=False, name=self.name)
        return self._state

    def values(self, y_true, y_pred):
        raise TypeError(f"{type(self).__name__}: a metric must define values(y_true, y_pred)")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Take one batch into account."""
        values = self.values(y_true, y_pred)
        if sample_weight is not None:
            sample_weight = ops.broadcast_to(
                losses.weights_like(values, sample_weight), values.shape
            )
        ops.accumulate(self._ready(), values, sample_weight)

    def result(self):
        """The figure over all batches since `reset_state`, a Python float (0.0 of none)."""
        total, total_lost, count, count_lost = (
            (0.0, 0.0, 0.0, 0.0) if self._state is None else self._state._data.tolist()
        )
        count += count_lost
        return (total + total_lost) / count if count else 0.0

    def reset_state(self):
        """Forget all batches."""
        if self._state is not None:
            self._state.assign(np.zeros(4))

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Update, and return the result so far."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()


class Mean(Metric):
    """The weighted mean of the values it is given."""

    def __init__(self, name="mean"):
        super().__init__(name)

    def update_state(self, values, sample_weight=None):
        """Take values into account, each with its weight."""
        ops.accumulate(self._ready(), values, sample_weight)

    def __call__(self, values, sample_weight=None):
        self.update_state(values, sample_weight)
        return self.result()


def _matches(labels, y_pred):
    """1 where the largest of the last axis is the label."""
    found = ops.cast(ops.argmax(y_pred, axis=-1), config.floatx())
    return ops.equal(ops.reshape(labels, found.shape), found)


def sparse_categorical_accuracy(y_true, y_pred):
    """1 where argmax(y_pred) is the label, else 0; y_true has shape (...) or (..., 1)."""
    (y_pred,) = ops.operands(y_pred)
    return _matches(ops.operands(y_true)[0], y_pred)


def categorical_accuracy(y_true, y_pred):
    """1 where y_pred and the one-hot y_true are largest at the same place, else 0."""
    y_true, y_pred = ops.operands(y_true, y_pred)
    return _matches(ops.cast(ops.argmax(y_true, axis=-1), config.floatx()), y_pred)


def binary_accuracy(y_true, y_pred, threshold=0.5):
    """The share of the last axis where (y_pred > threshold) is y_true."""
    y_true, y_pred = ops.operands(y_true, y_pred)
    if y_true.ndim == y_pred.ndim - 1:
        y_true = ops.reshape(y_true, (*y_true.shape, 1))
    return ops.mean(ops.equal(y_true, ops.greater(y_pred, threshold)), axis=-1)


class SparseCategoricalAccuracy(Metric):
    """The share of samples whose label is where the prediction is largest."""

    def values(self, y_true, y_pred):
        return sparse_categorical_accuracy(y_true, y_pred)


class CategoricalAccuracy(Metric):
    """The share of samples whose one-hot target and prediction are largest at the same place."""

    def values(self, y_true, y_pred):
        return categorical_accuracy(y_true, y_pred)


class BinaryAccuracy(Metric):
    """The share of values on the right side of `threshold`."""

    def __init__(self, name=None, threshold=0.5):
        super().__init__(name)
        self.threshold = threshold

    def values(self, y_true, y_pred):
        return binary_accuracy(y_true, y_pred, self.threshold)


class Accuracy(Metric):
    """Keras's 'accuracy': binary, sparse or categorical, by the shapes of targets and
    predictions."""

    def __init__(self, name="accuracy"):
        super().__init__(name)

    def values(self, y_true, y_pred):
        y_true, y_pred = ops.operands(y_true, y_pred)
        if y_pred.shape[-1] == 1:
            return binary_accuracy(y_true, y_pred)
        if y_true.ndim < y_pred.ndim or y_true.shape[-1] == 1:
            return sparse_categorical_accuracy(y_true, y_pred)
        return categorical_accuracy(y_true, y_pred)


class MeanSquaredError(Metric):
    """The mean of squared differences."""

    def values(self, y_true, y_pred):
        return losses.mean_squared_error(y_true, y_pred)


class FunctionMetric(Metric):
    """The mean of a function `f(y_true, y_pred)` written in `nnlite.ops`."""

    def __init__(self, fn, name=None):
        super().__init__(name or getattr(fn, "__name__", getattr(fn, "name", "metric")))
        self.fn = fn

    def values(self, y_true, y_pred):
        return (
            self.fn.call(y_true, y_pred)
            if isinstance(self.fn, losses.Loss)
            else self.fn(y_true, y_pred)
        )


_BY_NAME = {
    "accuracy": Accuracy,
    "acc": Accuracy,
    "binary_accuracy": BinaryAccuracy,
    "categorical_accuracy": CategoricalAccuracy,
    "sparse_categorical_accuracy": SparseCategoricalAccuracy,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    **{name: loss for name, loss in losses._BY_NAME.items() if "cross" in name},
}


def get(identifier):
    """A metric from its name, itself or a function; a string becomes its name in logs."""
    found = registry.find("metric", identifier, _BY_NAME, callable)
    if not isinstance(found, Metric):
        found = FunctionMetric(found)
    if isinstance(identifier, str):
        found.name = identifier
    return found
