"""Cross-entropies that weight samples by how well they are predicted: focal ones, for the sake of
hard samples, and one that wrong labels disturb less."""

import numpy as np

from nnlite import config, ops
from nnlite.checks import check_number, check_setting
from nnlite.losses.loss import Loss, as_outputs, check_labels, equal_shapes
from nnlite.losses.probabilistic import (
    Crossentropy,
    binary_of_probabilities,
    distribution,
    known_logits,
    smoothed,
    with_axis_last,
)
from nnlite.ops.elementwise import clip_probability


def categorical_focal_crossentropy(
    y_true, y_pred, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1
):
    """-sum(alpha * (1 - y_pred)^gamma * y_true * log(y_pred)) over the classes.

    Samples that are predicted well have little weight.

    T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár: "Focal loss for dense object detection",
    ICCV 2017.

    Parameters
    ----------
    y_true, y_pred, from_logits, label_smoothing, axis
        As for `categorical_crossentropy`.
    alpha : float or sequence of L floats, default 0.25
        The weight of all classes, or of each.
    gamma : float of at least 0, default 2.0
        The larger, the less weight have samples that are predicted well; 0 weights all equally.

    Returns
    -------
    Tensor, shape (...)
    """
    y_true, y_pred = equal_shapes("categorical_focal_crossentropy", y_true, y_pred)
    y_true, y_pred = with_axis_last(y_true, axis), with_axis_last(y_pred, axis)
    y_true = smoothed(y_true, label_smoothing, y_pred.shape[-1])
    logits = known_logits(y_pred, "softmax", from_logits)
    p = distribution(y_pred if logits is None else ops.softmax(logits))
    focus = np.asarray(alpha) * ops.power(1.0 - p, gamma)
    return -ops.sum(focus * y_true * ops.log(p), axis=-1)


def binary_focal_crossentropy(
    y_true,
    y_pred,
    apply_class_balancing=False,
    alpha=0.25,
    gamma=2.0,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
):
    """(1 - p)^gamma * binary cross-entropy, where p is the probability of the true class; the mean
    over `axis`. For the source see `categorical_focal_crossentropy`.

    Parameters
    ----------
    y_true, y_pred, from_logits, label_smoothing, axis
        As for `binary_crossentropy`.
    apply_class_balancing : bool, default False
        Whether targets 1 have the weight `alpha` and targets 0 the weight `1 - alpha`.
    alpha : float in [0, 1], default 0.25
    gamma : float of at least 0, default 2.0
        The larger, the less weight have samples that are predicted well; 0 weights all equally.

    Returns
    -------
    Tensor
        Without `axis`.
    """
    elements = _focal_elements(
        y_true, y_pred, apply_class_balancing, alpha, gamma, from_logits, label_smoothing
    )
    return ops.mean(elements, axis=axis)


def _focal_elements(
    y_true, y_pred, apply_class_balancing, alpha, gamma, from_logits, label_smoothing
):
    y_true, y_pred = equal_shapes("binary_focal_crossentropy", y_true, y_pred)
    y_true = smoothed(y_true, label_smoothing, 2)
    logits = known_logits(y_pred, "sigmoid", from_logits)
    if logits is None:
        p1 = clip_probability(y_pred)
        p0, loss = 1.0 - p1, binary_of_probabilities(y_true, p1)
    else:
        p1, p0 = ops.sigmoid(logits), ops.sigmoid(-logits)
        loss = ops.sigmoid_cross_entropy(logits, y_true)
    # 1 - p, at least epsilon(): a power below 1 has an infinite slope at 0.
    missed = ops.maximum(y_true * p0 + (1.0 - y_true) * p1, config.epsilon())
    loss = ops.power(missed, gamma) * loss
    check_setting("apply_class_balancing", apply_class_balancing, "bool")
    if apply_class_balancing:
        loss = loss * (y_true * alpha + (1.0 - y_true) * (1.0 - alpha))
    return loss


binary_focal_crossentropy.elements = _focal_elements


