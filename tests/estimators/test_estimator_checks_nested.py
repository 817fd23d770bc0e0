"""Scikit-learn's checks of the estimators inside of its own tools.

The tools fail some checks with any estimator in them: none may be added to those."""

import warnings

import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import check_estimator

from nnlite import NNClassifier, NNRegressor

# Enough to learn what the checks expect to be learned, and quick.
CLASSIFIER = NNClassifier("8", epochs=15, learning_rate=0.1, random_state=0, ensemble=1)
REGRESSOR = NNRegressor("8", epochs=15, learning_rate=0.1, random_state=0, ensemble=1)


def pipeline(estimator, name, value):
    return make_pipeline(StandardScaler(), estimator)


def grid_search(estimator, name, value):
    return GridSearchCV(estimator, {name: [value]}, cv=2)


def random_search(estimator, name, value):
    return RandomizedSearchCV(estimator, {name: [value]}, n_iter=1, cv=2, random_state=0)


def bayesian_search(estimator, name, value):
    skopt = pytest.importorskip("skopt")
    return skopt.BayesSearchCV(estimator, {name: [value]}, n_iter=1, cv=2, random_state=0)


def failed(estimator):
    """The checks that fail or are skipped -> why."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, on_fail=None, on_skip=None)
    assert len(results) > 40
    return {r["check_name"]: r["exception"] for r in results if r["status"] != "passed"}


@pytest.mark.parametrize(
    "tool, estimator",
    [
        (pipeline, CLASSIFIER),
        (pipeline, REGRESSOR),
        (grid_search, CLASSIFIER),
        (random_search, REGRESSOR),
        (bayesian_search, CLASSIFIER),
    ],
)
def test_inside_of_a_tool_no_other_check_fails_than_with_any_estimator(
    tool, estimator, monkeypatch
):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # without it checks of array API input are skipped
    found = failed(tool(estimator, "learning_rate", 0.1))
    another = (SVC(), "C", 1.0) if estimator is CLASSIFIER else (Ridge(), "alpha", 1.0)
    found.pop("check_estimators_nan_inf", None)  # tools do not say that an estimator reads gaps
    assert not set(found) - set(failed(tool(*another))), found
    assert len(found) < 4
