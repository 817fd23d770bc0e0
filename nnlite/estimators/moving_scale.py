"""`partial_fit` goes on learning the scale of inputs and targets, and the network goes on computing
the same function: the weights beside a scale change with it.

The first layer reads z = (x - mean) / deviation, the last gives y / deviation of the target. Both
are linear, so another mean and deviation is made up for exactly by another kernel and bias. In a
table a gap is read as the mean: the weight of its indicator makes up for that. Categories have no
scale; those that came later than the first rows stay unknown."""

import itertools

import numpy as np

from nnlite.estimators.scaling import (
    check_holds,
    is_constant,
    is_sparse,
    mean_and_deviation,
    merged,
    observed,
)
from nnlite.layers import Dense, Flatten, InputScaling, TableEncoding

# The deviation of fewer rows may be anything, of two that are alike nearly 0. A network that has
# seen no more knows nothing yet: its scale is replaced, and its weights are not moved.
_FEW_ROWS = 10


def begin(estimator, model):
    """Make the scaling that an estimator put into a model linear: what a limit does to outliers
    could not be made up for when the scale moves."""
    layer = _scaling_in(model)
    if estimator._seen is not None and layer is not None:
        layer._without_limit()


def followed(estimator, data):
    """Take the rows into account in the scales of a fitted estimator.

    Parameters
    ----------
    estimator : estimator
        Its model and target change.
    data : TrainingData
        The rows, with targets on the scale so far.

    Returns
    -------
    TrainingData
        With targets on the scale that was learned.
    """
    model, target, before = estimator.model_, estimator._target, estimator._seen
    layer, (table, dense) = _scaling_in(model), _behind_scaling(model)
    seen = None
    if before is not None and layer is not None and dense is not None:
        x = estimator._samples_for(model, data.X)
        seen = merged(before, _observed_as(before, x, data.sample_weight))
        check_holds(mean_and_deviation(seen)[1], model._precision)
    target_before = getattr(target, "_seen", None)
    if target_before is not None and type(model.layers[-1]) is Dense:
        encoded = target.encode(data.y)
        target_seen = merged(target_before, target.observed(encoded, data.sample_weight))
        _move_target(target, target_seen, model.layers[-1])
        data = data.replace(target=target.scaled(encoded))
    if seen is not None:
        _move_inputs(layer, table, dense, before, seen)
        estimator._seen = seen
    return data


def _scaling_in(model):
    """The layer of a model that scales its inputs, or None; only `Flatten` may stand before it."""
    layers = [layer for layer in model.layers[:2] if not isinstance(layer, Flatten)]
    return layers[0] if layers and isinstance(layers[0], InputScaling) else None


def _behind_scaling(model):
    """The TableEncoding that reads what is scaled, and the Dense behind; None each if there is no
    such layer, or others read it, too."""
    layers = iter(model.layers[:4])
    if not any(isinstance(layer, InputScaling) for layer in itertools.islice(layers, 2)):
        return None, None
    table, dense = None, next(layers, None)
    if isinstance(dense, TableEncoding) and dense.encoding is None:
        table, dense = dense, next(layers, None)
    return table, dense if type(dense) is Dense else None


def _observed_as(before, X, weight):
    """What is known of X, in the form of what is known from before."""
    if "largest" in before and not is_sparse(X):
        return {"rows": len(X), "largest": np.abs(X).max(axis=0).astype(np.float64)}
    if "largest" not in before:
        X = X.toarray() if is_sparse(X) else X.reshape(len(X), -1, len(before["mean"]))
    return observed(X, weight)


def _move_inputs(layer, table, dense, before, seen):
    """Move the scale of inputs to that of what was seen."""
    mean, deviation = np.asarray(layer.input_mean), np.sqrt(layer.input_variance)
    new_mean, new_deviation = map(np.copy, mean_and_deviation(seen))
    young, constant = before["rows"] < _FEW_ROWS, is_constant(before)
    if dense.bias is None and not young:
        new_mean = mean.copy()  # a shift could not be made up for
    if layer.limit is not None:
        # Only as far as it must: beyond about 3 deviations the limit is not linear.
        ratio = new_deviation / deviation
        moves = constant | (np.abs(new_mean - mean) > deviation) | (ratio > 2) | (ratio < 0.5)
        new_mean = np.where(moves, new_mean, mean)
        new_deviation = np.where(moves, new_deviation, deviation)
    categories = np.array(layer.categories, int)
    new_mean[categories], new_deviation[categories] = 0, 1
    if not young:
        # Of a column that was constant nothing is learned but at its only value.
        unit = np.where(constant, new_deviation, deviation)
        _make_up(dense, table, (new_mean - mean) / unit, new_deviation / unit)
    layer._move(new_mean, new_deviation**2)


def _make_up(dense, table, shift, stretch):
    """Let a Dense give for (z - shift) / stretch what it gives for z, of the scaled columns z that
    it reads itself, or through a table."""
    kernel = dense.kernel.numpy().astype(np.float64)
    numbers = np.arange(len(shift)) if table is None else table._numbers
    shift, stretch = shift[numbers], stretch[numbers]
    moved = shift[:, None] * kernel[: len(numbers)]
    if dense.bias is not None:
        dense.bias.assign(dense.bias.numpy() + moved.sum(axis=0))
    kernel[: len(numbers)] *= stretch[:, None]
    if table is not None and len(table.gaps):
        indicators = slice(len(numbers), len(numbers) + len(table.gaps))
        kernel[indicators] -= moved[np.searchsorted(numbers, table.gaps)]
    dense.kernel.assign(kernel)


def _move_target(target, seen, last):
    """Move the scale of targets to that of what was seen."""
    (mean, deviation), constant = target._scale, is_constant(target._seen)
    young = target._seen["rows"] < _FEW_ROWS
    target.take_scale(seen)
    new_mean, new_deviation = target._scale
    if not young:
        ratio = np.where(constant, 1.0, deviation / new_deviation)
        if last.bias is not None:
            bias = last.bias.numpy() * ratio + (mean - new_mean) / new_deviation
            last.bias.assign(bias)
        last.kernel.assign(last.kernel.numpy() * ratio)
