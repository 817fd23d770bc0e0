"""Every op again in plain NumPy, in the precision of what it is given: what kernels must give.

`ORACLE[name](inputs, attrs)` returns the op's outputs, then the new values of the inputs that it
overwrites.
"""

import numpy as np
import oracle_attention
import oracle_ctc
import oracle_optimizers
import oracle_recurrent
from oracle_activations import ACTIVATIONS, SLOPES, erf

from nnlite.ops.activation import KINDS

KIND_NAMES = {number: name for name, number in KINDS.items()}


def activate(x, kind, alpha):
    """The activations of `nnlite.ops.activation.KINDS`."""
    return {
        "linear": lambda: x,
        "relu": lambda: np.where(x < 0, 0, x),
        "leaky_relu": lambda: np.where(x < 0, alpha * x, x),
        "sigmoid": lambda: 1 / (1 + np.exp(-x)),
        "tanh": lambda: np.tanh(x),
        **{name: lambda f=f: f(x, alpha) for name, f in ACTIVATIONS.items()},
    }[KIND_NAMES[kind]]()


def activation_gradient(dy, y, kind, alpha):
    """dy * act'(x), by y = act(x)."""
    return (
        dy
        * {
            "linear": lambda: np.ones_like(y),
            "relu": lambda: (y > 0) * np.ones_like(y),
            "leaky_relu": lambda: np.where(y > 0, 1, alpha),
            "sigmoid": lambda: y * (1 - y),
            "tanh": lambda: (1 - y) * (1 + y),
            **{name: lambda f=f: f(y, alpha) for name, f in SLOPES.items()},
        }[KIND_NAMES[kind]]()
    )


