"""Scikit-learn's checks, of which none may fail or be skipped; data of every kind; bad input."""

import warnings
from unittest import SkipTest

import numpy as np
import pandas
import pytest
from contract import contract_of, name_of_check
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.datasets import load_iris, make_regression
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.utils.estimator_checks import check_estimator

from nnlite import NNClassifier, NNRegressor
from nnlite.callbacks import EarlyStopping
from nnlite.layers import Activation, BatchNormalization, Dense, Dropout, Input, Reshape
from nnlite.models import Sequential
from nnlite.optimizers import Adam
from nnlite.wrappers.scikit_learn import KerasClassifier, KerasRegressor

IRIS, KIND = load_iris(return_X_y=True)
ROWS, VALUES = make_regression(120, 6, noise=1.0, random_state=0)
VALUES = VALUES / VALUES.std()
WITH_INFINITY = IRIS.astype(np.float32)
WITH_INFINITY[5, 2] = -np.inf


def classifier(**settings):
    return NNClassifier(**{"ensemble": 1, "epochs": 2, "random_state": 0, **settings})


def regressor(**settings):
    return NNRegressor(**{"ensemble": 1, "epochs": 2, "random_state": 0, **settings})


def bits(estimator, X=IRIS):
    """The outputs, exactly."""
    outputs = getattr(estimator, "predict_proba", estimator.predict)(X)
    return outputs.dtype.str, outputs.tobytes()


