"""TensorFlow's `tf.nn`: its names and arguments for functions of `nnlite.ops`.

The functions accept tensors, arrays, lists and numbers. They return tensors, which NumPy and
Matplotlib read as arrays. TensorFlow's argument `name` is accepted and ignored.
"""

from nnlite import activations, names, ops
from nnlite.engine.symbolic import supports_symbols
from nnlite.ops.operands import integers
from nnlite.seeds import state_of

__all__ = [
    "avg_pool",
    "avg_pool2d",
    "batch_normalization",
    "bias_add",
    "conv2d",
    "depthwise_conv2d",
    "dropout",
    "elu",
    "gelu",
    "l2_loss",
    "l2_normalize",
    "leaky_relu",
    "log_softmax",
    "max_pool",
    "max_pool2d",
    "moments",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "sigmoid_cross_entropy_with_logits",
    "silu",
    "softmax",
    "softmax_cross_entropy_with_logits",
    "softplus",
    "softsign",
    "sparse_softmax_cross_entropy_with_logits",
    "swish",
    "tanh",
]

__getattr__ = names.of(__name__)


_FEATURES = """Parameters
----------
features : tensor
name : str, optional
    Ignored.
"""


def _named(function, doc):
    """`function` with TensorFlow's additional argument `name`."""

    def named(features, name=None):
        return function(features)

    named.__name__ = named.__qualname__ = function.__name__
    named.__doc__ = f"{doc}\n\n{_FEATURES}"
    return named


relu = _named(ops.relu, "max(x, 0).")
relu6 = _named(ops.relu6, "x clipped to [0, 6].")
elu = _named(ops.elu, "x where it is positive, else exp(x) - 1.")
selu = _named(ops.selu, "1.0507 * elu(x, 1.6733).")
sigmoid = _named(ops.sigmoid, "1 / (1 + exp(-x)).")
tanh = _named(ops.tanh, "The hyperbolic tangent.")
softplus = _named(ops.softplus, "log(1 + exp(x)).")
softsign = _named(ops.softsign, "x / (1 + |x|).")


def leaky_relu(features, alpha=0.2, name=None):
    """x where it is positive, else `alpha * x`.

    Parameters
    ----------
    features : tensor
    alpha : float, default 0.2
    name : str, optional
        Ignored.
    """
    return ops.leaky_relu(features, alpha)


def gelu(features, approximate=False, name=None):
    """x * P(X < x) for a standard normal X.

    Parameters
    ----------
    features : tensor
    approximate : bool, default False
        Whether to compute the approximation by tanh instead.
    name : str, optional
        Ignored.
    """
    return ops.gelu(features, approximate)


def silu(features, beta=1.0):
    """x * sigmoid(beta * x).

    Parameters
    ----------
    features : tensor
    beta : float, default 1.0
    """
    if beta == 1:
        return ops.silu(features)
    return ops.multiply(features, ops.sigmoid(ops.multiply(features, beta)))


swish = silu


def softmax(logits, axis=-1, name=None):
    """exp(x) / sum(exp(x)) along an axis.

    Parameters
    ----------
    logits : tensor
    axis : int, default -1
    name : str, optional
        Ignored.
    """
    return ops.softmax(logits, -1 if axis is None else axis)


def log_softmax(logits, axis=-1, name=None):
    """log(softmax(x)) along an axis.

    Parameters
    ----------
    logits : tensor
    axis : int, default -1
    name : str, optional
        Ignored.
    """
    return ops.log_softmax(logits, -1 if axis is None else axis)


def random_key(seed):
    """A key for one random op, made from `seed`, or from the next seed of nnlite if it is None."""
    return ops.random_key(state_of(seed))


@supports_symbols
def dropout(x, rate, noise_shape=None, seed=None, name=None):
    """0 with probability `rate`, else x / (1 - rate), for each element, in training or not.

    Parameters
    ----------
    x : tensor
    rate : float in [0, 1)
    noise_shape : tuple of int, optional
        Shape of the mask, which broadcasts to that of x; by default that of x.
    seed : int, optional
        Calls with the same seed drop the same elements. Each training step of a model draws a new
        mask nevertheless.
    name : str, optional
        Ignored.
    """
    (x,) = ops.operands(x)
    if noise_shape is None:
        return ops.dropout(x, random_key(seed), rate)
    return ops.multiply(x, ops.dropout(ops.ones(noise_shape, x.dtype), random_key(seed), rate))


