"""Rules of products, convolutions, poolings and attention."""

import math

import numpy as np

from nnlite.engine.dispatch import Call
from nnlite.engine.passes import readers_of
from nnlite.exporting.c.loops import strides_of
from nnlite.exporting.program import is_constant
from nnlite.ops.activation import KINDS

_KINDS = {number: name.upper() for name, number in KINDS.items()}
_POOLS = {"max_pool2d", "average_pool2d"}
# Kernels are [filters, height, width, channels of a group].
KERNEL_AXES = {"conv2d": (3, 0, 1, 2), "depthwise_conv2d": (2, 3, 0, 1)}


def with_pools(calls, outputs):
    """The calls, where a convolution has the pooling in it that alone reads its result, if windows
    do not overlap: then no element is computed twice, and none is stored. It is in the attribute
    `pool`."""
    readers = readers_of(calls, outputs)
    made, found = {}, {}
    for call in calls:
        before = made.get(id(call.inputs[0])) if call.op.name in _POOLS else None
        a, of_integers = call.attrs, call.outputs[0].dtype == "int8"
        apart = before and a["stride_h"] >= a["pool_h"] and a["stride_w"] >= a["pool_w"]
        if apart and not (of_integers and call.op.name == "average_pool2d"):
            del found[id(before)]
            attrs = {**before.attrs, "pool": call}
            call = Call(before.op, before.inputs, call.outputs, attrs, before.scope)
        elif call.op.name in KERNEL_AXES and readers[id(call.outputs[0])] == 1:
            made[id(call.outputs[0])] = call
        found[id(call)] = call
    return list(found.values())


def kind_of(source, number):
    """The C name of an activation, which the model's `activated` then has."""
    source.kinds.add(_KINDS[number])
    return _KINDS[number]


def known(call, i, what):
    """The values of an input that must be known."""
    if not is_constant(call.inputs[i]):
        raise ValueError(
            f"export: layer {call.scope!r}: expected {what} that is known when the model is "
            "exported, got one that the model computes"
        )
    return call.inputs[i].numpy()


def kernel_of(source, call, axes, role="kernel"):
    """The name of a kernel with its axes in the library's order."""
    values = np.ascontiguousarray(known(call, 1, "a kernel").transpose(axes))
    return source.constant(values, role, call)


def bias_of(source, call, i=2):
    """The name of a bias, or None."""
    given = len(call.inputs) > i
    return source.constant(known(call, i, "a bias"), "bias", call) if given else None


def _linear(source, call):
    x, w = call.inputs[:2]
    kind, alpha = kind_of(source, call.attrs["kind"]), source.real(call.attrs["alpha"])
    kernel, bias = kernel_of(source, call, (1, 0)), bias_of(source, call)
    rows = math.prod(x.shape[:-1])
    source.do(call, "linear", x, kernel, bias, call.outputs[0], rows, *w.shape, kind, alpha)


def _matmul(source, call):
    (a, b), (y,) = call.inputs, call.outputs
    transposed = call.attrs["transpose_a"], call.attrs["transpose_b"]
    steps = [
        step
        for t, is_transposed in zip((a, b), transposed)
        for step in ([1, t.shape[-1]] if is_transposed else [t.shape[-1], 1])
    ]
    (*stack, m, n), inner = y.shape, a.shape[-2 if transposed[0] else -1]
    if math.prod(stack) == 1:
        source.do(call, "matmul", a, b, y, m, n, inner, *steps)
        return
    a, b, y = (
        (t, t.dtype, [math.prod(t.shape[-2:]) * s for s in strides_of(stack, t.shape[:-2])], 0)
        for t in (a, b, y)
    )
    sizes = ", ".join(map(str, (m, n, inner, *steps)))
    statement = f"matmul(&{{a}}, &{{b}}, &{{y}}, {sizes});"
    source.loop(call, "batch_matmul", stack, {"a": a, "b": b}, (y[0], *y[2:]), statement)


def convolution(source, call, a, images, kernel, rows, columns, filters, groups, kind="LINEAR"):
    """The structure of a convolution with the window that attributes say."""
    _, height, width, channels = images
    return source.structure(
        "convolution",
        call,
        "convolution",
        height=height,
        width=width,
        channels=channels,
        rows=rows,
        columns=columns,
        filters=filters,
        kernel_h=kernel[0],
        kernel_w=kernel[1],
        stride_h=a["stride_h"],
        stride_w=a["stride_w"],
        top=a["pad_top"],
        left=a["pad_left"],
        dilation_h=a["dilation_h"],
        dilation_w=a["dilation_w"],
        groups=groups,
        kind=kind,
        alpha=float(a.get("alpha", 0)),
    )


