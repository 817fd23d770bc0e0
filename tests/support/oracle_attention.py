"""Products of stacks of matrices, and attention, as their formulas say."""

import numpy as np

MASKED = -0.7 * 3.38953e38


def attention(query, key, value, bias, mask, scale, is_causal, factors):
    """The result; of each row its largest logit and 1 / sum(exp(logit - largest)); the weights
    before dropout multiplies them by `factors`; where the query sees the key."""
    groups = query.shape[2] // key.shape[2]
    key, value = (np.repeat(x, groups, axis=2) for x in (key, value))
    logits = np.einsum("btnh,bsnh->bnts", query, key) * scale
    logits = logits if bias is None else logits + bias
    seen = np.ones(logits.shape, bool) if mask is None else np.broadcast_to(mask, logits.shape) != 0
    seen = np.tril(seen) if is_causal else seen
    logits = np.where(seen, logits, MASKED)
    largest = logits.max(axis=-1, keepdims=True)
    weights = np.exp(logits - largest)
    share = 1 / weights.sum(axis=-1, keepdims=True)
    weights = weights * share
    y = np.einsum("bnts,bsnh->btnh", weights * factors, value)
    return y, np.concatenate([largest, share], axis=-1), weights, seen


def make(random_words):
    """The oracle of each op, of the random numbers in `oracle.py`."""

    def options(q, k, rest, a):
        """Bias, mask and what dropout multiplies the weights by."""
        rest = list(rest)
        bias = rest.pop(0) if a["bias"] else None
        mask = rest.pop(0) if a["mask"] else None
        shape = (q.shape[0], q.shape[2], q.shape[1], k.shape[1])
        if not a["rate"]:
            return bias, mask, 1.0
        words = random_words(rest[0], int(np.prod(shape))).reshape(shape)
        return bias, mask, np.where(words >= int(a["rate"] * 2.0**32), 1 / (1 - a["rate"]), 0)

    def forward(inputs, a):
        q, k, v, *rest = inputs
        bias, mask, factors = options(q, k, rest, a)
        return attention(q, k, v, bias, mask, a["scale"], a["causal"], factors), factors

    def attention_gradient(inputs, a):
        dy, q, k, v, _, _, *rest = inputs
        (_, _, weights, seen), factors = forward([q, k, v, *rest], a)
        d = np.einsum("btnh,bsnh->bnts", dy, v) * factors
        d = weights * (d - (weights * d).sum(axis=-1, keepdims=True)) * seen
        found = [
            np.einsum("bnts,bsnh->btnh", d, k) * a["scale"],
            np.einsum("bnts,btnh->bsnh", d, q) * a["scale"],
            np.einsum("bnts,btnh->bsnh", weights * factors, dy),
        ]
        return [*found, d] if a["dlogits"] else found

    def transposed(x, flag):
        return np.swapaxes(x, -1, -2) if flag else x

    return {
        "batch_matmul": lambda x, a: [
            transposed(x[0], a["transpose_a"]) @ transposed(x[1], a["transpose_b"])
        ],
        "attention": lambda x, a: list(forward(x, a)[0][:2]),
        "attention_gradient": attention_gradient,
    }
