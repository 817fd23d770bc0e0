"""Plain arrays are predicted without scikit-learn's checks, and nothing else is different."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from nnlite import NNClassifier, NNRegressor
from nnlite.estimators import input_validation

X, Y = load_iris(return_X_y=True)


@pytest.fixture
def checked(monkeypatch):
    """A list that grows by each call of validate_data."""
    calls, original = [], input_validation.validate_data

    def counting(*args, **kwargs):
        calls.append(1)
        return original(*args, **kwargs)

    monkeypatch.setattr(input_validation, "validate_data", counting)
    return calls


@pytest.mark.parametrize("kind", [NNClassifier, NNRegressor])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [1, 150])
def test_plain_rows_give_the_bits_of_checked_ones(kind, dtype, rows, checked, monkeypatch):
    fitted = kind(epochs=5, random_state=0).fit(X.astype(dtype), Y)
    part = X[:rows].astype(dtype)
    checked.clear()
    fast = fitted.predict(part)
    assert not checked
    monkeypatch.setattr(input_validation, "is_fast_path", lambda *_: False)
    slow = fitted.predict(part)
    assert checked and fast.dtype == slow.dtype and fast.tobytes() == slow.tobytes()


@pytest.mark.parametrize(
    "given",
    [
        X[::2],
        np.asfortranarray(X),
        X.astype(np.float16),
        X.astype(">f8"),
        X.tolist(),
        X.astype(np.uint8),
    ],
    ids=["strided", "fortran", "float16", "big-endian", "list", "uint8"],
)
def test_anything_else_is_checked(given, checked):
    fitted = NNClassifier(epochs=1, random_state=0).fit(X, Y)
    checked.clear()
    fitted.predict(given)
    assert checked


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values_are_errors(value):
    fitted = NNClassifier(epochs=1, random_state=0).fit(X, Y)
    bad = X.copy()
    bad[3, 2] = value
    with pytest.raises(ValueError, match="infinity"):
        fitted.predict(bad)


def test_wrong_width_no_rows_and_no_fit_are_errors():
    fitted = NNClassifier(epochs=1, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="3 features"):
        fitted.predict(np.ascontiguousarray(X[:, :3]))
    with pytest.raises(ValueError, match="0 sample"):
        fitted.predict(X[:0])
    with pytest.raises(NotFittedError):
        NNClassifier().predict(X)


def test_missing_feature_names_still_warn():
    fitted = NNClassifier(epochs=1, random_state=0).fit(pd.DataFrame(X, columns=list("abcd")), Y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        fitted.predict(X)


def test_large_finite_values_do_not_warn():
    fitted = NNClassifier(epochs=1, random_state=0).fit(X, Y)
    large = np.full((2, 4), 1e38, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not input_validation.is_fast_path(
            large, (4,)
        )  # its sum is not finite: scikit-learn looks
        fitted.predict(large / 1e30)
