"""Cases of softmax and of the losses: rows of all widths, labels good and bad, logits far apart."""

import numpy as np
from samples import LENGTHS, Case, labels, normal, sweep

ROWS = [(n, c) for n in (0, 1, 2, 17, 103) for c in (1, 2, 3, 10, 16, 33)] + [
    (2, 31),
    (2, 48),
    (3, 1000),
    (2, 1024),
    (2, 1025),
    (5, 2500),
]


def softmax_scale(inputs, want):
    """Rounding x - max(x) costs a small probability an error that grows with that difference."""
    x = inputs[0]
    return np.abs(want) * (1 + x.max(axis=-1, keepdims=True, initial=-np.inf) - x)


def rows_of_logits(shape, seed=0):
    """Logits, some of them far apart."""
    z = 3 * normal(*shape, seed=seed)
    z[1::3] *= 10
    return z


def softmaxes():
    """Rows of all widths, and special values."""
    return [
        *(Case([rows_of_logits(s)], scale=softmax_scale) for s in ROWS),
        Case([rows_of_logits((2, 3, 5))], scale=softmax_scale),
        Case([rows_of_logits((7,))], scale=softmax_scale),
        Case(
            [
                np.array(
                    [
                        [np.inf, 0, 1],
                        [np.nan, 0, 1],
                        [-np.inf, 0, 1],
                        [1e30, 0, -1e30],
                        [-np.inf] * 3,
                    ]
                )
            ]
        ),
    ]


def softmax_gradient_scale(inputs, want):
    """|y| times |dy| and the mean that is taken from it."""
    dy, y = inputs
    return np.abs(y) * (np.abs(dy) + np.abs(dy * y).sum(axis=-1, keepdims=True))


def softmax_gradients():
    """By rows of probabilities."""
    found = []
    for s in [*ROWS, (2, 3, 5)]:
        z = rows_of_logits(s)
        e = np.exp(z - z.max(axis=-1, keepdims=True, initial=-np.inf))
        y = e / e.sum(axis=-1, keepdims=True)
        found.append(Case([normal(*s, seed=1), y], scale=softmax_gradient_scale))
    return found


def targets(shape, dense):
    """Labels, or rows that sum to anything (label smoothing and weights make such)."""
    n, classes = shape
    return np.abs(normal(n, classes, seed=5)) if dense else labels(n, classes)


def cross_entropy_scale(inputs, want):
    """1 + log_sum + the distances to the largest logit, weighted by the target."""
    z, t = inputs[:2]
    far = z.max(axis=1, keepdims=True, initial=-np.inf) - z
    if t.dtype == np.int32:
        far = np.take_along_axis(far, np.clip(t, 0, z.shape[1] - 1)[:, None], axis=1)
        t = 1
    return (np.abs(t) * (1 + np.log(z.shape[1]) + far)).sum(axis=1)


def cross_entropies():
    """Labels and distributions."""
    return [
        Case(
            [rows_of_logits(s), targets(s, dense)], {"dense": int(dense)}, scale=cross_entropy_scale
        )
        for s in ROWS
        for dense in (False, True)
    ] + bad_labels(lambda z, t: [z, t], {"dense": 0})


def bad_labels(inputs, attrs):
    """Labels out of range at some places, the lowest of them at 4."""
    found = []
    for value in (-1, 5, 2**31 - 1, -(2**31)):
        t = labels(40, 5)
        t[[4, 17, 39]] = value
        found.append(
            Case(inputs(rows_of_logits((40, 5)), t), attrs, scale=lambda x, y: 100.0, bad=4)
        )
    return found


def cross_entropy_gradients():
    """The same with a gradient for each row."""

    def scale(inputs, want):
        z, t, dloss = inputs
        e = np.exp(z - z.max(axis=1, keepdims=True, initial=-np.inf))
        p = e / e.sum(axis=1, keepdims=True)
        total = t.sum(axis=1, keepdims=True) if t.dtype != np.int32 else 1
        one = t if t.dtype != np.int32 else t[:, None] == np.arange(z.shape[1])
        return np.abs(dloss)[:, None] * (softmax_scale(inputs, p) * total + one)

    return [
        Case(
            [rows_of_logits(s), targets(s, dense), normal(s[0], seed=7)],
            {"dense": int(dense)},
            scale=scale,
        )
        for s in ROWS
        for dense in (False, True)
    ] + bad_labels(lambda z, t: [z, t, normal(40, seed=7)], {"dense": 0})


def sigmoid_entropies(gradient):
    """Logits over their whole range with targets 0, 1 and between."""

    def scale(inputs, want):
        z, t = inputs[:2]
        if gradient:
            return np.abs(inputs[2]) * (1 / (1 + np.exp(-z)) + np.abs(t))
        exact = (t == 0) | (t == 1)
        linear = np.where(exact, np.abs(np.where(z < 0, 0, z) - z * t), np.abs(z * t) + np.abs(z))
        return linear + np.log1p(np.exp(-np.abs(z)))

    def swept(real):
        z = sweep(real, 1e30)
        t = np.resize(np.array([0, 1, 0.25, 0.9, 0, 1, 1]), z.size)
        return [z, t, np.resize(np.array([1, -2, 0.5]), z.size)][: 2 + gradient]

    found = [Case(swept, scale=scale)]
    for shape in [(n,) for n in LENGTHS] + [(), (4, 3)]:
        inputs = [normal(*shape), np.abs(normal(*shape, seed=1)) % 1, normal(*shape, seed=2)]
        found.append(Case(inputs[: 2 + gradient], scale=scale))
    return found
