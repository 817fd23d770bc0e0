"""Rules of ONNX for products: Dense, matrices, attention, and what follows along rows."""

import numpy as np

from nnlite.exporting.constants import MASKED_LOGIT
from nnlite.exporting.onnx.elementwise import activated


def _linear(graph, call, x, w, *bias):
    (tensor, *_), attrs = call.inputs, call.attrs
    if len(tensor.shape) == 2:
        y = graph.add("Gemm", [x, w, *bias])
    else:
        y = graph.add("MatMul", [x, w])
        y = graph.add("Add", [y, *bias]) if bias else y
    return activated(graph, y, attrs["kind"], attrs["alpha"])


def _matmul(graph, call, a, b):
    given = [
        graph.transposed(x, [*range(len(t.shape) - 2), len(t.shape) - 1, len(t.shape) - 2])
        if call.attrs[flag]
        else x
        for x, t, flag in zip((a, b), call.inputs, ("transpose_a", "transpose_b"))
    ]
    return graph.add("MatMul", given)


def _attention(graph, call, q, k, v, *optional):
    """softmax(q @ k^T * scale + bias) @ v of each head, with the logits of all keys in memory."""
    attrs, optional = call.attrs, list(optional)
    if attrs["rate"]:
        raise ValueError(f"export: layer {call.scope!r}: expected attention without dropout")
    heads = [graph.transposed(x, (0, 2, 1, 3)) for x in (q, v)]
    keys = graph.transposed(k, (0, 2, 3, 1))
    scaled = graph.add("Mul", [heads[0], graph.number(attrs["scale"])])
    logits = graph.add("MatMul", [scaled, keys])
    if attrs["bias"]:
        logits = graph.add("Add", [logits, optional.pop(0)])
    unseen = graph.number(MASKED_LOGIT)
    if attrs["mask"]:
        seen = graph.truth_of(optional.pop(0))
        logits = graph.add("Where", [seen, logits, unseen])
    if attrs["causal"]:
        steps = [call.inputs[i].shape[1] for i in (0, 1)]
        one = graph.constant(np.ones((1, 1), graph.real))
        ones = graph.add("Expand", [one, graph.shape_named(steps)])
        seen = graph.truth_of(graph.add("Trilu", [ones], upper=0))
        logits = graph.add("Where", [seen, logits, unseen])
    weights = graph.add("Softmax", [logits], axis=-1)
    return graph.transposed(graph.add("MatMul", [weights, heads[1]]), (0, 2, 1, 3))


def _layer_norm(graph, call, x, gamma, beta):
    epsilon = call.attrs["epsilon"]
    if graph.real == np.float32:
        return graph.add("LayerNormalization", [x, gamma, beta], axis=-1, epsilon=epsilon)
    y, *_ = _normalized(graph, x, [-1], epsilon)  # the attribute is a number in float32
    return graph.add("Add", [graph.add("Mul", [y, gamma]), beta])


def _batch_norm(graph, call, x, gamma, beta):
    """With the mean and the variance of this batch."""
    axes = list(range(len(call.inputs[0].shape) - 1))
    y, *moments = _normalized(graph, x, axes, call.attrs["epsilon"])
    y = graph.add("Add", [graph.add("Mul", [y, gamma]), beta])
    channels = call.outputs[1].shape
    for moment in moments:
        graph.shapes[moment] = (*(1 for _ in axes), *channels)
    return [y, *(graph.reshaped(moment, channels) for moment in moments)]


def _normalized(graph, x, axes, epsilon):
    """The names of (x - mean) / sqrt(variance + epsilon), of the mean and the variance."""
    mean = graph.reduced("ReduceMean", x, axes, keepdims=1)
    apart = graph.add("Sub", [x, mean])
    variance = graph.reduced("ReduceMean", graph.add("Mul", [apart, apart]), axes, keepdims=1)
    above = graph.add("Add", [variance, graph.number(epsilon)])
    return graph.add("Div", [apart, graph.add("Sqrt", [above])]), mean, variance


def _along_rows(op_type):
    return lambda graph, call, x: graph.add(op_type, [x], axis=-1)


def _top_k(graph, call, x):
    _, places = graph.add("TopK", [x, graph.integers(call.attrs["k"])], outputs=2)
    return graph.cast(places, np.int32)


RULES = {
    "attention": _attention,
    "batch_matmul": _matmul,
    "layer_norm": _layer_norm,
    "linear": _linear,
    "log_softmax": _along_rows("LogSoftmax"),
    "matmul": _matmul,
    "softmax": _along_rows("Softmax"),
    "top_k": _top_k,
}
