"""Pooling: the maximum or the mean of each window of images (N, H, W, C)."""

from nnlite.engine.dispatch import Op
from nnlite.engine.tensor import ArgmaxGradient
from nnlite.ops.operands import call, operands
from nnlite.ops.windows import (
    check_images,
    check_padding,
    equivalent_steps,
    pair,
    windows_along,
)

_ATTRS = {
    **dict.fromkeys(("pool_h", "pool_w", "stride_h", "stride_w", "pad_top", "pad_left"), int),
    "size": None,
}


def _infer_pool(x, size, **_):
    return [(x[0], *size, x[3])]


def _infer_average_gradient(dy, size, **_):
    return [(dy[0], *size, dy[3])]


def _windows(c):
    """The attributes of a call without the size of its result."""
    return {name: value for name, value in c.attrs.items() if name != "size"}


def _max_gradient(c, dy, need):
    return [_scatter_to_maxima(dy, c.inputs[0], c.outputs[0], _windows(c))]


def _scatter_to_maxima(dy, x, y, windows):
    """`dy` at the maxima of x, 0 elsewhere; its `sparse_grad` lets other rules use `dy` alone."""
    dx = call("max_pool2d_gradient", [dy, x, y], **windows)
    dx.sparse_grad = ArgmaxGradient(
        dy, y, x, lambda values: _scatter_to_maxima(values, x, y, windows)
    )
    return dx


def _average_gradient(c, dy, need):
    return [call("average_pool2d_gradient", [dy], size=c.inputs[0].shape[1:3], **_windows(c))]


def _average_second_gradient(c, ddx, need):
    return [call("average_pool2d", [ddx], size=c.inputs[0].shape[1:3], **_windows(c))]


Op("max_pool2d", infer=_infer_pool, gradient=_max_gradient, attrs=_ATTRS, by_sample=(0,))
Op(
    "max_pool2d_gradient",
    infer=lambda dy, x, y, **_: [x],
    attrs={name: kind for name, kind in _ATTRS.items() if name != "size"},
)
Op("average_pool2d", infer=_infer_pool, gradient=_average_gradient, attrs=_ATTRS, by_sample=(0,))
Op(
    "average_pool2d_gradient",
    infer=_infer_average_gradient,
    gradient=_average_second_gradient,
    attrs=_ATTRS,
)


def _pool(name, x, pool_size, strides, padding):
    (x,) = operands(x)
    pool = pair("pool_size", pool_size)
    stride = pool if strides is None else pair("strides", strides)
    padding = check_padding(padding)
    check_images(x.shape)
    if padding == "valid" and (x.shape[1] < pool[0] or x.shape[2] < pool[1]):
        raise ValueError(
            f"expected images of at least {pool[0]} x {pool[1]} pixels for pool_size {pool} and no "
            f"padding, got shape {x.shape}"
        )
    sizes = x.shape[1:3]
    stride = [equivalent_steps(n, p, s)[0] for n, p, s in zip(sizes, pool, stride)]
    (height, top), (width, left) = (
        windows_along(n, p, s, padding) for n, p, s in zip(sizes, pool, stride)
    )
    return call(
        name,
        [x],
        pool_h=pool[0],
        pool_w=pool[1],
        stride_h=stride[0],
        stride_w=stride[1],
        pad_top=top,
        pad_left=left,
        size=(height, width),
    )


def max_pool2d(x, pool_size, strides=None, padding="valid"):
    """The maximum of each window; NaN if the window has one.

    The gradient goes to the first maximum of a window.

    Parameters
    ----------
    x : tensor, shape (N, H, W, C)
    pool_size : int or pair of int
        Height and width of a window, in pixels.
    strides : int or pair of int, optional
        Distance between windows, in pixels; by default `pool_size`.
    padding : {'valid', 'same'}, default 'valid'
        'valid': windows lie within the image; OH = (H - pool_size) // stride + 1. 'same':
        OH = ceil(H / stride); pixels beyond the edge are ignored.

    Returns
    -------
    Tensor, shape (N, OH, OW, C)

    Examples
    --------
    >>> import numpy as np
    >>> from nnlite import ops
    >>> ops.max_pool2d(np.arange(16.0).reshape(1, 4, 4, 1), 2).numpy().reshape(2, 2)
    array([[ 5.,  7.],
           [13., 15.]], dtype=float32)
    """
    return _pool("max_pool2d", x, pool_size, strides, padding)


def average_pool2d(x, pool_size, strides=None, padding="valid"):
    """The mean of each window; pixels beyond the edge do not count.

    Parameters
    ----------
    x : tensor, shape (N, H, W, C)
    pool_size, strides, padding
        As for `max_pool2d`.

    Returns
    -------
    Tensor, shape (N, OH, OW, C)

    Examples
    --------
    >>> import numpy as np
    >>> from nnlite import ops
    >>> x = np.arange(9.0).reshape(1, 3, 3, 1)
    >>> ops.average_pool2d(x, 2, padding="same").numpy().reshape(2, 2)
    array([[2. , 3.5],
           [6.5, 8. ]], dtype=float32)
    """
    return _pool("average_pool2d", x, pool_size, strides, padding)
