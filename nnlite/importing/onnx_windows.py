"""What the operators of ONNX compute that have windows, and its recurrent ones, as in
`onnx_functions`."""

import math

import numpy as np

from nnlite import ops
from nnlite.importing.onnx_functions import pad_axis, real

_FIRST = "channels_first"


def margins(node, sizes, kernel):
    """(before, after) each axis of a window, as the settings of a node say; `ceil_mode` adds what
    the last window needs."""
    settings, rank = node.settings, len(kernel)
    strides = settings.get("strides", [1] * rank)
    apart = settings.get("dilations", [1] * rank)
    covered = [(k - 1) * d + 1 for k, d in zip(kernel, apart)]
    auto = settings.get("auto_pad", "NOTSET")
    if auto.startswith("SAME"):
        total = [max((-(-n // s) - 1) * s + c - n, 0) for n, s, c in zip(sizes, strides, covered)]
        halves = [(t // 2, t - t // 2) for t in total]
        return halves if auto == "SAME_UPPER" else [pair[::-1] for pair in halves]
    pads = settings.get("pads", [0] * 2 * rank) if auto == "NOTSET" else [0] * 2 * rank
    pairs = list(zip(pads[:rank], pads[rank:]))
    if not settings.get("ceil_mode"):
        return pairs
    found = []
    for n, s, c, (before, after) in zip(sizes, strides, covered, pairs):
        last = -(-(n + before + after - c) // s) * s  # where the last window begins
        last -= s if last >= n + before else 0
        found.append((before, max(last + c - n - before, after)))
    return found


def padded(x, pairs, value=0.0):
    """Margins around the axes behind the channels."""
    for axis, (before, after) in enumerate(pairs, 2):
        x = pad_axis(x, axis, before, after, "constant", value)
    return x


def kernel_of_layer(w, groups=1):
    """The kernel (*sizes, channels, filters) of one that has its sizes last."""
    return ops.transpose(real(w), (*range(2, w.ndim), 1, 0))


def _conv(node, x, w, bias=None):
    settings, rank = node.settings, w.ndim - 2
    groups = settings.get("group", 1)
    x = padded(x, margins(node, x.shape[2:], w.shape[2:]))
    strides, apart = (settings.get(name, [1] * rank) for name in ("strides", "dilations"))
    how = {"bias": bias, "groups": groups}
    return ops.conv(x, kernel_of_layer(w), tuple(strides), "valid", _FIRST, tuple(apart), **how)


def _conv_transpose(node, x, w, bias=None):
    settings, rank = node.settings, w.ndim - 2
    if settings.get("group", 1) != 1 or "output_shape" in settings or "auto_pad" in settings:
        raise ValueError("expected a ConvTranspose of one group with pads")
    strides, apart = (settings.get(name, [1] * rank) for name in ("strides", "dilations"))
    extra = settings.get("output_padding", [0] * rank)
    pads = settings.get("pads", [0] * 2 * rank)
    kernel = ops.transpose(real(w), (*range(2, w.ndim), 1, 0))
    y = ops.conv_transpose(x, kernel, tuple(strides), "valid", tuple(extra), _FIRST, tuple(apart))
    y = padded(y, [(-before, -after) for before, after in zip(pads[:rank], pads[rank:])])
    return y if bias is None else ops.add(y, ops.reshape(real(bias), (-1, *[1] * rank)))


def _max_pool(node, x):
    _refuse_dilated(node)
    kernel = node.settings["kernel_shape"]
    x = padded(x, margins(node, x.shape[2:], kernel), -math.inf)
    return ops.max_pool(x, tuple(kernel), _strides(node, kernel), "valid", _FIRST)


def _average_pool(node, x):
    """Means of what lies in the windows, or counts of it that the margins have a part in."""
    _refuse_dilated(node)
    kernel, sizes, pairs = node.settings["kernel_shape"], x.shape[2:], None
    pairs = margins(node, sizes, kernel)
    strides = _strides(node, kernel)
    y = ops.average_pool(padded(x, pairs), tuple(kernel), strides, "valid", _FIRST)
    counted = [(0, 0)] * len(kernel)
    if node.settings.get("count_include_pad"):
        rank, pads = len(kernel), node.settings.get("pads", [0] * 2 * len(kernel))
        counted = list(zip(pads[:rank], pads[rank:]))
    share = np.ones(())
    for n, k, s, (before, after), (first, last) in zip(sizes, kernel, strides, pairs, counted):
        begins = np.arange((n + before + after - k) // s + 1) * s - before
        inside = np.minimum(begins + k, n + last) - np.maximum(begins, -first)
        share = np.multiply.outer(share, k / inside)
    return y if (share == 1).all() else ops.multiply(y, share)


def _strides(node, kernel):
    return tuple(node.settings.get("strides", [1] * len(kernel)))


def _refuse_dilated(node):
    if max(node.settings.get("dilations", [1])) > 1:
        raise ValueError(
            f"expected a {node.op} without dilations, got {node.settings['dilations']}"
        )


def _over_pixels(function):
    return lambda node, x: function(x, tuple(range(2, x.ndim)), True)


# --- recurrent operators

# The place in nnlite of each gate of ONNX: input, forget, candidate, output; update, reset,
# candidate.
_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (0, 1, 2), "RNN": (0,)}
_ACTIVATIONS = {
    "Affine": "linear",
    "HardSigmoid": "hard_sigmoid",
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Softsign": "softsign",
    "Tanh": "tanh",
}


def _recurrent(node, x, w, r, bias=None, lengths=None, h=None, c=None, peepholes=None):
    """(Y, the last h, the last c) of one or both directions."""
    kind, settings = node.op, node.settings
    if lengths is not None or peepholes is not None or settings.get("layout"):
        raise ValueError(f"expected a {kind} without lengths, peepholes and layout")
    directions = {"forward": [0], "reverse": [1], "bidirectional": [0, 1]}
    directions = directions[settings.get("direction", "forward")]
    names = settings.get("activations") or ["Sigmoid"] * (kind != "RNN") + ["Tanh"] * (
        1 + (kind == "LSTM")
    )
    names = [_ACTIVATIONS.get(name) for name in names[: 1 + (kind != "RNN")]]
    if None in names:
        raise ValueError(f"expected activations among {', '.join(_ACTIVATIONS)}")
    given = ops.transpose(real(x), (1, 0, 2))
    found = []
    for i, reverse in enumerate(directions):
        biases = None if bias is None else bias[i]
        states = [s if s is None else s[i] for s in (h, c)]
        found.append(_one_way(node, given, w[i], r[i], biases, states, names, reverse))
    outputs = []
    for which in range(2 if kind == "LSTM" else 1):
        each = [states[which] for states in found]
        if not which:
            sequences = [ops.transpose(y, (1, 0, 2)) for y in each]
            outputs.append(ops.stack(sequences, axis=1))
        last = [y[:, 0 if reverse else -1] for y, reverse in zip(each, directions)]
        outputs.append(ops.stack(last, axis=0))
    return outputs


def _one_way(node, x, w, r, bias, states, names, reverse):
    """The states after all steps, (N, T, U)."""
    kind, units = node.op, r.shape[-1]
    w, r = (_in_order(real(v), kind) for v in (w, r))
    gates = len(_GATES[kind])
    of_input = of_state = ops.zeros((gates * units,), x.dtype)
    if bias is not None:
        parts = ops.split(real(bias), 2)
        of_input, of_state = (_in_order(v, kind) for v in parts)
    states = [
        ops.zeros((x.shape[0], units), x.dtype)
        if s is None
        else ops.broadcast_to(real(s), (x.shape[0], units))
        for s in states
    ]
    how = {"activation": names[-1], "reverse": bool(reverse)}
    if kind == "GRU":
        if not node.settings.get("linear_before_reset"):
            raise ValueError("expected a GRU with linear_before_reset=1, got another")
        z = ops.linear(x, ops.transpose(w), of_input)
        how["recurrent_activation"] = names[0]
        return [ops.gru(z, ops.transpose(r), of_state, states[0], **how)]
    z = ops.linear(x, ops.transpose(w), ops.add(of_input, of_state))
    if kind == "RNN":
        return [ops.simple_rnn(z, ops.transpose(r), states[0], **how)]
    how["recurrent_activation"] = names[0]
    return ops.lstm(z, ops.transpose(r), *states, **how)


def _in_order(weights, kind):
    parts = ops.split(weights, len(_GATES[kind]))
    return ops.concatenate([parts[i] for i in _GATES[kind]], axis=0)


FUNCTIONS = {
    "AveragePool": _average_pool,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GRU": _recurrent,
    "GlobalAveragePool": _over_pixels(ops.mean),
    "GlobalMaxPool": _over_pixels(ops.max),
    "LSTM": _recurrent,
    "MaxPool": _max_pool,
    "RNN": _recurrent,
}
