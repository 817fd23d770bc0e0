"""Data sets under Keras's names; nothing is looked for before a `load_data` is called."""

from nnlite.datasets import mnist

__all__ = ["mnist"]
