"""Rules of ops of images: convolutions, pooling, padding."""

import numpy as np

from nnlite.exporting.tflite.shapes import sliced
from nnlite.ops.activation import KINDS

_NONE, _RELU, _RELU6 = 0, 1, 3  # of the schema's ActivationFunctionType
_SAME, _VALID = 0, 1  # of its Padding


def _conv2d(graph, call):
    """Kernels are (filters, height, width, channels) there."""
    kernel = graph.kernel(call, lambda w: w.transpose(3, 0, 1, 2))
    return _convolved(graph, call, "CONV_2D", kernel)


def _depthwise_conv2d(graph, call):
    """Kernels are (1, height, width, channels) there, those of the first channel first."""
    _, _, channels, multiplier = call.inputs[1].shape

    def arranged(kernel):
        return kernel.reshape(1, *kernel.shape[:2], channels * multiplier)

    kernel = graph.kernel(call, arranged, axis=3)
    return _convolved(graph, call, "DEPTHWISE_CONV_2D", kernel, DepthMultiplier=multiplier)


def _convolved(graph, call, op, kernel, **options):
    a, (y,) = call.attrs, call.outputs
    apart = {"DilationHFactor": a["dilation_h"], "DilationWFactor": a["dilation_w"]}
    x, window = _window(graph, call, call.inputs[1].shape[:2], y.shape[1:3])
    options |= {**window, **apart, "FusedActivationFunction": fused(call)}
    made = graph.add(op, [x, *kernel], y.shape, **options)
    return capped(graph, call, made)


def fused(call):
    """The activation that an operator applies itself: none, relu or relu6 of the schema."""
    if call.attrs["kind"] == KINDS["capped_relu"] and call.attrs["alpha"] == 6:
        return _RELU6
    return _RELU if call.attrs["kind"] else _NONE


def capped(graph, call, x):
    """x with the limit of a capped relu, unless it is 6 or the end of the range in integers."""
    a = call.attrs
    if a["kind"] != KINDS["capped_relu"] or a["alpha"] == 6 or graph.form(call):
        return x
    return graph.add("MINIMUM", [x, graph.constant(np.float32(a["alpha"]))])


def _conv2d_transpose(graph, call):
    """The whole sum of all windows, of which the padding is cut off."""
    a, (y,) = call.attrs, call.outputs
    rows, columns = ((k - 1) * a[f"dilation_{d}"] + 1 for k, d in zip(call.inputs[1].shape, "hw"))
    spread = np.zeros((rows, columns, *call.inputs[1].shape[2:]), np.float32)
    spread[:: a["dilation_h"], :: a["dilation_w"]] = call.inputs[1].numpy()
    x = graph.read(call, 0)
    high, wide = graph.shape(x)[1:3]
    full = (high - 1) * a["stride_h"] + rows, (wide - 1) * a["stride_w"] + columns
    shape = (y.shape[0], *full, y.shape[3])
    given = [graph.constant(np.array(shape, np.int32)), graph.weights(spread.transpose(2, 0, 1, 3))]
    made = graph.add(
        "TRANSPOSE_CONV",
        [*given, x],
        shape,
        Padding=_VALID,
        StrideH=a["stride_h"],
        StrideW=a["stride_w"],
    )
    return framed(graph, made, -a["pad_top"], -a["pad_left"], y.shape[1:3])


def pool(op):
    """The rule of a pooling. What lies beyond the edges does not count."""

    def rule(graph, call):
        a, (y,) = call.attrs, call.outputs
        size = a["pool_h"], a["pool_w"]
        x, window = _window(graph, call, size, y.shape[1:3])
        return graph.add(op, [x], y.shape, **window, FilterHeight=size[0], FilterWidth=size[1])

    return rule


def _window(graph, call, size, out):
    """The input, with zeros around it where the format's own padding is another one, and the
    fields of a window."""
    a, x = call.attrs, graph.read(call, 0)
    wanted, same = [], True
    for n, k, m, d, first in zip(graph.shape(x)[1:3], size, out, "hw", ("pad_top", "pad_left")):
        stride, covered = a[f"stride_{d}"], (k - 1) * a.get(f"dilation_{d}", 1) + 1
        whole = max((m - 1) * stride + covered - n, 0)
        wanted.append((a[first], whole - a[first]))
        same &= m == -(-n // stride) and a[first] == whole // 2
    window = {"StrideH": a["stride_h"], "StrideW": a["stride_w"]}
    if not any(any(pair) for pair in wanted):
        return x, {"Padding": _VALID, **window}
    if same:
        return x, {"Padding": _SAME, **window}
    return _padded(graph, x, wanted), {"Padding": _VALID, **window}


def _pad2d(graph, call):
    a = call.attrs
    return framed(graph, graph.read(call, 0), a["top"], a["left"], a["size"])


def framed(graph, x, top, left, size):
    """Images of another size: `top` and `left` rows and columns of zeros more, or fewer."""
    n, *sides, channels = graph.shape(x)
    begin = [max(-first, 0) for first in (top, left)]
    kept = [
        min(side, b + m - max(first, 0)) - b
        for side, b, m, first in zip(sides, begin, size, (top, left))
    ]
    x = sliced(graph, x, [0, *begin, 0], [1] * 4, (n, *kept, channels))
    before = [max(first, 0) for first in (top, left)]
    return _padded(graph, x, [(b, m - k - b) for b, m, k in zip(before, size, kept)])


def _padded(graph, x, pairs):
    if not any(any(pair) for pair in pairs):
        return x
    n, height, width, channels = graph.shape(x)
    shape = (n, height + sum(pairs[0]), width + sum(pairs[1]), channels)
    widths = graph.constant(np.array([(0, 0), *pairs, (0, 0)], np.int32))
    return graph.add("PAD", [x, widths], shape, like=x)


RULES = {
    "average_pool2d": pool("AVERAGE_POOL_2D"),
    "conv2d": _conv2d,
    "conv2d_gradient_input": _conv2d_transpose,
    "depthwise_conv2d": _depthwise_conv2d,
    "max_pool2d": pool("MAX_POOL_2D"),
    "pad2d": _pad2d,
}
