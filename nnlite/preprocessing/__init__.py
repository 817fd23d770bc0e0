"""Preprocessing of training data, under Keras's names."""

from nnlite import names
from nnlite.preprocessing import image, sequence, text

__all__ = ["image", "sequence", "text"]

__getattr__ = names.of(__name__)
