"""Whatever is given to an estimator: it works, or the argument is named."""

import warnings

import hostile_estimators
import numpy as np
import pytest
from hostile import complaints
from hostile_estimators import estimators

from nnlite import NNRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)
NAN, INF = float("nan"), float("inf")


def test_a_hostile_setting_or_array_works_or_is_named():
    calls = list(hostile_estimators.calls(np.random.default_rng(0)))
    assert len(calls) >= 1250
    found = complaints(calls)
    assert not found, f"{len(found)} complaints\n" + "\n".join(found)


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
