"""Metrics that are means over samples, such as the means of losses."""

import math

from nnlite import config, losses, ops
from nnlite.losses.loss import broadcasting, masked, weights_like
from nnlite.metrics.metric import Mean, SampleMean


class _Error(SampleMean):
    """Base of the means of losses: less is better."""

    higher_is_better = False


class MeanSquaredError(_Error):
    """The mean of squared differences.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    """

    function = staticmethod(losses.mean_squared_error)


class RootMeanSquaredError(MeanSquaredError):
    """The root of the mean of squared differences.

    Parameters
    ----------
    name, dtype
        As for `Metric`.

    Examples
    --------
    >>> from nnlite import metrics
    >>> metrics.RootMeanSquaredError()([[1.0], [2.0]], [[4.0], [-1.0]])
    3.0
    """

    def result(self):
        """The root of the mean so far."""
        return math.sqrt(super().result())


class MeanAbsoluteError(_Error):
    """The mean of absolute differences.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    """

    function = staticmethod(losses.mean_absolute_error)


class MeanAbsolutePercentageError(_Error):
    """The mean absolute difference in percent of the target.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    """

    function = staticmethod(losses.mean_absolute_percentage_error)


class MeanSquaredLogarithmicError(_Error):
    """The mean of squared differences of log(1 + y).

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    """

    function = staticmethod(losses.mean_squared_logarithmic_error)


class LogCoshError(_Error):
    """The mean of log(cosh(y_pred - y_true)).

    Parameters
    ----------
    name : str, default 'logcosh'
    dtype
        As for `Metric`.
    """

    function = staticmethod(losses.log_cosh)

    def __init__(self, name="logcosh", dtype=None):
        super().__init__(name, dtype)


class Hinge(_Error):
    """The mean hinge loss of -1/1 or 0/1 targets.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    """

    function = staticmethod(losses.hinge)


class SquaredHinge(_Error):
    """The mean squared hinge loss of -1/1 or 0/1 targets.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    """

    function = staticmethod(losses.squared_hinge)


class CategoricalHinge(_Error):
    """The mean hinge loss of one-hot targets.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    """

    function = staticmethod(losses.categorical_hinge)


class KLDivergence(_Error):
    """The mean Kullback-Leibler divergence of true and predicted distributions.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    """

    function = staticmethod(losses.kl_divergence)


class Poisson(_Error):
    """The mean Poisson loss.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    """

    function = staticmethod(losses.poisson)


class BinaryCrossentropy(_Error):
    """The mean cross-entropy of binary targets.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    from_logits : bool, default False
        Whether outputs are logits.
    label_smoothing : float in [0, 1], default 0.0
        As for the loss.
    """

    function = staticmethod(losses.binary_crossentropy)
    _legal = {"from_logits": "bool", "label_smoothing": "[0, 1]"}

    def __init__(self, name=None, dtype=None, from_logits=False, label_smoothing=0.0):
        super().__init__(name, dtype)
        self.from_logits, self.label_smoothing = from_logits, label_smoothing


class CategoricalCrossentropy(_Error):
    """The mean cross-entropy with one-hot targets.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    from_logits : bool, default False
        Whether outputs are logits.
    label_smoothing : float in [0, 1], default 0.0
        As for the loss.
    axis : int, default -1
        The axis of the classes.
    """

    function = staticmethod(losses.categorical_crossentropy)
    _legal = {"from_logits": "bool", "label_smoothing": "[0, 1]", "axis": "int"}

    def __init__(self, name=None, dtype=None, from_logits=False, label_smoothing=0.0, axis=-1):
        super().__init__(name, dtype)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


