"""Searches over settings of models, with Keras Tuner's names: `from nnlite import tuner as kt`."""

import sys

from nnlite import names
from nnlite.tuner.hypermodel import HyperModel
from nnlite.tuner.hyperparameters import HyperParameters
from nnlite.tuner.objective import Objective
from nnlite.tuner.searches import BayesianOptimization, GridSearch, Hyperband, RandomSearch
from nnlite.tuner.shim import for_keras_tuner
from nnlite.tuner.tuner import Tuner

__all__ = [
    "BayesianOptimization",
    "GridSearch",
    "HyperModel",
    "HyperParameters",
    "Hyperband",
    "Objective",
    "RandomSearch",
    "Tuner",
    "for_keras_tuner",
]

# Keras Tuner's path: kt.tuners.RandomSearch.
tuners = sys.modules[f"{__name__}.tuners"] = sys.modules[__name__]

__getattr__ = names.of(__name__)
