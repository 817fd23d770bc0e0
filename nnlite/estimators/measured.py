"""What the metrics of an estimator see: targets as their users know them, not as the loss has them.

A network learns class numbers, and numbers on a scale of its own. Metrics get labels in the form
that they are made for, and numbers in the unit of y."""

import dataclasses

from nnlite import metrics, ops
from nnlite.configurable import Configurable, clone
from nnlite.errors import prefixed
from nnlite.estimators.targets import ContinuousTarget, Multiclass
from nnlite.tree import flatten

_OF_CLASS_NUMBERS = (
    metrics.Accuracy,
    metrics.AccuracyByShape,
    metrics.IoU,
    metrics.MeanIoU,
    metrics.SparseCategoricalAccuracy,
    metrics.SparseCategoricalCrossentropy,
    metrics.SparseTopKCategoricalAccuracy,
)
# Only differences count: what is added to both sides would only cost digits.
_OF_DIFFERENCES = (
    metrics.LogCoshError,
    metrics.MeanAbsoluteError,
    metrics.MeanSquaredError,
    metrics.R2Score,
    metrics.RootMeanSquaredError,
)


def check_metrics(given):
    """Raise unless these are metrics: names, Metric objects and functions, in lists or dicts."""
    with prefixed("metrics: "):
        for metric in flatten(given):
            metrics.as_metric(metric)


def metrics_of(target, given):
    """The metrics to compile a model with: those of a target, and copies of those that are given.

    Parameters
    ----------
    target : Target
    given : list of str, Metric or function, or None
    """
    own = target.metrics() or []
    others = [m for m in flatten(given) if not (m is None or (own and m == "accuracy"))]
    return [*own, *(clone(m) if isinstance(m, Configurable) else m for m in others)] or None


def show_metrics(model, target):
    """Let the metrics of a compiled model see targets and outputs as users know them.

    Parameters
    ----------
    model : Model
    target : Target
    """
    scale = getattr(target, "_scale", None)
    if isinstance(target, ContinuousTarget) and scale is not None:
        view = _InUnitOfY(*scale)
    elif isinstance(target, Multiclass):
        view = _one_hot
    else:
        return
    for objective in model._objectives or ():
        objective.view = view


@dataclasses.dataclass(frozen=True)
class _InUnitOfY:
    """Numbers on the scale that a network learns, in the unit of y."""

    mean: object
    deviation: object

    def __call__(self, metric, targets, outputs):
        scaled = [ops.multiply(part, self.deviation) for part in (targets, outputs)]
        if isinstance(metric, _OF_DIFFERENCES):
            return scaled
        return [ops.add(part, self.mean) for part in scaled]


def _one_hot(metric, targets, outputs):
    """Class numbers as columns of 0 and 1, for metrics of nnlite that compare columns."""
    ours = type(metric).__module__.startswith("nnlite.metrics.")
    of_numbers = isinstance(metric, (*_OF_CLASS_NUMBERS, metrics.MeanMetricWrapper))
    if not ours or of_numbers or targets.shape == outputs.shape:
        return targets, outputs
    return ops.one_hot(ops.reshape(targets, (-1,)), outputs.shape[-1]), outputs
