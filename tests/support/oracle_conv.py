"""Convolutions in plain NumPy, as sums over the places of the window: part of the oracle."""

import numpy as np


def padded(x, a, window, size):
    """x with zeros around, for windows over `size` pixels, and what of it is x."""
    need = [
        (n - 1) * a[f"stride_{d}"] + (k - 1) * a[f"dilation_{d}"] + 1
        for n, k, d in zip(size, window, "hw")
    ]
    before = (a["pad_top"], a["pad_left"])
    full = [max(b + n, m) for b, n, m in zip(before, x.shape[1:3], need)]
    wide = np.zeros((x.shape[0], *full, x.shape[3]), x.dtype)
    inside = tuple(slice(b, b + n) for b, n in zip(before, x.shape[1:3]))
    wide[(slice(None), *inside)] = x
    return wide, (slice(None), *inside)


def taps(a, window, size):
    """(kh, kw) and which pixels of the padded image are under it, for each place of the window."""
    for i in range(window[0]):
        for j in range(window[1]):
            yield (
                (i, j),
                (
                    slice(None),
                    *(
                        slice(k * a[f"dilation_{d}"], None, a[f"stride_{d}"])
                        for k, d in zip((i, j), "hw")
                    ),
                ),
                (slice(None), slice(0, size[0]), slice(0, size[1])),
            )


def groups_of(x, groups):
    """The last axis in groups."""
    return x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)


def conv2d(x, w, a, size):
    """The sum over the window of x there times w there; groups see only themselves."""
    groups = a["groups"]
    wide, _ = padded(x, a, w.shape, size)
    w = groups_of(w, groups)
    y = np.zeros((x.shape[0], *size, *w.shape[3:]), x.dtype)
    for tap, under, some in taps(a, w.shape, size):
        y += np.einsum("nhwgc,cgf->nhwgf", groups_of(wide[under][some], groups), w[tap])
    return y.reshape(*y.shape[:3], y.shape[3] * y.shape[4])


def conv2d_gradient_input(dy, w, a):
    """Each pixel's share in every result that has it in its window."""
    groups, size = a["groups"], dy.shape[1:3]
    wide, inside = padded(np.zeros(a["shape"], dy.dtype), a, w.shape, size)
    w, dy = groups_of(w, groups), groups_of(dy, groups)
    for tap, under, some in taps(a, w.shape, size):
        share = np.einsum("nhwgf,cgf->nhwgc", dy, w[tap])
        wide[under][some] += share.reshape(*share.shape[:3], share.shape[3] * share.shape[4])
    return wide[inside]


def conv2d_gradient_kernel(x, dy, a):
    """The correlation of x under each tap with dy."""
    groups, size = a["groups"], dy.shape[1:3]
    wide, _ = padded(x, a, a["shape"], size)
    dw = np.zeros((*a["shape"][:3], groups, a["shape"][3] // groups), x.dtype)
    dy = groups_of(dy, groups)
    for tap, under, some in taps(a, a["shape"], size):
        dw[tap] = np.einsum("nhwgc,nhwgf->cgf", groups_of(wide[under][some], groups), dy)
    return dw.reshape(a["shape"])


def depthwise_conv2d(x, w, a, size):
    """The sum over the window for each channel and each of its kernels."""
    wide, _ = padded(x, a, w.shape, size)
    y = np.zeros((x.shape[0], *size, *w.shape[2:]), x.dtype)
    for tap, under, some in taps(a, w.shape, size):
        y += np.einsum("nhwc,cm->nhwcm", wide[under][some], w[tap])
    return y.reshape(*y.shape[:3], y.shape[3] * y.shape[4])


def depthwise_gradient_input(dy, w, a):
    """As of conv2d."""
    wide, inside = padded(np.zeros(a["shape"], dy.dtype), a, w.shape, dy.shape[1:3])
    each = dy.reshape(*dy.shape[:3], *w.shape[2:])
    for tap, under, some in taps(a, w.shape, dy.shape[1:3]):
        wide[under][some] += np.einsum("nhwcm,cm->nhwc", each, w[tap])
    return wide[inside]


def depthwise_gradient_kernel(x, dy, a):
    """As of conv2d."""
    wide, _ = padded(x, a, a["shape"], dy.shape[1:3])
    each = dy.reshape(*dy.shape[:3], *a["shape"][2:])
    dw = np.zeros(a["shape"], x.dtype)
    for tap, under, some in taps(a, a["shape"], dy.shape[1:3]):
        dw[tap] = np.einsum("nhwc,nhwcm->cm", wide[under][some], each)
    return dw


def with_columns(y, columns):
    """y with the optional bias, then the optional scale and shift."""
    if len(columns) % 2:
        y = y + columns[0]
    return y * columns[-2] + columns[-1] if len(columns) > 1 else y


def oracle(activate):
    """The convolutions' part of `ORACLE`, by its activations."""

    def with_bias(function, x, a):
        y = with_columns(function(x[0], x[1], a, (a["out_h"], a["out_w"])), x[2:])
        return activate(y, a["kind"], a["alpha"])

    found = {
        "conv2d": lambda x, a: [with_bias(conv2d, x, a)],
        "conv2d_gradient_input": lambda x, a: [conv2d_gradient_input(*x, a)],
        "conv2d_gradient_kernel": lambda x, a: [
            conv2d_gradient_kernel(*x, a),
            *([x[1].sum(axis=(0, 1, 2))] if a["with_bias"] else []),
        ],
        "depthwise_conv2d": lambda x, a: [with_bias(depthwise_conv2d, x, a)],
        "depthwise_gradient_input": lambda x, a: [depthwise_gradient_input(*x, a)],
        "depthwise_gradient_kernel": lambda x, a: [depthwise_gradient_kernel(*x, a)],
    }
    plain = [name for name in found if name.startswith("conv2d")]
    return found | {name.replace("conv2d", "conv2d_winograd"): found[name] for name in plain}
