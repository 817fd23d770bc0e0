"""Sequences as X: tokens, checked against the `Embedding` that reads them, and sequences of
different lengths, which become one array.

The one idea: behind its end a sequence is filled up with what is no value, NaN, or -1 for tokens.
So rows, folds and batches are those of an ordinary array, and the network's first layer, a
`PaddingMask`, knows the steps that do not count."""

from collections.abc import Mapping

import numpy as np

from nnlite.checks import refuse_masked
from nnlite.estimators import defaults
from nnlite.layers import InputLayer, InputScaling, PaddingMask
from nnlite.models.model import Model
from nnlite.models.sequential import Sequential

_FORMS = "arrays of shape (steps, features), or lists of tokens for an Embedding as first layer"


def as_array(estimator, X, reset, vocabulary=None):
    """X as scikit-learn's checks take it, and whether it was filled up.

    Parameters
    ----------
    estimator : estimator
        If it was fitted on sequences of different lengths, all its X are filled up.
    X : array-like
        It is returned as it is, unless it is a list or object array of sequences of different
        lengths, or samples of a first layer with `input_shape=(None, ...)`.
    reset : bool
        Whether the estimator learns from X what samples look like.
    vocabulary : (str, int), optional
        Of the fitted model: `defaults.vocabulary_of`.

    Returns
    -------
    X, bool
        In the former case an array of shape (N, T, C), NaN where a sequence has ended, or of
        int32 and shape (N, T), -1 where it has. T is the length of the longest sequence, or that
        of `fit`, whichever is larger.
    """
    if not reset and estimator._ragged:
        length, *features = estimator._sample_shape
        vocabulary = vocabulary or _vocabulary_known(estimator)
        return _filled(_rows_of(X), not features, vocabulary, length), True
    sequences = _of_different_lengths(X)
    if sequences is None:
        if not (reset and _takes_any_length(estimator, X)):
            return X, False
        sequences = _rows_of(X)
    lengths = sorted({len(s) for s in sequences})
    if not reset:
        raise ValueError(
            f"X: expected samples of one shape, {estimator._sample_shape}, as in fit, got "
            f"sequences of {lengths[0]} to {lengths[-1]} steps; a first layer with "
            "input_shape=(None, ...) takes any number"
        )
    tokens, vocabulary = _depth(sequences) == 2, _vocabulary_known(estimator)
    if tokens and vocabulary is None and not estimator._builder().decides_scale:
        raise ValueError(
            f"X: expected rows of equal lengths, got rows of {lengths[0]} to {lengths[-1]} values; "
            f"sequences of different lengths are {_FORMS}"
        )
    return _filled(sequences, tokens, vocabulary), True


def _layers_known(estimator):
    """The layers of the network that an estimator will make; none if a function makes it."""
    builder = estimator._builder()
    return [] if builder.decides_scale else builder.build(None)


def _vocabulary_known(estimator):
    return defaults.vocabulary_of(_layers_known(estimator))


def _takes_any_length(estimator, X):
    """Whether the first layer says that X is sequences whose length may change."""
    first = next(iter(_layers_known(estimator)), None)
    shape = getattr(first, "_given_input_shape", None)
    unknown = shape is not None and shape[:1] == (None,) and len(shape) < 3
    return unknown and _depth(X) == 1 + len(shape)


def _rows_of(X):
    """The sequences in X, for an estimator that was fitted on some."""
    if hasattr(X, "tocsr") or isinstance(X, (str, bytes, Mapping)) or not hasattr(X, "__len__"):
        raise TypeError(f"X: expected sequences, {_FORMS}, got {type(X).__name__}")
    return list(X if isinstance(X, (list, tuple)) else np.asarray(X))


