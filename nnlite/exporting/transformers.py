"""Transformers of scikit-learn in ops: what stands before an estimator in a pipeline."""

import numpy as np

from nnlite import ops
from nnlite.ops.rows import split, standardize

PIPELINE = "sklearn.pipeline.Pipeline"


def transformed(name, transformer, x):
    """What a fitted transformer makes of rows.

    Parameters
    ----------
    name : str
        Its name in the pipeline, for messages.
    transformer : transformer of scikit-learn
    x : Tensor, shape (N, columns)

    Raises
    ------
    ValueError
        If it is none of those known, or has a setting that is not.
    """
    check_known(name, transformer)
    return _FUNCTIONS[path_of(transformer)](name, transformer, x)


def check_known(name, transformer):
    """Raise the ValueError of `transformed` for a transformer that is none of those known."""
    if path_of(transformer) not in _FUNCTIONS:
        known = ", ".join(path.rpartition(".")[2] for path in _FUNCTIONS)
        raise _refused(
            name,
            transformer,
            f"expected a transformer among {known}; the estimator, pipeline[-1], can be exported "
            "alone, and takes what this step gives",
        )


def path_of(part):
    """The package and the name of a class of scikit-learn, as no subclass has it."""
    kind = type(part)
    return f"{'.'.join(kind.__module__.split('.')[:2])}.{kind.__name__}"


def _refused(name, transformer, expected):
    return ValueError(f"export: step {name!r} ({type(transformer).__name__}): {expected}")


def _scaled(x, mean=None, deviation=None):
    """(x - mean) / deviation, computed in float64."""
    columns = x.shape[-1]
    mean, rest = split(np.zeros(columns) if mean is None else mean, x.dtype)
    deviation = np.ones(columns) if deviation is None else deviation
    return standardize(x, mean, np.asarray(deviation, np.float64), rest)


def _standard(name, t, x):
    return _scaled(x, t.mean_ if t.with_mean else None, t.scale_)


def _min_max(name, t, x):
    low, high = t.feature_range
    y = _scaled(x, t.data_min_ - low / t.scale_, 1 / t.scale_)
    return ops.clip(y, low, high) if t.clip else y


def _max_abs(name, t, x):
    y = _scaled(x, None, t.scale_)
    return ops.clip(y, -1.0, 1.0) if getattr(t, "clip", False) else y


def _robust(name, t, x):
    return _scaled(x, t.center_ if t.with_centering else None, t.scale_ if t.with_scaling else None)


_NORMS = {
    "l1": lambda x: ops.sum(ops.abs(x), axis=1, keepdims=True),
    "l2": lambda x: ops.sqrt(ops.sum(ops.square(x), axis=1, keepdims=True)),
    "max": lambda x: ops.max(ops.abs(x), axis=1, keepdims=True),
}


def _normalized(name, t, x):
    norm = _NORMS[t.norm](x)
    return ops.divide(x, ops.where(norm, norm, 1.0))


def _principal(name, t, x):
    axes = np.asarray(t.components_, np.float64)
    if t.whiten:
        scale = np.sqrt(t.explained_variance_)
        axes = axes / np.maximum(scale, np.finfo(scale.dtype).eps)[:, None]
    return ops.linear(_scaled(x, t.mean_), axes.T)


def _decomposed(name, t, x):
    return ops.linear(x, np.asarray(t.components_).T)


def _imputed(name, t, x):
    if t.add_indicator:
        raise _refused(name, t, "expected add_indicator=False, got True")
    try:
        statistics, gap = np.asarray(t.statistics_, np.float64), float(t.missing_values)
    except (TypeError, ValueError):
        raise _refused(name, t, f"expected numbers, got {t.statistics_!r}") from None
    known = ops.equal(x, x) if np.isnan(gap) else ops.not_equal(x, gap)
    there = ~np.isnan(statistics)
    return _columns(ops.where(known, x, np.where(there, statistics, 0)), np.flatnonzero(there))


def _unchanged(name, t, x):
    """What a ColumnTransformer passes through."""
    if t.func is not None:
        raise _refused(name, t, "expected func=None, as a function may compute anything")
    return x


def _selected(name, t, x):
    return _columns(x, t.get_support(indices=True))


def _polynomial(name, t, x):
    """Products of columns, and of a column of ones behind them."""
    powers = t.powers_
    degree = max(int(powers.sum(axis=1).max(initial=0)), 1)
    factors = np.full((len(powers), degree), x.shape[1])
    for row, of_columns in zip(factors, powers):
        found = np.repeat(np.arange(len(of_columns)), of_columns)
        row[: len(found)] = found
    x = ops.concatenate([x, ops.ones((x.shape[0], 1), x.dtype)], axis=1)
    y = _columns(x, factors[:, 0])
    for column in factors.T[1:]:
        y = ops.multiply(y, _columns(x, column))
    return y


def _of_columns(name, t, x):
    """Each part of a ColumnTransformer on its columns, side by side."""
    parts, names = [], list(getattr(t, "feature_names_in_", ()))
    for part, transformer, columns in t.transformers_:
        places = _places(columns, x.shape[1], names)
        if not isinstance(transformer, str) and len(places):
            parts.append(transformed(f"{name}.{part}", transformer, _columns(x, places)))
        elif transformer == "passthrough":
            parts.append(_columns(x, places))
    return ops.concatenate(parts, axis=1)


def _places(columns, count, names):
    """The numbers of columns that are named, numbered, a slice or a mask."""
    if isinstance(columns, (str, int)):
        columns = [columns]
    if isinstance(columns, slice) or not len(columns) or not isinstance(columns[0], str):
        return np.arange(count)[columns]
    return np.array([names.index(column) for column in columns])


def _columns(x, places):
    """Columns by their numbers."""
    if np.array_equal(places, np.arange(x.shape[1])):
        return x
    return ops.take(x, places, axis=1)


def _united(name, t, x):
    if t.transformer_weights:
        raise _refused(name, t, "expected no transformer_weights")
    parts = [transformed(f"{name}.{part}", each, x) for part, each in t.transformer_list]
    return ops.concatenate(parts, axis=1)


def _in_turn(name, t, x):
    for part, transformer in t.steps:
        if transformer not in (None, "passthrough"):
            x = transformed(f"{name}.{part}", transformer, x)
    return x


_SELECTORS = "GenericUnivariateSelect SelectFdr SelectFpr SelectFromModel SelectFwe SelectKBest"
_SELECTORS += " SelectPercentile RFE RFECV SequentialFeatureSelector VarianceThreshold"
_FUNCTIONS = {
    "sklearn.preprocessing.StandardScaler": _standard,
    "sklearn.preprocessing.MinMaxScaler": _min_max,
    "sklearn.preprocessing.MaxAbsScaler": _max_abs,
    "sklearn.preprocessing.RobustScaler": _robust,
    "sklearn.preprocessing.FunctionTransformer": _unchanged,
    "sklearn.preprocessing.Normalizer": _normalized,
    "sklearn.preprocessing.PolynomialFeatures": _polynomial,
    "sklearn.decomposition.PCA": _principal,
    "sklearn.decomposition.IncrementalPCA": _principal,
    "sklearn.decomposition.TruncatedSVD": _decomposed,
    "sklearn.impute.SimpleImputer": _imputed,
    "sklearn.compose.ColumnTransformer": _of_columns,
    "sklearn.pipeline.FeatureUnion": _united,
    PIPELINE: _in_turn,
    **{f"sklearn.feature_selection.{name}": _selected for name in _SELECTORS.split()},
}
