"""Activations by Keras's names: functions of a tensor.

Those in `FUSED` cost a Dense layer no pass of their own.
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

swish, hard_swish = silu, hard_silu


def linear(x):
    """x itself."""
    return ops.linear_activation(x)


def exponential(x):
    """exp(x)."""
    return ops.exp(x)


_BY_NAME = {
    "linear": linear,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "relu6": relu6,
    "elu": elu,
    "selu": selu,
    "gelu": gelu,
    "silu": silu,
    "swish": silu,
    "mish": mish,
    "sigmoid": sigmoid,
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": hard_silu,
    "hard_swish": hard_silu,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "softplus": softplus,
    "softsign": softsign,
    "tanh": tanh,
    "exponential": exponential,
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
