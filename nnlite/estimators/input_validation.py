"""Validation of X and y: rows of features or images, in the shape that the first layer declares.

Arrays of numbers are not copied. An error says what was expected and how to get there."""

import math
import re
import warnings

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.utils.validation import (
    assert_all_finite,
    check_array,
    check_is_fitted,
    check_X_y,
    validate_data,
)

from nnlite import errors, warn
from nnlite.checks import refuse_masked
from nnlite.data.sources import check_sparse
from nnlite.engine.dispatch import MAX_NDIM
from nnlite.engine.lengths import fits
from nnlite.estimators import columns, frames, gaps, sequences


def validate_X_y(estimator, X, y, reset, sample_weight=None):
    """X and y for a fit, checked by scikit-learn's rules; samples may have any shape.

    With `reset` the estimator stores the shape of a sample, the names of columns, and what columns
    of a table are; rows of weight 0 do not count.
    """
    _refuse_query(X)
    if reset:
        wanted = estimator._resolve_auto("categorical_features")
        estimator._columns = columns.learned(X, wanted, sample_weight)
    X, ragged = sequences.as_array(estimator, X, reset)
    X = stack_images(X)
    check_lengths(X, y)
    if not (reset or ragged):
        check_as_fitted(X, estimator._sample_shape)
    of_numbers = not is_classifier(estimator)
    options = {"reset": reset, "multi_output": True, "y_numeric": of_numbers}
    X, y = _validate_data(estimator, X, ragged, to_numpy_target(y), **options)
    if reset:
        estimator._sample_shape, estimator._ragged = X.shape[1:], ragged
    if not isinstance(y, np.ndarray):
        raise TypeError(f"y: expected a dense array, got {type(y).__name__}; use its toarray()")
    return X, y


def validate_X(estimator, X):
    """X for a prediction, checked, with samples of the shape that the fitted model expects."""
    rows = _rows_as_fitted(estimator, X)
    fast = rows is not None and is_fast_path(rows, estimator._sample_shape, estimator._reads_gaps)
    if not fast:
        check_is_fitted(estimator)
        _refuse_query(X)
        X, ragged = sequences.as_array(estimator, X, False, estimator._vocabulary)
        X = stack_images(X)
        if not ragged:
            check_as_fitted(X, estimator._sample_shape)
        rows = _validate_data(estimator, X, ragged, reset=False)
    model, vocabulary, ragged = estimator.model_, estimator._vocabulary, estimator._ragged
    return samples_for(model, rows, vocabulary, ragged, checked=fast)


def _refuse_query(X):
    """Raise a TypeError for a table that is only asked for, as polars's LazyFrame."""
    if hasattr(X, "collect") and not hasattr(X, "shape"):
        raise TypeError(f"X: expected rows, got {type(X).__name__}; its collect() gives them")


def _rows_as_fitted(estimator, X):
    """An array, or a frame's numbers if it has the names of `fit`; None of what else there is."""
    if not hasattr(estimator, "model_") or estimator._ragged:
        return None
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return X if estimator._columns is None else None
    if not frames.is_frame(X) or not frames.has_names_of(X, names):
        return None
    if estimator._columns is not None:
        return estimator._columns.encoded(X)
    return X.to_numpy() if hasattr(X, "iloc") else None


def samples_for(model, X, vocabulary, ragged, checked=False):
    """X in the form that a model takes; a ValueError if it holds tokens that the model lacks.

    Parameters
    ----------
    model : Model
    X : array or sparse matrix
    vocabulary : (str, int) or None
        Of the model: `defaults.vocabulary_of`.
    ragged : bool
        Whether X is sequences that were filled up.
    checked : bool, default False
        Whether it is known that X has no gaps, or that the model reads them.
    """
    sequences.check_tokens(X, vocabulary, ragged)
    if ragged:
        X = sequences.of_length(X, model.input_shape[1])
    elif not checked:
        X = gaps.without(model, X)
    return reshape_samples(X, model.input_shape[1:])


FAILURES = (TypeError, ValueError, RuntimeError)  # of conversions to arrays of numbers
# Options of scikit-learn's check of X: any type of numbers, samples of any shape, sparse rows too.
NUMBERS = {"dtype": "numeric", "allow_nd": True, "accept_sparse": "csr"}


