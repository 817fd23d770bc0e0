"""Keras 2's `keras.backend`, usually imported as K: its names for functions of `nnlite.ops`.

The functions accept tensors, variables, arrays, lists and numbers. Comparisons return 1 and 0.
"""

import numpy as np

from nnlite import config, constraints, losses, names, nn, ops
from nnlite.configurable import forget_names
from nnlite.engine.symbolic import Symbol
from nnlite.engine.tensor import Tensor, Variable, convert_to_tensor

__all__ = [
    "abs",
    "all",
    "any",
    "argmax",
    "argmin",
    "backend",
    "batch_flatten",
    "binary_crossentropy",
    "cast",
    "categorical_crossentropy",
    "clear_session",
    "clip",
    "concatenate",
    "constant",
    "count_params",
    "dot",
    "dropout",
    "dtype",
    "elu",
    "epsilon",
    "equal",
    "eval",
    "exp",
    "expand_dims",
    "flatten",
    "floatx",
    "get_value",
    "greater",
    "greater_equal",
    "image_data_format",
    "int_shape",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "l2_normalize",
    "less",
    "less_equal",
    "log",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "ndim",
    "not_equal",
    "one_hot",
    "ones",
    "ones_like",
    "permute_dimensions",
    "pow",
    "random_normal",
    "random_uniform",
    "relu",
    "reshape",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_value",
    "shape",
    "sigmoid",
    "sign",
    "softmax",
    "softplus",
    "softsign",
    "sparse_categorical_crossentropy",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "standardize_dtype",
    "std",
    "sum",
    "switch",
    "tanh",
    "transpose",
    "update",
    "update_add",
    "update_sub",
    "var",
    "variable",
    "where",
    "zeros",
    "zeros_like",
]

__getattr__ = names.of(__name__)

epsilon, set_epsilon = config.epsilon, config.set_epsilon
floatx, set_floatx = config.floatx, config.set_floatx
image_data_format = config.image_data_format
set_image_data_format, backend = config.set_image_data_format, config.backend

abs, all, any, cast, clip = ops.abs, ops.all, ops.any, ops.cast, ops.clip
elu, equal = ops.elu, ops.equal
exp, greater, greater_equal, less = ops.exp, ops.greater, ops.greater_equal, ops.less
less_equal, log, max, maximum, mean = ops.less_equal, ops.log, ops.max, ops.maximum, ops.mean
min, minimum, not_equal, one_hot = ops.min, ops.minimum, ops.not_equal, ops.one_hot
ones, ones_like, reshape, sigmoid = ops.ones, ops.ones_like, ops.reshape, ops.sigmoid
sign, softmax, softplus, softsign = ops.sign, ops.softmax, ops.softplus, ops.softsign
sqrt, square, squeeze, stack, std = ops.sqrt, ops.square, ops.squeeze, ops.stack, ops.std
sum, tanh, transpose, var, where = ops.sum, ops.tanh, ops.transpose, ops.var, ops.where
zeros, zeros_like = ops.zeros, ops.zeros_like
pow, permute_dimensions = ops.power, ops.transpose
dropout, l2_normalize = nn.dropout, nn.l2_normalize


def argmax(x, axis=-1):
    """The index of the first maximum along an axis, int32.

    Parameters
    ----------
    x : tensor
    axis : int, default -1
    """
    return ops.argmax(x, axis)


def argmin(x, axis=-1):
    """The index of the first minimum along an axis, int32.

    Parameters
    ----------
    x : tensor
    axis : int, default -1
    """
    return ops.argmin(x, axis)


def concatenate(tensors, axis=-1):
    """Join tensors along an axis.

    Parameters
    ----------
    tensors : list of tensor
    axis : int, default -1
    """
    return ops.concatenate(tensors, axis)


def clear_session():
    """Begin to number the names of optimizers again. Models share no other state."""
    forget_names()


