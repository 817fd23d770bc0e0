"""nnlite: neural networks for scikit-learn users on a CPU, under Keras's names.

`import nnlite as keras` carries a Keras tutorial over; `NNClassifier` and `NNRegressor` are
scikit-learn estimators whose every setting can be searched."""

import importlib
import sys
import types

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
    config,
    constraints,
    data,
    initializers,
    layers,
    losses,
    metrics,
    models,
    names,
    nn,
    ops,
    optimizers,
    regularizers,
    saving,
    schedules,
    utils,
)
from nnlite.autodiff import GradientTape
from nnlite.engine.tensor import Tensor, Variable
from nnlite.layers import Input
from nnlite.models.model import Model
from nnlite.models.sequential import Sequential
from nnlite.ops import convert_to_tensor, ones, zeros

constant = convert_to_tensor

# Keras 2's paths to what is elsewhere in Keras 3.
layers.experimental = types.ModuleType("nnlite.layers.experimental")
for _path, _module in {
    "layers.advanced_activations": layers,
    "layers.convolutional": layers,
    "layers.experimental": layers.experimental,
    "layers.experimental.preprocessing": layers,
    "layers.merge": layers,
    "optimizers.legacy": optimizers,
    "utils.data_utils": utils,
    "utils.np_utils": utils,
}.items():
    sys.modules[f"nnlite.{_path}"] = _module
    _parent, _, _name = f"nnlite.{_path}".rpartition(".")
    setattr(sys.modules[_parent], _name, _module)

# Imported when first used: they bring scikit-learn, or are rarely needed.
_LAZY = {
    "ImageFeatures": "nnlite.estimators",
    "Initializer": "nnlite.initializers",
    "InputSpec": "nnlite.layers",
    "Layer": "nnlite.layers",
    "Loss": "nnlite.losses",
    "MLP": "nnlite.architecture",
    "Metric": "nnlite.metrics",
    "NNClassifier": "nnlite.estimators",
    "NNRegressor": "nnlite.estimators",
    "Optimizer": "nnlite.optimizers",
    "Regularizer": "nnlite.regularizers",
    "Stack": "nnlite.architecture",
    "TextVectorizer": "nnlite.estimators",
    "__version__": "nnlite.versions",
    "applications": "nnlite.applications",
    "architecture": "nnlite.architecture",
    "datasets": "nnlite.datasets",
    "diagnosis": "nnlite.diagnosis",
    "doctor": "nnlite.diagnosis",
    "estimators": "nnlite.estimators",
    "explain": "nnlite.explain",
    "export": "nnlite.exporting",
    "exporting": "nnlite.exporting",
    "import_onnx": "nnlite.importing",
    "importing": "nnlite.importing",
    "inspection": "nnlite.inspection",
    "keras": "nnlite.keras",
    "load": "nnlite.estimators",
    "math": "nnlite.math",
    "neural_network": "nnlite.neural_network",
    "plotting": "nnlite.plotting",
    "preprocessing": "nnlite.preprocessing",
    "random": "nnlite.random",
    "register_with_skl2onnx": "nnlite.estimators",
    "show_versions": "nnlite.versions",
    "tensorflow_names": "nnlite.tensorflow_names",
    "tuner": "nnlite.tuner",
    "wrappers": "nnlite.wrappers",
}

__all__ = [
    "MLP",
    "GradientTape",
    "ImageFeatures",
    "Initializer",
    "Input",
    "InputSpec",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "NNClassifier",
    "NNRegressor",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "Stack",
    "Tensor",
    "TextVectorizer",
    "Variable",
    "__version__",
    "activations",
    "applications",
    "architecture",
    "backend",
    "callbacks",
    "config",
    "constant",
    "constraints",
    "convert_to_tensor",
    "data",
    "datasets",
    "diagnosis",
    "doctor",
    "estimators",
    "explain",
    "export",
    "exporting",
    "import_onnx",
    "importing",
    "initializers",
    "inspection",
    "keras",
    "layers",
    "load",
    "losses",
    "math",
    "metrics",
    "models",
    "neural_network",
    "nn",
    "ones",
    "ops",
    "optimizers",
    "preprocessing",
    "random",
    "register_with_skl2onnx",
    "regularizers",
    "saving",
    "schedules",
    "show_versions",
    "tuner",
    "utils",
    "wrappers",
    "zeros",
]


__getattr__ = names.of(__name__, _LAZY, more="nnlite.tensorflow_names")


def __dir__():
    return sorted({*__all__, *__getattr__("tensorflow_names").__all__})
