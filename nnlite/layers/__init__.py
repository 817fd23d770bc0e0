"""Layers: settings, weights, and `call` written in `nnlite.ops`."""

from nnlite.layers.activation import ELU, LeakyReLU, PReLU, ReLU, Softmax
from nnlite.layers.conv import Conv2D, Convolution2D, DepthwiseConv2D, SeparableConv2D
from nnlite.layers.core import Activation, Dense, Dropout, Flatten, InputLayer, Reshape
from nnlite.layers.layer import Layer
from nnlite.layers.normalization import BatchNormalization, LayerNormalization
from nnlite.layers.pooling import (
    AveragePooling2D,
    AvgPool2D,
    GlobalAveragePooling2D,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GlobalMaxPooling2D,
    MaxPool2D,
    MaxPooling2D,
)
from nnlite.layers.regularization import GaussianNoise, SpatialDropout2D
from nnlite.layers.shaping import UpSampling2D, ZeroPadding2D

__all__ = [
    "ELU",
    "Activation",
    "AveragePooling2D",
    "AvgPool2D",
    "BatchNormalization",
    "Conv2D",
    "Convolution2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling2D",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "MaxPool2D",
    "MaxPooling2D",
    "PReLU",
    "ReLU",
    "Reshape",
    "SeparableConv2D",
    "Softmax",
    "SpatialDropout2D",
    "UpSampling2D",
    "ZeroPadding2D",
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
