"""Columns of a table as they come: numbers with gaps, and categories, as one matrix of numbers.

The one idea: what `fit` learns of a table is its columns' vocabularies. A category is then its
place in one, from 1 on, and 0 is whatever `fit` did not see, or saw seldom. So a table is an array
of numbers wherever it goes, and the network's first layers know what they mean."""

import collections
import numbers
import re

import numpy as np

from nnlite.estimators import defaults
from nnlite.estimators.frames import (
    FEW_ROWS,
    as_table,
    columns_of,
    distinct,
    floats,
    holds_numbers,
    is_frame,
    key_of,
    kind_of,
    lists_of,
    type_of,
)
from nnlite.layers import PeriodicEmbedding, PiecewiseLinearEncoding, TableEncoding
from nnlite.layers.table import numbered
from nnlite.layers.tracking import first_layer


class Columns:
    """What the columns of a table are, as `fit` learned it.

    Parameters
    ----------
    vocabularies : list
        For each column the categories that are known: strings, numbers, booleans, and None for a
        gap; or None, of a column of numbers.
    """

    def __init__(self, vocabularies):
        self.vocabularies = vocabularies
        self._codes = [
            None if known is None else {value: i for i, value in enumerate(known, 1)}
            for known in vocabularies
        ]

    @property
    def sizes(self):
        """For each column the number of categories, at least 1; 0 of a column of numbers."""
        return [0 if known is None else max(1, len(known)) for known in self.vocabularies]

    def encoded(self, X):
        """A table as a matrix of numbers.

        Parameters
        ----------
        X : DataFrame, Arrow table or array, with the columns of `fit`

        Returns
        -------
        array of float64, shape (N, columns)
            Numbers, NaN for gaps among them, and of categories their place in the vocabulary; 0 for
            what is not in it.

        Raises
        ------
        ValueError
            If what was numbers in `fit` is none; all such columns are named.
        """
        X = as_table(X)
        few = hasattr(X, "iat") and len(X) <= FEW_ROWS
        given = lists_of(X) if few else columns_of(X)
        found, wrong = np.empty((X.shape[0], len(self._codes))), []
        for place, (codes, (name, column)) in enumerate(zip(self._codes, given, strict=True)):
            try:
                found[:, place] = floats(column) if codes is None else _coded(column, codes)
            except (TypeError, ValueError):
                wrong.append(repr(name))
        if wrong:
            raise ValueError(f"X: expected numbers as in fit, got others in {', '.join(wrong)}")
        return found


def read_by_network(estimator):
    """What the network of a fitted estimator reads of a table, behind its scaling and encoding.

    Parameters
    ----------
    estimator : NNClassifier or NNRegressor
        One that reads rows.

    Returns
    -------
    sources : array of int
        For each number that is read, the column that it is made of.
    names : list of str
        What it says: 'age', 'age is missing', 'sex: male, not female', 'city: Rome', and with a
        number what an encoding or an embedding makes of a column.
    """
    count = estimator.n_features_in_
    names = list(getattr(estimator, "feature_names_in_", [f"x{i}" for i in range(count)]))
    model = estimator.model_
    table, encoding = (first_layer(kind, model) for kind in (TableEncoding, _OF_NUMBERS))
    if table is not None:
        known = [None] * count if estimator._columns is None else estimator._columns.vocabularies
        return table.sources, table.names_of(names, known)
    sources = np.arange(count) if encoding is None else encoding.sources
    return sources, numbered(names, sources)


_OF_NUMBERS = (PiecewiseLinearEncoding, PeriodicEmbedding)


def learned(X, wanted, sample_weight=None):
    """The Columns of a table; None if none of them is a category.

    Parameters
    ----------
    X : DataFrame, Arrow table or array
    wanted : 'from_dtype', mask, names, indices or None
        The setting `categorical_features`.
    sample_weight : array-like, optional
        Rows of weight 0 do not count.

    Returns
    -------
    Columns or None

    Raises
    ------
    ValueError
        If `wanted` names columns that are not there, or columns are neither numbers nor categories.
        All of these are named.
    """
    from_dtype = isinstance(wanted, str) and wanted == "from_dtype"
    if wanted is None or (from_dtype and not is_frame(X) and not _has_strings(X)):
        return None
    X = as_table(X)
    given, present = list(columns_of(X)), _present(X, sample_weight)
    chosen = [None] * len(given) if from_dtype else _chosen(wanted, [name for name, _ in given])
    wrong, vocabularies = collections.defaultdict(list), []
    for (name, column), is_category in zip(given, chosen):
        kind, counts = kind_of(column), None
        if is_category or (is_category is None and kind in ("categories", "strings")):
            try:
                counts = _counts(column, present)
            except TypeError:  # of values that have no hash
                kind = "other values"
            else:
                undecided = kind == "strings" and not is_category
                kind = _kind_of_strings(counts) if undecided else "categories"
        elif is_category is False and kind in ("categories", "strings"):
            kind = "numbers" if holds_numbers(column) else "categories not named"
        if kind not in ("numbers", "categories"):
            wrong[kind].append((name, column))
        vocabularies.append(_vocabulary(counts) if kind == "categories" else None)
    if wrong:
        found = "; ".join(f"{k} in {_listed(wrong[k])}: {_CURES[k]}" for k in _CURES if k in wrong)
        raise ValueError(f"X: expected numbers and categories, got {found}")
    return Columns(vocabularies) if any(known is not None for known in vocabularies) else None


