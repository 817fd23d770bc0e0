"""Models, under Keras's module name."""

from nnlite import names
from nnlite.models.cloning import clone_model, model_from_json
from nnlite.models.model import Model
from nnlite.models.sequential import Sequential

__all__ = [
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]

# Imported when first used.
_FILES = "nnlite.saving.model_files"

__getattr__ = names.of(__name__, {"load_model": _FILES, "save_model": _FILES})
