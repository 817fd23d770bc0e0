"""Losses of probabilities: cross-entropies and their relatives.

The output of a softmax or sigmoid keeps the logits that it was computed from. A cross-entropy is
computed from them, which is more accurate, as Keras does on TensorFlow. Other probabilities are
limited to [epsilon(), 1 - epsilon()], so that no logarithm and no gradient is infinite.
"""

from nnlite import config, ops
from nnlite.checks import check_number, check_setting
from nnlite.errors import prefixed
from nnlite.losses.loss import (
    Loss,
    as_outputs,
    broadcasting,
    check_labels,
    equal_shapes,
    mean_of_elements,
)
from nnlite.ops.elementwise import clip_probability


def known_logits(y_pred, of, from_logits):
    """The logits of `y_pred`, or None if they are unknown.

    - If `y_pred` is the output of `of`, 'softmax' or 'sigmoid', the logits that it was computed
      from. As in Keras, this holds for `from_logits=True`, too.
    - Otherwise `y_pred` if `from_logits`.
    """
    check_setting("from_logits", from_logits, "bool")
    if y_pred.logits is not None and y_pred.logits[0] == of:
        return y_pred.logits[1]
    return y_pred if from_logits else None


def distribution(y_pred):
    """Rows rescaled to sum to 1, then limited to [epsilon(), 1 - epsilon()]."""
    return clip_probability(y_pred / ops.sum(y_pred, axis=-1, keepdims=True))


def _rows(x):
    """`x` as a matrix: all axes but the last become one."""
    return ops.reshape(x, (-1, x.shape[-1]))


def smoothed(y_true, smoothing, classes):
    """Targets * (1 - smoothing) + smoothing / classes."""
    check_number("label_smoothing", smoothing, "[0, 1]")
    return y_true * (1.0 - smoothing) + smoothing / classes if smoothing else y_true


def with_axis_last(x, axis):
    """`x` with one axis moved to the end."""
    check_setting("axis", axis, "int")
    axis = int(axis)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"y_pred: expected an axis {axis}, along which the classes are, got shape {x.shape}"
        )
    axis %= x.ndim
    if axis == x.ndim - 1:
        return x
    return ops.transpose(x, [d for d in range(x.ndim) if d != axis] + [axis])


def categorical_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """-sum(y_true * log(y_pred)) over the classes.

    Parameters
    ----------
    y_true : tensor, shape (..., L)
        A distribution over classes for each sample.
    y_pred : tensor, shape (..., L)
        Probabilities (rescaled to sum to 1), or logits.
    from_logits : bool, default False
        Whether `y_pred` are logits.
    label_smoothing : float in [0, 1], default 0.0
        Targets become y_true * (1 - label_smoothing) + label_smoothing / L.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    Tensor, shape (...)
    """
    y_true, y_pred = equal_shapes("categorical_crossentropy", y_true, y_pred)
    y_true, y_pred = with_axis_last(y_true, axis), with_axis_last(y_pred, axis)
    y_true = smoothed(y_true, label_smoothing, y_pred.shape[-1])
    logits = known_logits(y_pred, "softmax", from_logits)
    if logits is not None:
        return ops.reshape(
            ops.softmax_cross_entropy(_rows(logits), _rows(y_true)), y_pred.shape[:-1]
        )
    return -ops.sum(y_true * ops.log(distribution(y_pred)), axis=-1)


