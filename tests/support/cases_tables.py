"""Cases of the op in `oracle_tables.py`, as in `cases.py`, and points at which it is smooth."""

import numpy as np
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


CASES = {
    "piecewise_linear_encoding": [
        Case(operands_of(normal(*rows, len(bins)), bins), {"keep": keep})
        for bins in BINS
        for rows in ((0,), (1,), (9,), (2, 3), ())
        for keep in (0, 1)
    ]
    + [Case(operands_of(np.array(SPECIAL)[:, None], (11,)), {"keep": 0})],
}

ULP = {"piecewise_linear_encoding": 1.5}


def smooth(of):
    """Where gradients are compared with differences."""
    return {
        "piecewise_linear_encoding": [
            of(operands_of(inside(bins, 4), bins), {"keep": keep}, wrt=(0,))
            for bins in ((3,), (0, 3, 1), (4, 9))
            for keep in (0, 1)
        ]
    }
