"""Convolutions of images (N, H, W, C), across all channels or within each channel."""

import math
from numbers import Integral

from nnlite.engine.dispatch import OPS, Op, apply
from nnlite.ops import winograd
from nnlite.ops.activation import KINDS, activation_gradient
from nnlite.ops.convolution_chain import chain_row
from nnlite.ops.linear import PACK_KERNEL
from nnlite.ops.operands import call, number, operands
from nnlite.ops.reduce import sum_to
from nnlite.ops.shape import broadcast_to, reshape
from nnlite.ops.windows import (
    check_images,
    check_padding,
    equivalent_steps,
    pair,
    sizes,
    windows_along,
)

# The attributes of a window in C's order; conv2d has `groups` after them.
_WINDOW = {
    "stride_h": int,
    "stride_w": int,
    "pad_top": int,
    "pad_left": int,
    "dilation_h": int,
    "dilation_w": int,
}
_FUSED = {"kind": int, "alpha": float}
_OUTPUT_SIZE = {"out_h": None, "out_w": None}


def window_attributes(name, x, kernel, strides, padding, dilation_rate):
    """The checked attributes of a window over images; `x` and `kernel` are shapes."""
    padding = check_padding(padding, ("valid", "same", "causal"))
    check_images(x)
    if len(kernel) != 4 or 0 in kernel:
        raise ValueError(f"{name}: expected a kernel of 4 axes, none of size 0, got shape {kernel}")
    stride_h, stride_w = pair("strides", strides)
    dilation_h, dilation_w = pair("dilation_rate", dilation_rate)
    least = [(k - 1) * d + 1 for k, d in zip(kernel, (dilation_h, dilation_w))]
    stride_h, dilation_h = equivalent_steps(x[1], kernel[0], stride_h, dilation_h)
    stride_w, dilation_w = equivalent_steps(x[2], kernel[1], stride_w, dilation_w)
    out_h, pad_top = windows_along(x[1], kernel[0], stride_h, padding, dilation_h)
    out_w, pad_left = windows_along(x[2], kernel[1], stride_w, padding, dilation_w)
    if out_h < 1 or out_w < 1:
        raise ValueError(
            f"{name}: expected images of at least {least[0]} x {least[1]} (height x width) for "
            f"padding {padding!r}, got shape {x}"
        )
    return {
        "stride_h": stride_h,
        "stride_w": stride_w,
        "pad_top": pad_top,
        "pad_left": pad_left,
        "dilation_h": dilation_h,
        "dilation_w": dilation_w,
        "out_h": out_h,
        "out_w": out_w,
    }


def _activation_number(name, activation):
    if not isinstance(activation, str) or activation not in KINDS:
        raise ValueError(
            f"{name}: expected an activation of {', '.join(KINDS)}, got {activation!r}"
        )
    return KINDS[activation]


def _geometry(attrs, *names):
    return {name: attrs[name] for name in (*_WINDOW, *names)}


def _check_columns(columns, features):
    """The shapes of a bias, and of scale and shift, which `absorb` may have put behind it."""
    for shape in columns:
        if shape != (features,):
            raise ValueError(f"expected a bias of shape {(features,)}, got {shape}")


def _bias_gradient(dz):
    dz = dz if dz.sparse_grad is None else dz.sparse_grad.values  # all other elements are 0
    pixels, features = math.prod(dz.shape[:-1]), dz.shape[-1]
    return sum_to(reshape(dz, (pixels, features)), (features,))


# --- conv2d


def _infer_conv2d(x, w, *columns, groups, out_h, out_w, **_):
    if w[3] % groups:
        raise ValueError(f"conv2d: expected filters in {groups} equal groups, got {w[3]}")
    if x[3] != w[2] * groups:
        raise ValueError(
            f"expected images of {w[2] * groups} channels (kernel shape {w}, groups {groups}), "
            f"got shape {x}"
        )
    _check_columns(columns, w[3])
    return [(x[0], out_h, out_w, w[3])]


