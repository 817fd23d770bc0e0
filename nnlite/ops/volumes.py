"""Convolution, pooling, padding and enlarging of volumes (N, D, H, W, C), by ops of images.

The one idea: a volume is images in two ways, both of them views: its slices (N * D, H, W, C), and
an image of height D whose rows are whole slices. What treats each axis by itself does the first
images, then the second. A convolution first puts the D axis of each window into the channels: then
one convolution of slices is left. Training gathers these windows again for the gradient of the
kernel, and does not keep them.
"""

import numpy as np

from nnlite.engine.dispatch import Op
from nnlite.ops.convolution import (
    conv2d,
    conv2d_transpose,
    transposed_axis,
    window_attributes,
)
from nnlite.ops.operands import call, constant
from nnlite.ops.padding import pad2d
from nnlite.ops.resampling import upsample2d
from nnlite.ops.shape import reshape, transpose

# --- The windows along one axis of an array (A, n, B), each entry of which has them all: (A, m, B,
# size). Other programs know no such op, so files for them have its formula. Its zeros spoil
# infinities.

_STEPS = {"stride": int, "before": int, "dilation": int}


def _as_convolution(name, given, a, size, **others):
    """An op of `convolution.py` in which filter k takes entry k of each window of a column."""
    window = {f"{name}_h": a[name] for name in ("stride", "dilation")}
    window |= {"pad_top": a["before"], "pad_left": 0, "stride_w": 1, "dilation_w": 1, "groups": 1}
    taps = constant(np.eye(size).reshape(size, 1, 1, size), given.dtype)
    return call(name, [given, taps], **window, **others)


def _windows(x, size, count, **a):
    n, length, columns = x.shape
    images, sizes = reshape(x, (n, length, columns, 1)), {"out_h": count, "out_w": columns}
    return [_as_convolution("conv2d", images, a, size, **sizes, kind=0, alpha=0.0)]


def _windows_gradient(dy, length, **a):
    n, _, columns, size = dy.shape
    images = {"shape": (n, length, columns, 1), "sparse": 0}
    dx = _as_convolution("conv2d_gradient_input", dy, a, size, **images)
    return [reshape(dx, (n, length, columns))]


def _steps(c):
    return {name: c.attrs[name] for name in _STEPS}


Op(
    "windows",
    infer=lambda x, size, count, **_: [(x[0], count, x[2], size)],
    gradient=lambda c, dy, need: [
        call("windows_gradient", [dy], **_steps(c), length=c.inputs[0].shape[1])
    ],
    attrs={**_STEPS, "size": None, "count": None},
    formula=_windows,
    again=True,
)
Op(
    "windows_gradient",
    infer=lambda dy, length, **_: [(dy[0], length, dy[2])],
    gradient=lambda c, dx, need: [
        call("windows", [dx], **_steps(c), size=c.inputs[0].shape[3], count=c.inputs[0].shape[1])
    ],
    attrs={**_STEPS, "length": None},
    formula=_windows_gradient,
)


# --- Volumes


def _by_axes(x, of_slices, of_depth):
    """A function of slices, then one of images with the depth as height and pixels as columns."""
    n, depth, height, width, channels = x.shape
    y = of_slices(reshape(x, (n * depth, height, width, channels)))
    height, width = y.shape[1:3]
    y = of_depth(reshape(y, (n, depth, height * width, channels)))
    return reshape(y, (n, y.shape[1], height, width, channels))


def pool3d(function, x, pool_size, strides, padding):
    """Pooling by a function of images: the maximum of maxima, or the mean of means.

    The mean of a window is that of the means of its slices, which have the same number of pixels,
    at edges too.

    Parameters
    ----------
    function : max_pool2d or average_pool2d
    x : Tensor, shape (N, D, H, W, C)
    pool_size, strides : (int, int, int)
    padding : {'valid', 'same'}
    """
    depth, *size = zip(pool_size, strides)
    return _by_axes(
        x,
        lambda images: function(images, *zip(*size), padding),
        lambda images: function(images, *zip(depth, (1, 1)), padding),
    )


