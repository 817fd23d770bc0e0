"""Preprocessing of training data, under Keras's names."""

from nnlite import names
from nnlite.preprocessing import image

__all__ = ["image"]

__getattr__ = names.of(__name__)