def _validate_data(estimator, X, ragged, *y, **options):
    """X, or X and y, after scikit-learn's `validate_data`; X is numeric afterwards. With `ragged`
    it is sequences that were filled up."""
    if ragged:
        options["ensure_all_finite"] = "allow-nan"
        found = _validate_data(estimator, sequences.features_second(X), False, *y, **options)
        return (X, *found[1:]) if y else X
    refuse_masked("X", X)
    _check_undated(X)
    check_sparse(X, "X")
    check = validate_data
    if estimator._columns is not None:
        validate_data(estimator, X, reset=options.pop("reset"), skip_check_array=True)
        X, check = estimator._columns.encoded(X), _check_without_names
    elif frames.has_objects(X):
        X = X.where(X.notna(), np.nan)  # NumPy has no number for pandas.NA
    table = "ensure_all_finite" not in options and getattr(X, "ndim", 2) == 2
    if table and not issparse(X):
        options["ensure_all_finite"] = "allow-nan"
    with errors.reworded(lambda message: _named(message, X, y), FAILURES):
        found = check(estimator, X, *y, **options, **NUMBERS)
        rows = found[0] if y else found
        if rows.dtype.kind == "O":  # of a DataFrame with categorical columns
            rows = rows.astype(np.float64)
            check_array(rows, input_name="X", ensure_all_finite="allow-nan")
        if table and rows.ndim != 2:  # a list of images
            assert_all_finite(rows, input_name="X")
        if rows.dtype.kind not in "biuf":
            raise TypeError("it takes booleans, integers or floats")
        if rows.ndim > MAX_NDIM:
            raise ValueError(f"X: expected at most {MAX_NDIM} axes, got shape {rows.shape}")
    if not all(rows.shape):
        raise ValueError(f"X: expected at least one value in a sample, got shape {rows.shape}")
    return (rows, *found[1:]) if y else rows


def _check_without_names(estimator, X, *y, **options):
    """As scikit-learn's `validate_data`, of an array whose names and size were checked before."""
    options["estimator"] = estimator
    return check_X_y(X, *y, **options) if y else check_array(X, input_name="X", **options)


def _named(message, X, y):
    """A message of scikit-learn that says which of X and y it is about."""
    beginning = _without_numbers(X)
    message = f"{beginning}{message}" if beginning else in_plain_words(message)
    if re.search(r"\b[Xy]\b", message.splitlines()[0]):
        return message
    if "inconsistent numbers" in message:
        return f"X, y: {message}"
    try:
        if y:
            check_array(X, ensure_all_finite="allow-nan", **NUMBERS)
            return f"y: {message}"
    except FAILURES:
        pass
    return f"X: {message}"


# What NumPy says where values are no numbers, and what it means.
_MEANINGS = {
    r"setting an array element with a sequence.*": "expected rows of equal lengths",
    r"could not convert string to float: (np\.\w+\()?(b?'[^']*')\)?": r"expected numbers, got \2",
    r"float\(\) argument must be a string or a real number, not '(\w+)'": (
        r"expected numbers, got a value of type \1"
    ),
}


def in_plain_words(message):
    """A message in which NumPy's sentences are those of nnlite."""
    for said, meant in _MEANINGS.items():
        message = re.sub(said, meant, message, flags=re.DOTALL)
    return message


def _without_numbers(X):
    """The beginning of a message: which part of X is not numeric; '' if all of it is."""
    frame = frames.is_frame(X)
    given = frames.columns_of(X) if frame else [("values", X)]
    for name, values in given:
        part = f"column {name!r}" if frame else name
        if (kind := _kind_without_numbers(values)) is not None:
            advice = "; encode it, as by OneHotEncoder, or leave it out"
            if not frame:
                text = np.ndim(values) == 1 and isinstance(values[0], (str, bytes))
                advice = "; columns of strings are categories in a DataFrame, or as objects"
                if text:
                    advice = "; texts become tokens by nnlite.TextVectorizer in a Pipeline"
            return f"X: expected numbers, got {part} of type {kind}{advice}: "
    return ""


def _kind_without_numbers(values):
    """The dtype of values that cannot be converted to numbers, or None."""
    try:
        values = np.asarray(values)
    except FAILURES:  # rows of different lengths; a symbol, which has no values
        return None
    if values.ndim == 0 or values.dtype.kind in "biufc":
        return None
    try:
        if values.dtype.kind == "O":
            values.astype(np.float64)
            return None
    except (TypeError, ValueError):
        pass
    return values.dtype


def to_numpy_target(y):
    """Targets in NumPy's types; raises a ValueError if some are missing."""
    refuse_masked("y", y)
    y = np.asarray(y) if hasattr(y, "null_count") else y  # a Series of polars
    missing = getattr(y, "isna", None)
    if missing is not None:  # pandas; its nullable numbers would become floats
        missing = np.asarray(missing())
        kind = getattr(getattr(y, "dtype", None), "numpy_dtype", None)
        y = y if missing.any() else np.asarray(y, dtype=kind)
    elif isinstance(y, (list, tuple)) or getattr(getattr(y, "dtype", None), "kind", "") == "O":
        with errors.reworded(lambda message: f"y: {in_plain_words(message)}"):
            missing = np.array([target is None for target in np.ravel(y)] if np.ndim(y) else [])
    if missing is not None and missing.any():
        rows = np.flatnonzero(missing.reshape(len(y), -1).any(axis=1))
        raise ValueError(
            f"y: expected a target for each row, got NaN or None for {len(rows)} of {len(y)} "
            f"rows, the first of them {rows[0]}"
        )
    return y


def _check_undated(X):
    """Raise if a DataFrame of polars has columns of dates: they would become day numbers."""
    is_polars = hasattr(X, "get_columns") and not hasattr(X, "iloc")
    kinds = X.schema.items() if is_polars and hasattr(X, "schema") else ()
    for name, kind in kinds:
        if kind.is_temporal():
            raise TypeError(
                f"X: expected numbers, got column {name!r} of type {kind}; make numbers of it, as "
                "the day of the week"
            )


