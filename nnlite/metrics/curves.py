"""Metrics over many thresholds: areas under curves, and the best rate given another rate."""

import math

import numpy as np

from nnlite import ops
from nnlite.checks import check_choice, check_setting
from nnlite.metrics.confusion import Counting, fractions, only, ratio, weighted_columns


def even_thresholds(number):
    """An array of evenly spaced thresholds from 0 to 1; a single threshold is 0.5."""
    return np.arange(number) / (number - 1) if number > 1 else np.array([0.5])


class AUC(Counting):
    """The area under the ROC or precision-recall curve.

    The curve has `num_thresholds` points, as in Keras: scores between two neighbouring thresholds
    count as equal. The area under the ROC curve then differs from the exact one by at most half the
    fraction of (positive, negative) pairs whose scores lie between the same two thresholds. If many
    scores are close to 0 or 1, use more thresholds: they are cheap.

    All outputs are counted together. `multi_label=True` takes the mean of the areas of all outputs,
    which for a softmax is the mean of each class against the rest. Integer labels of several
    outputs count as one-hot rows.

    Parameters
    ----------
    num_thresholds : int of at least 2, default 200
        Evenly spaced. At the first all scores are predicted positive, at the last none.
    curve : {'ROC', 'PR', 'PRGAIN'}, default 'ROC'
    summation_method : {'interpolation', 'majoring', 'minoring'}, default 'interpolation'
        The height of the curve between two points:

        - 'interpolation': the mean of both; for 'PR' the curve of J. Davis, M. Goadrich: "The
          relationship between precision-recall and ROC curves", ICML 2006,
        - 'majoring': the larger,
        - 'minoring': the smaller.
    name, dtype
        As for `Metric`.
    thresholds : list of floats in [0, 1], optional
        Used instead of evenly spaced ones. Both ends are added.
    multi_label : bool, default False
        Whether to take the mean of the areas of all outputs.
    num_labels : int, optional
        Ignored; accepted for Keras's signature.
    label_weights : list of floats, optional
        One weight for each output.
    from_logits : bool, default False
        Whether outputs are logits: a sigmoid is applied to them.

    Examples
    --------
    >>> from nnlite import metrics
    >>> round(metrics.AUC()([[0], [0], [1], [1]], [[0.0], [0.5], [0.3], [0.9]]), 6)
    0.75
    """

    higher_is_better = True
    _legal = {
        "summation_method": ("interpolation", "majoring", "minoring"),
        "multi_label": "bool",
        "num_labels": "int [1, inf)",
        "from_logits": "bool",
    }

    def __init__(
        self,
        num_thresholds=200,
        curve="ROC",
        summation_method="interpolation",
        name=None,
        dtype=None,
        thresholds=None,
        multi_label=False,
        num_labels=None,
        label_weights=None,
        from_logits=False,
    ):
        super().__init__(name, dtype)
        check_choice("curve", str(curve).upper(), tuple(_CURVES), "AUC")
        if thresholds is None:
            check_setting("num_thresholds", num_thresholds, "int [2, 16777216]", "AUC")
            inner = even_thresholds(int(num_thresholds))[1:-1]
        else:
            inner = np.sort(fractions("thresholds", thresholds))
        self.thresholds = [0.0, *inner.tolist(), 1.0]
        self.num_thresholds, self.curve = len(self.thresholds), curve
        self.summation_method = summation_method
        self.multi_label, self.num_labels = multi_label, num_labels
        if label_weights is not None and np.asarray(label_weights).dtype.kind not in "biuf":
            raise ValueError(f"AUC: label_weights: expected numbers, got {label_weights!r}")
        self.label_weights, self.from_logits = label_weights, from_logits

    def _shapes(self):
        return () if self.multi_label else ((3, self.num_thresholds + 1, 1, 2),)

    def _levels(self):
        # At -inf all scores are predicted positive, at inf none.
        return np.array([-np.inf, *self.thresholds[1:-1], np.inf])

    def update_state(self, y_true, y_pred, sample_weight=None):
        levels = self._levels()
        labels, y_pred = self._aligned(y_true, y_pred)
        if self.from_logits:
            y_pred = ops.sigmoid(y_pred)
        columns = None if self.multi_label else self.label_weights
        weight = weighted_columns(y_pred, sample_weight, columns)
        self._count(levels, labels, y_pred, weight, y_pred.shape[-1] if self.multi_label else 1)

    def result(self):
        """The area so far, a float."""
        table = self._counts_at(self._levels())
        curve = str(self.curve).upper()
        if curve == "PR" and self.summation_method == "interpolation":
            areas = _area_of_precision_recall(*table)
        else:
            x, y = _CURVES[curve](*table)
            heights = {
                "interpolation": lambda a, b: (a + b) / 2,
                "majoring": np.maximum,
                "minoring": np.minimum,
            }[self.summation_method](y[:-1], y[1:])
            areas = ((x[:-1] - x[1:]) * heights).sum(axis=0)
        weights = self.label_weights if len(areas) > 1 else None
        return float(np.average(areas, weights=weights))


def _roc(tn, fn, fp, tp):
    """False positive rates and true positive rates."""
    return ratio(fp, fp + tn), ratio(tp, tp + fn)


def _precision_recall(tn, fn, fp, tp):
    return ratio(tp, tp + fn), ratio(tp, tp + fp)


