"""Models as files, which Keras reads, too; objects as dicts; names for classes and functions of
one's own."""

from nnlite import lazy, names
from nnlite.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from nnlite.serialization import deserialize_keras_object, serialize_keras_object

with lazy.imports(__name__):
    from nnlite.saving.model_files import load_model, save_model
    from nnlite.saving.weights_files import load_arrays, load_weights, save_weights

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

__getattr__ = names.of(__name__)