dropout.__module__ = __name__


def _height_and_width(name, value):
    """One number or (height, width) from TensorFlow's 1, 2 or 4 numbers, (1, height, width, 1)."""
    if not isinstance(value, (list, tuple)) or len(value) == 2:
        return value
    if len(value) == 1:
        return value[0]
    if len(value) != 4 or value[0] != 1 or value[3] != 1:
        raise ValueError(f"{name}: expected 1, 2 or (1, height, width, 1) numbers, got {value!r}")
    return tuple(value[1:3])


def _padding(padding):
    return padding.lower() if isinstance(padding, str) else padding


def _only_nhwc(data_format):
    if data_format not in (None, "NHWC"):
        raise ValueError(f"data_format: expected 'NHWC', got {data_format!r}")


def conv2d(input, filters, strides, padding, data_format="NHWC", dilations=None, name=None):
    """Convolution of images.

    Parameters
    ----------
    input : tensor, shape (N, H, W, C)
    filters : tensor, shape (KH, KW, C, F)
    strides : int, pair of int or (1, height, width, 1)
        In pixels.
    padding : {'VALID', 'SAME'}
    data_format : {'NHWC'}
    dilations : int, pair of int or (1, height, width, 1), default 1
    name : str, optional
        Ignored.

    Returns
    -------
    Tensor, shape (N, OH, OW, F)

    Examples
    --------
    >>> from nnlite import nn, ops
    >>> nn.conv2d(ops.ones((1, 5, 5, 2)), ops.ones((3, 3, 2, 4)), [1, 2, 2, 1], "SAME").shape
    (1, 3, 3, 4)
    """
    _only_nhwc(data_format)
    steps = _height_and_width("strides", strides)
    apart = _height_and_width("dilations", 1 if dilations is None else dilations)
    return ops.conv2d(input, filters, strides=steps, padding=padding, dilation_rate=apart)


def depthwise_conv2d(
    input, filter, strides, padding, data_format="NHWC", dilations=None, name=None
):
    """Convolution of each channel with its own filters.

    Parameters
    ----------
    input : tensor, shape (N, H, W, C)
    filter : tensor, shape (KH, KW, C, multiplier)
    strides, padding, data_format, dilations
        As for `conv2d`.
    name : str, optional
        Ignored.

    Returns
    -------
    Tensor, shape (N, OH, OW, C * multiplier)
    """
    _only_nhwc(data_format)
    steps = _height_and_width("strides", strides)
    apart = _height_and_width("dilations", 1 if dilations is None else dilations)
    return ops.depthwise_conv2d(input, filter, strides=steps, padding=padding, dilation_rate=apart)


def max_pool2d(input, ksize, strides, padding, data_format="NHWC", name=None):
    """The maximum of each window.

    Parameters
    ----------
    input : tensor, shape (N, H, W, C)
    ksize : int, pair of int or (1, height, width, 1)
        Size of a window, in pixels.
    strides : int, pair of int or (1, height, width, 1)
        Distance between windows, in pixels.
    padding : {'VALID', 'SAME'}
    data_format : {'NHWC'}
    name : str, optional
        Ignored.
    """
    _only_nhwc(data_format)
    size, steps = _height_and_width("ksize", ksize), _height_and_width("strides", strides)
    return ops.max_pool2d(input, size, steps, _padding(padding))


def avg_pool2d(input, ksize, strides, padding, data_format="NHWC", name=None):
    """The mean of each window.

    Parameters
    ----------
    input : tensor, shape (N, H, W, C)
    ksize : int, pair of int or (1, height, width, 1)
        Size of a window, in pixels.
    strides : int, pair of int or (1, height, width, 1)
        Distance between windows, in pixels.
    padding : {'VALID', 'SAME'}
    data_format : {'NHWC'}
    name : str, optional
        Ignored.
    """
    _only_nhwc(data_format)
    size, steps = _height_and_width("ksize", ksize), _height_and_width("strides", strides)
    return ops.average_pool2d(input, size, steps, _padding(padding))