def stack_images(X):
    """A list of images, or an object array of images or rows, as one array; else X as it is."""
    of_objects = getattr(getattr(X, "dtype", None), "kind", "") == "O" and X.ndim == 1
    if not of_objects and not isinstance(X, (list, tuple)):
        return X
    images = list(X)
    try:
        if not images or np.ndim(images[0]) < (1 if of_objects else 2):
            return X
        shapes = list(dict.fromkeys(np.shape(image) for image in images))
    except ValueError:  # rows of different lengths
        return X
    if len(shapes) > 1:
        raise ValueError(
            f"X: expected images of one size, got shapes {shapes[0]} and {shapes[1]}; crop or "
            "resize them first"
        )
    return np.stack(images)


def is_fast_path(X, fitted, with_gaps=False):
    """Whether X needs no further check: an ordinary array of finite rows, as long as in `fit`; or
    of rows with gaps, if `with_gaps` says so.

    scikit-learn's check of such an X takes several times as long as a small network's prediction
    of a row.
    """
    if type(X) is not np.ndarray or X.ndim != 2 or X.shape[1:] != fitted or not X.size:
        return False
    if X.dtype.char not in "fdlq" or not X.dtype.isnative or not X.flags.c_contiguous:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduce(X, axis=None)
    if with_gaps and math.isnan(total):
        return not np.isinf(X).any()
    return math.isfinite(total)


def check_lengths(X, y):
    """Raise if there is not one target for each image; scikit-learn checks this for rows."""
    if getattr(X, "ndim", 2) < 3 or not np.shape(y) or np.shape(y)[0] == len(X):
        return
    count, advice = np.shape(y)[0], ""
    if count in X.shape:
        advice = f"; samples come first: np.moveaxis(X, {X.shape.index(count)}, 0)"
    raise ValueError(
        f"y: expected {len(X)} targets, as many as X has samples (its shape is {X.shape}), "
        f"got {count}{advice}"
    )


def check_as_fitted(X, fitted):
    """Raise if samples have another shape than in `fit`; scikit-learn checks this for rows."""
    if getattr(X, "ndim", 2) < 3 and len(fitted) < 2:
        return
    shape = np.shape(X)
    if shape[1:] == fitted:
        return
    single = "; a single sample goes as X[np.newaxis]"
    hint = single if shape == fitted else _hint(shape, fitted)
    raise ValueError(f"X: expected shape {_shown(fitted)} as in fit, got {shape}{hint}")


def reshape_samples(X, shape):
    """X with samples of the shape that the first layer declares.

    Rows of pixels become images. Images without an axis for their single channel get one.
    """
    found = X.shape[1:]
    if fits(found, shape):
        return X
    flat = None if None in shape else (math.prod(shape),)
    if isinstance(X, np.ndarray):
        if fits((*found, 1), shape):
            return X[..., None]
        if found == flat:
            return X.reshape(len(X), *shape)
    rows = f" or {_shown(flat)}" if flat and len(shape) > 1 else ""
    raise ValueError(
        f"X: expected shape {_shown(shape)}{rows}, as the first layer's input_shape says, "
        f"got {X.shape}{_hint(X.shape, shape)}"
    )


def warn_of_channels_first(X):
    """Warn if X looks like images of shape (N, channels, height, width)."""
    if _channels_first(X.shape):
        warnings.warn(
            f"X of shape {X.shape} is read as images (N, height, width, channels). If the channels "
            "come first in it: np.moveaxis(X, 1, -1)",
            UserWarning,
            stacklevel=warn.levels_to_the_caller(),
        )


def with_advice(message, X):
    """The message of an error in building a model for X, and what to do about X."""
    return message + _advice(message, X)


def _advice(message, X):
    if _channels_first(X.shape):
        return "; channels come last: np.moveaxis(X, 1, -1)"
    if "expected images" not in message or X.ndim > 3:  # the words of layers that need images
        return ""
    if X.ndim == 3:
        return "; X[..., np.newaxis] gives images an axis for their one channel"
    return "; for rows of pixels give the first layer input_shape=(height, width, channels)"


def _channels_first(shape):
    """Whether this looks like the shape of square images whose channels come first."""
    return len(shape) == 4 and shape[1] in (1, 3) and shape[2] == shape[3] > 4


def _hint(shape, expected):
    """The end of a message: how X of this shape could get samples of the expected shape."""
    found = shape[1:]
    if len(found) == 3 and expected == (*found[1:], found[0]):
        return "; channels come last: np.moveaxis(X, 1, -1)"
    if math.prod(found) == math.prod(expected) and sorted(found) != sorted(expected):
        return f"; X.reshape{(shape[0], *expected)} may be meant"
    return ""


def _shown(shape):
    """(3, 4) as '(N, 3, 4)'."""
    return f"(N, {', '.join(map(str, shape))})"
