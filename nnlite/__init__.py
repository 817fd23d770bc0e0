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
    callbacks,
    config,
    constraints,
    data,
    initializers,
    layers,
    lazy,
    losses,
    metrics,
    models,
    names,
    ops,
    optimizers,
    regularizers,
    saving,
    utils,
)
from nnlite.autodiff import GradientTape
from nnlite.engine.symbolic import Symbol as KerasTensor
from nnlite.engine.tensor import Tensor, Variable
from nnlite.layers import Input
from nnlite.models.model import Model
from nnlite.models.sequential import Sequential
from nnlite.ops import convert_to_tensor, ones, zeros

with lazy.imports(__name__):
    from nnlite import (
        applications,
        architecture,
        backend,
        datasets,
        diagnosis,
        dtype_policies,
        estimators,
        explain,
        exporting,
        importing,
        inspection,
        keras,
        math,
        mixed_precision,
        neural_network,
        nn,
        preprocessing,
        random,
        schedules,
        tuner,
        wrappers,
    )
    from nnlite import (
        plotting as plotting,
    )
    from nnlite import (
        serving as serving,
    )
    from nnlite import (
        tensorflow_names as tensorflow_names,
    )
    from nnlite.architecture import MLP, Stack
    from nnlite.diagnosis import doctor, gradcheck
    from nnlite.dtype_policies import DTypePolicy, FloatDTypePolicy
    from nnlite.estimators import (
        ImageFeatures,
        NNClassifier,
        NNRegressor,
        TextVectorizer,
        load,
        register_with_skl2onnx,
    )
    from nnlite.exporting import export
    from nnlite.importing import import_onnx
    from nnlite.initializers import Initializer
    from nnlite.layers import InputSpec, Layer
    from nnlite.losses import Loss
    from nnlite.metrics import Metric
    from nnlite.optimizers import Optimizer
    from nnlite.regularizers import Regularizer
    from nnlite.versions import __version__, show_versions, version

constant = convert_to_tensor

# Other paths to what is here: of Keras 2, and of the parts of Keras 3's ops.
layers.experimental = types.ModuleType("nnlite.layers.experimental")
for _path, _module in {
    "layers.advanced_activations": layers,
    "layers.convolutional": layers,
    "layers.experimental": layers.experimental,
    "layers.experimental.preprocessing": layers,
    "layers.merge": layers,
    "ops.linalg": ops,
    "ops.nn": ops,
    "ops.numpy": ops,
    "optimizers.legacy": optimizers,
    "utils.data_utils": utils,
    "utils.np_utils": utils,
}.items():
    sys.modules[f"nnlite.{_path}"] = _module
    _parent, _, _name = f"nnlite.{_path}".rpartition(".")
    setattr(sys.modules[_parent], _name, _module)

__all__ = [
    "MLP",
    "DTypePolicy",
    "FloatDTypePolicy",
    "GradientTape",
    "ImageFeatures",
    "Initializer",
    "Input",
    "InputSpec",
    "KerasTensor",
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
    "dtype_policies",
    "estimators",
    "explain",
    "export",
    "exporting",
    "gradcheck",
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
    "mixed_precision",
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
    "version",
    "wrappers",
    "zeros",
]


__getattr__ = names.of(__name__, more="nnlite.tensorflow_names")


def __dir__():
    return sorted({*__all__, *__getattr__("tensorflow_names").__all__})
