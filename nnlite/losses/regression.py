"""Losses of regression: the differences of targets and outputs, the mean over the last axis."""

import math

import numpy as np

from nnlite import config, ops
from nnlite.checks import check_number
from nnlite.losses.loss import Loss, broadcasting, mean_of_elements


@mean_of_elements
def mean_squared_error(y_true, y_pred):
    """(y_true - y_pred)^2, the mean over the last axis.

    Parameters
    ----------
    y_true, y_pred : tensors, shape (..., F)
        Targets and outputs. Shapes broadcast.

    Returns
    -------
    Tensor, shape (...)
    """
    y_true, y_pred = broadcasting("mean_squared_error", y_true, y_pred)
    return ops.squared_difference(y_pred, y_true)


@mean_of_elements
def mean_absolute_error(y_true, y_pred):
    """|y_true - y_pred|, the mean over the last axis. Its gradient is 0 for equal values.

    Parameters
    ----------
    y_true, y_pred : tensors, shape (..., F)
        Targets and outputs. Shapes broadcast.

    Returns
    -------
    Tensor, shape (...)
    """
    y_true, y_pred = broadcasting("mean_absolute_error", y_true, y_pred)
    return ops.abs(y_pred - y_true)


@mean_of_elements
def mean_absolute_percentage_error(y_true, y_pred):
    """100 * |y_true - y_pred| / max(|y_true|, epsilon()), the mean over the last axis, in percent.

    Parameters
    ----------
    y_true, y_pred : tensors, shape (..., F)
        Targets and outputs. Shapes broadcast.

    Returns
    -------
    Tensor, shape (...)
    """
    y_true, y_pred = broadcasting("mean_absolute_percentage_error", y_true, y_pred)
    size = ops.maximum(ops.abs(y_true), config.epsilon())
    return 100.0 * ops.abs((y_pred - y_true) / size)


@mean_of_elements
def mean_squared_logarithmic_error(y_true, y_pred):
    """(log(1 + y_true) - log(1 + y_pred))^2, the mean over the last axis.

    Values below `epsilon()` count as `epsilon()`.

    Parameters
    ----------
    y_true, y_pred : tensors, shape (..., F)
        Targets and outputs. Shapes broadcast.

    Returns
    -------
    Tensor, shape (...)
    """
    y_true, y_pred = broadcasting("mean_squared_logarithmic_error", y_true, y_pred)
    logs = [ops.log(ops.maximum(y, config.epsilon()) + 1.0) for y in (y_pred, y_true)]
    return ops.squared_difference(*logs)


@mean_of_elements
def huber(y_true, y_pred, delta=1.0):
    """e^2 / 2 if |e| <= delta, else delta * |e| - delta^2 / 2, with e = y_true - y_pred; the mean
    over the last axis.

    P. J. Huber: "Robust estimation of a location parameter", Annals of Mathematical Statistics 35
    (1964).

    Parameters
    ----------
    y_true, y_pred : tensors, shape (..., F)
        Targets and outputs. Shapes broadcast.
    delta : float above 0, default 1.0
        The largest error of the quadratic part.

    Returns
    -------
    Tensor, shape (...)
    """
    check_number("delta", delta, "(0, inf]", "huber")
    y_true, y_pred = broadcasting("huber", y_true, y_pred)
    error = ops.abs(y_pred - y_true)
    # Without a branch on |e|, so that an infinite error has a finite gradient.
    within = ops.minimum(error, float(delta))
    return 0.5 * ops.square(within) + delta * (error - within)


@mean_of_elements
def log_cosh(y_true, y_pred):
    """log(cosh(y_pred - y_true)), the mean over the last axis, computed without overflow.

    Parameters
    ----------
    y_true, y_pred : tensors, shape (..., F)
        Targets and outputs. Shapes broadcast.

    Returns
    -------
    Tensor, shape (...)
    """
    y_true, y_pred = broadcasting("log_cosh", y_true, y_pred)
    error = ops.abs(y_pred - y_true)
    return error + ops.softplus(-2.0 * error) - math.log(2.0)


