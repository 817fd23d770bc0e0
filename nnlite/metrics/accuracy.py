"""Accuracies: the fraction of samples whose predicted class is right."""

import numpy as np

from nnlite import config, ops
from nnlite.metrics.metric import SampleMean


def _matches(labels, y_pred):
    """1 if the argmax of the last axis is the label, else 0."""
    found = ops.cast(ops.argmax(y_pred, axis=-1), config.floatx())
    return ops.equal(ops.reshape(labels, found.shape), found)


def accuracy(y_true, y_pred):
    """Keras's 'accuracy': one of three functions, by the shapes of targets and outputs.

    - one output: `binary_accuracy`,
    - integer labels of several outputs: `sparse_categorical_accuracy`,
    - otherwise: `categorical_accuracy`.

    Parameters
    ----------
    y_true, y_pred : tensors
        As for the function chosen.

    Returns
    -------
    Tensor, shape (...)
    """
    y_true, y_pred = ops.operands(y_true, y_pred)
    if y_pred.shape[-1] == 1:
        return binary_accuracy(y_true, y_pred)
    if y_true.ndim < y_pred.ndim or y_true.shape[-1] == 1:
        return sparse_categorical_accuracy(y_true, y_pred)
    return categorical_accuracy(y_true, y_pred)


def binary_accuracy(y_true, y_pred, threshold=0.5):
    """The fraction of the last axis where (y_pred > threshold) equals y_true.

    Parameters
    ----------
    y_true : tensor, shape (..., F)
        0 or 1. The last axis may be missing for one output.
    y_pred : tensor, shape (..., F)
        Scores.
    threshold : float, default 0.5

    Returns
    -------
    Tensor, shape (...)
    """
    y_true, y_pred = ops.operands(y_true, y_pred)
    if y_true.ndim == y_pred.ndim - 1:
        y_true = ops.reshape(y_true, (*y_true.shape, 1))
    return ops.mean(ops.equal(y_true, ops.greater(y_pred, threshold)), axis=-1)


def categorical_accuracy(y_true, y_pred):
    """1 if y_true and y_pred have the same argmax, else 0.

    Parameters
    ----------
    y_true : tensor, shape (..., L)
        One-hot rows.
    y_pred : tensor, shape (..., L)
        Scores.

    Returns
    -------
    Tensor, shape (...)
    """
    y_true, y_pred = ops.operands(y_true, y_pred)
    return _matches(ops.cast(ops.argmax(y_true, axis=-1), config.floatx()), y_pred)


def sparse_categorical_accuracy(y_true, y_pred):
    """1 if the argmax of y_pred is the label, else 0.

    Parameters
    ----------
    y_true : integer tensor, shape (...) or (..., 1)
        Labels in [0, L).
    y_pred : tensor, shape (..., L)
        Scores.

    Returns
    -------
    Tensor, shape (...)
    """
    (y_pred,) = ops.operands(y_pred)
    return _matches(ops.operands(y_true)[0], y_pred)


def top_k_categorical_accuracy(y_true, y_pred, k=5):
    """1 if the true class has one of the k largest scores, else 0.

    Parameters
    ----------
    y_true : tensor, shape (..., L)
        One-hot rows.
    y_pred : tensor, shape (..., L)
        Scores. A score equal to the k-th largest counts as one of the k largest.
    k : int, default 5

    Returns
    -------
    Tensor, shape (...)
    """
    return sparse_top_k_categorical_accuracy(ops.argmax(y_true, axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true, y_pred, k=5, from_sorted_ids=False):
    """1 if the label has one of the k largest scores, else 0.

    Parameters
    ----------
    y_true : integer tensor, shape (...) or (..., 1)
        Labels in [0, L).
    y_pred : tensor, shape (..., L)
        Scores. A score equal to the k-th largest counts as one of the k largest.
    k : int, default 5
    from_sorted_ids : bool, default False
        Whether `y_pred` holds class numbers instead, the most probable class first.

    Returns
    -------
    Tensor, shape (...)
    """
    (y_pred,) = ops.operands(y_pred)
    classes = y_pred.shape[-1]
    labels = ops.reshape(ops.cast(y_true, "int32"), y_pred.shape[:-1])
    if from_sorted_ids:
        found = ops.equal(ops.reshape(labels, (*labels.shape, 1)), y_pred)
        return ops.max(found * (np.arange(classes) < k), axis=-1)
    here = ops.one_hot(labels, classes, dtype=y_pred.dtype)
    score = ops.max(ops.where(here, y_pred, -np.inf), axis=-1, keepdims=True)
    # NaN counts as larger than any number.
    larger = ops.sum(1.0 - ops.less_equal(y_pred, score), axis=-1)
    return ops.less(larger, float(k))


class Accuracy(SampleMean):
    """Keras's 'accuracy': binary, sparse or categorical, by the shapes; see `accuracy`.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    """

    function = staticmethod(accuracy)


class BinaryAccuracy(SampleMean):
    """The fraction of values on the right side of a threshold; see `binary_accuracy`.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    threshold : float, default 0.5
        Scores above are predicted 1.
    """

    function = staticmethod(binary_accuracy)

    def __init__(self, name=None, dtype=None, threshold=0.5):
        super().__init__(name, dtype)
        self.threshold = threshold


class CategoricalAccuracy(SampleMean):
    """The fraction of samples whose predicted class is that of the one-hot target.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    """

    function = staticmethod(categorical_accuracy)


class SparseCategoricalAccuracy(SampleMean):
    """The fraction of samples whose predicted class is the label.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    """

    function = staticmethod(sparse_categorical_accuracy)


class TopKCategoricalAccuracy(SampleMean):
    """The fraction of samples whose true class has one of the k largest scores; one-hot targets.

    Parameters
    ----------
    k : int, default 5
    name, dtype
        As for `Metric`.

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
    """The fraction of samples whose label has one of the k largest scores.

    Parameters
    ----------
    k : int, default 5
    name, dtype
        As for `Metric`.
    from_sorted_ids : bool, default False
        Whether outputs are class numbers instead of scores, the most probable class first.

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
