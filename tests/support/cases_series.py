"""Layers of sequences (N, T, C) that slide a window, pool, pad or repeat, and transposed
convolutions: what they compute, and what they refuse, as in `cases_layers` and in
`test_layer_refusals`."""

import numpy as np

from nnlite import layers

STEPS = (2, 7, 3)
IMAGES = (2, 3, 4, 3)


def windows(x, size, stride=1, apart=1, before=0, after=0):
    """The windows of sequences with zeros around them: (N, windows, size, C)."""
    x = np.pad(x, ((0, 0), (before, after), (0, 0)))
    starts = range(0, x.shape[1] - (size - 1) * apart, stride)
    return np.stack([x[:, s : s + (size - 1) * apart + 1 : apart] for s in starts], 1)


def conv(x, w, **window):
    return np.einsum("ntkc,kcf->ntf", windows(x, len(w), **window), w)


def depthwise(x, w, **window):
    y = np.einsum("ntkc,kcd->ntcd", windows(x, len(w), **window), w)
    return y.reshape(*y.shape[:2], -1)


def transposed(x, w, stride, before, length):
    """What each step makes, added up: step i makes steps i * stride - before and following."""
    y = np.zeros((len(x), before + (x.shape[1] - 1) * stride + len(w) + length, w.shape[1]))
    for i in range(x.shape[1]):
        y[:, i * stride : i * stride + len(w)] += np.einsum("nc,kfc->nkf", x[:, i], w)
    return y[:, before : before + length]


def transposed_images(x, w, stride, before, size):
    """The same along both axes of images."""
    (high, wide), (top, left) = size, before
    y = np.zeros((len(x), high + 20, wide + 20, w.shape[2]))
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            at = np.s_[
                :, i * stride : i * stride + w.shape[0], j * stride : j * stride + w.shape[1]
            ]
            y[at] += np.einsum("nc,hwfc->nhwf", x[:, i, j], w)
    return y[:, top : top + high, left : left + wide]


def some(**settings):
    """Settings with a bias that is not 0."""
    return {"bias_initializer": "uniform", **settings}


CASES = {
    "Conv1D": (
        lambda: layers.Conv1D(4, 3, 2, activation="relu", bias_initializer="uniform"),
        STEPS,
        lambda x, w: np.maximum(conv(x, w[0], stride=2) + w[1], 0),
    ),
    "Conv1D same": (
        lambda: layers.Conv1D(4, 4, 2, "same", **some()),
        STEPS,
        lambda x, w: conv(x, w[0], stride=2, before=1, after=2) + w[1],
    ),
    "Conv1D causal": (
        lambda: layers.Conv1D(4, (3,), 2, "CAUSAL", dilation_rate=2, activation="softmax"),
        STEPS,
        lambda x, w: softmax(conv(x, w[0], stride=2, apart=2, before=4)),
    ),
    "Conv1D causal of long windows": (
        lambda: layers.Conv1D(2, 3, padding="causal", dilation_rate=50, use_bias=False),
        STEPS,
        lambda x, w: x @ w[0][2],
    ),
    "Conv1D in groups": (
        lambda: layers.Conv1D(6, 3, groups=3, use_bias=False),
        STEPS,
        lambda x, w: np.concatenate(
            [conv(x[..., g : g + 1], w[0][..., 2 * g : 2 * g + 2]) for g in range(3)], -1
        ),
    ),
    "DepthwiseConv1D": (
        lambda: layers.DepthwiseConv1D(3, 2, "same", 2, activation="elu", **some()),
        STEPS,
        lambda x, w: elu(depthwise(x, w[0], stride=2, before=1, after=1) + w[1]),
    ),
    "SeparableConv1D": (
        lambda: layers.SeparableConv1D(4, 2, 2, depth_multiplier=2, **some()),
        STEPS,
        lambda x, w: depthwise(x, w[0], stride=2) @ w[1][0] + w[2],
    ),
    "Conv1DTranspose": (
        lambda: layers.Conv1DTranspose(4, 3, 2, activation="relu", **some()),
        STEPS,
        lambda x, w: np.maximum(transposed(x, w[0], 2, 0, 15) + w[1], 0),
    ),
    "Conv1DTranspose of short windows": (
        lambda: layers.Conv1DTranspose(4, 2, 3, use_bias=False),
        STEPS,
        lambda x, w: transposed(x, w[0], 3, 0, 21),
    ),
    "Conv1DTranspose same": (
        lambda: layers.Conv1DTranspose(4, 5, 2, "same", use_bias=False),
        STEPS,
        lambda x, w: transposed(x, w[0], 2, 1, 14),
    ),
    "Conv1DTranspose with output_padding": (
        lambda: layers.Conv1DTranspose(4, 4, 3, "same", 2, use_bias=False),
        STEPS,
        lambda x, w: transposed(x, w[0], 3, 1, 20),
    ),
    "Conv2DTranspose": (
        lambda: layers.Conv2DTranspose(2, (3, 2), 2, output_padding=(1, 0), **some()),
        IMAGES,
        lambda x, w: transposed_images(x, w[0], 2, (0, 0), (8, 8)) + w[1],
    ),
    "Conv2DTranspose same": (
        lambda: layers.Conv2DTranspose(2, (3, 4), 2, "same", use_bias=False),
        IMAGES,
        lambda x, w: transposed_images(x, w[0], 2, (0, 1), (6, 8)),
    ),
    "MaxPooling1D": (
        lambda: layers.MaxPooling1D(),
        STEPS,
        lambda x, w: windows(x, 2, stride=2).max(2),
    ),
    "MaxPooling1D same": (
        lambda: layers.MaxPooling1D(3, 20, "same"),
        STEPS,
        lambda x, w: x[:, :3].max(1, keepdims=True),
    ),
    "AveragePooling1D": (
        lambda: layers.AveragePooling1D(3, 2),
        STEPS,
        lambda x, w: windows(x, 3, stride=2).mean(2),
    ),
    "AveragePooling1D same": (
        lambda: layers.AveragePooling1D(4, padding="same"),
        STEPS,
        lambda x, w: np.stack([x[:, :4].mean(1), x[:, 4:].mean(1)], 1),
    ),
    "GlobalMaxPooling1D": (lambda: layers.GlobalMaxPooling1D(), STEPS, lambda x, w: x.max(1)),
    "GlobalAveragePooling1D": (
        lambda: layers.GlobalAveragePooling1D(keepdims=True),
        STEPS,
        lambda x, w: x.mean(1, keepdims=True),
    ),
    "UpSampling1D": (lambda: layers.UpSampling1D(3), STEPS, lambda x, w: x.repeat(3, axis=1)),
    "ZeroPadding1D": (
        lambda: layers.ZeroPadding1D((2, 1)),
        STEPS,
        lambda x, w: np.pad(x, ((0, 0), (2, 1), (0, 0))),
    ),
    "Cropping1D": (lambda: layers.Cropping1D((2, 1)), STEPS, lambda x, w: x[:, 2:-1]),
    "SpatialDropout1D": (lambda: layers.SpatialDropout1D(0.5), STEPS, lambda x, w: x),
}


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def elu(x):
    return np.where(x > 0, x, np.expm1(x))


