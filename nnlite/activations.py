"""Activations by Keras's names: functions of a tensor, an array or a list.

Those with kernels of their own are in `nnlite.ops`, the others are composed of ops here. Those in
`FUSED` cost a Dense layer or a convolution no pass of their own.
"""

from nnlite import ops, registry
from nnlite.ops import (
    elu,
    gelu,
    hard_sigmoid,
    hard_silu,
    leaky_relu,
    log_softmax,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    tanh,
)

__all__ = [
    "celu",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]

swish, hard_swish = silu, hard_silu


def linear(x):
    """x itself."""
    return ops.linear_activation(x)


def exponential(x):
    """exp(x)."""
    return ops.exp(x)


def log_sigmoid(x):
    """log(sigmoid(x)), without overflow."""
    return ops.negative(softplus(ops.negative(x)))


def hard_tanh(x):
    """x limited to [-1, 1]."""
    return ops.clip(x, -1.0, 1.0)


def hard_shrink(x, threshold=0.5):
    """x where |x| is greater than `threshold`, else 0."""
    return ops.where(ops.greater(ops.abs(x), threshold), x, 0.0)


def soft_shrink(x, threshold=0.5):
    """x moved towards 0 by `threshold`, as far as 0."""
    return ops.subtract(x, ops.clip(x, -threshold, threshold))


def tanh_shrink(x):
    """x - tanh(x)."""
    return ops.subtract(x, tanh(x))


def threshold(x, threshold, default_value):
    """x where it is greater than `threshold`, else `default_value`."""
    return ops.where(ops.greater(x, threshold), x, default_value)


def celu(x, alpha=1.0):
    """x where it is positive, else `alpha * (exp(x / alpha) - 1)`, for a positive `alpha`.

    J. T. Barron: "Continuously differentiable exponential linear units", arXiv 1704.07483, 2017.
    """
    if not alpha > 0:
        raise ValueError(f"celu: expected alpha to be positive, got {alpha!r}")
    return elu(x) if alpha == 1 else ops.multiply(elu(ops.divide(x, alpha)), alpha)


def glu(x, axis=-1):
    """a * sigmoid(b), where a and b are the halves of x along `axis`, whose size is even.

    Y. N. Dauphin, A. Fan, M. Auli, D. Grangier: "Language modeling with gated convolutional
    networks", ICML 2017.
    """
    a, b = ops.split(x, 2, axis)
    return ops.multiply(a, sigmoid(b))


def squareplus(x, b=4):
    """(x + sqrt(x^2 + b)) / 2 (Barron, 2021)."""
    return ops.multiply(ops.add(x, ops.sqrt(ops.add(ops.square(x), b))), 0.5)


def sparse_plus(x):
    """0 up to -1, x from 1 on, and (x + 1)^2 / 4 in between."""
    bend = ops.multiply(ops.square(ops.add(ops.clip(x, -1.0, 1.0), 1.0)), 0.25)
    return ops.add(bend, ops.maximum(ops.subtract(x, 1.0), 0.0))


def sparse_sigmoid(x):
    """(x + 1) / 2, limited to [0, 1]."""
    return ops.clip(ops.multiply(ops.add(x, 1.0), 0.5), 0.0, 1.0)


def sparsemax(x, axis=-1):
    """The distribution nearest to x along `axis`: max(x - t, 0), with the t that makes its sum 1.

    Compares all pairs along the axis instead of sorting it: meant for up to some hundred classes.

    A. F. T. Martins, R. F. Astudillo: "From softmax to sparsemax", ICML 2016.
    """
    x = linear(x)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"sparsemax: expected an axis within {x.ndim} dimensions, got {axis} (shape {x.shape})"
        )
    axis %= x.ndim
    mine, theirs = ops.expand_dims(x, axis + 1), ops.expand_dims(x, axis)
    above = ops.greater_equal(theirs, mine)
    total = ops.sum(ops.multiply(above, theirs), axis + 1)
    kept = ops.greater(ops.add(ops.multiply(ops.sum(above, axis + 1), x), 1.0), total)
    mass = ops.subtract(ops.sum(ops.multiply(kept, x), axis, True), 1.0)
    t = ops.divide(mass, ops.sum(kept, axis, True))
    return ops.maximum(ops.subtract(x, t), 0.0)


_FUNCTIONS = (
    linear,
    relu,
    leaky_relu,
    relu6,
    elu,
    selu,
    celu,
    gelu,
    glu,
    silu,
    mish,
    sigmoid,
    hard_sigmoid,
    sparse_sigmoid,
    log_sigmoid,
    hard_silu,
    tanh,
    hard_tanh,
    tanh_shrink,
    hard_shrink,
    soft_shrink,
    threshold,
    softmax,
    log_softmax,
    sparsemax,
    softplus,
    squareplus,
    sparse_plus,
    softsign,
    exponential,
)
_BY_NAME = {function.__name__: function for function in _FUNCTIONS} | {
    "swish": silu,
    "hard_swish": hard_silu,
}

# What `ops.linear` computes in one pass: kind and alpha. Not sigmoid: a loss wants its logits.
FUSED = {
    linear: ("linear", 0.0),
    relu: ("relu", 0.0),
    leaky_relu: ("leaky_relu", 0.2),
    relu6: ("capped_relu", 6.0),
    tanh: ("tanh", 0.0),
    elu: ("elu", 1.0),
    selu: ("selu", 0.0),
    softplus: ("softplus", 0.0),
    softsign: ("softsign", 0.0),
    hard_sigmoid: ("hard_sigmoid", 0.0),
}


def get(identifier):
    """An activation from its name, or a function written in `nnlite.ops`; None is linear."""
    if identifier is None:
        return linear
    return registry.find("activation", identifier, _BY_NAME, callable)
