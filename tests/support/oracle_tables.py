"""The ops that encode numbers of tables, and multiply by what they give, in plain NumPy, as in
`oracle.py`."""

import numpy as np


def piecewise_linear_encoding(x, lower, scale, bins, keep):
    """The part of each bin that lies below x; none of it for NaN."""
    through = (np.repeat(x, bins, axis=-1) - lower) * scale
    through = np.where(np.isnan(through), 0, np.clip(through, 0, 1))
    return np.concatenate([x, through], axis=-1) if keep else through


def encoded_linear(x, w, scale, lower, slope, bins, b=0.0, *, keep):
    """The product with the scaled encoding."""
    return piecewise_linear_encoding(x, lower, slope, bins, keep) * scale @ w + b


def encoded_linear_gradient(x, dy, w, scale, lower, slope, bins, keep):
    """What a product gives with the encoding in the place of x."""
    e = piecewise_linear_encoding(x, lower, slope, bins, keep)
    leading = list(range(x.ndim - 1))
    dscaled = np.tensordot(e, dy, (leading, leading))
    return [dscaled * scale[:, None], (dscaled * w).sum(axis=1)]


ORACLE = {
    "piecewise_linear_encoding": lambda x, a: [piecewise_linear_encoding(*x, **a)],
    "encoded_linear": lambda x, a: [encoded_linear(*x, **a)],
    "encoded_linear_gradient": lambda x, a: encoded_linear_gradient(*x, **a),
}
