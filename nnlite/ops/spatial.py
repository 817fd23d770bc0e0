"""Convolution, pooling, padding and enlarging of sequences (N, T, C), of images (N, H, W, C) and of
volumes (N, D, H, W, C).

The one idea: a sequence is an image of height 1, or of width 1, and so is each of its windows. Such
an image is a view: nothing is copied. `volumes.py` says what images volumes are. Channels that come
first, (N, C, T) and so on, are moved to the end, and to the front again in the result."""

from nnlite.checks import check_choice
from nnlite.ops.convolution import conv2d, conv2d_transpose, depthwise_conv2d, separable_conv2d
from nnlite.ops.elementwise import add
from nnlite.ops.operands import operands
from nnlite.ops.padding import pad2d
from nnlite.ops.pool import average_pool2d, max_pool2d
from nnlite.ops.resampling import upsample2d
from nnlite.ops.shape import reshape, transpose
from nnlite.ops.volumes import conv3d, conv3d_transpose, pad3d, pool3d, upsample3d
from nnlite.ops.windows import check_padding, sizes

_KINDS = "sequences (N, steps, channels)", "images (N, height, width, channels)", "volumes"


def _rank(name, x, most=3):
    """The number of axes of `x` beside the batch and the channels."""
    if not 3 <= x.ndim <= most + 2:
        known = " or ".join([", ".join(_KINDS[: most - 1]), _KINDS[most - 1]])
        raise ValueError(f"{name}: expected {known}, got shape {x.shape}")
    return x.ndim - 2


def channels_last(name, x, data_format=None):
    """A tensor with its channels last, and a function that puts those of a result where those of
    the tensor were.

    Parameters
    ----------
    name : str
        Of the function that was called, for errors.
    x : Tensor, shape (N, ..., C), or (N, C, ...) for 'channels_first'
    data_format : {'channels_last', 'channels_first'}, optional
    """
    if data_format is not None:
        check_choice("data_format", data_format, ["channels_last", "channels_first"], name)
    if data_format != "channels_first" or x.ndim < 3:
        return x, lambda y: y
    to_end = (0, *range(2, x.ndim), 1)
    return transpose(x, to_end), lambda y: transpose(y, (0, y.ndim - 1, *range(1, y.ndim - 1)))


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
        kind = "sequences" if x.ndim == 3 else "volumes"
        raise ValueError(
            f"expected {kind} of {channels} channels (kernel shape {kernel.shape}), got shape "
            f"{x.shape}"
        )


def _check_sizes(x, window, apart, padding):
    """Raise a ValueError unless a window fits in sequences or volumes."""
    least = [(k - 1) * d + 1 if padding == "valid" else 1 for k, d in zip(window, apart)]
    if any(n < m for n, m in zip(x.shape[1:], least)):
        kind, unit = ("sequences", "steps") if x.ndim == 3 else ("volumes", "(D x H x W)")
        raise ValueError(
            f"expected {kind} of at least {' x '.join(map(str, least))} {unit} for padding "
            f"{padding!r}, got shape {x.shape}"
        )


def _convolved(name, function, x, kernels, window, most=2, **settings):
    """A convolution by one or more kernels, of inputs with up to `most` axes of windows."""
    strides, padding, data_format, apart = window
    x, *kernels = operands(x, *kernels)
    x, back = channels_last(name, x, data_format)
    rank = _rank(name, x, most)
    for kernel in kernels:
        _check_kernel(name, kernel, rank)
    strides, apart = sizes("strides", strides, rank), sizes("dilation_rate", apart, rank)
    padding = check_padding(padding, ("valid", "same", "causal")[: 3 if rank == 1 else 2])
    window = {"strides": strides, "padding": padding, "dilation_rate": apart}
    if rank == 2:
        return back(function(x, *kernels, **window, **settings))
    _check_channels(x, kernels[0], kernels[0].shape[rank] * settings.get("groups", 1))
    _check_sizes(x, kernels[0].shape[:rank], apart, padding)
    if rank == 3:
        return back(conv3d(x, *kernels, **window, **settings))
    tall = function is conv2d and _is_tall(x)
    kernels = [_as_kernel(kernel, tall) for kernel in kernels]
    window |= {"strides": _along(*strides, tall), "dilation_rate": _along(*apart, tall)}
    return back(_as_sequences(function(_as_images(x, tall), *kernels, **window, **settings)))


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
    """activation(convolution of sequences, images or volumes + bias), in one pass over the result.

    Parameters
    ----------
    inputs : tensor, shape (N, T, C), (N, H, W, C) or (N, D, H, W, C)
    kernel : tensor, shape (K, C / groups, F), (KH, KW, C / groups, F) or
        (KD, KH, KW, C / groups, F)
    strides : int, or one for each axis of the kernel, default 1
        Distance of neighbouring windows.
    padding : {'valid', 'same', 'causal'}, default 'valid'
        - 'valid': windows lie within the input.
        - 'same': zeros around the input, so that there are ceil(T / stride) windows.
        - 'causal', for sequences: zeros before the first step; windows end at the steps 0, stride,
          2 stride, and so on. A result depends on no later step.
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are: (N, C, T) and so on for 'channels_first', of the result, too.
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
    Tensor, shape (N, windows, F), (N, OH, OW, F) or (N, OD, OH, OW, F)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.conv([[[1.0], [2.0], [3.0]]], [[[1.0]], [[10.0]]], padding="causal").numpy().ravel()
    array([10., 21., 32.], dtype=float32)
    """
    inputs, kernel = operands(inputs, kernel)
    if groups is None:
        _check_kernel("conv", kernel, _rank("conv", inputs))
        channels = inputs.shape[1 if data_format == "channels_first" else -1]
        groups = max(channels // kernel.shape[-2], 1)
    window = strides, padding, data_format, dilation_rate
    settings = {"bias": bias, "groups": groups, "activation": activation, "alpha": alpha}
    return _convolved("conv", conv2d, inputs, [kernel], window, most=3, **settings)


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
    *,
    bias=None,
):
    """The convolution with this kernel, transposed: it makes of its results what they come from.

    M. D. Zeiler, D. Krishnan, G. W. Taylor, R. Fergus: "Deconvolutional networks", CVPR 2010.

    Parameters
    ----------
    inputs : tensor, shape (N, T, C), (N, H, W, C) or (N, D, H, W, C)
    kernel : tensor, shape (K, F, C), (KH, KW, F, C) or (KD, KH, KW, F, C)
    strides, padding, output_padding, dilation_rate
        As for `conv2d_transpose`; an int, or one for each axis of the kernel.
    data_format : {'channels_last', 'channels_first'}, optional
    bias : tensor of shape (F,), optional

    Returns
    -------
    Tensor, shape (N, steps, F), (N, height, width, F) or (N, depth, height, width, F)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.conv_transpose([[[1.0], [2.0]]], [[[1.0]], [[10.0]]], strides=2).numpy().ravel()
    array([ 1., 10.,  2., 20.], dtype=float32)
    """
    x, kernel = operands(inputs, kernel)
    x, back = channels_last("conv_transpose", x, data_format)
    rank = _rank("conv_transpose", x)
    _check_kernel("conv_transpose", kernel, rank)
    strides, apart = sizes("strides", strides, rank), sizes("dilation_rate", dilation_rate, rank)
    padding = check_padding(padding)
    extra = output_padding
    if extra is not None:
        extra = sizes("output_padding", extra, rank, least=0)
    if rank == 2:
        y = conv2d_transpose(x, kernel, strides, padding, extra, apart)
    else:
        _check_channels(x, kernel, kernel.shape[-1])
    if rank == 3:
        y = conv3d_transpose(x, kernel, strides, padding, extra, apart)
    if rank == 1:
        tall = _is_tall(x)
        extra = extra and _along(*extra, tall, 0)
        window = _along(*strides, tall), padding, extra, _along(*apart, tall)
        images = conv2d_transpose(_as_images(x, tall), _as_kernel(kernel, tall), *window)
        y = _as_sequences(images)
    return back(y if bias is None else add(y, bias))


