"""Scaling of inputs and targets, by statistics of the rows of `fit`, so that a network learns well.

The scaling of inputs becomes a layer of the model: X is never copied, and a pickle of the model and
`model_.predict` include it. Statistics are weighted: a row of weight 2 counts as two rows.
"""

import math

import numpy as np

from nnlite.estimators import defaults, input_validation
from nnlite.estimators.defaults import is_auto
from nnlite.estimators.gaps import check_plain, columns_with_gaps, gaps_in
from nnlite.layers import InputLayer, InputScaling, TableEncoding

_VALUES_AT_A_TIME = 1 << 16  # values of X that are converted to float64: 512 kB stay in the cache


def prepended(hidden, data, normalize, flattens, ragged, columns=None):
    """The hidden layers behind one that normalizes, if that is wanted, and one that reads a table,
    if it has categories or gaps.

    Parameters
    ----------
    hidden : list of Layer
    data : TrainingData
    normalize : bool, 'auto' or None
    flattens : bool
        Whether the first of them flattens samples; scaling comes behind it then.
    ragged : bool
        Whether sequences of different lengths were filled up.
    columns : Columns, optional
        What the columns of a table are that has categories.
    """
    X, weight = data.X, data.sample_weight
    if not flattens:
        return scaled(hidden, X, weight, normalize, ragged, columns)
    flatten, *others = hidden
    return [flatten, *scaled(others, X.reshape(len(X), -1), weight, normalize)]


def scaled(layers, X, weight, normalize, ragged=False, columns=None):
    """The layers, with a layer before them that scales X if `normalize` asks for it, and one that
    reads gaps and categories, if there are any. With `ragged` X is sequences that were filled up,
    of whatever length."""
    first = layers[0] if layers else None
    shape = getattr(first, "_given_input_shape", None)
    given = () if shape is None else (shape,) if np.ndim(shape) == 0 else tuple(shape)
    shape = X.shape[1:] if ragged or None in given or not given else given
    scales = defaults.scales(layers, shape) if is_auto(normalize) else normalize
    gaps = columns_with_gaps(X)
    encodes = columns is not None or gaps
    if encodes and not defaults.reads_tables(layers, shape):
        check_plain(X, columns, "a network that has a scale of its own")
    if not scales and not encodes:
        return layers
    if defaults.reads_tokens(layers):
        raise ValueError("normalize: expected 'auto' or False, as tokens have no scale, got True")
    mean, deviation = moments(
        X if _is_sparse(X) else input_validation.reshape_samples(X, shape), weight
    )
    rest = layers[1:] if isinstance(first, InputLayer) else layers
    if ragged:
        shape = (given[0] if given else None, *shape[1:])
    if not encodes:
        return [InputScaling(mean=mean, variance=deviation**2, input_shape=shape), *rest]
    sizes = [0] * X.shape[1] if columns is None else columns.sizes
    categories = np.flatnonzero(sizes).tolist()
    mean[categories], deviation[categories] = 0, 1
    if not scales:
        return [TableEncoding(sizes, gaps, centers=mean, input_shape=shape), *rest]
    scaling = InputScaling(
        mean=mean, variance=deviation**2, categories=categories, input_shape=shape
    )
    return [scaling, TableEncoding(sizes, gaps), *rest]


def _is_sparse(X):
    return hasattr(X, "tocsr")


def moments(X, weight=None):
    """The weighted mean and standard deviation of each entry of the last axis, in float64.

    The deviation of a column that is constant up to rounding is 1. Columns of a sparse matrix keep
    their zeros: the mean is 0, and the deviation is the largest magnitude. Steps of NaN, behind the
    end of a sequence, and gaps do not count.
    """
    if _is_sparse(X):
        largest = abs(X).max(axis=0).toarray().reshape(-1).astype(np.float64)
        return np.zeros(X.shape[1]), np.where(largest > 0, largest, 1.0)
    total = 1.0 * len(X) if weight is None else weight.sum()
    total *= math.prod(X.shape[1:-1])
    if gaps_in(X) or (X.ndim == 3 and np.isnan(X[:, -1]).any()):
        total = _weighted_sums(X, weight, lambda x: (x == x) * 1.0)
        total[total == 0] = 1
    with np.errstate(over="ignore", invalid="ignore"):
        mean = _weighted_sums(X, weight, lambda x: x) / total
        variance = _weighted_sums(X, weight, lambda x: (x - mean) ** 2) / total
    if not np.isfinite(mean + variance).all():
        raise ValueError(
            "X: expected values whose squares float64 holds, up to about 1e150, got "
            f"{np.nanmax(np.abs(X)):.3g}; scale them"
        )
    # A bound on the rounding errors of the mean and of the sums: T. Chan et al., "Algorithms for
    # computing the sample variance", 1983.
    noise = len(X) * np.finfo(np.float64).eps
    varies = variance > noise * variance + (noise * mean) ** 2
    return mean, np.sqrt(np.where(varies, variance, 1.0))


def _weighted_sums(X, weight, of):
    """The sum over rows of weight * of(row), for each entry of the last axis.

    The order of summation is fixed: the bits do not depend on threads or on the layout of X.
    """
    rows, sums = max(1, _VALUES_AT_A_TIME // math.prod(X.shape[1:])), 0.0
    for start in range(0, len(X), rows):
        part = of(np.array(X[start : start + rows], np.float64, order="C"))
        if weight is not None:
            part *= weight[start : start + rows].reshape(-1, *[1] * (part.ndim - 1))
        sums = sums + np.nansum(part, axis=tuple(range(part.ndim - 1)))
    return sums