def convolution_of(source, call, kind):
    """The structure of a call of a convolution; a depthwise one has groups of one channel."""
    (x, w, *_), (y,), a = call.inputs, call.outputs, call.attrs
    filters, groups = y.shape[3], a.get("groups", x.shape[3])
    out = a["out_h"], a["out_w"]
    return convolution(source, call, a, x.shape, w.shape, *out, filters, groups, kind)


def _conv2d(source, call):
    pool = call.attrs.get("pool")
    kernel = kernel_of(source, call, KERNEL_AXES[call.op.name])
    shape = convolution_of(source, call, kind_of(source, call.attrs["kind"]))
    given = call.inputs[0], kernel, bias_of(source, call), call.outputs[0]
    if pool is None:
        source.each(call, "conv2d", shape, *given)
    else:
        source.each(call, f"conv2d_{pool.op.name}", shape, pooling(source, pool), *given)


def _conv2d_transpose(source, call):
    (y, w), (x,) = call.inputs, call.outputs
    a = call.attrs
    joined = a["groups"] == 1 and a["dilation_w"] == 1 and w.shape[1] > 1 and x.shape[3] <= 16
    of = convolution(source, call, a, x.shape, w.shape, *y.shape[1:], a["groups"])
    kind_of(source, 0)
    source.each(
        call, "conv2d_transpose", of, y, kernel_of(source, call, (0, 1, 2, 3)), x, int(joined)
    )


def pooling(source, call):
    """The structure of a call of a pooling."""
    (x, *_), (y,), a = call.inputs, call.outputs, call.attrs
    # Of tiles of 2 x 2 the engine adds the four pixels, of others it adds them to 0.
    tiles = {a[n] for n in ("pool_h", "pool_w", "stride_h", "stride_w")} == {2}
    tiles = tiles and not a["pad_top"] and not a["pad_left"]
    tiles = tiles and 2 * y.shape[1] <= x.shape[1] and 2 * y.shape[2] <= x.shape[2]
    return source.structure(
        "pooling",
        call,
        "pooling",
        height=x.shape[1],
        width=x.shape[2],
        channels=x.shape[3],
        rows=y.shape[1],
        columns=y.shape[2],
        pool_h=a["pool_h"],
        pool_w=a["pool_w"],
        stride_h=a["stride_h"],
        stride_w=a["stride_w"],
        top=a["pad_top"],
        left=a["pad_left"],
        start=-0.0 if tiles else 0.0,
    )


def _pool2d(source, call):
    source.each(call, call.op.name, pooling(source, call), call.inputs[0], call.outputs[0])


def _attention(source, call):
    (q, k, v, *optional), a = call.inputs, call.attrs
    (_, queries, heads, size), keys, value_size = q.shape, k.shape[1], v.shape[3]
    optional = iter(optional)
    bias, mask = (next(optional) if a[name] else None for name in ("bias", "mask"))
    of = source.structure(
        "attention_sizes",
        call,
        "attention",
        queries=queries,
        keys=keys,
        heads=heads,
        size=size,
        value_size=value_size,
        causal=int(a["causal"]),
        bias_step=_steps(bias, (heads, queries, keys)),
        mask_step=_steps(mask, (heads, queries, keys)),
        scale=float(a["scale"]),
    )
    given = q, k, v, bias, mask, call.outputs[0], source.scratch(call)
    source.each(call, "attention", of, *given)


def _steps(tensor, shape):
    return (0, 0, 0) if tensor is None else tuple(strides_of(shape, tensor.shape[1:]))


RULES = {
    "attention": _attention,
    "average_pool2d": _pool2d,
    "batch_matmul": _matmul,
    "conv2d": _conv2d,
    "conv2d_gradient_input": _conv2d_transpose,
    "depthwise_conv2d": _conv2d,
    "linear": _linear,
    "matmul": _matmul,
    "max_pool2d": _pool2d,
}
# How many numbers of float32 a call needs beside its outputs.
SCRATCH = {
    "attention": lambda call: call.inputs[1].shape[1],
}
