"""What `layers=` of an estimator may be, by its public path."""

from nnlite import names
from nnlite.estimators.architecture import MLP, Meta, Stack

__all__ = ["MLP", "Meta", "Stack"]

__getattr__ = names.of(__name__)