def _of_different_lengths(X):
    """The sequences of a list or an object array; None if X is something else."""
    if getattr(getattr(X, "dtype", None), "kind", "") == "O" and X.ndim == 1:
        X = list(X)
    if not isinstance(X, (list, tuple)):
        return None
    try:
        several = len({len(s) for s in X}) > 1
    except TypeError:  # of a number, a sparse matrix
        return None
    if any(isinstance(s, (str, bytes, Mapping)) for s in X):
        return None
    return list(X) if several and _depth(X) < 4 else None


def _depth(x):
    """The number of axes of nested lists, or lists of arrays; empty ones are passed over."""
    if hasattr(x, "ndim"):
        return x.ndim
    if isinstance(x, str) or not hasattr(x, "__len__"):
        return 0
    return 1 + _depth(next((e for e in x if not hasattr(e, "__len__") or np.shape(e) or e), 0))


def _filled(sequences, tokens, vocabulary, least=0):
    """One array of sequences that were checked, all filled up to the length of the longest, or to
    `least`."""
    arrays = [_numbers(i, s, 1 if tokens else 2) for i, s in enumerate(sequences)]
    if not len(arrays):
        raise ValueError("X: expected at least one sequence, got none")
    lengths = np.array([len(a) for a in arrays])
    if not tokens:
        widths = [a.shape[1] for a in arrays]
        if len(set(widths)) > 1:
            at = next(i for i, n in enumerate(widths) if n != widths[0])
            raise ValueError(
                f"X: expected sequences of {widths[0]} features at each step, as the first has, "
                f"got {widths[at]} at position {at}"
            )
    steps = np.concatenate(arrays)
    ends = np.cumsum(lengths)

    def position(step):
        row = int(np.searchsorted(ends, step, side="right"))
        return row, int(step - ends[row] + lengths[row])

    if tokens:
        _check_tokens(steps, vocabulary, 0, position)
        kind, filling = np.int32, -1
    else:
        wrong = ~np.isfinite(steps).all(axis=1)
        if wrong.any():
            raise ValueError(
                "X: expected finite values, got NaN or infinity at position "
                f"{position(int(np.argmax(wrong)))}"
            )
        kind, filling = np.result_type(np.float32, steps.dtype), np.nan
    length = max(least, lengths.max())
    filled = np.full((len(arrays), length, *steps.shape[1:]), filling, kind)
    filled[np.arange(length) < lengths[:, None]] = steps
    return filled


def _numbers(i, sequence, ndim):
    """A sequence as an array of numbers."""
    refuse_masked(f"X[{i}]", sequence)
    try:
        array = np.asarray(sequence)
        array = array.astype(np.float64) if array.dtype.kind == "O" else array
    except (TypeError, ValueError):
        raise ValueError(
            f"X: expected {_FORMS}, got what is no array of numbers at position {i}"
        ) from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"X: expected sequences of numbers, got {array.dtype} at position {i}")
    if array.shape[:1] == (0,):
        raise ValueError(f"X: expected at least one step in a sequence, got none at position {i}")
    if array.ndim != ndim or not array.size:
        expected = "tokens, shape (steps,)" if ndim == 1 else "shape (steps, features)"
        raise ValueError(
            f"X: expected sequences of {expected}, got shape {array.shape} at position {i}"
        )
    return array


def lists_of(X):
    """The sequences that were filled up to the array X, each with its own length."""
    return [row[:n] for row, n in zip(X, _lengths(X).tolist())]


def _lengths(X):
    real = X >= 0 if X.ndim == 2 else ~np.isnan(X).all(axis=2)
    return real.sum(axis=1)


def features_second(X):
    """A view in which the features of a step come second, where scikit-learn counts them."""
    return X[:, None] if X.ndim == 2 else np.moveaxis(X, 1, 2)


