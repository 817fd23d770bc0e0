"""Models as files, which Keras reads, too; objects as dicts; names for classes and functions of
one's own."""

from nnlite import names
from nnlite.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from nnlite.serialization import deserialize_keras_object, serialize_keras_object

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_arrays",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]

# Imported when first used.
_LAZY = {
    "load_arrays": "nnlite.saving.weights_files",
    "load_model": "nnlite.saving.model_files",
    "load_weights": "nnlite.saving.weights_files",
    "save_model": "nnlite.saving.model_files",
    "save_weights": "nnlite.saving.weights_files",
}

__getattr__ = names.of(__name__, _LAZY)
