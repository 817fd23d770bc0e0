"""Searches that take milliseconds: what is searched, and on which data."""

import numpy as np

import nnlite as keras
from nnlite import tuner as kt

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")
DATA = {"x": X, "y": Y, "validation_split": 0.25, "verbose": 0}


def build(hp):
    """A small classifier, whose rate decides most."""
    model = keras.Sequential(
        [
            keras.layers.Dense(hp.Int("units", 2, 8, step=2), "relu", input_shape=(3,)),
            keras.layers.Dense(2, "softmax"),
        ]
    )
    rate = hp.Float("rate", 1e-4, 1e-1, sampling="log")
    optimizer = keras.optimizers.Adam(rate) if hp.Boolean("adam") else keras.optimizers.SGD(rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def search(cls=kt.RandomSearch, folder=".", hypermodel=build, objective="val_accuracy", **settings):
    """A tuner in a folder, with a seed."""
    settings = {"seed": 3, **({"max_trials": 3} if cls is not kt.Hyperband else {}), **settings}
    return cls(hypermodel, objective, directory=folder, project_name="p", **settings)


def told(tuner):
    """What a search found: all that can be compared between two of them."""
    return [
        (t.trial_id, t.status, t.score, t.best_step, t.hyperparameters.values, t.histories)
        for t in tuner.trials.values()
    ]
