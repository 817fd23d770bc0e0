"""What each op is tested with: inputs of odd shapes, whole domains, and how many ulp it may be off.

`CASES[name]` is a list of `Case`, `ULP[name]` a number.
"""

import itertools

import cases_attention
import cases_conv
import cases_ctc
import cases_images
import cases_metrics
import cases_optimizers
import cases_order
import cases_recurrent
import cases_slicing
import cases_standardize
import cases_tables
import cases_warps
import numpy as np
from cases_losses import (
    cross_entropies,
    cross_entropy_gradients,
    sigmoid_entropies,
    softmax_gradients,
    softmaxes,
)
from oracle import ORACLE
from samples import BROADCASTS, EDGES, LENGTHS, SPECIAL, Case, labels, normal, rng, sweep

from nnlite.ops.activation import KINDS
from nnlite.ops.rows import SOURCE_CODES


def elementwise(positive=False):
    """Cases of an op of one input: its whole domain and what lies outside, then odd shapes."""
    shapes = [(n,) for n in LENGTHS] + [(), (3, 5, 7), (2, 1, 3, 1, 2, 2)]
    small = [normal(*s) for s in shapes]
    return [
        Case(lambda real: [sweep(real)]),
        *(Case([np.abs(x) if positive else x]) for x in small),
    ]


def pairs(change=lambda a, b: (a, b)):
    """Cases of an op of two inputs that broadcast."""
    grid = np.array(list(itertools.product(SPECIAL, SPECIAL)))
    shapes = [s for pair in BROADCASTS for s in (pair, pair[::-1])]
    return [
        Case(list(change(grid[:, 0], grid[:, 1]))),
        *(Case(list(change(normal(*a), normal(*b, seed=1)))) for a, b in shapes),
    ]


def with_ties(a, b):
    """Half of the pairs are equal."""
    return np.round(2 * a) / 2, np.round(2 * b) / 2


def activations():
    """Each kind over the whole domain and at odd lengths."""
    return [
        case
        for kind in KINDS.values()
        for case in (
            Case(lambda real: [sweep(real)], {"kind": kind, "alpha": 0.25}),
            *(Case([normal(n)], {"kind": kind, "alpha": 0.1}) for n in LENGTHS),
        )
    ]


def activation_gradients():
    """By outputs that each kind can have."""
    found = []
    for name, kind in KINDS.items():
        for n in LENGTHS:
            y = {
                "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
                "tanh": np.tanh,
                "relu": lambda z: z * (z > 0),
                "elu": lambda z: np.maximum(z, -0.0625),
                "selu": lambda z: np.maximum(z, -1.5),
            }
            y = y.get(name, lambda z: z)(3 * normal(n, seed=1))
            found.append(Case([normal(n), y], {"kind": kind, "alpha": 0.125}))
    return found


MATRICES = [
    *((m, 33, 17) for m in EDGES),
    *((15, n, 9) for n in (*EDGES, 8, 9, 31, 32, 47, 48, 49, 65, 127, 128, 129)),
    *((7, 17, k) for k in (0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 1100)),
    *((m, n, 40) for m in (1, 2, 3, 4) for n in (127, 128, 129, 200, 257, 385)),
    (561, 5, 3),
    (1130, 19, 30),
    (5, 600, 520),
    (64, 70, 130),
    (12, 24, 48),
    *((m, 257, 300) for m in (1, 3)),
    (75, 10, 800),
    (1100, 19, 490),
    (0, 0, 0),
    (1, 1, 1),
]


def absolute_products(inputs, want, ta=False, tb=False):
    """|a| @ |b|: what the rounding of a product of matrices is measured by."""
    a, b = np.abs(inputs[0]), np.abs(inputs[1])
    return (a.T if ta else a) @ (b.T if tb else b)


def matmuls():
    """Each size with each pair of transpositions."""
    return [
        Case(
            [normal(*((k, m) if ta else (m, k))), normal(*((n, k) if tb else (k, n)), seed=1)],
            {"transpose_a": int(ta), "transpose_b": int(tb)},
            scale=lambda x, y, ta=ta, tb=tb: absolute_products(x, y, ta, tb),
        )
        for m, n, k in MATRICES
        for ta in (False, True)
        for tb in (False, True)
    ]


def linear_scale(inputs, want):
    """|x| @ |w| + |b|; every activation is at most as steep as 1."""
    scale = absolute_products(inputs, want) + np.abs(want)
    return scale + np.abs(inputs[2]) if len(inputs) == 3 else scale


