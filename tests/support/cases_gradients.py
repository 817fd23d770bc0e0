"""Where gradient rules are compared with differences: `GRADIENTS[name]` is a list of `Smooth`."""

import itertools
from dataclasses import dataclass, field

import cases_attention
import cases_ctc
import cases_order
import cases_recurrent
import cases_tables
import cases_warps
import numpy as np
from cases import key
from cases_slicing import concatenations, parts
from cases_standardize import PLAIN
from samples import labels, normal

from nnlite.ops.activation import KINDS
from nnlite.ops.rows import SOURCE_CODES


@dataclass
class Smooth:
    """Inputs near which an op is smooth in those of `wrt`."""

    inputs: list
    attrs: dict = field(default_factory=dict)
    wrt: tuple = (0,)


def _smooth_pairs(change=lambda a, b: (a, b)):
    shapes = [((3, 4), (3, 4)), ((3, 4), (4,)), ((2, 1, 3), (4, 1)), ((), (2, 3)), ((5,), (1,))]
    return [Smooth(list(change(normal(*a), normal(*b, seed=1))), wrt=(0, 1)) for a, b in shapes]


def _positive(a, b):
    return np.abs(a) + 0.5, b


_x = normal(3, 5)
_away = _x + np.where(_x < 0, -0.1, 0.1)  # from the kink at 0
_kinds = [{"kind": k, "alpha": 0.3} for k in KINDS.values()]
_t = {"dense": np.abs(normal(6, 4, seed=1)), "sparse": labels(6, 4)}
_blocks = [{"before": 2, "reduced": 6, "after": 3}, {"before": 1, "reduced": 36, "after": 1}]

GRADIENTS = {
    **{
        name: [Smooth([_away]), Smooth([np.array(0.7)])]
        for name in ("negative", "exp", "expm1", "erf", "square", "abs", "cos", "sin")
    },
    **{name: [Smooth([np.abs(_away)])] for name in ("log", "log1p", "sqrt")},
    **{
        name: _smooth_pairs()
        for name in ("add", "subtract", "multiply", "squared_difference", "maximum", "minimum")
    },
    "divide": _smooth_pairs(lambda a, b: (a, b + np.where(b < 0, -1, 1))),
    "power": _smooth_pairs(_positive),
    "where": [
        Smooth([np.array([[1.0], [0.0]]), normal(2, 3), normal(3, seed=1)], wrt=(1, 2)),
        Smooth([(normal(4, 1) > 0) * 1.0, normal(), normal(4, 3)], wrt=(1, 2)),
    ],
    "broadcast_to": [
        Smooth([normal(3, 1)], {"shape": (2, 3, 4)}),
        Smooth([normal()], {"shape": (3,)}),
    ],
    "activation": [Smooth([_away], a) for a in _kinds],
    "activation_gradient": [
        Smooth(
            [normal(3, 5), np.abs(_away) / (np.abs(_away).max() + 1)],
            a,
            wrt=(0, 1) if a["kind"] in (KINDS["sigmoid"], KINDS["tanh"]) else (0,),
        )
        for a in _kinds
        if a["kind"]
    ],
    "matmul": [
        Smooth(
            [normal(*((4, 3) if ta else (3, 4))), normal(*((5, 4) if tb else (4, 5)), seed=1)],
            {"transpose_a": ta, "transpose_b": tb},
            wrt=(0, 1),
        )
        for ta in (0, 1)
        for tb in (0, 1)
    ],
    "linear": [
        Smooth([normal(*shape), normal(4, 3, seed=1), normal(3, seed=2)][:n], a, wrt=(0, 1, 2)[:n])
        for a in _kinds
        for n in (2, 3)
        for shape in ((5, 4), (2, 3, 4))
    ],
    "softmax": [Smooth([normal(3, 5)]), Smooth([normal(2, 3, 4)]), Smooth([normal(6)])],
    "reduce_sum": [Smooth([normal(36)], a) for a in _blocks],
    "reduce_max": [Smooth([normal(36)], a) for a in _blocks],
    "sum_squares": [Smooth([normal(3, 4)]), Smooth([normal()])],
    "sum_abs": [Smooth([_away])],
    "first_order": [Smooth([normal(3, 4)])],
    "reshape": [Smooth([normal(3, 4)], {"shape": (2, -1), "dtype": "float64"})],
    "transpose": [
        Smooth(
            [normal(2, 3, 4)],
            {"axes": axes, **{f"axis_{d}": a for d, a in enumerate((*axes, 3, 4, 5))}},
        )
        for axes in itertools.permutations(range(3))
    ],
    "slice": [Smooth(c.inputs, {**c.attrs, "dtype": "float64"}) for c in parts(gradient=False)],
    "slice_gradient": [
        Smooth(c.inputs, {**c.attrs, "dtype": "float64"}) for c in parts(gradient=True)
    ],
    "scatter_add": [
        Smooth([normal(4, 3), np.array([1, 4, 1, 0], np.int32)], {"rows": 5, "shape": (5, 3)})
    ],
    "gather": [
        Smooth(
            [normal(5, 3), np.array([3, 0, 3, 1], np.int32)],
            {
                "code": SOURCE_CODES["float64"],
                "row_bytes": 24,
                "rows": 5,
                "to_int": 0,
                "count": 4,
                "row_shape": (3,),
                "dtype": "float64",
            },
        )
    ],
    "standardize": [
        Smooth(
            [normal(4, 3), normal(3, seed=1), np.zeros(3), 0.5 + np.abs(normal(3, seed=2))],
            {**PLAIN, "code": SOURCE_CODES["float64"], "shape": (4, 3), "inverse": inverse},
        )
        for inverse in (0, 1)
    ],
    "concatenate": [
        Smooth(c.inputs, c.attrs, wrt=tuple(range(len(c.inputs)))) for c in concatenations()
    ],
    "softmax_cross_entropy": [
        Smooth([normal(6, 4), t], {"dense": int(name == "dense")}) for name, t in _t.items()
    ],
    "sigmoid_cross_entropy": [Smooth([normal(3, 4), np.abs(normal(3, 4, seed=1)) % 1])],
    "dropout": [Smooth([normal(3, 50), key(3)], {"rate": 0.3})],
    **cases_attention.smooth(Smooth, key(3)),
    **cases_ctc.smooth(Smooth),
    **cases_order.smooth(Smooth),
    **cases_recurrent.smooth(Smooth),
    **cases_tables.smooth(Smooth),
    **cases_warps.smooth(Smooth),
}
