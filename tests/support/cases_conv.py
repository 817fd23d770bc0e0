"""What convolutions are tested with: their parts of `CASES`, `ULP` and `GRADIENTS`."""

import numpy as np
from oracle_conv import (
    conv2d,
    conv2d_gradient_input,
    conv2d_gradient_kernel,
    depthwise_conv2d,
    depthwise_gradient_input,
    depthwise_gradient_kernel,
    with_columns,
)
from samples import Case, normal

from nnlite.ops.activation import KINDS
from nnlite.ops.convolution import window_attributes

FUSED = ["linear", "relu", "leaky_relu", "sigmoid", "tanh"]

# x, (KH, KW, F), strides, padding, dilation, groups
CONVOLUTIONS = [
    ((1, 1, 1, 1), (1, 1, 1), 1, "valid", 1, 1),
    ((0, 6, 6, 3), (3, 3, 4), 1, "same", 1, 1),
    ((2, 1, 1, 5), (3, 3, 7), 1, "same", 1, 1),
    ((3, 2, 3, 2), (5, 7, 4), 1, "same", 1, 1),
    ((2, 7, 9, 3), (2, 2, 5), (3, 4), "valid", 1, 1),
    ((2, 7, 9, 3), (1, 1, 5), (3, 2), "same", 1, 1),
    ((1, 9, 10, 2), (3, 2, 3), (2, 1), "same", (1, 2), 1),
    ((2, 12, 11, 3), (3, 3, 6), 2, "same", 3, 1),
    ((1, 13, 9, 1), (2, 3, 2), (2, 3), "valid", (3, 2), 1),
    ((1, 10, 12, 2), (4, 3, 3), (4, 3), "same", (2, 6), 1),
    ((2, 6, 5, 6), (3, 3, 9), 1, "same", 1, 3),
    ((1, 7, 7, 64), (3, 3, 70), 2, "same", 1, 2),
    ((2, 5, 5, 4), (3, 2, 4), 1, "valid", 2, 4),
    ((3, 28, 28, 1), (5, 5, 6), 1, "same", 1, 1),
    ((5, 14, 14, 6), (5, 5, 16), 1, "valid", 1, 1),
    ((4, 26, 27, 1), (3, 3, 32), 1, "valid", 1, 1),
    ((9, 13, 13, 32), (3, 3, 64), 1, "valid", 1, 1),
    ((30, 5, 5, 64), (3, 3, 64), 1, "valid", 1, 1),
    ((2, 6, 9, 100), (3, 3, 33), 1, "same", 1, 1),
    ((1, 3, 700, 3), (3, 3, 5), 1, "same", 1, 1),
    ((1, 600, 2, 2), (2, 2, 3), 1, "same", 1, 1),
    ((40, 6, 6, 17), (1, 1, 40), 1, "valid", 1, 1),
    ((3, 2, 2, 30), (2, 2, 130), 1, "valid", 1, 1),
    ((2, 40, 30, 3), (3, 3, 2), 1, "valid", 1, 1),
    ((2, 4, 5, 520), (2, 2, 520), 1, "same", 1, 1),
    ((2, 9, 33, 1), (3, 5, 8), (2, 1), "same", (1, 3), 1),
    ((3, 7, 40, 1), (2, 2, 1), 1, "valid", 1, 1),
    ((2, 9, 31, 16), (2, 3, 40), (3, 2), "same", (2, 1), 1),
    ((2, 8, 11, 3), (1, 4, 3), (1, 5), "valid", 1, 1),
    ((2, 4, 35, 24), (3, 3, 20), 1, "same", 1, 1),
    ((2, 6, 40, 32), (2, 2, 20), 1, "valid", (2, 3), 1),
    ((2, 6, 40, 32), (2, 3, 18), 2, "same", 1, 1),
    ((1, 100, 100, 32), (1, 1, 24), 1, "same", 1, 1),  # more than the second cache holds
]
# Of Winograd's algorithm: the last patch of a row and of a column is whole, or has 1 to 3 pixels.
WINOGRAD = [
    ((0, 6, 6, 16), (3, 3, 16), 1, "same", 1, 1),
    ((2, 8, 12, 16), (3, 3, 32), 1, "same", 1, 1),
    ((3, 3, 11, 48), (3, 3, 16), 1, "valid", 1, 1),
    ((2, 31, 18, 16), (3, 3, 80), 1, "same", 1, 1),
    ((1, 7, 9, 272), (3, 3, 48), 1, "valid", 1, 1),
    ((1, 6, 5, 128), (3, 3, 80), 1, "same", 1, 1),  # filters in several turns, for the cache
    ((1, 6, 5, 1024), (3, 3, 48), 1, "same", 1, 1),  # and for memory
]
# x, (KH, KW, M), strides, padding, dilation
DEPTHWISE = [
    ((1, 1, 1, 1), (1, 1, 1), 1, "valid", 1),
    ((0, 6, 6, 3), (3, 3, 1), 1, "same", 1),
    ((2, 1, 1, 5), (3, 3, 1), 1, "same", 1),
    ((3, 2, 3, 2), (5, 7, 3), 1, "same", 1),
    ((2, 7, 9, 3), (2, 2, 2), (3, 4), "valid", 1),
    ((2, 12, 11, 16), (3, 3, 1), 2, "same", 3),
    ((1, 13, 9, 65), (2, 3, 1), (2, 3), "valid", (3, 2)),
    ((1, 10, 12, 70), (4, 3, 2), (4, 3), "same", (2, 6)),
    ((9, 14, 14, 32), (3, 3, 1), 1, "same", 1),
    ((5, 15, 15, 128), (5, 3, 1), 2, "same", 1),
    ((2, 9, 9, 33), (3, 3, 1), 1, "valid", 1),
    ((1, 6, 13, 20), (5, 5, 1), 1, "same", 1),
    ((1, 9, 14, 17), (3, 5, 1), 2, "valid", (2, 1)),
    ((1, 7, 11, 40), (3, 3, 1), (1, 2), "same", 1),
    ((2, 9, 22, 33), (3, 3, 1), 2, "same", 1),
    ((1, 8, 13, 40), (5, 5, 1), 2, "same", 1),
    ((1, 12, 14, 16), (5, 5, 1), 2, "valid", 1),
    ((2, 7, 10, 20), (3, 3, 1), (2, 1), "same", 1),
    ((1, 3, 21, 18), (1, 5, 1), (1, 2), "same", 1),
    ((1, 15, 15, 300), (5, 5, 1), 1, "same", 1),  # rows in several blocks
]


