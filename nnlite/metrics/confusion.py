"""Counts of true and false positives and negatives; precision, recall and F-scores.

The one idea: these metrics, and the curves, are computed from one running histogram: how often a
score lies between two neighbouring thresholds, for positive and for negative targets. There is a
histogram for all outputs together, or one for each output. Counts add up exactly, so the value over
batches is the value of all samples.

Targets have the shape of the outputs: 0 is negative, any other value is positive. Integer labels
of several outputs, of shape (N,) or (N, 1), count as one-hot rows. Where a target or a score that
counts is NaN, the value is NaN.
"""

import numpy as np

from nnlite import ops
from nnlite.engine.recording import tracing
from nnlite.engine.tensor import Tensor, as_array
from nnlite.losses.loss import as_outputs, beside, check_labels, equal_shapes, weights_like
from nnlite.metrics.metric import Metric, MetricVariable


class ComputedVariable(MetricVariable):
    """A Variable that is computed from the sums of a metric whenever it is read; an assignment
    changes the sums. A subclass says how: `_read()` and `_write(sums, values)`.

    Parameters
    ----------
    metric : Metric
        One with `_running` sums.
    name : str
    """

    def __init__(self, metric, name):
        _refuse_in_a_trace(metric, name)
        self._metric = metric
        Metric.variables.fget(metric)  # makes the sums, if their shapes are known
        super().__init__(self._read(), False, name)

    @property
    def _data(self):
        self._values[...] = self._read()
        return self._values

    @_data.setter
    def _data(self, values):
        self._values = values

    def assign(self, value):
        """Change the sums so that these are the values.

        Parameters
        ----------
        value : tensor or array-like
            Of the same shape.

        Returns
        -------
        self
        """
        _refuse_in_a_trace(self._metric, self.name)
        if not self._metric._variables:
            raise ValueError(f"{self.name}: expected an update first: outputs are not yet known")
        given = as_array(value, self.dtype)
        if given.shape != self.shape:
            raise ValueError(f"{self.name}: expected shape {self.shape}, got {given.shape}")
        self._write(self._metric._variables[0]._data, given)
        return self


def _refuse_in_a_trace(metric, name):
    if tracing():
        raise RuntimeError(
            f"metric {metric.name!r}: {name} is not known inside a traced step; "
            "compile(run_eagerly=True) lets a step read and assign it"
        )


class CountVariable(ComputedVariable):
    """One of the four counts at each threshold.

    Parameters
    ----------
    metric : Counting
    name : {'true_negatives', 'false_negatives', 'false_positives', 'true_positives'}
    """

    def __init__(self, metric, name):
        self._which = _COUNTS.index(name)
        self._order = np.argsort(metric._levels(), kind="stable")
        super().__init__(metric, name)

    def _read(self):
        counts = self._metric._counts_at(self._order)[self._which][np.argsort(self._order)]
        return counts[:, 0] if counts.shape[1] == 1 else counts

    def _write(self, sums, values):
        counts = values.reshape(len(self._order), -1)[self._order]
        unknown = np.isnan(counts)
        # Positive targets are the second and fourth of the counts, scores above the last two.
        bins = sums[self._which % 2]
        bins, counts = (bins[:0:-1], counts[::-1]) if self._which > 1 else (bins[:-1], counts)
        bins[...], sums[2] = 0, 0
        bins[..., 0] = np.diff(np.where(np.isnan(counts), 0, counts), axis=0, prepend=0)
        sums[2, 0, :, 0] = unknown.any(axis=0)


# In the order in which `_counts_at` gives them.
_COUNTS = ("true_negatives", "false_negatives", "false_positives", "true_positives")


def _counted(name, what):
    """A property: one of the four counts so far, at each threshold."""

    return property(
        lambda self: CountVariable(self, name),
        doc=f"The number of {what} at each threshold, so far: a Variable.",
    )


