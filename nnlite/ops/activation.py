"""Activations. The results of softmax and sigmoid remember their logits, for the cross-entropies.

Activations in `KINDS` have derivatives that follow from their outputs: `linear` and `conv2d` can
apply them to their results. Activations in `GATES` are x times a function of x.
"""

import math
from numbers import Integral

from nnlite.engine.dispatch import Op
from nnlite.ops.elementwise import (
    abs,
    add,
    clip,
    exp,
    greater,
    greater_equal,
    multiply,
    negative,
    power,
    sign,
    sqrt,
    square,
    subtract,
    where,
)
from nnlite.ops.operands import axes_of, call, each, flag, number, operands
from nnlite.ops.reduce import sum as sum_along
from nnlite.ops.shape import reshape, transpose

# The numbers that csrc/math/activation.h gives them; a test compares the two.
_KINDS = "relu leaky_relu sigmoid tanh capped_relu elu selu softplus softsign hard_sigmoid isru"
KINDS = {name: number for number, name in enumerate(["linear", *_KINDS.split()])}
GATES = {name: number for number, name in enumerate("silu gelu gelu_tanh mish hard_silu".split())}

# For each activation whose derivative f'(y), a function of its output y, is not piecewise constant:
# the derivative of f' with respect to y.
_DERIVATIVE_RULES = {
    KINDS["sigmoid"]: lambda y, _: subtract(1.0, multiply(2.0, y)),
    KINDS["tanh"]: lambda y, _: multiply(-2.0, y),
    KINDS["elu"]: lambda y, _: greater_equal(0.0, y),
    KINDS["selu"]: lambda y, _: greater_equal(0.0, y),
    KINDS["softplus"]: lambda y, _: exp(negative(y)),
    KINDS["softsign"]: lambda y, _: multiply(-2.0, subtract(sign(y), y)),
    KINDS["isru"]: lambda y, limit: multiply(
        -3.0 / limit**2, multiply(y, sqrt(subtract(1.0, square(multiply(1.0 / limit, y)))))
    ),
}


def _activation_gradient(c, dy, need):
    return [activation_gradient(dy, c.outputs[0], **c.attrs)]


def _second_gradient(c, ddx, need):
    """The gradients of dx = dy * f'(y) with respect to dy and, by `_DERIVATIVE_RULES`, to y."""
    dy, y = c.inputs
    rule = _DERIVATIVE_RULES.get(c.attrs["kind"])
    return [
        activation_gradient(ddx, y, **c.attrs) if need[0] else None,
        multiply(multiply(ddx, dy), rule(y, c.attrs["alpha"])) if need[1] and rule else None,
    ]


_ATTRS = {"kind": int, "alpha": float}
_ACTIVATION = Op(
    "activation",
    infer=lambda x, **_: [x],
    attrs=_ATTRS,
    gradient=_activation_gradient,
    in_place=(0,),
    by_sample=(0,),
    elementwise=True,
)
Op(
    "activation_gradient",
    infer=lambda dy, y, **_: [y],
    attrs=_ATTRS,
    gradient=_second_gradient,
    fused_input=0,
    in_place=(0, 1),
    elementwise=True,
)


def activation_gradient(dy, y, kind, alpha):
    """The gradient with respect to an activation's input, from `dy` and its output `y`."""
    if kind == 0:
        return dy
    sparse = dy.sparse_grad
    if sparse is not None and sparse.source is y:  # the result is zero where dy is
        return sparse.rescatter(activation_gradient(sparse.values, sparse.selected, kind, alpha))
    return call("activation_gradient", [dy, y], kind=kind, alpha=alpha)


def activation(x, kind, alpha=0.0):
    """The activation that has the name `kind` in `KINDS`, with the parameter `alpha`."""
    return each(_ACTIVATION, x, kind=KINDS[kind], alpha=number("alpha", alpha))


def linear_activation(x):
    """x itself, as a tensor."""
    return operands(x)[0]


def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    """max(x, 0) for each element; NaN stays NaN.

    Parameters
    ----------
    x : tensor
    negative_slope : float, default 0.0
        Below the threshold the result is `negative_slope * (x - threshold)`.
    max_value : float, optional
        The upper limit of the result; None: there is none.
    threshold : float, default 0.0
        Elements up to the threshold are treated as negative.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.relu([-2.0, 0.5, 3.0], negative_slope=0.5, max_value=2.0).numpy()
    array([-1. ,  0.5,  2. ], dtype=float32)
    """
    negative_slope, threshold = (
        number("negative_slope", negative_slope),
        number("threshold", threshold),
    )
    max_value = None if max_value is None else number("max_value", max_value)
    if threshold == 0 and negative_slope == 0:
        if max_value is None:
            return activation(x, "relu")
        if max_value > 0:
            return activation(x, "capped_relu", max_value)
    if threshold == 0 and max_value is None and negative_slope > 0:
        return activation(x, "leaky_relu", negative_slope)
    (x,) = operands(x)
    y = where(greater_equal(threshold, x), 0.0, x)  # NaN stays NaN
    if max_value is not None:
        y = clip(y, 0.0, float(max_value))
    if negative_slope:
        y = subtract(y, multiply(negative_slope, relu(subtract(threshold, x))))
    return y


