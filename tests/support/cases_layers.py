"""Layers of images, noise, normalization and activation, and activations by name, as in
`test_layers.py`.

A case is a layer, the shape of its input (or the input), and what it computes from (x, weights).
"""

import cases_attention_layers
import cases_columns
import cases_image_layers
import cases_recurrent
import cases_series
import cases_signals
import cases_tables_layers
import cases_volumes
import numpy as np
import oracle_activations
import oracle_conv
import oracle_sequences
from oracle_activations import elu, gated

from nnlite import layers
from nnlite.ops.activation import GATES

IMAGES = (2, 6, 6, 3)
SEQUENCES = (4, 3, 5)
BINS = (0, 4, 4, 1, 3, 1, 2)  # of five, that Keras's Hashing gives 0 to 6
TOKENS = np.random.default_rng(0).integers(0, 7, (4, 3))
# A window that moves by two, without padding, over those: 2 x 3 places.
STRIDED = {
    "stride_h": 2,
    "stride_w": 2,
    "pad_top": 0,
    "pad_left": 0,
    "dilation_h": 1,
    "dilation_w": 1,
    "groups": 1,
}


def windows(x):
    """Non-overlapping windows of 2 x 2: (N, height, width, 4, channels)."""
    n, h, w, c = x.shape
    x = x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(n, h // 2, w // 2, 4, c)


def normalized(x, axes, epsilon=0.001):
    """(x - mean) / sqrt(variance + epsilon)."""
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon)


def over(weight, ndim, axes):
    """A weight whose axes are those of a tensor of `ndim` dimensions, so that it broadcasts."""
    return np.expand_dims(weight, [d for d in range(ndim) if d not in axes])


def stretched(x, axis, factor):
    """x read between the centers of its entries along an axis, by `numpy.interp`."""
    n = x.shape[axis]
    at = (np.arange(n * factor) + 0.5) / factor - 0.5
    return np.apply_along_axis(lambda row: np.interp(at, np.arange(n), row), axis, x)


