"""Accuracies: the fraction of samples whose predicted class is right."""

import numpy as np

from nnlite import config, ops
from nnlite.checks import check_number, check_setting
from nnlite.losses.loss import (
    as_outputs,
    beside,
    broadcasting,
    check_labels,
    equal_shapes,
    mean_of_elements,
)
from nnlite.metrics.metric import SampleMean


def _scores(name, y_pred):
    """Outputs as a tensor of several scores for each sample."""
    y_pred = as_outputs(y_pred)
    if not y_pred.shape or y_pred.shape[-1] == 0:
        raise ValueError(f"{name}: expected outputs of shape (..., classes), got {y_pred.shape}")
    return y_pred


def _labels(name, y_true, y_pred):
    """Labels as a tensor of one number for each sample."""
    check_labels(y_true, y_pred.shape[-1])
    labels = beside(y_pred, y_true)
    if labels.shape not in (y_pred.shape[:-1], (*y_pred.shape[:-1], 1)):
        raise ValueError(
            f"{name}: expected labels of shape {y_pred.shape[:-1]} for outputs of shape "
            f"{y_pred.shape}, got {labels.shape}"
        )
    return ops.reshape(labels, y_pred.shape[:-1])


def _matches(labels, y_pred):
    """1 if the argmax of the last axis is the label, else 0."""
    return ops.equal(labels, ops.cast(ops.argmax(y_pred, axis=-1), config.floatx()))


@mean_of_elements
def accuracy(y_true, y_pred):
    """The fraction of the last axis where y_pred equals y_true.

    Parameters
    ----------
    y_true, y_pred : tensors, shape (..., F)
        Targets and predicted values, such as class numbers. Shapes broadcast.

    Returns
    -------
    Tensor, shape (...)
    """
    return ops.equal(*broadcasting("accuracy", y_true, y_pred))


@mean_of_elements
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
    check_number("threshold", threshold, "(-inf, inf)", "binary_accuracy")
    y_true, y_pred = broadcasting("binary_accuracy", y_true, y_pred)
    return ops.equal(y_true, ops.greater(y_pred, float(threshold)))


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
    y_true, y_pred = equal_shapes("categorical_accuracy", y_true, y_pred)
    y_pred = _scores("categorical_accuracy", y_pred)
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
    y_pred = _scores("sparse_categorical_accuracy", y_pred)
    return _matches(_labels("sparse_categorical_accuracy", y_true, y_pred), y_pred)


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
    y_true, y_pred = equal_shapes("top_k_categorical_accuracy", y_true, y_pred)
    y_pred = _scores("top_k_categorical_accuracy", y_pred)
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
    check_setting("k", k, "int [1, inf)", "sparse_top_k_categorical_accuracy")
    check_setting("from_sorted_ids", from_sorted_ids, "bool", "sparse_top_k_categorical_accuracy")
    y_pred = _scores("sparse_top_k_categorical_accuracy", y_pred)
    classes = y_pred.shape[-1]
    if from_sorted_ids:
        check_labels(y_true)
        labels = ops.reshape(beside(y_pred, y_true), (*y_pred.shape[:-1], 1))
        return ops.max(ops.equal(labels, y_pred) * (np.arange(classes) < k), axis=-1)
    labels = _labels("sparse_top_k_categorical_accuracy", y_true, y_pred)
    labels = ops.cast(labels, "int32")
    here = ops.one_hot(labels, classes, dtype=y_pred.dtype)
    score = ops.max(ops.where(here, y_pred, -np.inf), axis=-1, keepdims=True)
    # NaN counts as larger than any number.
    larger = ops.sum(1.0 - ops.less_equal(y_pred, score), axis=-1)
    return ops.less(larger, float(k))


class _Fraction(SampleMean):
    """Base of the accuracies: more is better."""

    higher_is_better = True


class Accuracy(_Fraction):
    """The fraction of values that are equal to their targets.

    The name 'accuracy' among the metrics of a model stands for the one of `BinaryAccuracy`,
    `SparseCategoricalAccuracy` and `CategoricalAccuracy` that fits its outputs; this class is for
    predictions that are class numbers.

    Parameters
    ----------
    name, dtype
        As for `Metric`.

    Examples
    --------
    >>> from nnlite import metrics
    >>> metrics.Accuracy()([1, 2, 3, 4], [0, 2, 3, 4])
    0.75
    """

    function = staticmethod(accuracy)


class AccuracyByShape(_Fraction):
    """What the name 'accuracy' stands for among the metrics of a model: by shapes of targets and
    outputs

    - one output: `binary_accuracy`,
    - integer labels of several outputs: `sparse_categorical_accuracy`,
    - otherwise: `categorical_accuracy`.

    Parameters
    ----------
    name : str, default 'accuracy'
    dtype
        As for `Metric`.
    """

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(name, dtype)

    def _chosen(self, y_true, y_pred):
        y_pred = as_outputs(y_pred)
        y_true = beside(y_pred, y_true)
        if y_pred.ndim < 2 or y_pred.shape[-1] == 1:
            return binary_accuracy
        if y_true.ndim < y_pred.ndim or y_true.shape[-1] == 1:
            return sparse_categorical_accuracy
        return categorical_accuracy

    def values_of(self, y_true, y_pred):
        return self._chosen(y_true, y_pred)(y_true, y_pred)

    def elements_of(self, y_true, y_pred):
        elements = getattr(self._chosen(y_true, y_pred), "elements", None)
        return None if elements is None else elements(y_true, y_pred)


class BinaryAccuracy(_Fraction):
    """The fraction of values on the right side of a threshold; see `binary_accuracy`.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    threshold : float, default 0.5
        Scores above are predicted 1.
    """

    function = staticmethod(binary_accuracy)
    _legal = {"threshold": "(-inf, inf)"}

    def __init__(self, name=None, dtype=None, threshold=0.5):
        super().__init__(name, dtype)
        self.threshold = threshold


class CategoricalAccuracy(_Fraction):
    """The fraction of samples whose predicted class is that of the one-hot target.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    """

    function = staticmethod(categorical_accuracy)


class SparseCategoricalAccuracy(_Fraction):
    """The fraction of samples whose predicted class is the label.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    """

    function = staticmethod(sparse_categorical_accuracy)


class TopKCategoricalAccuracy(_Fraction):
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
    _legal = {"k": "int [1, inf)"}

    def __init__(self, k=5, name=None, dtype=None):
        super().__init__(name, dtype)
        self.k = k


class SparseTopKCategoricalAccuracy(_Fraction):
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
    _legal = {"k": "int [1, inf)", "from_sorted_ids": "bool"}

    def __init__(self, k=5, name=None, dtype=None, from_sorted_ids=False):
        super().__init__(name, dtype)
        self.k, self.from_sorted_ids = k, from_sorted_ids


for _function in (
    accuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    top_k_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
):
    _function.higher_is_better = True  # also as a metric of its own
