"""Convolution, pooling, padding and enlarging of sequences (N, T, C) and of images (N, H, W, C).

The one idea: a sequence is an image of height 1, or of width 1, and so is each of its windows. Such
an image is a view: nothing is copied."""

from nnlite.checks import check_choice
from nnlite.ops.conv import conv2d, conv2d_transpose, depthwise_conv2d, separable_conv2d
from nnlite.ops.operands import operands
from nnlite.ops.padding import pad2d
from nnlite.ops.pool import average_pool2d, max_pool2d
from nnlite.ops.resampling import upsample2d
from nnlite.ops.shape import reshape
from nnlite.ops.windows import check_padding, sizes


def _rank(name, x, data_format=None):
    """The number of axes of `x` beside the batch and the channels."""
    if data_format is not None:
        check_choice("data_format", data_format, ["channels_last"], name)
    if x.ndim not in (3, 4):
        raise ValueError(
            f"{name}: expected sequences (N, steps, channels) or images (N, height, width, "
            f"channels), got shape {x.shape}"
        )
    return x.ndim - 2


def _is_tall(x):
    """Whether steps are better the rows of an image, not its columns, for convolutions.

    The team divides the rows of all images, and keeps a band of them in cache; so long sequences
    are rows. Windows along a row are one piece of memory, which counts where channels are few.
    """
    return x.shape[1] > 512 and x.shape[2] >= 16


def _along(steps, tall, other=1):
    """What holds along the axis of steps, and for the other one, as (for rows, for columns)."""
    return (steps, other) if tall else (other, steps)


def _as_images(x, tall=False):
    n, steps, channels = x.shape
    return reshape(x, (n, *_along(steps, tall), channels))


def _as_kernel(kernel, tall):
    size, *channels = kernel.shape
    return reshape(kernel, (*_along(size, tall), *channels))


def _as_sequences(y):
    n, height, width, channels = y.shape
    return reshape(y, (n, height * width, channels))


def _check_kernel(name, kernel, rank):
    if kernel.ndim != rank + 2 or 0 in kernel.shape:
        raise ValueError(
            f"{name}: expected a kernel of {rank + 2} axes, none of size 0, got shape "
            f"{kernel.shape}"
        )


def _check_channels(x, kernel, channels):
    if x.shape[-1] != channels:
        raise ValueError(
            f"expected sequences of {channels} channels (kernel shape {kernel.shape}), got shape "
            f"{x.shape}"
        )


def _check_steps(x, size, apart, padding):
    """Raise a ValueError unless a window fits in sequences."""
    least = (size - 1) * apart + 1 if padding == "valid" else 1
    if x.shape[1] < least:
        raise ValueError(
            f"expected sequences of at least {least} steps for padding {padding!r}, got shape "
            f"{x.shape}"
        )


def _convolved(name, function, x, kernels, window, **settings):
    """A convolution by one or more kernels, of sequences or images."""
    strides, padding, data_format, apart = window
    x, *kernels = operands(x, *kernels)
    rank = _rank(name, x, data_format)
    for kernel in kernels:
        _check_kernel(name, kernel, rank)
    strides, apart = sizes("strides", strides, rank), sizes("dilation_rate", apart, rank)
    padding = check_padding(padding, ("valid", "same", "causal")[: 3 if rank == 1 else 2])
    if rank == 2:
        return function(
            x, *kernels, strides=strides, padding=padding, dilation_rate=apart, **settings
        )
    _check_channels(x, kernels[0], kernels[0].shape[1] * settings.get("groups", 1))
    _check_steps(x, kernels[0].shape[0], apart[0], padding)
    tall = function is conv2d and _is_tall(x)
    kernels = [_as_kernel(kernel, tall) for kernel in kernels]
    settings |= {"strides": _along(*strides, tall), "dilation_rate": _along(*apart, tall)}
    return _as_sequences(function(_as_images(x, tall), *kernels, padding=padding, **settings))


