"""Models, under Keras's module name."""

from nnlite.model import Model, Sequential

__all__ = ["Model", "Sequential"]
