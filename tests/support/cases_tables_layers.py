"""Layers of tables, as in `cases_layers.py`."""

import itertools

import numpy as np

from nnlite import layers

BOUNDARIES = [[-1.0, 0.0, 0.5, 2.0], [], [0.25, 0.75]]


def through_bins(x):
    """What each column is through its bins, by `numpy.interp`."""
    found = []
    for f, ends in enumerate(BOUNDARIES):
        for lower, upper in itertools.pairwise(ends):
            found.append(np.interp(x[..., f], [lower, upper], [0, 1]))
    return np.stack(found, -1)


def waves(x, w, keep):
    """Linear functions of cosines, column by column."""
    frequency, phase, kernel, bias = w
    found = [
        np.cos(2 * np.pi * x[..., f, None] * frequency[f] + phase[f]) @ kernel[f] + bias[f]
        for f in range(x.shape[-1])
    ]
    return np.concatenate([x] * keep + found, -1)


CASES = {
    "PiecewiseLinearEncoding": (
        lambda: layers.PiecewiseLinearEncoding(boundaries=BOUNDARIES),
        (5, 3),
        lambda x, w: np.concatenate([x, through_bins(x)], -1),
    ),
    "PiecewiseLinearEncoding alone": (
        lambda: layers.PiecewiseLinearEncoding(boundaries=BOUNDARIES, keep=False),
        (2, 4, 3),
        lambda x, w: through_bins(x),
    ),
    "PiecewiseLinearEncoding on another scale": (
        lambda: layers.PiecewiseLinearEncoding(boundaries=BOUNDARIES, scale=0.25),
        (5, 3),
        lambda x, w: np.concatenate([x, through_bins(x) / 4], -1),
    ),
    "PeriodicEmbedding": (
        lambda: layers.PeriodicEmbedding(4, 2, deviation=0.5),
        (5, 3),
        lambda x, w: waves(x, w, True),
    ),
    "PeriodicEmbedding alone": (
        lambda: layers.PeriodicEmbedding(3, 1, keep=False),
        (2, 4, 3),
        lambda x, w: waves(x, w, False),
    ),
    "LearnedScaling": (
        lambda: layers.LearnedScaling(rate=5.0),
        (5, 3),
        lambda x, w: x * w[0] * 5,
    ),
}

of_three = CASES["PiecewiseLinearEncoding"][0]
# What each layer is refused as in test_layer_refusals.py.
SHAPES = {
    "PiecewiseLinearEncoding": [
        (lambda: layers.PiecewiseLinearEncoding(), None, (4, 3), "expected them before a call"),
        (of_three, None, (4, 2), r"3 columns .*, got \(4, 2\)"),
        (of_three, (4, 3), (4, 2), r"3 columns .*, got \(4, 2\)"),
        (of_three, None, (3,), r"at least 2 dimensions, got .*\(None,\)"),
    ],
    "LearnedScaling": [
        (lambda: layers.LearnedScaling(), (4, 3), (4, 1), r"3 columns .*, got \(4, 1\)"),
        (lambda: layers.LearnedScaling(), None, (3,), r"at least 2 dimensions, got .*\(None,\)"),
    ],
    "PeriodicEmbedding": [
        (lambda: layers.PeriodicEmbedding(), (4, 1), (4, 2), r"1 columns .*, got \(4, 2\)"),
        (lambda: layers.PeriodicEmbedding(), None, (3,), r"at least 2 dimensions, got .*\(None,\)"),
    ],
}
