"""Data that estimators cannot learn from or predict: an error that says what is expected, never a
silent result."""

import warnings

import numpy as np
import pandas
import pytest
from refused import (
    IRIS,
    KIND,
    LENGTH,
    MISSING,
    NAMES,
    classifier,
    frame,
    regressor,
    with_nan,
)
from scipy.sparse import coo_array, csr_array
from sklearn.exceptions import NotFittedError
from sklearn.metrics import make_scorer

import nnlite
from nnlite import NNRegressor

TEXTS = [f"the {i}th of all flowers" for i in range(150)]

# Rows

BAD_ROWS = {
    "none": (None, "Expected 2D array"),
    "one number": (3, "Expected 2D array"),
    "a Series": (pandas.Series(LENGTH), "Expected a 2-dimensional container|Expected 2D array"),
    "rows of several lengths": ([[1.0, 2.0], [3.0]] * 75, "X: expected rows of equal lengths"),
    "rows of arrays": ([(IRIS, KIND)] * 2, "X: expected rows of equal lengths"),
    "values of an object": ([[object()] * 3] * 150, "X: expected numbers, got values of type obj"),
    "beyond squares": (np.full_like(IRIS, 1e308), "X: expected values whose squares float64 holds"),
    "a symbol": (nnlite.Input((4,)), "X: symbol .* has no values"),
    "infinity": (np.where(IRIS > 7, np.inf, IRIS), "X contains infinity"),
    "infinity of objects": (np.where(IRIS > 7, np.inf, IRIS).astype(object), "X contains infinity"),
    "infinity of a column": (frame(a=np.where(KIND, np.inf, 1), kind=NAMES), "X contains infinity"),
    "NaN of sparse": (csr_array(with_nan(IRIS)), "X contains NaN"),
    "NaN of images": (np.full((150, 3, 3), np.nan), "X contains NaN"),
    "masked": (np.ma.array(IRIS, mask=IRIS > 7), "X: expected no masked values"),
    "complex": (IRIS + 1j, "Complex data"),
    "complex of sparse": (csr_array(IRIS + 1j), "Complex data"),
    "text": (IRIS.astype(str), "X: expected numbers, got values of type <U"),
    "bytes": (IRIS.astype("S8"), r"X: expected numbers, got values of type \|S8"),
    "texts of objects": (np.array(TEXTS, object)[:, None], "X: expected .*, got texts in column 0"),
    "dates": (np.full((150, 2), np.datetime64("2020")), "X: expected numbers, got .*datetime64"),
    "time spans": (np.full((150, 2), np.timedelta64(1, "h")), "X: expected numbers, got .*timede"),
    "records": (np.zeros((150, 1), [("a", float)]), "X: expected numbers, got values of type"),
    "column of text": (frame(kind=TEXTS), "got texts in column 'kind'.*TextVectorizer"),
    "column of dates": (
        frame(day=pandas.date_range("2020", periods=150)),
        r"X: expected .*, got dates in column 'day' \(of type datetime64",
    ),
    "column of time spans": (
        frame(day=pandas.to_timedelta(KIND, unit="h")),
        r"X: expected .*, got dates in column 'day' \(of type timedelta64",
    ),
    "names of two kinds": (pandas.DataFrame(IRIS, columns=["a", "b", "c", 3]), "Feature names are"),
    "empty images": (np.zeros((150, 0, 3, 1)), r"X: expected at least one value in a sample"),
    "np.matrix": (IRIS.view(np.matrix), "np.matrix is not supported"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
@pytest.mark.parametrize("estimator", [classifier, regressor])
def test_rows_that_cannot_be_learned(estimator, case):
    X, words = BAD_ROWS[case]
    y = KIND if estimator is classifier else LENGTH
    with pytest.raises((ValueError, TypeError), match=words), warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        estimator().fit(X, y)


@pytest.mark.parametrize(
    "case",
    [
        "infinity",
        "NaN of sparse",
        "masked",
        "text",
        "dates",
        "complex",
        "np.matrix",
    ],
)
def test_rows_that_cannot_be_predicted(case):
    X, words = BAD_ROWS[case]
    X = X[:, :2] if isinstance(X, np.ndarray) else X
    words = f"{words}|feature|as in fit"
    with pytest.raises((ValueError, TypeError), match=words), warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        classifier().fit(IRIS, KIND).predict(X)


# Targets


def nullable(values, kind):
    return pandas.array([None, *np.asarray(values)[1:].tolist()], dtype=kind)


@pytest.mark.parametrize(
    "y, words",
    [
        (3, "at least 1 dim"),
        ("abc", "at least 1 dim"),
        ({"a": 1}, "at least 1 dim"),
        ([], "0 sample"),
        (KIND[:-1], "inconsistent numbers of samples"),
        (KIND[None], "inconsistent numbers of samples"),
        (np.ones((150, 2, 2)), "dim 3"),
        (np.ones((150, 0)), "0 feature"),
        ([None] * 150, "y: .*NaN or None for 150 of 150 rows"),
        ([*NAMES[:-1], None], "y: .*NaN or None for 1 of 150 rows, the first of them 149"),
        (np.where(KIND == 1, None, NAMES.astype(object)), "y: .*for 50 of 150 rows, .* 50"),
        (nullable(KIND, "Int64"), "y: expected a target for each row"),
        (nullable(NAMES, "string"), "y: expected a target for each row"),
        (pandas.Series(nullable(NAMES, "string")), "y: expected a target for each row"),
        (pandas.Series(MISSING), "y: expected a target for each row"),
        (
            pandas.DataFrame(np.where(np.eye(3)[KIND] == 1, np.nan, 0)),
            "y: expected a target for each",
        ),
        (np.ma.array(KIND, mask=KIND == 1), "y: expected no masked values"),
        (LENGTH, "continuous"),
        (IRIS[:, :3], "continuous"),
        (KIND + 1j, "Complex"),
        (np.full(150, 2), r"y: expected at least 2 classes, got 1 class: \[2\]"),
        (["u"] * 150, r"y: expected at least 2 classes, got 1 class: \['u'\]"),
        ([(1, 2)] * 150, r"2 columns of 0 and 1, .* with values \[1, 2\]"),
        (np.c_[KIND, KIND], "y: expected one label per sample, or a matrix of 0 and 1"),
        (csr_array(np.eye(3)[KIND]), "y: expected a dense array"),
        (coo_array(np.eye(3)[KIND]), "y: expected a dense array"),
        ([{1}, {2}] * 75, "Unknown label type"),
    ],
)
def test_labels_that_are_none(y, words):
    with pytest.raises((ValueError, TypeError), match=words):
        classifier().fit(IRIS, y)


@pytest.mark.parametrize(
    "y, words",
    [
        (NAMES, "y: expected numbers, got values of type <U1"),
        (LENGTH.astype(str), "y: expected numbers, got values of type <U"),
        (np.full(150, np.datetime64("2020")), "y: expected numbers, got .*datetime64"),
        (np.full(150, np.timedelta64(1, "h")), "y: expected numbers, got .*timedelta64"),
        (with_nan(LENGTH), "y contains NaN"),
        (LENGTH * np.inf, "y contains infinity"),
        (np.where(LENGTH > 7, None, LENGTH.astype(object)), "y: .*NaN or None for 12 of 150 rows"),
        ([*LENGTH[:-1], None], "y: .*NaN or None for 1 of 150 rows, the first of them 149"),
        (nullable(LENGTH, "Float64"), "y: expected a target for each row"),
        (pandas.Series(with_nan(LENGTH)), "y: expected a target for each row"),
        (np.ma.array(LENGTH, mask=LENGTH > 7), "y: expected no masked values"),
        (np.ones((150, 2, 2)), "dim 3"),
        (np.ones((150, 0)), "0 feature"),
        (csr_array(LENGTH[:, None]), "y: expected a dense array"),
        (LENGTH[:9], "inconsistent"),
    ],
)
def test_numbers_that_are_none(y, words):
    with pytest.raises((ValueError, TypeError), match=words):
        regressor().fit(IRIS, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_numbers_are_learned_as_well_as_others(dtype):
    huge = regressor(dtype=dtype, normalize=True, epochs=50).fit(IRIS, LENGTH * 1e39)
    usual = regressor(dtype=dtype, normalize=True, epochs=50).fit(IRIS, LENGTH)
    expected = usual.predict(IRIS).astype(np.float64) * 1e39
    np.testing.assert_allclose(huge.predict(IRIS), expected, rtol=1e-4)
    with pytest.raises(ValueError, match="y: expected values whose squares are finite, got"):
        regressor(dtype=dtype).fit(IRIS, LENGTH * 1e300)


# Weights


@pytest.mark.parametrize(
    "weight, words",
    [
        ("a", "sample_weight: expected numbers, got 'a'"),
        (["a"] * 150, "sample_weight: expected numbers, got 'a'"),
        ({0: 1}, "sample_weight: "),
        (np.ones(3), r"sample_weight.*\(3,\)"),
        (-1.0, "sample_weight: Negative"),
        (np.ones((150, 1)), "sample_weight: .*1D"),
        (with_nan(np.ones(150)), "sample_weight.*NaN"),
        ([None] * 150, "sample_weight.*NaN"),
        (np.r_[np.inf, np.ones(149)], "sample_weight.*infinity"),
        (-np.ones(150), "sample_weight: Negative"),
        (np.zeros(150), "sample_weight: .*non-zero"),
        (csr_array(np.ones((1, 150))), "sample_weight: Sparse"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_weights_that_are_none(method, weight, words):
    with pytest.raises((ValueError, TypeError), match=words):
        getattr(regressor(), method)(IRIS, LENGTH, sample_weight=weight)


@pytest.mark.parametrize(
    "weight, words",
    [
        ({9: 1.0}, r"class_weight: expected labels of \[0 1 2\], got 9"),
        ({"u": 1.0}, "class_weight: expected labels of .*, got 'u'"),
        ({(1,): 2.0}, r"got \(1,\)"),
        ({np.nan: 1.0}, "class_weight: expected labels of .*, got nan"),
        ({0: 0, 1: 0, 2: 0}, "class_weight: expected at least one non-zero weight"),
        *(
            (
                {0: bad},
                "class_weight: expected None, 'balanced' or a dict of labels to weights of at",
            )
            for bad in (-1, np.nan, np.inf, "x", None, np.array([1.0]), 1j)
        ),
        ("Balanced", "class_weight: expected None, 'balanced' or a dict"),
    ],
)
def test_weights_of_classes_that_are_none(weight, words):
    with pytest.raises(ValueError, match=words):
        classifier(class_weight=weight).fit(IRIS, KIND)


def test_several_labels_have_no_weights_of_classes_and_a_regressor_neither():
    for weight in ("balanced", {0: 1}):
        with pytest.raises(ValueError, match="class_weight: expected None, as each sample may"):
            classifier(class_weight=weight).fit(IRIS, np.eye(3, dtype=int)[KIND])
    with pytest.raises(TypeError, match="class_weight"):
        NNRegressor(class_weight="balanced")


# Held-out rows, scores


@pytest.mark.parametrize(
    "given, words",
    [
        ({"X_val": IRIS}, "y_val: expected rows, as there is X_val, got None"),
        ({"X_val": (IRIS, KIND)}, "y_val: expected rows"),
        ({"y_val": KIND}, "X_val: expected rows, as there is y_val, got None"),
        (
            {"sample_weight_val": np.ones(150)},
            "X_val: expected rows, as there is sample_weight_val",
        ),
        ({"X_val": IRIS[:, :2], "y_val": KIND}, "X_val.*2 features.*4 features"),
        ({"X_val": IRIS[:0], "y_val": KIND[:0]}, "X_val.*0 sample"),
        ({"X_val": IRIS, "y_val": KIND[:3]}, "y_val: .*inconsistent"),
        ({"X_val": IRIS, "y_val": KIND + 1}, r"y_val: .*labels of \[0 1 2\], got .*3"),
        ({"X_val": IRIS, "y_val": NAMES}, "y_val: .*labels of .*, got .*'u'"),
        ({"X_val": IRIS, "y_val": [None] * 150}, "y_val: .*NaN or None"),
        ({"X_val": IRIS, "y_val": with_nan(KIND)}, "y_val: .*NaN"),
        ({"X_val": IRIS * np.inf, "y_val": KIND}, "X_val.*infinity"),
        ({"X_val": IRIS.astype(str), "y_val": KIND}, "X_val.*expected numbers"),
        *(
            ({"X_val": IRIS, "y_val": KIND, "sample_weight_val": w}, "sample_weight_val: .*weight")
            for w in (np.ones(3), np.zeros(150), -np.ones(150), "x")
        ),
    ],
)
def test_rows_that_cannot_be_held_out(given, words):
    with pytest.raises((ValueError, TypeError), match=words):
        classifier().fit(IRIS, KIND, **given)


@pytest.mark.parametrize(
    "estimator, y, scoring",
    [
        (classifier, KIND, "roc_auc"),
        (regressor, LENGTH, "roc_auc"),
        (regressor, LENGTH, "accuracy"),
        (classifier, KIND, lambda e, X, y: None),
        (classifier, KIND, lambda e, X, y: "much"),
        (classifier, KIND, lambda e, X, y: np.ones(2)),
        (classifier, KIND, lambda e: 1.0),
    ],
)
def test_a_scorer_that_does_not_suit(estimator, y, scoring):
    with pytest.raises((AttributeError, ValueError, TypeError), match=r"scoring: .* no number"):
        estimator(scoring=scoring, early_stopping=True).fit(IRIS, y)


def test_a_score_that_is_not_finite_is_no_error():
    for value in (np.nan, np.inf, -np.inf):
        scorer = make_scorer(lambda a, b, value=value: value)
        fitted = classifier(scoring=scorer, early_stopping=True).fit(IRIS, KIND)
        assert np.isfinite(fitted.predict_proba(IRIS)).all()


def test_a_fraction_that_leaves_no_rows():
    with pytest.raises(ValueError, match=r"validation_fraction: 0.999 of 150 rows leaves none"):
        classifier(early_stopping=True, validation_fraction=0.999).fit(IRIS, KIND)


# Streams


@pytest.mark.parametrize(
    "classes, words",
    [
        (None, "classes: expected all labels at the first partial_fit, got None"),
        ([], "expected at least 2 classes, got 0 classes"),
        ([1], r"got 1 class: \[1\]"),
        ("abc", "classes: expected a list of labels of one kind, got 'abc'"),
        (3, "classes: expected a list of labels"),
        ([[0, 1], [2, 3]], "classes: expected a list of l"),
        ([0, "a", None], "classes: expected a list of labels of one kind"),
        ([0, 1], "y: expected labels of .*, got .*2"),
        (["u", "v"], "y: expected labels of .*, got"),
    ],
)
def test_classes_of_a_stream(classes, words):
    estimator = classifier()
    with pytest.raises(ValueError, match=words):
        estimator.partial_fit(IRIS, KIND, classes=classes)
    with pytest.raises(NotFittedError):
        estimator.predict(IRIS)