class Counting(Metric):
    """Base of the metrics that are computed from the histogram."""

    # The counts that `variables` shows.
    _shown = ("true_positives", "false_positives", "true_negatives", "false_negatives")

    @property
    def variables(self):
        """The counts so far at each threshold: Variables of shape (T,), or (T, outputs)."""
        _, *others = super().variables or [None]
        counts = [getattr(self, name) for name in self._shown] if self._variables else []
        return [*counts, *others]

    def _count(self, thresholds, labels, y_pred, sample_weight=None, columns=1):
        """Add a batch to the histogram.

        Parameters
        ----------
        thresholds : array, shape (T,)
            Increasing.
        labels, y_pred : tensors, shape (..., F)
            As `_aligned` gives them.
        sample_weight : tensor that broadcasts to (..., F), optional
        columns : int, default 1
            1 to count all outputs together, F to count each separately.
        """
        (running,) = self._running((3, len(thresholds) + 1, columns, 2))
        tensors = [labels, y_pred]
        if sample_weight is not None:
            tensors.append(ops.broadcast_to(sample_weight, y_pred.shape))
        tensors = [ops.reshape(t, (-1, columns)) for t in tensors]
        ops.accumulate_counts(running, ops.operands(y_pred, thresholds)[1], *tensors)

    def _counts_at(self, thresholds):
        """(true negatives, false negatives, false positives, true positives) at each threshold:
        arrays of shape (T, columns)."""
        bins = len(thresholds) + 1
        (counts,) = self._sums() or [np.zeros(3 * bins)]
        counts = counts.reshape(3, bins, -1)
        counts[:, :, counts[2].any(axis=0)] = np.nan
        below = counts[:, :-1].cumsum(axis=1)
        above = counts[:, :0:-1].cumsum(axis=1)[:, ::-1]
        return below[0], below[1], above[0], above[1]

    true_negatives = _counted("true_negatives", "negative targets that are predicted negative")
    false_negatives = _counted("false_negatives", "positive targets that are predicted negative")
    false_positives = _counted("false_positives", "negative targets that are predicted positive")
    true_positives = _counted("true_positives", "positive targets that are predicted positive")

    def _aligned(self, y_true, y_pred):
        """Labels and outputs of one shape: 0 negative, 1 positive, 2 if target or score is NaN.
        Class numbers of several outputs become one-hot rows."""
        y_pred = as_outputs(y_pred)
        classes = y_pred.shape[-1] if y_pred.shape else 1
        if classes > 1 and y_pred.ndim > 1:
            y_true = y_true if isinstance(y_true, Tensor) else beside(y_pred, y_true)
            shape = y_true.shape
            if shape in (y_pred.shape[:-1], (*y_pred.shape[:-1], 1)):
                check_labels(y_true, classes)
                labels = ops.reshape(ops.cast(y_true, "int32"), y_pred.shape[:-1])
                y_true = ops.one_hot(labels, classes, dtype=y_pred.dtype)
        y_true, y_pred = equal_shapes(f"metric {self.name!r}", y_true, y_pred)
        both = y_true + y_pred
        return ops.where(ops.equal(both, both), ops.not_equal(y_true, 0.0), 2.0), y_pred


def weighted_columns(y_pred, sample_weight, columns):
    """The product of sample weights and weights of the outputs. Either may be None, for ones."""
    weight = None if sample_weight is None else weights_like(y_pred, sample_weight)
    if columns is None:
        return weight
    columns = ops.operands(y_pred, columns)[1]
    return columns if weight is None else weight * columns


def only(class_id, y_pred):
    """Weights of the outputs: 1 for that of a class, 0 for the others; None without a class."""
    if class_id is None:
        return None
    classes = y_pred.shape[-1] if y_pred.ndim > 1 else 1
    if not 0 <= class_id < classes:
        raise ValueError(f"class_id: expected one of {classes} outputs, got {class_id!r}")
    return np.eye(classes)[class_id]


def fractions(name, given):
    """Numbers from 0 to 1, or one, as an array of one axis."""
    array = np.atleast_1d(np.asarray(given))
    legal = array.dtype.kind in "iuf" and array.ndim == 1 and array.size > 0
    if not legal or not np.all((array >= 0) & (array <= 1)):
        raise ValueError(f"{name}: expected numbers from 0 to 1, got {given!r}")
    return array.astype(np.float64)