max_pool, avg_pool = max_pool2d, avg_pool2d


def bias_add(value, bias, data_format=None, name=None):
    """value + bias.

    Parameters
    ----------
    value : tensor, shape (..., C)
    bias : tensor, shape (C,)
    data_format : {None, 'NHWC'}
    name : str, optional
        Ignored.
    """
    _only_nhwc(data_format)
    return ops.add(value, bias)


def batch_normalization(x, mean, variance, offset, scale, variance_epsilon, name=None):
    """(x - mean) / sqrt(variance + variance_epsilon) * scale + offset.

    Parameters
    ----------
    x : tensor
    mean, variance : tensors of shapes that broadcast
    offset, scale : tensor of a shape that broadcasts, or None
    variance_epsilon : float
    name : str, optional
        Ignored.
    """
    y = ops.divide(ops.subtract(x, mean), ops.sqrt(ops.add(variance, variance_epsilon)))
    y = y if scale is None else ops.multiply(y, scale)
    return y if offset is None else ops.add(y, offset)


def moments(x, axes, shift=None, keepdims=False, name=None):
    """The mean and the biased variance over axes.

    Parameters
    ----------
    x : tensor
    axes : int, sequence of int or None
        None: all axes.
    shift
        Ignored, as in TensorFlow.
    keepdims : bool, default False
        Whether the reduced axes remain with size 1.
    name : str, optional
        Ignored.

    Returns
    -------
    mean, variance : Tensors
    """
    return ops.mean(x, axes, keepdims), ops.var(x, axes, keepdims)


def l2_normalize(x, axis=None, epsilon=1e-12, name=None):
    """x / sqrt(max(sum(x * x), epsilon)).

    Parameters
    ----------
    x : tensor
    axis : int or sequence of int, optional
        Axes of the sum; by default all.
    epsilon : float, default 1e-12
    name : str, optional
        Ignored.
    """
    total = ops.sum(ops.square(x), axis, True)
    return ops.divide(x, ops.sqrt(ops.maximum(total, epsilon)))


def l2_loss(t, name=None):
    """sum(t * t) / 2.

    Parameters
    ----------
    t : tensor
    name : str, optional
        Ignored.
    """
    return ops.multiply(ops.sum_squares(t), 0.5)


def softmax_cross_entropy_with_logits(labels, logits, axis=-1, name=None):
    """-sum(labels * log(softmax(logits))) along an axis.

    Parameters
    ----------
    labels, logits : tensors of one shape
        Each row of labels, along `axis`, is a distribution over classes.
    axis : int, default -1
        The axis of the classes; the result does not have it.
    name : str, optional
        Ignored.

    Examples
    --------
    >>> from nnlite import nn
    >>> nn.softmax_cross_entropy_with_logits([[0.0, 1.0]], [[0.0, 0.0]]).numpy()
    array([0.6931472], dtype=float32)
    """
    return ops.negative(ops.sum(ops.multiply(labels, ops.log_softmax(logits, axis)), axis))


def sparse_softmax_cross_entropy_with_logits(labels, logits, name=None):
    """-log(softmax(logits))[label] for each row.

    Parameters
    ----------
    labels : integer tensor, shape (...)
        In [0, L).
    logits : tensor, shape (..., L)
    name : str, optional
        Ignored.

    Returns
    -------
    Tensor, shape (...)
    """
    logits = activations.linear(logits)
    if not logits.shape:
        raise ValueError("logits: expected one number for each class, got shape ()")
    rows = ops.reshape(logits, (-1, logits.shape[-1]))
    labels = ops.reshape(integers(labels, "labels"), (-1,))
    return ops.reshape(ops.softmax_cross_entropy(rows, labels), logits.shape[:-1])


def sigmoid_cross_entropy_with_logits(labels=None, logits=None, name=None):
    """-labels * log(sigmoid(logits)) - (1 - labels) * log(1 - sigmoid(logits)) for each element.

    Parameters
    ----------
    labels, logits : tensors of one shape
        Labels in [0, 1].
    name : str, optional
        Ignored.
    """
    return ops.sigmoid_cross_entropy(logits, labels)
