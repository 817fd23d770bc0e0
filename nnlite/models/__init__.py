"""Models, under Keras's module name."""

from nnlite import lazy, names
from nnlite.models.model import Model
from nnlite.models.sequential import Sequential

with lazy.imports(__name__):
    from nnlite.models.cloning import clone_model, model_from_json
    from nnlite.saving.model_files import load_model, save_model

__all__ = [
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]

__getattr__ = names.of(__name__)