def _conv2d_gradient(c, dy, need):
    (x, w, *_), (y,) = c.inputs, c.outputs
    dz = activation_gradient(dy, y, c.attrs["kind"], c.attrs["alpha"])
    window = _geometry(c.attrs, "groups")
    of_images = {**window, "sparse": 1, "shape": x.shape}
    dw, db, with_bias = None, None, need[2:] == [True]
    if need[1]:
        attrs = {**window, "shape": w.shape, "with_bias": with_bias}
        dw, *with_it = apply(OPS["conv2d_gradient_kernel"], [x, dz], attrs)
        db = with_it[0] if with_bias else None
    elif with_bias:
        db = _bias_gradient(dz)
    # The last: x needs no memory any more where it was computed again.
    dx = call("conv2d_gradient_input", [dz, w], **of_images) if need[0] else None
    return [dx, dw, db][: len(need)]


def _convolve(c, given, name):
    """The convolution of which the call `c` is a gradient, of the operands `given`."""
    window = _geometry(c.attrs, *(["groups"] if name == "conv2d" else []))
    out_h, out_w = c.inputs[1 if c.op.name.endswith("kernel") else 0].shape[1:3]
    return call(name, given, kind=0, alpha=0.0, **window, out_h=out_h, out_w=out_w)


def _input_gradient_rule(name):
    """The gradient rule of dx = f(dy, w), the input gradient of the op `name`."""
    kernel = name.removesuffix("_conv2d") + "_gradient_kernel"

    def rule(c, ddx, need):
        dy, w = c.inputs
        window = {k: v for k, v in c.attrs.items() if k not in ("shape", "sparse")}
        to_dy = _convolve(c, [ddx, w], name) if need[0] else None
        to_w = call(kernel, [ddx, dy], **window, shape=w.shape) if need[1] else None
        return [to_dy, to_w]

    return rule


def _kernel_gradient_rule(name):
    """The gradient rule of dw (and db) = f(x, dy), the kernel gradient of the op `name`."""
    image = name.removesuffix("_conv2d") + "_gradient_input"

    def rule(c, ddw, ddb=None, *, need):
        x, dy = c.inputs
        window = {k: v for k, v in c.attrs.items() if k not in ("shape", "with_bias")}
        to_x = to_dy = None
        if ddw is None:
            to_dy = broadcast_to(ddb, dy.shape) if need[1] else None
        else:
            of_images = {**window, **({"sparse": 0} if name == "conv2d" else {}), "shape": x.shape}
            to_x = call(image, [dy, ddw], **of_images) if need[0] else None
            given = [x, ddw] if ddb is None else [x, ddw, ddb]
            to_dy = _convolve(c, given, name) if need[1] else None
        return [to_x, to_dy]

    return rule


def _conv2d_work(inputs, outputs):
    return math.prod(outputs[0]) * math.prod(inputs[1][:3])


def _gradient_input_work(inputs, outputs):
    return math.prod(inputs[0]) * math.prod(inputs[1][:3])


def _gradient_kernel_work(inputs, outputs):
    return math.prod(inputs[1]) * math.prod(outputs[0][:3])


def _infer_gradient_kernel(x, dy, *, shape, with_bias=False, **_):
    return [shape, dy[3:]] if with_bias else [shape]


def _with_winograd(name, pays, row, **more):
    """The rows of an op, and of the one that takes its place where that pays."""
    quick = name.replace("conv2d", "conv2d_winograd")
    Op(quick, **row)
    Op(name, **row, **more, shortcut=(quick, pays))


