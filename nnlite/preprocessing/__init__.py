"""Preprocessing of training data, under Keras's names."""

from nnlite.preprocessing import image

__all__ = ["image"]
