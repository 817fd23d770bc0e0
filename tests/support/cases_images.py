"""Cases of the ops in `oracle_images.py`, as in `cases.py`.

An op of several outputs has a `scale` that gives one for each.
"""

import functools
import itertools

import numpy as np
from oracle_activations import GATE_NAMES, gate
from oracle_images import (
    average_pool_gradient,
    max_pool_gradient,
    pool,
    windows_along_axis_gradient,
)
from samples import LENGTHS, Case, normal, rng, sweep

from nnlite.ops.activation import GATES
from nnlite.ops.warp import FILL_MODES
from nnlite.ops.windows import windows_along

# Images, windows, strides: the fast path, overlaps, gaps, wider than the image, thin.
IMAGES = [(0, 4, 4, 3), (1, 1, 1, 1), (2, 5, 7, 3), (3, 8, 8, 16), (1, 6, 6, 130), (2, 4, 3, 17)]
# The fast path of pooling, several pixels to a vector: all in whole vectors, and with a rest.
WIDE = [(2, 3, 79, 1), (1, 4, 64, 2), (1, 4, 34, 2), (1, 2, 23, 3), (2, 5, 19, 6), (1, 2, 24, 8)]
EMPTY = [(2, 4, 4, 0), (1, 0, 4, 2), (1, 3, 0, 2)]
WINDOWS = [
    ((2, 2), (2, 2)),
    ((3, 3), (2, 2)),
    ((3, 3), (1, 1)),
    ((2, 2), (1, 1)),
    ((2, 2), (3, 4)),
    ((1, 1), (2, 2)),
    ((5, 1), (1, 2)),
    ((9, 9), (1, 1)),
    ((9, 10), (7, 3)),
    ((2, 3), (9, 9)),
]


def pools():
    """(shape of x, attributes) of each image with each window that fits."""
    for shape, (window, stride), padding in itertools.chain(
        itertools.product(IMAGES + EMPTY, WINDOWS, ("valid", "same")),
        itertools.product(WIDE, WINDOWS[:1], ("valid", "same")),
    ):
        if padding == "valid" and (shape[1] < window[0] or shape[2] < window[1]):
            continue
        along = [windows_along(n, p, s, padding) for n, p, s in zip(shape[1:3], window, stride)]
        yield (
            shape,
            {
                "pool_h": window[0],
                "pool_w": window[1],
                "stride_h": stride[0],
                "stride_w": stride[1],
                "pad_top": along[0][1],
                "pad_left": along[1][1],
                "size": (along[0][0], along[1][0]),
            },
        )


def rough(x):
    """Values of which many are equal."""
    return np.round(2 * x) / 2


def max_pools():
    """With ties, and one with NaN and infinities."""
    holed = normal(2, 6, 6, 5)
    holed.reshape(-1)[::7] = np.nan
    holed.reshape(-1)[3::11] = np.inf
    holed.reshape(-1)[5::13] = -np.inf
    found = [Case([x(normal(*s))], a) for s, a in pools() for x in (rough, np.array)]
    return found + [
        Case([holed], a) for s, a in pools() if s == (2, 5, 7, 3) and max(a["size"]) < 4
    ]


def max_pool_gradients():
    """Of images with ties, and with NaN."""
    found = []
    for (s, a), holed in itertools.product(pools(), (False, True)):
        x = rough(normal(*s))
        if holed:
            x.reshape(-1)[::23] = np.nan
        inputs = [normal(s[0], *a["size"], s[3], seed=1), x, pool(x, a, np.max)]
        attrs = {k: v for k, v in a.items() if k != "size"}
        found.append(
            Case(
                inputs,
                attrs,
                scale=lambda i, y, a=attrs: max_pool_gradient(np.abs(i[0]), *i[1:], a),
            )
        )
    return found


def average_pools():
    """Measured by the mean of |x|."""
    return [
        Case([normal(*s)], a, scale=lambda i, y, a=a: pool(np.abs(i[0]), a, np.mean))
        for s, a in pools()
    ]


def average_pool_gradients():
    """Measured by the gradient of |dy|."""
    return [
        Case(
            [normal(s[0], *a["size"], s[3])],
            {**a, "size": s[1:3]},
            scale=lambda i, y, a={**a, "size": s[1:3]}: average_pool_gradient(np.abs(i[0]), a),
        )
        for s, a in pools()
    ]