@mean_of_elements
def quantile(y_true, y_pred, quantile=0.5):
    """max(quantile * e, (quantile - 1) * e) for e = y_true - y_pred, the mean over the last axis.

    The constant prediction of the smallest loss is that quantile of the targets. R. Koenker,
    G. Bassett: "Regression quantiles", Econometrica 46 (1978).

    Parameters
    ----------
    y_true : tensor, shape (..., F), (..., 1) or (...)
    y_pred : tensor, shape (..., F)
    quantile : float or sequence of F floats in (0, 1), default 0.5
        One for all outputs, or one for each.

    Returns
    -------
    Tensor, shape (...)
    """
    y_true, y_pred = broadcasting("quantile", y_true, y_pred)
    level = _levels(quantile)
    if level.shape not in ((), (1,), y_pred.shape[-1:]):
        outputs = y_pred.shape[-1] if y_pred.ndim else 1
        raise ValueError(
            f"quantile: expected one number, or one for each of {outputs} outputs, got {quantile!r}"
        )
    error = y_true - y_pred
    return ops.maximum(error * level, error * (level - 1.0))


def _levels(quantile):
    """The numbers of quantiles, each between 0 and 1, as an array."""
    try:
        level = np.asarray(quantile)
    except ValueError:  # rows of different lengths
        level = np.asarray(None)
    if level.dtype.kind not in "iuf" or not np.all((level > 0) & (level < 1)):
        raise ValueError(f"quantile: expected numbers between 0 and 1, got {quantile!r}")
    return level.astype(np.float64)


class MeanSquaredError(Loss):
    """The mean of squared differences; see `mean_squared_error`.

    Parameters
    ----------
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> losses.MeanSquaredError()([[0, 2]], [[1.0, 4.0]]).item()
    2.5
    """

    function = staticmethod(mean_squared_error)


class MeanAbsoluteError(Loss):
    """The mean of absolute differences; see `mean_absolute_error`.

    Parameters
    ----------
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> losses.MeanAbsoluteError()([[0, 2]], [[1.0, 4.0]]).item()
    1.5
    """

    function = staticmethod(mean_absolute_error)


class MeanAbsolutePercentageError(Loss):
    """The mean difference in percent of the target; see `mean_absolute_percentage_error`.

    Parameters
    ----------
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> losses.MeanAbsolutePercentageError()([[1, 2]], [[1.5, 2.0]]).item()
    25.0
    """

    function = staticmethod(mean_absolute_percentage_error)


class MeanSquaredLogarithmicError(Loss):
    """The mean of squared differences of logarithms; see `mean_squared_logarithmic_error`.

    Parameters
    ----------
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> round(losses.MeanSquaredLogarithmicError()([[0]], [[1.718281828]]).item(), 5)
    1.0
    """

    function = staticmethod(mean_squared_logarithmic_error)


class Huber(Loss):
    """Quadratic for small errors, linear for large ones; see `huber`.

    Parameters
    ----------
    delta : float above 0, default 1.0
        The largest error of the quadratic part.
    name : str, default 'huber_loss'
    **kwargs
        Of `Loss`: reduction, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> losses.Huber()([[0, 0]], [[1.0, 3.0]]).item()
    1.5
    """

    function = staticmethod(huber)
    _legal = {"delta": "(0, inf]"}

    def __init__(self, delta=1.0, name="huber_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.delta = delta


class LogCosh(Loss):
    """About e^2 / 2 for small errors e and |e| - log(2) for large ones; see `log_cosh`.

    Parameters
    ----------
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> round(losses.LogCosh()([[0]], [[1000.0]]).item(), 3)
    999.307
    """

    function = staticmethod(log_cosh)


class Quantile(Loss):
    """The pinball loss: trains a model to predict a quantile of the targets; see `quantile`.

    Parameters
    ----------
    quantile : float or sequence of F floats in (0, 1), default 0.5
        One for all outputs, or one for each. With `Dense(3)` and (0.05, 0.5, 0.95) a model predicts
        the median and an interval for 90 % of the targets.
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> losses.Quantile(0.75)([[1, 1]], [[0.0, 2.0]]).item()
    0.5
    """

    function = staticmethod(quantile)

    def __init__(self, quantile=0.5, **kwargs):
        super().__init__(**kwargs)
        _levels(quantile)
        self.quantile = quantile


Pinball = Quantile
pinball = quantile
