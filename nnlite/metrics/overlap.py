"""Intersection over union: the overlap of the true and the predicted samples of a class."""

import numpy as np

from nnlite import ops
from nnlite.losses.loss import same_rank, weights_like
from nnlite.metrics.confusion import ratio
from nnlite.metrics.metric import Metric


class IoU(Metric):
    """Intersection over union, the mean over given classes.

    Of a class it is (samples of this label that are predicted as this class) / (samples of this
    label or predicted as this class). Classes without such samples are left out of the mean.

    Parameters
    ----------
    num_classes : int
        L. Samples whose label or prediction is not in [0, L) do not count.
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
        """The mean so far, a float; 0.0 without samples."""
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
        super().update_state(y_true, ops.greater_equal(y_pred, self.threshold), sample_weight)
