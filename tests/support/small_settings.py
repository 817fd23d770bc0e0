"""What the tests of settings share: estimators that fit in a moment, functions that build."""

import numpy as np
from sklearn.datasets import load_iris

import nnlite
from nnlite import NNClassifier, Stack
from nnlite.layers import (
    Dense,
    Dropout,
)
from nnlite.optimizers import SGD

IRIS, KIND = load_iris(return_X_y=True)
IMAGES = np.random.RandomState(0).rand(150, 6, 6, 1).astype(np.float32)


# Rows and rates as they are, and batches of all rows.
PLAIN = {"normalize": False, "schedule": None, "batch_size": 200}


def classifier(*args, **kwargs):
    return NNClassifier(*args, **{"ensemble": 1, "epochs": 2, "random_state": 0, **PLAIN, **kwargs})


def units(estimator, X=IRIS):
    """Sizes of the Dense layers, without the last."""
    layers = estimator.fit(X, KIND).model_.layers
    return [x.kernel.shape[1] for x in layers if isinstance(x, Dense)][:-1]


def bits(estimator):
    return estimator.fit(IRIS, KIND).predict_proba(IRIS).tobytes()


def build(meta, depth=2, width=8, activation="relu", optimizer="adam"):
    assert meta.n_features == 4 and meta.sample_shape == (4,)
    assert meta.n_outputs == 3 and meta.task == "multiclass"
    return [Dense(width, activation) for _ in range(depth)]


def wide(width=32):
    return width


def without_meta(width=8, rate=0.0):
    return Stack(Dense(width), Dropout(rate))


def compiled(meta, width=6, loss="categorical_crossentropy", units=3):
    model = nnlite.Sequential([Dense(width, "relu"), Dense(units, "softmax")])
    model.compile(SGD(0.5), loss)
    return model