def pads():
    """Margins, parts, margins on one side and cuts on the other, nothing left."""
    found = []
    for shape in IMAGES + EMPTY:
        for top, bottom, left, right in [
            (1, 1, 1, 1), (0, 0, 0, 0), (2, 0, 0, 3), (-1, 0, 0, -1), (-1, 2, 3, -1), (0, -9, 1, 1),
            (5, -1, -7, 0), (-9, 9, -9, 9), (9, -9, 9, -9),
        ]:  # fmt: skip
            size = (max(shape[1] + top + bottom, 0), max(shape[2] + left + right, 0))
            found.append(Case([normal(*shape)], {"top": top, "left": left, "size": size}))
    return found


def affine_matrices(n, kind):
    """As the op takes them: whole pixels; half pixels; anything, also far outside. With so few
    digits that coordinates are exact, wherever an image is continued."""
    m = np.tile([1.0, 0, 0, 0, 1, 0], (n, 1))
    random = rng("matrices", n, kind)
    if kind == "moved":
        m[:, [2, 5]] = random.integers(-9, 10, (n, 2))
    elif kind == "halves":
        m = random.integers(-6, 7, (n, 6)) / 2
    elif kind == "any":
        m = np.round(1024 * random.standard_normal((n, 6)) * [1, 1, 8, 1, 1, 8]) / 1024
    return m.view(np.int32)


def _largest_pixel(inputs, result):
    return np.abs(inputs[0]).max(initial=0.75)


def affine_transforms():
    """All modes and orders on sides of one pixel, of less and more than are worked on together."""
    found = []
    for shape in [
        (0, 4, 4, 3),
        (2, 4, 4, 0),
        (1, 0, 4, 2),
        (1, 3, 0, 2),
        (3, 1, 1, 1),
        (3, 1, 9, 2),
        (1, 17, 13, 1),
        (2, 5, 7, 3),
        (1, 3, 70, 1),
        (1, 2, 129, 5),
    ]:
        for kind, mode, smooth in itertools.product(
            ("same", "moved", "halves", "any"), FILL_MODES.values(), (0, 1)
        ):  # fmt: skip
            attrs = {"mode": mode, "smooth": smooth, "cval": 0.75}
            inputs = [normal(*shape), affine_matrices(shape[0], kind)]
            found.append(Case(inputs, attrs, _largest_pixel if smooth else None))
    return found


NORM_SHAPES = [
    (1, 1), (2, 3), (5, 1), (700, 1), (64, 32), (65, 33), (4097, 1), (3000, 3), (130, 128),
    (70, 129), (200, 257), (2, 5, 7, 16), (3, 64), (63, 64), (9000, 7), (3, 0), (40, 21), (40, 63),
]  # fmt: skip


def normed(shape, seed=0):
    """x whose channels have means of very different sizes; gamma; beta."""
    channels = shape[-1]
    means = np.resize(np.array([0.0, 1.0, -30.0, 1000.0]), channels)
    x = normal(*shape, seed=seed) * (1 + np.arange(channels) % 3) + means
    return x, normal(channels, seed=seed + 1), normal(channels, seed=seed + 2)


def batch_norm_scale(inputs, want):
    """y: by x and the mean of |x|, that by which the mean is rounded; the variance: by itself."""
    x, gamma, beta = inputs
    axes = tuple(range(x.ndim - 1))
    mean, variance = x.mean(axes), x.var(axes)
    slope = np.abs(gamma) / np.sqrt(variance + 0.001)
    y = slope * (np.abs(x - mean) + np.abs(x).mean(axes)) + np.abs(beta)
    return y, np.abs(x).mean(axes), variance + 1e-28


def batch_norms():
    """Of odd shapes."""
    return [Case(list(normed(s)), {"epsilon": 0.001}, batch_norm_scale) for s in NORM_SHAPES]


