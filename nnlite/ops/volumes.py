"""Convolution, pooling, padding and enlarging of volumes (N, D, H, W, C), by ops of images.

The one idea: a volume is images in two ways, both of them views: its slices (N * D, H, W, C), and
an image of height D whose rows are whole slices. What treats each axis by itself does the first
images, then the second. A convolution first puts the D axis of each window into the channels: then
one convolution of slices is left.
"""

import numpy as np

from nnlite.ops.convolution import conv2d, conv2d_transpose
from nnlite.ops.operands import constant
from nnlite.ops.padding import pad2d
from nnlite.ops.resampling import upsample2d
from nnlite.ops.shape import reshape, transpose


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


def _taps(size, dtype):
    """Kernel (size, 1, 1, size): filter k takes entry k of a window along the height.

    The others are multiplied by 0. So where a window has an infinite value, its result is NaN.
    """
    return constant(np.eye(size).reshape(size, 1, 1, size), dtype)


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
        columns = reshape(x, (n, depth, height * width * channels, 1))
        window = (strides[0], 1), padding, (dilation_rate[0], 1)
        x = conv2d(columns, _taps(size, x.dtype), None, *window)
        depth = x.shape[1]
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
        along_depth, of_slices = (output_padding[0], 0), output_padding[1:]
    slices = reshape(x, (n * depth, height, width, channels))
    window = strides[1:], padding, of_slices, dilation_rate[1:]
    y = conv2d_transpose(slices, _of_slices(kernel), *window)
    height, width = y.shape[1:3]
    columns = reshape(y, (n, depth, height * width * filters, size))
    window = (strides[0], 1), padding, along_depth, (dilation_rate[0], 1)
    y = conv2d_transpose(columns, _taps(size, x.dtype), *window)
    return reshape(y, (n, y.shape[1], height, width, filters))