def constant(value, dtype=None, shape=None, name=None):
    """A tensor of `value`.

    Parameters
    ----------
    value : array-like
    dtype : {'float32', 'float64', 'int32'}, default `floatx()`
    shape : tuple of int, optional
        The shape to which `value` is broadcast; by default its own.
    name : str, optional
        Ignored.
    """
    tensor = convert_to_tensor(value, dtype or floatx())
    return tensor if shape is None else ops.broadcast_to(tensor, shape)


def variable(value, dtype=None, name="variable", constraint=None):
    """A Variable with the initial value `value`.

    Parameters
    ----------
    value : array-like
    dtype : {'float32', 'float64', 'int32'}, default `floatx()`
    name : str, default 'variable'
    constraint : str, Constraint or function of the values, optional
        What optimizers make of the values after each step.
    """
    made = Variable(value, name=name, dtype=dtype or floatx())
    made.constraint = constraints.get(constraint)
    return made


def get_value(x):
    """The values of a tensor as a NumPy array.

    Parameters
    ----------
    x : tensor
    """
    return convert_to_tensor(x).numpy()


eval = get_value


def set_value(x, value):
    """Copy an array into a variable.

    Parameters
    ----------
    x : Variable
    value : array-like of the same shape
    """
    x.assign(value)


def update(x, new_x):
    """Overwrite a variable; inside of a model this becomes a step of its computation.

    Parameters
    ----------
    x : Variable
    new_x : tensor of the same shape
    """
    ops.assign(x, new_x)


def update_add(x, increment):
    """Add to a variable; inside of a model this becomes a step of its computation.

    Parameters
    ----------
    x : Variable
    increment : tensor of the same shape
    """
    ops.assign(x, ops.add(x, increment))


def update_sub(x, decrement):
    """Subtract from a variable; inside of a model this becomes a step of its computation.

    Parameters
    ----------
    x : Variable
    decrement : tensor of the same shape
    """
    ops.assign(x, ops.subtract(x, decrement))


shape = int_shape = ops.shape


def ndim(x):
    """The number of axes of a tensor.

    Parameters
    ----------
    x : tensor
    """
    return len(shape(x))


def count_params(x):
    """The number of elements of a tensor.

    Parameters
    ----------
    x : tensor
    """
    return convert_to_tensor(x).size


def dtype(x):
    """The dtype of a tensor: 'float32', 'float64' or 'int32'.

    Parameters
    ----------
    x : tensor
    """
    return x.dtype if isinstance(x, Tensor) else convert_to_tensor(x).dtype


def standardize_dtype(dtype):
    """The name of a type of numbers.

    Parameters
    ----------
    dtype : str, type, NumPy's dtype or None
        None is `floatx()`.

    Raises
    ------
    ValueError
        If it is no type of numbers, truth values or strings.

    Examples
    --------
    >>> import numpy as np
    >>> from nnlite import backend
    >>> backend.standardize_dtype(np.uint8), backend.standardize_dtype(None)
    ('uint8', 'float32')
    """
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", dtype)
    name = {None: floatx(), "str": "string", "float": floatx(), "int": "int32"}.get(name, name)
    if name in ("bfloat16", "string"):
        return name
    try:
        found = np.dtype(name)
    except TypeError:
        found = None
    if found is None or found.kind not in "biufc":
        raise ValueError(f"dtype: expected a type of numbers, such as 'float32', got {dtype!r}")
    return found.name


def is_float_dtype(dtype):
    """Whether a type of numbers is that of real numbers.

    Parameters
    ----------
    dtype : str, type or NumPy's dtype
    """
    return "float" in standardize_dtype(dtype)


def is_int_dtype(dtype):
    """Whether a type of numbers is that of integers.

    Parameters
    ----------
    dtype : str, type or NumPy's dtype
    """
    return "int" in standardize_dtype(dtype)


def is_keras_tensor(x):
    """Whether a value is a symbol, of which functional models are made.

    Parameters
    ----------
    x : object
    """
    return isinstance(x, Symbol)


