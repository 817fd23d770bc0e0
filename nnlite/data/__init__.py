"""Data: where rows lie, and how batches are made of them; TensorFlow's `tf.data`."""

import types

from nnlite import lazy, names

with lazy.imports(__name__):
    from nnlite.data.dataset import Dataset

AUTOTUNE = -1
experimental = types.SimpleNamespace(AUTOTUNE=AUTOTUNE)

__all__ = ["AUTOTUNE", "Dataset", "experimental"]

__getattr__ = names.of(__name__)
