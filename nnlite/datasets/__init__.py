"""Data sets under Keras's names; only `load_data` reads or downloads files."""

from nnlite import names
from nnlite.datasets import imdb, mnist, reuters

__all__ = ["imdb", "mnist", "reuters"]

__getattr__ = names.of(__name__)
