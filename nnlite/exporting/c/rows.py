"""Rules of ops of rows, columns and indices."""

import math

import numpy as np

from nnlite.exporting.program import is_constant


def _softmax(source, call):
    (x,), (y,) = call.inputs, call.outputs
    classes = x.shape[-1] if x.ndim else 1
    source.do(call, call.op.name, x, y, x.size // max(classes, 1), classes)


def _layer_norm(source, call):
    (x, gamma, beta), (y, *others) = call.inputs, call.outputs
    if any(source.is_used(t) for t in others):
        raise ValueError(
            f"export: layer {call.scope!r}: expected one that reads the result of a normalization "
            "alone, got one that reads its statistics"
        )
    epsilon = source.real(call.attrs["epsilon"])
    columns = x.shape[-1]
    source.do(call, "layer_norm", x, gamma, beta, y, x.size // max(columns, 1), columns, epsilon)


def _reduce(source, call):
    sizes = [call.attrs[name] for name in ("before", "reduced", "after")]
    source.do(call, call.op.name, call.inputs[0], call.outputs[0], *sizes)


def _cumsum(source, call):
    (x,), (y,), a = call.inputs, call.outputs, call.attrs
    source.do(call, "cumsum", x, y, a["before"], a["reduced"], a["after"], a["reverse"])


def _top_k(source, call):
    (x,), (y,) = call.inputs, call.outputs
    source.do(call, "top_k", x, y, *x.shape, call.attrs["k"])


def _checked(source, call, function, *operands):
    """A function that says whether an index was out of range."""
    source.checks = True
    source.do(call, f"wrong |= {function}", *operands)


def _gather(source, call):
    (table, *index), (y,) = call.inputs, call.outputs
    rows, count = call.attrs["rows"], y.shape[0]
    width = math.prod(y.shape[1:]) * np.dtype(y.dtype).itemsize
    numbers = index[0] if index else source.constant(np.arange(count, dtype=np.int32), "rows", call)
    if is_constant(table):
        table = source.constant(table.numpy(), "table", call)
    _checked(source, call, "gather", table, numbers, y, count, width, rows)


def _one_hot(source, call):
    (labels,), (y,) = call.inputs, call.outputs
    _checked(source, call, "one_hot", labels, y, labels.size, y.shape[-1])


def _piecewise_linear_encoding(source, call):
    (x, lower, scale, bins), (y,) = call.inputs, call.outputs
    columns = bins.shape[0]
    sizes = x.size // max(columns, 1), columns, int(call.attrs["keep"])
    source.do(call, "piecewise_linear_encoding", x, lower, scale, bins, y, *sizes)


def _resample(source, call):
    (x, first, weights), (y,) = call.inputs, call.outputs
    source.do(call, "resample", x, first, weights, y, *x.shape, *weights.shape)


def _pad2d(source, call):
    (x,), (y,), a = call.inputs, call.outputs, call.attrs
    source.each(call, "pad2d", x, y, *x.shape[1:], *y.shape[1:3], a["top"], a["left"])


RULES = {
    "argmax": _reduce,
    "cumsum": _cumsum,
    "gather": _gather,
    "layer_norm": _layer_norm,
    "log_softmax": _softmax,
    "one_hot": _one_hot,
    "pad2d": _pad2d,
    "piecewise_linear_encoding": _piecewise_linear_encoding,
    "reduce_max": _reduce,
    "reduce_sum": _reduce,
    "resample": _resample,
    "softmax": _softmax,
    "top_k": _top_k,
}
