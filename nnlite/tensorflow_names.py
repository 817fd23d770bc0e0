"""TensorFlow's names of which training loops are made, for `import nnlite as tf`.

They are names of `nnlite` itself. Arguments stand in TensorFlow's order. Integers are int32.
"""

import contextlib
import itertools
from typing import NamedTuple

import numpy as np

from nnlite import backend, ops
from nnlite.checks import check_shape, is_number
from nnlite.engine.recording import tracing
from nnlite.engine.tensor import Tensor, convert_to_tensor
from nnlite.errors import memory_for, prefixed
from nnlite.math import (
    abs,
    add,
    argmax,
    argmin,
    divide,
    equal,
    exp,
    greater,
    greater_equal,
    less,
    less_equal,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    pow,
    reduce_all,
    reduce_any,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_sum,
    sigmoid,
    sign,
    sqrt,
    square,
    subtract,
    tanh,
)
from nnlite.ops.shape import filled
from nnlite.optimizers.gradients import norm_of

__all__ = [
    "TensorSpec",
    "abs",
    "add",
    "argmax",
    "argmin",
    "broadcast_to",
    "cast",
    "clip_by_global_norm",
    "clip_by_norm",
    "clip_by_value",
    "concat",
    "cos",
    "cumsum",
    "device",
    "divide",
    "einsum",
    "equal",
    "executing_eagerly",
    "exp",
    "expand_dims",
    "eye",
    "fill",
    "float32",
    "float64",
    "floor",
    "function",
    "gather",
    "greater",
    "greater_equal",
    "int32",
    "int64",
    "is_tensor",
    "less",
    "less_equal",
    "linspace",
    "logical_and",
    "logical_not",
    "logical_or",
    "matmul",
    "maximum",
    "minimum",
    "multiply",
    "name_scope",
    "negative",
    "newaxis",
    "norm",
    "not_equal",
    "one_hot",
    "ones_like",
    "pow",
    "print",
    "range",
    "rank",
    "reduce_all",
    "reduce_any",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_sum",
    "reshape",
    "round",
    "shape",
    "sigmoid",
    "sign",
    "sin",
    "size",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "stop_gradient",
    "string",
    "subtract",
    "tanh",
    "tile",
    "transpose",
    "unstack",
    "where",
    "zeros_like",
]


class TensorSpec(NamedTuple):
    """What a tensor is like, for `function(input_signature=...)` and
    `data.Dataset.from_generator(output_signature=...)`.

    Parameters
    ----------
    shape : tuple of int or None
        None where the size may be any.
    dtype : str, default 'float32'
    name : str, optional
    """

    shape: tuple
    dtype: str = "float32"
    name: str = None


float32, float64, int32, int64 = "float32", "float64", "int32", "int32"
string = "string"
newaxis, print = None, print
shape, rank, size = backend.shape, backend.ndim, backend.count_params
broadcast_to, cast, clip_by_value = ops.broadcast_to, ops.cast, ops.clip
einsum, matmul = ops.einsum, ops.matmul
ones_like, zeros_like = ops.ones_like, ops.zeros_like
expand_dims, squeeze, stack, where = ops.expand_dims, ops.squeeze, ops.stack, ops.where
stop_gradient = ops.stop_gradient
cos, sin, floor, round = ops.cos, ops.sin, ops.floor, ops.round
logical_and, logical_or, logical_not = ops.logical_and, ops.logical_or, ops.logical_not


def clip_by_global_norm(t_list, clip_norm, use_norm=None):
    """Tensors, scaled down together so that the norm of all elements is at most `clip_norm`.

    Parameters
    ----------
    t_list : list of tensor or None
        Such as the gradients of a model.
    clip_norm : float above 0
    use_norm : float, optional
        The norm of all elements, where it is known.

    Returns
    -------
    list of tensor or None, Tensor
        The tensors, and the norm that they had.

    Examples
    --------
    >>> import nnlite as tf
    >>> clipped, norm = tf.clip_by_global_norm([tf.ones((4,)), None], 1.0)
    >>> clipped[0].numpy(), norm.item()
    (array([0.5, 0.5, 0.5, 0.5], dtype=float32), 2.0)
    """
    known = [t for t in t_list if t is not None]
    total = norm_of(known) if use_norm is None else ops.convert_to_tensor(use_norm)
    scale = clip_norm / ops.maximum(total, clip_norm)
    return [t if t is None else ops.multiply(t, scale) for t in t_list], total


def clip_by_norm(t, clip_norm, axes=None):
    """A tensor, scaled down so that its norm is at most `clip_norm`.

    Parameters
    ----------
    t : tensor
    clip_norm : float above 0
    axes : int or list of int, optional
        The norm of the elements along these axes; by default of all.
    """
    total = ops.sqrt(ops.sum(ops.square(t), axes, keepdims=True))
    return ops.multiply(t, clip_norm / ops.maximum(total, clip_norm))


def norm(tensor, ord="euclidean", axis=None, keepdims=False):
    """The norm of vectors or matrices; with `axis=None` that of all elements as one vector.

    Parameters
    ----------
    tensor : tensor
    ord : {'euclidean', 'fro', 1, 2, inf} or float, default 'euclidean'
    axis : int or tuple of two int, optional
    keepdims : bool, default False
    """
    x = ops.convert_to_tensor(tensor)
    if axis is None:
        flat = ops.norm(ops.reshape(x, (-1,)), 2 if isinstance(ord, str) else ord)
        return ops.reshape(flat, (1,) * x.ndim) if keepdims else flat
    return ops.norm(x, None if ord == "euclidean" else ord, axis, keepdims)


