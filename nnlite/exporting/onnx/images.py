"""Rules of ONNX for images: convolutions, pooling, margins, resizing. Channels come first there."""

import numpy as np

from nnlite.exporting.constants import resampling_matrix
from nnlite.exporting.onnx.elementwise import activated
from nnlite.exporting.program import window_sizes

_FIRST, _LAST = (0, 3, 1, 2), (0, 2, 3, 1)


def _channels_last(graph, call, y):
    """The name of images whose channels come first, as the call's result."""
    n, height, width, channels = call.outputs[0].shape
    graph.shapes[y] = n, channels, height, width
    return graph.transposed(y, _LAST)


def _in_both(graph, call, function):
    """What a function gives of a call, and of the same call with other lengths."""
    return [function(call), function(graph.program.twin_of(call))]


def _known(graph, call, function, what):
    """What a function gives of a call, if it does not depend on a length that is not known."""
    found, other = _in_both(graph, call, function)
    if found != other:
        raise ValueError(
            f"export: layer {call.scope!r}: ONNX cannot hold {what} that depends on a size which "
            "is not known"
        )
    return found


_AXES = tuple(zip("hw", ("top", "left"), (1, 2)))


def _window(graph, call):
    """Strides, dilations and padding of windows. Padding that depends on the size is 'same'."""
    kernel, strides = window_sizes(call), [call.attrs[f"stride_{axis}"] for axis in "hw"]

    def pads(call):
        begins, ends, attrs = [], [], call.attrs
        for (axis, first, d), k, stride in zip(_AXES, kernel, strides):
            before, apart = attrs[f"pad_{first}"], attrs.get(f"dilation_{axis}", 1)
            covered = (call.outputs[0].shape[d] - 1) * stride + (k - 1) * apart + 1
            begins.append(before)
            ends.append(max(covered - call.inputs[0].shape[d] - before, 0))
        return begins + ends

    settings = {"kernel_shape": kernel, "strides": strides}
    if "dilation_h" in call.attrs:
        settings["dilations"] = [call.attrs[f"dilation_{axis}"] for axis in "hw"]
    (first, second), known = _in_both(graph, call, pads), _in_both(graph, call, _sizes)
    # Margins behind windows with steps are those of 'same', also where two sizes need as many.
    moves = [a != b and stride > 1 for a, b, stride in zip(*known, strides)]
    if first != second or any(end and m for end, m in zip(first[2:], moves)):
        return settings | {"auto_pad": "SAME_UPPER"}
    return settings | {"pads": first}


def _sizes(call):
    return call.inputs[0].shape[1:3]


def _convolved(graph, call, x, w, bias, axes, groups):
    """A convolution by a kernel whose axes become filters, channels, height, width."""
    window = _window(graph, call)
    x, w = graph.transposed(x, _FIRST), graph.transposed(w, axes)
    y = graph.add("Conv", [x, w, *bias], group=groups, **window)
    y = activated(graph, y, call.attrs["kind"], call.attrs["alpha"])
    return _channels_last(graph, call, y)


def _conv2d(graph, call, x, w, *bias):
    return _convolved(graph, call, x, w, bias, (3, 2, 0, 1), call.attrs["groups"])


def _depthwise_conv2d(graph, call, x, w, *bias):
    height, width, channels, multiplier = call.inputs[1].shape
    w = graph.reshaped(w, (height, width, channels * multiplier, 1))
    return _convolved(graph, call, x, w, bias, (2, 3, 0, 1), channels)


def _conv2d_transpose(graph, call, x, w):
    attrs, kernel = call.attrs, call.inputs[1].shape[:2]

    def beyond(call):
        """How far the windows reach beyond the end of the result, along both axes."""
        return [
            (call.inputs[0].shape[d] - 1) * attrs[f"stride_{axis}"]
            + (k - 1) * attrs[f"dilation_{axis}"]
            + 1
            - call.attrs[f"pad_{first}"]
            - call.outputs[0].shape[d]
            for (axis, first, d), k in zip(_AXES, kernel)
        ]

    ends = _known(graph, call, beyond, "a margin")
    x, w = graph.transposed(x, _FIRST), graph.transposed(w, (3, 2, 0, 1))
    y = graph.add(
        "ConvTranspose",
        [x, w],
        kernel_shape=kernel,
        strides=[attrs[f"stride_{axis}"] for axis in "hw"],
        dilations=[attrs[f"dilation_{axis}"] for axis in "hw"],
        pads=[attrs["pad_top"], attrs["pad_left"], *(max(n, 0) for n in ends)],
    )
    if min(ends) < 0:
        y = graph.add("Pad", [y, graph.integers(*[0] * 6, *(max(-n, 0) for n in ends))])
    return _channels_last(graph, call, y)


def _pool(op_type, **settings):
    def rule(graph, call, x):
        window = _window(graph, call)
        y = graph.add(op_type, [graph.transposed(x, _FIRST)], **window, **settings)
        return _channels_last(graph, call, y)

    return rule


def _pad2d(graph, call, x):
    """Margins of zeros; negative ones take away."""

    def margins(call):
        starts = [call.attrs[first] for _, first, _ in _AXES]
        grown = [m - n for m, n in zip(call.outputs[0].shape[1:3], call.inputs[0].shape[1:3])]
        return [*starts, *(more - first for more, first in zip(grown, starts))]

    top, left, bottom, right = _known(graph, call, margins, "a margin")
    pads, turned = np.array([0, top, left, 0, 0, bottom, right, 0]), graph.turned(x)
    if not turned:
        return graph.add("Pad", [x, graph.integers(*pads)])
    places = np.argsort(turned[1])
    y = graph.add("Pad", [turned[0], graph.integers(*pads.reshape(2, 4)[:, places].ravel())])
    return graph.turned_back(y, turned, call.outputs[0].shape)


def _resample(graph, call, x, first, weights):
    """A product with the matrix of all weights."""
    _known(graph, call, lambda c: c.inputs[0].shape[1], "a resizing")
    return graph.add("MatMul", [graph.constant(resampling_matrix(call)), x])


RULES = {
    "average_pool2d": _pool("AveragePool", count_include_pad=0),
    "conv2d": _conv2d,
    "conv2d_gradient_input": _conv2d_transpose,
    "depthwise_conv2d": _depthwise_conv2d,
    "max_pool2d": _pool("MaxPool"),
    "pad2d": _pad2d,
    "resample": _resample,
}