def sparse_categorical_crossentropy(y_true, y_pred, from_logits=False, ignore_class=None, axis=-1):
    """-log(y_pred[y_true]).

    Parameters
    ----------
    y_true : integer tensor, shape (...) or (..., 1)
        Labels in [0, L).
    y_pred : tensor, shape (..., L)
        Probabilities, or logits.
    from_logits : bool, default False
        Whether `y_pred` are logits.
    ignore_class : int, optional
        Samples with this label have the loss 0. It may lie outside [0, L).
    axis : int, default -1
        The axis of the classes in `y_pred`.

    Returns
    -------
    Tensor, shape (...)
    """
    y_pred = with_axis_last(as_outputs(y_pred), axis)
    if ignore_class is not None:
        check_setting("ignore_class", ignore_class, "int")
    check_labels(y_true, ignored=ignore_class)
    y_true = ops.cast(y_true, "int32")
    if y_true.ndim == y_pred.ndim and y_true.shape[axis] == 1:
        y_true = ops.reshape(with_axis_last(y_true, axis), y_pred.shape[:-1])
    if y_true.shape != y_pred.shape[:-1]:
        raise ValueError(
            f"sparse_categorical_crossentropy: expected labels of shape {y_pred.shape[:-1]} for "
            f"outputs of shape {y_pred.shape}, got {y_true.shape}; one-hot rows go with "
            "categorical_crossentropy"
        )
    if ignore_class is not None:
        counted = _differs(y_true, ignore_class)
        y_true = ops.cast(ops.where(counted, y_true, 0.0), "int32")
        return counted * sparse_categorical_crossentropy(y_true, y_pred, from_logits)
    logits = known_logits(y_pred, "softmax", from_logits)
    if logits is not None:
        return ops.reshape(
            ops.softmax_cross_entropy(_rows(logits), ops.reshape(y_true, (-1,))), y_pred.shape[:-1]
        )
    with prefixed("y_true: "):
        chosen = ops.one_hot(y_true, y_pred.shape[-1], dtype=y_pred.dtype)
    return categorical_crossentropy(chosen, y_pred)


def _differs(y_true, label):
    """1 for labels other than `label`, else 0."""
    return 1.0 - ops.equal(y_true, float(label))


def binary_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """-(y_true * log(y_pred) + (1 - y_true) * log(1 - y_pred)), the mean over `axis`.

    Parameters
    ----------
    y_true : tensor, shape (..., F)
        In [0, 1].
    y_pred : tensor, shape (..., F)
        Probabilities, or logits.
    from_logits : bool, default False
        Whether `y_pred` are logits.
    label_smoothing : float in [0, 1], default 0.0
        Targets become y_true * (1 - label_smoothing) + label_smoothing / 2.
    axis : int or tuple of int, default -1
        The axes of the mean.

    Returns
    -------
    Tensor
        Without `axis`.
    """
    return ops.mean(_binary_elements(y_true, y_pred, from_logits, label_smoothing), axis=axis)


def _binary_elements(y_true, y_pred, from_logits, label_smoothing):
    y_true, y_pred = equal_shapes("binary_crossentropy", y_true, y_pred)
    y_true = smoothed(y_true, label_smoothing, 2)
    logits = known_logits(y_pred, "sigmoid", from_logits)
    if logits is not None:
        return ops.sigmoid_cross_entropy(logits, y_true)
    return binary_of_probabilities(y_true, clip_probability(y_pred))


binary_crossentropy.elements = _binary_elements


def binary_of_probabilities(y_true, p):
    """The binary cross-entropy of each element; probabilities in (0, 1)."""
    return -(y_true * ops.log(p) + (1.0 - y_true) * ops.log(1.0 - p))


def kl_divergence(y_true, y_pred):
    """sum(y_true * log(y_true / y_pred)) over the last axis.

    Parameters
    ----------
    y_true, y_pred : tensors, shape (..., L)
        Distributions, limited to [epsilon(), 1]. Shapes broadcast.

    Returns
    -------
    Tensor, shape (...)
    """
    y_true, y_pred = broadcasting("kl_divergence", y_true, y_pred)
    y_true, y_pred = (ops.clip(y, config.epsilon(), 1.0) for y in (y_true, y_pred))
    return ops.sum(y_true * ops.log(y_true / y_pred), axis=-1)


