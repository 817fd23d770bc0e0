"""Data sets under Keras's names; only `load_data` reads or downloads files."""

from nnlite.datasets import mnist

__all__ = ["mnist"]