def check_tokens(X, vocabulary, ragged):
    """Raise a ValueError if an array holds other values than tokens.

    Parameters
    ----------
    X : array
    vocabulary : (str, int) or None
        The name of the layer that reads X, and how many tokens it knows. None: nothing is checked.
    ragged : bool
        Whether -1 stands behind the end of sequences.
    """
    if vocabulary is None:
        return
    if hasattr(X, "tocsr"):
        raise TypeError(
            f"X: expected an array of tokens for layer {vocabulary[0]!r}, got a sparse matrix"
        )
    _check_tokens(X, vocabulary, -1 if ragged else 0, lambda place: place)


def _check_tokens(X, vocabulary, least, position):
    whole = X.dtype.kind != "f" or bool((X == np.floor(X)).all())
    size = np.iinfo(np.int32).max if vocabulary is None else vocabulary[1]
    if not X.size or (whole and X.min() >= least and X.max() < size):
        return
    wrong = ~((X == np.floor(X)) & (X >= least) & (X < size))
    place = np.unravel_index(np.argmax(wrong), X.shape)
    place = position(int(place[0]) if X.ndim == 1 else tuple(map(int, place)))
    tokens = "tokens, integers of at least 0"
    if vocabulary is not None:
        tokens = f"tokens for layer {vocabulary[0]!r}, integers in [0, {size})"
    value = X[wrong][0]
    raise ValueError(f"X: expected {tokens}, got {value} at position {place}")


def of_length(X, length):
    """Sequences that were filled up, filled up to another length; None: as they are."""
    if length in (None, X.shape[1]):
        return X
    lengths = _lengths(X)
    if lengths.max() > length:
        at = int(np.argmax(lengths > length))
        raise ValueError(
            f"X: expected sequences of at most {length} steps, as the network takes, got "
            f"{lengths[at]} at position {at}"
        )
    found = np.full((len(X), length, *X.shape[2:]), -1 if X.ndim == 2 else np.nan, X.dtype)
    found[:, : X.shape[1]] = X[:, :length]
    return found


def of_one_length(*arrays):
    """Arrays of sequences that were filled up, to one length."""
    length = max(X.shape[1] for X in arrays)
    return [of_length(X, length) for X in arrays]


def network(made, X):
    """A network behind a `PaddingMask`, built for the array X of sequences that were filled up.

    It takes sequences of any length, unless a layer says the length, or has weights that depend on
    it.

    Parameters
    ----------
    made : list of Layer, or Model
        All its layers, or a model with its output layer, which the network is compiled as.
    X : array
    """
    layers = [made] if isinstance(made, Model) else made
    given = getattr(layers[0], "_given_input_shape", None)
    length = given[0] if given else None
    try:
        found = Sequential(_masked(layers, X, length))
    except ValueError:
        found = Sequential(_masked(layers, X, length or X.shape[1]))
    if isinstance(made, Model) and made._compiled is not None:
        found.compile(**made._compiled)
    return found


def _masked(layers, X, length):
    """The layers of a network with a `PaddingMask`. A layer that scales stays in front of it, so
    that what fills up becomes 0."""
    first, tokens = int(isinstance(layers[0], InputLayer)), X.ndim == 2
    start = InputLayer((length, *X.shape[2:]), dtype="int32" if tokens else None)
    at = first + isinstance(layers[first], InputScaling)
    return [start, *layers[first:at], PaddingMask(), *layers[at:]]


def predicted(estimator, model, X, **options):
    """What a model of an estimator predicts for samples that were checked. Options are those of
    `Model._predict`.

    A row's result does not depend on the rows beside it, even if a layer counts what fills up:
    sequences of up to the length in `fit` are filled up to it, longer ones not at all.
    """
    length = estimator._sample_shape[0]
    fixed = not estimator._ragged or estimator.model_.input_shape[1] is not None
    if fixed or X.shape[1] <= length:
        return model._predict(X, **options)
    lengths = np.maximum(_lengths(X), length)
    found = None
    for n in np.unique(lengths).tolist():
        part = model._predict(X[lengths == n, :n], **options)
        found = np.empty((len(X), *part.shape[1:]), part.dtype) if found is None else found
        found[lengths == n] = part
    return found
