"""Attention: weighted means of values, whose weights say how well a query fits each key."""

import math

from nnlite.ops.activation import softmax
from nnlite.ops.elementwise import add, greater_equal, multiply, where
from nnlite.ops.linear import matmul
from nnlite.ops.operands import constant, flag, number, operands
from nnlite.ops.random import dropout
from nnlite.ops.shape import broadcast_to, reshape, transpose

# What a masked logit becomes, as in Keras. It is finite: where all keys of a query are masked, all
# have one weight, and the result is the mean of the values.
MASKED = -0.7 * 3.38953e38


def _check_shapes(query, key, value):
    for name, x in (("query", query), ("key", key), ("value", value)):
        if x.ndim != 4:
            raise ValueError(f"{name}: expected 4 dimensions, got shape {x.shape}")
    (b, _, n, h), (_, s, k, _) = query.shape, key.shape
    if key.shape != (b, s, k, h) or not s:
        raise ValueError(
            f"key: expected shape ({b}, S, K, {h}) with S >= 1 for a query of shape "
            f"{query.shape}, got {key.shape}"
        )
    if value.shape[:3] != key.shape[:3]:
        raise ValueError(
            f"value: expected shape {(*key.shape[:3], 'H')} for a key of shape {key.shape}, "
            f"got {value.shape}"
        )
    if not k or n % k:
        raise ValueError(
            f"key: expected a number of heads that divides the {n} of the query, got {k}"
        )


def _broadcasts(name, x, shape):
    fits = all(m in (1, n) for m, n in zip(x.shape[::-1], shape[::-1]))
    if x.ndim > 4 or not fits:
        raise ValueError(f"{name}: expected a shape that broadcasts to {shape}, got {x.shape}")
    return x


def _for_each_head(x, heads):
    """Keys or values (B, S, K, H) for each head of the query: a group of heads shares one."""
    b, s, k, h = x.shape
    if k == heads:
        return x
    groups = broadcast_to(reshape(x, (b, s, k, 1, h)), (b, s, k, heads // k, h))
    return reshape(groups, (b, s, heads, h))


def dot_product_attention(
    query,
    key,
    value,
    bias=None,
    mask=None,
    scale=None,
    is_causal=False,
    flash_attention=None,
    attn_logits_soft_cap=None,
    dropout_rate=0.0,
    dropout_key=None,
):
    """softmax(query @ key^T * scale + bias) @ value, for each head (Vaswani et al., 2017).

    B is the size of the batch, T and S the numbers of queries and keys, N the heads, and H the
    size of each.

    Parameters
    ----------
    query : tensor, shape (B, T, N, H)
    key : tensor, shape (B, S, K, H)
        K is N or divides it: N / K heads of the query that lie side by side share one of the key.
    value : tensor, shape (B, S, K, V)
        V is usually H.
    bias : tensor of a shape that broadcasts to (B, N, T, S), optional
        Added to the logits after `scale`.
    mask : tensor of a shape that broadcasts to (B, N, T, S), optional
        False or 0: the query does not see the key. A query that sees none gets the mean of all
        values.
    scale : float, optional
        By default 1 / sqrt(H).
    is_causal : bool, default False
        Whether query t sees keys 0 to t only.
    flash_attention : bool, optional
        Accepted as Keras does. The result is the same.
    attn_logits_soft_cap : None
        Keras takes a number on TPUs only.
    dropout_rate : float in [0, 1), default 0.0
        Share of the weights that become 0; the others are divided by 1 - `dropout_rate`.
    dropout_key : int32 Tensor, shape (4,), optional
        Made by `random_key`; it is needed where `dropout_rate` is not 0. The element of a weight
        in a stream of random numbers is its place in (B, N, T, S).

    Returns
    -------
    Tensor, shape (B, T, N, V)

    Raises
    ------
    ValueError
        If the shapes do not fit, or there is no key.

    References
    ----------
    A. Vaswani et al.: "Attention is all you need", NIPS 2017.

    Examples
    --------
    >>> from nnlite import ops
    >>> query, key = ops.ones((2, 4, 8, 16)), ops.ones((2, 6, 8, 16))
    >>> ops.dot_product_attention(query, key, key).shape
    (2, 4, 8, 16)
    """
    query, key, value = operands(query, key, value)
    _check_shapes(query, key, value)
    (b, t, n, h), s = query.shape, key.shape[1]
    scale = 1 / math.sqrt(max(1, h)) if scale is None else number("scale", scale)
    if flash_attention is not None:
        flag("flash_attention", flash_attention)
    if attn_logits_soft_cap is not None:
        raise ValueError(f"attn_logits_soft_cap: expected None, got {attn_logits_soft_cap!r}")
    is_causal, rate = flag("is_causal", is_causal), number("dropout_rate", dropout_rate)
    if rate and dropout_key is None:
        raise ValueError("dropout_key: expected a key for a dropout_rate that is not 0, got None")
    _, *given = operands(query, *(x for x in (bias, mask) if x is not None))
    bias = _broadcasts("bias", given.pop(0), (b, n, t, s)) if bias is not None else None
    mask = _broadcasts("mask", given.pop(0), (b, n, t, s)) if mask is not None else None
    key, value = _for_each_head(key, n), _for_each_head(value, n)
    logits = matmul(transpose(query, (0, 2, 1, 3)), transpose(key, (0, 2, 3, 1)))
    logits = multiply(logits, scale)
    if bias is not None:
        logits = add(logits, bias)
    if mask is not None:
        logits = where(mask, logits, MASKED)
    if is_causal:
        steps = [constant(range(size), query.dtype) for size in (t, s)]
        logits = where(greater_equal(reshape(steps[0], (t, 1)), steps[1]), logits, MASKED)
    weights = softmax(logits)
    if rate:
        weights = dropout(weights, dropout_key, rate)
    return transpose(matmul(weights, transpose(value, (0, 2, 1, 3))), (0, 2, 1, 3))