def _has_strings(X):
    """Whether X is an array of objects, rows of columns, and strings are among them."""
    if not isinstance(X, np.ndarray) or X.dtype != object or X.ndim != 2:
        return False
    return any(isinstance(value, str) for value in X.flat)


def _present(X, sample_weight):
    """Which rows have a weight above 0; None for all. Weights that are none are refused later."""
    weight = np.asarray(sample_weight)
    legal = weight.dtype.kind in "biuf" and weight.shape == (X.shape[0],)
    return weight > 0 if legal and (weight == 0).any() else None


_CURES = {
    "dates": "make numbers of their parts, as the year, the day of the week, the hour",
    "texts": "nnlite.TextVectorizer makes numbers of a text, and categorical_features can name "
    "columns that are categories",
    "numbers written as text": "pandas.to_numeric(column, errors='coerce') makes numbers of them",
    "categories not named": "name them in categorical_features, or encode them",
    "other values": "make numbers of them, or leave them out",
}


def _listed(columns):
    names = [f"{name!r} (of type {type_of(column)})" for name, column in columns]
    return f"column{'s' * (len(names) > 1)} {', '.join(names)}"


# The setting


def check_setting(value):
    """Whether a value of `categorical_features` is legal, whatever the table."""
    if value is None or (isinstance(value, str) and value == "from_dtype"):
        return True
    if isinstance(value, (str, bytes)) or not hasattr(value, "__len__") or np.ndim(value) != 1:
        return False
    kinds = (bool, np.bool_), (str,), (numbers.Integral,)
    return any(all(isinstance(entry, kind) for entry in value) for kind in kinds)


def _chosen(wanted, names):
    """For each column whether the setting names it."""
    wanted, count = list(wanted), len(names)
    if wanted and isinstance(wanted[0], (bool, np.bool_)):
        if len(wanted) != count:
            raise ValueError(
                f"categorical_features: expected a mask of {count} columns, got {len(wanted)}"
            )
        return [bool(entry) for entry in wanted]
    if wanted and isinstance(wanted[0], str):
        missing = [entry for entry in wanted if entry not in names]
        if missing:
            raise ValueError(
                f"categorical_features: expected names of columns, got {missing[0]!r}; the columns "
                f"are {', '.join(map(repr, names))}"
            )
        return [name in wanted for name in names]
    wrong = [entry for entry in wanted if not 0 <= entry < count]
    if wrong:
        raise ValueError(
            f"categorical_features: expected indices of columns in [0, {count}), got {wrong[0]}"
        )
    return [i in wanted for i in range(count)]


def _coded(column, codes):
    """The codes of a column's values; 0 for those that have none."""
    if isinstance(column, list):
        return [codes.get(key_of(value), 0) for value in column]
    values, places = distinct(column)
    return np.array([codes.get(key_of(value), 0) for value in values], np.float64)[places]


def _counts(column, present):
    """How often each category is in a column."""
    values, places = distinct(column)
    places = places if present is None else places[present]
    found = collections.Counter()
    for value, count in zip(values, np.bincount(places, minlength=len(values)).tolist()):
        if count:
            found[key_of(value)] += count
    return found


def _vocabulary(counts):
    """The categories that are learned, of a column in which each is so often: a gap, and those that
    are not rare."""
    least = defaults.rare_below(sum(counts.values()))
    known = [key for key, count in counts.items() if key is not None and count >= least]
    known.sort(key=lambda key: (isinstance(key, str), key))
    return known + [None] * (None in counts)


# Strings that are no categories

_MANY = 20
_WORDS, _LETTERS = 3, 40  # of texts, on average
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}")
_MOST_DATES = 12  # different dates that may be categories, such as the months of a year


def _kind_of_strings(counts):
    """What strings are that are so often in a column.

    Texts, and numbers, if more than half of the values differ, and more than 20: then no category
    is there often. Texts have 3 words or 40 letters on average, and of numbers nine in ten can be
    read.
    """
    strings = [key for key in counts if isinstance(key, str)]
    if len(strings) > _MOST_DATES and all(map(_DATE.match, strings)):
        return "dates"
    rows = sum(counts.values()) - counts[None]
    if len(strings) > max(_MANY, rows / 2):
        if sum(map(_is_numeric, strings)) >= 0.9 * len(strings):
            return "numbers written as text"
        words = sum(len(text.split()) for text in strings) / len(strings)
        if words >= _WORDS or sum(map(len, strings)) / len(strings) >= _LETTERS:
            return "texts"
    return "categories"


def _is_numeric(text):
    try:
        float(text.replace(",", ""))
    except ValueError:
        return False
    return True
