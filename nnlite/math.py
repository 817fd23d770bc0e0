"""TensorFlow's `tf.math`: its names for functions of `nnlite.ops`.

The functions accept tensors, arrays, lists and numbers. Comparisons return 1 and 0.
"""

from nnlite import names, nn, ops

__all__ = [
    "abs",
    "add",
    "argmax",
    "argmin",
    "ceil",
    "cos",
    "divide",
    "equal",
    "exp",
    "floor",
    "greater",
    "greater_equal",
    "l2_normalize",
    "less",
    "less_equal",
    "log",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "pow",
    "reduce_all",
    "reduce_any",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_std",
    "reduce_sum",
    "reduce_variance",
    "sigmoid",
    "sign",
    "sin",
    "softplus",
    "sqrt",
    "square",
    "squared_difference",
    "subtract",
    "tanh",
]

__getattr__ = names.of(__name__)

abs, add, subtract, multiply, divide = ops.abs, ops.add, ops.subtract, ops.multiply, ops.divide
ceil, floor, cos, sin, exp, log = ops.ceil, ops.floor, ops.cos, ops.sin, ops.exp, ops.log
equal, not_equal, greater, less = ops.equal, ops.not_equal, ops.greater, ops.less
greater_equal, less_equal = ops.greater_equal, ops.less_equal
maximum, minimum, negative, pow, sign = ops.maximum, ops.minimum, ops.negative, ops.power, ops.sign
sqrt, square, squared_difference = ops.sqrt, ops.square, ops.squared_difference
l2_normalize, sigmoid, softplus, tanh = nn.l2_normalize, nn.sigmoid, nn.softplus, nn.tanh
reduce_all, reduce_any, reduce_sum, reduce_mean = ops.all, ops.any, ops.sum, ops.mean
reduce_max, reduce_min, reduce_std, reduce_variance = ops.max, ops.min, ops.std, ops.var


def argmax(input, axis=0):
    """The index of the first maximum along an axis, int32.

    Parameters
    ----------
    input : tensor
    axis : int, default 0
        The result does not have this axis.
    """
    return ops.argmax(input, axis)


def argmin(input, axis=0):
    """The index of the first minimum along an axis, int32.

    Parameters
    ----------
    input : tensor
    axis : int, default 0
        The result does not have this axis.
    """
    return ops.argmin(input, axis)
