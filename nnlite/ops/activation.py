"""Activations as ops: `linear` fuses the cheap ones.

Softmax and sigmoid remember their logits, from which a loss is computed without rounding twice.
"""

from nnlite.dispatch import Op
from nnlite.ops.elementwise import multiply, subtract
from nnlite.ops.operands import call, operands

# The numbers that csrc/activation.h gives them.
KINDS = {"linear": 0, "relu": 1, "leaky_relu": 2, "sigmoid": 3, "tanh": 4}


def _activation_gradient(c, dy, need):
    return [activation_gradient(dy, c.outputs[0], **c.attrs)]


def _second_gradient(c, ddx, need):
    """Of dx = dy * f'(y): linear in dy; with respect to y only where f' depends smoothly on it."""
    dy, y = c.inputs
    kind = c.attrs["kind"]
    to_dy = activation_gradient(ddx, y, **c.attrs) if need[0] else None
    if not need[1] or kind not in (KINDS["sigmoid"], KINDS["tanh"]):
        return [to_dy, None]
    slope = subtract(1.0, multiply(2.0, y)) if kind == KINDS["sigmoid"] else multiply(-2.0, y)
    return [to_dy, multiply(multiply(ddx, dy), slope)]


_ATTRS = {"kind": int, "alpha": float}
Op("activation", infer=lambda x, **_: [x], attrs=_ATTRS, gradient=_activation_gradient)
Op("activation_gradient", infer=lambda dy, y, **_: [y], attrs=_ATTRS, gradient=_second_gradient)


def activation_gradient(dy, y, kind, alpha):
    """The gradient before an activation, from the gradient after it and its output `y`."""
    return dy if kind == 0 else call("activation_gradient", [dy, y], kind=kind, alpha=alpha)


def activation(x, kind, alpha=0.0):
    """One of the fusable activations by its name in `KINDS`."""
    return call("activation", operands(x), kind=KINDS[kind], alpha=alpha)


def linear_activation(x):
    """x itself."""
    return operands(x)[0]


def relu(x):
    """max(x, 0), element by element; NaN stays NaN."""
    return activation(x, "relu")


def leaky_relu(x, negative_slope=0.2):
    """x where it is positive, else `negative_slope * x`."""
    return activation(x, "leaky_relu", negative_slope)


def tanh(x):
    """The hyperbolic tangent."""
    return activation(x, "tanh")


def sigmoid(x):
    """1 / (1 + exp(-x)). A cross-entropy of the result is computed from `x`."""
    (x,) = operands(x)
    y = activation(x, "sigmoid")
    y.logits = ("sigmoid", x)
    return y


def _softmax_gradient(c, dy, need):
    return [call("softmax_gradient", [dy, c.outputs[0]])]


def _at_least_one_axis(x, *_):
    if not x or x[-1] == 0:
        raise ValueError(f"softmax: expected a last axis of at least one class, got shape {x}")
    return [x]


Op("softmax", infer=_at_least_one_axis, gradient=_softmax_gradient)
Op("softmax_gradient", infer=_at_least_one_axis)


def softmax(x):
    """exp(x) / sum(exp(x)) over the last axis; a cross-entropy of it is computed from `x`."""
    (x,) = operands(x)
    y = call("softmax", [x])
    y.logits = ("softmax", x)
    return y
