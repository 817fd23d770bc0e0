"""TensorFlow's `tf.random` and Keras's `keras.random`: random numbers as tensors."""

from nnlite import names
from nnlite.backend import random_normal as normal
from nnlite.backend import random_uniform as uniform
from nnlite.config import seed_draws as set_seed

__all__ = ["normal", "set_seed", "uniform"]

__getattr__ = names.of(__name__)
