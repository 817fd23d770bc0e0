"""Intersection over union: the overlap of the true and the predicted samples of a class."""

import numpy as np

from nnlite import ops, warn
from nnlite.checks import is_number
from nnlite.losses.loss import as_outputs, beside, broadcasting, check_labels, weights_like
from nnlite.metrics.confusion import ComputedVariable, ratio
from nnlite.metrics.metric import Metric


class ConfusionMatrix(ComputedVariable):
    """How much weight the samples of a label have that are predicted as a class: a Variable of
    shape (labels, classes)."""

    def _read(self):
        number = self._metric.num_classes
        (counts,) = self._metric._sums()
        return counts.reshape(number + 1, number)[:number]

    def _write(self, sums, values):
        sums[...] = 0
        sums[:-1, :, 0, 0] = values


class IoU(Metric):
    """Intersection over union, the mean over given classes.

    Of a class it is (samples of this label that are predicted as this class) / (samples of this
    label or predicted as this class). Classes without such samples are left out of the mean.

    Parameters
    ----------
    num_classes : int
        L. Samples whose label or prediction is not in [0, L) do not count, and `result` warns of
        them.
    target_class_ids : sequence of int
        The classes that the mean is taken over.
    name, dtype
        As for `Metric`.
    ignore_class : int, optional
        Samples of this label do not count.
    sparse_y_true, sparse_y_pred : bool, default True
        Whether targets, and predictions, are class numbers. Otherwise they have one value per
        class, and the class is the argmax along `axis`.
    axis : int, default -1
        The axis of the classes.

    Examples
    --------
    >>> from nnlite import metrics
    >>> metrics.IoU(num_classes=2, target_class_ids=[0])([0, 0, 1, 1], [0, 1, 0, 1])
    0.3333333333333333
    """

    higher_is_better = True
    _legal = {
        "num_classes": "int [1, 16777216]",
        "ignore_class": "int",
        "sparse_y_true": "bool",
        "sparse_y_pred": "bool",
        "axis": "int",
        "threshold": "(-inf, inf)",
    }

    def __init__(
        self,
        num_classes,
        target_class_ids,
        name=None,
        dtype=None,
        ignore_class=None,
        sparse_y_true=True,
        sparse_y_pred=True,
        axis=-1,
    ):
        super().__init__(name, dtype)
        self.num_classes, self.target_class_ids = num_classes, target_class_ids
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        self._warned = False
        if not isinstance(target_class_ids, range):
            given = list(target_class_ids) if np.iterable(target_class_ids) else [None]
            if not all(is_number(c, f"[0, {num_classes})") and c % 1 == 0 for c in given):
                raise ValueError(
                    f"target_class_ids: expected numbers in [0, {num_classes}), got "
                    f"{target_class_ids!r}"
                )

    def _shapes(self):
        return ((self.num_classes + 1, self.num_classes, 1, 2),)

    @property
    def total_cm(self):
        """The confusion matrix so far, a Variable of shape (labels, classes)."""
        return ConfusionMatrix(self, "total_confusion_matrix")

    @property
    def variables(self):
        """The confusion matrix so far, a list of one Variable."""
        _, *others = super().variables
        return [self.total_cm, *others]

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_pred = as_outputs(y_pred)
        y_true = beside(y_pred, y_true)
        for name, y, sparse in (
            ("y_true", y_true, self.sparse_y_true),
            ("y_pred", y_pred, self.sparse_y_pred),
        ):
            if sparse:
                check_labels(y, ignored=self.ignore_class, what=name)
        if not self.sparse_y_true:
            y_true = ops.operands(ops.argmax(y_true, axis=self.axis))[0]
        if not self.sparse_y_pred:
            y_pred = ops.operands(ops.argmax(y_pred, axis=self.axis))[0]
        y_true, y_pred = broadcasting(f"metric {self.name!r}", y_true, y_pred)
        last = float(self.num_classes)
        # Those outside are counted under a label of their own, of which `result` warns.
        label = ops.where(_within(y_pred, last) * _within(y_true, last), y_true, last)
        if self.ignore_class is not None:
            label = ops.where(ops.equal(y_true, float(self.ignore_class)), -1.0, label)
        tensors = [label, y_pred]
        if sample_weight is not None:
            tensors.append(ops.broadcast_to(weights_like(y_pred, sample_weight), y_pred.shape))
        ops.accumulate_counts(
            *self._running(*self._shapes()),
            np.arange(1, self.num_classes) - 0.5,
            *(ops.reshape(t, (-1, 1)) for t in tensors),
        )

    def result(self):
        """The mean so far, a float; 0.0 without samples."""
        classes, number = [int(c) for c in self.target_class_ids], self.num_classes
        (counts,) = self._sums() or [np.zeros((number + 1) * number)]
        counts = counts.reshape(number + 1, number)
        if counts[number].any() and not self._warned:
            self._warned = True
            warn.warn(
                f"metric {self.name!r}: expected labels and predictions in [0, {number}), got "
                "others, which do not count; give another num_classes, or their label as "
                "ignore_class",
                UserWarning,
            )
        counts = counts[:number]
        both = np.diag(counts)[classes]
        either = (counts.sum(axis=0) + counts.sum(axis=1))[classes] - both
        return float(ratio(ratio(both, either).sum(), np.count_nonzero(either)))


