"""Data sets under Keras's names; only `load_data` reads or downloads files."""

from nnlite import names
from nnlite.datasets import cifar10, cifar100, fashion_mnist, imdb, mnist, reuters

__all__ = ["cifar10", "cifar100", "fashion_mnist", "imdb", "mnist", "reuters"]

__getattr__ = names.of(__name__)