def relu(x, alpha=0.0, max_value=None, threshold=0.0):
    """max(x, 0), for the default arguments.

    Parameters
    ----------
    x : tensor
    alpha : float, default 0.0
        Below the threshold the result is `alpha * (x - threshold)`.
    max_value : float, optional
        The upper limit of the result; None: there is none.
    threshold : float, default 0.0
    """
    return ops.relu(x, alpha, max_value, threshold)


def dot(x, y):
    """The product of a tensor with a matrix.

    Parameters
    ----------
    x : tensor, shape (..., K)
    y : tensor, shape (K, N)

    Returns
    -------
    Tensor, shape (..., N)
    """
    return ops.linear(x, y)


def expand_dims(x, axis=-1):
    """`x` with a new axis of size 1.

    Parameters
    ----------
    x : tensor
    axis : int, default -1
        The position of the new axis in the result.
    """
    return ops.expand_dims(x, axis)


def flatten(x):
    """All elements along one axis.

    Parameters
    ----------
    x : tensor
    """
    return ops.reshape(x, (-1,))


def batch_flatten(x):
    """The elements of each sample along one axis, of shape (N, elements).

    Parameters
    ----------
    x : tensor
    """
    return ops.reshape(x, (shape(x)[0], -1))


def switch(condition, then_expression, else_expression):
    """`then_expression` where `condition` is not 0, else `else_expression`.

    Parameters
    ----------
    condition : tensor
        If it has fewer axes than the expressions, it gets axes of size 1 at the end.
    then_expression, else_expression : tensor, or function without arguments that returns one
    """
    a, b = (f() if callable(f) else f for f in (then_expression, else_expression))
    extra = ndim(a) - ndim(condition)
    if ndim(condition) and extra > 0:
        condition = ops.reshape(condition, (*shape(condition), *(1,) * extra))
    return ops.where(condition, a, b)


def random_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Normal random numbers.

    Parameters
    ----------
    shape : tuple of int
    mean : float, default 0.0
    stddev : float, default 1.0
    dtype : {'float32', 'float64'}, default `floatx()`
    seed : int, optional
        Outside of a model, calls with the same seed return the same numbers.
    """
    noise = ops.random_normal(nn.random_key(seed), shape, dtype)
    return ops.add(ops.multiply(noise, stddev), mean)


def random_uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """Uniform random numbers in [minval, maxval).

    Parameters
    ----------
    shape : tuple of int
    minval : float, default 0.0
    maxval : float, default 1.0
    dtype : {'float32', 'float64'}, default `floatx()`
    seed : int, optional
        Outside of a model, calls with the same seed return the same numbers.
    """
    noise = ops.random_uniform(nn.random_key(seed), shape, dtype)
    return ops.add(ops.multiply(noise, maxval - minval), minval)


def binary_crossentropy(target, output, from_logits=False):
    """The binary cross-entropy of each element.

    Parameters
    ----------
    target, output : tensors of one shape
        Targets in [0, 1]; probabilities, or logits if `from_logits`.
    from_logits : bool, default False
    """
    target, output = ops.expand_dims(target, -1), ops.expand_dims(output, -1)
    return losses.binary_crossentropy(target, output, from_logits)


def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """The cross-entropy of each row.

    Parameters
    ----------
    target, output : tensors, shape (..., L)
        Distributions over classes; probabilities, or logits if `from_logits`.
    from_logits : bool, default False
    axis : int, default -1
        Must be the last axis.
    """
    _only_last(axis, output)
    return losses.categorical_crossentropy(target, output, from_logits)


def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """The cross-entropy of each row, with integer labels.

    Parameters
    ----------
    target : integer tensor, shape (...)
        Labels in [0, L).
    output : tensor, shape (..., L)
        Probabilities, or logits if `from_logits`.
    from_logits : bool, default False
    axis : int, default -1
        Must be the last axis.
    """
    _only_last(axis, output)
    return losses.sparse_categorical_crossentropy(target, output, from_logits)


def _only_last(axis, output):
    if axis not in (-1, ndim(output) - 1):
        raise ValueError(f"expected the classes on the last axis, got axis {axis}")