# The kernel's gradient sums blocks of channels and filters, and chunks of patches.
WINOGRAD_SUMS = [*WINOGRAD[:-2], ((3, 16, 17, 80), (3, 3, 144), 1, "same", 1, 1)]


def triples(depthwise=False, shapes=CONVOLUTIONS):
    """(x, w, dy, attributes of the window, with `groups` where there are) of every shape."""
    for entry in DEPTHWISE if depthwise else shapes:
        x, (kh, kw, last), *how = entry
        groups = 1 if depthwise else how.pop()
        w = (kh, kw, x[3] // groups, last)
        a = window_attributes("conv", x, w, *how)
        features = x[3] * last if depthwise else last
        dy = (x[0], a["out_h"], a["out_w"], features)
        if not depthwise:
            a["groups"] = groups
        yield normal(*x), normal(*w, seed=1), normal(*dy, seed=2), a


def mostly_zeros(depthwise, shapes):
    """The same, where one in 20 elements of dy is not 0, or none; for convolutions in one group."""
    for i, (x, w, dy, a) in enumerate(triples(depthwise, shapes)):
        if a.get("groups") == 1:
            kept = np.random.RandomState(i).uniform(size=dy.shape) < (0.05 if i % 4 else 0)
            yield x, w, np.where(kept, dy, 0), a


def forward_cases(function, depthwise=False, shapes=CONVOLUTIONS):
    """Each shape; activations, a bias, and scale and shift take turns."""

    def scale(inputs, want, a):
        x, w, *columns = map(np.abs, inputs)
        return with_columns(function(x, w, a, (a["out_h"], a["out_w"])), columns) + np.abs(want)

    found = []
    for i, (x, w, dy, window) in enumerate(triples(depthwise, shapes)):
        a = {"kind": KINDS[FUSED[i % len(FUSED)]], "alpha": 0.25, **window}
        bias, *folded = (normal(dy.shape[-1], seed=3 + k) for k in range(3))
        columns = [[], [bias], folded, [bias, *folded]][i % 4]
        inputs = [x, w / w[..., 0].size ** 0.5, *columns]
        found.append(Case(inputs, a, scale=lambda x, y, a=a: scale(x, y, a)))
    return found


def cases_gradients(function, of, depthwise=False, shapes=CONVOLUTIONS):
    """Each shape; `of` is 'x' or 'w'. The bias's gradient is asked for in turns."""

    def scale(inputs, a):
        x, y = map(np.abs, inputs)
        of_kernel = function(x, y, a)
        return (of_kernel, y.sum(axis=(0, 1, 2))) if a.get("with_bias") else of_kernel

    found = []
    given = [*triples(depthwise, shapes), *mostly_zeros(depthwise, shapes)]
    for i, (x, w, dy, window) in enumerate(given):
        a = {k: v for k, v in window.items() if k not in ("out_h", "out_w")}
        a["shape"] = (x if of == "x" else w).shape
        inputs = [dy, w] if of == "x" else [x, dy]
        if function is conv2d_gradient_input:
            a["sparse"] = int((dy == 0).any())
        if function is conv2d_gradient_kernel:
            a["with_bias"] = i % 3 > 0
        found.append(Case(inputs, a, scale=lambda x, y, a=a: scale(x, a)))
    return found


CASES = {
    "conv2d": forward_cases(conv2d),
    "conv2d_winograd": forward_cases(conv2d, shapes=WINOGRAD),
    "conv2d_gradient_input": cases_gradients(conv2d_gradient_input, "x"),
    "conv2d_gradient_kernel": cases_gradients(conv2d_gradient_kernel, "w"),
    "conv2d_winograd_gradient_input": cases_gradients(conv2d_gradient_input, "x", shapes=WINOGRAD),
    "conv2d_winograd_gradient_kernel": cases_gradients(
        conv2d_gradient_kernel, "w", shapes=WINOGRAD_SUMS
    ),
    "depthwise_conv2d": forward_cases(depthwise_conv2d, True),
    "depthwise_gradient_input": cases_gradients(depthwise_gradient_input, "x", True),
    "depthwise_gradient_kernel": cases_gradients(depthwise_gradient_kernel, "w", True),
}

ULP = {name: 5 for name in CASES}
# The transformed patches are up to 100 times as large as the images, and cancel in the end; those
# of dy are up to 225 times as large as dy.
ULP.update(conv2d_winograd=40, conv2d_winograd_gradient_input=40)
ULP.update(conv2d_winograd_gradient_kernel=60)

SMALL = [CONVOLUTIONS[i] for i in (3, 4, 6, 7, 8, 10)] + [DEPTHWISE[i] for i in (3, 4, 6)]


def smooth(depthwise):
    """(op, inputs, attributes, which inputs) of small shapes, where the ops are smooth."""
    name = "depthwise" if depthwise else "conv2d"
    for i, (x, w, dy, window) in enumerate(triples(depthwise)):
        if (DEPTHWISE if depthwise else CONVOLUTIONS)[i] not in SMALL:
            continue
        a = {k: v for k, v in window.items() if k not in ("out_h", "out_w")}
        fused = {"kind": KINDS["tanh" if i % 2 else "linear"], "alpha": 0.0}
        inputs = [x, w, normal(dy.shape[-1], seed=3)][: 2 + i % 2]
        forward = "depthwise_conv2d" if depthwise else "conv2d"
        yield forward, inputs, {**fused, **window}, (0, 1, 2)[: len(inputs)]
        more = {} if depthwise else {"sparse": 0}
        yield f"{name}_gradient_input", [dy, w], {**a, "shape": x.shape, **more}, (0, 1)
        more = {} if depthwise else {"with_bias": bool(i % 2)}
        yield f"{name}_gradient_kernel", [x, dy], {**a, "shape": w.shape, **more}, (0, 1)


# (inputs, attributes, which of the inputs) for each op
GRADIENTS = {name: [] for name in CASES if "winograd" not in name}
for _name, *_what in [*smooth(False), *smooth(True)]:
    GRADIENTS[_name].append(tuple(_what))
