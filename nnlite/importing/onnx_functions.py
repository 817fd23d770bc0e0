"""What the operators of ONNX compute, in ops: a function for each, of (node, operands).

An operand is a Tensor of a trace, or an array where its values are known; None where it is left
out. Truth values are real numbers, 1 and 0."""

import math

import numpy as np

from nnlite import ops
from nnlite.engine.tensor import Tensor
from nnlite.ops.padding import pad2d


def known(value, what):
    """Integers that a function must know, such as axes."""
    if value is None or isinstance(value, Tensor):
        raise ValueError(f"expected {what} that are known, got {value!r:.60}")
    return [int(v) for v in np.asarray(value).ravel()]


def real(x):
    """A tensor of real numbers."""
    return ops.operands(x)[0]


def _same(function):
    return lambda node, *xs: function(*xs)


def _axes_of(node, given, ndim, default=None):
    """Axes, which are an attribute in old versions and an input in new ones."""
    axes = node.settings.get("axes") if given is None else known(given, "axes")
    return default if axes is None else [a % ndim for a in axes]


def _in_turn(function):
    """Of two or more operands."""

    def every(node, first, *others):
        for x in others:
            first = function(first, x)
        return first

    return every


def _reduced(function):
    def reduce(node, x, axes=None):
        axes = _axes_of(node, axes, x.ndim)
        if axes is None and node.settings.get("noop_with_empty_axes"):
            return x
        kept = bool(node.settings.get("keepdims", 1))
        return function(x, None if axes is None else tuple(axes), kept)

    return reduce


def _norm(x, axis, keepdims):
    return ops.sqrt(ops.sum(ops.square(x), axis, keepdims))


def _arg(function):
    def place(node, x):
        if node.settings.get("select_last_index"):
            raise ValueError("expected the first of equal entries, got select_last_index=1")
        axis, kept = node.settings.get("axis", 0), bool(node.settings.get("keepdims", 1))
        return function(x, axis, kept)

    return place


def _softmax(function):
    def along(node, x):
        if node.version >= 13:
            return function(x, node.settings.get("axis", -1))
        axis = node.settings.get("axis", 1) % x.ndim
        rows = ops.reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))
        return ops.reshape(function(rows, -1), x.shape)

    return along


def _clip(node, x, low=None, high=None):
    low, high = (
        node.settings.get(name) if value is None else value
        for name, value in (("min", low), ("max", high))
    )
    x = x if low is None else ops.maximum(x, low)
    return x if high is None else ops.minimum(x, high)


def _divide(node, x, y):
    """Of integers the whole part."""
    quotient = ops.divide(x, y)
    return ops.trunc(quotient) if all(np.dtype(v.dtype).kind in "iu" for v in (x, y)) else quotient


def _normal_share(x):
    """How much of a normal distribution lies below x: gelu(x) / x."""
    there = ops.where(x, x, 1.0)
    return ops.where(x, ops.divide(ops.gelu(there, approximate=False), there), 0.5)


def _erf(node, x):
    share = _normal_share(ops.multiply(real(x), math.sqrt(2)))
    return ops.subtract(ops.multiply(2.0, share), 1.0)


def _gelu(node, x):
    return ops.gelu(x, approximate=node.settings.get("approximate") == "tanh")


def _hard_sigmoid(node, x):
    alpha, beta = node.settings.get("alpha", 0.2), node.settings.get("beta", 0.5)
    return ops.clip(ops.add(ops.multiply(x, alpha), beta), 0.0, 1.0)


def _selu(node, x):
    alpha = node.settings.get("alpha", 1.6732632423543772)
    return ops.multiply(ops.elu(x, alpha), node.settings.get("gamma", 1.0507009873554805))


def _prelu(node, x, slope):
    if node.version < 7 and slope.shape == x.shape[1:2]:  # one for each channel
        (slope,) = _over_channels(x, slope)
    return ops.where(ops.greater(x, 0.0), x, ops.multiply(x, slope))