_with_winograd(
    "conv2d",
    winograd.pays,
    {
        "infer": _infer_conv2d,
        "work": _conv2d_work,
        "attrs": {**_FUSED, **_WINDOW, "groups": int, **_OUTPUT_SIZE},
        "by_sample": (0,),
    },
    gradient=_conv2d_gradient,
    absorbs=("scale_shift", "activation"),
    pads=True,
    packs=(PACK_KERNEL, "conv2d_packed", 2048),
)
Op(
    "conv2d_packed",
    infer=lambda x, packed, *b, out_h, out_w, features, **_: [(x[0], out_h, out_w, features)],
    work=_conv2d_work,
    attrs={**_FUSED, **_WINDOW, "groups": int, **_OUTPUT_SIZE, "features": None},
    by_sample=(0,),
)
_with_winograd(
    "conv2d_gradient_input",
    winograd.pays_for_input,
    {
        "infer": lambda dy, w, shape, **_: [shape],
        "work": _gradient_input_work,
        "attrs": {**_WINDOW, "groups": int, "sparse": int, "shape": None},
    },
    gradient=_input_gradient_rule("conv2d"),
)
_with_winograd(
    "conv2d_gradient_kernel",
    winograd.pays_for_kernel,
    {
        "infer": _infer_gradient_kernel,
        "work": _gradient_kernel_work,
        "attrs": {**_WINDOW, "groups": int, "shape": None, "with_bias": None},
        "outputs": ("real", "real"),
    },
    gradient=_kernel_gradient_rule("conv2d"),
)


def conv2d(
    x,
    kernel,
    bias=None,
    strides=1,
    padding="valid",
    dilation_rate=1,
    groups=1,
    activation="linear",
    alpha=0.0,
):
    """activation(convolution of images + bias), in one pass over the result.

    Parameters
    ----------
    x : tensor, shape (N, H, W, C)
    kernel : tensor, shape (KH, KW, C / groups, F)
    bias : tensor of shape (F,), optional
    strides, dilation_rate : int or pair of int, default 1
        Along height and width, in pixels.
    padding : {'valid', 'same', 'causal'}, default 'valid'
        'valid': no padding. 'same': zeros around the image so that OH = ceil(H / stride) and
        OW = ceil(W / stride); if their number is odd, the extra row or column is the last.
        'causal': all of these zeros are above the image and to its left.
    groups : int, default 1
        Number of equal groups of channels and filters; filters see the channels of their group.
    activation : str, default 'linear'
        One of 'linear', 'relu', 'leaky_relu', 'sigmoid', 'tanh', 'capped_relu', 'elu', 'selu',
        'softplus', 'softsign', 'hard_sigmoid' and 'isru'.
    alpha : float, default 0.0
        Parameter of the activation, e.g. the slope of 'leaky_relu' below 0.

    Returns
    -------
    Tensor, shape (N, OH, OW, F)

    Raises
    ------
    ValueError
        For shapes that do not fit, and for other values of the arguments.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.conv2d(ops.ones((1, 5, 5, 2)), ops.ones((3, 3, 2, 4))).shape
    (1, 3, 3, 4)
    """
    if isinstance(groups, bool) or not isinstance(groups, Integral) or groups < 1:
        raise ValueError(f"conv2d: groups: expected a positive integer, got {groups!r}")
    given = operands(*([x, kernel] if bias is None else [x, kernel, bias]))
    shapes = given[0].shape, given[1].shape
    window = window_attributes("conv2d", *shapes, strides, padding, dilation_rate)
    kind, alpha = _activation_number("conv2d", activation), number("alpha", alpha)
    return call("conv2d", given, kind=kind, alpha=alpha, groups=int(groups), **window)


def transposed_axis(size, kernel, stride, apart, padding, extra):
    """Of one axis that is enlarged: its size, and the attributes of the convolution that makes
    `size` windows of it: (size, stride, padding before it, dilation)."""
    covered = (kernel - 1) * apart + 1
    if padding == "valid":
        extra = max(stride - covered, 0) if extra is None else extra
        return (size - 1) * stride + covered + extra, stride, 0, apart
    large = size * stride if extra is None else (size - 1) * stride + covered % 2 + extra
    stride, apart = equivalent_steps(large, kernel, stride, apart)
    covered = (kernel - 1) * apart + 1
    return large, stride, max((size - 1) * stride + covered - large, 0) // 2, apart


