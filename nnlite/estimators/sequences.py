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
from nnlite.models.sequential import Sequential

_FORMS = "arrays of shape (steps, features), or lists of tokens for an Embedding as first layer"


def as_array(estimator, X, reset):
    """X as scikit-learn's checks take it, and whether it was filled up.

    Parameters
    ----------
    estimator : estimator
        If it was fitted on sequences of different lengths, all its X are filled up.
    X : array-like
        Whatever is no list or object array of sequences of different lengths is returned as it is.
    reset : bool
        Whether the estimator learns from X what samples look like.

    Returns
    -------
    X, bool
        In the former case an array of shape (N, T, C), NaN where a sequence has ended, or of
        int32 and shape (N, T), -1 where it has.
    """
    if not reset and estimator._ragged:
        sequences = _rows_of(X)
        length, *features = estimator._sample_shape
        return _filled(sequences, not features, estimator._vocabulary, length), True
    sequences = _of_different_lengths(X)
    if sequences is None:
        return X, False
    lengths = sorted({len(s) for s in sequences})
    if not reset:
        raise ValueError(
            f"X: expected samples of one shape, {estimator._sample_shape}, as in fit, got "
            f"sequences of {lengths[0]} to {lengths[-1]} steps"
        )
    builder = estimator._builder()
    layers = None if builder.decides_scale else builder.build(None)
    tokens = _depth(sequences) == 2
    vocabulary = None if layers is None else defaults.vocabulary_of(layers)
    if tokens and layers is not None and vocabulary is None:
        raise ValueError(
            f"X: expected rows of equal lengths, got rows of {lengths[0]} to {lengths[-1]} values; "
            f"sequences of different lengths are {_FORMS}"
        )
    given = getattr(layers[0], "_given_input_shape", None) if layers else None
    length = given[0] if given else None
    return _filled(sequences, tokens, vocabulary, length or lengths[-1]), True


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


def _filled(sequences, tokens, vocabulary, length):
    """One array of sequences that were checked, each filled up to a length."""
    arrays = [_numbers(i, s, 1 if tokens else 2) for i, s in enumerate(sequences)]
    lengths = np.array([len(a) for a in arrays])
    if not len(arrays):
        raise ValueError("X: expected at least one sequence, got none")
    if lengths.max() > length:
        at = int(np.argmax(lengths > length))
        raise ValueError(
            f"X: expected sequences of at most {length} steps, for which the network was made, got "
            f"{lengths[at]} at position {at}"
        )
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
        _check_tokens("X", steps, vocabulary, 0, position)
        kind, filling = np.int32, -1
    else:
        wrong = ~np.isfinite(steps).all(axis=1)
        if wrong.any():
            raise ValueError(
                "X: expected finite values, got NaN or infinity at position "
                f"{position(int(np.argmax(wrong)))}"
            )
        kind, filling = np.result_type(np.float32, steps.dtype), np.nan
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
    real = X >= 0 if X.ndim == 2 else ~np.isnan(X).all(axis=2)
    return [row[: int(n)] for row, n in zip(X, real.sum(axis=1))]


def features_second(X):
    """A view in which the features of a step come second, where scikit-learn counts them."""
    return X[:, None] if X.ndim == 2 else np.moveaxis(X, 1, 2)


def check_tokens(name, X, vocabulary, ragged):
    """Raise a ValueError if an array holds other values than tokens.

    Parameters
    ----------
    name : str
        What messages call X.
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
            f"{name}: expected an array of tokens for layer {vocabulary[0]!r}, got a sparse matrix"
        )
    _check_tokens(name, X, vocabulary, -1 if ragged else 0, lambda place: place)


def _check_tokens(name, X, vocabulary, least, position):
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
    raise ValueError(f"{name}: expected {tokens}, got {value} at position {place}")


def with_mask(model, X):
    """A model behind a `PaddingMask` for the array X, compiled as the model is."""
    whole = Sequential(masked([model], X))
    if model._compiled is not None:
        whole.compile(**model._compiled)
    return whole


def masked(layers, X):
    """Layers behind those that read the array X of sequences that were filled up: an `InputLayer`,
    and a `PaddingMask`. A layer that scales stays in front of it, so that padding becomes 0."""
    layers = layers[1:] if layers and isinstance(layers[0], InputLayer) else layers
    if X.dtype == np.int32:
        return [InputLayer(X.shape[1:], dtype="int32"), PaddingMask(), *layers]
    scaling = isinstance(layers[0], InputScaling) if layers else 0
    return [*layers[:scaling], PaddingMask(), *layers[scaling:]]