def relu6(x):
    """x clipped to [0, 6].

    Parameters
    ----------
    x : tensor
    """
    return activation(x, "capped_relu", 6.0)


def leaky_relu(x, negative_slope=0.2):
    """x where it is positive, else `negative_slope * x`.

    Parameters
    ----------
    x : tensor
    negative_slope : float, default 0.2
    """
    return relu(x, negative_slope)


def elu(x, alpha=1.0):
    """x where it is positive, else `alpha * (exp(x) - 1)`.

    D.-A. Clevert, T. Unterthiner, S. Hochreiter: "Fast and accurate deep network learning by
    exponential linear units", ICLR 2016.

    Parameters
    ----------
    x : tensor
    alpha : float of at least 0, default 1.0

    Raises
    ------
    ValueError
        If `alpha` is negative.
    """
    alpha = number("alpha", alpha)
    if not alpha >= 0:
        raise ValueError(f"elu: alpha: expected a number of at least 0, got {alpha!r}")
    return activation(x, "elu", alpha)


def selu(x):
    """1.0507 * elu(x, 1.6733), which keeps mean 0 and variance 1 (Klambauer et al., 2017).

    Parameters
    ----------
    x : tensor
    """
    return activation(x, "selu")


def softplus(x):
    """log(1 + exp(x)).

    Parameters
    ----------
    x : tensor
    """
    return activation(x, "softplus")


def softsign(x):
    """x / (1 + |x|).

    Parameters
    ----------
    x : tensor
    """
    return activation(x, "softsign")


def hard_sigmoid(x):
    """x / 6 + 1/2, clipped to [0, 1].

    Parameters
    ----------
    x : tensor
    """
    return activation(x, "hard_sigmoid")


def isru(x, limit=1.0):
    """The inverse square root unit, x / sqrt(1 + (x / limit)^2) (Carlile et al., 2017).

    Parameters
    ----------
    x : tensor
    limit : float above 0, default 1.0
        The result lies in (-limit, limit).

    Raises
    ------
    ValueError
        If `limit` is not positive.
    """
    limit = number("limit", limit)
    if not 0 < limit < math.inf:
        raise ValueError(f"isru: limit: expected a finite number above 0, got {limit!r}")
    return activation(x, "isru", limit)


def tanh(x):
    """The hyperbolic tangent.

    Parameters
    ----------
    x : tensor
    """
    return activation(x, "tanh")


def sigmoid(x):
    """1 / (1 + exp(-x)). The cross-entropies compute from `x` if they are given the result.

    Parameters
    ----------
    x : tensor
    """
    (x,) = operands(x)
    y = activation(x, "sigmoid")
    y.logits = ("sigmoid", x)
    return y


def _second_of_silu(x):
    s = sigmoid(x)
    bend = add(2.0, multiply(x, subtract(1.0, multiply(2.0, s))))
    return multiply(multiply(s, subtract(1.0, s)), bend)


def _second_of_gelu(x):
    density = multiply(1 / math.sqrt(2 * math.pi), exp(multiply(-0.5, square(x))))
    return multiply(subtract(2.0, square(x)), density)


def _second_of_gelu_tanh(x):
    c, a = math.sqrt(2 / math.pi), 0.044715
    t = tanh(multiply(c, add(x, multiply(a, power(x, 3.0)))))
    slope, bend = multiply(c, add(1.0, multiply(3 * a, square(x)))), multiply(6 * a * c, x)
    inner = subtract(bend, multiply(2.0, multiply(t, square(slope))))
    return multiply(subtract(1.0, square(t)), add(slope, multiply(0.5, multiply(x, inner))))


def _second_of_mish(x):
    t, s = tanh(softplus(x)), sigmoid(x)
    bend = multiply(x, subtract(1.0, multiply(s, add(1.0, multiply(2.0, t)))))
    return multiply(multiply(subtract(1.0, square(t)), s), add(2.0, bend))


def _second_of_hard_silu(x):
    return multiply(1 / 3, greater(3.0, abs(x)))


# The second derivative of x times its gate, by the gate.
_SECOND_DERIVATIVES = dict(
    zip(
        GATES.values(),
        (
            _second_of_silu,
            _second_of_gelu,
            _second_of_gelu_tanh,
            _second_of_mish,
            _second_of_hard_silu,
        ),
    )
)