def conv2d_transpose(x, kernel, strides=1, padding="valid", output_padding=None, dilation_rate=1):
    """The convolution of images with this kernel, transposed: images of its results.

    It is the linear map whose matrix is that of the convolution, transposed; so it enlarges images
    by the strides.

    M. D. Zeiler, D. Krishnan, G. W. Taylor, R. Fergus: "Deconvolutional networks", CVPR 2010.

    Parameters
    ----------
    x : tensor, shape (N, H, W, C)
    kernel : tensor, shape (KH, KW, F, C)
    strides, dilation_rate : int or pair of int, default 1
        Along height and width, in pixels of the result.
    padding : {'valid', 'same'}, default 'valid'
        Of the convolution. With k, the pixels that a dilated kernel covers: the result has
        (H - 1) * stride + k rows for 'valid', at least H * stride, and H * stride for 'same'.
    output_padding : int or pair of int, optional
        The result has (H - 1) * stride + k + output_padding rows then for 'valid', and
        (H - 1) * stride + k % 2 + output_padding for 'same'.

    Returns
    -------
    Tensor, shape (N, height, width, F)

    Raises
    ------
    ValueError
        For shapes that do not fit, and for other values of the arguments.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.conv2d_transpose(ops.ones((1, 5, 5, 2)), ops.ones((3, 3, 4, 2)), 2).shape
    (1, 11, 11, 4)
    """
    name, padding = "conv2d_transpose", check_padding(padding)
    x, kernel = operands(x, kernel)
    check_images(x.shape)
    if kernel.ndim != 4 or 0 in kernel.shape:
        raise ValueError(
            f"{name}: expected a kernel of 4 axes, none of size 0, got shape {kernel.shape}"
        )
    if x.shape[3] != kernel.shape[3]:
        raise ValueError(
            f"expected images of {kernel.shape[3]} channels (kernel shape {kernel.shape}), "
            f"got shape {x.shape}"
        )
    steps, apart = pair("strides", strides), pair("dilation_rate", dilation_rate)
    extra = (None, None)
    if output_padding is not None:
        extra = sizes("output_padding", output_padding, 2, least=0)
    each = zip(x.shape[1:3], kernel.shape, steps, apart, extra)
    (height, *rows), (width, *columns) = (
        transposed_axis(n, k, s, d, padding, e) for n, k, s, d, e in each
    )
    if min(x.shape[1:3]) < 1 or min(height, width) < 1:
        raise ValueError(
            f"{name}: expected images, and a result, of at least one pixel, got shape {x.shape} "
            f"and a result of {height} x {width} (height x width)"
        )
    window = dict(zip(_WINDOW, [n for axes in zip(rows, columns) for n in axes]))
    shape = (x.shape[0], height, width, kernel.shape[2])
    return call("conv2d_gradient_input", [x, kernel], **window, groups=1, sparse=0, shape=shape)


# --- depthwise_conv2d and separable_conv2d


def _infer_depthwise(x, w, *columns, out_h, out_w, **_):
    if x[3] != w[2]:
        raise ValueError(f"expected images of {w[2]} channels (kernel shape {w}), got shape {x}")
    _check_columns(columns, w[2] * w[3])
    return [(x[0], out_h, out_w, w[2] * w[3])]


def _depthwise_gradient(c, dy, need):
    (x, w, *_), (y,) = c.inputs, c.outputs
    dz = activation_gradient(dy, y, c.attrs["kind"], c.attrs["alpha"])
    window = _geometry(c.attrs)
    dx = call("depthwise_gradient_input", [dz, w], **window, shape=x.shape) if need[0] else None
    dw = call("depthwise_gradient_kernel", [x, dz], **window, shape=w.shape) if need[1] else None
    db = _bias_gradient(dz) if need[2:] == [True] else None
    return [dx, dw, db][: len(need)]


