"""Ops as users call them: random calls of each, and what NumPy makes of them.

`CALLS[name]` is a list of `Call`. The arrays that a call takes are drawn by `n(shape)`, so that any
number of calls can be made of each.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Call:
    """One way to call an op.

    Attributes
    ----------
    make : function of `n`
        The positional arguments, drawn.
    kwargs : dict
    reference : function
        NumPy's, called alike; by default that of the op's name.
    smooth : bool
        Whether there is a gradient with respect to the real arguments.
    known : bool
        Whether the op must see the values, so that it cannot be traced.
    keras : bool
        Whether Keras computes the same of the same arguments.
    """

    make: Callable
    kwargs: dict = field(default_factory=dict)
    reference: Callable | None = None
    smooth: bool = True
    known: bool = False
    keras: bool = True


class Draws:
    """Random arrays: `n(2, 3)` normal ones, `n.positive`, `n.integers`."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def __call__(self, *shape):
        return self.rng.standard_normal(shape)

    def positive(self, *shape):
        return np.abs(self(*shape)) + 0.1

    def integers(self, high, *shape, low=0):
        return self.rng.integers(low, high, shape).astype(np.int32)

    def special(self, *shape):
        """Some of them NaN or infinite."""
        x = self(*shape)
        return np.where(self.rng.random(shape) < 0.5, x, self.rng.choice([np.nan, np.inf, -np.inf]))


def unary(reference=None, positive=False, smooth=True, **kwargs):
    """An op of one tensor, element by element."""
    return [
        Call(lambda n, s=s: (n.positive(*s) if positive else n(*s),), kwargs, reference, smooth)
        for s in ((3, 5), (7,), (1, 1, 2), (0, 3))
    ]


def pairs(reference=None, smooth=True):
    """An op of two tensors that broadcast."""
    return [
        Call(lambda n, a=a, b=b: (n(*a), n(*b)), {}, reference, smooth)
        for a, b in (((3, 4), (4,)), ((2, 1, 3), (5, 1)), ((3,), (3,)), ((0, 2), (2,)))
    ]


def one(shape, *settings, reference=None, smooth=True, **more):
    """An op of one tensor of a shape, with each of several settings."""
    return [
        Call(lambda n: (n(*shape),), kwargs, reference, smooth, **more)
        for kwargs in settings or [{}]
    ]


def constant(*arguments, reference=None, **kwargs):
    """An op of numbers alone."""
    return Call(lambda n: arguments, kwargs, reference, smooth=False, known=True)


def reductions():
    return [{}, {"axis": 1}, {"axis": (0, 2)}, {"axis": -1, "keepdims": True}, {"keepdims": True}]


def logsumexp(x, axis=None, keepdims=False):
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


def softened(x, q, method="linear", **kwargs):
    return np.quantile(x, q, method=method, **kwargs)


def normalized(x, axis=-1, order=2):
    return x / np.linalg.norm(x, order, axis, keepdims=True)


def erf(x):
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def clip(x, x_min, x_max):
    return np.clip(x, x_min, x_max)


def gelu(x, approximate=True):
    if approximate:
        return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2
    return x * (1 + erf(x / np.sqrt(2))) / 2


def pad(x, pad_width):
    return np.pad(x, pad_width)


def one_hot(x, num_classes, axis):
    return np.moveaxis(np.eye(num_classes)[x], -1, axis)


def in_top_k(targets, predictions, k):
    chosen = np.take_along_axis(predictions, targets[:, None], 1)
    return (predictions > chosen).sum(1) < k


def top_k(x, k):
    places = np.argsort(-x, kind="stable")[..., :k]
    return np.take_along_axis(x, places, -1), places


def scattered(indices, values, shape):
    y = np.zeros(shape)
    np.add.at(y, tuple(np.moveaxis(indices, -1, 0)), values)
    return y


def segments(data, segment_ids, num_segments):
    y = np.zeros((num_segments, *data.shape[1:]))
    np.add.at(y, segment_ids, data)
    return y


def of_pair(function):
    """NumPy's transform, of and to a pair of real arrays."""

    def transform(x, **kwargs):
        y = function(
            x[0] + 1j * x[1], **{k.replace("fft_length", "n"): v for k, v in kwargs.items()}
        )
        return (y.real, y.imag) if np.iscomplexobj(y) else y

    return transform


def rfft(x, fft_length=None):
    y = np.fft.rfft(x, fft_length)
    return y.real, y.imag


