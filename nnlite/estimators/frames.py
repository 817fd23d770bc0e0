"""Tables of packages that are not imported: DataFrames of pandas and polars, Arrow tables; arrays.

The one idea: a table is its columns, and a column has a type and values. Only these functions know
how a package writes that."""

import datetime
import numbers
import re
from decimal import Decimal

import numpy as np


def is_frame(X):
    """Whether X has columns of types of their own."""
    return any(hasattr(X, name) for name in ("iloc", "get_columns", "itercolumns")) and (
        len(getattr(X, "shape", ())) == 2
    )


def as_table(X):
    """X, if it is a frame; else as an array, in which columns of several types are objects."""
    if is_frame(X):
        return X
    X = X if isinstance(X, np.ndarray) else np.array(X, object)
    if X.ndim != 2:
        raise ValueError(
            "categorical_features: expected 'from_dtype' or None for X without rows of columns, "
            f"got X of shape {X.shape}"
        )
    return X


def has_objects(X):
    """Whether X is a DataFrame of pandas with columns of Python's objects."""
    return hasattr(X, "iloc") and is_frame(X) and "object" in map(str, X.dtypes)


def columns_of(X):
    """(name or number, column) for each column of a table."""
    if hasattr(X, "iloc"):
        return X.items()
    if hasattr(X, "get_columns"):
        return zip(X.columns, X.get_columns())
    if hasattr(X, "itercolumns"):
        return zip(X.column_names, X.itercolumns())
    return enumerate(X.T)


# To read a whole column of pandas takes as long as to read this number of values one by one.
FEW_ROWS = 8


def lists_of(X):
    """(name, list of values) for each column of a table of pandas."""
    for place, name in enumerate(X.columns):
        yield name, [X.iat[row, place] for row in range(len(X))]


def has_names_of(X, names):
    """Whether the columns of a frame have these names, in this order."""
    found = X.column_names if hasattr(X, "itercolumns") and not hasattr(X, "iloc") else X.columns
    return len(found) == len(names) and list(found) == list(names)


def type_of(column):
    """The type of a column's values, as its package calls it."""
    return str(column.type if hasattr(column, "to_pylist") else column.dtype)


# How the names of types begin in pandas, polars, pyarrow and NumPy, in small letters.
_KINDS = {
    "numbers": re.compile("u?int[0-9]|float|double|half|decimal|sparse|null"),
    "categories": re.compile("bool|categor|enum|dictionary|interval"),
    "dates": re.compile("date|time|duration|period|month"),
    "strings": re.compile(r"str(ing|\b)|large_string|utf8|large_utf8|<u|object"),
}


def kind_of(column):
    """What a column is by its type, and if that says nothing, by its values."""
    name = type_of(column)
    if name.lower() != "object":
        return _kind_of_type(name)
    types = set(map(type, _values(column))) - {type(None)}
    if types and all(map(_is_number, types)):
        return "numbers"
    if any(map(_is_time, types)):
        return "dates"
    if any(map(_is_nested, types)):
        return "other values"
    return "strings" if any(issubclass(t, str) for t in types) else "categories"


def _kind_of_type(name):
    """What a column is of which the type has this name."""
    name = name.lower()
    return next((kind for kind, names in _KINDS.items() if names.match(name)), "other values")


def _is_number(kind):
    return issubclass(kind, (numbers.Real, Decimal)) and not issubclass(kind, (bool, np.bool_))


def _is_time(kind):
    return issubclass(
        kind, (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
    )


def _is_nested(kind):
    return issubclass(kind, (list, tuple, dict, set, np.ndarray, bytes)) or not kind.__hash__


def _values(column):
    """The values of a column as a list, None for gaps."""
    if hasattr(column, "to_pylist"):
        return column.to_pylist()
    if hasattr(column, "iloc"):
        values, gaps = column.to_numpy(object), column.isna().to_numpy(bool)
        return np.where(gaps, None, values).tolist() if gaps.any() else values.tolist()
    return column.to_list() if hasattr(column, "to_list") else column.tolist()


def holds_numbers(column):
    """Whether the values of a column can be read as numbers."""
    try:
        floats(column)
    except (TypeError, ValueError):
        return False
    return True


def floats(column):
    """The values of a column as float64, NaN for gaps."""
    if isinstance(column, list):
        return [np.nan if key_of(value) is None else float(value) for value in column]
    if _kind_of_type(type_of(column)) in ("dates", "other values"):
        raise TypeError(f"expected numbers, got {type_of(column)}")
    if hasattr(column, "iloc"):
        return column.to_numpy(np.float64, na_value=np.nan)
    if isinstance(column, np.ndarray) and column.dtype != object:
        return column.astype(np.float64)
    values = np.asarray(column)
    values = values if values.dtype.kind in "biuf" else floats(_values(column))
    return np.asarray(values, np.float64)


def distinct(column):
    """The distinct values of a column, None for gaps, and for each row the place of its own."""
    if hasattr(column, "factorize"):
        places, values = column.factorize()
        values = [*values, None]
        return values, places % len(values)  # -1 stands for gaps
    given = _values(column)
    values = list(dict.fromkeys(given))
    place_of = {value: place for place, value in enumerate(values)}
    return values, np.fromiter(map(place_of.__getitem__, given), np.intp, len(given))


_GAPS = ("NAType", "NaTType", "NoneType")


def key_of(value):
    """A value as a vocabulary holds it: equal ones are equal, and JSON can hold them."""
    if isinstance(value, str):
        return str(value)
    if type(value).__name__ in _GAPS or value != value:
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else str(value)