# As in `test_layer_refusals`: how a layer is made, the shape that it was built on, the shape that
# it refuses, and what it says.
WORDS = r"\(N, steps, channels\), got shape"
SHAPES = {
    "Conv1D": [
        (lambda: layers.Conv1D(2, 3), None, (2, 8), rf"{WORDS} \(None, 8\)"),
        (lambda: layers.Conv1D(2, 3), (1, 5, 3), (1, 5, 4), r"sequences of 3 channels .*\(1, 5, 4"),
        (lambda: layers.Conv1D(2, 3), (1, 5, 3), (1, 5, 6), r"sequences of 3 channels .*\(1, 5, 6"),
        (lambda: layers.Conv1D(2, 3), (1, 5, 3), (1, 5, 5, 3), rf"{WORDS} \(1, 5, 5, 3\)"),
        (lambda: layers.Conv1D(4, 3, groups=2), None, (2, 8, 3), "equal groups, got 3 channels"),
        (
            lambda: layers.Conv1D(2, 3, dilation_rate=2),
            None,
            (2, 4, 1),
            r"sequences of at least 5 steps for padding 'valid', got shape \(2, 4, 1\)",
        ),
        (
            lambda: layers.Conv1D(2, 3, padding="causal"),
            None,
            (2, 0, 1),
            r"sequences of at least 1 steps for padding 'causal', got shape \(2, 0, 1\)",
        ),
    ],
    "DepthwiseConv1D": [
        (lambda: layers.DepthwiseConv1D(3), None, (2, 8), rf"{WORDS} \(None, 8\)"),
        (lambda: layers.DepthwiseConv1D(3), (1, 5, 3), (1, 5, 4), r"3 channels .*\(1, 5, 4\)"),
    ],
    "SeparableConv1D": [
        (lambda: layers.SeparableConv1D(2, 3), None, (2, 8), rf"{WORDS} \(None, 8\)"),
        (lambda: layers.SeparableConv1D(2, 3), None, (2, 2, 3), r"at least 3 steps .*\(2, 2, 3\)"),
    ],
    "Conv1DTranspose": [
        (lambda: layers.Conv1DTranspose(2, 3), None, (2, 8), rf"{WORDS} \(None, 8\)"),
        (lambda: layers.Conv1DTranspose(2, 3), (1, 5, 3), (1, 5, 4), r"3 channels .*\(1, 5, 4\)"),
        (
            lambda: layers.Conv1DTranspose(2, 2, padding="same", output_padding=0),
            None,
            (2, 1, 3),
            r"a result, of at least one pixel, got .* a result of 1 x 0",
        ),
    ],
    "Conv2DTranspose": [
        (lambda: layers.Conv2DTranspose(2, 3), None, (2, 8), r"channels\), got shape \(None, 8\)"),
        (
            lambda: layers.Conv2DTranspose(2, 3),
            (1, 5, 5, 3),
            (1, 5, 5, 4),
            r"3 channels .*\(1, 5, 5, 4\)",
        ),
        (lambda: layers.Conv2DTranspose(2, 3), None, (1, 0, 5, 3), r"at least one pixel, got"),
    ],
    "MaxPooling1D": [
        (lambda: layers.MaxPooling1D(2), None, (4, 1), rf"{WORDS} \(None, 1\)"),
        (lambda: layers.MaxPooling1D(2), (1, 4, 1), (1, 4, 4, 1), rf"{WORDS} \(1, 4, 4, 1\)"),
        (lambda: layers.MaxPooling1D(3), None, (1, 2, 1), r"at least 3 steps .*\(1, 2, 1\)"),
    ],
    "AveragePooling1D": [
        (lambda: layers.AveragePooling1D(2), None, (4, 4), rf"{WORDS} \(None, 4\)"),
    ],
    "GlobalMaxPooling1D": [
        (lambda: layers.GlobalMaxPooling1D(), None, (4, 4), rf"{WORDS} \(None, 4\)"),
    ],
    "GlobalAveragePooling1D": [
        (lambda: layers.GlobalAveragePooling1D(), (1, 4, 2), (1, 4, 4, 2), rf"{WORDS} \(1, 4, 4"),
    ],
    "UpSampling1D": [(lambda: layers.UpSampling1D(), None, (4, 4), rf"{WORDS} \(None, 4\)")],
    "ZeroPadding1D": [(lambda: layers.ZeroPadding1D(), None, (4, 4), rf"{WORDS} \(None, 4\)")],
    "Cropping1D": [
        (lambda: layers.Cropping1D(), None, (4, 4), rf"{WORDS} \(None, 4\)"),
        (lambda: layers.Cropping1D(2), None, (1, 4, 1), r"something is left .*\(1, 4, 1\)"),
    ],
    "SpatialDropout1D": [
        (lambda: layers.SpatialDropout1D(0.5), None, (4, 4), rf"{WORDS} \(None, 4\)"),
    ],
}
SETTINGS = [
    (lambda: layers.Lambda("tanh"), r"function: expected a function, got 'tanh'"),
    (lambda: layers.Lambda(abs, output_shape="a"), r"output_shape: expected a shape, .* got 'a'"),
    (lambda: layers.Lambda(abs, output_shape=(0, 3)), r"output_shape: expected .*, got \(0, 3\)"),
    (lambda: layers.Lambda(abs, mask="a"), r"mask: expected numbers, got 'a'"),
    (lambda: layers.Lambda(abs, arguments=[3]), r"arguments: expected a dict .*, got \[3\]"),
    (lambda: layers.Conv1D(2, (3, 3)), r"kernel_size: expected a positive integer, got \(3, 3\)"),
    (lambda: layers.Conv1D(2, 3, 0), r"strides: expected a positive integer, got 0"),
    (lambda: layers.Conv1D(2, 3, dilation_rate=(1, 1)), r"dilation_rate: expected .* \(1, 1\)"),
    (lambda: layers.Conv1D(2, 3, padding="full"), "'valid' or 'same' or 'causal', got 'full'"),
    (lambda: layers.SeparableConv1D(2, 3, padding="causal"), "'valid' or 'same', got 'causal'"),
    (lambda: layers.Conv2D(2, 3, padding="causal"), "'valid' or 'same', got 'causal'"),
    (lambda: layers.Conv1D(2, 3, data_format="NWC"), "'channels_first', got 'NWC'"),
    (lambda: layers.Conv1DTranspose(2, 3, 2, output_padding=2), "less than strides, 2, got 2"),
    (lambda: layers.Conv2DTranspose(2, 3, output_padding=-1), "an integer of at least 0 or a pair"),
    (lambda: layers.MaxPooling1D((2, 2)), r"pool_size: expected .*, got \(2, 2\)"),
    (lambda: layers.UpSampling1D(0), "size: expected a positive integer, got 0"),
    (lambda: layers.ZeroPadding1D((1, 2, 3)), r"padding: expected an int .* \(1, 2, 3\)"),
    (lambda: layers.Cropping1D(((1, 2), 3)), r"cropping: expected an int"),
]
