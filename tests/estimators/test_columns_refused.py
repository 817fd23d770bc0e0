"""Columns that cannot be learned, settings that name none, networks that read no categories."""

import re

import numpy as np
import pandas
import pytest
from raw_table import DAYS, SIZE, N, X, Y, classifier

import nnlite
from nnlite.layers import Dense, Normalization

FITTED = classifier().fit(X, Y)


@pytest.mark.parametrize(
    "wanted, words",
    [
        ("city", "expected 'from_dtype', None, or a mask, names or indices of columns, got 'city'"),
        (3, "expected 'from_dtype', None, or a mask.*got 3"),
        ([0, "city"], "expected 'from_dtype', None, or a mask"),
        ([0.5], "expected 'from_dtype', None, or a mask"),
        ([[0]], "expected 'from_dtype', None, or a mask"),
        (["town"], "expected names of columns, got 'town'; the columns are 'city', 'street', 'fl"),
        ([0, 5], r"expected indices of columns in \[0, 5\), got 5"),
        ([-1], r"expected indices of columns in \[0, 5\), got -1"),
        ([True], r"expected a mask of 5 columns, got 1"),
    ],
)
def test_settings_that_name_no_columns(wanted, words):
    with pytest.raises(ValueError, match=f"categorical_features: {words}"):
        classifier(categorical_features=wanted).fit(X, Y)


def test_images_have_no_categories():
    with pytest.raises(ValueError, match=r"categorical_features: .* got X of shape \(240, 3, 3\)"):
        classifier(categorical_features=[0]).fit(np.zeros((N, 3, 3)), Y)


# What is refused

REFUSED = {
    "dates": DAYS,
    "time zones": DAYS.tz_localize("UTC"),
    "spans": DAYS - DAYS[0],
    "periods": DAYS.to_period(),
    "written dates": DAYS.strftime("%d/%m/%Y"),
    "texts": [f"the {i}th of all days" for i in range(N)],
    "long words": [f"https://example.org/{'x' * 20}{i}" for i in range(N)],
    "written numbers": [f"{size:,.2f}" if size > 900 else "?" for size in SIZE],
    "lists": [[1, 2]] * N,
}


def test_all_columns_that_cannot_be_learned_are_named_in_one_message():
    table = X.assign(**{name.replace(" ", "_"): values for name, values in REFUSED.items()})
    words = [
        r"dates in columns 'dates' \(of type datetime64\[us\]\), 'time_zones' .*, 'spans' .*, "
        r"'periods' .*, 'written_dates' .*: make numbers of their parts",
        r"texts in columns 'texts' .*, 'long_words' .*: nnlite.TextVectorizer makes",
        r"numbers written as text in column 'written_numbers' .*: pandas.to_numeric",
        r"other values in column 'lists' \(of type object\): make numbers of them",
    ]
    with pytest.raises(ValueError, match=r"^X: expected numbers and categories, got ") as error:
        classifier().fit(table, Y)
    for part, said in zip(words, str(error.value).split("; "), strict=True):
        assert re.search(part, said), said


@pytest.mark.parametrize(
    "values",
    [
        [f"Senior officer of rank {i % 40}" for i in range(N)],
        [f"id-{i}" for i in range(N)],
        [f"{i % 90:05}" for i in range(N)],
        [f"2020-{1 + i % 12:02}-01" for i in range(N)],
        ["yes"] * N,
    ],
    ids=["titles", "ids", "postcodes", "months", "constant"],
)
def test_strings_that_are_categories(values):
    classifier(epochs=1).fit(pandas.DataFrame({"a": values, "size": SIZE}), Y)


def test_texts_that_are_named_are_categories():
    table = pandas.DataFrame({"a": REFUSED["texts"], "day": REFUSED["dates"], "size": SIZE})
    fitted = classifier(epochs=1, categorical_features=["a", "day"]).fit(table, Y)
    assert fitted._columns.sizes == [1, 1, 0]


def test_categories_that_are_not_named():
    with pytest.raises(ValueError, match=r"got categories not named in columns 'street'.*'grade'"):
        classifier(categorical_features=["city"]).fit(X, Y)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda x: x[x.columns[::-1]], "Feature names must be in the same order"),
        (lambda x: x.rename(columns={"city": "town"}), "The feature names should match"),
        (lambda x: x[["city"]], "Feature names seen at fit time, yet now missing"),
        (lambda x: x.to_numpy(object)[:, :3], "3 features.*expecting 5"),
        (lambda x: x.assign(size="tall"), "got others in 'size'"),
        (lambda x: x.assign(size=DAYS[: len(x)]), "got others in 'size'"),
        (lambda x: x.assign(size=np.inf), "X contains infinity"),
        (lambda x: x.to_numpy(object)[0], "X does not contain any features"),
    ],
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("rows", [3, N])
def test_rows_of_another_table(change, words, rows):
    with pytest.raises(ValueError, match=words):
        FITTED.predict(change(X)[:rows] if rows == N else change(X[:rows]))


@pytest.mark.parametrize(
    "layers, words",
    [
        ([Normalization(), Dense(3)], "a network that has a scale of its own"),
        (lambda: compiled(), "a compiled model"),
    ],
    ids=["own scale", "compiled"],
)
def test_networks_that_read_no_categories(layers, words):
    with pytest.raises(ValueError, match=rf"X: expected numbers for {words}, got categories in "):
        classifier(layers).fit(X, Y)


def compiled():
    model = nnlite.Sequential([Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model
