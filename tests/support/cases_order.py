"""What the ops along an axis that give one entry for each are tested with: orders, running sums."""

import numpy as np
from samples import SPECIAL, Case, normal


def orders():
    """Ties, NaN, every k; few places are found by insertion, more by merging."""
    shapes = [(0, 3), (1, 0), (1, 1), (5, 7), (17, 33), (3, 400), (2, 16), (2, 17), (1, 64)]
    counts = {s: {0, min(1, s[1]), min(2, s[1]), s[1] // 2, s[1]} for s in shapes}
    found = [
        Case([(2 * normal(*s)).round()], {"k": k, "smallest": smallest})
        for s in shapes
        for k in counts[s]
        for smallest in (0, 1)
    ]
    many = np.tile([SPECIAL, SPECIAL[::-1]], 3)
    return found + [
        Case([many], {"k": k, "smallest": smallest})
        for k in (1, 5, 12, many.shape[1])
        for smallest in (0, 1)
    ]


def blocks():
    """Short and long axes, with few and many entries beside them, in both directions."""
    return [
        Case(
            [normal(a, r, b)],
            {"before": a, "reduced": r, "after": b, "reverse": reverse},
            scale=lambda inputs, want: np.abs(inputs[0]).sum(axis=1, keepdims=True) + 0 * want,
        )
        for a, r, b in [
            (1, 1, 1),
            (2, 7, 1),
            (3, 5, 4),
            (1, 40, 33),
            (2, 3, 300),
            (0, 3, 2),
            (2, 0, 3),
        ]
        for reverse in (0, 1)
    ]


CASES = {"top_k": orders(), "cumsum": blocks()}
ULP = {"top_k": 0, "cumsum": 1}


def smooth(make):
    """Cases of gradients."""
    return {
        "cumsum": [
            make([normal(2, 5, 3)], {"before": 2, "reduced": 5, "after": 3, "reverse": reverse})
            for reverse in (0, 1)
        ]
    }
