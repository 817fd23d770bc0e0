"""Layers of volumes, channels that come first, pooling to a size and SpectralNormalization: what
they compute, and what they refuse, as in `cases_layers` and in `test_layer_refusals`."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nnlite import layers

VOLUMES = (2, 5, 6, 4, 3)


def margins(n, window, stride, apart, padding):
    """The zeros before and after an axis of size n."""
    covered = (window - 1) * apart + 1
    missing = max((-(-n // stride) - 1) * stride + covered - n, 0) if padding == "same" else 0
    return missing // 2, missing - missing // 2


def windows(x, window, stride=1, apart=1, padding="valid", fill=0.0):
    """Those of volumes: (N, OD, OH, OW, C, *window)."""
    edges = [margins(n, k, stride, apart, padding) for n, k in zip(x.shape[1:], window)]
    x = np.pad(x, [(0, 0), *edges, (0, 0)], constant_values=fill)
    covered = [(k - 1) * apart + 1 for k in window]
    found = sliding_window_view(x, covered, (1, 2, 3))
    step, tap = np.s_[::stride], np.s_[::apart]
    return found[:, step, step, step, :, tap, tap, tap]


def conv(x, w, **window):
    return np.einsum("nabcuxyz,xyzuf->nabcf", windows(x, w.shape[:3], **window), w)


def conv_transpose(x, w, size, stride=1, apart=1, before=(0, 0, 0)):
    """What each element makes, added up; the first `before` entries of each axis are left out."""
    room = [b + n + 30 for b, n in zip(before, size)]
    y = np.zeros((len(x), *room, w.shape[3]))
    for at in np.ndindex(*x.shape[1:4]):
        for tap in np.ndindex(*w.shape[:3]):
            place = tuple(a * stride + t * apart for a, t in zip(at, tap))
            y[(slice(None), *place)] += x[(slice(None), *at)] @ w[tap].T
    part = tuple(slice(b, b + n) for b, n in zip(before, size))
    return y[(slice(None), *part)]


def mean(x, window, **others):
    """The mean of what is within volumes."""
    return np.nanmean(windows(x, window, **others, fill=np.nan), (-3, -2, -1))


def parts(x, sizes, function):
    """A function of parts of volumes, images or sequences, of which there are `sizes`."""
    y = np.empty((len(x), *sizes, x.shape[-1]))
    for at in np.ndindex(*sizes):
        spans = zip(at, sizes, x.shape[1:])
        box = tuple(slice(i * n // m, -(-(i + 1) * n // m)) for i, m, n in spans)
        y[(slice(None), *at)] = function(x[(slice(None), *box)], tuple(range(1, x.ndim - 1)))
    return y


def some(**settings):
    """Settings with a bias that is not 0."""
    return {"bias_initializer": "uniform", **settings}


CASES = {
    "Conv3D": (
        lambda: layers.Conv3D(4, (3, 2, 3), activation="relu", **some()),
        VOLUMES,
        lambda x, w: np.maximum(conv(x, w[0]) + w[1], 0),
    ),
    "Conv3D same": (
        lambda: layers.Conv3D(4, (2, 3, 4), 2, "same", **some()),
        VOLUMES,
        lambda x, w: conv(x, w[0], stride=2, padding="same") + w[1],
    ),
    "Conv3D dilated": (
        lambda: layers.Conv3D(2, (3, 3, 2), 1, "SAME", dilation_rate=2, use_bias=False),
        VOLUMES,
        lambda x, w: conv(x, w[0], apart=2, padding="same"),
    ),
    "Conv3D of slices": (
        lambda: layers.Conv3D(4, (1, 3, 1), (2, 1, 1), activation="softmax"),
        VOLUMES,
        lambda x, w: softmax(conv(x[:, ::2], w[0])),
    ),
    "Conv3D in groups": (
        lambda: layers.Conv3D(6, 2, groups=3, use_bias=False),
        VOLUMES,
        lambda x, w: np.concatenate(
            [conv(x[..., g : g + 1], w[0][..., 2 * g : 2 * g + 2]) for g in range(3)], -1
        ),
    ),
    "Conv3DTranspose": (
        lambda: layers.Conv3DTranspose(4, (3, 2, 1), 2, activation="relu", **some()),
        VOLUMES,
        lambda x, w: np.maximum(conv_transpose(x, w[0], (11, 12, 8), 2) + w[1], 0),
    ),
    "Conv3DTranspose same": (
        lambda: layers.Conv3DTranspose(2, (3, 4, 1), 2, "same", use_bias=False),
        VOLUMES,
        lambda x, w: conv_transpose(x, w[0], (10, 12, 8), 2, before=(0, 1, 0)),
    ),
    "Conv3DTranspose with output_padding": (
        lambda: layers.Conv3DTranspose(2, 4, 3, "same", None, (2, 1, 0), use_bias=False),
        VOLUMES,
        lambda x, w: conv_transpose(x, w[0], (14, 16, 9), 3, before=(1, 1, 2)),
    ),
    "Conv3DTranspose dilated": (
        lambda: layers.Conv3DTranspose(2, 2, dilation_rate=3, use_bias=False),
        VOLUMES,
        lambda x, w: conv_transpose(x, w[0], (8, 9, 7), apart=3),
    ),
    "MaxPooling3D": (
        lambda: layers.MaxPooling3D(),
        VOLUMES,
        lambda x, w: windows(x, (2, 2, 2), 2).max((-3, -2, -1)),
    ),
    "MaxPooling3D same": (
        lambda: layers.MaxPooling3D((3, 2, 3), 2, "same"),
        VOLUMES,
        lambda x, w: windows(x, (3, 2, 3), 2, padding="same", fill=-np.inf).max((-3, -2, -1)),
    ),
    "AveragePooling3D": (
        lambda: layers.AveragePooling3D((2, 3, 2), 1),
        VOLUMES,
        lambda x, w: mean(x, (2, 3, 2)),
    ),
    "AveragePooling3D same": (
        lambda: layers.AveragePooling3D(3, 2, "same"),
        VOLUMES,
        lambda x, w: mean(x, (3, 3, 3), stride=2, padding="same"),
    ),
    "GlobalMaxPooling3D": (
        lambda: layers.GlobalMaxPooling3D(keepdims=True),
        VOLUMES,
        lambda x, w: x.max((1, 2, 3), keepdims=True),
    ),
    "GlobalAveragePooling3D": (
        lambda: layers.GlobalAveragePooling3D(),
        VOLUMES,
        lambda x, w: x.mean((1, 2, 3)),
    ),
    "UpSampling3D": (
        lambda: layers.UpSampling3D((2, 1, 3)),
        VOLUMES,
        lambda x, w: x.repeat(2, 1).repeat(3, 3),
    ),
    "ZeroPadding3D": (
        lambda: layers.ZeroPadding3D(((1, 2), (0, 3), (0, 0))),
        VOLUMES,
        lambda x, w: np.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0), (0, 0))),
    ),
    "ZeroPadding3D of three": (
        lambda: layers.ZeroPadding3D((0, 0, 2)),
        VOLUMES,
        lambda x, w: np.pad(x, ((0, 0), (0, 0), (0, 0), (2, 2), (0, 0))),
    ),
    "Cropping3D": (
        lambda: layers.Cropping3D(((1, 2), (3, 0), (0, 1))),
        VOLUMES,
        lambda x, w: x[:, 1:-2, 3:, :-1],
    ),
    "SpatialDropout3D": (lambda: layers.SpatialDropout3D(0.5), VOLUMES, lambda x, w: x),
    "SpectralNormalization": (
        lambda: layers.SpectralNormalization(layers.Dense(4, **some())),
        (2, 3),
        lambda x, w: x @ w[0] + w[2],
    ),
    **{
        f"Adaptive{kind}Pooling{rank}D {sizes}": (
            lambda kind=kind, rank=rank, sizes=sizes: getattr(
                layers, f"Adaptive{kind}Pooling{rank}D"
            )(sizes),
            (2, *(7, 6, 5)[:rank], 3),
            lambda x, w, function=function, sizes=sizes: parts(x, sizes, function),
        )
        for kind, function in (("Average", np.mean), ("Max", np.max))
        for rank, sizes in ((1, (3,)), (2, (5, 3)), (2, (9, 1)), (3, (7, 4, 2)))
    },
}


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


# Layers that take `data_format`, their settings, and the shape of their input with channels last.
OF_CHANNELS_FIRST = {
    "Conv1D": ({"filters": 4, "kernel_size": 3, "padding": "causal", **some()}, (2, 7, 3)),
    "Conv2D": (
        {"filters": 4, "kernel_size": 3, "strides": 2, "activation": "relu", **some()},
        (2, 7, 6, 3),
    ),
    "Conv3D": ({"filters": 4, "kernel_size": 2, "padding": "same", **some()}, VOLUMES),
    "DepthwiseConv1D": ({"kernel_size": 3, "depth_multiplier": 2, **some()}, (2, 7, 3)),
    "DepthwiseConv2D": ({"kernel_size": 3, "padding": "same", **some()}, (2, 7, 6, 3)),
    "SeparableConv1D": ({"filters": 4, "kernel_size": 3, **some()}, (2, 7, 3)),
    "SeparableConv2D": ({"filters": 4, "kernel_size": 3, **some()}, (2, 7, 6, 3)),
    "Conv1DTranspose": ({"filters": 4, "kernel_size": 3, "strides": 2, **some()}, (2, 7, 3)),
    "Conv2DTranspose": ({"filters": 4, "kernel_size": 3, "strides": 2, **some()}, (2, 7, 6, 3)),
    "Conv3DTranspose": ({"filters": 4, "kernel_size": 3, "strides": 2, **some()}, VOLUMES),
    **{
        f"{kind}{rank}D": (settings, (2, *(7, 6, 5)[:rank], 3))
        for kind, settings in {
            "MaxPooling": {"pool_size": 2, "padding": "same"},
            "AveragePooling": {"pool_size": 3, "strides": 2},
            "GlobalMaxPooling": {"keepdims": True},
            "GlobalAveragePooling": {},
            "AdaptiveMaxPooling": {"output_size": 4},
            "AdaptiveAveragePooling": {"output_size": 2},
            "ZeroPadding": {"padding": 2},
            "Cropping": {"cropping": 1},
            "UpSampling": {"size": 2},
            "SpatialDropout": {"rate": 0.5},
        }.items()
        for rank in (1, 2, 3)
        if (kind, rank) not in [("Cropping", 1), ("UpSampling", 1), ("SpatialDropout", 1)]
    },
    "Flatten": ({}, (2, 4, 5, 3)),
}

# As in `test_layer_refusals`: how a layer is made, the shape that it was built on, the shape that
# it refuses, and what it says.
WORDS = r"volumes of shape \(N, depth, height, width, channels\), got shape"
BUILT = (1, 5, 5, 5, 3)
SHAPES = {
    "Conv3D": [
        (lambda: layers.Conv3D(2, 3), None, (2, 8, 8, 3), rf"{WORDS} \(None, 8, 8, 3\)"),
        (lambda: layers.Conv3D(2, 3), BUILT, (1, 5, 5, 5, 4), r"volumes of 3 channels .*5, 4\)"),
        (lambda: layers.Conv3D(4, 3, groups=2), None, BUILT, "equal groups, got 3 channels"),
        (
            lambda: layers.Conv3D(2, (3, 2, 1), dilation_rate=2),
            None,
            (2, 4, 8, 8, 3),
            r"at least 5 x 3 x 1 \(D x H x W\) for padding 'valid', got shape \(2, 4, 8, 8, 3\)",
        ),
        (lambda: layers.Conv3D(2, 3, padding="same"), None, (2, 4, 0, 8, 3), "at least 1 x 1 x 1"),
        (
            lambda: layers.Conv3D(2, 3, data_format="channels_first"),
            None,
            (2, 8, 3),
            r"volumes of shape \(N, channels, depth, height, width\), got shape \(None, 8, 3\)",
        ),
    ],
    "Conv3DTranspose": [
        (lambda: layers.Conv3DTranspose(2, 3), None, (2, 8), rf"{WORDS} \(None, 8\)"),
        (lambda: layers.Conv3DTranspose(2, 3), BUILT, (1, 5, 5, 5, 4), r"3 channels .*5, 4\)"),
        (lambda: layers.Conv3DTranspose(2, 3), None, (1, 0, 5, 5, 3), "at least one slice, got"),
    ],
    **{
        f"{kind}Pooling3D": [
            (lambda kind=kind: made(kind)(2), None, (4, 4, 4, 3), rf"{WORDS} \(None, 4, 4, 3\)"),
            (lambda kind=kind: made(kind)(3), None, (1, 3, 2, 3, 1), "at least 3 x 3 x 3"),
        ]
        for kind in ("Max", "Average")
    },
    **{
        f"{kind}Pooling3D": [
            (lambda kind=kind: made(kind)(), None, (4, 4, 4, 3), rf"{WORDS} \(None, 4, 4, 3\)")
        ]
        for kind in ("GlobalMax", "GlobalAverage")
    },
    **{
        f"Adaptive{kind}Pooling{rank}D": [
            (
                lambda kind=kind, rank=rank: made(f"Adaptive{kind}", rank)(2),
                None,
                (4, 4),
                r"of shape \(N, .*channels\), got shape \(None, 4\)",
            ),
            (
                lambda kind=kind, rank=rank: made(f"Adaptive{kind}", rank)(2),
                None,
                (4, 0, 2, 3, 4)[: rank + 2],
                "none but the batch of size 0",
            ),
        ]
        for kind in ("Max", "Average")
        for rank in (1, 2, 3)
    },
    "UpSampling3D": [(lambda: layers.UpSampling3D(), None, (4, 4), rf"{WORDS} \(None, 4\)")],
    "ZeroPadding3D": [(lambda: layers.ZeroPadding3D(), None, (4, 4), rf"{WORDS} \(None, 4\)")],
    "Cropping3D": [
        (lambda: layers.Cropping3D(), None, (4, 4), rf"{WORDS} \(None, 4\)"),
        (lambda: layers.Cropping3D(2), None, (1, 9, 4, 9, 1), r"something is left .*9, 4, 9, 1\)"),
    ],
    "SpatialDropout3D": [
        (lambda: layers.SpatialDropout3D(0.5), None, (4, 4), rf"{WORDS} \(None, 4\)"),
    ],
    "SpectralNormalization": [
        (
            lambda: layers.SpectralNormalization(layers.Flatten()),
            None,
            (4, 4),
            "expected one with a kernel or embeddings, such as Dense.4., got Flatten",
        ),
    ],
}
SETTINGS = [
    (lambda: layers.Conv3D(2, (3, 3)), "kernel_size: expected a positive integer or three of them"),
    (lambda: layers.Conv3D(2, 3, 0), "strides: expected a positive integer or three of them"),
    (lambda: layers.Conv3D(2, 3, padding="causal"), "'valid' or 'same', got 'causal'"),
    (lambda: layers.Conv3D(2, 3, data_format="first"), "'channels_first', got 'first'"),
    (lambda: layers.Conv2D(4, 3, data_format="NHWC"), r"'channels_first', got 'NHWC"),
    (lambda: layers.MaxPooling2D(data_format="first"), "'channels_last' or 'channels_first', got"),
    (lambda: layers.Flatten(data_format=1), "'channels_last' or 'channels_first', got 1"),
    (lambda: layers.Conv3DTranspose(2, 3, 2, output_padding=2), "less than strides, 2, got 2"),
    (lambda: layers.MaxPooling3D((2, 2)), r"pool_size: expected .*, got \(2, 2\)"),
    (lambda: layers.ZeroPadding3D((1, 2)), r"padding: expected an int .* three of them or three p"),
    (lambda: layers.Cropping3D(-1), "cropping: expected an int"),
    (lambda: layers.UpSampling3D(0), "size: expected a positive integer or three"),
    (lambda: layers.AdaptiveMaxPooling2D((2, 0)), r"output_size: expected a positive integer or a"),
    (lambda: layers.AdaptiveAveragePooling1D(1.5), "output_size: expected a positive integer, got"),
    (lambda: layers.SpectralNormalization(3), "layer: expected a layer, such as LSTM.4., got 3"),
    (
        lambda: layers.SpectralNormalization(layers.Dense(2), 0),
        "power_iterations: expected a positive integer, got 0",
    ),
    (lambda: layers.Cropping1D(data_format="channels_first"), "unknown argument 'data_format'"),
]


def made(kind, rank=3):
    return getattr(layers, f"{kind}Pooling{rank}D")
