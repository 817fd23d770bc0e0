"""Cases of products of stacks of matrices, and of attention."""

import itertools

import numpy as np
from samples import Case, normal, rng

LEADING = [
    *(((3,), (3,)), ((2, 3), (1, 3)), ((), (4,)), ((2, 1), (3,)), ((0,), (1,)), ((5,), (5,))),
    ((2, 1, 2, 1), (1, 3, 1, 2)),
]
MATRICES = [(4, 5, 6), (17, 33, 9), (14, 32, 32), (1, 40, 7), (3, 1, 5), (2, 3, 0), (0, 3, 2)]


def products(sizes):
    """Stacks with each pair of transpositions: (leading axes, M, N, K)."""
    found = []
    for ((of_a, of_b), (m, n, k)), ta, tb in itertools.product(sizes, (0, 1), (0, 1)):
        a = normal(*of_a, *((k, m) if ta else (m, k)))
        b = normal(*of_b, *((n, k) if tb else (k, n)), seed=1)
        found.append(([a, b], {"transpose_a": ta, "transpose_b": tb}))
    return found


SIZES = [  # B, T, S, N, H, V; those with T > 32 and long rows of S have several blocks of queries
    *((1, 1, 1, 1, 1, 1), (2, 3, 5, 2, 4, 4), (1, 7, 1, 3, 5, 2), (2, 17, 33, 3, 37, 37)),
    *((1, 1, 40, 4, 16, 16), (0, 3, 4, 2, 8, 8), (2, 0, 3, 1, 4, 4), (1, 70, 600, 1, 8, 33)),
    *((2, 33, 20, 1, 300, 5), (1, 14, 16, 2, 32, 32), (1, 64, 64, 2, 32, 32)),
]


def masks(b, t, s):
    """None; with holes, and a query that sees no key; of padding; one for all."""
    holes = (rng("holes", b, t, s).random((b, 1, t, s)) < 0.6) * 1.0
    holes[:, :, :1] = 0
    padding = (np.arange(s) < rng("padding", b, s).integers(1, s + 1, (b, 1))) * 1.0
    return [None, holes, padding.reshape(b, 1, 1, s), np.zeros((1, 1, 1, 1))]


def biases(b, t, s, n):
    """None and some shapes that broadcast."""
    return [None, normal(1, n, t, s), normal(1, 1, 1, s), normal(b, n, t, 1)]


def attentions(sizes, key, count):
    """(inputs, attributes): of each size `count` of the combinations of the options."""
    options = itertools.cycle(itertools.product(range(4), (0.0, 0.3), (0, 1), range(4)))
    for _, (b, t, s, n, h, v) in itertools.product(range(count), sizes):
        which_bias, rate, causal, which_mask = next(itertools.islice(options, 6, None))
        bias, mask = biases(b, t, s, n)[which_bias], masks(b, t, s)[which_mask]
        inputs = [normal(b, t, n, h), normal(b, s, n, h, seed=1), normal(b, s, n, v, seed=2)]
        inputs += [x for x in (bias, mask) if x is not None] + ([key] if rate else [])
        yield (
            inputs,
            {
                "scale": 1.5 / h**0.5,
                "causal": causal,
                "bias": int(bias is not None),
                "mask": int(mask is not None),
                "rate": rate,
            },
        )


def _largest(x):
    return np.abs(x).max(initial=0)


def logit_size(q, k, rest, a):
    """1 + the largest sum of the absolute terms of a logit: the units by which the exponential of
    a rounded logit may be off."""
    terms = np.einsum("btnh,bsnh->bnts", np.abs(q), np.abs(k)).max(initial=0) * a["scale"]
    return 1 + terms + (_largest(rest[0]) if a["bias"] else 0)


def attention_scale(a):
    """The largest value and logit, by which all roundings are measured."""

    def of(inputs, want):
        q, k, v, *rest = inputs
        logit = logit_size(q, k, rest, a)
        return np.array(logit * _largest(v) / (1 - a["rate"])), np.array([logit, logit])

    return of


def gradient_scale(a):
    """Likewise, with the sums over keys and queries of terms that are weighted by at most 1."""

    def of(inputs, want):
        dy, q, k, v, _, _, *rest = inputs
        logit = logit_size(q, k, rest, a) / (1 - a["rate"])
        d = 2 * logit * np.einsum("btnh,bsnh->bnts", np.abs(dy), np.abs(v)).max(initial=0)
        sizes = (
            d * a["scale"] * _largest(k),
            d * a["scale"] * np.abs(q).sum(axis=1).max(initial=0),
            logit * np.abs(dy).sum(axis=1).max(initial=0),
            d,
        )
        return tuple(map(np.array, sizes[: 3 + a["dlogits"]]))

    return of


def cases(oracle, key):
    """`CASES` of these ops; `oracle` is `oracle.ORACLE`, `key` a random key."""

    def product_scale(a):
        return lambda x, y: oracle["batch_matmul"]([np.abs(x[0]), np.abs(x[1])], a)[0]

    sizes = [*((pair, (17, 33, 9)) for pair in LEADING), *((((3,), (3,)), m) for m in MATRICES)]
    sizes += [(((2,), (1,)), (70, 20, 800))]
    found = {
        "batch_matmul": [Case(x, a, product_scale(a)) for x, a in products(sizes)],
        "attention": [],
        "attention_gradient": [],
    }
    for i, (inputs, a) in enumerate(attentions(SIZES, key, 4)):
        found["attention"].append(Case(inputs, a, attention_scale(a)))
        y, kept = map(np.ascontiguousarray, oracle["attention"](inputs, a))
        given = [normal(*y.shape, seed=7), *inputs[:3], y, kept, *inputs[3:]]
        a = {**a, "dlogits": i % 2}
        found["attention_gradient"].append(Case(given, a, gradient_scale(a)))
    return found


ULP = {"batch_matmul": 5, "attention": 5, "attention_gradient": 5}
ONCE_ONLY = {"attention": "attention_gradient"}


def smooth(make, key):
    """Where the gradient rules are compared with differences; `make` is `Smooth`."""
    small = [(pair, (2, 3, 4)) for pair in LEADING[:4]]
    found = {
        "batch_matmul": [make(x, a, (0, 1)) for x, a in products(small)],
        "attention": [],
    }
    for inputs, a in attentions([(2, 3, 4, 2, 3, 5), (1, 4, 3, 1, 2, 2)], key, 16):
        found["attention"].append(make(inputs, a, tuple(range(3 + a["bias"]))))
    return found
