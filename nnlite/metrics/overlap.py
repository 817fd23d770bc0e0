"""Intersection over union: how well regions, or sets of samples, of each class overlap."""

import numpy as np

from nnlite import ops
from nnlite.losses.loss import same_rank, weights_like
from nnlite.metrics.confusion import ratio
from nnlite.metrics.metric import Metric


class IoU(Metric):
    """The mean over some classes of both / either: how often a class is true and predicted, over
    how often it is one of these. Classes that are neither true nor predicted are left out.

    Parameters
    ----------
    num_classes : int
        Samples whose label or prediction is not in [0, num_classes) are left out.
    target_class_ids : sequence of int
        The classes whose mean is taken.
    ignore_class : int, optional
        Samples of this label are left out.
    sparse_y_true, sparse_y_pred : bool, default True
        Whether targets and predictions are class numbers; if not, the largest along `axis` counts.
    axis : int, default -1

    Examples
    --------
    >>> from nnlite import metrics
    >>> metrics.IoU(num_classes=2, target_class_ids=[0])([0, 0, 1, 1], [0, 1, 0, 1])
    0.3333333333333333
    """

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

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Take one batch into account."""
        if not self.sparse_y_true:
            y_true = ops.argmax(y_true, axis=self.axis)
        if not self.sparse_y_pred:
            y_pred = ops.argmax(y_pred, axis=self.axis)
        y_true, y_pred = same_rank(y_true, ops.operands(y_pred)[0])
        counted = ops.greater_equal(y_pred, 0.0) * ops.less(y_pred, float(self.num_classes))
        if self.ignore_class is not None:
            counted = counted * (1.0 - ops.equal(y_true, float(self.ignore_class)))
        tensors = [ops.where(counted, y_true, -1.0), y_pred]
        if sample_weight is not None:
            tensors.append(ops.broadcast_to(weights_like(y_pred, sample_weight), y_pred.shape))
        ops.accumulate_counts(
            *self._running((self.num_classes, self.num_classes, 1, 2)),
            np.arange(1, self.num_classes) - 0.5,
            *(ops.reshape(t, (-1, 1)) for t in tensors),
        )

    def result(self):
        """The mean so far, a Python float (0.0 of none)."""
        classes = list(self.target_class_ids)
        if not all(0 <= c < self.num_classes for c in classes):
            raise ValueError(
                f"target_class_ids: expected numbers in [0, {self.num_classes}), got {classes}"
            )
        (counts,) = self._sums() or [np.zeros(self.num_classes**2)]
        counts = counts.reshape(self.num_classes, self.num_classes)
        both = np.diag(counts)[classes]
        either = (counts.sum(axis=0) + counts.sum(axis=1))[classes] - both
        return float(ratio(ratio(both, either).sum(), np.count_nonzero(either)))


class MeanIoU(IoU):
    """The mean over all classes of both / either; arguments as for `IoU`."""

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
        super().__init__(
            num_classes,
            range(num_classes),
            name,
            dtype,
            ignore_class,
            sparse_y_true,
            sparse_y_pred,
            axis,
        )


class OneHotIoU(IoU):
    """`IoU` of one-hot targets and of scores, or of class numbers with `sparse_y_pred`."""

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
    """`MeanIoU` of one-hot targets and of scores, or of class numbers with `sparse_y_pred`."""

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
    """`IoU` of yes/no targets and of scores, of which those of at least `threshold` are a yes.

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
        """Take one batch into account."""
        super().update_state(y_true, ops.greater_equal(y_pred, self.threshold), sample_weight)
