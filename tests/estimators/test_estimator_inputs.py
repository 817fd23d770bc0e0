"""The same values in every form that users have them in: the same bits come out."""

import functools

import joblib
import numpy as np
import pandas
import pytest
import scipy.sparse
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from nnlite import NNClassifier, NNRegressor

IRIS, KIND = load_iris(return_X_y=True)
WHOLE = np.round(IRIS * 10)  # which every type of numbers can hold
LENGTH = IRIS[:, 0]
NAMES = np.array(["u", "v", "w"])[KIND]
COLUMNS = list("abcd")


def classifier(**settings):
    settings = {"epochs": 3, "random_state": 0, "early_stopping": True, **settings}
    return NNClassifier(learning_rate=0.01, dtype="float32", **settings)


def regressor(**settings):
    settings = {"epochs": 3, "random_state": 0, "early_stopping": True, **settings}
    return NNRegressor(learning_rate=0.01, dtype="float32", **settings)


def frame(a, kind=None, **more):
    return pandas.DataFrame(a, columns=COLUMNS, **more).astype(kind or a.dtype)


def polars_frame(a, kind="Float64"):
    polars = pytest.importorskip("polars")
    return polars.DataFrame(a, schema=COLUMNS, orient="row").cast(getattr(polars, kind))


def mixed(a):
    a, b, c, d = a.T
    whole = pandas.array(d.astype(int), dtype="Int8")
    return pandas.DataFrame({"a": a, "b": b.astype("f4"), "c": c.astype("i4"), "d": whole})


def mapped(a, mode, path):
    np.save(path, a)
    return np.load(path, mmap_mode=mode)


ROWS = {
    **{
        kind: lambda a, kind=kind: a.astype(kind)
        for kind in ("f4", "f8", "i8", "i4", "i2", "u1", ">f8", ">f4", ">i4", "O", "longdouble")
    },
    "F": np.asfortranarray,
    "every other": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "backwards": lambda a: a[:, ::-1].copy()[:, ::-1],
    "list": lambda a: a.tolist(),
    "list of arrays": list,
    "tuple of tuples": lambda a: tuple(map(tuple, a)),
    "frame": frame,
    "frame of objects": lambda a: frame(a, object),
    "frame of Int64": lambda a: frame(a.astype(int), "Int64"),
    "frame of Float32": lambda a: frame(a, "Float32"),
    "frame with an index": lambda a: frame(a, index=np.arange(len(a))[::-1]),
    "mixed frame": mixed,
    "polars": polars_frame,
    "polars of Float32": lambda a: polars_frame(a, "Float32"),
    "polars of Int64": lambda a: polars_frame(a, "Int64"),
    "polars of UInt8": lambda a: polars_frame(a, "UInt8"),
}


def outputs(estimator, X):
    return getattr(estimator, "predict_proba", estimator.predict)(X)


@functools.cache
def expected(estimator, normalize=True):
    y = KIND if estimator is classifier else LENGTH
    return outputs(estimator(normalize=normalize).fit(WHOLE, y), WHOLE)


@pytest.mark.parametrize("form", ROWS)
@pytest.mark.parametrize("estimator", [classifier, regressor])
def test_rows(estimator, form):
    X, y = ROWS[form](WHOLE), KIND if estimator is classifier else LENGTH
    fitted = estimator(normalize=True).fit(X, y)
    np.testing.assert_array_equal(outputs(fitted, X), expected(estimator))
    if hasattr(X, "columns"):
        np.testing.assert_array_equal(fitted.feature_names_in_, COLUMNS)
        np.testing.assert_array_equal(outputs(fitted, frame(WHOLE)), expected(estimator))
    else:
        np.testing.assert_array_equal(outputs(fitted, WHOLE), expected(estimator))


def test_a_query_of_rows_is_refused_and_the_cure_said():
    query = polars_frame(WHOLE).lazy()
    with pytest.raises(TypeError, match=r"X: expected rows, got LazyFrame; its collect\(\) gives"):
        classifier().fit(query, KIND)
    with pytest.raises(TypeError, match="X: expected rows, got LazyFrame"):
        classifier(epochs=1).fit(WHOLE, KIND).predict(query)


@pytest.mark.parametrize("mode", ["r", "c"])
@pytest.mark.parametrize("layout", [np.asarray, np.asfortranarray, np.uint8])
def test_rows_in_a_file(tmp_path, layout, mode):
    X, y = mapped(layout(WHOLE), mode, tmp_path / "X.npy"), mapped(KIND, mode, tmp_path / "y.npy")
    fitted = classifier(normalize=True).fit(X, y)
    np.testing.assert_array_equal(outputs(fitted, X), expected(classifier))