def batch_norm_gradient_scale(inputs, want):
    """Sums by their terms."""
    dy, x, gamma, mean, variance = inputs
    axes, rows = tuple(range(x.ndim - 1)), max(x.size // max(x.shape[-1], 1), 1)
    inv = 1 / np.sqrt(variance + 0.001)
    hat = (x - mean) * inv
    dbeta, dgamma = np.abs(dy).sum(axes), np.abs(dy * hat).sum(axes)
    dx = np.abs(gamma) * inv * (np.abs(dy) + dbeta / rows + np.abs(hat) * dgamma / rows)
    return dx, dgamma, dbeta


def batch_norm_gradients():
    """By mean and variance of x."""
    found = []
    for s in NORM_SHAPES:
        x, gamma, _ = normed(s)
        axes = tuple(range(x.ndim - 1))
        inputs = [normal(*s, seed=5), x, gamma, x.mean(axes), x.var(axes)]
        found.append(Case(inputs, {"epsilon": 0.001}, batch_norm_gradient_scale))
    return found


def scale_shifts():
    """Of odd shapes, no rows too."""
    return [
        Case(list(normed(s)), scale=lambda i, y: np.abs(i[0] * i[1]) + np.abs(i[2]))
        for s in [*NORM_SHAPES, (0, 3), (1, 2, 1, 3, 1, 2)]
    ]


ROWS = [
    (1, 1),
    (3, 2),
    (0, 5),
    (17, 15),
    (16, 16),
    (33, 17),
    (2, 3, 64),
    (5, 127),
    (6, 129),
    (3, 1000),
    (4, 0),
]


def layer_norm_scale(inputs, want):
    """y: by |x| and |mean|; the mean by the mean of |x|."""
    x, gamma, beta = inputs
    inv = 1 / np.sqrt(x.var(-1, keepdims=True) + 0.001)
    size = np.abs(x).mean(-1, keepdims=True)
    return np.abs(gamma) * inv * (np.abs(x) + size) + np.abs(beta), size[..., 0], inv[..., 0]


def rows_with_means(shape):
    """Rows whose means differ."""
    return normal(*shape) + 3 * normal(*shape[:-1], 1, seed=1)


def layer_norms():
    """Of odd shapes."""
    return [
        Case([rows_with_means(s), normal(s[-1], seed=2), normal(s[-1], seed=3)], {"epsilon": 0.001},
             layer_norm_scale)
        for s in ROWS[:-1]
    ]  # fmt: skip


def layer_norm_gradient_scale(inputs, want):
    """Sums by their terms."""
    dy, x, gamma, mean, inv = inputs
    axes = tuple(range(x.ndim - 1))
    hat, g = np.abs(x - mean[..., None]) * inv[..., None], np.abs(dy * gamma)
    along = (g * hat).mean(-1, keepdims=True)
    dx = inv[..., None] * (g + g.mean(-1, keepdims=True) + hat * along)
    return dx, np.abs(dy * hat).sum(axes), np.abs(dy).sum(axes)


def layer_norm_gradients():
    """By mean and deviation of each row."""
    found = []
    for s in ROWS[:-1]:
        x = rows_with_means(s)
        inputs = [
            normal(*s, seed=4),
            x,
            normal(s[-1], seed=2),
            x.mean(-1),
            1 / np.sqrt(x.var(-1) + 0.001),
        ]
        found.append(Case(inputs, {}, layer_norm_gradient_scale))
    return found


def gated_scale(inputs, want, kind, gradient=False):
    """The terms, by what their exponentials were given; nothing smaller than 1e-28."""
    x = inputs[-1]
    value, slope = gate(x, kind)
    size = np.abs(value) + np.abs(x * slope) if gradient else np.abs(x * value)
    if GATE_NAMES[kind] == "gelu_tanh":
        size = size * (1 + 2 * np.abs(np.clip(x, -20, 20)) ** 3 / 10)
    return size * (np.abs(inputs[0]) if gradient else 1) + 1e-28


def gateds():
    """The whole domain and odd lengths."""
    return [
        case
        for kind in GATES.values()
        for case in (
            Case(lambda real: [sweep(real, 1e30)], {"gate": kind},
                 lambda i, y, k=kind: gated_scale(i, y, k)),
            *(Case([normal(n)], {"gate": kind}, lambda i, y, k=kind: gated_scale(i, y, k))
              for n in LENGTHS),
        )
    ]  # fmt: skip


def gated_sweep(real):
    """dy and x over the range of x."""
    x = sweep(real, 1e9)
    return [np.resize([1.0, -2.0], x.size), x]


def gated_gradients():
    """The same, within a range in which x * x does not overflow."""
    found = []
    for kind in GATES.values():
        scale = functools.partial(gated_scale, kind=kind, gradient=True)
        found.append(Case(gated_sweep, {"gate": kind}, scale))
        found += [Case([normal(n), 3 * normal(n, seed=1)], {"gate": kind}, scale) for n in LENGTHS]
    return found


LOGITS = [(n, c) for n in (0, 1, 2, 17, 103) for c in (1, 2, 3, 10, 16, 33)] + [
    (3, 1000), (2, 1024), (2, 1025), (5, 2500), (2, 3, 5), (7,),
]  # fmt: skip


def logits(shape):
    """Some of them far apart."""
    z = 3 * normal(*shape)
    z[1::3] *= 10
    return z


def log_softmaxes():
    """Measured by the distance to the largest logit and the logarithm of the sum."""

    def scale(i, y):
        return 1 + np.abs(y) + i[0].max(axis=-1, keepdims=True, initial=-np.inf) - i[0]

    return [Case([logits(s)], {}, scale) for s in LOGITS] + [Case([np.array([[1e30, 0.0, -1e30]])])]


def log_softmax_gradients():
    """Measured by the terms."""

    def scale(i, y):
        return np.abs(i[0]) + np.exp(i[1]) * np.abs(i[0]).sum(axis=-1, keepdims=True) + 1e-28

    found = []
    for s in LOGITS:
        z = logits(s)
        z -= z.max(axis=-1, keepdims=True, initial=-np.inf)
        found.append(
            Case([normal(*s, seed=1), z - np.log(np.exp(z).sum(axis=-1, keepdims=True))], {}, scale)
        )
    return found


KEYS = [
    np.array(words, np.uint64).view(np.int32)
    for words in [(0, 0), (1, 1), (2**64 - 1, 2**64 - 1), (0x299F31D0A4093822, 0x0370734413198A2E)]
]

# A, n, B; size, count, stride, before, dilation of windows.
WINDOWS_ALONG = [
    *((2, 5, 7, 3, 3, 1, 0, 1), (1, 6, 1100, 3, 6, 1, 1, 1), (3, 4, 5, 2, 2, 2, 0, 1)),
    *((2, 7, 33, 4, 3, 3, 2, 2), (1, 1, 1, 1, 1, 1, 0, 1), (2, 3, 4, 3, 1, 5, 4, 9)),
    *((0, 5, 2, 3, 3, 1, 0, 1), (2, 5, 0, 3, 3, 1, 0, 1), (1, 9, 40, 3, 3, 2, 0, 2)),
]


def windows_along_axis(of_gradient):
    """Of an axis; each number is copied, and the gradient adds up to `size` numbers."""

    def gradient(dy, a):
        scale = windows_along_axis_gradient(np.abs(dy), a)
        return Case([dy], a, lambda inputs, dx: scale)

    found = []
    for batch, n, others, size, count, stride, before, dilation in WINDOWS_ALONG:
        a = {"stride": stride, "before": before, "dilation": dilation}
        if of_gradient:
            found.append(gradient(normal(batch, count, others, size), a | {"length": n}))
        else:
            a |= {"size": size, "count": count}
            found.append(Case([normal(batch, n, others)], a))
    return found


CASES = {
    "gated_activation": gateds(),
    "gated_activation_gradient": gated_gradients(),
    "log_softmax": log_softmaxes(),
    "log_softmax_gradient": log_softmax_gradients(),
    "random_normal": [
        Case([k], {"shape": s, "dtype": "real"}, lambda i, y: 4.0)
        for k in KEYS
        for s in [(), (0,), (1,), (31,), (32,), (33,), (63,), (64,), (65,), (50, 100)]
    ],
    "max_pool2d": max_pools(),
    "max_pool2d_gradient": max_pool_gradients(),
    "average_pool2d": average_pools(),
    "average_pool2d_gradient": average_pool_gradients(),
    "pad2d": pads(),
    "windows": windows_along_axis(of_gradient=False),
    "windows_gradient": windows_along_axis(of_gradient=True),
    "affine_transform": affine_transforms(),
    "batch_norm": batch_norms(),
    "batch_norm_gradient": batch_norm_gradients(),
    "scale_shift": scale_shifts(),
    "moving_update": [
        Case(
            [normal(n), normal(n, seed=1)],
            {"momentum": m},
            lambda i, y: np.abs(i[0]) + np.abs(i[1]),
        )
        for n in LENGTHS
        for m in (0.0, 0.99, 1.0)
    ],
    "layer_norm": layer_norms(),
    "layer_norm_gradient": layer_norm_gradients(),
}

ULP = {
    "max_pool2d": 0,
    "pad2d": 0,
    "windows": 0,
    "windows_gradient": 2,
    "affine_transform": 3,
    "scale_shift": 1,
    "moving_update": 1.5,
    "random_normal": 3,
    "max_pool2d_gradient": 2,
    "average_pool2d": 3,
    "average_pool2d_gradient": 3,
    "log_softmax": 3,
    "log_softmax_gradient": 4,
    "batch_norm": 6,
    "batch_norm_gradient": 4,
    "layer_norm": 4,
    "layer_norm_gradient": 5,
    "gated_activation": 8,
    "gated_activation_gradient": 8,
}

# Ops of `test_autodiff.ONCE_ONLY` with the op that has no rule.
ONCE_ONLY = {
    "max_pool2d": "max_pool2d_gradient",
}
