"""Scaling of inputs and targets, by statistics of the rows of `fit`, so that a network learns well.

The scaling of inputs becomes a layer of the model: X is never copied, and a pickle of the model and
`model_.predict` include it. Statistics are weighted: a row of weight 2 counts as two rows.
"""

import math
from functools import partial

import numpy as np

from nnlite import config
from nnlite.estimators import defaults, input_validation
from nnlite.estimators.defaults import is_auto
from nnlite.estimators.gaps import check_plain, columns_with_gaps
from nnlite.layers import InputLayer, InputScaling, TableEncoding

_ROUNDING = 4 * np.finfo(np.float64).eps  # relative: what varies by less is constant
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
    if not flattens:
        return _scaled(hidden, data.X, data, normalize, ragged, columns)
    flatten, *others = hidden
    return [flatten, *_scaled(others, data.X.reshape(len(data.X), -1), data, normalize)]


def _scaled(layers, X, data, normalize, ragged=False, columns=None):
    """The layers, with a layer before them that scales X if `normalize` asks for it, and one that
    reads gaps and categories, if there are any. With `ragged` X is sequences that were filled up,
    of whatever length."""
    first = layers[0] if layers else None
    shape = getattr(first, "_given_input_shape", None)
    given = () if shape is None else (shape,) if np.ndim(shape) == 0 else tuple(shape)
    shape = X.shape[1:] if ragged or None in given or not given else given
    scales = defaults.scales(layers, shape) if is_auto(normalize) else normalize
    gaps = data.once("gaps", partial(columns_with_gaps, X))
    encodes = columns is not None or gaps
    if encodes and not defaults.reads_tables(layers, shape):
        check_plain(X, columns, "a network that has a scale of its own")
    if not scales and not encodes:
        return layers
    if defaults.reads_tokens(layers):
        raise ValueError("normalize: expected 'auto' or False, as tokens have no scale, got True")
    samples = X if is_sparse(X) else input_validation.reshape_samples(X, shape)
    seen = data.once(("scale", shape), partial(observed, samples, data.sample_weight))
    mean, deviation = map(np.copy, mean_and_deviation(seen))
    rest = layers[1:] if isinstance(first, InputLayer) else layers
    if ragged:
        shape = (given[0] if given else None, *shape[1:])
    sizes = [0] * X.shape[-1] if columns is None else columns.sizes
    categories = np.flatnonzero(sizes).tolist() if encodes else []
    mean[categories], deviation[categories] = 0, 1
    check_holds(deviation, config.floatx())
    if encodes and not scales:
        return [TableEncoding(sizes, gaps, centers=mean, input_shape=shape), *rest]
    layer = InputScaling(mean=mean, variance=deviation**2, categories=categories, input_shape=shape)
    vars(layer)["_seen"] = seen  # until `taken_from` takes it
    return [layer, *([TableEncoding(sizes, gaps)] if encodes else []), *rest]


def taken_from(model):
    """What the layer that `prepended` put into a model was made of; None if it put none."""
    return next((s for layer in model.layers if (s := vars(layer).pop("_seen", None))), None)


def is_sparse(X):
    """Whether X is a sparse matrix."""
    return hasattr(X, "tocsr")


def check_holds(deviation, real):
    """Raise a ValueError if the precision `real` does not hold the deviations of columns."""
    least = np.finfo(real).tiny
    if deviation.min() < least:
        raise ValueError(
            f"X: expected columns whose standard deviation {real} holds, at least {least:.2g}, got "
            f"{deviation.min():.3g}; scale them, or set dtype='float64'"
        )


def moments(X, weight=None):
    """The weighted mean and standard deviation of each entry of the last axis, in float64.

    The deviation of a column that is constant up to rounding is 1. Columns of a sparse matrix keep
    their zeros: the mean is 0, and the deviation is the largest magnitude. NaN, a gap or a step
    behind the end of a sequence, does not count.
    """
    return mean_and_deviation(observed(X, weight))


def observed(X, weight=None):
    """What is known of the entries of the last axis after some rows: a dict of arrays, and of the
    number of rows. `merged` adds further rows.

    The order of summation is fixed: the bits do not depend on threads or on the layout of X.
    """
    if is_sparse(X):
        largest = abs(X).max(axis=0).toarray().reshape(-1).astype(np.float64)
        return {"rows": X.shape[0], "largest": largest}
    rows, found = max(1, _VALUES_AT_A_TIME // math.prod(X.shape[1:])), None
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(X), rows):
            part = np.array(X[start : start + rows], np.float64, order="C")
            of_row = None if weight is None else weight[start : start + rows]
            part = _of_part(part, of_row)
            found = part if found is None else merged(found, part)
        largest = found["mean"] ** 2 + found["squares"]
    if not np.isfinite(largest).all():
        raise ValueError(
            "X: expected values whose squares float64 holds, up to about 1e150, got "
            f"{np.nanmax(np.abs(X)):.3g}; scale them"
        )
    return found


def _of_part(part, weight):
    """`observed` for a few rows, in float64."""
    rows, part = len(part), part.reshape(-1, part.shape[-1])
    weights, known = np.ones((1, 1)), part == part
    if weight is not None:
        weights = np.repeat(weight, len(part) // rows)[:, None]
    # About a value of the column, so that a mean far from 0 costs no digits.
    origin = np.nan_to_num(part[known.argmax(axis=0), np.arange(part.shape[1])])
    off = part - origin
    if not known.all():
        weights, off = weights * known, np.where(known, off, 0)
    total = np.broadcast_to(weights, (len(part), part.shape[1])).sum(axis=0)
    mean = (weights * off).sum(axis=0) / np.where(total > 0, total, 1)
    squares = (weights * (off - mean) ** 2).sum(axis=0)
    return {"rows": rows, "weight": total, "mean": origin + mean, "squares": squares}


def merged(some, others):
    """What is known after the rows of both.

    T. Chan et al., "Algorithms for computing the sample variance", 1983.
    """
    rows = some["rows"] + others["rows"]
    if "largest" in some:
        return {"rows": rows, "largest": np.maximum(some["largest"], others["largest"])}
    total = some["weight"] + others["weight"]
    share = others["weight"] / np.where(total > 0, total, 1)
    off = others["mean"] - some["mean"]
    return {
        "rows": rows,
        "weight": total,
        # Where a column had nothing but gaps, the others' mean is the mean.
        "mean": np.where(some["weight"] > 0, some["mean"] + off * share, others["mean"]),
        "squares": some["squares"] + others["squares"] + off**2 * (some["weight"] * share),
    }


def is_constant(seen):
    """Whether each column has been constant up to rounding."""
    if "largest" in seen:
        return seen["largest"] == 0
    variance = seen["squares"] / np.where(seen["weight"] > 0, seen["weight"], 1)
    return ~(variance > (_ROUNDING * seen["mean"]) ** 2)


def mean_and_deviation(seen):
    """The scale that follows from what was `observed`."""
    constant = is_constant(seen)
    if "largest" in seen:
        return np.zeros(len(constant)), np.where(constant, 1.0, seen["largest"])
    variance = seen["squares"] / np.where(seen["weight"] > 0, seen["weight"], 1)
    return seen["mean"], np.sqrt(np.where(constant, 1.0, variance))
