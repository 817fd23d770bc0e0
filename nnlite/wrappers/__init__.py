"""Keras models behind scikit-learn's contract: where Keras 2 had them, `wrappers.scikit_learn`."""

from nnlite import names
from nnlite.wrappers import scikit_learn

__all__ = ["scikit_learn"]

__getattr__ = names.of(__name__)