class SparseCategoricalCrossentropy(_Error):
    """The mean cross-entropy with integer labels.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    from_logits : bool, default False
        Whether outputs are logits.
    ignore_class : int, optional
        Samples with this label do not count.
    axis : int, default -1
        The axis of the classes.
    """

    function = staticmethod(losses.sparse_categorical_crossentropy)
    _legal = {"from_logits": "bool", "ignore_class": "int", "axis": "int"}

    def __init__(self, name=None, dtype=None, from_logits=False, ignore_class=None, axis=-1):
        super().__init__(name, dtype)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def update_state(self, y_true, y_pred, sample_weight=None):
        values = self.values_of(y_true, y_pred)
        weight = None if sample_weight is None else weights_like(values, sample_weight)
        if self.ignore_class is not None:
            counted = 1.0 - ops.equal(y_true, float(self.ignore_class))
            counted = ops.reshape(counted, values.shape)
            weight = counted if weight is None else counted * weight
        Mean.update_state(self, values, masked(weight, getattr(y_pred, "mask", None), values))


class _AlongAxis(SampleMean):
    """Base of the likenesses along an axis: more is better."""

    higher_is_better = True
    _legal = {"axis": "int"}

    def __init__(self, name=None, dtype=None, axis=-1):
        super().__init__(name, dtype)
        self.axis = axis


def cosine_similarity(y_true, y_pred, axis=-1):
    """cos of the angle between y_true and y_pred: 1 for the same direction, -1 for the opposite.

    Parameters
    ----------
    y_true, y_pred : tensors, shape (..., F)
        Targets and outputs. Shapes broadcast.
    axis : int, default -1
        The axis of the vectors.

    Returns
    -------
    Tensor
        Without `axis`.
    """
    return -losses.cosine_similarity(y_true, y_pred, axis)


def _moments(name, y_true, y_pred, axis):
    """The means of targets and outputs along `axis`; their variances and their covariance."""
    both = broadcasting(name, y_true, y_pred)
    means = [ops.mean(y, axis=axis, keepdims=True) for y in both]
    a, b = (y - mean for y, mean in zip(both, means))
    return means, [ops.mean(x, axis=axis, keepdims=True) for x in (a * a, b * b, a * b)]


def pearson_correlation(y_true, y_pred, axis=-1):
    """Pearson's correlation of y_true and y_pred: covariance / both standard deviations.

    Parameters
    ----------
    y_true, y_pred : tensors, shape (..., F)
        Targets and outputs. Shapes broadcast.
    axis : int, default -1
        The axis of the pairs.

    Returns
    -------
    Tensor
        Without `axis`.
    """
    _, (a, b, ab) = _moments("pearson_correlation", y_true, y_pred, axis)
    return ops.mean(ab / ops.sqrt(a) / ops.sqrt(b), axis=axis)


def concordance_correlation(y_true, y_pred, axis=-1):
    """2 * covariance / (sum of variances + squared difference of means): 1 if all pairs are equal.

    L. I.-K. Lin: "A concordance correlation coefficient to evaluate reproducibility", Biometrics
    45 (1989).

    Parameters
    ----------
    y_true, y_pred : tensors, shape (..., F)
        Targets and outputs. Shapes broadcast.
    axis : int, default -1
        The axis of the pairs.

    Returns
    -------
    Tensor
        Without `axis`.
    """
    means, (a, b, ab) = _moments("concordance_correlation", y_true, y_pred, axis)
    spread = a + b + ops.squared_difference(*means)
    return ops.mean(2.0 * ab / (spread + config.epsilon()), axis=axis)


class CosineSimilarity(_AlongAxis):
    """The mean cosine of the angle between targets and outputs; see `cosine_similarity`.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    axis : int, default -1
        The axis of the vectors.

    Examples
    --------
    >>> from nnlite import metrics
    >>> metrics.CosineSimilarity()([[0.0, 2.0]], [[0.0, 0.5]])
    1.0
    """

    function = staticmethod(cosine_similarity)


class PearsonCorrelation(_AlongAxis):
    """The mean over samples of the correlation of each; see `pearson_correlation`.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    axis : int, default -1
        The axis of the pairs.
    """

    function = staticmethod(pearson_correlation)


class ConcordanceCorrelation(_AlongAxis):
    """The mean over samples of the concordance of each; see `concordance_correlation`.

    Parameters
    ----------
    name, dtype
        As for `Metric`.
    axis : int, default -1
        The axis of the pairs.
    """

    function = staticmethod(concordance_correlation)


for _function in (cosine_similarity, pearson_correlation, concordance_correlation):
    _function.higher_is_better = True  # also as a metric of its own
