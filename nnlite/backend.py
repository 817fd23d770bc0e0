"""Settings of the process, under Keras's module name."""

from nnlite.config import epsilon, floatx, image_data_format, set_epsilon, set_floatx

__all__ = ["epsilon", "floatx", "image_data_format", "set_epsilon", "set_floatx"]
