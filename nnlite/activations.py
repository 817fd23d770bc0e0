"""Activations by Keras's names: functions of a tensor.

Those in `FUSED` cost a Dense layer no pass of their own.
"""

from nnlite import ops, registry
from nnlite.ops import leaky_relu, relu, sigmoid, softmax, tanh


def linear(x):
    """x itself."""
    return ops.linear_activation(x)


_BY_NAME = {
    "linear": linear,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "sigmoid": sigmoid,
    "softmax": softmax,
    "tanh": tanh,
}

# What `ops.linear` computes in one pass: kind and slope. Sigmoid is not among them, because a loss
# wants its logits.
FUSED = {
    linear: ("linear", 0.0),
    relu: ("relu", 0.0),
    tanh: ("tanh", 0.0),
    leaky_relu: ("leaky_relu", 0.2),
}


def get(identifier):
    """An activation from its name, or a function written in `nnlite.ops`; None is linear."""
    if identifier is None:
        return linear
    return registry.find("activation", identifier, _BY_NAME, callable)