def _gains(tn, fn, fp, tp):
    """Recall gain and precision gain. Without true positives they are 0 and 1; a negative recall
    gain counts as 0.

    P. Flach, M. Kull: "Precision-recall-gain curves", NeurIPS 2015."""
    odds = ratio(tp + fn, tn + fp)
    recall = np.where(tp == 0, 0.0, 1 - odds * ratio(fn, tp))
    precision = np.where(tp == 0, 1.0, 1 - odds * ratio(fp, tp))
    return np.maximum(recall, 0), precision


_CURVES = {"ROC": _roc, "PR": _precision_recall, "PRGAIN": _gains}


def _area_of_precision_recall(tn, fn, fp, tp):
    """The integral of precision over recall.

    Between two thresholds, true positives are linear in predicted positives, so precision = slope +
    intercept / predicted positives."""
    positives = tp + fp
    found, change = tp[:-1] - tp[1:], positives[:-1] - positives[1:]
    slope = ratio(found, change)
    intercept = tp[1:] - slope * positives[1:]
    both = (positives[:-1] > 0) & (positives[1:] > 0)
    steps = np.log(np.where(both, ratio(positives[:-1], positives[1:]), 1.0))
    targets = np.maximum((tp + fn)[1:], 0)  # negative weights count nothing
    return ratio(slope * (found + intercept * steps), targets).sum(axis=0)


class _BestGiven(Counting):
    """Base: the largest value of one rate over the thresholds where another is at least `least`."""

    higher_is_better = True
    _legal = dict.fromkeys(("specificity", "sensitivity", "recall", "precision"), "[0, 1]") | {
        "num_thresholds": "int [1, 16777216]",
        "class_id": "int [0, inf)",
    }

    def __init__(self, least, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(name, dtype)
        self._least = least
        self.num_thresholds, self.class_id = num_thresholds, class_id

    def _shapes(self):
        return ((3, self.num_thresholds + 1, 1, 2),)

    def _levels(self):
        return even_thresholds(self.num_thresholds)

    def update_state(self, y_true, y_pred, sample_weight=None):
        levels = self._levels()
        labels, y_pred = self._aligned(y_true, y_pred)
        weight = weighted_columns(y_pred, sample_weight, only(self.class_id, y_pred))
        self._count(levels, labels, y_pred, weight)

    def _best(self, constrained, rate):
        if np.isnan(rate).any():
            return math.nan
        return float(np.max(rate, where=constrained >= self._least, initial=0.0))


class SensitivityAtSpecificity(_BestGiven):
    """The largest sensitivity at thresholds where the specificity is at least a given value.

    Sensitivity is the recall of positive targets, specificity that of negative ones.

    Parameters
    ----------
    specificity : float in [0, 1]
    num_thresholds : int, default 200
        The number of thresholds, evenly spaced from 0 to 1.
    class_id : int, optional
        Count this output only. By default all outputs are counted together.
    name, dtype
        As for `Metric`.

    Examples
    --------
    >>> from nnlite import metrics
    >>> metric = metrics.SensitivityAtSpecificity(0.5)
    >>> metric([[0], [0], [0], [1], [1]], [[0.0], [0.3], [0.8], [0.3], [0.8]])
    0.5
    """

    def __init__(self, specificity, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(specificity, num_thresholds, class_id, name, dtype)
        self.specificity = specificity

    def result(self):
        """The value so far, a float."""
        tn, fn, fp, tp = self._counts_at(self._levels())
        return self._best(ratio(tn, tn + fp), ratio(tp, tp + fn))


class SpecificityAtSensitivity(_BestGiven):
    """The largest specificity at thresholds where the sensitivity is at least a given value.

    Sensitivity is the recall of positive targets, specificity that of negative ones.

    Parameters
    ----------
    sensitivity : float in [0, 1]
    num_thresholds : int, default 200
        The number of thresholds, evenly spaced from 0 to 1.
    class_id : int, optional
        Count this output only. By default all outputs are counted together.
    name, dtype
        As for `Metric`.
    """

    def __init__(self, sensitivity, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)
        self.sensitivity = sensitivity

    def result(self):
        """The value so far, a float."""
        tn, fn, fp, tp = self._counts_at(self._levels())
        return self._best(ratio(tp, tp + fn), ratio(tn, tn + fp))


class PrecisionAtRecall(_BestGiven):
    """The largest precision at thresholds where the recall is at least a given value.

    Parameters
    ----------
    recall : float in [0, 1]
    num_thresholds : int, default 200
        The number of thresholds, evenly spaced from 0 to 1.
    class_id : int, optional
        Count this output only. By default all outputs are counted together.
    name, dtype
        As for `Metric`.
    """

    def __init__(self, recall, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(recall, num_thresholds, class_id, name, dtype)
        self.recall = recall

    def result(self):
        """The value so far, a float."""
        _, fn, fp, tp = self._counts_at(self._levels())
        return self._best(ratio(tp, tp + fn), ratio(tp, tp + fp))


class RecallAtPrecision(_BestGiven):
    """The largest recall at thresholds where the precision is at least a given value.

    Parameters
    ----------
    precision : float in [0, 1]
    num_thresholds : int, default 200
        The number of thresholds, evenly spaced from 0 to 1.
    class_id : int, optional
        Count this output only. By default all outputs are counted together.
    name, dtype
        As for `Metric`.
    """

    def __init__(self, precision, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(precision, num_thresholds, class_id, name, dtype)
        self.precision = precision

    def result(self):
        """The value so far, a float."""
        _, fn, fp, tp = self._counts_at(self._levels())
        return self._best(ratio(tp, tp + fp), ratio(tp, tp + fn))