CASES = {
    "MaxPooling2D": (lambda: layers.MaxPooling2D(2), IMAGES, lambda x, w: windows(x).max(3)),
    "MaxPooling2D same": (
        lambda: layers.MaxPooling2D((3, 3), strides=(7, 7), padding="SAME"),
        IMAGES,
        lambda x, w: x[:, :3, :3].max((1, 2), keepdims=True),
    ),
    "AveragePooling2D": (
        lambda: layers.AveragePooling2D(),
        (2, 7, 6, 3),
        lambda x, w: windows(x).mean(3),
    ),
    "GlobalAveragePooling2D": (
        lambda: layers.GlobalAveragePooling2D(),
        IMAGES,
        lambda x, w: x.mean((1, 2)),
    ),
    "GlobalMaxPooling2D": (
        lambda: layers.GlobalMaxPooling2D(keepdims=True),
        IMAGES,
        lambda x, w: x.max((1, 2), keepdims=True),
    ),
    "BatchNormalization": (
        lambda: layers.BatchNormalization(
            gamma_initializer="uniform", beta_initializer="uniform", moving_mean_initializer="ones"
        ),
        (2, 3, 4, 5),
        lambda x, w: (x - w[2]) / np.sqrt(w[3] + 0.001) * w[0] + w[1],
    ),
    "BatchNormalization of rows": (
        lambda: layers.BatchNormalization(axis=1, center=False, scale=False, epsilon=0.5),
        (4, 5),
        lambda x, w: (x - w[0]) / np.sqrt(w[1] + 0.5),
    ),
    "BatchNormalization of another axis": (
        lambda: layers.BatchNormalization(
            axis=1, moving_mean_initializer="uniform", moving_variance_initializer="ones"
        ),
        (2, 3, 4, 5),
        lambda x, w: (
            (x - over(w[2], 4, [1])) / np.sqrt(over(w[3], 4, [1]) + 0.001) * over(w[0], 4, [1])
        ),
    ),
    "LayerNormalization of two axes": (
        lambda: layers.LayerNormalization(
            axis=(-1, 1), gamma_initializer="uniform", beta_initializer="uniform"
        ),
        (4, 6, 3, 5),
        lambda x, w: normalized(x, (1, 3)) * over(w[0], 4, [1, 3]) + over(w[1], 4, [1, 3]),
    ),
    "LayerNormalization": (
        lambda: layers.LayerNormalization(gamma_initializer="uniform", beta_initializer="uniform"),
        (4, 6, 5),
        lambda x, w: normalized(x, -1) * w[0] + w[1],
    ),
    "LayerNormalization bare": (
        lambda: layers.LayerNormalization(axis=[-1], center=False, scale=False, epsilon=0.1),
        (4, 5),
        lambda x, w: normalized(x, -1, 0.1),
    ),
    "GroupNormalization": (
        lambda: layers.GroupNormalization(
            3, gamma_initializer="uniform", beta_initializer="uniform"
        ),
        (4, 5, 2, 6),
        lambda x, w: normalized(x.reshape(4, 10, 3, 2), (1, 3)).reshape(x.shape) * w[0] + w[1],
    ),
    "GroupNormalization of another axis": (
        lambda: layers.GroupNormalization(-1, axis=1, center=False, scale=False, epsilon=0.1),
        (4, 3, 5),
        lambda x, w: normalized(x, 2, 0.1),
    ),
    "RMSNormalization": (
        lambda: layers.RMSNormalization(axis=(1, -1), epsilon=0.1),
        (4, 3, 2, 5),
        lambda x, w: x / np.sqrt((x**2).mean((1, 3), keepdims=True) + 0.1) * over(w[0], 4, [1, 3]),
    ),
    "UnitNormalization": (
        lambda: layers.UnitNormalization(),
        (4, 5),
        lambda x, w: x / np.linalg.norm(x, axis=-1, keepdims=True),
    ),
    "Identity": (lambda: layers.Identity(), (4, 5), lambda x, w: x),
    "ActivityRegularization": (
        lambda: layers.ActivityRegularization(l1=0.1),
        (4, 5),
        lambda x, w: x,
    ),
    "ReLU": (lambda: layers.ReLU(), (4, 5), lambda x, w: np.maximum(x, 0)),
    "ReLU with settings": (
        lambda: layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.5),
        (4, 5),
        lambda x, w: np.where(x > 0.5, np.minimum(x, 1), 0.1 * (x - 0.5)),
    ),
    "LeakyReLU": (lambda: layers.LeakyReLU(), (4, 5), lambda x, w: np.where(x > 0, x, 0.3 * x)),
    "ELU": (lambda: layers.ELU(0.5), (4, 5), lambda x, w: elu(x, 0.5)),
    "PReLU": (
        lambda: layers.PReLU("uniform", shared_axes=[1]),
        (4, 5, 3),
        lambda x, w: np.where(x > 0, x, w[0] * x),
    ),
    "Softmax": (
        lambda: layers.Softmax(axis=1),
        (4, 5, 3),
        lambda x, w: np.exp(x) / np.exp(x).sum(1, keepdims=True),
    ),
    "GaussianNoise": (lambda: layers.GaussianNoise(0.5), (4, 5), lambda x, w: x),
    "SpatialDropout2D": (lambda: layers.SpatialDropout2D(0.5), IMAGES, lambda x, w: x),
    "GaussianDropout": (lambda: layers.GaussianDropout(0.5), (4, 5), lambda x, w: x),
    "AlphaDropout": (lambda: layers.AlphaDropout(0.5), (4, 5), lambda x, w: x),
    "Dropout with a noise_shape": (
        lambda: layers.Dropout(0.5, noise_shape=(None, 1, 1, 3)),
        IMAGES,
        lambda x, w: x,
    ),
    "Permute": (lambda: layers.Permute((3, 1, 2)), IMAGES, lambda x, w: x.transpose(0, 3, 1, 2)),
    "RepeatVector": (
        lambda: layers.RepeatVector(3),
        (4, 5),
        lambda x, w: x[:, None].repeat(3, axis=1),
    ),
    "Rescaling": (
        lambda: layers.Rescaling([1.5, 2.0, -3.0], offset=0.5),
        (4, 5, 3),
        lambda x, w: x * [1.5, 2, -3] + 0.5,
    ),
    "Normalization": (
        lambda: layers.Normalization(mean=[1.0, 2.0, 3.0], variance=4.0),
        (4, 5, 3),
        lambda x, w: (x - [1, 2, 3]) / 2,
    ),
    "Normalization inverse": (
        lambda: layers.Normalization(axis=(1, 2), invert=True),
        (4, 5, 3),
        lambda x, w: x * np.sqrt(w[1]) + w[0],
    ),
    "Cropping2D": (
        lambda: layers.Cropping2D(((1, 0), (2, 3))),
        IMAGES,
        lambda x, w: x[:, 1:, 2:3],
    ),
    "ZeroPadding2D": (
        lambda: layers.ZeroPadding2D(((1, 0), (2, 3))),
        IMAGES,
        lambda x, w: np.pad(x, ((0, 0), (1, 0), (2, 3), (0, 0))),
    ),
    "Conv2D": (
        lambda: layers.Conv2D(4, (3, 2), strides=2, activation="relu"),
        IMAGES,
        lambda x, w: np.maximum(oracle_conv.conv2d(x, w[0], STRIDED, (2, 3)) + w[1], 0),
    ),
    "DepthwiseConv2D": (
        lambda: layers.DepthwiseConv2D((3, 2), strides=2, depth_multiplier=2),
        IMAGES,
        lambda x, w: oracle_conv.depthwise_conv2d(x, w[0], STRIDED, (2, 3)) + w[1],
    ),
    "SeparableConv2D": (
        lambda: layers.SeparableConv2D(4, (3, 2), strides=2),
        IMAGES,
        lambda x, w: oracle_conv.depthwise_conv2d(x, w[0], STRIDED, (2, 3)) @ w[1][0, 0] + w[2],
    ),
    "UpSampling2D": (
        lambda: layers.UpSampling2D((2, 3)),
        IMAGES,
        lambda x, w: x.repeat(2, axis=1).repeat(3, axis=2),
    ),
    "UpSampling2D bilinear": (
        lambda: layers.UpSampling2D((2, 3), interpolation="bilinear"),
        IMAGES,
        lambda x, w: stretched(stretched(x, 1, 2), 2, 3),
    ),
}