def _cast(node, x):
    """Truth values and real numbers are of one kind."""
    kind = node.settings["to"]
    if kind == 9:
        return ops.not_equal(x, 0.0)
    return ops.cast(x, "int32") if kind in (2, 3, 4, 5, 6, 7, 12, 13) else real(x)


# --- shapes


def _reshape(node, x, shape):
    target = known(shape, "the sizes of a shape")
    kept = not node.settings.get("allowzero")
    target = [x.shape[i] if not n and kept else n for i, n in enumerate(target)]
    if node.batch is not None and target and target[0] == node.batch:
        target[0] = x.shape[0]  # the file says how many rows there are; here there are any
    return ops.reshape(x, tuple(target))


def _flatten(node, x):
    axis = node.settings.get("axis", 1)
    axis += x.ndim if axis < 0 else 0
    return ops.reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


def _transpose(node, x):
    return ops.transpose(x, node.settings.get("perm"))


def _squeeze(node, x, axes=None):
    every = [d for d, n in enumerate(x.shape) if n == 1]
    axes = _axes_of(node, axes, x.ndim, every)
    return ops.reshape(x, tuple(n for d, n in enumerate(x.shape) if d not in axes))


def _unsqueeze(node, x, axes=None):
    axes = node.settings.get("axes") if axes is None else known(axes, "axes")
    shape = list(x.shape)
    for axis in sorted(a % (x.ndim + len(axes)) for a in axes):
        shape.insert(axis, 1)
    return ops.reshape(x, tuple(shape))


def _concat(node, *xs):
    return ops.concatenate(list(xs), node.settings["axis"])