def gather(params, indices, axis=0):
    """Entries of a tensor along an axis, by their numbers.

    Parameters
    ----------
    params : tensor
    indices : int or array of int
    axis : int, default 0
    """
    return ops.take(params, indices, axis)


def is_tensor(x):
    """Whether this is a tensor or a Variable.

    Parameters
    ----------
    x : object
    """
    return isinstance(x, Tensor)


def tile(input, multiples):
    """A tensor beside itself along axes.

    Parameters
    ----------
    input : tensor
    multiples : list of int
        One number for each axis.
    """
    return ops.tile(input, multiples)


def cumsum(x, axis=0):
    """The sum of each entry and of those before it along an axis.

    Parameters
    ----------
    x : tensor
    axis : int, default 0
    """
    return ops.cumsum(x, axis)


def linspace(start, stop, num):
    """Numbers at equal distances from `start` to `stop`.

    Parameters
    ----------
    start, stop : float or tensor
    num : int
    """
    return ops.linspace(start, stop, num)


def concat(values, axis):
    """Join tensors along an axis.

    Parameters
    ----------
    values : list of tensor
        Their shapes may differ along `axis` only.
    axis : int
    """
    return ops.concatenate(values, axis)


def split(value, num_or_size_splits, axis=0):
    """Cut a tensor along an axis into a list of tensors.

    Parameters
    ----------
    value : tensor
    num_or_size_splits : int or list of int
        The number of equal parts, or the size of each part.
    axis : int, default 0
    """
    parts = num_or_size_splits
    if isinstance(parts, (list, tuple)):
        parts = list(itertools.accumulate(parts))[:-1]
    return ops.split(value, parts, axis)


def unstack(value, num=None, axis=0):
    """The list of the entries of a tensor along an axis, each without it.

    Parameters
    ----------
    value : tensor
    num : int, optional
        The length of the axis, which is known.
    axis : int, default 0
    """
    return ops.unstack(value, num, axis)


def reshape(tensor, shape):
    """The same elements in the same order in another shape.

    Parameters
    ----------
    tensor : tensor
    shape : sequence of int
        One entry may be -1: it follows from the number of elements.
    """
    return ops.reshape(tensor, shape)


def transpose(a, perm=None):
    """`a` with its axes in another order.

    Parameters
    ----------
    a : tensor
    perm : sequence of int, optional
        Axis d of the result is axis `perm[d]` of a; by default in reverse order.
    """
    return ops.transpose(a, perm)


def one_hot(indices, depth):
    """One-hot vectors of labels, along a new last axis.

    Parameters
    ----------
    indices : integer tensor
        Labels in [0, depth).
    depth : int
    """
    return ops.one_hot(indices, depth)


def range(start, limit=None, delta=1):
    """The numbers from `start`, in steps of `delta`, that are below `limit`.

    Parameters
    ----------
    start, limit : number
        A single number is the limit; the start is 0 then.
    delta : number, default 1
    """
    given = (0, start, delta) if limit is None else (start, limit, delta)
    with prefixed("range: "):
        first, end, step = (v if is_number(v) else convert_to_tensor(v).item() for v in given)
        if step == 0:
            raise ValueError("delta: expected a number other than 0, got 0")
    return convert_to_tensor(np.arange(first, end, step))


def fill(dims, value):
    """A tensor whose elements are all `value`.

    Parameters
    ----------
    dims : sequence of int
        Its shape.
    value : number
    """
    with prefixed("fill: "):
        shape, value = check_shape("dims", dims), convert_to_tensor(value)
        if value.shape:
            raise ValueError(f"value: expected a single number, got shape {value.shape}")
    return filled("fill", shape, value.item(), value.dtype)


def eye(num_rows, num_columns=None):
    """A matrix of ones on the diagonal and zeros elsewhere.

    Parameters
    ----------
    num_rows : int
    num_columns : int, optional
        By default as many as rows.
    """
    columns = num_rows if num_columns is None else num_columns
    shape = check_shape("eye: num_rows, num_columns", (num_rows, columns))
    with memory_for("eye", shape, "float64"):
        return convert_to_tensor(np.eye(*shape))


def function(func=None, **options):
    """Mark a function as TensorFlow compiles it; here it runs as it is, op by op.

    `fit` compiles a model's `train_step`, and with it whatever that calls.

    Parameters
    ----------
    func : function, optional
        Without it, a decorator is returned.
    **options
        Ignored.

    Returns
    -------
    function
        `func` itself.
    """
    return (lambda given: given) if func is None else func


def device(device_name):
    """A block in which TensorFlow would compute elsewhere; here it is the CPU.

    Parameters
    ----------
    device_name : str
        Ignored.
    """
    return contextlib.nullcontext(device_name)


def name_scope(name):
    """A block in which TensorFlow names what it makes; here names do not change.

    Parameters
    ----------
    name : str
        Ignored.
    """
    return contextlib.nullcontext(name)


def executing_eagerly():
    """Whether functions compute at once: not while a model's step or `call` is traced."""
    return not tracing()
