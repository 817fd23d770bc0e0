"""Losses of similarity: angles between vectors, overlap of regions, distances of embeddings."""

import numpy as np

from nnlite import config, ops
from nnlite.losses.loss import Loss, as_outputs, beside, broadcasting, check_labels, equal_shapes


def _unit(x, axis):
    """`x` divided by its length along `axis`. A length below `epsilon()` counts as `epsilon()`."""
    squares = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return x / ops.sqrt(ops.maximum(squares, config.epsilon() ** 2))


def cosine_similarity(y_true, y_pred, axis=-1):
    """-cos of the angle between y_true and y_pred along `axis`.

    - -1 for the same direction,
    - 1 for opposite directions,
    - 0 if one of the vectors is zero.

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
    y_true, y_pred = broadcasting("cosine_similarity", y_true, y_pred)
    return -ops.sum(_unit(y_true, axis) * _unit(y_pred, axis), axis=axis)


def dice(y_true, y_pred, axis=None):
    """1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred)): 0 for regions that coincide.

    F. Milletari, N. Navab, S.-A. Ahmadi: "V-Net", 3DV 2016.

    Parameters
    ----------
    y_true, y_pred : tensors of one shape
        In [0, 1].
    axis : int or tuple of int, optional
        The axes of the sums. By default all axes, which gives one value for the whole batch.

    Returns
    -------
    Tensor
        Without the axes summed over.
    """
    y_true, y_pred = equal_shapes("dice", y_true, y_pred)
    both = ops.sum(y_true * y_pred, axis=axis)
    total = ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis)
    return 1.0 - 2.0 * both / (total + config.epsilon())


def tversky(y_true, y_pred, alpha=0.5, beta=0.5, axis=None):
    """1 - both / (both + alpha * missed + beta * false): `dice` with a weight for each error.

    Here both = sum(y_true * y_pred), missed = sum(y_true * (1 - y_pred)) and
    false = sum((1 - y_true) * y_pred).
    S. S. M. Salehi, D. Erdogmus, A. Gholipour: "Tversky loss function for image segmentation",
    MLMI 2017.

    Parameters
    ----------
    y_true, y_pred : tensors of one shape
        In [0, 1].
    alpha : float, default 0.5
        The weight of false negatives.
    beta : float, default 0.5
        The weight of false positives.
    axis : int or tuple of int, optional
        The axes of the sums. By default all axes, which gives one value for the whole batch.

    Returns
    -------
    Tensor
        Without the axes summed over.
    """
    y_true, y_pred = equal_shapes("tversky", y_true, y_pred)
    both = ops.sum(y_true * y_pred, axis=axis)
    missed = ops.sum(y_true * (1.0 - y_pred), axis=axis)
    false = ops.sum((1.0 - y_true) * y_pred, axis=axis)
    return 1.0 - both / (both + alpha * missed + beta * false + config.epsilon())


def _log_sum_exp(x, mask):
    """log(sum(exp(x))) of each row, over the entries with mask 1; about -1e30 if there are none."""
    x = ops.where(mask, x, -1e30)
    largest = ops.max(x, axis=1, keepdims=True)
    total = ops.log(ops.sum(ops.exp(x - largest), axis=1))
    return total + ops.reshape(largest, (-1,))


def circle(
    y_true,
    y_pred,
    ref_labels=None,
    ref_embeddings=None,
    remove_diagonal=True,
    gamma=80.0,
    margin=0.4,
):
    """The circle loss: embeddings become similar within a class and dissimilar between classes.

    Y. Sun et al.: "Circle loss: a unified perspective of pair similarity optimization", CVPR 2020.

    Parameters
    ----------
    y_true : integer tensor, shape (N,) or (N, 1)
        Labels.
    y_pred : tensor, shape (N, F)
        Embeddings of length 1.
    ref_labels, ref_embeddings : tensors of R rows, optional
        The references that each sample is compared with; by default the batch itself.
    remove_diagonal : bool, default True
        Leave out the comparison of the n-th sample with the n-th reference.
    gamma : float, default 80.0
        The scale of the exponents.
    margin : float, default 0.4
        The relaxation m of the paper.

    Returns
    -------
    Tensor, shape (N,)
    """
    y_pred = as_outputs(y_pred)
    check_labels(y_true)
    if y_pred.ndim != 2:
        raise ValueError(f"circle: expected outputs of shape (N, F), got {y_pred.shape}")
    labels = ops.reshape(beside(y_pred, y_true), (-1, 1))
    others, references = labels, y_pred
    if ref_labels is not None:
        others = ops.reshape(beside(y_pred, ref_labels, "ref_labels"), (-1, 1))
    if ref_embeddings is not None:
        references = beside(y_pred, ref_embeddings, "ref_embeddings")
    if labels.shape[0] != y_pred.shape[0] or others.shape[0] != references.shape[0]:
        raise ValueError(
            f"circle: y_true: expected a label for each of {y_pred.shape[0]} embeddings and of "
            f"{references.shape[0]} references, got {labels.shape[0]} and {others.shape[0]}"
        )
    distance = ops.maximum(1.0 - ops.matmul(y_pred, references, transpose_b=True), 0.0)
    same = ops.equal(labels, ops.transpose(others))
    different = 1.0 - same
    if remove_diagonal:
        same = same * (1.0 - np.eye(*same.shape))
    positives = -gamma * ops.maximum(margin + distance, 0.0) * (margin - distance)
    negatives = gamma * ops.maximum(1.0 + margin - distance, 0.0) * (1.0 - margin - distance)
    return ops.softplus(_log_sum_exp(positives, same) + _log_sum_exp(negatives, different))


class CosineSimilarity(Loss):
    """-cos of the angle between targets and outputs; see `cosine_similarity`.

    Parameters
    ----------
    axis : int, default -1
        The axis of the vectors.
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> losses.CosineSimilarity()([[0.0, 2.0]], [[0.0, 0.5]]).item()
    -1.0
    """

    function = staticmethod(cosine_similarity)
    _legal = {"axis": "int"}

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis


class Dice(Loss):
    """1 minus the overlap of two regions; see `dice`.

    Parameters
    ----------
    axis : int or tuple of int, optional
        The axes of the sums; by default all.
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> losses.Dice()([[1, 1, 0, 0]], [[1.0, 0.0, 1.0, 0.0]]).item()
    0.5
    """

    function = staticmethod(dice)

    def __init__(self, axis=None, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis


class Tversky(Loss):
    """1 minus the overlap of two regions, with a weight for each kind of error; see `tversky`.

    Parameters
    ----------
    alpha : float, default 0.5
        The weight of false negatives.
    beta : float, default 0.5
        The weight of false positives.
    axis : int or tuple of int, optional
        The axes of the sums; by default all.
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> round(losses.Tversky(alpha=1.0)([[1, 1, 0, 0]], [[1.0, 0.0, 1.0, 0.0]]).item(), 5)
    0.6
    """

    function = staticmethod(tversky)
    _legal = {"alpha": "[0, inf)", "beta": "[0, inf)"}

    def __init__(self, alpha=0.5, beta=0.5, axis=None, **kwargs):
        super().__init__(**kwargs)
        self.alpha, self.beta, self.axis = alpha, beta, axis


class Circle(Loss):
    """The circle loss of embeddings; see `circle`. The mean is taken over values above 0.

    Parameters
    ----------
    gamma : float, default 80.0
        The scale of the exponents.
    margin : float, default 0.4
        The relaxation m of the paper.
    remove_diagonal : bool, default True
        Leave out the comparison of a sample with itself.
    **kwargs
        Of `Loss`: reduction, name, dtype.

    Examples
    --------
    >>> from nnlite import losses
    >>> loss = losses.Circle(gamma=1.0)
    >>> round(loss([0, 0, 1], [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]).item(), 4)
    0.789
    """

    function = staticmethod(circle)
    _legal = {"gamma": "(0, inf)", "margin": "(-inf, inf)", "remove_diagonal": "bool"}

    def __init__(self, gamma=80.0, margin=0.4, remove_diagonal=True, **kwargs):
        super().__init__(**kwargs)
        self.gamma, self.margin, self.remove_diagonal = gamma, margin, remove_diagonal

    def counted(self, y_true, values):
        return ops.greater(values, 0.0)