def conv(
    inputs,
    kernel,
    strides=1,
    padding="valid",
    data_format=None,
    dilation_rate=1,
    *,
    bias=None,
    groups=None,
    activation="linear",
    alpha=0.0,
):
    """activation(convolution of sequences or images + bias), in one pass over the result.

    Parameters
    ----------
    inputs : tensor, shape (N, T, C) or (N, H, W, C)
    kernel : tensor, shape (K, C / groups, F) or (KH, KW, C / groups, F)
    strides : int, or one for each axis of the kernel, default 1
        Distance of neighbouring windows.
    padding : {'valid', 'same', 'causal'}, default 'valid'
        - 'valid': windows lie within the input.
        - 'same': zeros around the input, so that there are ceil(T / stride) windows.
        - 'causal', for sequences: zeros before the first step; windows end at the steps 0, stride,
          2 stride, and so on. A result depends on no later step.
    data_format : {'channels_last'}, optional
    dilation_rate : int, or one for each axis of the kernel, default 1
        Distance of neighbouring elements of a window.
    bias : tensor of shape (F,), optional
    groups : int, optional
        Number of equal groups of channels and filters; by default as many as the channels of the
        input and of the kernel make.
    activation, alpha
        As for `conv2d`.

    Returns
    -------
    Tensor, shape (N, windows, F) or (N, OH, OW, F)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.conv([[[1.0], [2.0], [3.0]]], [[[1.0]], [[10.0]]], padding="causal").numpy().ravel()
    array([10., 21., 32.], dtype=float32)
    """
    inputs, kernel = operands(inputs, kernel)
    if groups is None:
        _check_kernel("conv", kernel, _rank("conv", inputs))
        groups = max(inputs.shape[-1] // kernel.shape[-2], 1)
    window = strides, padding, data_format, dilation_rate
    settings = {"bias": bias, "groups": groups, "activation": activation, "alpha": alpha}
    return _convolved("conv", conv2d, inputs, [kernel], window, **settings)


def depthwise_conv(
    inputs,
    kernel,
    strides=1,
    padding="valid",
    data_format=None,
    dilation_rate=1,
    *,
    bias=None,
    activation="linear",
    alpha=0.0,
):
    """activation(convolution of each channel with its own kernels + bias).

    Parameters
    ----------
    inputs : tensor, shape (N, T, C) or (N, H, W, C)
    kernel : tensor, shape (K, C, multiplier) or (KH, KW, C, multiplier)
    strides, padding, data_format, dilation_rate
        As for `conv`.
    bias : tensor of shape (C * multiplier,), optional
    activation, alpha
        As for `conv2d`.

    Returns
    -------
    Tensor, shape (N, windows, C * multiplier) or (N, OH, OW, C * multiplier)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.depthwise_conv(ops.ones((1, 5, 2)), ops.ones((3, 2, 4))).shape
    (1, 3, 8)
    """
    window = strides, padding, data_format, dilation_rate
    settings = {"bias": bias, "activation": activation, "alpha": alpha}
    name = "depthwise_conv"
    return _convolved(name, depthwise_conv2d, inputs, [kernel], window, **settings)


def separable_conv(
    inputs,
    depthwise_kernel,
    pointwise_kernel,
    strides=1,
    padding="valid",
    data_format=None,
    dilation_rate=1,
    *,
    bias=None,
    activation="linear",
    alpha=0.0,
):
    """A depthwise convolution, then a convolution of windows of size 1 over all channels.

    Parameters
    ----------
    inputs : tensor, shape (N, T, C) or (N, H, W, C)
    depthwise_kernel : tensor, shape (K, C, multiplier) or (KH, KW, C, multiplier)
    pointwise_kernel : tensor, shape (1, C * multiplier, F) or (1, 1, C * multiplier, F)
    strides, padding, data_format, dilation_rate
        Of the depthwise convolution, as for `conv`.
    bias : tensor of shape (F,), optional
    activation, alpha
        As for `conv2d`.

    Returns
    -------
    Tensor, shape (N, windows, F) or (N, OH, OW, F)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.separable_conv(ops.ones((1, 5, 2)), ops.ones((3, 2, 1)), ops.ones((1, 2, 7))).shape
    (1, 3, 7)
    """
    window = strides, padding, data_format, dilation_rate
    settings = {"bias": bias, "activation": activation, "alpha": alpha}
    kernels = [depthwise_kernel, pointwise_kernel]
    return _convolved("separable_conv", separable_conv2d, inputs, kernels, window, **settings)


def conv_transpose(
    inputs,
    kernel,
    strides=1,
    padding="valid",
    output_padding=None,
    data_format=None,
    dilation_rate=1,
):
    """The convolution with this kernel, transposed: it makes of its results what they come from.

    M. D. Zeiler, D. Krishnan, G. W. Taylor, R. Fergus: "Deconvolutional networks", CVPR 2010.

    Parameters
    ----------
    inputs : tensor, shape (N, T, C) or (N, H, W, C)
    kernel : tensor, shape (K, F, C) or (KH, KW, F, C)
    strides, padding, output_padding, dilation_rate
        As for `conv2d_transpose`; an int, or one for each axis of the kernel.
    data_format : {'channels_last'}, optional

    Returns
    -------
    Tensor, shape (N, steps, F) or (N, height, width, F)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.conv_transpose([[[1.0], [2.0]]], [[[1.0]], [[10.0]]], strides=2).numpy().ravel()
    array([ 1., 10.,  2., 20.], dtype=float32)
    """
    inputs, kernel = operands(inputs, kernel)
    rank = _rank("conv_transpose", inputs, data_format)
    _check_kernel("conv_transpose", kernel, rank)
    strides, apart = sizes("strides", strides, rank), sizes("dilation_rate", dilation_rate, rank)
    if rank == 2:
        return conv2d_transpose(inputs, kernel, strides, padding, output_padding, apart)
    _check_channels(inputs, kernel, kernel.shape[2])
    tall = _is_tall(inputs)
    if output_padding is not None:
        output_padding = _along(*sizes("output_padding", output_padding, 1, least=0), tall, 0)
    window = _along(*strides, tall), padding, output_padding, _along(*apart, tall)
    kernel = _as_kernel(kernel, tall)
    return _as_sequences(conv2d_transpose(_as_images(inputs, tall), kernel, *window))


def _pooled(name, function, x, pool_size, strides, padding, data_format):
    (x,) = operands(x)
    rank = _rank(name, x, data_format)
    pool_size = sizes("pool_size", pool_size, rank)
    strides = pool_size if strides is None else sizes("strides", strides, rank)
    if rank == 2:
        return function(x, pool_size, strides, padding)
    padding = check_padding(padding)
    _check_steps(x, pool_size[0], 1, padding)
    return _as_sequences(function(_as_images(x), (1, *pool_size), (1, *strides), padding))


def max_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """The maximum of each window; NaN if the window has one.

    Parameters
    ----------
    inputs : tensor, shape (N, T, C) or (N, H, W, C)
    pool_size : int, or one for each axis of a window
    strides : int, or one for each axis of a window, optional
        Distance of neighbouring windows; by default `pool_size`.
    padding : {'valid', 'same'}, default 'valid'
        As for `max_pool2d`.
    data_format : {'channels_last'}, optional

    Returns
    -------
    Tensor, shape (N, windows, C) or (N, OH, OW, C)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.max_pool([[[1.0], [3.0], [2.0], [0.0]]], 2).numpy().ravel()
    array([3., 2.], dtype=float32)
    """
    return _pooled("max_pool", max_pool2d, inputs, pool_size, strides, padding, data_format)


def average_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """The mean of each window; what lies beyond the edge does not count.

    Parameters
    ----------
    inputs : tensor, shape (N, T, C) or (N, H, W, C)
    pool_size, strides, padding, data_format
        As for `max_pool`.

    Returns
    -------
    Tensor, shape (N, windows, C) or (N, OH, OW, C)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.average_pool([[[1.0], [3.0], [2.0], [0.0]]], 2).numpy().ravel()
    array([2., 1.], dtype=float32)
    """
    return _pooled("average_pool", average_pool2d, inputs, pool_size, strides, padding, data_format)


def pad_edges(x, edges):
    """Zeros before and after each axis between the batch and the channels; negative numbers remove
    entries.

    Parameters
    ----------
    x : tensor, shape (N, T, C) or (N, H, W, C)
    edges : sequence of (before, after), one for each of these axes
    """
    if _rank("pad_edges", x) == 2:
        return pad2d(x, edges)
    return _as_sequences(pad2d(_as_images(x), ((0, 0), *edges)))


def upsample(x, size, interpolation="nearest"):
    """Repeat each step, or each row and column, or interpolate between them.

    Parameters
    ----------
    x : tensor, shape (N, T, C) or (N, H, W, C)
    size : sequence of int, one for each axis between the batch and the channels
    interpolation : str, default 'nearest'
        As for `upsample2d`.
    """
    if _rank("upsample", x) == 2:
        return upsample2d(x, size, interpolation)
    return _as_sequences(upsample2d(_as_images(x), (1, *size), interpolation))
