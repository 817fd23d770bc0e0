"""Attention and einsum, as `cases_layers.py` has other layers: what they compute, what they
refuse."""

import numpy as np

from nnlite import layers


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def additive(query, key, scale):
    """Scores by sums of tanh."""
    return (np.tanh(query[..., :, None, :] + key[..., None, :, :]) * scale).sum(-1)


def dots(query, key):
    """Scores by dot products."""
    return query @ np.swapaxes(key, -1, -2)


def weights_of(scores, seen=True):
    """The weights of values, from their scores; values that the query does not see get none."""
    return softmax(scores + np.where(seen, 0.0, -1e9))


def layer_norm(x, w, epsilon=1e-5):
    """x normalized along the last axis, times gamma, plus beta."""
    gamma, beta = w
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + epsilon) * gamma + beta


def heads(query, value, w, seen=True):
    """Attention of several heads, of the weights of a MultiHeadAttention with biases."""
    q, k, v = (
        np.einsum("ntc,chk->nhtk", x, w[i]) + w[i + 1][:, None]
        for x, i in ((query, 0), (value, 2), (value, 4))
    )
    y = weights_of(dots(q, k) / np.sqrt(q.shape[-1]), seen) @ v
    return np.einsum("nhtk,hkc->ntc", y, w[6]) + w[7]


def feedforward(x, w):
    """Two Dense layers, with relu between them."""
    return np.maximum(x @ w[0] + w[1], 0) @ w[2] + w[3]


def encoder(x, w, normalize_first=False, seen=True):
    """A TransformerEncoder."""
    w = [*w]
    attention, norm, other_norm, dense = w[:8], w[8:10], w[10:12], w[12:]
    if normalize_first:
        y = layer_norm(x, norm)
        x = x + heads(y, y, attention, seen)
        return x + feedforward(layer_norm(x, other_norm), dense)
    x = layer_norm(x + heads(x, x, attention, seen), norm)
    return layer_norm(x + feedforward(x, dense), other_norm)