def recurrent(kind, **options):
    """A case of a recurrent layer."""
    return (
        lambda: getattr(layers, kind)(3, bias_initializer="uniform", **options),
        SEQUENCES,
        lambda x, w: oracle_sequences.of(kind, x, w, **options)[0],
    )


def one_after_another(x, w):
    """An LSTM, and a GRU behind it."""
    h = oracle_sequences.of("LSTM", x, w[:3], return_sequences=True)[0]
    return oracle_sequences.of("GRU", h, w[3:])[0]


def both_ways(merge, **options):
    """A case of a Bidirectional GRU."""

    def reference(x, w):
        one = oracle_sequences.of("GRU", x, w[:3], **options)[0]
        other = oracle_sequences.of("GRU", x, w[3:], go_backwards=True, **options)[0]
        return merge(one, other[:, ::-1] if options else other)

    return reference


CASES |= (
    cases_series.CASES
    | cases_volumes.CASES
    | {
        "TimeDistributed": (
            lambda: layers.TimeDistributed(layers.Dense(2, "relu")),
            SEQUENCES,
            lambda x, w: np.maximum(x @ w[0] + w[1], 0),
        ),
        "TimeDistributed of images": (
            lambda: layers.TimeDistributed(layers.MaxPooling2D(2)),
            (2, 3, 4, 4, 2),
            lambda x, w: np.stack([windows(x[:, t]).max(3) for t in range(3)], 1),
        ),
        "Bidirectional": (
            lambda: layers.Bidirectional(layers.GRU(2, bias_initializer="uniform")),
            SEQUENCES,
            both_ways(lambda a, b: np.concatenate([a, b], -1)),
        ),
        "Bidirectional of all steps": (
            lambda: layers.Bidirectional(layers.GRU(2, return_sequences=True), "ave"),
            SEQUENCES,
            both_ways(lambda a, b: (a + b) / 2, return_sequences=True),
        ),
        "Bidirectional product": (
            lambda: layers.Bidirectional(layers.GRU(2, return_sequences=True), "mul"),
            SEQUENCES,
            both_ways(lambda a, b: a * b, return_sequences=True),
        ),
        "SimpleRNN": recurrent("SimpleRNN"),
        "SimpleRNN of all steps": recurrent("SimpleRNN", activation="relu", return_sequences=True),
        "LSTM": recurrent("LSTM", recurrent_activation="hard_sigmoid"),
        "LSTM backwards": recurrent("LSTM", go_backwards=True, return_sequences=True),
        "LSTM by ops": recurrent("LSTM", activation="softmax"),
        "GRU": recurrent("GRU"),
        "GRU of another form": recurrent("GRU", reset_after=False, return_sequences=True),
        "RNN": (lambda: layers.RNN(layers.LSTMCell(2)), SEQUENCES, recurrent("LSTM")[2]),
        "RNN of cells": (
            lambda: layers.RNN([layers.LSTMCell(2), layers.GRUCell(3)]),
            SEQUENCES,
            one_after_another,
        ),
        "Embedding": (lambda: layers.Embedding(7, 2), TOKENS, lambda x, w: w[0][x.astype(int)]),
        "Embedding of more axes": (
            lambda: layers.Embedding(7, 2),
            TOKENS[:, None, :, None],
            lambda x, w: w[0][x.astype(int)],
        ),
        "ReversibleEmbedding": (
            lambda: layers.ReversibleEmbedding(7, 2, tie_weights=False),
            TOKENS,
            lambda x, w: w[0][x.astype(int)],
        ),
        "CategoryEncoding": (
            lambda: layers.CategoryEncoding(7, output_mode="count"),
            TOKENS,
            lambda x, w: (x[..., None] == np.arange(7)).sum(1),
        ),
        "Discretization": (
            lambda: layers.Discretization([-0.5, 0.0, 0.25], output_mode="one_hot"),
            (4, 3),
            lambda x, w: np.eye(4)[np.digitize(x, [-0.5, 0.0, 0.25])],
        ),
        "IntegerLookup": (
            lambda: layers.IntegerLookup(vocabulary=[3, 0, 6], output_mode="multi_hot"),
            TOKENS,
            lambda x, w: (
                (np.array([2, 0, 0, 1, 0, 0, 3])[x.astype(int)][..., None] == np.arange(4))
                .any(1)
                .astype(float)
            ),
        ),
        "Hashing": (
            lambda: layers.Hashing(5, output_mode="one_hot"),
            TOKENS,
            lambda x, w: np.eye(5)[np.array(BINS)[x.astype(int)]],
        ),
        "Masking": (
            lambda: layers.Masking(2),
            np.array([[[1.0, 2], [2, 2]], [[2, 2], [3, 4]]]),
            lambda x, w: np.where((x == 2).all(-1, keepdims=True), 0, x),
        ),
        "PaddingMask": (
            lambda: layers.PaddingMask(),
            np.array([[[1.0, 2], [np.nan, np.nan]], [[2, 2], [3, 4]]]),
            lambda x, w: np.nan_to_num(x),
        ),
    }
)
CASES |= cases_attention_layers.CASES | cases_columns.CASES | cases_tables_layers.CASES
CASES |= cases_image_layers.CASES | cases_recurrent.CASES | cases_signals.CASES
# What is called on strings: test_lookups.py, test_hashed_crossing.py.
OF_STRINGS = {"HashedCrossing", "StringLookup", "TextVectorization"}
# They are called on an input and states: test_recurrent.py.
CELLS = {"SimpleRNNCell", "LSTMCell", "GRUCell", "StackedRNNCells"}


