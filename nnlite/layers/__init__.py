"""Layers: settings, weights, and `call` written in `nnlite.ops`."""

from nnlite.layers.core import Activation, Dense, Dropout, Flatten, InputLayer, Reshape
from nnlite.layers.layer import Layer

__all__ = [
    "Activation",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "InputLayer",
    "Layer",
    "Reshape",
]


def Input(shape=None, batch_size=None, dtype=None, name=None):
    """The first entry of a Sequential: says what one sample looks like.

    Parameters
    ----------
    shape : tuple of int
        Without the batch.
    batch_size, dtype, name
        Kept for Keras's signature.

    Examples
    --------
    >>> import nnlite
    >>> from nnlite import layers
    >>> model = nnlite.Sequential([layers.Input((4,)), layers.Dense(3)])
    >>> model.output_shape
    (None, 3)
    """
    return InputLayer(shape, batch_size=batch_size, dtype=dtype, name=name)
