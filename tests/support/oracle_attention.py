"""Attention in plain NumPy, as its formula says, and the inputs that it is tested with."""

import itertools

import numpy as np
from samples import normal, rng

MASKED = -0.7 * 3.38953e38


def attention(query, key, value, bias, mask, scale, is_causal, factor):
    """The result and the weights before `factor`, by which dropout multiplies them."""
    groups = query.shape[2] // key.shape[2]
    key, value = (np.repeat(x, groups, axis=2) for x in (key, value))
    logits = np.einsum("btnh,bsnh->bnts", query, key) * scale
    logits = logits if bias is None else logits + bias
    seen = np.ones(logits.shape, bool) if mask is None else np.broadcast_to(mask, logits.shape) != 0
    seen = np.tril(seen) if is_causal else seen
    logits = np.where(seen, logits, MASKED)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    return np.einsum("bnts,bsnh->btnh", weights * factor, value), weights


SIZES = [  # B, T, S, N, K, H, V
    *((1, 1, 1, 1, 1, 1, 1), (2, 3, 5, 2, 2, 4, 4), (1, 7, 1, 3, 3, 5, 2)),
    *((2, 17, 33, 4, 2, 37, 37), (1, 1, 40, 6, 1, 16, 16), (0, 3, 4, 2, 2, 8, 8)),
    (2, 0, 3, 1, 1, 4, 4),
]


def options(b, t, s, n):
    """Bias and mask, each None or of some shape that broadcasts."""
    hole = (rng("attention mask", b, t, s).random((b, 1, t, s)) < 0.6).astype(float)
    hole[:, :, :1] = 0  # a query that sees no key
    padding = (np.arange(s) < max(1, s - 2)) * 1.0
    biases = [None, normal(s, seed=5), normal(b, n, t, s, seed=6)]
    return itertools.cycle(itertools.product(biases, [None, hole, padding], [False, True]))