@pytest.mark.parametrize("kind", ["f8", "f4", "i8", "u1"])
@pytest.mark.parametrize(
    "form",
    [f"{form}_{kind}" for form in ("csr", "csc", "coo", "bsr") for kind in ("matrix", "array")],
)
def test_sparse_rows(form, kind):
    X = getattr(scipy.sparse, form)(WHOLE.astype(kind))
    same = functools.partial(classifier, epochs=5, ensemble=1)
    fitted = same(normalize=False).fit(X, KIND)
    whole = outputs(same(normalize=False).fit(WHOLE, KIND), WHOLE)
    for rows in (X, WHOLE):
        np.testing.assert_array_equal(outputs(fitted, rows), whole)


def series(values, kind=None):
    return pytest.importorskip("polars").Series(values, dtype=kind)


def enumerated(values):
    return series(values, pytest.importorskip("polars").Enum(["w", "v", "u"]))


LABELS = {
    "list": list,
    "text": np.asarray,
    "objects": lambda y: y.astype(object),
    "Series": pandas.Series,
    "Index": pandas.Index,
    "DataFrame": pandas.DataFrame,
    "with an index": lambda y: pandas.Series(y, index=np.arange(150)[::-1]),
    "Categorical": pandas.Categorical,
    "ordered": lambda y: pandas.Series(pandas.Categorical(y, list("wvu"), ordered=True)),
    "unused": lambda y: pandas.Series(pandas.Categorical(y, list("zwvu"))),
    "string": lambda y: pandas.Series(y, dtype="string"),
    "polars": series,
    "polars categories": enumerated,
}


@pytest.mark.parametrize("form", LABELS)
@pytest.mark.filterwarnings("ignore:A column-vector y")
def test_names_as_labels(form):
    y = LABELS[form](NAMES)
    fitted = classifier(normalize=True).fit(WHOLE, y)
    assert fitted.classes_.tolist() == ["u", "v", "w"]
    np.testing.assert_array_equal(outputs(fitted, WHOLE), expected(classifier))
    assert fitted.score(WHOLE, y) == np.mean(fitted.predict(WHOLE) == NAMES)


@pytest.mark.parametrize("kind", ["Int64", "Int8", "UInt16"])
def test_nullable_whole_numbers_stay_whole(kind):
    for y in (pandas.array(KIND, dtype=kind), pandas.Series(KIND, dtype=kind)):
        fitted = classifier(normalize=True).fit(WHOLE, y)
        assert fitted.classes_.dtype == fitted.predict(WHOLE).dtype == kind.lower()
        np.testing.assert_array_equal(outputs(fitted, WHOLE), expected(classifier))
    fitted = classifier().fit(WHOLE, pandas.array(KIND > 0, dtype="boolean"))
    assert fitted.predict(WHOLE).dtype == bool


@pytest.mark.parametrize(
    "form",
    [
        list,
        pandas.Series,
        lambda y: pandas.array(y, dtype="Float64"),
        lambda y: y.astype(object),
        lambda y: y.astype(">f8"),
        lambda y: np.repeat(y, 2)[::2],
        series,
    ],
    ids=["list", "Series", "Float64", "objects", "big-endian", "every other", "polars"],
)
def test_numbers_as_targets(form):
    fitted = regressor(normalize=True).fit(WHOLE, form(LENGTH))
    np.testing.assert_array_equal(outputs(fitted, WHOLE), expected(regressor))
    weighted = [regressor().fit(WHOLE, LENGTH, sample_weight=w) for w in (LENGTH, form(LENGTH))]
    assert weighted[0].loss_ == weighted[1].loss_


def test_missing_targets_of_polars():
    polars = pytest.importorskip("polars")
    for missing in ([None, *NAMES[1:].tolist()], [None, *KIND[1:].tolist()]):
        with pytest.raises(ValueError, match=r"y: expected a target|y contains NaN"):
            classifier().fit(WHOLE, polars.Series(missing))


def test_a_search_whose_processes_map_the_rows_into_memory():
    X = np.random.RandomState(0).randn(300, 500)  # beyond what joblib copies
    y = (X[:, 0] > 0).astype(int)
    grid = {"learning_rate": [0.01, 0.02]}
    one, two = (
        GridSearchCV(classifier(hidden_layer_sizes=(4,)), grid, cv=2, n_jobs=jobs)
        for jobs in (1, 2)
    )
    one.fit(X, y)
    with joblib.parallel_config("loky", max_nbytes="100K"):
        two.fit(X, y)
    np.testing.assert_array_equal(
        one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"]
    )
