"""Keras 2's `keras.backend`, imported as K: its names for what `nnlite.ops` and others compute.

All take tensors, variables, arrays, lists and numbers. Comparisons give 1 and 0.
"""

from nnlite import config, losses, nn, ops
from nnlite.engine.tensor import Tensor, Variable, convert_to_tensor

epsilon, set_epsilon = config.epsilon, config.set_epsilon
floatx, set_floatx = config.floatx, config.set_floatx
image_data_format = config.image_data_format

abs, all, any, argmax, argmin = ops.abs, ops.all, ops.any, ops.argmax, ops.argmin
cast, clip, concatenate, elu, equal = ops.cast, ops.clip, ops.concatenate, ops.elu, ops.equal
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


def clear_session():
    """Nothing: models share no state that would have to be cleared."""


def constant(value, dtype=None, shape=None, name=None):
    """A tensor of `value`, by default in `floatx()`, repeated to fill `shape`."""
    tensor = convert_to_tensor(value, dtype or floatx())
    return tensor if shape is None else ops.broadcast_to(tensor, shape)


def variable(value, dtype=None, name="variable", constraint=None):
    """A Variable that begins as `value`, by default in `floatx()`."""
    if constraint is not None:
        raise ValueError("variable: constraints are not supported")
    return Variable(value, name=name, dtype=dtype or floatx())


def get_value(x):
    """The values of a tensor or variable as an array."""
    return convert_to_tensor(x).numpy()


eval = get_value


def set_value(x, value):
    """Copy an array into a variable."""
    x.assign(value)


def update(x, new_x):
    """Make `new_x` the value of a variable, as a step of what is computed."""
    ops.assign(x, new_x)


def update_add(x, increment):
    """Add to a variable, as a step of what is computed."""
    ops.assign(x, ops.add(x, increment))


def update_sub(x, decrement):
    """Subtract from a variable, as a step of what is computed."""
    ops.assign(x, ops.subtract(x, decrement))


def shape(x):
    """The sizes of the axes, a tuple; None for the batch of a symbol."""
    return tuple(x.shape) if hasattr(x, "shape") else convert_to_tensor(x).shape


int_shape = shape


def ndim(x):
    """How many axes there are."""
    return len(shape(x))


def count_params(x):
    """How many elements there are."""
    return convert_to_tensor(x).size


def dtype(x):
    """'float32', 'float64' or 'int32'."""
    return x.dtype if isinstance(x, Tensor) else convert_to_tensor(x).dtype


def relu(x, alpha=0.0, max_value=None, threshold=0.0):
    """max(x, 0), with a slope `alpha` below the threshold and an upper limit if asked."""
    return ops.relu(x, alpha, max_value, threshold)


def dot(x, y):
    """The product of x (..., K) with a matrix y (K, N)."""
    return ops.linear(x, y)


def expand_dims(x, axis=-1):
    """`x` with a new axis of one entry, by default at the end."""
    return ops.expand_dims(x, axis)


def flatten(x):
    """All elements along one axis."""
    return ops.reshape(x, (-1,))


def batch_flatten(x):
    """The elements of each sample along one axis."""
    return ops.reshape(x, (shape(x)[0], -1))


def switch(condition, then_expression, else_expression):
    """The one where `condition` is not 0, else the other; either may be a function without
    arguments. A condition for each sample serves its whole row."""
    a, b = (f() if callable(f) else f for f in (then_expression, else_expression))
    extra = ndim(a) - ndim(condition)
    if ndim(condition) and extra > 0:
        condition = ops.reshape(condition, (*shape(condition), *(1,) * extra))
    return ops.where(condition, a, b)


def random_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Normal numbers; with a seed, the same at each call outside of a model."""
    noise = ops.random_normal(nn.random_key(seed), shape, dtype)
    return ops.add(ops.multiply(noise, stddev), mean)


def random_uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """Uniform numbers in [minval, maxval); with a seed, the same at each call outside of a
    model."""
    noise = ops.random_uniform(nn.random_key(seed), shape, dtype)
    return ops.add(ops.multiply(noise, maxval - minval), minval)


def binary_crossentropy(target, output, from_logits=False):
    """The cross-entropy of each element of `output`, probabilities or logits."""
    target, output = ops.expand_dims(target, -1), ops.expand_dims(output, -1)
    return losses.binary_crossentropy(target, output, from_logits)


def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """The cross-entropy of each row of probabilities or logits; the classes are on the last
    axis."""
    _only_last(axis, output)
    return losses.categorical_crossentropy(target, output, from_logits)


def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """The same for integer targets."""
    _only_last(axis, output)
    return losses.sparse_categorical_crossentropy(target, output, from_logits)


def _only_last(axis, output):
    if axis not in (-1, ndim(output) - 1):
        raise ValueError(f"expected the classes on the last axis, got axis {axis}")
