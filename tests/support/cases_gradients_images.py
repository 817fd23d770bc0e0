"""Where the gradient rules of `cases_images.py`'s ops are compared with differences."""

import numpy as np
from cases_gradients import Smooth
from cases_images import pools
from samples import normal, rng

from nnlite.ops.activation import GATES


def _distinct(*shape):
    """Values that differ from each other by much more than a difference quotient's step."""
    n = int(np.prod(shape))
    return rng("distinct", shape).permutation(n).reshape(shape) / 10.0


def _smooth_pools(distinct, names):
    found = []
    for s, a in pools():
        if s in ((2, 5, 7, 3), (2, 4, 3, 17)):
            x = _distinct(*s) if distinct else normal(*s)
            found.append(Smooth([x], {k: a[k] for k in names}))
    return found


_names = ("pool_h", "pool_w", "stride_h", "stride_w", "pad_top", "pad_left", "size")
_along = [
    ({"stride": 1, "before": 1, "dilation": 1}, 5),
    ({"stride": 2, "before": 1, "dilation": 2}, 3),
]
_logits = [Smooth([normal(3, 5)]), Smooth([normal(2, 3, 4)]), Smooth([normal(6)])]
GRADIENTS = {
    "gated_activation": [
        Smooth([normal(4, 7) * 2 + 0.01], {"gate": kind}) for kind in GATES.values()
    ],
    "gated_activation_gradient": [
        Smooth([normal(4, 7, seed=1), normal(4, 7) * 2 + 0.01], {"gate": kind}, (0, 1))
        for kind in GATES.values()
    ],
    "log_softmax": _logits,
    "max_pool2d": _smooth_pools(True, _names),
    "average_pool2d": _smooth_pools(False, _names),
    "average_pool2d_gradient": [
        Smooth([normal(2, *a["size"], 3)], {**a, "size": (5, 7)})
        for s, a in pools()
        if s == (2, 5, 7, 3)
    ],
    "pad2d": [
        Smooth([normal(2, 3, 4, 2)], {"top": top, "left": left, "size": size})
        for top, left, size in [(1, 2, (5, 7)), (-1, 0, (2, 6)), (0, -2, (4, 1))]
    ],
    "windows": [
        Smooth([normal(2, 5, 3)], {**steps, "size": 3, "count": count}) for steps, count in _along
    ],
    "windows_gradient": [
        Smooth([normal(2, count, 3, 3)], {**steps, "length": 5}) for steps, count in _along
    ],
    "batch_norm": [
        Smooth(
            [normal(*s), normal(s[-1], seed=1), normal(s[-1], seed=2)], {"epsilon": 0.01}, (0, 1, 2)
        )
        for s in [(7, 3), (2, 3, 4, 5), (70, 2)]
    ],
    "scale_shift": [
        Smooth([normal(*s), normal(s[-1], seed=1), normal(s[-1], seed=2)], {}, (0, 1, 2))
        for s in [(7, 3), (2, 3, 4, 5)]
    ],
    "layer_norm": [
        Smooth(
            [normal(*s), normal(s[-1], seed=1), normal(s[-1], seed=2)], {"epsilon": 0.01}, (0, 1, 2)
        )
        for s in [(7, 3), (2, 3, 4, 5), (1, 130)]
    ],
}

# Of the others, the only output; a rule for y alone does not serve the statistics.
OUTPUTS = {"batch_norm": 3, "layer_norm": 3, "lstm": 2, "conv2d_gradient_kernel": 2}