def sines(steps, features):
    """The vectors of a SinePositionEncoding, number by number."""
    table = np.zeros((steps, features))
    for t in range(steps):
        for d in range(features):
            angle = t / 10000 ** (2 * (d // 2) / features)
            table[t, d] = np.cos(angle) if d % 2 else np.sin(angle)
    return table


# A layer, the shape of its input, and what it computes from (x, weights).
CASES = {
    "EinsumDense": (
        lambda: layers.EinsumDense("abc,cd->abd", (None, 3), "tanh", "d"),
        (4, 5, 2),
        lambda x, w: np.tanh(x @ w[0] + w[1]),
    ),
    "EinsumDense of heads": (
        lambda: layers.EinsumDense("...c,cde->...de", (3, 2), bias_axes="de"),
        (4, 5, 2),
        lambda x, w: np.einsum("abc,cde->abde", x, w[0]) + w[1],
    ),
    "EinsumDense of heads joined": (
        lambda: layers.EinsumDense("abde,def->abf", (None, 3), "softmax", "f"),
        (4, 3, 2, 5),
        lambda x, w: softmax(np.einsum("abde,def->abf", x, w[0]) + w[1]),
    ),
    "EinsumDense over other axes": (
        lambda: layers.EinsumDense("bc...,cde->bed...", (2, 3), bias_axes="e"),
        (4, 5, 2),
        lambda x, w: np.einsum("bcx,cde->bedx", x, w[0]) + w[1],
    ),
    "EinsumDense step by step": (
        lambda: layers.EinsumDense("abc,bcd->abd", (None, 3), bias_axes="bd"),
        (4, 5, 2),
        lambda x, w: np.einsum("abc,bcd->abd", x, w[0]) + w[1],
    ),
    "Attention": (
        lambda: layers.Attention(),
        (4, 5, 3),
        lambda x, w: weights_of(dots(x, x)) @ x,
    ),
    "Attention with a scale": (
        lambda: layers.Attention(use_scale=True),
        (2, 3, 5, 4),
        lambda x, w: weights_of(w[0] * dots(x, x)) @ x,
    ),
    "Attention by tanh": (
        lambda: layers.Attention(True, "concat"),
        (4, 5, 3),
        lambda x, w: weights_of(w[1] * additive(w[0] * x, w[0] * x, 1)) @ x,
    ),
    "AdditiveAttention": (
        lambda: layers.AdditiveAttention(dropout=0.5),
        (4, 5, 3),
        lambda x, w: weights_of(additive(x, x, w[0])) @ x,
    ),
    "AdditiveAttention without a scale": (
        lambda: layers.AdditiveAttention(False),
        (4, 1, 3),
        lambda x, w: x,
    ),
    "MultiHeadAttention": (
        lambda: layers.MultiHeadAttention(2, 3, value_dim=5, bias_initializer="uniform"),
        (4, 5, 3),
        lambda x, w: heads(x, x, w),
    ),
    "GroupQueryAttention": (
        lambda: layers.GroupQueryAttention(3, 4, 2, dropout=0.2, bias_initializer="uniform"),
        (4, 5, 3),
        lambda x, w: heads(x, x, [*w[:2], *(a.repeat(2, axis=-2) for a in w[2:6]), *w[6:]]),
    ),
    "TransformerDecoder": (
        lambda: layers.TransformerDecoder(7, 2, bias_initializer="uniform"),
        (2, 3, 4),
        lambda x, w: encoder(x, w, seen=np.tri(3) > 0),
    ),
    "TransformerEncoder": (
        lambda: layers.TransformerEncoder(7, 2, bias_initializer="uniform"),
        (2, 3, 4),
        encoder,
    ),
    "TransformerEncoder that normalizes first": (
        lambda: layers.TransformerEncoder(5, 1, dropout=0.2, normalize_first=True),
        (2, 3, 4),
        lambda x, w: encoder(x, w, True),
    ),
    "PositionEmbedding": (
        lambda: layers.PositionEmbedding(9),
        (2, 5, 3),
        lambda x, w: np.broadcast_to(w[0][:5], x.shape),
    ),
    "SinePositionEncoding": (
        lambda: layers.SinePositionEncoding(),
        (2, 3, 5),
        lambda x, w: np.broadcast_to(sines(3, 5), x.shape),
    ),
}


def einsum_dense(*settings, **named):
    return lambda: layers.EinsumDense(*settings, **named)


# As in test_layer_refusals.py: how it is made, the shape that it was built on, the shape that it
# refuses, and what it says then.
SHAPES = {
    "EinsumDense": [
        (einsum_dense("abc,cd->abd", (None, 3)), None, (4, 5), r"axes of equation .*\(None, 5\)"),
        (einsum_dense("...abc,cd->...abd", (1, 3)), None, (4, 5), "axes of equation"),
        (einsum_dense("abc,bcd->abd", (2, 3)), None, (4, 5, 6), "one size of 'b' .*, got 5 and 2"),
        (einsum_dense("abc,cd->abd", 3), None, (4, 5, 6), "a size for each letter of 'abd'"),
        (einsum_dense("abc,xc->abx", (2, None)), None, (4, 2, 6), "a known size of 'x'"),
        (einsum_dense("ab,bc->ac", 3), (4, 5), (4, 6), r"of shape \(None, 5\), got shape \(4, 6\)"),
        (einsum_dense("ab,bc->ac", 3), (4, 5), (4, 5, 5), r"\(None, 5\), got shape \(4, 5, 5\)"),
    ],
    "Attention": [
        (lambda: layers.Attention(), None, (4,), r"\(N, ..., Tq, D\), .*, got \(None,\)"),
        (lambda: layers.Attention(), None, (4, 0, 5), r"at least one value, got .*\(None, 0, 5\)"),
        (lambda: layers.Attention(), (4, 2, 5), (4, 0, 5), "at least one value"),
    ],
    "AdditiveAttention": [
        (lambda: layers.AdditiveAttention(), (4, 2, 5), (4, 2, 6), r"5 features, got \(4, 2, 6\)"),
    ],
    "MultiHeadAttention": [
        (lambda: layers.MultiHeadAttention(2, 3), None, (4, 6), r"\(N, T, .*, got shape"),
        (lambda: layers.MultiHeadAttention(2, 3), (4, 3, 6), (4, 3, 5), r"None, 6\), got shape"),
    ],
    "GroupQueryAttention": [
        (lambda: layers.GroupQueryAttention(3, 4, 2), None, (4, 6), r"\(N, T, .*, got shape"),
        (lambda: layers.GroupQueryAttention(3, 4, 2), None, (4, 2, 3, 6), r"\(N, T, features\), "),
    ],
    "TransformerDecoder": [
        (lambda: layers.TransformerDecoder(8, 2), None, (4, 6), r"decoder_sequence: expected"),
        (lambda: layers.TransformerDecoder(8, 2), (4, 3, 6), (4, 3, 5), r"None, 6\), got shape"),
    ],
    "TransformerEncoder": [
        (lambda: layers.TransformerEncoder(8, 2), None, (4, 6), r"\(N, T, features\), got shape"),
        (lambda: layers.TransformerEncoder(8, 9), None, (4, 3, 6), "each of num_heads=9, got 6"),
        (lambda: layers.TransformerEncoder(8, 2), (4, 3, 6), (4, 3, 5), r"None, 6\), got shape"),
    ],
    "PositionEmbedding": [
        (lambda: layers.PositionEmbedding(3), None, (4, 6), r"\(N, T, features\), got shape"),
        (lambda: layers.PositionEmbedding(3), None, (4, 5, 6), "at most 3 steps, .*got 5"),
        (lambda: layers.PositionEmbedding(3), (4, 3, 6), (4, 3, 5), "expected 6 features, got 5"),
    ],
    "SinePositionEncoding": [
        (lambda: layers.SinePositionEncoding(), None, (4, 6), r"\(N, T, features\), got shape"),
    ],
}
SETTINGS = [
    (einsum_dense("ab,bc", 3), r"equation: expected 'X,K->Y', .*, got 'ab,bc'"),
    (einsum_dense("...b,bc->c", 3), r"equation: expected .*, got '...b,bc->c'"),
    (einsum_dense("...b...,bc->...c...", 3), r"equation: expected "),
    (einsum_dense("b...,bc->c...", 3), r"equation: expected "),
    (einsum_dense(3, 3), r"equation: expected a string such as 'abc,cd->abd', got 3"),
    (einsum_dense("ab,bc->ac", 0), r"output_shape: expected a tuple of positive integers, .* 0"),
    (einsum_dense("ab,bc->ac", 3, bias_axes="b"), r"bias_axes: expected .* 'ac', got 'b'"),
    (lambda: layers.Attention(score_mode="sum"), r"Attention: score_mode: expected .*, got 'sum'"),
    (lambda: layers.Attention("dot"), r"Attention: use_scale: expected True or False, got 'dot'"),
    (lambda: layers.AdditiveAttention(dropout=1), r"dropout: expected a number in \[0, 1\), got 1"),
    (lambda: layers.MultiHeadAttention(0, 2), r"num_heads: expected a positive integer, got 0"),
    (lambda: layers.MultiHeadAttention(2, 1.5), r"key_dim: expected a positive integer, got 1.5"),
    (lambda: layers.MultiHeadAttention(2, 2, -1), r"value_dim: expected a pos.* got -1"),
    (lambda: layers.MultiHeadAttention(2, 2, output_shape=8.5), r"output_shape: expected .* 8.5"),
    (
        lambda: layers.MultiHeadAttention(2, 2, attention_axes="a"),
        r"attention_axes: expected .*'a'",
    ),
    (lambda: layers.MultiHeadAttention(2, 2, sliding_window=0), r"sliding_window: expected .* 0"),
    (lambda: layers.MultiHeadAttention(2, 2, dropout=-0.1), r"dropout: expected .* got -0.1"),
    (lambda: layers.GroupQueryAttention(2, 3, 2), r"num_key_value_heads: expected .*=3, got 2"),
    (lambda: layers.GroupQueryAttention(2, 3, 0), r"num_key_value_heads: expected .* got 0"),
    (lambda: layers.PositionEmbedding(0), r"sequence_length: expected a positive integer, got 0"),
    (lambda: layers.PositionEmbedding(2, "no"), r"initializer: unknown .* 'no'"),
    (lambda: layers.SinePositionEncoding(0), r"max_wavelength: expected a number .* got 0"),
    (lambda: layers.TransformerEncoder(0, 2), r"intermediate_dim: expected a pos.* got 0"),
    (lambda: layers.TransformerDecoder(2, 0), r"num_heads: expected a positive integer, got 0"),
    (lambda: layers.TransformerDecoder(2, 2, activation="no"), r"activation: unknown .* 'no'"),
]