def _pooled(name, function, x, pool_size, strides, padding, data_format):
    x, back = channels_last(name, *operands(x), data_format)
    rank = _rank(name, x)
    pool_size = sizes("pool_size", pool_size, rank)
    strides = pool_size if strides is None else sizes("strides", strides, rank)
    if rank == 2:
        return back(function(x, pool_size, strides, padding))
    padding = check_padding(padding)
    _check_sizes(x, pool_size, (1, 1, 1), padding)
    if rank == 3:
        return back(pool3d(function, x, pool_size, strides, padding))
    images = function(_as_images(x), (1, *pool_size), (1, *strides), padding)
    return back(_as_sequences(images))


def max_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """The maximum of each window; NaN if the window has one.

    Parameters
    ----------
    inputs : tensor, shape (N, T, C), (N, H, W, C) or (N, D, H, W, C)
    pool_size : int, or one for each axis of a window
    strides : int, or one for each axis of a window, optional
        Distance of neighbouring windows; by default `pool_size`.
    padding : {'valid', 'same'}, default 'valid'
        As for `max_pool2d`.
    data_format : {'channels_last', 'channels_first'}, optional

    Returns
    -------
    Tensor, shape (N, windows, C), (N, OH, OW, C) or (N, OD, OH, OW, C)

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
    inputs : tensor, shape (N, T, C), (N, H, W, C) or (N, D, H, W, C)
    pool_size, strides, padding, data_format
        As for `max_pool`.

    Returns
    -------
    Tensor, shape (N, windows, C), (N, OH, OW, C) or (N, OD, OH, OW, C)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.average_pool([[[1.0], [3.0], [2.0], [0.0]]], 2).numpy().ravel()
    array([2., 1.], dtype=float32)
    """
    return _pooled("average_pool", average_pool2d, inputs, pool_size, strides, padding, data_format)


def pad_edges(x, edges, data_format=None):
    """Zeros before and after each axis between the batch and the channels; negative numbers remove
    entries.

    Parameters
    ----------
    x : tensor, shape (N, T, C), (N, H, W, C) or (N, D, H, W, C)
    edges : sequence of (before, after), one for each of these axes
    data_format : {'channels_last', 'channels_first'}, optional
    """
    x, back = channels_last("pad_edges", x, data_format)
    rank = _rank("pad_edges", x)
    if rank == 1:
        return back(_as_sequences(pad2d(_as_images(x), ((0, 0), *edges))))
    return back((pad2d if rank == 2 else pad3d)(x, edges))


def upsample(x, size, interpolation="nearest", data_format=None):
    """Repeat each step, or each row and column, or interpolate between them.

    Parameters
    ----------
    x : tensor, shape (N, T, C), (N, H, W, C) or (N, D, H, W, C)
    size : sequence of int, one for each axis between the batch and the channels
    interpolation : str, default 'nearest'
        As for `upsample2d`; of volumes 'nearest'.
    data_format : {'channels_last', 'channels_first'}, optional
    """
    x, back = channels_last("upsample", x, data_format)
    rank = _rank("upsample", x)
    if rank == 1:
        return back(_as_sequences(upsample2d(_as_images(x), (1, *size), interpolation)))
    return back(upsample2d(x, size, interpolation) if rank == 2 else upsample3d(x, size))