def _split(node, x, sizes=None):
    axis, sizes = (
        node.settings.get("axis", 0),
        node.settings.get("split") if sizes is None else sizes,
    )
    if sizes is None:
        parts = len(node.outputs)
        size = -(-x.shape[axis] // parts)
        sizes = [size] * (parts - 1)
    begins = np.cumsum(known(sizes, "sizes of parts"))[: len(node.outputs) - 1]
    return ops.split(x, begins.tolist(), axis)


def _slice(node, x, starts=None, ends=None, axes=None, steps=None):
    if starts is None:
        starts, ends, axes = (node.settings.get(name) for name in ("starts", "ends", "axes"))
    starts, ends = known(starts, "places"), known(ends, "places")
    axes = range(len(starts)) if axes is None else known(axes, "axes")
    steps = [1] * len(starts) if steps is None else known(steps, "steps")
    key = [slice(None)] * x.ndim
    for axis, begin, end, step in zip(axes, starts, ends, steps):
        n = x.shape[axis]
        stop = None if step < 0 and end < -n else end
        key[axis] = slice(begin, stop, step)
    return x[tuple(key)]


def _gather(node, x, index):
    axis = node.settings.get("axis", 0)
    x = x if isinstance(x, Tensor) else ops.convert_to_tensor(x)
    if not isinstance(index, Tensor):
        index = np.asarray(index)
        if not index.ndim:
            place = int(index) % x.shape[axis]
            return x[(*[slice(None)] * (axis % x.ndim), place)]
    return ops.take(x, index, axis)


def _expand(node, x, shape):
    shape = known(shape, "the sizes of a shape")
    return ops.broadcast_to(real(x), np.broadcast_shapes(x.shape, tuple(shape)))


def _tile(node, x, times):
    times = known(times, "numbers of copies")
    if max(times, default=1) > 2**16:
        raise ValueError(f"expected at most {2**16} copies, got {max(times)}")
    for axis, n in enumerate(times):
        x = ops.concatenate([x] * n, axis) if n != 1 else x
    return x


def _pad(node, x, pads=None, value=None, axes=None):
    mode = node.settings.get("mode", "constant")
    pads = node.settings.get("pads") if pads is None else known(pads, "margins")
    axes = range(x.ndim) if axes is None else known(axes, "axes")
    value = (
        node.settings.get("value", 0.0) if value is None else float(np.asarray(value).ravel()[0])
    )
    for i, axis in enumerate(axes):
        x = pad_axis(x, axis % x.ndim, pads[i], pads[i + len(pads) // 2], mode, value)
    return x


def pad_axis(x, axis, before, after, mode, value):
    """Margins along one axis; negative ones take away."""
    n = x.shape[axis]
    key = [slice(None)] * axis
    if before < 0 or after < 0:
        x = x[(*key, slice(max(-before, 0), n - max(-after, 0)))]
        before, after, n = max(before, 0), max(after, 0), x.shape[axis]
    if not (before or after):
        return x
    if mode == "constant" and not value:
        rows = ops.reshape(x, (math.prod(x.shape[:axis]), n, 1, math.prod(x.shape[axis + 1 :])))
        y = pad2d(rows, ((before, after), (0, 0)))
        return ops.reshape(y, (*x.shape[:axis], n + before + after, *x.shape[axis + 1 :]))
    if mode == "constant":
        sides = [
            ops.broadcast_to(real(value), (*x.shape[:axis], size, *x.shape[axis + 1 :]))
            for size in (before, after)
        ]
        parts = [sides[0], x, sides[1]]
        return ops.concatenate([part for part in parts if part.shape[axis]], axis)
    kind = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}.get(mode)
    if kind is None:
        raise ValueError(f"expected a Pad of mode constant, reflect, edge or wrap, got {mode!r}")
    return ops.take(x, np.pad(np.arange(n), (before, after), kind), axis)


# --- products, and what is normalized


def _gemm(node, a, b, c=None):
    settings = node.settings
    y = ops.matmul(a, b, bool(settings.get("transA")), bool(settings.get("transB")))
    y = y if settings.get("alpha", 1.0) == 1 else ops.multiply(y, settings["alpha"])
    if c is None:
        return y
    scale = settings.get("beta", 1.0)
    return ops.add(y, c if scale == 1 else ops.multiply(c, scale))


def _over_channels(x, *each):
    """Vectors with a value for each channel, as they broadcast with x."""
    return [ops.reshape(real(v), (-1, *(1 for _ in x.shape[2:]))) for v in each]


def _batch_normalization(node, x, *vectors):
    scale, shift, mean, variance = _over_channels(x, *vectors)
    inverse = ops.rsqrt(ops.add(variance, node.settings.get("epsilon", 1e-5)))
    return ops.add(ops.multiply(ops.subtract(x, mean), ops.multiply(scale, inverse)), shift)


def _normalized(x, axes, epsilon):
    return ops.multiply(
        ops.subtract(x, ops.mean(x, axes, True)),
        ops.rsqrt(ops.add(ops.var(x, axes, True), epsilon)),
    )


def _layer_normalization(node, x, scale, shift=None):
    axes = tuple(range(node.settings.get("axis", -1) % x.ndim, x.ndim))
    y = _normalized(x, axes, node.settings.get("epsilon", 1e-5))
    y = ops.multiply(y, scale)
    return y if shift is None else ops.add(y, shift)


def _instance_normalization(node, x, scale, shift):
    y = _normalized(x, tuple(range(2, x.ndim)), node.settings.get("epsilon", 1e-5))
    scale, shift = _over_channels(x, scale, shift)
    return ops.add(ops.multiply(y, scale), shift)


def _lrn(node, x):
    """Each value by a root of the sum of squares of channels around it."""
    settings, channels = node.settings, x.shape[1]
    size = settings["size"]
    apart = np.subtract.outer(np.arange(channels), np.arange(channels))
    near = (apart <= (size - 1) // 2) & (-apart <= size // 2)
    last = (0, *range(2, x.ndim), 1)
    sums = ops.matmul(ops.transpose(ops.square(x), last), near.astype(np.float64))
    sums = ops.transpose(sums, (0, x.ndim - 1, *range(1, x.ndim - 1)))
    below = ops.add(
        ops.multiply(sums, settings.get("alpha", 1e-4) / size), settings.get("bias", 1.0)
    )
    return ops.divide(x, ops.power(below, settings.get("beta", 0.75)))


def _trilu(node, x, k=0):
    rows, columns = np.indices(x.shape[-2:])
    apart = columns - rows - int(np.asarray(0 if k is None else k))
    kept = apart >= 0 if node.settings.get("upper", 1) else apart <= 0
    return ops.where(kept.astype(np.float64), x, 0.0)


_UNARY = {
    "Abs": ops.abs,
    "Ceil": ops.ceil,
    "Cos": ops.cos,
    "Exp": ops.exp,
    "Floor": ops.floor,
    "HardSwish": ops.hard_silu,
    "Log": ops.log,
    "Mish": ops.mish,
    "Neg": ops.negative,
    "Not": ops.logical_not,
    "Relu": ops.relu,
    "Sigmoid": ops.sigmoid,
    "Sign": ops.sign,
    "Sin": ops.sin,
    "Softplus": ops.softplus,
    "Softsign": ops.softsign,
    "Sqrt": ops.sqrt,
    "Tanh": ops.tanh,
    "Reciprocal": lambda x: ops.divide(1.0, x),
    "IsNaN": lambda x: ops.not_equal(x, x),
    "Identity": lambda x: x,
}
_BINARY = {
    "Add": ops.add,
    "And": ops.logical_and,
    "Equal": ops.equal,
    "Greater": ops.greater,
    "GreaterOrEqual": ops.greater_equal,
    "Less": ops.less,
    "LessOrEqual": ops.less_equal,
    "MatMul": ops.matmul,
    "Mul": ops.multiply,
    "Or": ops.logical_or,
    "Pow": ops.power,
    "Sub": ops.subtract,
    "Where": ops.where,
}
FUNCTIONS = {
    **{name: _same(function) for name, function in (_UNARY | _BINARY).items()},
    "ArgMax": _arg(ops.argmax),
    "ArgMin": _arg(ops.argmin),
    "BatchNormalization": _batch_normalization,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Div": _divide,
    "Dropout": lambda node, x, *_: x,
    "Elu": lambda node, x: ops.elu(x, node.settings.get("alpha", 1.0)),
    "Erf": _erf,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "HardSigmoid": _hard_sigmoid,
    "InstanceNormalization": _instance_normalization,
    "LRN": _lrn,
    "LayerNormalization": _layer_normalization,
    "LeakyRelu": lambda node, x: ops.leaky_relu(x, node.settings.get("alpha", 0.01)),
    "LogSoftmax": _softmax(ops.log_softmax),
    "Max": _in_turn(ops.maximum),
    "Mean": lambda node, *xs: ops.divide(_in_turn(ops.add)(node, *xs), float(len(xs))),
    "Min": _in_turn(ops.minimum),
    "PRelu": _prelu,
    "Pad": _pad,
    "ReduceL1": _reduced(lambda x, *how: ops.sum(ops.abs(x), *how)),
    "ReduceL2": _reduced(_norm),
    "ReduceMax": _reduced(ops.max),
    "ReduceMean": _reduced(ops.mean),
    "ReduceMin": _reduced(ops.min),
    "ReduceSum": _reduced(ops.sum),
    "ReduceSumSquare": _reduced(lambda x, *how: ops.sum(ops.square(x), *how)),
    "Reshape": _reshape,
    "Selu": _selu,
    "Slice": _slice,
    "Softmax": _softmax(ops.softmax),
    "Split": _split,
    "Squeeze": _squeeze,
    "Sum": _in_turn(ops.add),
    "Tile": _tile,
    "Transpose": _transpose,
    "Trilu": _trilu,
    "Unsqueeze": _unsqueeze,
}
