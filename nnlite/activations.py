"""Activations by Keras's names: functions of a tensor, an array or a list.

Activations that have their own kernel are ops of `nnlite.ops`; the others are composed of ops here.
A Dense layer or a convolution computes those in `FUSED` in the same pass as its product.
"""

from numbers import Integral

from nnlite import identifiers, names, ops
from nnlite.checks import check_number, check_setting
from nnlite.ops import (
    elu,
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
from nnlite.ops.activation import along_axes
from nnlite.serialization import serialize_keras_object

__all__ = [
    "celu",
    "deserialize",
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
    "serialize",
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

__getattr__ = names.of(__name__)

swish, hard_swish = silu, hard_silu


def linear(x):
    """x itself, as a tensor.

    Parameters
    ----------
    x : tensor or array-like

    Returns
    -------
    Tensor
        Of the shape of x.
    """
    return ops.linear_activation(x)


def gelu(x, approximate=False):
    """x * P(X < x) for a standard normal X (Hendrycks & Gimpel, 2016).

    Parameters
    ----------
    x : tensor or array-like
    approximate : bool, default False
        Whether to compute x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2 instead.

    Returns
    -------
    Tensor
        Of the shape of x.
    """
    return ops.gelu(x, approximate)


def exponential(x):
    """exp(x).

    Parameters
    ----------
    x : tensor or array-like

    Returns
    -------
    Tensor
        Of the shape of x.
    """
    return ops.exp(x)


def log_sigmoid(x):
    """log(sigmoid(x)), computed without overflow.

    Parameters
    ----------
    x : tensor or array-like

    Returns
    -------
    Tensor
        Of the shape of x.
    """
    return ops.negative(softplus(ops.negative(x)))


def hard_tanh(x):
    """x limited to [-1, 1].

    Parameters
    ----------
    x : tensor or array-like

    Returns
    -------
    Tensor
        Of the shape of x.
    """
    return ops.clip(x, -1.0, 1.0)


def hard_shrink(x, threshold=0.5):
    """x if |x| > threshold, else 0.

    Parameters
    ----------
    x : tensor or array-like
    threshold : float, default 0.5

    Returns
    -------
    Tensor
        Of the shape of x.
    """
    check_number("threshold", threshold, "[0, inf)", "hard_shrink")
    return ops.where(ops.less_equal(ops.abs(x), float(threshold)), 0.0, x)


def soft_shrink(x, threshold=0.5):
    """sign(x) * max(|x| - threshold, 0).

    Parameters
    ----------
    x : tensor or array-like
    threshold : float, default 0.5

    Returns
    -------
    Tensor
        Of the shape of x.
    """
    check_number("threshold", threshold, "[0, inf)", "soft_shrink")
    return ops.subtract(x, ops.clip(x, -threshold, threshold))


def tanh_shrink(x):
    """x - tanh(x).

    Parameters
    ----------
    x : tensor or array-like

    Returns
    -------
    Tensor
        Of the shape of x.
    """
    return ops.subtract(x, tanh(x))


def threshold(x, threshold, default_value):
    """x if x > threshold, else default_value.

    Parameters
    ----------
    x : tensor or array-like
    threshold : float
    default_value : float

    Returns
    -------
    Tensor
        Of the shape of x.
    """
    check_number("threshold", threshold, "(-inf, inf)", "threshold")
    check_number("default_value", default_value, "(-inf, inf)", "threshold")
    return ops.where(ops.less_equal(x, float(threshold)), float(default_value), x)


def celu(x, alpha=1.0):
    """x if x > 0, else alpha * (exp(x / alpha) - 1).

    J. T. Barron: "Continuously differentiable exponential linear units", arXiv 1704.07483, 2017.

    Parameters
    ----------
    x : tensor or array-like
    alpha : float above 0, default 1.0

    Returns
    -------
    Tensor
        Of the shape of x.
    """
    check_number("alpha", alpha, "(0, inf)", "celu")
    return elu(x) if alpha == 1 else ops.multiply(elu(ops.divide(x, alpha)), alpha)


def glu(x, axis=-1):
    """a * sigmoid(b), where a and b are the halves of x along an axis.

    Y. N. Dauphin, A. Fan, M. Auli, D. Grangier: "Language modeling with gated convolutional
    networks", ICML 2017.

    Parameters
    ----------
    x : tensor or array-like
    axis : int, default -1
        Its size must be even.

    Returns
    -------
    Tensor
        Half as large along `axis`.
    """
    check_setting("axis", axis, "int", "glu")
    a, b = ops.split(x, 2, int(axis))
    return ops.multiply(a, sigmoid(b))


def squareplus(x, b=4):
    """(x + sqrt(x^2 + b)) / 2.

    J. T. Barron: "Squareplus: a softplus-like algebraic rectifier", arXiv 2112.11687, 2021.

    Parameters
    ----------
    x : tensor or array-like
    b : float, default 4
        Larger values make the bend at 0 wider.

    Returns
    -------
    Tensor
        Of the shape of x.
    """
    # The formula of the definition would subtract infinity from infinity, and lose digits below 0.
    near = ops.clip(x, -1e18, 1e18)  # its square is finite; beyond, b does not matter
    root = ops.sqrt(ops.add(ops.square(near), b))
    return ops.add(relu(x), ops.divide(ops.multiply(0.5, b), ops.add(ops.abs(x), root)))


def sparse_plus(x):
    """0 if x <= -1, (x + 1)^2 / 4 if -1 < x < 1, x if x >= 1.

    Parameters
    ----------
    x : tensor or array-like

    Returns
    -------
    Tensor
        Of the shape of x.
    """
    bend = ops.multiply(ops.square(ops.add(ops.clip(x, -1.0, 1.0), 1.0)), 0.25)
    return ops.add(bend, ops.maximum(ops.subtract(x, 1.0), 0.0))


def sparse_sigmoid(x):
    """(x + 1) / 2, limited to [0, 1].

    Parameters
    ----------
    x : tensor or array-like

    Returns
    -------
    Tensor
        Of the shape of x.
    """
    return ops.clip(ops.multiply(ops.add(x, 1.0), 0.5), 0.0, 1.0)


def sparsemax(x, axis=-1):
    """max(x - t, 0) with the t for which the sum along an axis is 1.

    This is the distribution with the smallest Euclidean distance to x. An entry of -inf gets 0;
    where softmax is NaN, so is this. All pairs along the axis are compared instead of sorted, so
    time and memory are quadratic in the number of classes.

    A. F. T. Martins, R. F. Astudillo: "From softmax to sparsemax", ICML 2016.

    Parameters
    ----------
    x : tensor or array-like
    axis : int or tuple of int, default -1
        The axis of the classes; along several axes all their elements together sum to 1.

    Returns
    -------
    Tensor
        Of the shape of x.
    """
    x = linear(x)
    if not isinstance(axis, Integral) or axis not in (-1, x.ndim - 1):
        return along_axes(axis, sparsemax, x)
    axis = x.ndim - 1
    # What is less than the maximum by 1 gets 0. Clipped, it is finite, and its share is still 0.
    x = ops.maximum(x, ops.subtract(ops.max(x, axis, keepdims=True), 2.0))
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

# The activations that `ops.linear` computes in the same pass -> the op's kind and alpha. Sigmoid is
# not one of them: a loss needs its logits.
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
    """The activation for an identifier.

    Parameters
    ----------
    identifier : str, dict, callable or None
        - a name: 'relu', 'softmax', ..., or the name of a registered function,
        - a dict with the name as its 'config',
        - a function written in `nnlite.ops`, which is returned itself,
        - None, for `linear`.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If the identifier is of another kind.
    """
    if identifier is None:
        return linear
    return identifiers.find("activation", identifier, _BY_NAME, callable)


def _serialized(activation):
    """The name of a function of nnlite; the config of any other."""
    if isinstance(activation, (str, type(None))):
        raise ValueError(f"expected a function, got {activation!r}")
    ours = _BY_NAME.get(getattr(activation, "__name__", None)) is activation
    return activation.__name__ if ours else serialize_keras_object(activation)


serialize, deserialize = identifiers.as_dicts(__name__, "activation", get, "relu", _serialized)
