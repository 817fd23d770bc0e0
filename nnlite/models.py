"""Models, under Keras's module name."""

from nnlite.model import Model
from nnlite.sequential import Sequential

__all__ = ["Model", "Sequential"]
