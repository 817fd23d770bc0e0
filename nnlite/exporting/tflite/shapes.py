"""Rules of ops that move values, and of sums and extremes along axes."""

import math

import numpy as np

from nnlite.exporting.constants import resampling_matrix
from nnlite.exporting.program import is_constant


def _reshape(graph, call):
    return graph.reshape_as(graph.read(call, 0), call.outputs[0])


def _transpose(graph, call):
    axes = graph.constant(np.array(call.attrs["axes"], np.int32))
    x = graph.read(call, 0)
    return graph.add("TRANSPOSE", [x, axes], call.outputs[0].shape, like=x)


def _broadcast_to(graph, call):
    """Copies side by side along each axis of size 1, so that any number of rows will do."""
    (y,) = call.outputs
    x = graph.read(call, 0)
    shape = (1,) * (y.ndim - len(graph.shape(x))) + graph.shape(x)
    x = graph.reshape(x, shape, (False,) * y.ndim if shape[0] != y.shape[0] else graph.grows(y))
    times = np.array([m // n for m, n in zip(y.shape, shape)], np.int32)
    return graph.add("TILE", [x, graph.constant(times)], y.shape, like=x) if max(times) > 1 else x


def _slice(graph, call):
    a, (y,) = call.attrs, call.outputs
    axes = range(y.ndim)
    begins, steps = ([a[f"{name}_{d}"] for d in axes] for name in ("begin", "step"))
    return sliced(graph, graph.read(call, 0), begins, steps, y.shape)


def sliced(graph, x, begins, steps, shape):
    """The entries of x that begin somewhere, by steps, along each axis."""
    whole = [
        b == 0 and s == 1 and n == m for b, s, n, m in zip(begins, steps, graph.shape(x), shape)
    ]
    if all(whole):
        return x
    ends = [b + s * n for b, s, n in zip(begins, steps, shape)]
    open_ = [w or e < 0 for w, e in zip(whole, ends)]
    given = [graph.constant(np.array(v, np.int32)) for v in (begins, np.maximum(ends, 0), steps)]
    return graph.add("STRIDED_SLICE", [x, *given], shape, like=x, **masks(whole, open_))


def masks(begins, ends, dropped=()):
    """The fields of a slice: bits of the axes whose begin or end counts for nothing, and of those
    that are dropped."""
    bits = [
        sum(1 << d for d, flag in enumerate(flags) if flag) for flags in (begins, ends, dropped)
    ]
    return dict(zip(("BeginMask", "EndMask", "ShrinkAxisMask"), bits))


def _concatenate(graph, call):
    (y,) = call.outputs
    given = graph.reads(call)
    return graph.add("CONCATENATION", given, y.shape, like=given[0], Axis=call.attrs["axis"])


def _gather(graph, call):
    (y,), table = call.outputs, call.inputs[0]
    if len(call.inputs) == 1:
        return graph.reshape_as(graph.read(call, 0), y)
    affine = graph.quantization.read(call, 0) if graph.form(call) else None
    if is_constant(table) and affine is None and table.dtype != "int32":
        rows = graph.weights(table.numpy())
    else:
        rows = graph.read(call, 0)
    if is_constant(call.inputs[1]) and graph.grows(y)[:1] == (True,):  # of each row the same
        inner = (False,) * y.ndim
        rows = graph.reshape(rows, (1, *graph.shape(rows)), (True, *inner))
        made = graph.add("GATHER", [rows, graph.read(call, 1)], (1, *y.shape), like=rows, Axis=1)
        made = graph.reshape_as(made, y)
    else:
        made = graph.add("GATHER", [rows, graph.read(call, 1)], y.shape, like=rows, Axis=0)
    dtype = "int32" if y.dtype == "int32" else "float32"
    if graph.affine or graph.entries[made].dtype == dtype:
        return made
    return graph.add("CAST", [made], dtype=dtype)


def _one_hot(graph, call):
    (y,) = call.outputs
    depth = graph.constant(np.int32(call.attrs["classes"]))
    dtype = "int32" if y.dtype == "int32" else "float32"
    on, off = (graph.constant(np.array(v, dtype)) for v in (1, 0))
    return graph.add("ONE_HOT", [*graph.reads(call), depth, on, off], y.shape, dtype, Axis=-1)


def reduced(op):
    """The rule of a sum or an extreme along some neighbouring axes."""

    def rule(graph, call):
        (y,), x = call.outputs, graph.read(call, 0)
        return graph.reshape_as(along(graph, op, x, call), y)

    return rule


def along(graph, op, x, call):
    """x, the input of a call, without the axes that it reduces."""
    sizes = tuple(call.attrs[name] for name in ("before", "reduced", "after"))
    shape = graph.shape(x)
    first = max(i for i in range(len(shape) + 1) if math.prod(shape[:i]) == sizes[0])
    ends = range(first, len(shape) + 1)
    last = next((j for j in ends if math.prod(shape[first:j]) == sizes[1]), None)
    if last is None:
        grows = graph.grows(call.outputs[0])
        x, shape, first, last = graph.reshape(x, sizes, (grows[0], False, grows[1])), sizes, 1, 2
    axes = graph.constant(np.arange(first, last, dtype=np.int32))
    return graph.add(op, [x, axes], shape[:first] + shape[last:], KeepDims=False)


def _cumsum(graph, call):
    (y,), a = call.outputs, call.attrs
    shape = (a["before"], a["reduced"], a["after"])
    x = graph.reshape(graph.read(call, 0), shape, (*graph.grows(y)[:1], False, False))
    axis = graph.constant(np.int32(1))
    made = graph.add("CUMSUM", [x, axis], shape, Exclusive=False, Reverse=bool(a["reverse"]))
    return graph.reshape_as(made, y)


def _argmax(graph, call):
    (y,), x, a = call.outputs, graph.read(call, 0), call.attrs
    x = graph.reshape(
        x, (a["before"], a["reduced"], a["after"]), (*graph.grows(y)[:1], False, False)
    )
    axis = graph.constant(np.int32(1))
    made = graph.add("ARG_MAX", [x, axis], (a["before"], a["after"]), "int32", OutputType=2)
    return graph.reshape_as(made, y)


def _top_k(graph, call):
    """Gives the places of the largest entries; which of equal ones comes first is the same."""
    (y,), x = call.outputs, graph.read(call, 0)
    k = graph.constant(np.int32(y.shape[-1]))
    _values, places = graph.add("TOPK_V2", [x, k], y.shape, outputs=2)
    graph.entries[places].dtype = "int32"
    return places


def _resample(graph, call):
    """A product with the matrix of all weights."""
    matrix = graph.constant(resampling_matrix(call)[None])
    return graph.add("BATCH_MATMUL", [matrix, graph.read(call, 0)], call.outputs[0].shape)


RULES = {
    "argmax": _argmax,
    "broadcast_to": _broadcast_to,
    "concatenate": _concatenate,
    "cumsum": _cumsum,
    "gather": _gather,
    "one_hot": _one_hot,
    "reduce_max": reduced("REDUCE_MAX"),
    "reduce_sum": reduced("SUM"),
    "resample": _resample,
    "reshape": _reshape,
    "slice": _slice,
    "stop_gradient": _reshape,
    "top_k": _top_k,
    "transpose": _transpose,
}