@pytest.fixture(autouse=True)
def array_api(monkeypatch):
    """Without it scikit-learn skips its check of array API input; it looks when the check runs."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


def build(meta):
    """A model for whatever a check has for targets."""
    units = meta.get("n_classes_", meta["n_outputs_"])
    several = meta["target_type_"] == "multilabel-indicator"
    last = "sigmoid" if several else "softmax" if "classes_" in meta else "linear"
    return Sequential([Dense(16, "relu"), Dense(units, last)])


# The checks of weights need whole batches, those of scores a few epochs.
OF_KERAS = {"model": build, "optimizer": Adam(0.1), "epochs": 3, "batch_size": 64}


# A single network: several would train the larger tables of the checks for many seconds.
QUICK = {"preset": "fast"}
CHECKED = [NNClassifier(**QUICK), NNRegressor(**QUICK)]
CHECKED += [KerasClassifier(**OF_KERAS), KerasRegressor(**OF_KERAS)]


@pytest.mark.parametrize("estimator, check", contract_of(CHECKED), ids=name_of_check)
def test_estimators_keep_the_contract(estimator, check):
    try:
        check(estimator)
    except SkipTest as skipped:
        pytest.fail(f"{skipped}: is the package's `test` extra installed?")


@pytest.mark.parametrize("estimator", [NNClassifier, NNRegressor])
@pytest.mark.parametrize(
    "hidden",
    [
        # It draws one mask for a row of weight 2, and two for the row repeated.
        [Dense(32, "relu"), Dropout(0.2)],
        # Its statistics are those of the rows, whatever their weights are.
        [Dense(8), BatchNormalization(), Activation("relu")],
    ],
    ids=["Dropout", "BatchNormalization"],
)
def test_some_layers_break_the_equivalence_of_weight_and_repetition_alone(estimator, hidden):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quick = estimator(hidden, epochs=30, learning_rate=0.05)
        results = check_estimator(quick, on_fail=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] != "passed"}
    assert set(failed) == {
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weight_equivalence_on_sparse_data",
    }, failed


# Targets


@pytest.mark.parametrize(
    "labels",
    [
        ["setosa", "versicolor", "virginica"],
        [-7, 0, 1_000_000_000_000],
        [0.0, 1.0, 2.0],
        np.array(["a", "bb", "c"], dtype=object),
        np.array([3, 1, 2], dtype=np.uint8),
        pandas.Categorical(["x", "y", "z"]),
        pandas.array(["x", "y", "z"], dtype="string"),
    ],
    ids=["str", "int", "float", "object", "uint8", "categorical", "string"],
)
@pytest.mark.parametrize("classes", [2, 3])
def test_labels_of_every_kind(labels, classes):
    rows = KIND < classes
    y = pandas.Series(labels).iloc[KIND[rows]].reset_index(drop=True)
    fitted = classifier(epochs=60, learning_rate=0.02).fit(IRIS[rows], y)
    assert_array_equal(fitted.classes_, np.unique(np.asarray(y)))
    assert set(fitted.predict(IRIS[rows])) <= set(np.asarray(y))
    assert fitted.score(IRIS[rows], y) > 0.9


def test_boolean_labels():
    fitted = classifier(epochs=60, learning_rate=0.02).fit(IRIS, KIND == 0)
    assert fitted.classes_.dtype == fitted.predict(IRIS).dtype == bool
    assert fitted.score(IRIS, KIND == 0) > 0.95


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities(classes):
    rows = KIND < classes
    fitted = classifier(epochs=30).fit(IRIS[rows], KIND[rows])
    p = fitted.predict_proba(IRIS)
    assert p.shape == (150, classes) and (p >= 0).all()
    assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    assert_allclose(fitted.predict_log_proba(IRIS), np.log(p))
    assert_array_equal(fitted.predict(IRIS), fitted.classes_[p.argmax(axis=1)])
    assert len(fitted.model_.layers[-1].bias.numpy()) == (1 if classes == 2 else 3)


def test_a_column_of_labels_is_taken_with_a_warning():
    with pytest.warns(DataConversionWarning):
        fitted = classifier().fit(IRIS, KIND[:, None])
    assert bits(fitted) == bits(classifier().fit(IRIS, KIND))


def test_regression_of_one_and_of_several_outputs():
    def fitted(y):
        return regressor(epochs=100, learning_rate=0.02).fit(ROWS, y)

    one, column = fitted(VALUES), fitted(VALUES[:, None])
    assert one.predict(ROWS).shape == (120,) and one.n_outputs_ == 1
    assert one.score(ROWS, VALUES) > 0.9
    assert_array_equal(column.predict(ROWS), one.predict(ROWS)[:, None])
    both = np.c_[VALUES, -2 * VALUES]
    two = fitted(both)
    assert two.predict(ROWS).shape == (120, 2) and two.n_outputs_ == 2
    assert two.score(ROWS, both) > 0.9
    assert bits(fitted(np.arange(120)), ROWS) == bits(fitted(np.arange(120.0)), ROWS)


# Rows


def test_a_data_frame_gives_names_to_the_features():
    frame = pandas.DataFrame(IRIS, columns=list("abcd"))
    fitted = classifier().fit(frame, KIND)
    assert_array_equal(fitted.feature_names_in_, list("abcd"))
    assert fitted.n_features_in_ == 4
    assert bits(fitted, frame) == bits(classifier().fit(IRIS, KIND))
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(frame[list("dcba")])


def read_only(a):
    a = a.copy()
    a.setflags(write=False)
    return a


def every_other(a):
    return np.repeat(np.repeat(a, 2, axis=0), 2, axis=1)[::2, ::2]


@pytest.mark.parametrize(
    "layout",
    [
        read_only,
        every_other,
        np.asfortranarray,
        lambda a: a.astype(a.dtype.newbyteorder(">")),
        lambda a: a[::-1].copy()[::-1],
        lambda a: list(a),
        pandas.DataFrame,
    ],
    ids=["read-only", "strided", "F", "big-endian", "backwards", "list", "frame"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layouts_of_rows(layout, dtype):
    X = IRIS.astype(dtype)
    expected = bits(classifier().fit(X, KIND, np.ones(150)), X)
    fitted = classifier().fit(layout(X), read_only(KIND), read_only(np.ones(150)))
    assert bits(fitted, layout(X)) == expected


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_memory_mapped_rows(tmp_path, dtype):
    X = (IRIS * 10).astype(dtype)
    X.tofile(tmp_path / "rows")
    mapped = np.memmap(tmp_path / "rows", X.dtype, "r", shape=X.shape)
    assert bits(classifier().fit(mapped, KIND), mapped) == bits(classifier().fit(X, KIND), X)


def test_whole_numbers_are_the_numbers_they_are():
    whole = np.round(IRIS * 10)
    expected = bits(classifier(learning_rate=1e-4).fit(whole.astype(np.float32), KIND), whole)
    for dtype in ("u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f2"):
        fitted = classifier(learning_rate=1e-4).fit(whole.astype(dtype), KIND)
        assert bits(fitted, whole.astype(dtype)) == expected
    fitted = classifier().fit(IRIS > 3, KIND)
    assert bits(fitted, IRIS > 3) == bits(fitted, (IRIS > 3).astype(np.uint8))


def test_one_row_and_one_column():
    assert regressor().fit([[1.0]], [2.0]).predict([[1.0]]).shape == (1,)
    assert classifier().fit([[1.0], [2.0]], ["a", "b"]).predict([[1.0]]).shape == (1,)


# Errors


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("layers", -1, "layers: expected a positive integer, got -1"),
        ("layers", "64-x", "layers: expected a positive integer, got '64-x'"),
        ("layers", "relu", "a list of layers such as Dense"),
        ("layers", Dense, "a list of layers such as Dense"),
        ("layers", [Dense(3), 4], "a list of layers such as Dense"),
        ("layers", [Reshape((2, 2))], r"one row per sample, got shape \(None, 2, 2\); end with Fl"),
        (
            "layers",
            [Input((5,)), Dense(3)],
            r"X: expected shape \(N, 5\), as the first layer's inp",
        ),
        ("hidden_layer_sizes", 0, "positive integer, got 0"),
        ("hidden_layer_sizes", (3, -1), "positive integer, got -1"),
        ("hidden_layer_sizes", 2.5, "positive integer, got 2.5"),
        ("hidden_layer_sizes", "wide", "positive integer, got 'wide'"),
        ("hidden_layer_sizes", None, "positive integer, got None"),
        ("activation", "rleu", "unknown activation 'rleu'; known: .*relu"),
        ("activation", 3, "activation, its name or a function, got 3"),
        ("optimizer", "adm", "unknown optimizer 'adm'; known: adadelta, adafactor, adagrad, "),
        ("optimizer", 3, "optimizer, its name or a function, got 3"),
        ("optimizer", None, "optimizer: expected an optimizer or its name, got None"),
        ("learning_rate", -1, r"learning_rate: expected a number in \[0, inf\), got -1"),
        (
            "learning_rate",
            "fast",
            r"learning_rate: expected None, a number in \[0, inf\) or .*'fast'",
        ),
        ("learning_rate", np.nan, r"learning_rate: expected a number in \[0, inf\), got nan"),
        ("batch_size", 0, "'auto' or a positive integer, got 0"),
        ("batch_size", "all", "'auto' or a positive integer, got 'all'"),
        ("batch_size", 2.5, "'auto' or a positive integer, got 2.5"),
        ("batch_size", None, "'auto' or a positive integer, got None"),
        ("batch_size", [32], "'auto' or a positive integer, got"),
        ("epochs", 0, "a positive integer, got 0"),
        ("epochs", "many", "a positive integer, got 'many'"),
        ("epochs", np.inf, "a positive integer, got inf"),
        ("early_stopping", 3, "'auto', True, False or an EarlyStopping, got 3"),
        ("early_stopping", None, "'auto', True, False or an EarlyStopping, got None"),
        (
            "early_stopping",
            EarlyStopping("val_auc"),
            "'val_auc' is not among the logs loss, acc",
        ),
        ("validation_fraction", 0, r"a number in \(0, 1\), got 0"),
        ("validation_fraction", 1.0, r"a number in \(0, 1\), got 1.0"),
        ("validation_fraction", None, r"a number in \(0, 1\), got None"),
        ("callbacks", 3, "Callback objects, got 3"),
        ("callbacks", [EarlyStopping], "Callback objects, got"),
        ("random_state", -1, r"None, an integer in \[0, 2\*\*32\) or a RandomState, got -1"),
        ("random_state", "seed", "or a RandomState, got 'seed'"),
        ("verbose", 3, "0, 1 or 2, got 3"),
        ("verbose", "auto", "0, 1 or 2, got 'auto'"),
        ("n_threads", 0, "None or a positive integer, got 0"),
        ("n_threads", -1, "None or a positive integer, got -1"),
        ("dtype", "float16", "'auto', 'float32' or 'float64', got 'float16'"),
        ("dtype", None, "'auto', 'float32' or 'float64', got None"),
    ],
)
def test_a_wrong_setting_is_an_error_of_fit_that_names_it(name, value, words):
    estimator = classifier(**{name: value})
    with pytest.raises((ValueError, TypeError), match=words) as raised:
        estimator.fit(IRIS, KIND)
    assert name.rstrip("s") in str(raised.value) or isinstance(value, EarlyStopping)
    with pytest.raises(NotFittedError):
        estimator.predict(IRIS)


@pytest.mark.parametrize(
    "X, y, weight, words",
    [
        (IRIS[:0], KIND[:0], None, "0 sample"),
        (IRIS[:, :0], KIND, None, "0 feature"),
        (IRIS[0], KIND, None, "Expected 2D array"),
        (IRIS[:10], KIND, None, "inconsistent numbers of samples"),
        (WITH_INFINITY, KIND, None, "infinity"),
        (IRIS + 1j, KIND, None, "Complex data"),
        ([["a"], ["b"]], [0, 1], None, "could not convert|numeric"),
        (IRIS, None, None, "requires y"),
        (IRIS, KIND * 0, None, "at least 2 classes, got 1 class"),
        (IRIS, IRIS[:, 0], None, "continuous"),
        (IRIS, np.c_[KIND, KIND], None, r"[Mm]ulticlass-multioutput|one label per sample"),
        (IRIS, csr_array(np.c_[KIND == 0, KIND == 1]), None, "y: expected a dense array"),
        (IRIS, np.where(KIND == 1, np.nan, KIND), None, "NaN"),
        (IRIS, KIND, -np.ones(150), "[Nn]egative"),
        (IRIS, KIND, np.full(150, np.nan), "NaN"),
        (IRIS, KIND, np.zeros(150), "at least one non-zero"),
        (IRIS, KIND, np.ones(149), "sample_weight.*149"),
        (IRIS, KIND, np.ones((150, 2)), "1D|2-?[dD]|weight"),
    ],
)
def test_wrong_data_are_errors(X, y, weight, words):
    estimator = classifier()
    with pytest.raises((ValueError, TypeError), match=words):
        estimator.fit(X, y, sample_weight=weight)
    with pytest.raises(NotFittedError):
        estimator.predict(IRIS)


@pytest.mark.parametrize(
    "y, words",
    [
        (["a"] * 120, "could not convert|expected numbers"),
        (VALUES + 1j, "Complex"),
        (np.r_[np.inf, VALUES[1:]], "infinity"),
        (csr_array(VALUES[:, None]), "y: expected a dense array"),
    ],
    ids=["str", "complex", "infinity", "sparse"],
)
def test_wrong_targets_of_a_regression_are_errors(y, words):
    with pytest.raises((ValueError, TypeError), match=words):
        regressor().fit(ROWS, y)


def test_errors_of_partial_fit():
    with pytest.raises(ValueError, match="batch_size: expected 'auto' or a positive integer"):
        classifier(batch_size=0).partial_fit(IRIS, KIND, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="classes: expected all labels at the first partial_fit"):
        classifier().partial_fit(IRIS, KIND)
    with pytest.raises(ValueError, match="at least 2 classes"):
        classifier().partial_fit(IRIS[:50], KIND[:50], classes=[0])
    with pytest.raises(ValueError, match=r"expected labels of .*, got .*2"):
        classifier().partial_fit(IRIS, KIND, classes=[0, 1])
    streamed = classifier().partial_fit(IRIS, KIND, classes=[0, 1, 2])
    before = streamed.predict_proba(IRIS).tobytes()
    for y in (KIND + 1, KIND.astype(str), np.array(["a", None] * 75, dtype=object), KIND - 0.5):
        with pytest.raises((ValueError, TypeError)):
            streamed.partial_fit(IRIS, y)
    with pytest.raises(ValueError, match=r"classes: expected array\(\[0, 1, 2\]\) as before"):
        streamed.partial_fit(IRIS, KIND, classes=[0, 1])
    with pytest.raises(ValueError, match=r"5 features.*4 features"):
        streamed.partial_fit(np.ones((150, 5)), KIND)
    assert streamed.predict_proba(IRIS).tobytes() == before
    with pytest.raises(ValueError, match=r"expected 1 columns again, got shape \(120, 2\)"):
        regressor().fit(ROWS, VALUES).partial_fit(ROWS, np.c_[VALUES, VALUES])
    for stopping in (True, EarlyStopping()):
        with pytest.raises(ValueError, match="early_stopping: expected 'auto' or False"):
            classifier(early_stopping=stopping).partial_fit(IRIS, KIND, classes=[0, 1, 2])


def test_errors_of_predict():
    for estimator, y in ((classifier(), KIND), (regressor(), IRIS[:, 0])):
        with pytest.raises(NotFittedError, match="Call 'fit'"):
            estimator.predict(IRIS)
        estimator.fit(IRIS, y)
        for X, words in (
            (IRIS[:0], "0 sample"),
            (IRIS[:, :3], "3 features.*4 features"),
            (WITH_INFINITY, "infinity"),
            (IRIS[0], "2D array"),
        ):
            with pytest.raises(ValueError, match=words):
                estimator.predict(X)


def test_too_few_rows_to_hold_some_out():
    with pytest.raises(ValueError, match=r"validation_fraction: 0.1 of 1 rows leaves none"):
        regressor(early_stopping=True).fit([[1.0]], [1.0])
