"""Models, under Keras's module name."""

from nnlite import names
from nnlite.models.model import Model
from nnlite.models.sequential import Sequential

__all__ = ["Model", "Sequential"]

__getattr__ = names.of(__name__)
