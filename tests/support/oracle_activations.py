"""Activations in plain NumPy: `ACTIVATIONS` and `SLOPES`, by `KINDS`' names, and the gates."""

import math

import numpy as np

from nnlite.ops.activation import GATES

GATE_NAMES = {number: name for number, name in enumerate(GATES)}
erf = np.vectorize(math.erf, otypes=[float])
_erfc = np.vectorize(math.erfc, otypes=[float])


def elu(x, alpha):
    """x above 0, alpha (e^x - 1) below."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


SELU = 1.0507009873554805, 1.7580993408473769

# What `oracle.activate` and `oracle.activation_gradient` choose from, by name.
ACTIVATIONS = {
    "capped_relu": lambda x, alpha: np.where(x < 0, 0, np.where(x > alpha, alpha, x)),
    "elu": elu,
    "selu": lambda x, alpha: np.where(x > 0, SELU[0] * x, elu(np.minimum(x, 0), SELU[1])),
    "softplus": lambda x, alpha: np.where(x > 0, x, 0) + np.log1p(np.exp(-np.abs(x))),
    "softsign": lambda x, alpha: np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x))),
    "hard_sigmoid": lambda x, alpha: np.clip((x + 3) / 6, 0, 1),
    "isru": lambda x, alpha: alpha * np.sin(np.arctan(x / alpha)),
}
SLOPES = {
    "capped_relu": lambda y, alpha: (y > 0) & (y < alpha),
    "elu": lambda y, alpha: np.where(y > 0, 1, y + alpha),
    "selu": lambda y, alpha: np.where(y > 0, SELU[0], y + SELU[1]),
    "softplus": lambda y, alpha: -np.expm1(-y),
    "softsign": lambda y, alpha: (1 - np.abs(y)) ** 2,
    "hard_sigmoid": lambda y, alpha: ((y > 0) & (y < 1)) / 6,
    "isru": lambda y, alpha: np.maximum(1 - (y / alpha) ** 2, 0) ** 1.5,
}


def normal_cdf(x):
    """The probability that a standard normal number is less than x, also where it is small."""
    exact = -np.asarray(x, np.longdouble) / np.sqrt(np.longdouble(2))
    z = exact.astype(np.float64)
    rest = np.where(np.isfinite(z), exact - z, 0)
    return _erfc(z) / 2 - np.exp(-exact * exact) / np.sqrt(np.longdouble(np.pi)) * rest


def gate(x, kind):
    """What x is multiplied by, and its derivative."""
    name = GATE_NAMES[kind]
    if name == "gelu":
        return normal_cdf(x), np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    if name == "hard_silu":
        return ACTIVATIONS["hard_sigmoid"](x, 0), ((x > -3) & (x < 3)) / 6
    if name == "mish":
        t = np.tanh(ACTIVATIONS["softplus"](x, 0))
        return t, (1 - t) * (1 + t) / (1 + np.exp(-x))
    z, dz = x, 1.0
    if name == "gelu_tanh":
        c = 2 * math.sqrt(2 / math.pi)
        z, dz = c * (x + 0.044715 * x**3), c * (1 + 3 * 0.044715 * x**2)
    s = 1 / (1 + np.exp(-z))
    return s, dz * s / (1 + np.exp(z))


def gated(x, kind):
    """x times its gate; the limit at -inf is 0."""
    return np.where(x == -np.inf, 0, x * gate(x, kind)[0])


def gated_gradient(dy, x, kind):
    """dy (gate + x gate'); the limits of the factor are 0 at -inf and 1 at inf."""
    value, slope = gate(x, kind)
    return dy * np.where(np.isinf(x), x > 0, value + x * slope)