def _within(y, classes):
    """1 for numbers in [0, classes), else 0."""
    return ops.greater_equal(y, 0.0) * ops.less(y, classes)


class MeanIoU(IoU):
    """Intersection over union, the mean over all classes; see `IoU`.

    Parameters
    ----------
    num_classes, ignore_class, sparse_y_true, sparse_y_pred, axis
        As for `IoU`.
    name, dtype
        As for `Metric`.
    """

    def __init__(
        self,
        num_classes,
        name=None,
        dtype=None,
        ignore_class=None,
        sparse_y_true=True,
        sparse_y_pred=True,
        axis=-1,
    ):
        self._check_given()
        super().__init__(
            num_classes,
            range(int(num_classes)),
            name,
            dtype,
            ignore_class,
            sparse_y_true,
            sparse_y_pred,
            axis,
        )


class OneHotIoU(IoU):
    """`IoU` of one-hot targets.

    Parameters
    ----------
    num_classes, target_class_ids, ignore_class, axis
        As for `IoU`.
    name, dtype
        As for `Metric`.
    sparse_y_pred : bool, default False
        Whether predictions are class numbers instead of scores.
    """

    def __init__(
        self,
        num_classes,
        target_class_ids,
        name=None,
        dtype=None,
        ignore_class=None,
        sparse_y_pred=False,
        axis=-1,
    ):
        super().__init__(
            num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis
        )


class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` of one-hot targets.

    Parameters
    ----------
    num_classes, ignore_class, axis
        As for `IoU`.
    name, dtype
        As for `Metric`.
    sparse_y_pred : bool, default False
        Whether predictions are class numbers instead of scores.
    """

    def __init__(
        self,
        num_classes,
        name=None,
        dtype=None,
        ignore_class=None,
        sparse_y_pred=False,
        axis=-1,
    ):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)


class BinaryIoU(IoU):
    """`IoU` of binary targets.

    Parameters
    ----------
    target_class_ids : sequence of int, default (0, 1)
        The classes that the mean is taken over.
    threshold : float, default 0.5
        Scores of at least this are predicted as class 1.
    name, dtype
        As for `Metric`.

    Examples
    --------
    >>> from nnlite import metrics
    >>> metrics.BinaryIoU(target_class_ids=[1])([[0], [1], [1]], [[0.6], [0.7], [0.1]])
    0.3333333333333333
    """

    def __init__(self, target_class_ids=(0, 1), threshold=0.5, name=None, dtype=None):
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_pred = ops.greater_equal(as_outputs(y_pred), float(self.threshold))
        super().update_state(y_true, y_pred, sample_weight)