@mean_of_elements
def poisson(y_true, y_pred):
    """y_pred - y_true * log(y_pred + epsilon()), the mean over the last axis.

    Parameters
    ----------
    y_true : tensor, shape (..., F)
        Counts. Shapes broadcast.
    y_pred : tensor, shape (..., F)
        Predicted means of the counts.

    Returns
    -------
    Tensor, shape (...)
    """
    y_true, y_pred = broadcasting("poisson", y_true, y_pred)
    return y_pred - y_true * ops.log(y_pred + config.epsilon())


class Crossentropy(Loss):
    """Base of the cross-entropies whose targets have the shape of the outputs.

    Parameters
    ----------
    from_logits : bool, default False
        Whether outputs are logits.
    label_smoothing : float in [0, 1], default 0.0
        Targets become y_true * (1 - label_smoothing) + label_smoothing / number of classes.
    axis : int, default -1
        The axis of the classes.
    **kwargs
        Of `Loss`: reduction, name, dtype.
    """

    _legal = {"from_logits": "bool", "label_smoothing": "[0, 1]"}

    def __init__(self, from_logits=False, label_smoothing=0.0, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


class CategoricalCrossentropy(Crossentropy):
    """Cross-entropy with targets that are distributions, such as one-hot rows.

    See `categorical_crossentropy`.

    Parameters
    ----------
    from_logits : bool, default False
        Whether outputs are logits.
    label_smoothing : float in [0, 1], default 0.0
        Targets become y_true * (1 - label_smoothing) + label_smoothing / L.
    axis : int, default -1
        The axis of the classes.
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> y_true, y_pred = [[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]
    >>> round(losses.CategoricalCrossentropy()(y_true, y_pred).item(), 5)
    1.17694
    """

    function = staticmethod(categorical_crossentropy)


class SparseCategoricalCrossentropy(Loss):
    """Cross-entropy with integer labels; see `sparse_categorical_crossentropy`.

    Parameters
    ----------
    from_logits : bool, default False
        Whether outputs are logits.
    ignore_class : int, optional
        Samples with this label do not count: the mean is taken over the others.
    axis : int, default -1
        The axis of the classes in the outputs.
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    >>> round(loss([1, -1], [[0.5, 0.5], [0.9, 0.1]]).item(), 5)
    0.69315
    """

    function = staticmethod(sparse_categorical_crossentropy)
    _legal = {"from_logits": "bool", "ignore_class": "int", "axis": "int"}

    def __init__(self, from_logits=False, ignore_class=None, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def counted(self, y_true, values):
        if self.ignore_class is None:
            return None
        return ops.reshape(_differs(*ops.operands(y_true), self.ignore_class), values.shape)

    def check_targets(self, y, output_shape):
        classes = output_shape[self.axis]
        check_labels(y, classes, self.ignore_class, "y")


class BinaryCrossentropy(Crossentropy):
    """Cross-entropy of independent binary targets; see `binary_crossentropy`.

    Parameters
    ----------
    from_logits : bool, default False
        Whether outputs are logits.
    label_smoothing : float in [0, 1], default 0.0
        Targets become y_true * (1 - label_smoothing) + label_smoothing / 2.
    axis : int or tuple of int, default -1
        The axes of the mean.
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> round(losses.BinaryCrossentropy()([[0], [1]], [[0.4], [0.6]]).item(), 5)
    0.51083
    """

    function = staticmethod(binary_crossentropy)


class KLDivergence(Loss):
    """The Kullback-Leibler divergence of two distributions; see `kl_divergence`.

    Parameters
    ----------
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> round(losses.KLDivergence()([[1.0, 0.0]], [[0.5, 0.5]]).item(), 4)
    0.6931
    """

    function = staticmethod(kl_divergence)


class Poisson(Loss):
    """The loss of counts, for a model that predicts their mean; see `poisson`.

    Parameters
    ----------
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> round(losses.Poisson()([[2.0]], [[1.0]]).item(), 4)
    1.0
    """

    function = staticmethod(poisson)
