"""Data sets under Keras's names; only `load_data` reads or downloads files."""

from nnlite import names
from nnlite.datasets import mnist

__all__ = ["mnist"]

__getattr__ = names.of(__name__)
