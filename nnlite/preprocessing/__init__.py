"""What is done to data before it is learned from, under Keras's names."""

from nnlite.preprocessing import image

__all__ = ["image"]
