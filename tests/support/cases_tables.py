"""Cases of the ops in `oracle_tables.py`, as in `cases.py`, and points at which they are smooth."""

import numpy as np
from oracle_tables import encoded_linear, encoded_linear_gradient
from samples import SPECIAL, Case, normal, rng

# For some columns, how many bins each has: none, few, whole lanes of the kernel, and rests of them.
BINS = [(1,), (8,), (0, 3, 1), (0, 0), (5, 9, 0, 17, 2), (8,) * 14, (16, 8), (7, 1, 2, 30)]


def operands_of(x, bins, seed=0):
    """Columns x, and random bins: `bins` is their number for each column."""
    ends = [np.sort(rng(seed, f, n).normal(size=n + 1)) for f, n in enumerate(bins)]
    lower = np.concatenate([e[:-1] for e in ends])
    scale = np.concatenate([1 / np.diff(e) for e in ends])
    return [x, lower, scale, np.array(bins, np.int32)]


def inside(bins, rows):
    """Values well inside of one of their column's bins, or beyond all of them."""
    _, lower, scale, _ = operands_of(None, bins)
    first = np.concatenate([[0], np.cumsum(bins)])
    x = np.full((rows, len(bins)), 9.0)
    for f, n in enumerate(bins):
        for i in range(min(n, rows)):
            t = first[f] + i
            x[i, f] = lower[t] + 0.4 / scale[t]
    return x


def product_of(x, bins, units, keep, bias=True):
    """The operands of a product with encoded columns x."""
    x, *of_bins = operands_of(x, bins)
    width = keep * len(bins) + sum(bins)
    given = [x, normal(width, units, seed=1), normal(width, seed=2), *of_bins]
    return [*given, normal(units, seed=3)] if bias else given


def gradient_of(x, bins, units, keep):
    """The operands of its gradient."""
    given = product_of(x, bins, units, keep, bias=False)
    return [given[0], normal(*x.shape[:-1], units, seed=4), *given[1:]]


def _terms(x, w, scale, lower, slope, bins, *others, **attrs):
    """The same with all terms of sums as large as they may be, and of one sign."""
    far = np.where(np.isnan(x), 0, np.abs(x)) + 9
    return far, np.abs(w), np.abs(scale), lower, slope, bins, *map(np.abs, others)


def product_scale(keep):
    """What is added in encoded_linear: the values at boundaries are sums of rows of w."""
    return lambda inputs, want: encoded_linear(*_terms(*inputs), keep=keep)


def gradient_scale(keep):
    def scale(inputs, want):
        x, dy, *others = inputs
        x, w, scale, *bins = _terms(x, *others)
        return tuple(encoded_linear_gradient(x, np.abs(dy), w, scale, *bins, keep=keep))

    return scale


SHAPES = [
    (bins, rows, keep) for bins in BINS for rows in ((0,), (1,), (9,), (2, 3)) for keep in (0, 1)
]
CASES = {
    "encoded_linear": [
        Case(
            product_of(normal(*rows, len(bins)), bins, units, keep, bias=units > 1),
            {"keep": keep},
            scale=product_scale(keep),
        )
        for bins, rows, keep in SHAPES
        for units in (1, 7, 40)
    ]
    + [Case(product_of(np.array(SPECIAL)[:, None], (11,), 3, 0), {"keep": 0}, product_scale(0))],
    "encoded_linear_gradient": [
        Case(
            gradient_of(normal(*rows, len(bins)), bins, units, keep),
            {"keep": keep},
            scale=gradient_scale(keep),
        )
        for bins, rows, keep in SHAPES
        for units in (1, 7, 40)
    ],
    "piecewise_linear_encoding": [
        Case(operands_of(normal(*rows, len(bins)), bins), {"keep": keep})
        for bins in BINS
        for rows in ((0,), (1,), (9,), (2, 3), ())
        for keep in (0, 1)
    ]
    + [Case(operands_of(np.array(SPECIAL)[:, None], (11,)), {"keep": 0})],
}

ULP = {"piecewise_linear_encoding": 1.5, "encoded_linear": 4, "encoded_linear_gradient": 4}


def smooth(of):
    """Where gradients are compared with differences."""
    return {
        "encoded_linear": [
            of(product_of(inside(bins, 4), bins, 3, keep), {"keep": keep}, wrt=(0, 1, 2, 6))
            for bins in ((3,), (0, 3, 1), (4, 9))
            for keep in (0, 1)
        ],
        "piecewise_linear_encoding": [
            of(operands_of(inside(bins, 4), bins), {"keep": keep}, wrt=(0,))
            for bins in ((3,), (0, 3, 1), (4, 9))
            for keep in (0, 1)
        ],
    }
