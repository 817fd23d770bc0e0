"""Accuracies: the share of samples for which the right class is predicted."""

import numpy as np

from nnlite import config, ops
from nnlite.metrics.metric import SampleMean


def _matches(labels, y_pred):
    """1 where the largest of the last axis is the label."""
    found = ops.cast(ops.argmax(y_pred, axis=-1), config.floatx())
    return ops.equal(ops.reshape(labels, found.shape), found)


def accuracy(y_true, y_pred):
    """Keras's 'accuracy': `binary_accuracy` for one output, `sparse_categorical_accuracy` for
    integer labels, else `categorical_accuracy`; by the shapes of targets and predictions."""
    y_true, y_pred = ops.operands(y_true, y_pred)
    if y_pred.shape[-1] == 1:
        return binary_accuracy(y_true, y_pred)
    if y_true.ndim < y_pred.ndim or y_true.shape[-1] == 1:
        return sparse_categorical_accuracy(y_true, y_pred)
    return categorical_accuracy(y_true, y_pred)


def binary_accuracy(y_true, y_pred, threshold=0.5):
    """The share of the last axis where (y_pred > threshold) is y_true."""
    y_true, y_pred = ops.operands(y_true, y_pred)
    if y_true.ndim == y_pred.ndim - 1:
        y_true = ops.reshape(y_true, (*y_true.shape, 1))
    return ops.mean(ops.equal(y_true, ops.greater(y_pred, threshold)), axis=-1)


def categorical_accuracy(y_true, y_pred):
    """1 where y_pred and the one-hot y_true are largest at the same place, else 0."""
    y_true, y_pred = ops.operands(y_true, y_pred)
    return _matches(ops.cast(ops.argmax(y_true, axis=-1), config.floatx()), y_pred)


def sparse_categorical_accuracy(y_true, y_pred):
    """1 where argmax(y_pred) is the label, else 0; y_true has shape (...) or (..., 1)."""
    (y_pred,) = ops.operands(y_pred)
    return _matches(ops.operands(y_true)[0], y_pred)


def top_k_categorical_accuracy(y_true, y_pred, k=5):
    """1 where the place of the largest of the one-hot y_true is among the k largest of y_pred,
    else 0; places that tie with the k-th are among them."""
    return sparse_top_k_categorical_accuracy(ops.argmax(y_true, axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true, y_pred, k=5, from_sorted_ids=False):
    """1 where the label is among the k largest of y_pred, else 0; those that tie with the k-th are
    among them.

    Parameters
    ----------
    y_true : integer tensor, shape (...) or (..., 1)
    y_pred : tensor, shape (..., L)
        Scores; with `from_sorted_ids`, classes from the likeliest on.
    k : int, default 5
    from_sorted_ids : bool, default False
    """
    (y_pred,) = ops.operands(y_pred)
    classes = y_pred.shape[-1]
    labels = ops.reshape(ops.cast(y_true, "int32"), y_pred.shape[:-1])
    if from_sorted_ids:
        found = ops.equal(ops.reshape(labels, (*labels.shape, 1)), y_pred)
        return ops.max(found * (np.arange(classes) < k), axis=-1)
    here = ops.one_hot(labels, classes, y_pred.dtype)
    score = ops.max(ops.where(here, y_pred, -np.inf), axis=-1, keepdims=True)
    # NaN counts as larger than any number.
    larger = ops.sum(1.0 - ops.less_equal(y_pred, score), axis=-1)
    return ops.less(larger, float(k))


class Accuracy(SampleMean):
    """Keras's 'accuracy': binary, sparse or categorical, by the shapes of targets and
    predictions."""

    function = staticmethod(accuracy)


class BinaryAccuracy(SampleMean):
    """The share of values on the right side of `threshold`."""

    function = staticmethod(binary_accuracy)

    def __init__(self, name=None, dtype=None, threshold=0.5):
        super().__init__(name, dtype)
        self.threshold = threshold


class CategoricalAccuracy(SampleMean):
    """The share of samples whose one-hot target and prediction are largest at the same place."""

    function = staticmethod(categorical_accuracy)


class SparseCategoricalAccuracy(SampleMean):
    """The share of samples whose label is where the prediction is largest."""

    function = staticmethod(sparse_categorical_accuracy)


class TopKCategoricalAccuracy(SampleMean):
    """The share of samples whose one-hot target is among the k likeliest classes.

    Examples
    --------
    >>> from nnlite import metrics
    >>> metrics.TopKCategoricalAccuracy(k=2)([[0, 0, 1], [1, 0, 0]], [[0.5, 0.1, 0.4]] * 2)
    1.0
    """

    function = staticmethod(top_k_categorical_accuracy)

    def __init__(self, k=5, name=None, dtype=None):
        super().__init__(name, dtype)
        self.k = k


class SparseTopKCategoricalAccuracy(SampleMean):
    """The share of samples whose label is among the k likeliest classes.

    Examples
    --------
    >>> from nnlite import metrics
    >>> metrics.SparseTopKCategoricalAccuracy(k=2)([2, 1], [[0.5, 0.1, 0.4]] * 2)
    0.5
    """

    function = staticmethod(sparse_top_k_categorical_accuracy)

    def __init__(self, k=5, name=None, dtype=None, from_sorted_ids=False):
        super().__init__(name, dtype)
        self.k, self.from_sorted_ids = k, from_sorted_ids
