"""Whatever is given to an estimator: it works, or the argument is named."""

import contextlib
import io
import re
import warnings

import numpy as np
import pandas
import pytest
from scipy.sparse import coo_matrix
from sklearn.exceptions import NotFittedError

from nnlite import NNClassifier, NNRegressor
from nnlite.layers import Dense

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)

NAN, INF = float("nan"), float("inf")
VALUES = [
    *(None, True, False, 0, 1, -1, 3, 2**31, 2**63, 10**30, 0.0, 0.5, 1.5, -2.5, 1e308, NAN, INF),
    *(-INF, 1j, "", "auto", "x", "adam", " relu", "None", b"relu", (), (0,), (3,), (-1,), (None,)),
    *((3, "x"), [], [None], [[]], [3], ["relu"], {}, {"a": 1}, {0: 1, 1: 2}, {0: -1}, set(), ...),
    *(object(), object, int, NotImplemented, type, Exception("x"), range(3), iter([3]), slice(3)),
    *(np.array(3), np.array([1, 2]), np.float32(2), np.int64(5), np.array("adam"), Dense),
    *(np.datetime64("2020"), Dense(3), [Dense(3), None]),
]
ARRAYS = [
    *(X[:0], X[0], X[:, :0], X[:39], X[None], X.T, X[::-1], X.tolist(), X.astype(str), iter(X)),
    *(
        X.astype(object),
        X.astype(complex),
        np.full_like(X, NAN),
        np.full_like(X, INF),
        np.full_like(X, 1e308),
    ),
    *(np.array(["a"] * 40), np.array([None] * 40), np.ma.masked_array(X, X > 0), coo_matrix(X)),
    *(pandas.DataFrame(X), pandas.DataFrame({"a": ["x"] * 40}), pandas.Series(Y), np.eye(40)),
    *(
        [[1, 2], [3]],
        [object()] * 40,
        np.zeros((40, 3), "M8[s]"),
        np.zeros((40, *[2] * 6)),
        "x" * 40,
    ),
    *(
        -np.ones(40),
        np.zeros(40),
        np.full(40, 1e300),
        Y[:, None],
        np.c_[Y, Y],
        dict.fromkeys(range(40)),
    ),
    *(np.float32(X), np.longdouble(X), memoryview(X)),
]
NUMBERS_OF_EPOCHS = [v for v in VALUES if not (isinstance(v, (int, float)) and 3 < v < INF)]
SETTINGS = [name for name in NNClassifier().get_params() if "__" not in name]


def refusal(call):
    """The message of the error, or None where there was none. Any other error passes."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            call()
        except (TypeError, ValueError) as error:
            return str(error)


def estimators(**settings):
    for kind in (NNClassifier, NNRegressor):
        if settings.keys() <= kind().get_params().keys():
            yield kind(**{"epochs": 1, "hidden_layer_sizes": (3,), "random_state": 0, **settings})


@pytest.mark.parametrize("name", SETTINGS)
def test_a_hostile_setting_works_or_is_named(name):
    values = NUMBERS_OF_EPOCHS if name == "epochs" else VALUES
    named = rf"\b({name}|layer '\w+')\b" if name in ("layers", "activation") else rf"\b{name}\b"
    for k in np.random.default_rng(len(name)).permutation(len(values))[:12]:
        for estimator in estimators(**{name: values[k]}):
            with pytest.raises(NotFittedError):
                estimator.predict(X)
            message = refusal(lambda estimator=estimator: estimator.fit(X, Y))
            assert message is None or re.search(named, message), (values[k], message)


def fit_with(name):
    """A fit in which one argument is given."""
    validation = {"X_val": X, "y_val": Y} if name.endswith("_val") else {}
    return lambda estimator, given: estimator.fit(**{"X": X, "y": Y, **validation, name: given})


CALLS = {name: fit_with(name) for name in ("X", "y", "sample_weight", "X_val", "sample_weight_val")}
CALLS["X of predict"] = lambda estimator, given: estimator.fit(X, Y).predict(given)


@pytest.mark.parametrize("name", CALLS)
def test_hostile_data_work_or_are_named(name):
    given = [*VALUES, *ARRAYS]
    for k in np.random.default_rng(len(name)).permutation(len(given))[:30]:
        for estimator in estimators():
            message = refusal(lambda e=estimator, k=k: CALLS[name](e, given[k]))
            named = rf"\b{name.split()[0]}\b"
            assert message is None or re.search(named, message), (given[k], message)


@pytest.mark.parametrize("weight", [NAN, INF, -1.0, np.full(40, NAN), np.full(40, -1.0)])
def test_a_weight_that_is_no_weight_is_refused(weight):
    for estimator in estimators():
        with pytest.raises(ValueError, match="sample_weight"):
            estimator.fit(X, Y, sample_weight=weight)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "bool", "huge"])
def test_targets_of_any_type_are_learned_without_a_warning(dtype):
    y = 1e100 * X[:, 0] if dtype == "huge" else X[:, 0].astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NNRegressor(epochs=1, random_state=0).fit(X, y).predict(X)