def pad3d(x, edges):
    """Add zeros around volumes; negative numbers remove entries.

    Parameters
    ----------
    x : Tensor, shape (N, D, H, W, C)
    edges : ((front, back), (top, bottom), (left, right)) of int
    """
    depth, *sides = edges
    return _by_axes(
        x,
        lambda images: pad2d(images, sides) if any(map(any, sides)) else images,
        lambda images: pad2d(images, (depth, (0, 0))) if any(depth) else images,
    )


def upsample3d(x, size):
    """Repeat each slice, row and column.

    Parameters
    ----------
    x : Tensor, shape (N, D, H, W, C)
    size : (int, int, int)
    """
    return _by_axes(
        x,
        lambda images: upsample2d(images, size[1:]),
        lambda images: upsample2d(images, (size[0], 1)),
    )


def _of_slices(kernel):
    """The kernel (KH, KW, channels * KD, others) of (KD, KH, KW, channels, others)."""
    depth, height, width, channels, others = kernel.shape
    return reshape(transpose(kernel, (1, 2, 3, 0, 4)), (height, width, channels * depth, others))


def conv3d(x, kernel, strides, padding, dilation_rate, **settings):
    """Convolution of volumes.

    Parameters
    ----------
    x : Tensor, shape (N, D, H, W, C)
    kernel : Tensor, shape (KD, KH, KW, C / groups, F)
    strides, dilation_rate : (int, int, int)
    padding : {'valid', 'same'}
    **settings
        Of `conv2d`: bias, groups, activation, alpha.
    """
    n, depth, height, width, channels = x.shape
    size = kernel.shape[0]
    if size > 1 or strides[0] > 1:
        columns = reshape(x, (n, depth, height * width * channels))
        along = (strides[0], 1), padding, (dilation_rate[0], 1)
        a = window_attributes("conv", (n, depth, 1, 1), (size, 1, 1, 1), *along)
        steps = {"stride": a["stride_h"], "before": a["pad_top"], "dilation": a["dilation_h"]}
        depth = a["out_h"]
        x = call("windows", [columns], **steps, size=size, count=depth)
    slices = reshape(x, (n * depth, height, width, channels * size))
    window = {"strides": strides[1:], "padding": padding, "dilation_rate": dilation_rate[1:]}
    y = conv2d(slices, _of_slices(kernel), **window, **settings)
    return reshape(y, (n, depth, *y.shape[1:]))


def conv3d_transpose(x, kernel, strides, padding, output_padding, dilation_rate):
    """Transposed convolution of volumes: the steps of `conv3d`, each transposed, in reverse order.

    Parameters
    ----------
    x : Tensor, shape (N, D, H, W, C)
    kernel : Tensor, shape (KD, KH, KW, F, C)
    strides, dilation_rate : (int, int, int)
    padding : {'valid', 'same'}
    output_padding : (int, int, int), or None
    """
    n, depth, height, width, channels = x.shape
    size, filters = kernel.shape[0], kernel.shape[3]
    along_depth, of_slices = None, None
    if output_padding is not None:
        along_depth, of_slices = output_padding[0], output_padding[1:]
    before = depth
    depth, *steps = transposed_axis(depth, size, strides[0], dilation_rate[0], padding, along_depth)
    if min(before, depth) < 1:
        raise ValueError(
            f"conv_transpose: expected volumes, and a result, of at least one slice, got shape "
            f"{x.shape} and a result of depth {depth}"
        )
    slices = reshape(x, (n * before, height, width, channels))
    window = strides[1:], padding, of_slices, dilation_rate[1:]
    y = conv2d_transpose(slices, _of_slices(kernel), *window)
    height, width = y.shape[1:3]
    columns = reshape(y, (n, before, height * width * filters, size))
    y = call("windows_gradient", [columns], **dict(zip(_STEPS, steps)), length=depth)
    return reshape(y, (n, depth, height, width, filters))