def sparsemax(x):
    """Of rows, by sorting, as Martins & Astudillo write it."""
    z = -np.sort(-x, axis=-1)
    k = np.arange(1, x.shape[-1] + 1)
    kept = (1 + k * z > z.cumsum(-1)).sum(-1, keepdims=True)
    t = (np.take_along_axis(z.cumsum(-1), kept - 1, -1) - 1) / kept
    return np.maximum(x - t, 0)


def halves(x):
    """The two halves of the last axis."""
    return np.split(x, 2, axis=-1)


ACTIVATIONS = {
    **{
        name: lambda x, f=f: f(x, 1.0)
        for name, f in oracle_activations.ACTIVATIONS.items()
        if name not in ("capped_relu", "isru")  # which layers know no name of
    },
    **{name: lambda x, k=k: gated(x, k) for name, k in GATES.items() if name != "gelu_tanh"},
    "swish": lambda x: gated(x, GATES["silu"]),
    "hard_swish": lambda x: gated(x, GATES["hard_silu"]),
    "relu6": lambda x: np.clip(x, 0, 6),
    "celu": lambda x: elu(x, 1.0),
    "glu": lambda x: halves(x)[0] / (1 + np.exp(-halves(x)[1])),
    "log_sigmoid": lambda x: -np.log1p(np.exp(-x)),
    "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "tanh_shrink": lambda x: x - np.tanh(x),
    "hard_shrink": lambda x: x * (np.abs(x) > 0.5),
    "soft_shrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "squareplus": lambda x: (x + np.sqrt(x**2 + 4)) / 2,
    "sparse_plus": lambda x: np.where(x > 1, x, (np.maximum(x, -1) + 1) ** 2 / 4),
    "sparsemax": sparsemax,
    "exponential": np.exp,
    "log_softmax": lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
}

# What merging layers give of two arrays.
MERGED = {
    "Add": lambda a, b: a + b,
    "Subtract": lambda a, b: a - b,
    "Multiply": lambda a, b: a * b,
    "Average": lambda a, b: (a + b) / 2,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Concatenate": lambda a, b: np.concatenate([a, b], axis=-1),
}
