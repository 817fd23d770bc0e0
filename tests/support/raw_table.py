"""A table as it comes, of four columns of categories and one of numbers, for tests of columns."""

import numpy as np
import pandas

from nnlite import NNClassifier

N = 240
RNG = np.random.default_rng(0)
CITY = RNG.permutation(np.repeat(["Bern", "Rome", "Oslo"], N // 3))
STREET = np.array([f"s{i:02}" for i in range(12)])[RNG.permutation(np.arange(N) % 12)]
FLAG = RNG.random(N) < 0.5
SIZE = RNG.normal(size=N) * 100 + 1000
GRADE = np.where(np.arange(N) % 7 == 0, None, np.array(["x", "y"])[RNG.integers(0, 2, N)])
Y = ((CITY == "Rome") ^ FLAG).astype(int)


def as_pandas(**kinds):
    table = {"city": CITY, "street": pandas.Categorical(STREET), "flag": FLAG, "size": SIZE}
    return pandas.DataFrame({**table, "grade": GRADE}).astype(kinds)


def classifier(*args, **settings):
    own = {"epochs": 3, "random_state": 0, "hidden_layer_sizes": (8,), "ensemble": 1}
    return NNClassifier(*args, **{**own, "numeric_encoding": "piecewise", **settings})


X = as_pandas()
DAYS = pandas.date_range("2020-01-01", periods=N)