def complexes(function, *shapes, **kwargs):
    return [
        Call(lambda n, s=s: ((n(*s), n(*s)),), kwargs, of_pair(function), keras=False)
        for s in shapes
    ]


def extract_sequences(x, sequence_length, sequence_stride):
    windows = np.lib.stride_tricks.sliding_window_view(x, sequence_length, -1)
    return windows[..., ::sequence_stride, :]


def windowed(length, size, window):
    """A window, periodic, amid zeros."""
    if window is None:
        return np.ones(size)
    n, (a, b) = np.arange(length), {"hann": (0.5, 0.5), "hamming": (0.54, 0.46)}[window]
    before = (size - length) // 2
    return np.pad(a - b * np.cos(2 * np.pi * n / length), (before, size - length - before))


def stft(x, length, stride, size, window="hann", center=True):
    half = size // 2 if center else 0
    x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(half, half)], mode="reflect")
    return rfft(extract_sequences(x, size, stride) * windowed(length, size, window))


def istft(x, part, stride, size, length=None, window="hann", center=True):
    w = windowed(part, size, window)
    y = np.fft.irfft(x[0] + 1j * x[1], size) * w
    total = np.zeros((*y.shape[:-2], (y.shape[-2] - 1) * stride + size))
    weight = np.zeros(total.shape[-1])
    for k in range(y.shape[-2]):
        total[..., k * stride : k * stride + size] += y[..., k, :]
        weight[k * stride : k * stride + size] += w**2
    total[..., weight > 1e-10] /= weight[weight > 1e-10]
    half = size // 2 if center else 0
    n = total.shape[-1] - 2 * half if length is None else length
    return np.pad(total, [(0, 0)] * (y.ndim - 2) + [(0, n)])[..., half : half + n]


AXES = [{}, {"axis": 0}, {"axis": -1}]
DIAGONALS = [{}, {"k": 1}, {"k": -2}, {"k": 9}]
MATRIX_NORMS = ["fro", "nuc", 1, 2, np.inf, -1, -2, -np.inf]