class CategoricalFocalCrossentropy(Crossentropy):
    """Cross-entropy with little weight for samples that are predicted well.

    See `categorical_focal_crossentropy`.

    Parameters
    ----------
    alpha : float or sequence of L floats, default 0.25
        The weight of all classes, or of each.
    gamma : float of at least 0, default 2.0
        The larger, the less weight have samples that are predicted well.
    **kwargs
        from_logits, label_smoothing, axis, as for `CategoricalCrossentropy`; of `Loss`: reduction,
        name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> round(losses.CategoricalFocalCrossentropy()([[0, 1]], [[0.5, 0.5]]).item(), 5)
    0.04332
    """

    function = staticmethod(categorical_focal_crossentropy)

    _legal = {"gamma": "[0, inf)"}

    def __init__(self, alpha=0.25, gamma=2.0, **kwargs):
        super().__init__(**kwargs)
        if np.asarray(alpha).dtype.kind not in "iuf":
            raise ValueError(
                f"CategoricalFocalCrossentropy: alpha: expected numbers, got {alpha!r}"
            )
        self.alpha, self.gamma = alpha, gamma


class BinaryFocalCrossentropy(Crossentropy):
    """Binary cross-entropy with little weight for samples that are predicted well.

    See `binary_focal_crossentropy`.

    Parameters
    ----------
    apply_class_balancing : bool, default False
        Whether targets 1 have the weight `alpha` and targets 0 the weight `1 - alpha`.
    alpha : float in [0, 1], default 0.25
    gamma : float of at least 0, default 2.0
        The larger, the less weight have samples that are predicted well.
    **kwargs
        from_logits, label_smoothing, axis, as for `BinaryCrossentropy`; of `Loss`: reduction, name,
        dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> round(losses.BinaryFocalCrossentropy()([[1], [1]], [[0.5], [1.0]]).item(), 5)
    0.08664
    """

    function = staticmethod(binary_focal_crossentropy)

    _legal = {"apply_class_balancing": "bool", "alpha": "[0, 1]", "gamma": "[0, inf)"}

    def __init__(self, apply_class_balancing=False, alpha=0.25, gamma=2.0, **kwargs):
        super().__init__(**kwargs)
        self.apply_class_balancing, self.alpha, self.gamma = apply_class_balancing, alpha, gamma


def categorical_generalized_cross_entropy(y_true, y_pred, q):
    """(1 - p^q) / q for the probability p of the true class.

    It is between the cross-entropy, for q near 0, and the mean absolute error, for q near 1, which
    wrong labels disturb less. Z. Zhang, M. Sabuncu: "Generalized cross entropy loss for training
    deep neural networks with noisy labels", NeurIPS 2018.

    Parameters
    ----------
    y_true : integer tensor, shape (...) or (..., 1)
        Labels in [0, L).
    y_pred : tensor, shape (..., L)
        Probabilities.
    q : float in (0, 1)

    Returns
    -------
    Tensor, shape (...)
    """
    check_number("q", q, "(0, 1)", "categorical_generalized_cross_entropy")
    y_pred = as_outputs(y_pred)
    classes = y_pred.shape[-1] if y_pred.shape else 1
    check_labels(y_true, classes)
    labels = ops.cast(y_true, "int32")
    if labels.shape not in (y_pred.shape[:-1], (*y_pred.shape[:-1], 1)):
        raise ValueError(
            f"categorical_generalized_cross_entropy: expected labels of shape {y_pred.shape[:-1]} "
            f"for outputs of shape {y_pred.shape}, got {labels.shape}"
        )
    here = ops.one_hot(ops.reshape(labels, y_pred.shape[:-1]), classes, dtype=y_pred.dtype)
    # At least epsilon() squared: a power below 1 has an infinite slope at 0.
    p = ops.maximum(ops.sum(y_pred * here, axis=-1), config.epsilon() ** 2)
    return (1.0 - ops.power(p, float(q))) / float(q)


class CategoricalGeneralizedCrossEntropy(Loss):
    """A cross-entropy that wrong labels disturb less; see `categorical_generalized_cross_entropy`.

    Parameters
    ----------
    q : float in (0, 1), default 0.5
        Near 0 it is the cross-entropy, near 1 the mean absolute error.
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> loss = losses.CategoricalGeneralizedCrossEntropy(q=0.5)
    >>> round(loss([0, 1], [[0.64, 0.36], [0.75, 0.25]]).item(), 4)
    0.7
    """

    function = staticmethod(categorical_generalized_cross_entropy)
    _legal = {"q": "(0, 1)"}

    def __init__(self, q=0.5, **kwargs):
        super().__init__(**kwargs)
        self.q = q
