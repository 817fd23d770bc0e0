"""Metrics that are means of losses and the like, one value per sample."""

import math

from nnlite import config, losses, ops
from nnlite.losses.loss import broadcasting, weights_like
from nnlite.metrics.metric import Mean, SampleMean


class MeanSquaredError(SampleMean):
    """The mean of squared differences."""

    function = staticmethod(losses.mean_squared_error)


class RootMeanSquaredError(MeanSquaredError):
    """The root of the mean of squared differences.

    Examples
    --------
    >>> from nnlite import metrics
    >>> metrics.RootMeanSquaredError()([[1.0], [2.0]], [[4.0], [-1.0]])
    3.0
    """

    def result(self):
        """The root of the mean so far."""
        return math.sqrt(super().result())


class MeanAbsoluteError(SampleMean):
    """The mean of absolute differences."""

    function = staticmethod(losses.mean_absolute_error)


class MeanAbsolutePercentageError(SampleMean):
    """The mean difference in percent of the target."""

    function = staticmethod(losses.mean_absolute_percentage_error)


class MeanSquaredLogarithmicError(SampleMean):
    """The mean of squared differences of log(1 + y)."""

    function = staticmethod(losses.mean_squared_logarithmic_error)


class LogCoshError(SampleMean):
    """The mean of log(cosh(difference))."""

    function = staticmethod(losses.log_cosh)

    def __init__(self, name="logcosh", dtype=None):
        super().__init__(name, dtype)


class Hinge(SampleMean):
    """The mean hinge loss of -1/1 or 0/1 targets."""

    function = staticmethod(losses.hinge)


class SquaredHinge(SampleMean):
    """The mean squared hinge loss of -1/1 or 0/1 targets."""

    function = staticmethod(losses.squared_hinge)


class CategoricalHinge(SampleMean):
    """The mean hinge loss of one-hot targets."""

    function = staticmethod(losses.categorical_hinge)


class KLDivergence(SampleMean):
    """The mean Kullback-Leibler divergence of predicted from true distributions."""

    function = staticmethod(losses.kl_divergence)


class Poisson(SampleMean):
    """The mean Poisson loss."""

    function = staticmethod(losses.poisson)


class BinaryCrossentropy(SampleMean):
    """The mean cross-entropy of yes/no targets; arguments as for the loss."""

    function = staticmethod(losses.binary_crossentropy)

    def __init__(self, name=None, dtype=None, from_logits=False, label_smoothing=0.0):
        super().__init__(name, dtype)
        self.from_logits, self.label_smoothing = from_logits, label_smoothing


class CategoricalCrossentropy(SampleMean):
    """The mean cross-entropy with one-hot targets; arguments as for the loss."""

    function = staticmethod(losses.categorical_crossentropy)

    def __init__(self, name=None, dtype=None, from_logits=False, label_smoothing=0.0, axis=-1):
        super().__init__(name, dtype)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


class SparseCategoricalCrossentropy(SampleMean):
    """The mean cross-entropy with integer labels; arguments as for the loss. Samples of the
    `ignore_class` are left out."""

    function = staticmethod(losses.sparse_categorical_crossentropy)

    def __init__(self, name=None, dtype=None, from_logits=False, ignore_class=None, axis=-1):
        super().__init__(name, dtype)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Take one batch into account."""
        values = self.values_of(y_true, y_pred)
        if self.ignore_class is not None:
            counted = 1.0 - ops.equal(y_true, float(self.ignore_class))
            counted = ops.reshape(counted, values.shape)
            if sample_weight is not None:
                counted = counted * weights_like(values, sample_weight)
            sample_weight = counted
        Mean.update_state(self, values, sample_weight)


class _AlongAxis(SampleMean):
    def __init__(self, name=None, dtype=None, axis=-1):
        super().__init__(name, dtype)
        self.axis = axis


def cosine_similarity(y_true, y_pred, axis=-1):
    """cos of the angle between y_true and y_pred along `axis`: 1 if alike, -1 if opposite."""
    return -losses.cosine_similarity(y_true, y_pred, axis)


def _moments(name, y_true, y_pred, axis):
    """Both, their means, and their variances and covariance along `axis`."""
    both = broadcasting(name, y_true, y_pred)
    means = [ops.mean(y, axis=axis, keepdims=True) for y in both]
    a, b = (y - mean for y, mean in zip(both, means))
    return means, [ops.mean(x, axis=axis, keepdims=True) for x in (a * a, b * b, a * b)]


def pearson_correlation(y_true, y_pred, axis=-1):
    """The correlation of y_true and y_pred along `axis`, one for each sample."""
    _, (a, b, ab) = _moments("pearson_correlation", y_true, y_pred, axis)
    return ops.mean(ab / ops.sqrt(a) / ops.sqrt(b), axis=axis)


def concordance_correlation(y_true, y_pred, axis=-1):
    """2 * covariance / (both variances + squared difference of the means) along `axis`: how close
    pairs are to being equal.

    L. I.-K. Lin: "A concordance correlation coefficient to evaluate reproducibility", Biometrics
    45 (1989).
    """
    means, (a, b, ab) = _moments("concordance_correlation", y_true, y_pred, axis)
    spread = a + b + ops.squared_difference(*means)
    return ops.mean(2.0 * ab / (spread + config.epsilon()), axis=axis)


class CosineSimilarity(_AlongAxis):
    """The mean cosine of the angle between targets and outputs; see `cosine_similarity`.

    Examples
    --------
    >>> from nnlite import metrics
    >>> metrics.CosineSimilarity()([[0.0, 2.0]], [[0.0, 0.5]])
    1.0
    """

    function = staticmethod(cosine_similarity)


class PearsonCorrelation(_AlongAxis):
    """The mean over samples of the correlation within one; see `pearson_correlation`."""

    function = staticmethod(pearson_correlation)


class ConcordanceCorrelation(_AlongAxis):
    """The mean over samples of the concordance within one; see `concordance_correlation`."""

    function = staticmethod(concordance_correlation)