def _depthwise_work(inputs, outputs):
    return math.prod(outputs[0]) * math.prod(inputs[1][:2])


def _depthwise_input_work(inputs, outputs):
    return math.prod(inputs[0]) * math.prod(inputs[1][:2])


def _depthwise_kernel_work(inputs, outputs):
    return math.prod(inputs[1]) * math.prod(outputs[0][:2])


Op(
    "depthwise_conv2d",
    infer=_infer_depthwise,
    gradient=_depthwise_gradient,
    work=_depthwise_work,
    attrs={**_FUSED, **_WINDOW, **_OUTPUT_SIZE},
    absorbs=("scale_shift", "activation"),
    by_sample=(0,),
    pads=True,
)
Op("conv2d_chain", **chain_row(OPS["depthwise_conv2d"].attrs))
Op(
    "depthwise_gradient_input",
    infer=lambda dy, w, shape, **_: [shape],
    work=_depthwise_input_work,
    gradient=_input_gradient_rule("depthwise_conv2d"),
    attrs={**_WINDOW, "shape": None},
)
Op(
    "depthwise_gradient_kernel",
    infer=lambda x, dy, shape, **_: [shape],
    work=_depthwise_kernel_work,
    gradient=_kernel_gradient_rule("depthwise_conv2d"),
    attrs={**_WINDOW, "shape": None},
)


def depthwise_conv2d(
    x,
    kernel,
    bias=None,
    strides=1,
    padding="valid",
    dilation_rate=1,
    activation="linear",
    alpha=0.0,
):
    """activation(convolution of each channel with its own kernels + bias).

    Parameters
    ----------
    x : tensor, shape (N, H, W, C)
    kernel : tensor, shape (KH, KW, C, multiplier)
    bias : tensor of shape (C * multiplier,), optional
    strides, padding, dilation_rate, activation, alpha
        As for `conv2d`.

    Returns
    -------
    Tensor, shape (N, OH, OW, C * multiplier)
        The results of the first channel come first.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.depthwise_conv2d(ops.ones((1, 5, 5, 2)), ops.ones((3, 3, 2, 4))).shape
    (1, 3, 3, 8)
    """
    name = "depthwise_conv2d"
    given = operands(*([x, kernel] if bias is None else [x, kernel, bias]))
    shapes = given[0].shape, given[1].shape
    window = window_attributes(name, *shapes, strides, padding, dilation_rate)
    kind, alpha = _activation_number(name, activation), number("alpha", alpha)
    return call(name, given, kind=kind, alpha=alpha, **window)


def separable_conv2d(
    x,
    depthwise_kernel,
    pointwise_kernel,
    bias=None,
    strides=1,
    padding="valid",
    dilation_rate=1,
    activation="linear",
    alpha=0.0,
):
    """A depthwise convolution, then a 1 x 1 convolution that mixes the channels of each pixel.

    Parameters
    ----------
    x : tensor, shape (N, H, W, C)
    depthwise_kernel : tensor, shape (KH, KW, C, multiplier)
    pointwise_kernel : tensor, shape (1, 1, C * multiplier, F)
    bias : tensor of shape (F,), optional
    strides, padding, dilation_rate
        Of the depthwise convolution, as for `conv2d`.
    activation, alpha
        Of the 1 x 1 convolution, as for `conv2d`.

    Returns
    -------
    Tensor, shape (N, OH, OW, F)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.separable_conv2d(ops.ones((1, 5, 5, 2)), ops.ones((3, 3, 2, 1)),
    ...                      ops.ones((1, 1, 2, 7))).shape
    (1, 3, 3, 7)
    """
    each = depthwise_conv2d(x, depthwise_kernel, None, strides, padding, dilation_rate)
    return conv2d(each, pointwise_kernel, bias, activation=activation, alpha=alpha)
