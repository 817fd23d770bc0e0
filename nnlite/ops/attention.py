"""Attention: weighted means of values, whose weights say how well a query fits each key."""

import math

from nnlite.engine.dispatch import OPS, Op, apply
from nnlite.ops.operands import flag, key_of, number, operands
from nnlite.ops.shape import broadcast_to, reshape

_ATTRS = {"scale": float, "causal": int, "bias": int, "mask": int, "rate": float}


def _expect(what, shape, expected):
    if shape != expected:
        raise ValueError(f"expected {what} of shape {expected}, got shape {shape}")


def _infer_attention(q, k, v, *optional, bias, mask, rate, **_):
    b, t, n, h = q
    _expect("a key", k, (b, k[1], n, h))
    _expect("a value", v, (b, k[1], n, v[3]))
    if not 0 <= rate < 1:
        raise ValueError(f"dropout_rate: expected a number in [0, 1), got {rate}")
    if rate:
        _expect("a dropout_key", optional[bias + mask], (4,))
    return [(b, t, n, v[3]), (b, n, t, 2)]


def _attention_gradient(c, dy, dkept, need):
    (q, k, v, *optional), (y, kept) = c.inputs, c.outputs
    needs_bias = bool(c.attrs["bias"] and need[3])
    attrs = {**c.attrs, "dlogits": int(needs_bias)}
    given = [dy, q, k, v, y, kept, *optional]
    dq, dk, dv, *dlogits = apply(OPS["attention_gradient"], given, attrs)
    found = [dq, dk, dv, *[None] * len(optional)]
    if needs_bias:
        found[3] = dlogits[0]  # autodiff.gradients sums it to the bias's shape
    return found


def _infer_gradient(dy, q, k, v, *_, dlogits, **__):
    return [q, k, v, *[(q[0], q[2], q[1], k[1])] * dlogits]


Op(
    "attention",
    infer=_infer_attention,
    gradient=_attention_gradient,
    attrs=_ATTRS,
    outputs=("real", "real"),
    optional_outputs=1,
    work=lambda inputs, outputs: math.prod(inputs[0]) * inputs[1][1] * 2,
)
Op(
    "attention_gradient",
    infer=_infer_gradient,
    attrs={**_ATTRS, "dlogits": int},
    outputs=("real",) * 4,
    work=lambda inputs, outputs: math.prod(inputs[1]) * inputs[2][1] * 5,
)


def _check_shapes(query, key, value):
    for name, x in (("query", query), ("key", key), ("value", value)):
        if x.ndim != 4:
            raise ValueError(f"{name}: expected 4 dimensions, got shape {x.shape}")
    (b, _, n, h), (_, s, k, _) = query.shape, key.shape
    if key.shape != (b, s, k, h) or not s or not h:
        raise ValueError(
            f"key: expected shape ({b}, S, K, {h}) with S and H of at least 1 for a query of "
            f"shape {query.shape}, got {key.shape}"
        )
    if value.shape[:3] != key.shape[:3] or not value.shape[3]:
        raise ValueError(
            f"value: expected shape {(*key.shape[:3], 'V')} with V of at least 1 for a key of "
            f"shape {key.shape}, got {value.shape}"
        )
    if not k or n % k:
        raise ValueError(
            f"key: expected a number of heads that divides the {n} of the query, got {k}"
        )


def _of_four_axes(name, x, shape):
    """What broadcasts to a shape of 4 axes, with as many."""
    fits = all(m in (1, n) for m, n in zip(x.shape[::-1], shape[::-1]))
    if x.ndim > 4 or not fits:
        raise ValueError(f"{name}: expected a shape that broadcasts to {shape}, got {x.shape}")
    return reshape(x, (1,) * (4 - x.ndim) + x.shape)


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
    if flash_attention is not None:
        flag("flash_attention", flash_attention)
    if attn_logits_soft_cap is not None:
        raise ValueError(f"attn_logits_soft_cap: expected None, got {attn_logits_soft_cap!r}")
    rate = number("dropout_rate", dropout_rate)
    if rate and dropout_key is None:
        raise ValueError("dropout_key: expected a key for a dropout_rate that is not 0, got None")
    query, key, value = operands(query, key, value)
    _check_shapes(query, key, value)
    (b, t, n, h), s = query.shape, key.shape[1]
    inputs = [query, _for_each_head(key, n), _for_each_head(value, n)]
    for name, x in (("bias", bias), ("mask", mask)):
        if x is not None:
            inputs.append(_of_four_axes(name, operands(query, x)[1], (b, n, t, s)))
    if rate:
        inputs.append(key_of("dropout_key", dropout_key))
    attrs = {
        "scale": 1 / math.sqrt(h) if scale is None else number("scale", scale),
        "causal": flag("is_causal", is_causal),
        "bias": int(bias is not None),
        "mask": int(mask is not None),
        "rate": rate,
    }
    return apply(OPS["attention"], inputs, attrs)[0]
