"""Hostile settings and data of the estimators."""

import pandas
from hostile import POOL, Call, X, Y, some_of
from scipy.sparse import coo_matrix

from nnlite import NNClassifier, NNRegressor

OF_SETTINGS, OF_DATA = 12, 30  # values in the place of each argument
SETTINGS = [name for name in NNClassifier().get_params() if "__" not in name]
TABLES = {
    "sparse": lambda: coo_matrix(X),
    "a frame": lambda: pandas.DataFrame(X),
    "a frame of text": lambda: pandas.DataFrame({"a": ["x"] * len(X)}),
    "a series": lambda: pandas.Series(Y),
}


def estimators(**settings):
    for kind in (NNClassifier, NNRegressor):
        if settings.keys() <= kind().get_params().keys():
            yield kind(**{"epochs": 1, "hidden_layer_sizes": (3,), "random_state": 0, **settings})


def fit_with(name):
    """A fit in which one argument is given."""
    validation = {"X_val": X, "y_val": Y} if name.endswith("_val") else {}
    return lambda estimator, given: estimator.fit(**{"X": X, "y": Y, **validation, name: given})


DATA = {name: fit_with(name) for name in ("X", "y", "sample_weight", "X_val", "sample_weight_val")}
DATA["X of predict"] = lambda estimator, given: estimator.fit(X, Y).predict(given)


def calls(rng):
    for name in SETTINGS:
        words = [name, *([r"layer '\w+'"] if name in ("layers", "activation") else [])]
        for label, value in some_of(rng, OF_SETTINGS):
            for e in estimators(**{name: value}):
                called = f"{type(e).__name__}({name}={label})"
                yield Call(f"{called}.predict(X)", [], lambda e=e: e.predict(X))
                yield Call(f"{called}.fit(X, y)", words, lambda e=e: e.fit(X, Y), [value])
    for name, of in DATA.items():
        for label, value in some_of(rng, OF_DATA, POOL | TABLES):
            for e in estimators():
                called = f"{type(e).__name__}: {name}={label}"
                yield Call(called, [name.split()[0]], lambda e=e, v=value, f=of: f(e, v), [value])