CALLS = {
    # Element by element
    "erf": unary(erf),
    "expm1": unary(),
    "log1p": unary(positive=True),
    "log2": unary(positive=True),
    "log10": unary(positive=True),
    "logaddexp": pairs(),
    "arctan": unary(),
    "arctan2": pairs(),
    "logical_xor": [
        Call(lambda n: (n.integers(2, 3, 4), n.integers(2, 4)), smooth=False, keras=False)
    ],
    "isnan": [Call(lambda n: (n.special(3, 4),), smooth=False)],
    "isinf": [Call(lambda n: (n.special(3, 4),), smooth=False)],
    "isfinite": [Call(lambda n: (n.special(3, 4),), smooth=False)],
    "nan_to_num": [
        Call(
            lambda n: (n.special(3, 4),), {"nan": 2.0, "posinf": 3.0, "neginf": -4.0}, smooth=False
        ),
        *one((3, 4)),
    ],
    "round": [
        *one((3, 4), {}, {"decimals": 1}, {"decimals": -1}, smooth=False),
        Call(lambda n: (n.integers(9, 5, low=-9) / 2,), smooth=False),
    ],
    "trunc": unary(smooth=False),
    "floor_divide": [
        Call(lambda n: (n(3, 4), n.positive(4)), smooth=False),
        Call(lambda n: (n(0, 2), n.positive(2)), smooth=False, keras=False),
    ],
    "mod": [
        Call(lambda n: (3 * n(3, 4), n.positive(4) + 1), smooth=False),
        Call(lambda n: (3 * n(3), -n.positive(3) - 1), smooth=False),
    ],
    "clip": one((3, 4), {"x_min": -0.5, "x_max": 0.7}, reference=clip),
    "where": [Call(lambda n: (n.integers(2, 3, 1), n(3, 4), n(4)))],
    **{
        name: [Call(lambda n: (n.integers(2, 3, 4), n.integers(2, 4)), smooth=False, keras=False)]
        for name in ("logical_and", "logical_or")
    },
    "logical_not": [Call(lambda n: (n.integers(2, 3, 4),), smooth=False)],
    "gelu": one((3, 5), {}, {"approximate": False}, reference=gelu),
    # Made of numbers
    "arange": [constant(5), constant(2, 9, 3), constant(1.0, 0.0, -0.25), constant(4, 2)],
    "array": one((2, 3), reference=np.array, smooth=False),
    "empty": [Call(lambda n: ((2, 3),), {}, np.zeros, smooth=False, known=True, keras=False)],
    "full": [constant((2, 3), 7.0), constant((0,), 1.0)],
    "eye": [constant(3), constant(2, 4, k=1), constant(4, 2, k=-1), constant(0)],
    "identity": [constant(3)],
    "tri": [constant(3), constant(2, 4, k=1), constant(4, 2, k=-1)],
    "linspace": [
        constant(-1.0, 2.0, num=7),
        constant(0.0, 1.0, num=4, endpoint=False),
        constant(0.0, 1.0, num=1),
        Call(lambda n: (n(3), n(2, 1)), {"num": 5}),
        Call(lambda n: (n(3), n(3)), {"num": 3, "axis": -1}),
    ],
    "meshgrid": [Call(lambda n: (n(3), n(2)), {"indexing": i}, np.meshgrid) for i in ("xy", "ij")]
    + [Call(lambda n: (n(2), n(3), n(4)))],
    # Axes and entries
    "moveaxis": one(
        (2, 3, 4),
        {"source": 0, "destination": -1},
        {"source": (0, 1), "destination": (2, 0)},
        {"source": -1, "destination": 0},
    ),
    "swapaxes": one((2, 3, 4), {"axis1": 0, "axis2": -1}),
    "ravel": one((2, 3)),
    "roll": one((3, 4), {"shift": 2}, {"shift": -1, "axis": 1}, {"shift": (1, 2), "axis": (0, 1)})
    + one((0, 3), {"shift": 1, "axis": 0})
    + one((3, 4), {"shift": 1, "axis": ()}, {"shift": (1, 1), "axis": 0}, keras=False),
    "tile": one(
        (2, 3),
        {"repeats": 2},
        {"repeats": (2, 1, 3)},
        {"repeats": (0, 1)},
        reference=lambda x, repeats: np.tile(x, repeats),
    ),
    "repeat": one(
        (2, 3), {"repeats": 2}, {"repeats": 3, "axis": 0}, {"repeats": [1, 0, 2], "axis": 1}
    ),
    "pad": [
        Call(lambda n, w=w: (n(3, 4), w), {"mode": mode}, np.pad)
        for mode in ("constant", "edge", "reflect", "symmetric", "wrap")
        for w in (1, (2, 1), ((0, 2), (1, 0)))
    ]
    + [Call(lambda n: (n(2, 3), ((1, 0), (0, 2))), {"constant_values": 5.0}, np.pad)]
    + one((0, 2), {"pad_width": ((1, 0), (0, 1))}, reference=pad),
    "unstack": one(
        (2, 3), *AXES[:2], {"axis": -1}, reference=lambda x, axis=0: list(np.moveaxis(x, axis, 0))
    ),
    "hstack": [Call(lambda n: ([n(2, 3), n(2, 1)],)), Call(lambda n: ([n(2), n(3)],))],
    "vstack": [Call(lambda n: ([n(2, 3), n(1, 3)],)), Call(lambda n: ([n(3), n(3)],))],
    "diag": one((4,), *DIAGONALS) + one((3, 4), *DIAGONALS) + one((0,)),
    "diagonal": one((3, 4), {}, {"offset": 1}, {"offset": -1})
    + one((2, 3, 4), {"axis1": 2, "axis2": 0, "offset": 1}),
    "trace": one((3, 4), {}, {"offset": 1}) + one((2, 3, 4), {"axis1": 1, "axis2": 2}),
    "tril": one((3, 4), *DIAGONALS) + one((2, 3, 3)),
    "triu": one((3, 4), *DIAGONALS) + one((2, 3, 3)),
    "take_along_axis": [
        Call(lambda n: (n(3, 4), n.integers(4, 3, 2, low=-4)), {"axis": 1}),
        Call(lambda n: (n(3, 4), n.integers(3, 5, 4)), {"axis": 0}),
        Call(lambda n: (n(2, 3, 4), n.integers(3, 1, 2, 4)), {"axis": 1}),
        Call(lambda n: (n(3, 4), n.integers(12, 5)), {"axis": None}),
        Call(lambda n: (n(3, 0), n.integers(1, 3, 0)), {"axis": 1}, keras=False),
    ],
    "flip": one((2, 3, 4), {}, {"axis": 1}, {"axis": (0, -1)}) + one((0, 3)),
    "concatenate": [
        Call(lambda n: ([n(2, 3), n(4, 3)],)),
        Call(lambda n: ([n(2, 3), n(2, 1), n(2, 2)],), {"axis": -1}),
    ],
    "one_hot": [
        Call(lambda n, a=axis: (n.integers(4, 2, 3), 4, a), {}, one_hot, smooth=False)
        for axis in (-1, 0, 1)
    ],
    "argmax": one((3, 4), *AXES, {"axis": 1, "keepdims": True}, smooth=False),
    "argmin": one((3, 4), *AXES, {"axis": 1, "keepdims": True}, smooth=False),
    "einsum": [
        Call(lambda n: ("bij,bjk->bik", n(2, 3, 4), n(2, 4, 5))),
        Call(lambda n: ("...ij->...ji", n(2, 3, 4))),
        Call(lambda n: ("ii->i", n(3, 3))),
        Call(lambda n: ("ij,j,i->", n(2, 3), n(3), n(2))),
    ],
    # Order
    "sort": one((3, 5), *AXES, {"axis": None}) + one((2, 40)) + one((0, 3)),
    "argsort": one((3, 5), *AXES, {"axis": None}, smooth=False) + one((2, 40), smooth=False),
    "top_k": one((3, 5), {"k": 2}, reference=top_k) + one((2, 40), {"k": 20}, reference=top_k),
    "in_top_k": [
        Call(lambda n: (n.integers(6, 5), n(5, 6)), {"k": k}, in_top_k, smooth=False)
        for k in (1, 3)
    ],
    "median": one((3, 4, 5), *reductions()),
    "quantile": [
        Call(lambda n, q=q: (n(3, 4, 5), q), kwargs, softened)
        for q in (0.3, [0.0, 0.5, 1.0])
        for kwargs in reductions()
    ]
    + [
        Call(lambda n: (n(7, 2), 0.4), {"axis": 0, "method": m}, softened)
        for m in ("lower", "higher", "nearest", "midpoint")
    ],
    "searchsorted": [
        Call(lambda n, m=m: (np.sort(n(m)), n(2, 3)), {"side": side}, smooth=False, keras=m > 0)
        for m in (0, 1, 2, 7, 8, 9)
        for side in ("left", "right")
    ]
    + [
        Call(
            lambda n: (np.sort(n.integers(5, 9)) * 1.0, n.integers(6, 4) * 1.0),
            {"side": side},
            smooth=False,
        )
        for side in ("left", "right")
    ]
    + [
        Call(lambda n: (np.sort(n.special(9)), n.special(3, 4)), {"side": side}, smooth=False)
        for side in ("left", "right")
    ],
    "digitize": [Call(lambda n: (n(3, 4), np.sort(n(5))), smooth=False)],
    # Counts and sums of what belongs together
    "scatter": [
        Call(lambda n: (n.integers(4, 5, 1), n(5)), {"shape": (4,)}, scattered),
        Call(lambda n: (n.integers(3, 2, 2, 2), n(2, 2, 5)), {"shape": (3, 4, 5)}, scattered),
    ],
    "segment_sum": [
        Call(lambda n: (n(6, 2), n.integers(4, 6)), {"num_segments": 4}, segments),
        Call(lambda n: (n(0, 2), n.integers(4, 0)), {"num_segments": 3}, segments, keras=False),
    ],
    "unravel_index": [
        Call(lambda n: (n.integers(24, 3, 2),), {"shape": (2, 3, 4)}, smooth=False),
    ],
    "bincount": [
        Call(lambda n: (n.integers(5, 9),), {"minlength": 5}, smooth=False),
        Call(lambda n: (n.integers(5, 9), n(9)), {"minlength": 7}, keras=False),
    ],
    "histogram": [
        *one((20,), {}, {"bins": 3, "range": (-1.0, 1.0)}, smooth=False),
        Call(lambda n: (n.integers(4, 30) * 1.0,), {"bins": 6}, smooth=False),
    ],
    "average": [
        *one((3, 4), {}, {"axis": 1}),
        Call(lambda n: (n(3, 4), 0, n.positive(3)), {}, np.average),
        Call(lambda n: (n(3, 4), None, n.positive(3, 4)), {}, np.average),
    ],
    # Along an axis
    "cumsum": one((3, 4, 5), {}, {"axis": 0}, {"axis": 1}, {"axis": -1}) + one((0, 3), {"axis": 0}),
    "cumprod": [
        *one((3, 4, 5), {}, {"axis": 0}, {"axis": 1}, {"axis": -1}),
        Call(lambda n: (n.integers(2, 2, 9) * n(2, 9),), {"axis": 1}),
        *one((0, 3), {"axis": 1}),
    ],
    "prod": one((3, 4, 5), *reductions()) + one((0, 3), {}, {"axis": 0}) + one((7,)),
    "logsumexp": one((3, 4, 5), *reductions(), reference=logsumexp),
    # Products
    "dot": [
        Call(lambda n, a=a, b=b: (n(*a), n(*b)))
        for a, b in (((3,), (3,)), ((2, 3), (3,)), ((2, 3), (4, 3, 5)), ((), (2, 3)))
    ],
    "inner": [
        Call(lambda n, a=a, b=b: (n(*a), n(*b))) for a, b in (((3,), (3,)), ((2, 3), (4, 5, 3)))
    ],
    "vdot": [Call(lambda n: (n(2, 3), n(2, 3)))],
    "outer": [Call(lambda n: (n(2, 3), n(4)))],
    "tensordot": [
        Call(lambda n: (n(2, 3, 4), n(3, 4, 5))),
        Call(lambda n: (n(2, 3, 4), n(4, 3, 5)), {"axes": [[1, 2], [1, 0]]}),
        Call(lambda n: (n(2), n(3)), {"axes": 0}),
        Call(lambda n: (n(2, 3), n(5, 3)), {"axes": [1, 1]}),
        Call(lambda n: (n(2, 0), n(0, 3)), {"axes": 1}, keras=False),
    ],
    "kron": [
        Call(lambda n, a=a, b=b: (n(*a), n(*b)), keras=len(a) == len(b))
        for a, b in (((2, 3), (4, 2)), ((2,), (3,)), ((3,), (2, 2)), ((2, 1, 3), (2, 2, 2)))
    ],
    "cross": [
        Call(lambda n: (n(4, 3), n(3))),
        Call(lambda n: (n(3, 2), n(3, 2)), {"axis": 0}),
    ],
    "norm": one((3, 4), {}, {"keepdims": True}, reference=np.linalg.norm)
    + one(
        (3, 4),
        *({"ord": o, "axis": 1} for o in (None, 2, 1, 3, np.inf, -np.inf, -1)),
        {"axis": (0, 1), "keepdims": True},
        reference=np.linalg.norm,
    )
    + one((3, 4), {"ord": 0, "axis": 0}, reference=np.linalg.norm, smooth=False)
    + one(
        (2, 3, 4),
        *({"ord": o, "axis": (2, 0)} for o in MATRIX_NORMS if o not in (2, -2, "nuc")),
        reference=np.linalg.norm,
    )
    + one(
        (2, 3, 4),
        *({"ord": o, "axis": (2, 1), "keepdims": k} for o in (2, -2, "nuc") for k in (0, 1)),
        reference=np.linalg.norm,
        known=True,
    ),
    "normalize": one((3, 4), {}, {"axis": 0}, {"order": 1}, {"order": 3}, reference=normalized),
    # Fourier transforms
    "fft": complexes(np.fft.fft, (2, 1), (3, 8), (2, 67), (2, 2, 90)),
    "fft2": complexes(np.fft.fft2, (2, 3, 4)),
    "ifft2": complexes(np.fft.ifft2, (2, 3, 4), (2, 90, 2)),
    "rfft": one((2, 9), {}, {"fft_length": 12}, {"fft_length": 4}, reference=rfft)
    + one((2, 96), reference=rfft),
    "irfft": complexes(np.fft.irfft, (2, 5))
    + complexes(np.fft.irfft, (2, 5), fft_length=9)
    + complexes(np.fft.irfft, (2, 5), fft_length=12)
    + complexes(np.fft.irfft, (2, 7), fft_length=4),
    "extract_sequences": [
        Call(lambda n, s=s, a=a: (n(*s), *a), reference=extract_sequences)
        for s, *a in (((2, 9), 4, 2), ((3, 2, 7), 2, 3), ((5,), 5, 1))
    ],
    "stft": [
        Call(lambda n, a=a: (n(2, 21), *a), kw, stft)
        for *a, kw in (
            (8, 4, 8, {}),
            (6, 5, 9, {"window": "hamming"}),
            (7, 3, 8, {"window": None, "center": False}),
        )
    ],
    "istft": [
        Call(lambda n, a=a: ((n(2, 5, 5), n(2, 5, 5)), *a), kw, istft, keras=False)
        for *a, kw in (
            (8, 4, 8, {}),
            (6, 3, 9, {"window": "hamming", "center": False}),
            (8, 2, 8, {"window": None, "length": 20}),
        )
    ],
}
