"""What the tests of refusals share: iris in several forms, estimators that fit in a moment."""

import numpy as np
import pandas
from sklearn.datasets import load_iris

import nnlite
from nnlite import NNClassifier, NNRegressor
from nnlite.layers import Dense

IRIS, KIND = load_iris(return_X_y=True)
NAMES = np.array(["u", "v", "w"])[KIND]
LENGTH = IRIS[:, 0]
MISSING = pandas.Categorical.from_codes(np.where(KIND == 2, -1, KIND), [0, 1])
FORMS = "expected a list of layers such as Dense"


def classifier(*args, **settings):
    return NNClassifier(*args, **{"ensemble": 1, "epochs": 2, "random_state": 0, **settings})


def regressor(*args, **settings):
    return NNRegressor(*args, **{"ensemble": 1, "epochs": 2, "random_state": 0, **settings})


def with_nan(a):
    a = np.array(a, np.float64)
    a.flat[3] = np.nan
    return a


def frame(**more):
    return pandas.DataFrame({"length": LENGTH, **more})


def compiled(width=3, last="softmax"):
    model = nnlite.Sequential([Dense(width, last)])
    model.compile("adam", "mse" if width == 1 else "categorical_crossentropy")
    return model