def _second_gated_gradient(c, ddx, need):
    """The gradients of dx = dy * f'(x) with respect to dy and to x."""
    (dy, x), second = c.inputs, _SECOND_DERIVATIVES[c.attrs["gate"]]
    return [
        call("gated_activation_gradient", [ddx, x], **c.attrs) if need[0] else None,
        multiply(multiply(ddx, dy), second(x)) if need[1] else None,
    ]


Op(
    "gated_activation",
    infer=lambda x, **_: [x],
    attrs={"gate": int},
    gradient=lambda c, dy, need: [call("gated_activation_gradient", [dy, c.inputs[0]], **c.attrs)],
    in_place=(0,),
    by_sample=(0,),
    elementwise=True,
)
Op(
    "gated_activation_gradient",
    infer=lambda dy, x, **_: [x],
    attrs={"gate": int},
    gradient=_second_gated_gradient,
    in_place=(0, 1),
    elementwise=True,
)


def silu(x):
    """x * sigmoid(x), also called swish (Ramachandran, Zoph & Le, 2017).

    Parameters
    ----------
    x : tensor
    """
    return call("gated_activation", operands(x), gate=GATES["silu"])


def gelu(x, approximate=True):
    """x * P(X < x) for a standard normal X (Hendrycks & Gimpel, 2016).

    Parameters
    ----------
    x : tensor
    approximate : bool, default True
        Whether to compute x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2 instead; the
        layers' 'gelu' is exact.
    """
    gate = GATES["gelu_tanh" if flag("approximate", approximate) else "gelu"]
    return call("gated_activation", operands(x), gate=gate)


def mish(x):
    """x * tanh(softplus(x)) (Misra, 2020).

    Parameters
    ----------
    x : tensor
    """
    return call("gated_activation", operands(x), gate=GATES["mish"])


def hard_silu(x):
    """x * hard_sigmoid(x).

    Parameters
    ----------
    x : tensor
    """
    return call("gated_activation", operands(x), gate=GATES["hard_silu"])


def _infer_softmax(x, *_):
    if not x or x[-1] == 0:
        raise ValueError(f"softmax: expected a last axis of at least one class, got shape {x}")
    return [x]


def _through_softmax(dy, y):
    total = sum_along(multiply(dy, y), -1, keepdims=True)
    return [multiply(y, subtract(dy, total))]


def _through_log_softmax(dy, y):
    return [subtract(dy, multiply(exp(y), sum_along(dy, -1, keepdims=True)))]


for _name, _formula in ("softmax", _through_softmax), ("log_softmax", _through_log_softmax):
    Op(
        _name,
        infer=_infer_softmax,
        gradient=lambda c, dy, need, name=_name: [call(f"{name}_gradient", [dy, c.outputs[0]])],
        in_place=(0,) if _name == "softmax" else (),
    )
    Op(f"{_name}_gradient", infer=_infer_softmax, in_place=(0, 1), formula=_formula)


def along_axes(axis, function, x):
    """Apply a function that works along the last axis along others.

    Parameters
    ----------
    axis : int or tuple of int
    function : function of a tensor
    x : tensor
    """
    axes = axes_of(axis, x.shape)
    if not axes:
        raise ValueError(f"axis: expected at least one axis, got {axis!r}")
    order = [d for d in range(x.ndim) if d not in axes] + axes
    rows = transpose(x, order)
    shape = rows.shape
    if len(axes) > 1:
        rows = reshape(rows, (*shape[: -len(axes)], math.prod(shape[-len(axes) :])))
    back = sorted(range(x.ndim), key=order.__getitem__)
    return transpose(reshape(function(rows), shape), back)


def softmax(x, axis=-1):
    """exp(x) / sum(exp(x)) along an axis.

    An entry of -inf gets 0. Entries that hold inf, or nothing but -inf, have no softmax: they
    become NaN, as those that hold NaN. A cross-entropy along the last axis computes from `x` if it
    is given the result.

    Parameters
    ----------
    x : tensor
    axis : int, tuple of int or None, default -1
        Along several axes all their elements together sum to 1; None: along all axes.

    Raises
    ------
    ValueError
        If `x` has no such axis, or its last axis has no entry.
    """
    (x,) = operands(x)
    axis = tuple(range(x.ndim)) if axis is None else axis
    if not isinstance(axis, Integral) or axis not in (-1, x.ndim - 1):
        return along_axes(axis, softmax, x)
    y = call("softmax", [x])
    y.logits = ("softmax", x)
    return y


def log_softmax(x, axis=-1):
    """The logarithm of softmax(x) along an axis: x - log(sum(exp(x))), without overflow.

    An entry of -inf stays -inf; where softmax is NaN, so is this.

    Parameters
    ----------
    x : tensor
    axis : int, tuple of int or None, default -1
        None: along all axes.
    """
    (x,) = operands(x)
    axis = tuple(range(x.ndim)) if axis is None else axis
    if not isinstance(axis, Integral) or axis not in (-1, x.ndim - 1):
        return along_axes(axis, log_softmax, x)
    return call("log_softmax", [x])
