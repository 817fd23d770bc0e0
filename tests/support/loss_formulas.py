"""Every loss again in plain float64 NumPy: `CASES[class name]` is a list of (targets, outputs,
arguments, one value for each sample)."""

import numpy as np
from oracle_ctc import all_rows

RNG = np.random.default_rng(0)
N, L = 64, 5
EPSILON = 1e-7


def probabilities(shape=(N, L)):
    """Rows that sum to 1."""
    p = RNG.random(shape) + 0.05
    return p / p.sum(-1, keepdims=True)


def one_hot(labels, classes=L):
    """Rows of 0 and a 1."""
    return np.eye(classes)[labels]


LABELS = RNG.integers(0, L, N)
P = probabilities()
TARGETS = probabilities()
LOGITS = RNG.normal(size=(N, L)) * 3
YES = RNG.integers(0, 2, (N, L))
Q = RNG.random((N, L)) * 0.98 + 0.01
VALUES = RNG.normal(size=(N, L))
POSITIVE = RNG.random((N, L)) * 3 + 0.1
SPOKEN, SAID = (
    np.random.default_rng(1).normal(size=(N, 4, 3)),
    np.array([[1, 2], [2, 0]] * (N // 2)),
)
UNIT = LOGITS / np.linalg.norm(LOGITS, axis=1, keepdims=True)


def clipped(p):
    """Away from 0 and 1."""
    return np.clip(p, EPSILON, 1 - EPSILON)


def softmax(z):
    """Over the last axis."""
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(z):
    """1 / (1 + e^-z)."""
    return 1 / (1 + np.exp(-z))


def cce(t, p, smoothing=0.0, alpha=1.0, gamma=0.0):
    """Categorical cross-entropy, plain or focal."""
    t = t * (1 - smoothing) + smoothing / t.shape[-1]
    p = clipped(p / p.sum(-1, keepdims=True))
    return -(alpha * (1 - p) ** gamma * t * np.log(p)).sum(-1)


def bce(t, p, smoothing=0.0):
    """Binary cross-entropy."""
    t, p = t * (1 - smoothing) + smoothing / 2, clipped(p)
    return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(-1)


def kl_of_labels(labels, p):
    """Zeros of a one-hot row count as epsilon."""
    t = np.fmax(one_hot(labels), EPSILON)
    return (t * np.log(t / p)).sum(-1)


def focal(t, p, gamma=2.0, alpha=None, smoothing=0.0):
    """Binary focal cross-entropy."""
    t, p = t * (1 - smoothing) + smoothing / 2, clipped(p)
    entropy = -(t * np.log(p) + (1 - t) * np.log(1 - p))
    weight = 1 if alpha is None else t * alpha + (1 - t) * (1 - alpha)
    return (weight * (1 - t * p - (1 - t) * (1 - p)) ** gamma * entropy).mean(-1)


def huber(e, delta):
    """Square, then line."""
    e = np.abs(e)
    return np.where(e <= delta, e * e / 2, delta * e - delta**2 / 2).mean(-1)


def pinball(e, q):
    """Asymmetric lines."""
    return np.where(e >= 0, q * e, (q - 1) * e).mean(-1)


def cosine(t, p):
    """-cos of the angle."""
    return -(t * p).sum(-1) / np.linalg.norm(t, axis=-1) / np.linalg.norm(p, axis=-1)


def tversky(t, p, alpha=0.5, beta=0.5):
    """Of each row."""
    both, missed, false = ((t * p).sum(-1), (t * (1 - p)).sum(-1), ((1 - t) * p).sum(-1))
    return 1 - both / (both + alpha * missed + beta * false + EPSILON)


def circle(labels, x, gamma, margin, remove_diagonal=True):
    """Pair by pair."""
    found = []
    for i in range(len(x)):
        near, far = 0.0, 0.0
        for j in range(len(x)):
            d = max(1 - x[i] @ x[j], 0)
            if labels[i] != labels[j]:
                far += np.exp(gamma * max(1 + margin - d, 0) * (1 - margin - d))
            elif i != j or not remove_diagonal:
                near += np.exp(-gamma * (margin + d) * (margin - d))
        found.append(np.log1p(near * far))
    return np.array(found)


E = VALUES - Q
QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.95)
CASES = {
    "CategoricalCrossentropy": [
        (TARGETS, P, {}, cce(TARGETS, P)),
        (one_hot(LABELS), 3 * P, {}, cce(one_hot(LABELS), P)),
        (TARGETS, LOGITS, {"from_logits": True}, cce(TARGETS, softmax(LOGITS))),
        (TARGETS, P, {"label_smoothing": 0.2}, cce(TARGETS, P, 0.2)),
        (
            one_hot(LABELS),
            LOGITS,
            {"from_logits": True, "label_smoothing": 0.1},
            cce(one_hot(LABELS), softmax(LOGITS), 0.1),
        ),
    ],
    "CategoricalFocalCrossentropy": [
        (TARGETS, P, {}, cce(TARGETS, P, 0, 0.25, 2)),
        (one_hot(LABELS), 3 * P, {"gamma": 0.5}, cce(one_hot(LABELS), P, 0, 0.25, 0.5)),
        (TARGETS, P, {"alpha": QUANTILES}, cce(TARGETS, P, 0, np.array(QUANTILES), 2)),
        (
            TARGETS,
            LOGITS,
            {"from_logits": True, "label_smoothing": 0.2, "alpha": 1.0, "gamma": 0.0},
            cce(TARGETS, softmax(LOGITS), 0.2),
        ),
    ],
    "SparseCategoricalCrossentropy": [
        (LABELS, P, {}, -np.log(P[np.arange(N), LABELS])),
        (LABELS[:, None], P, {}, -np.log(P[np.arange(N), LABELS])),
        (LABELS.astype("float32"), P, {}, -np.log(P[np.arange(N), LABELS])),
        (LABELS.astype("uint8"), P, {}, -np.log(P[np.arange(N), LABELS])),
        (LABELS.tolist(), P.tolist(), {}, -np.log(P[np.arange(N), LABELS])),
        (LABELS, LOGITS, {"from_logits": True}, -np.log(softmax(LOGITS)[np.arange(N), LABELS])),
    ],
    "BinaryCrossentropy": [
        (YES, Q, {}, bce(YES, Q)),
        (YES[:, :1], Q[:, :1], {}, bce(YES[:, :1], Q[:, :1])),
        (YES[:, 0], Q[:, :1], {}, bce(YES[:, :1], Q[:, :1])),
        (YES.astype(bool), Q, {}, bce(YES, Q)),
        (YES.tolist(), Q.tolist(), {}, bce(YES, Q)),
        (YES, LOGITS, {"from_logits": True}, bce(YES, sigmoid(LOGITS))),
        (YES, Q, {"label_smoothing": 0.3}, bce(YES, Q, 0.3)),
        (
            YES,
            LOGITS,
            {"from_logits": True, "label_smoothing": 0.3},
            bce(YES, sigmoid(LOGITS), 0.3),
        ),
    ],
    "CategoricalGeneralizedCrossEntropy": [
        (LABELS, P, {"q": q}, (1 - P[np.arange(N), LABELS] ** q) / q) for q in (0.3, 0.5)
    ],
    "BinaryFocalCrossentropy": [
        (YES, Q, {}, focal(YES, Q)),
        (YES[:, 0], Q[:, :1], {"gamma": 1.0}, focal(YES[:, :1], Q[:, :1], 1.0)),
        (YES, Q, {"gamma": 0.5, "label_smoothing": 0.3}, focal(YES, Q, 0.5, None, 0.3)),
        (YES, Q, {"apply_class_balancing": True, "alpha": 0.3}, focal(YES, Q, 2, 0.3)),
        (YES, LOGITS, {"from_logits": True, "gamma": 0.0}, bce(YES, sigmoid(LOGITS))),
    ],
    "KLDivergence": [
        (TARGETS, P, {}, (TARGETS * np.log(TARGETS / P)).sum(-1)),
        (one_hot(LABELS), P, {}, kl_of_labels(LABELS, P)),
    ],
    "Poisson": [
        (YES, POSITIVE, {}, (POSITIVE - YES * np.log(POSITIVE + EPSILON)).mean(-1)),
        (
            YES[:, 0],
            POSITIVE[:, :1],
            {},
            POSITIVE[:, 0] - YES[:, 0] * np.log(POSITIVE[:, 0] + 1e-7),
        ),
    ],
    "MeanSquaredError": [
        (VALUES, Q, {}, (E**2).mean(-1)),
        (VALUES[:, 0], Q[:, :1], {}, E[:, 0] ** 2),
        (VALUES[:, :1], Q[:, 0], {}, E[:, 0] ** 2),
        (VALUES[:, :1], Q, {}, ((VALUES[:, :1] - Q) ** 2).mean(-1)),
        (VALUES[:, 0], Q, {}, ((VALUES[:, :1] - Q) ** 2).mean(-1)),
        (YES.tolist(), Q.tolist(), {}, ((YES - Q) ** 2).mean(-1)),
    ],
    "MeanAbsoluteError": [
        (VALUES, Q, {}, np.abs(E).mean(-1)),
        (VALUES[:, 0], Q[:, :1], {}, np.abs(E[:, 0])),
        (YES.tolist(), Q.tolist(), {}, np.abs(YES - Q).mean(-1)),
    ],
    "MeanAbsolutePercentageError": [
        (POSITIVE, Q, {}, 100 * np.abs((POSITIVE - Q) / POSITIVE).mean(-1)),
        (-POSITIVE[:, 0], Q[:, :1], {}, 100 * np.abs(1 + Q[:, 0] / POSITIVE[:, 0])),
    ],
    "MeanSquaredLogarithmicError": [
        (POSITIVE, Q, {}, ((np.log1p(POSITIVE) - np.log1p(Q)) ** 2).mean(-1)),
        (YES[:, 0], Q[:, :1], {}, (np.log1p(np.fmax(YES[:, 0], 1e-7)) - np.log1p(Q[:, 0])) ** 2),
    ],
    "Huber": [
        (VALUES, Q, {}, huber(E, 1.0)),
        (VALUES[:, 0], Q[:, :1], {"delta": 0.25}, huber(E[:, :1], 0.25)),
    ],
    "LogCosh": [
        (VALUES, Q, {}, np.log(np.cosh(E)).mean(-1)),
        (99 * VALUES[:, 0], Q[:, :1], {}, np.log(np.cosh(99 * VALUES[:, 0] - Q[:, 0]))),
    ],
    "Quantile": [
        (VALUES, Q, {}, pinball(E, 0.5)),
        (VALUES[:, 0], Q[:, :1], {"quantile": 0.9}, pinball(E[:, :1], 0.9)),
        (VALUES[:, 0], Q, {"quantile": QUANTILES}, pinball(VALUES[:, :1] - Q, np.array(QUANTILES))),
    ],
    "CosineSimilarity": [
        (VALUES, Q, {}, cosine(VALUES, Q)),
        (VALUES.T, Q.T, {"axis": 0}, cosine(VALUES, Q)),
    ],
    "Hinge": [
        (2 * YES - 1, LOGITS, {}, np.fmax(0, 1 - (2 * YES - 1) * LOGITS).mean(-1)),
        (YES, LOGITS, {}, np.fmax(0, 1 - (2 * YES - 1) * LOGITS).mean(-1)),
        (TARGETS, LOGITS, {}, np.fmax(0, 1 - TARGETS * LOGITS).mean(-1)),
    ],
    "SquaredHinge": [
        (2 * YES - 1, LOGITS, {}, (np.fmax(0, 1 - (2 * YES - 1) * LOGITS) ** 2).mean(-1)),
        (YES[:, 0], LOGITS[:, :1], {}, np.fmax(0, 1 - (2 * YES[:, 0] - 1) * LOGITS[:, 0]) ** 2),
    ],
    "CategoricalHinge": [
        (
            one_hot(LABELS),
            LOGITS,
            {},
            np.fmax(
                0,
                1 + (LOGITS * (1 - one_hot(LABELS))).max(-1) - (LOGITS * one_hot(LABELS)).sum(-1),
            ),
        )
    ],
    "CTC": [(SAID, SPOKEN, {}, all_rows([SPOKEN, SAID, (SAID > 0).sum(-1), [4] * N], 0)[0])],
    "Dice": [(YES, Q, {"axis": -1}, 1 - 2 * (YES * Q).sum(-1) / (YES + Q + EPSILON / L).sum(-1))],
    "Tversky": [
        (YES, Q, {"axis": -1}, tversky(YES, Q)),
        (YES, Q, {"axis": 1, "alpha": 0.2, "beta": 0.9}, tversky(YES, Q, 0.2, 0.9)),
    ],
    "Circle": [
        (LABELS, UNIT, {"gamma": 2.0}, circle(LABELS, UNIT, 2, 0.4)),
        (
            LABELS[:, None],
            UNIT,
            {"gamma": 3.0, "margin": 0.1, "remove_diagonal": False},
            circle(LABELS, UNIT, 3, 0.1, False),
        ),
    ],
}
