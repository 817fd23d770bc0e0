"""nnlite: neural networks for scikit-learn users on a CPU, under Keras's names.

`import nnlite as keras` carries a Keras tutorial over; `NNClassifier` and `NNRegressor` are
scikit-learn estimators whose every setting can be searched."""

import importlib
import sys

from nnlite.engine import cpu_quota

try:
    with cpu_quota.calm_openmp():
        importlib.import_module("nnlite.engine._engine")
except ImportError as error:
    raise ImportError(
        f"nnlite's compiled engine cannot be imported ({error}). In a source folder that was not "
        "built: run `pip install .` there, then leave it, or start Python with -P; Python imports "
        "the bare folder otherwise."
    ) from error

from nnlite import (
    activations,
    backend,
    callbacks,
    initializers,
    layers,
    losses,
    metrics,
    models,
    nn,
    ops,
    optimizers,
    regularizers,
    saving,
    schedules,
    utils,
)
from nnlite.autodiff import GradientTape
from nnlite.engine.tensor import Tensor, Variable, convert_to_tensor
from nnlite.layers import Input
from nnlite.models.model import Model
from nnlite.models.sequential import Sequential
from nnlite.ops import ones, zeros

constant = convert_to_tensor
keras = sys.modules[__name__]  # `import nnlite as tf`: what a tutorial calls tf.keras is here

# Imported when first used: they bring scikit-learn, or are rarely needed.
_LAZY = {
    "MLP": "architecture",
    "NNClassifier": "estimators",
    "NNRegressor": "estimators",
    "Stack": "architecture",
    "__version__": "versions",
    "architecture": None,
    "show_versions": "versions",
    "datasets": None,
    "diagnosis": None,
    "doctor": "diagnosis",
    "estimators": None,
    "plotting": None,
    "preprocessing": None,
    "wrappers": None,
}

__all__ = [
    "MLP",
    "GradientTape",
    "Input",
    "Model",
    "NNClassifier",
    "NNRegressor",
    "Sequential",
    "Stack",
    "Tensor",
    "Variable",
    "__version__",
    "activations",
    "architecture",
    "backend",
    "callbacks",
    "constant",
    "convert_to_tensor",
    "datasets",
    "diagnosis",
    "doctor",
    "estimators",
    "initializers",
    "keras",
    "layers",
    "losses",
    "metrics",
    "models",
    "nn",
    "ones",
    "ops",
    "optimizers",
    "preprocessing",
    "regularizers",
    "saving",
    "schedules",
    "show_versions",
    "utils",
    "wrappers",
    "zeros",
]


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(f"module 'nnlite' has no attribute {name!r}")
    module = importlib.import_module(f"nnlite.{_LAZY[name] or name}")
    value = module if _LAZY[name] is None else getattr(module, name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