def linears():
    """Each size, with the activations and a bias taking turns, and inputs of more dimensions."""
    found = []
    for i, (m, n, k) in enumerate(MATRICES):
        for bias in (False, True):
            inputs = [normal(m, k), normal(k, n, seed=1) / max(1, k) ** 0.5, normal(n, seed=2)]
            attrs = {"kind": (i + bias) % len(KINDS), "alpha": 0.25}
            found.append(Case(inputs[: 2 + bias], attrs, scale=linear_scale))
    for shape in [(2, 3, 9), (0, 4, 9), (4, 1, 2, 9)]:
        inputs = [normal(*shape), normal(9, 21, seed=1), normal(21, seed=2)]
        found.append(Case(inputs, {"kind": KINDS["tanh"], "alpha": 0.0}, scale=linear_scale))
    special = np.array(SPECIAL).reshape(3, 4)
    found.append(
        Case(
            [special, np.eye(4)[:, :3], np.zeros(3)],
            {"kind": KINDS["relu"], "alpha": 0.0},
            scale=lambda x, y: np.abs(y),
        )
    )
    return found


REDUCTIONS = [
    *((a, r, b) for a in (1, 3) for r in (1, 15, 16, 17, 64, 65) for b in (1, 2, 7, 33)),
    (0, 3, 2),
    (2, 3, 0),
    (1, 4095, 1),
    (1, 4096, 1),
    (1, 4097, 1),
    (1, 9000, 3),
    (2, 700, 65),
    (1, 130, 513),
    (5, 129, 1030),
    (40, 300, 1),
    (300, 10, 1),
    (1, 30000, 10),
    (17, 1, 9),
]


def reductions(extra=()):
    """Of the middle of three axes."""
    names = ("before", "reduced", "after")
    return [Case([normal(*shape)], dict(zip(names, shape))) for shape in (*REDUCTIONS, *extra)]


def sums():
    """As reductions, also of nothing and of special values; measured by the sum of |x|."""

    def scale(x, y, shape):
        return np.abs(x[0]).reshape(shape).sum(axis=1)

    found = []
    for c in reductions([(1, 0, 1), (2, 0, 3)]):
        shape = tuple(c.attrs.values())
        found.append(Case(c.inputs, c.attrs, scale=lambda x, y, shape=shape: scale(x, y, shape)))
    found.append(
        Case([np.array([SPECIAL, SPECIAL[::-1]])], {"before": 2, "reduced": 12, "after": 1})
    )
    return found


def extremes():
    """As reductions, with equal values, NaN and infinities among them."""
    found = []
    for c in reductions():
        rough = np.round(2 * c.inputs[0]) / 2
        holed = c.inputs[0].copy()
        holed.reshape(-1)[::37] = np.nan
        holed.reshape(-1)[3::41] = np.inf
        holed.reshape(-1)[5::43] = -np.inf
        found += [Case([x], c.attrs) for x in (c.inputs[0], rough, holed)]
    return found


def scatters():
    """Few and many rows and columns, rows that many entries go to, numbers out of range."""
    found = []
    for m, rows, width in [
        (0, 3, 4),
        (7, 3, ()),
        (40, 5, 3),
        (100, 30, 64),
        (33, 2, 129),
        (5, 9, 1),
    ]:
        width = (width,) if isinstance(width, int) else width
        index = rng("scatter", m).integers(-1, rows + 1, m).astype(np.int32)
        found.append(
            Case(
                [normal(m, *width), index],
                {"rows": rows, "shape": (rows, *width)},
                lambda x, y: np.array(max(1.0, np.abs(x[0]).sum(axis=0).max(initial=0))),
            )
        )
    return found


def totals():
    """Of all elements, whatever the shape."""
    shapes = [(n,) for n in (*LENGTHS, 4095, 4096, 4097, 50001)] + [(), (3, 5), (7, 1, 600)]
    return [Case([normal(*s)]) for s in shapes]


