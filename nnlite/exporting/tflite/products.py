"""Rules of products of matrices, and of what is made of them: attention, normalization of rows."""

import numpy as np

from nnlite.exporting.constants import MASKED_LOGIT
from nnlite.exporting.program import is_constant
from nnlite.exporting.tflite.windows import capped, fused


def _linear(graph, call):
    """Kernels are (units, features) there."""
    (y,), x = call.outputs, graph.read(call, 0)
    if not all(is_constant(t) for t in call.inputs[1:2]):
        kernel = [_transposed(graph, graph.read(call, 1)), *graph.reads(call)[2:]]
    else:
        kernel = graph.kernel(call, lambda w: w.T)
    options = {"KeepNumDims": True, "FusedActivationFunction": fused(call)}
    made = graph.add("FULLY_CONNECTED", [x, *kernel], y.shape, **options)
    return capped(graph, call, made)


def _transposed(graph, x):
    axes = graph.constant(np.array([1, 0], np.int32))
    return graph.add("TRANSPOSE", [x, axes], graph.shape(x)[::-1], like=x)


def _matmul(graph, call):
    a = call.attrs
    flags = {"AdjX": bool(a["transpose_a"]), "AdjY": bool(a["transpose_b"])}
    return graph.add("BATCH_MATMUL", graph.reads(call), call.outputs[0].shape, **flags)


def _softmax(graph, call):
    return graph.add("SOFTMAX", graph.reads(call), Beta=1.0)


def _attention(graph, call):
    """softmax(query @ key^T * scale + bias) @ value, with the heads in front."""
    a, (query, key, value, *rest) = call.attrs, graph.reads(call)
    (b, t, n, h), s, v = graph.shape(query), graph.shape(key)[1], graph.shape(value)[3]
    heads = graph.constant(np.array([0, 2, 1, 3], np.int32))
    query, key, value = (
        graph.add("TRANSPOSE", [x, heads], (b, n, steps, size))
        for x, steps, size in ((query, t, h), (key, s, h), (value, s, v))
    )
    logits = graph.add("BATCH_MATMUL", [query, key], (b, n, t, s), AdjY=True)
    logits = graph.add("MUL", [logits, graph.constant(np.float32(a["scale"]))])
    if a["bias"]:
        logits = graph.add("ADD", [logits, rest[0]], (b, n, t, s))
    if a["mask"]:
        logits = _hidden(graph, logits, graph.truth(call.inputs[3 + a["bias"]]))
    if a["causal"]:
        logits = _hidden(graph, logits, graph.constant(np.tri(t, s, dtype=bool)[None, None]))
    weights = graph.add("SOFTMAX", [logits], Beta=1.0)
    made = graph.add("BATCH_MATMUL", [weights, value], (b, n, t, v))
    return graph.add("TRANSPOSE", [made, heads], (b, t, n, v))


def _hidden(graph, logits, seen):
    hidden = graph.constant(np.float32(MASKED_LOGIT))
    return graph.add("SELECT_V2", [seen, logits, hidden], graph.shape(logits))


def _layer_norm(graph, call):
    x, gamma, beta = graph.reads(call)
    last = graph.constant(np.array([len(graph.shape(x)) - 1], np.int32))
    narrow = (*graph.shape(x)[:-1], 1)
    mean = graph.add("MEAN", [x, last], narrow, KeepDims=True)
    apart = graph.add("SUB", [x, mean])
    variance = graph.add("MEAN", [graph.add("SQUARE", [apart]), last], narrow, KeepDims=True)
    variance = graph.add("ADD", [variance, graph.constant(np.float32(call.attrs["epsilon"]))])
    made = graph.add("MUL", [apart, graph.add("RSQRT", [variance])])
    return graph.add("ADD", [graph.add("MUL", [made, gamma]), beta])


RULES = {
    "attention": _attention,
    "batch_matmul": _matmul,
    "layer_norm": _layer_norm,
    "linear": _linear,
    "log_softmax": lambda graph, call: graph.add("LOG_SOFTMAX", graph.reads(call)),
    "matmul": _matmul,
    "softmax": _softmax,
}
