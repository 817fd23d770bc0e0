"""Small networks that run in 8-bit integers, each with an op of its own; `made` gives them weights.

`NETS` has for each name a shape of a sample and a function of an Input that gives the output."""

import numpy as np

import nnlite
from nnlite import layers as L

ROWS, IMAGES = (9,), (8, 8, 3)


def chain(*parts):
    """Layers one after the other."""

    def function(x):
        for part in parts:
            x = part(x)
        return x

    return function


def joined(merge, second):
    """Two branches and the layer that joins them."""
    return lambda x: merge([L.Dense(6)(x), L.Dense(6, second)(x)])


NETS = {
    "linear": (ROWS, lambda x: chain(L.Dense(7, "relu"), L.Dense(4))(x)),
    "conv2d": (IMAGES, lambda x: L.Conv2D(5, 3, activation="relu")(x)),
    "conv2d same": (
        IMAGES,
        lambda x: L.Conv2D(5, 3, strides=2, padding="same", activation="relu6")(x),
    ),
    "conv2d in groups": (IMAGES, lambda x: L.Conv2D(6, 3, groups=3, dilation_rate=2)(x)),
    "depthwise_conv2d": (IMAGES, lambda x: L.DepthwiseConv2D(3, depth_multiplier=2)(x)),
    "max_pool2d": (
        IMAGES,
        lambda x: chain(L.Conv2D(5, 3), L.MaxPooling2D(padding="same"), L.Flatten(), L.Dense(3))(x),
    ),
    "average_pool2d": (
        IMAGES,
        lambda x: chain(L.Conv2D(5, 3), L.AveragePooling2D(3, padding="same"))(x),
    ),
    "mean": (IMAGES, lambda x: chain(L.Conv2D(5, 3), L.GlobalAveragePooling2D(), L.Dense(3))(x)),
    "reduce_max": (IMAGES, lambda x: chain(L.Conv2D(5, 3), L.GlobalMaxPooling2D())(x)),
    "scale_shift": (
        IMAGES,
        lambda x: chain(L.Conv2D(5, 3, activation="relu"), L.BatchNormalization())(x),
    ),
    "scale_shift of rows": (ROWS, lambda x: chain(L.Dense(5, "relu"), L.BatchNormalization())(x)),
    "tanh, sigmoid, softmax": (
        ROWS,
        lambda x: chain(L.Dense(6, "tanh"), L.Dense(5, "sigmoid"), L.Dense(3, "softmax"))(x),
    ),
    "elu, leaky_relu": (
        ROWS,
        lambda x: chain(L.Dense(6, "elu"), L.Dense(5), L.LeakyReLU(0.3))(x),
    ),
    "hard_silu": (ROWS, lambda x: L.Dense(6, "hard_silu")(x)),
    "gelu": (ROWS, lambda x: L.Dense(6, "gelu")(x)),
    "silu": (ROWS, lambda x: L.Dense(6, "silu")(x)),
    "relu": (ROWS, lambda x: chain(joined(L.Add(), None), L.ReLU())(x)),
    "capped_relu": (ROWS, lambda x: chain(joined(L.Add(), None), L.ReLU(1.5))(x)),
    "capped_relu of a product": (ROWS, lambda x: chain(L.Dense(6), L.ReLU(0.7), L.Dense(3))(x)),
    "add": (ROWS, joined(L.Add(), "tanh")),
    "subtract": (ROWS, joined(L.Subtract(), "tanh")),
    "multiply": (ROWS, joined(L.Multiply(), "sigmoid")),
    "maximum": (ROWS, joined(L.Maximum(), "sigmoid")),
    "concatenate": (ROWS, joined(L.Concatenate(), "sigmoid")),
    "average": (ROWS, joined(L.Average(), "sigmoid")),
    "pad2d": (
        IMAGES,
        lambda x: chain(
            L.Conv2D(5, 3), L.ZeroPadding2D(((1, 2), (0, 1))), L.Cropping2D(1), L.Conv2D(2, 1)
        )(x),
    ),
    "rescaled input": (IMAGES, lambda x: chain(L.Rescaling(0.1, 0.3), L.Conv2D(2, 1))(x)),
    "transpose": (IMAGES, lambda x: chain(L.Conv2D(5, 3), L.Permute((2, 3, 1)), L.Dense(3))(x)),
    "sequences": (
        (10, 3),
        lambda x: chain(
            L.Conv1D(5, 3, padding="causal"), L.MaxPooling1D(2), L.UpSampling1D(2), L.Conv1D(3, 2)
        )(x),
    ),
}


# Recurrent layers, whose kernels alone are integers: each with what it needs of a kind of its own.
RECURRENT = {
    "SimpleRNN": ((12, 6), lambda x: chain(L.Conv1D(6, 2), L.SimpleRNN(48), L.Dense(3))(x)),
    "LSTM": ((12, 6), lambda x: chain(L.LSTM(48, return_sequences=True), L.LSTM(48))(x)),
    "GRU": ((12, 6), lambda x: chain(L.Masking(), L.Bidirectional(L.GRU(48)), L.Dense(3))(x)),
}


def made(name):
    """A model of `NETS` or `RECURRENT`, and rows for it."""
    shape, function = (NETS | RECURRENT)[name]
    x = L.Input(shape)
    model = nnlite.Model(x, function(x))
    generator = np.random.default_rng(1)
    scale = 0.1 if name in RECURRENT else 0.4  # states that do not fade would keep each rounding
    model.set_weights(
        [
            generator.normal(scale=scale, size=w.shape)
            if w.ndim > 1
            else generator.uniform(0.2, 1, w.shape)
            for w in model.get_weights()
        ]
    )
    return model, generator.normal(size=(40, *shape)).astype(np.float32)