def softmax(x):
    """Over the last axis."""
    e = np.exp(x - np.fmax.reduce(x, axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def distribution(target, like):
    """A target as a row of probabilities; a label that is no class is a row of NaN."""
    if target.dtype != np.int32:
        return target
    rows = np.zeros(like.shape, like.dtype)
    good = (target >= 0) & (target < like.shape[-1])
    rows[np.flatnonzero(good), target[good]] = 1
    rows[~good] = np.nan
    return rows


def softmax_cross_entropy(z, target, dense):
    """-sum(t log softmax(z)); 0 for a bad label."""
    largest = z.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(z - largest).sum(axis=1, keepdims=True))
    t = distribution(target, z)
    each = (
        t * (log_sum + (largest - z))
        if dense
        else np.where(t == 0, 0, t * (log_sum + (largest - z)))
    )
    loss = each.sum(axis=1)
    return loss if dense else np.where(np.isnan(t).any(axis=1), 0, loss)


def softmax_cross_entropy_gradient(z, target, dloss, dense):
    """dloss (softmax(z) sum(t) - t); 0 for a bad label."""
    t = distribution(target, z)
    dz = dloss[:, None] * (softmax(z) * t.sum(axis=1, keepdims=True) - t)
    return dz if dense else np.where(np.isnan(t), 0, dz)


def sigmoid_cross_entropy(z, t):
    """max(z, 0) - z t + log(1 + e^-|z|)."""
    return np.where(z < 0, 0, z) - z * t + np.log1p(np.exp(-np.abs(z)))


def reduced(x, attrs):
    """x as [A, R, B]."""
    return x.reshape(attrs["before"], attrs["reduced"], attrs["after"])


def part(a, size):
    """The index of the part that the attributes of `slice` describe."""
    if not size:
        return ()
    return np.ix_(*(a[f"begin_{d}"] + a[f"step_{d}"] * np.arange(n) for d, n in enumerate(size)))


def slice_gradient(dy, a):
    dx = np.zeros(a["shape"])
    dx[part(a, dy.shape)] = dy
    return dx


def gather(source, index, attrs):
    """Rows of memory; zeros for a bad index."""
    kind = ["f4", "f8", "u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "?"][attrs["code"]]
    width = int(np.prod(attrs["row_shape"]))
    raw = source.view(np.uint8).reshape(-1)
    to = np.int32 if attrs["to_int"] else np.dtype(attrs["dtype"])
    out = np.zeros((attrs["count"], width), to)
    for i, row in enumerate(range(attrs["count"]) if index is None else index):
        if 0 <= row < attrs["rows"]:
            bytes_ = raw[row * attrs["row_bytes"] :][: width * np.dtype(kind).itemsize]
            values = bytes_.copy().view(kind)
            out[i] = truncated(values.astype(np.float64)) if attrs["to_int"] else values.astype(to)
    return out.reshape(attrs["count"], *attrs["row_shape"])


def scatter_add(x, index, shape):
    """Sums of rows by number."""
    y = np.zeros(shape, x.dtype)
    for row, i in zip(x, index):
        if 0 <= i < shape[0]:
            y[i] += row
    return y


def gather_csr(entries, columns, begin, index, attrs):
    """Rows of a sparse matrix; zeros for a bad index."""
    entries = entries.view(["f4", "f8"][attrs["code"]])
    begin = begin.view(np.int64)
    out = np.zeros(attrs["shape"])
    for i, row in enumerate(range(len(out)) if index is None else index):
        for k in range(begin[row], begin[row + 1]) if 0 <= row < attrs["rows"] else ():
            if 0 <= columns[k] < out.shape[1]:
                out[i, columns[k]] = entries[k]
    return out


def standardize(source, mean, rest, deviation, index, attrs):
    """Scaled columns of rows of memory, or of a tensor; zeros for a bad index."""
    shape, columns = attrs["shape"], mean.shape
    n = shape[0] if shape else 1
    x, good = source, np.ones(n, bool)
    if attrs["row_bytes"]:
        good = np.arange(n) if index is None else index
        good = (good >= 0) & (good < attrs["rows"])
        given = {**attrs, "to_int": 0, "count": n, "row_shape": shape[1:], "dtype": mean.dtype}
        x = gather(source, index, given)
    # The rest of a rounding is small: another one does not count.
    mean = mean + np.where(np.abs(rest) <= 1e-7 * np.abs(mean), rest, 0)
    x = x.reshape(-1, *columns).astype(mean.dtype)
    y = (x * deviation + mean if attrs["inverse"] else (x - mean) / deviation).reshape(shape)
    if n:
        y.reshape(n, -1)[~good] = 0
    return y


def truncated(x):
    """int32 of a real number: towards zero, the nearest that fits, 0 of NaN."""
    info = np.iinfo(np.int32)
    return np.clip(np.trunc(np.where(np.isnan(x), 0, x)), info.min, info.max).astype(np.int32)


def one_hot(labels, classes):
    """Zeros for a bad label."""
    return (labels[..., None] == np.arange(classes)) * 1.0


def philox4x32(counter, key):
    """Philox4x32-10 (Salmon, Moraes, Dror & Shaw, 2011): (n, 4) counters, a key -> (n, 4) words."""
    c = [counter[:, k].astype(np.uint64) for k in range(4)]
    k0, k1 = int(key[0]), int(key[1])
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        p, q = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [
            (q >> np.uint64(32)) ^ c[1] ^ np.uint64(k0),
            q & low,
            (p >> np.uint64(32)) ^ c[3] ^ np.uint64(k1),
            p & low,
        ]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, axis=1).astype(np.uint32)


def random_words(key, n):
    """The first n words of a key's stream, laid out as in csrc/ops/dropout.c: 16 blocks abreast."""
    seed_low, seed_high, low, high = key.view(np.uint32)
    groups = -(-n // 64)
    block = np.arange(groups * 16, dtype=np.uint64)
    counter = np.stack(
        [
            block & np.uint64(0xFFFFFFFF),
            block >> np.uint64(32),
            np.full_like(block, low),
            np.full_like(block, high),
        ],
        axis=1,
    ).astype(np.uint32)
    words = philox4x32(counter, (seed_low, seed_high))
    return words.reshape(groups, 16, 4).transpose(0, 2, 1).reshape(-1)[:n]


def random_uniform(key, attrs):
    """In [0, 1): 24 bits of a word for float32, 53 bits of two words for float64."""
    n = int(np.prod(attrs["shape"]))
    if attrs["dtype"] == "float32":
        values = (random_words(key, n) >> 8) * 2.0**-24
    else:
        words = random_words(key, -(-n // 32) * 64).astype(np.uint64).reshape(-1, 2, 32)
        upper, lower = words[:, 0] >> np.uint64(5), words[:, 1] >> np.uint64(6)
        values = ((upper * 2.0**26 + lower) * 2.0**-53).reshape(-1)[:n]
    return values.reshape(attrs["shape"])


def dropout(x, key, rate):
    """x / (1 - rate) where the element's word is at least rate * 2^32."""
    kept = random_words(key, x.size).reshape(x.shape) >= int(rate * 2.0**32)
    return np.where(kept, x * (1 / (1 - rate)), 0)


def random_key(state):
    """The old state, and the state with its 64-bit counter one higher."""
    after = state.copy()
    counter = (int(after.view(np.uint64)[1]) + 1) % 2**64
    after.view(np.uint64)[1] = counter
    return [state, after]


def accumulate(state, v, w=None):
    """The sums, each with nothing lost yet."""
    w = np.ones_like(v) if w is None else w
    return [np.array([state[0] + state[1] + (w * v).sum(), 0, state[2] + state[3] + w.sum(), 0])]


def accumulate_products(sums, *factors):
    """Pairs of a sum and nothing lost yet."""
    total = sums.sum(axis=1) + np.prod(np.stack(factors), axis=0).sum(axis=0)
    return [np.stack([total, np.zeros_like(total)], axis=1)]


def accumulate_counts(counts, thresholds, label, score, weight=None):
    """Thresholds that each score exceeds, one by one."""
    total = counts.sum(axis=-1)
    weight = np.ones_like(score) if weight is None else weight
    n, c = np.nonzero((label >= 0) & (label < counts.shape[0]))
    bins = (score[n, c, None] > thresholds).sum(axis=-1)
    np.add.at(total, (label[n, c].astype(int), bins, c), weight[n, c])
    return [np.stack([total, np.zeros_like(total)], axis=-1)]


def top_k(x, k, smallest):
    """Sorted from the largest, NaN first, or from the smallest, NaN last; equal ones as they
    stood."""
    keys = (x, np.isnan(x)) if smallest else (-x, ~np.isnan(x))
    return np.lexsort(keys, axis=-1)[:, :k].astype(np.int32)


def cumsum(x, reverse, **blocks):
    """The running sums along the middle axis."""
    x = reduced(x, blocks)
    return np.flip(np.flip(x, 1).cumsum(1), 1) if reverse else x.cumsum(1)


ORACLE = {
    "negative": lambda x, a: [-x[0]],
    "exp": lambda x, a: [np.exp(x[0])],
    "expm1": lambda x, a: [np.expm1(x[0])],
    "log": lambda x, a: [np.log(x[0])],
    "log1p": lambda x, a: [np.log1p(x[0])],
    "erf": lambda x, a: [erf(x[0])],
    "sqrt": lambda x, a: [np.sqrt(x[0])],
    "square": lambda x, a: [x[0] * x[0]],
    "abs": lambda x, a: [np.abs(x[0])],
    "sign": lambda x, a: [np.sign(x[0])],
    "floor": lambda x, a: [np.floor(x[0])],
    "cos": lambda x, a: [np.cos(x[0])],
    "sin": lambda x, a: [np.sin(x[0])],
    "add": lambda x, a: [x[0] + x[1]],
    "subtract": lambda x, a: [x[0] - x[1]],
    "multiply": lambda x, a: [x[0] * x[1]],
    "divide": lambda x, a: [x[0] / x[1]],
    "power": lambda x, a: [np.power(x[0], x[1])],
    "maximum": lambda x, a: [np.maximum(x[0], x[1])],
    "minimum": lambda x, a: [np.minimum(x[0], x[1])],
    "squared_difference": lambda x, a: [(x[0] - x[1]) ** 2],
    "equal": lambda x, a: [(x[0] == x[1]) * 1.0],
    "greater": lambda x, a: [(x[0] > x[1]) * 1.0],
    "greater_equal": lambda x, a: [(x[0] >= x[1]) * 1.0],
    "where": lambda x, a: [np.where(x[0] != 0, x[1], x[2])],
    "cast": lambda x, a: [truncated(x[0]) if a["to_int"] else x[0].astype(a["dtype"])],
    "broadcast_to": lambda x, a: [np.broadcast_to(x[0], a["shape"])],
    "matmul": lambda x, a: [
        (x[0].T if a["transpose_a"] else x[0]) @ (x[1].T if a["transpose_b"] else x[1])
    ],
    "linear": lambda x, a: [activate(x[0] @ x[1] + (x[2] if len(x) == 3 else 0), **a)],
    "activation": lambda x, a: [activate(x[0], **a)],
    "activation_gradient": lambda x, a: [activation_gradient(x[0], x[1], **a)],
    "softmax": lambda x, a: [softmax(x[0])],
    "softmax_gradient": lambda x, a: [x[1] * (x[0] - (x[0] * x[1]).sum(axis=-1, keepdims=True))],
    "reduce_sum": lambda x, a: [reduced(x[0], a).sum(axis=1)],
    "reduce_max": lambda x, a: [reduced(x[0], a).max(axis=1)],
    "argmax": lambda x, a: [reduced(x[0], a).argmax(axis=1)],
    "sum_squares": lambda x, a: [(x[0] * x[0]).sum()],
    "sum_abs": lambda x, a: [np.abs(x[0]).sum()],
    "reshape": lambda x, a: [x[0].reshape(a["shape"])],
    "stop_gradient": lambda x, a: [x[0]],
    "first_order": lambda x, a: [x[0]],
    "first_order_gradient": lambda x, a: [x[0]],
    "transpose": lambda x, a: [x[0].transpose(a["axes"])],
    "slice": lambda x, a: [x[0][part(a, a["shape"])]],
    "slice_gradient": lambda x, a: [slice_gradient(x[0], a)],
    "concatenate": lambda x, a: [np.concatenate(x, a["axis"])],
    "scatter_add": lambda x, a: [scatter_add(*x, a["shape"])],
    "gather": lambda x, a: [gather(x[0], x[1] if len(x) == 2 else None, a)],
    "standardize": lambda x, a: [standardize(*x[:4], x[4] if len(x) == 5 else None, a)],
    "gather_csr": lambda x, a: [gather_csr(*x[:3], x[3] if len(x) == 4 else None, a)],
    "one_hot": lambda x, a: [one_hot(x[0], a["classes"])],
    "assign": lambda x, a: [x[1]],
    "assign_integers": lambda x, a: [a["keep"] * x[0] + a["sign"] * x[1]],
    "softmax_cross_entropy": lambda x, a: [softmax_cross_entropy(*x, **a)],
    "softmax_cross_entropy_gradient": lambda x, a: [softmax_cross_entropy_gradient(*x, **a)],
    "sigmoid_cross_entropy": lambda x, a: [sigmoid_cross_entropy(*x)],
    "sigmoid_cross_entropy_gradient": lambda x, a: [x[2] * (1 / (1 + np.exp(-x[0])) - x[1])],
    "accumulate": lambda x, a: accumulate(*x),
    "accumulate_products": lambda x, a: accumulate_products(*x),
    "accumulate_counts": lambda x, a: accumulate_counts(*x),
    "cumsum": lambda x, a: [cumsum(x[0], **a).reshape(x[0].shape)],
    "top_k": lambda x, a: [top_k(x[0], **a)],
    "random_key": lambda x, a: random_key(x[0]),
    "random_uniform": lambda x, a: [random_uniform(x[0], a)],
    "dropout": lambda x, a: [dropout(*x, **a)],
    **oracle_ctc.ORACLE,
    **oracle_optimizers.ORACLE,
    **oracle_attention.make(random_words),
    **oracle_recurrent.make(activate, activation_gradient),
}