def transposes():
    """Every order of axes of some shapes, and matrices around the tile of 16."""
    shapes = [
        (),
        (5,),
        (0, 3),
        (15, 16),
        (17, 33),
        (1, 40),
        (64, 64),
        (3, 4, 5),
        (2, 1, 17, 18),
        (2, 3, 1, 2, 3, 2),
    ]
    found = []
    for shape in shapes:
        orders = list(itertools.permutations(range(len(shape))))
        for axes in orders[:: max(1, len(orders) // 60)]:
            padded = (*axes, *range(len(shape), 6))
            attrs = {"axes": axes, **{f"axis_{d}": a for d, a in enumerate(padded)}}
            found.append(Case([normal(*shape)], attrs))
    return found


def gathers():
    """Each element type, packed and spaced rows, with and without an index, good and bad ones."""
    found = []
    for kind, to_int in itertools.product(SOURCE_CODES, (0, 1)):
        source = np.abs(20 * normal(13, 6)).astype(kind)
        if kind.startswith("float") and to_int:
            source[0, :3] = np.nan, np.inf, -3.7
        for width, index, rows in [
            (6, None, 13),
            (4, None, 13),
            (6, [3, 0, 12, 12], 13),
            (1, [5], 13),
            (6, [], 13),
            (0, [1, 2], 13),
            (6, [3, 12, -1, 4, 13], 12),
            (5, None, 7),
        ]:
            count = 13 if index is None else len(index)
            attrs = {
                "code": SOURCE_CODES[kind],
                "row_bytes": 6 * source.itemsize,
                "rows": rows,
                "to_int": to_int,
                "count": count,
                "row_shape": (width,),
                "dtype": "int32" if to_int else "real",
            }
            given = [] if index is None else [np.array(index, np.int32)]
            bad = 7 if rows == 7 else 1 if rows == 12 else None
            found.append(
                Case(
                    lambda real, s=source, g=given: [s.view(np.uint8).reshape(-1), *g],
                    attrs,
                    bad=bad,
                )
            )
    return found


def sparse_gathers():
    """Both types of entries, full, empty and no rows, good and bad indices and columns."""
    found = []
    dense = np.where(np.abs(normal(13, 6)) > 0.7, normal(13, 6), 0)
    dense[3] = 0
    begin = np.concatenate([[0], np.cumsum((dense != 0).sum(axis=1))])
    for kind, (index, bad) in itertools.product(
        ("float32", "float64"),
        [(None, None), ([3, 0, 12, 12], None), ([], None), ([1, 13, -1], 1), ([0, 1, 2, 5], 2)],
    ):
        columns = dense.nonzero()[1].astype(np.int32)
        if bad == 2:
            columns[begin[2]] = 6
        attrs = {
            "code": SOURCE_CODES[kind],
            "rows": 13,
            "shape": (13 if index is None else len(index), 6),
            "dtype": "real",
        }
        memory = [dense[dense != 0].astype(kind), columns, begin.astype(np.int64)]
        given = [memory[0].view(np.uint8), memory[1], memory[2].view(np.uint8)]
        given += [] if index is None else [np.array(index, np.int32)]
        found.append(Case(lambda real, g=given: g, attrs, bad=bad))
    return found


def one_hots():
    """Labels of any shape."""
    found = []
    for shape, classes in [((0,), 3), ((1,), 1), ((17,), 10), ((), 4), ((3, 5), 7), ((300,), 33)]:
        t = labels(int(np.prod(shape)), classes).reshape(shape)
        found.append(Case([t], {"classes": classes, "dtype": "real"}))
    for value in (-1, 6, 2**31 - 1, -(2**31)):
        t = labels(40, 6)
        t[[2, 3, 39]] = value
        found.append(Case([t], {"classes": 6, "dtype": "real"}, bad=2))
    found.append(Case([labels(3, 2)], {"classes": 0, "dtype": "real"}, bad=0))
    return found


def key(seed, counter=0):
    """A random key, or the state that gives it."""
    return np.array([seed, counter], np.uint64).view(np.int32)


KEYS = [key(0), key(1, 1), key(2**64 - 1, 2**64 - 1), key(0x299F31D0A4093822, 0x0370734413198A2E)]


def casts():
    """Both ways; real numbers beyond int32's range too."""
    ints = np.array([0, 1, -1, 2**24 - 1, -(2**24), 2**31 - 1, -(2**31)], np.int32)
    reals = np.array(
        [*SPECIAL, 1.5, -1.5, -0.99, 2.0**31, -(2.0**31), 2147483520.0, 3e9, -3e9, 16777216.0]
    )
    return [
        Case([ints], {"to_int": 0, "dtype": "real"}),
        Case([reals], {"to_int": 1, "dtype": "int32"}),
        *(Case([labels(n, 1000)], {"to_int": 0, "dtype": "real"}) for n in LENGTHS),
        *(Case([100 * normal(n)], {"to_int": 1, "dtype": "int32"}) for n in LENGTHS),
        Case([normal(3, 4)], {"to_int": 1, "dtype": "int32"}),
    ]


CASES = {
    **{
        name: elementwise()
        for name in """negative exp expm1 erf square abs sign floor cos sin""".split()
    },
    **{name: elementwise(positive=True) for name in ("log", "log1p", "sqrt")},
    **{name: pairs() for name in ("add", "subtract", "multiply", "divide", "squared_difference")},
    **{
        name: pairs(with_ties)
        for name in ("maximum", "minimum", "equal", "greater", "greater_equal")
    },
    "power": pairs(lambda a, b: (np.abs(a), b)) + pairs(lambda a, b: (a, np.round(b))),
    "where": [
        Case([(normal(*c) > 0) * 1.0, normal(*a, seed=1), normal(*b, seed=2)])
        for a, b in BROADCASTS
        for c in (a, b, (1,), np.broadcast_shapes(a, b))
    ]
    + [Case([np.array(SPECIAL), np.array(SPECIAL[::-1]), np.zeros(12)])],
    "cast": casts(),
    "broadcast_to": [
        Case([normal(*a)], {"shape": np.broadcast_shapes(a, b)}) for a, b in BROADCASTS
    ]
    + [Case([normal(1)], {"shape": (0,)}), Case([normal()], {"shape": (2, 0, 3)})],
    "activation": activations(),
    "activation_gradient": activation_gradients(),
    "matmul": matmuls(),
    "linear": linears(),
    "softmax": softmaxes(),
    "softmax_gradient": softmax_gradients(),
    "reduce_sum": sums(),
    "reduce_max": extremes(),
    "argmax": extremes(),
    "sum_squares": totals(),
    "sum_abs": totals(),
    "reshape": [
        Case([normal(3, 4)], {"shape": (2, 6), "dtype": "real"}),
        Case([normal(0, 4)], {"shape": (2, 0), "dtype": "real"}),
    ],
    "first_order": [Case([normal(3, 4)])],
    "first_order_gradient": [Case([normal(3, 4), normal(3, 4, seed=1)])],
    "stop_gradient": [Case([normal(3, 4)], {"dtype": "real"})],
    "transpose": transposes(),
    "gather": gathers(),
    "scatter_add": scatters(),
    "gather_csr": sparse_gathers(),
    "one_hot": one_hots(),
    "assign": [
        Case([normal(*s), normal(*s, seed=1)]) for s in [(n,) for n in LENGTHS] + [(), (3, 4)]
    ],
    "softmax_cross_entropy": cross_entropies(),
    "softmax_cross_entropy_gradient": cross_entropy_gradients(),
    "sigmoid_cross_entropy": sigmoid_entropies(False),
    "sigmoid_cross_entropy_gradient": sigmoid_entropies(True),
    "random_key": [Case([k]) for k in [*KEYS, key(5, 2**32 - 1), key(2**40, 2**63)]],
    "random_uniform": [
        Case([k], {"shape": s, "dtype": "real"})
        for k in KEYS
        for s in [(), (0,), (1,), (31,), (32,), (33,), (63,), (64,), (65,), (5, 100)]
    ],
    "dropout": [
        Case([normal(n), k], {"rate": rate})
        for k in KEYS
        for n in LENGTHS
        for rate in (0.0, 0.2, 0.999)
    ]
    + [Case([np.array(SPECIAL), KEYS[1]], {"rate": 0.5})],
    **cases_ctc.CASES,
    **cases_slicing.CASES,
    **cases_standardize.CASES,
    **cases_images.CASES,
    **cases_tables.CASES,
    **cases_warps.CASES,
    **cases_attention.cases(ORACLE, KEYS[3]),
    **cases_recurrent.cases(ORACLE),
    **cases_metrics.CASES,
    **cases_order.CASES,
    **cases_conv.CASES,
    **cases_optimizers.CASES,
}

# Units in the last place of a result (or of its case's `scale`) that an op may be off. 0: exactly
# the oracle's number, 0.5: that number correctly rounded. The elementary functions have the bounds
# that csrc/math/vec.h states; for the others, every rounding of the formula is at most a unit.
ULP = {
    **dict.fromkeys(
        """negative abs sign maximum minimum equal greater greater_equal where broadcast_to reshape
        stop_gradient first_order first_order_gradient transpose assign reduce_max argmax one_hot
        random_key random_uniform floor""".split(),
        0,
    ),
    **dict.fromkeys(
        ("add", "subtract", "multiply", "divide", "sqrt", "square", "cast", "gather", "gather_csr"),
        0.5,
    ),
    "log": 0.8,
    "power": 1,
    "cos": 1,
    "sin": 1,
    "erf": 1,
    "expm1": 1,
    "log1p": 1,
    "exp": 1.2,
    "dropout": 1.5,
    "sigmoid_cross_entropy": 2,
    "activation_gradient": 2.5,
    "activation": 2.8,
    "squared_difference": 3,
    "sigmoid_cross_entropy_gradient": 3,
    "softmax_cross_entropy": 3,
    "reduce_sum": 3,
    "sum_squares": 3,
    "sum_abs": 3,
    "scatter_add": 3,
    "softmax": 4,
    "softmax_cross_entropy_gradient": 4,
    "softmax_gradient": 5,
    "matmul": 5,
    "linear": 5,
    **cases_ctc.ULP,
    **cases_slicing.ULP,
    **cases_standardize.ULP,
    **cases_images.ULP,
    **cases_tables.ULP,
    **cases_warps.ULP,
    **cases_attention.ULP,
    **cases_recurrent.ULP,
    **cases_metrics.ULP,
    **cases_order.ULP,
    **cases_conv.ULP,
    **cases_optimizers.ULP,
}
