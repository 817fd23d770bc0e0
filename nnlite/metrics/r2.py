"""R^2: the fraction of the targets' variance that predictions explain."""

import numpy as np

from nnlite import ops, warn
from nnlite.losses.loss import equal_shapes, weights_like
from nnlite.metrics.confusion import ratio
from nnlite.metrics.metric import Metric


class R2Score(Metric):
    """1 - sum((y_true - y_pred)^2) / sum((y_true - mean(y_true))^2), for each output.

    As in scikit-learn, the value of targets that are all equal is 1 if all predictions are exact,
    else 0.

    Parameters
    ----------
    class_aggregation : {'uniform_average', 'variance_weighted_average', None}
        - 'uniform_average', the default: the mean over outputs,
        - 'variance_weighted_average': the mean over outputs, weighted by their variance,
        - None: an array of one value for each output.
    num_regressors : int, default 0
        The number of features p for the adjusted value 1 - (1 - R^2) * (n - 1) / (n - p - 1). As in
        Keras, n is the number of target values: of samples times outputs. 0 means no adjustment.
    name, dtype
        As for `Metric`.

    Examples
    --------
    >>> from nnlite import metrics
    >>> metrics.R2Score()([[1.0], [2.0], [3.0]], [[1.0], [2.5], [3.0]])
    0.875
    """

    higher_is_better = True
    _legal = {
        "class_aggregation": (None, "uniform_average", "variance_weighted_average"),
        "num_regressors": "int [0, inf)",
    }

    def __init__(
        self, class_aggregation="uniform_average", num_regressors=0, name=None, dtype=None
    ):
        super().__init__(name, dtype)
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = equal_shapes(f"metric {self.name!r}", y_true, y_pred)
        ones = ops.ones_like(y_pred)
        weight = ones if sample_weight is None else ones * weights_like(y_pred, sample_weight)
        columns = y_pred.shape[-1] if y_pred.ndim > 1 else 1
        y, error, weight, ones = (
            ops.reshape(t, (-1, columns)) for t in (y_true, y_pred - y_true, weight, ones)
        )
        of_each = [[ones], [weight], [weight, y], [weight, y, y], [weight, error, error]]
        for sums, factors in zip(self._running(*[(columns, 2)] * len(of_each)), of_each):
            ops.accumulate_products(sums, *factors)

    def result(self):
        """The value so far: a float, or an array of one value for each output; 0.0 without
        samples."""
        samples, weight, y, squares, residual = self._sums() or np.zeros((5, 1))
        if not samples.any():
            return 0.0
        variance = squares - y * ratio(y, weight)
        # The variance of equal targets may be a rounding error instead of 0.
        variance = np.where(variance > 1e-12 * squares, variance, 0.0)
        scores = np.where(variance == 0, residual == 0, 1 - ratio(residual, variance))
        if self.class_aggregation == "uniform_average":
            scores = scores.mean()
        elif self.class_aggregation is not None:
            scores = np.average(scores, weights=variance if variance.any() else None)
        scores = self._adjusted(scores, samples.sum())
        return scores if np.ndim(scores) else float(scores)

    def _adjusted(self, scores, samples):
        free = samples - self.num_regressors - 1
        if self.num_regressors == 0:
            return scores
        if free <= 0:
            warn.warn(
                f"metric {self.name!r}: {samples:g} targets are too few for {self.num_regressors} "
                "features; the value is not adjusted",
                RuntimeWarning,
            )
            return scores
        return 1 - (1 - scores) * (samples - 1) / free
