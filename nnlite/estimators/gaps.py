"""Gaps, NaN among the numbers of a table: which networks read them, and what becomes of others."""

import numpy as np
from sklearn.utils.validation import assert_all_finite

from nnlite.layers import InputScaling, TableEncoding
from nnlite.layers.tracking import first_layer


def gaps_in(X):
    """Whether X is a table with gaps: rows of floats with NaN among them."""
    if hasattr(X, "tocsr") or X.ndim != 2 or X.dtype.kind != "f":
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isnan(X.sum()) and np.isnan(X).any())


def columns_with_gaps(X):
    """The numbers of the columns of X that have gaps, if it is a table."""
    return np.flatnonzero(np.isnan(X).any(axis=0)).tolist() if gaps_in(X) else []


def check_plain(X, columns, network):
    """Raise a ValueError if a table has gaps or categories, which a network does not read."""
    if columns is not None:
        raise ValueError(
            f"X: expected numbers for {network}, got categories in columns "
            f"{np.flatnonzero(columns.sizes).tolist()}; encode them, as by OneHotEncoder"
        )
    if gaps_in(X):
        assert_all_finite(X, input_name="X")


def are_read_by(model):
    """Whether a model reads gaps: one of its layers, or of those inside, does."""
    return first_layer(TableEncoding, model) is not None


def without(model, X):
    """X for a model: gaps of columns that had none in `fit` become the columns' means, unless the
    model reads gaps; a ValueError if it does not know means."""
    if are_read_by(model) or not gaps_in(X):
        return X
    scaling = first_layer(InputScaling, model)
    if scaling is None:
        check_plain(X, None, "layers that had none in fit")
    return np.where(np.isnan(X), scaling.input_mean, X)
