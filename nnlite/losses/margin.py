"""Hinge losses: zero for outputs that are right by a margin of at least 1."""

from nnlite import ops
from nnlite.losses.loss import Loss, broadcasting, mean_of_elements


def _signs(y_true):
    """Targets as -1 and 1. If all targets are 0 or 1, 0 becomes -1."""
    is_binary = ops.min(ops.equal(y_true, 0.0) + ops.equal(y_true, 1.0))
    return y_true + is_binary * (y_true - 1.0)


def _shortfall(name, y_true, y_pred):
    y_true, y_pred = broadcasting(name, y_true, y_pred)
    return ops.maximum(1.0 - _signs(y_true) * y_pred, 0.0)


@mean_of_elements
def hinge(y_true, y_pred):
    """max(1 - y_true * y_pred, 0), the mean over the last axis.

    Parameters
    ----------
    y_true : tensor, shape (..., F)
        -1 or 1. If all targets of the batch are 0 or 1, 0 stands for -1.
    y_pred : tensor, shape (..., F)

    Returns
    -------
    Tensor, shape (...)
    """
    return _shortfall("hinge", y_true, y_pred)


@mean_of_elements
def squared_hinge(y_true, y_pred):
    """max(1 - y_true * y_pred, 0)^2, the mean over the last axis.

    Parameters
    ----------
    y_true, y_pred : tensors, shape (..., F)
        As for `hinge`.

    Returns
    -------
    Tensor, shape (...)
    """
    return ops.square(_shortfall("squared_hinge", y_true, y_pred))


def categorical_hinge(y_true, y_pred):
    """max(1 + largest output of a wrong class - output of the right class, 0).

    As in Keras, the largest is that of `(1 - y_true) * y_pred`, which is 0 for the right class.

    Parameters
    ----------
    y_true : tensor, shape (..., L)
        One-hot rows.
    y_pred : tensor, shape (..., L)

    Returns
    -------
    Tensor, shape (...)
    """
    y_true, y_pred = broadcasting("categorical_hinge", y_true, y_pred)
    right = ops.sum(y_true * y_pred, axis=-1)
    wrong = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.maximum(wrong - right + 1.0, 0.0)


class Hinge(Loss):
    """The hinge loss of -1/1 or 0/1 targets; see `hinge`.

    Parameters
    ----------
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> losses.Hinge()([[0, 1]], [[-3.0, 0.5]]).item()
    0.25
    """

    function = staticmethod(hinge)


class SquaredHinge(Loss):
    """The squared hinge loss; see `squared_hinge`.

    Parameters
    ----------
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> losses.SquaredHinge()([[-1, 1]], [[-3.0, 0.5]]).item()
    0.125
    """

    function = staticmethod(squared_hinge)


class CategoricalHinge(Loss):
    """The hinge loss of one-hot targets; see `categorical_hinge`.

    Parameters
    ----------
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> losses.CategoricalHinge()([[0, 1]], [[0.75, 0.5]]).item()
    1.25
    """

    function = staticmethod(categorical_hinge)