def ratio(part, whole):
    """part / whole; 0 where `whole` is 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) != 0)


class Thresholded(Counting):
    """Base of the metrics at given thresholds: `_from_counts(tn, fn, fp, tp)` computes them."""

    top_k = class_id = None
    _legal = {"top_k": "int [1, inf)", "class_id": "int [0, inf)"}

    def __init__(self, thresholds=None, name=None, dtype=None):
        super().__init__(name, dtype)
        self.thresholds = thresholds
        self._levels()

    def _shapes(self):
        return ((3, len(self._levels()) + 1, 1, 2),)

    def _levels(self):
        """The thresholds as an array, in the order given."""
        given = self.thresholds
        if given is None:  # with top_k, the k largest scores are positive at any value
            return np.array([0.5 if self.top_k is None else -np.inf])
        return fractions("thresholds", given)

    def update_state(self, y_true, y_pred, sample_weight=None):
        labels, y_pred = self._aligned(y_true, y_pred)
        weight = weighted_columns(y_pred, sample_weight, only(self.class_id, y_pred))
        if self.top_k is not None:
            _, places = ops.top_k(y_pred, self.top_k)
            chosen = ops.sum(ops.one_hot(places, y_pred.shape[-1], dtype=y_pred.dtype), axis=-2)
            y_pred = ops.where(chosen, y_pred, -np.inf)
        self._count(np.sort(self._levels()), labels, y_pred, weight)

    def _from_counts(self, tn, fn, fp, tp):
        """The metric value at each threshold, from arrays of counts."""
        raise TypeError(f"{type(self).__name__}: must define _from_counts(tn, fn, fp, tp)")

    def result(self):
        """The value so far: a float; for a list of several thresholds an array."""
        levels = self._levels()
        values, order = np.empty(len(levels)), np.argsort(levels, kind="stable")
        values[order] = self._from_counts(*self._counts_at(levels))[:, 0]
        return values.item() if len(levels) == 1 else values


class TrueNegatives(Thresholded):
    """The number of negative targets that are predicted negative.

    Parameters
    ----------
    thresholds : float or list of floats in [0, 1], default 0.5
        Scores above a threshold are predicted positive. A list gives an array of values.
    name, dtype
        As for `Metric`.
    """

    higher_is_better = True
    _shown = ("true_negatives",)

    def _from_counts(self, tn, fn, fp, tp):
        return tn


class FalseNegatives(Thresholded):
    """The number of positive targets that are predicted negative.

    Parameters
    ----------
    thresholds : float or list of floats in [0, 1], default 0.5
        Scores above a threshold are predicted positive. A list gives an array of values.
    name, dtype
        As for `Metric`.
    """

    higher_is_better = False
    _shown = ("false_negatives",)

    def _from_counts(self, tn, fn, fp, tp):
        return fn


class FalsePositives(Thresholded):
    """The number of negative targets that are predicted positive.

    Parameters
    ----------
    thresholds : float or list of floats in [0, 1], default 0.5
        Scores above a threshold are predicted positive. A list gives an array of values.
    name, dtype
        As for `Metric`.
    """

    higher_is_better = False
    _shown = ("false_positives",)

    def _from_counts(self, tn, fn, fp, tp):
        return fp


class TruePositives(Thresholded):
    """The number of positive targets that are predicted positive.

    Parameters
    ----------
    thresholds : float or list of floats in [0, 1], default 0.5
        Scores above a threshold are predicted positive. A list gives an array of values.
    name, dtype
        As for `Metric`.
    """

    higher_is_better = True
    _shown = ("true_positives",)

    def _from_counts(self, tn, fn, fp, tp):
        return tp


class Precision(Thresholded):
    """True positives / predicted positives; 0 if nothing is predicted positive.

    All outputs are counted together. Integer labels of several outputs count as one-hot rows. For
    a softmax of two classes, `class_id=1` gives the precision of class 1.

    Parameters
    ----------
    thresholds : float or list of floats in [0, 1], default 0.5
        Scores above a threshold are predicted positive. A list gives an array of values.
    top_k : int, optional
        Only the k largest scores of a sample can be predicted positive. Without `thresholds` all k
        are.
    class_id : int, optional
        Count this output only.
    name, dtype
        As for `Metric`.

    Examples
    --------
    >>> from nnlite import metrics
    >>> precision = metrics.Precision()
    >>> precision.update_state([[1], [0], [1]], [[0.9], [0.6], [0.2]])
    >>> precision.result()
    0.5
    """

    higher_is_better = True
    _shown = ("true_positives", "false_positives")

    def __init__(self, thresholds=None, top_k=None, class_id=None, name=None, dtype=None):
        super().__init__(thresholds, name, dtype)
        self.top_k, self.class_id = top_k, class_id

    def _from_counts(self, tn, fn, fp, tp):
        return ratio(tp, tp + fp)


class Recall(Precision):
    """True positives / positive targets; 0 if there are no positive targets.

    Parameters
    ----------
    thresholds : float or list of floats in [0, 1], default 0.5
        Scores above a threshold are predicted positive. A list gives an array of values.
    top_k, class_id
        As for `Precision`.
    name, dtype
        As for `Metric`.

    Examples
    --------
    >>> from nnlite import metrics
    >>> metrics.Recall()([[1], [0], [1]], [[0.9], [0.6], [0.2]])
    0.5
    """

    _shown = ("true_positives", "false_negatives")

    def _from_counts(self, tn, fn, fp, tp):
        return ratio(tp, tp + fn)


class FBetaScore(Counting):
    """(1 + beta^2) * precision * recall / (beta^2 * precision + recall).

    Parameters
    ----------
    average : {None, 'micro', 'macro', 'weighted'}, default None
        - None: an array of one value for each class; a float for one output.
        - 'micro': counts all classes together.
        - 'macro': the mean over classes.
        - 'weighted': the mean over classes, weighted by the number of positive targets.
    beta : float above 0, default 1.0
        The weight of recall relative to precision.
    threshold : float in (0, 1], optional
        Scores above are predicted positive. By default the largest of several outputs is, and one
        output is if it exceeds 0.5.
    name : str, default 'fbeta_score'
    dtype
        As for `Metric`.

    Examples
    --------
    >>> from nnlite import metrics
    >>> metrics.FBetaScore("micro", beta=2.0)([1, 0, 1], [[0.2, 0.8], [0.4, 0.6], [0.1, 0.9]])
    0.6666666666666666
    """

    higher_is_better = True
    _shown = ("true_positives", "false_positives", "false_negatives")
    _legal = {
        "average": (None, "micro", "macro", "weighted"),
        "beta": "(0, inf)",
        "threshold": "(0, 1]",
    }

    def __init__(self, average=None, beta=1.0, threshold=None, name="fbeta_score", dtype=None):
        super().__init__(name, dtype)
        self.average, self.beta, self.threshold = average, beta, threshold

    def _levels(self):
        return np.array([self.threshold or 0.5])

    def update_state(self, y_true, y_pred, sample_weight=None):
        labels, y_pred = self._aligned(y_true, y_pred)
        weight = weighted_columns(y_pred, sample_weight, None)
        columns = y_pred.shape[-1] if y_pred.ndim > 1 else 1
        if self.threshold is None and columns > 1:
            largest = ops.max(y_pred, axis=-1, keepdims=True)
            not_zero = ops.greater(ops.abs(y_pred), 1e-9)  # a row of zeros has no positives
            y_pred = ops.greater_equal(y_pred, largest) * not_zero
        self._count(self._levels(), labels, y_pred, weight, columns)

    def result(self):
        """The value so far: a float, or an array of one value for each class."""
        _, fn, fp, tp = (t[0] for t in self._counts_at(self._levels()))
        if self.average == "micro":
            fn, fp, tp = (t.sum(keepdims=True) for t in (fn, fp, tp))
        b = self.beta**2
        scores = ratio((1 + b) * tp, (1 + b) * tp + b * fn + fp)
        if self.average == "weighted":
            return float(ratio((scores * (tp + fn)).sum(), (tp + fn).sum()))
        return float(scores.mean()) if self.average or len(scores) == 1 else scores


class F1Score(FBetaScore):
    """2 * precision * recall / (precision + recall).

    Parameters
    ----------
    average, threshold
        As for `FBetaScore`.
    name : str, default 'f1_score'
    dtype
        As for `Metric`.

    Examples
    --------
    >>> from nnlite import metrics
    >>> metrics.F1Score()([[1], [0], [1]], [[0.9], [0.6], [0.7]])
    0.8
    """

    def __init__(self, average=None, threshold=None, name="f1_score", dtype=None):
        super().__init__(average, 1.0, threshold, name, dtype)
