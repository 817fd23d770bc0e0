"""Ops on images (N, H, W, C): padding, upsampling and affine transformations."""

import math

import numpy as np

from nnlite.checks import LARGEST_SIZE, check_choice, is_number
from nnlite.engine.dispatch import Op
from nnlite.engine.tensor import as_array
from nnlite.ops.linear import linear
from nnlite.ops.operands import call, constant, number, operands
from nnlite.ops.shape import broadcast_to, reshape, transpose
from nnlite.ops.windows import check_images, pair


def _pad_gradient(c, dy, need):
    top, left = c.attrs["top"], c.attrs["left"]
    return [call("pad2d", [dy], top=-top, left=-left, size=c.inputs[0].shape[1:3])]


Op(
    "pad2d",
    infer=lambda x, size, **_: [(x[0], *size, x[3])],
    gradient=_pad_gradient,
    attrs={"top": int, "left": int, "size": None},
)


def _images(x):
    (x,) = operands(x)
    check_images(x.shape)
    return x


def pad2d(x, padding):
    """Add zeros around each image.

    Parameters
    ----------
    x : tensor, shape (N, H, W, C)
    padding : ((top, bottom), (left, right)) of int
        Rows and columns to add; negative numbers remove them.

    Returns
    -------
    Tensor, shape (N, H + top + bottom, W + left + right, C)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.pad2d(ops.ones((1, 1, 1, 1)), ((0, 1), (1, 0))).numpy().reshape(2, 2)
    array([[0., 1.],
           [0., 0.]], dtype=float32)
    """
    x = _images(x)
    rows = padding if isinstance(padding, (tuple, list)) and len(padding) == 2 else [padding]
    pairs = [(*p,) for p in rows if isinstance(p, (tuple, list)) and len(p) == 2]
    if len(pairs) != 2 or not all(is_number(n) and n % 1 == 0 for p in pairs for n in p):
        raise ValueError(
            f"padding: expected ((top, bottom), (left, right)), integers, got {padding!r}"
        )
    if any(abs(n) > LARGEST_SIZE for p in pairs for n in p):
        raise ValueError(f"padding: expected numbers below 2**31, got {padding!r}")
    (top, bottom), (left, right) = ((int(n) for n in p) for p in pairs)
    size = (x.shape[1] + top + bottom, x.shape[2] + left + right)
    if min(size) < 0:
        raise ValueError(
            f"expected something to be left of an image of shape {x.shape}, got padding {padding}"
        )
    return call("pad2d", [x], top=top, left=left, size=size)


def _lanczos(radius):
    return lambda d: np.where(d < radius, np.sinc(d) * np.sinc(d / radius), 0)


def _cubic(d):  # Keys's, with the slope -1/2
    inner, outer = ((1.5 * d - 2.5) * d) * d + 1, ((-0.5 * d + 2.5) * d - 4) * d + 2
    return np.where(d < 1, inner, np.where(d < 2, outer, 0))


# The weight of a pixel by its distance from the place that is read.
INTERPOLATIONS = {
    "nearest": None,
    "bilinear": lambda d: np.maximum(1 - d, 0),
    "bicubic": _cubic,
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
}


def upsample2d(x, size=(2, 2), interpolation="nearest"):
    """Enlarge images: repeat each row and each column, or interpolate between them.

    R. G. Keys: "Cubic convolution interpolation for digital image processing", IEEE Transactions on
    Acoustics, Speech, and Signal Processing 29, 1981.

    Parameters
    ----------
    x : tensor, shape (N, H, W, C)
    size : int or pair of int, default (2, 2)
        The number of rows for each row, and of columns for each column.
    interpolation : {'nearest', 'bilinear', 'bicubic', 'lanczos3', 'lanczos5'}, default 'nearest'
        - 'nearest': copies.
        - the others: weighted means of pixels near the center of the new one, of up to 2, 4, 6 or
          10 along each axis. Pixels outside of the image do not count.

    Returns
    -------
    Tensor, shape (N, H * size[0], W * size[1], C)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.upsample2d([[[[1.0], [2.0]]]], (1, 2)).numpy().ravel()
    array([1., 1., 2., 2.], dtype=float32)
    >>> ops.upsample2d([[[[1.0], [2.0]]]], (1, 2), "bilinear").numpy().ravel()
    array([1.  , 1.25, 1.75, 2.  ], dtype=float32)
    """
    x = _images(x)
    down, right = pair("size", size)
    check_choice("interpolation", interpolation, [*INTERPOLATIONS], "upsample2d")
    n, height, width, channels = x.shape
    if interpolation != "nearest":
        if max(height * down, width * right) > 2**20:
            raise ValueError(f"expected size to give images of at most 2**20 pixels, got {size}")
        kernel = INTERPOLATIONS[interpolation]
        return _resampled(_resampled(x, 1, down, kernel), 2, right, kernel)
    repeated = broadcast_to(
        reshape(x, (n, height, 1, width, 1, channels)), (n, height, down, width, right, channels)
    )
    return reshape(repeated, (n, height * down, width * right, channels))


def _resampled(x, axis, factor, kernel):
    """`x` with `factor` entries for each along an axis: weighted means by a kernel of distances."""
    n = x.shape[axis]
    if factor == 1 or not n:
        return x
    centers = (np.arange(n * factor) + 0.5) / factor - 0.5
    weights = kernel(abs(centers - np.arange(n)[:, None]))
    order = [3 if d == axis else axis if d == 3 else d for d in range(4)]
    return transpose(linear(transpose(x, order), weights / weights.sum(0)), order)


# The codes of csrc/ops/image.c for the values outside of an image.
FILL_MODES = {name: code for code, name in enumerate(["constant", "nearest", "reflect", "wrap"])}


def _infer_affine_transform(x, matrices, **_):
    if matrices != (x[0], 12):
        raise ValueError(f"affine_transform: expected {x[0]} matrices, got shape {matrices}")
    if math.prod(x[1:]) >= 2**31:
        raise ValueError(f"affine_transform: expected images of less than 2**31 values, got {x}")
    return [x]


# There is no gradient rule: images are data here. A gradient through this op is an error.
Op(
    "affine_transform",
    infer=_infer_affine_transform,
    attrs={"mode": int, "smooth": int, "cval": float},
)


def affine_transform(images, matrices, fill_mode="nearest", cval=0.0, order=1):
    """Transform each image by its own affine matrix.

    Pixel (i, j) of a result is the image's value at row ``m[0] * i + m[1] * j + m[2]`` and column
    ``m[3] * i + m[4] * j + m[5]``, as in `scipy.ndimage.affine_transform` on each channel. There
    is no gradient.

    Parameters
    ----------
    images : tensor, shape (N, H, W, C)
    matrices : array of float64, shape (N, 6)
        A row m for each image; its values must be known when the function is called.
    fill_mode : {'nearest', 'constant', 'reflect', 'wrap'}, default 'nearest'
        The values outside of an image abcd: aaaa|abcd|dddd, kkkk|abcd|kkkk with k = `cval`,
        dcba|abcd|dcba, or abc|abcd|bcd.
    cval : float, default 0
        The value outside for `fill_mode='constant'`.
    order : {1, 0}, default 1
        1: bilinear interpolation. 0: the nearest pixel.

    Returns
    -------
    Tensor, shape of `images`

    Raises
    ------
    ValueError
        For other shapes, modes and orders, and for matrices that are not finite.

    Examples
    --------
    >>> from nnlite import ops
    >>> left_is_right = [[1, 0, 0, 0, -1, 2]]
    >>> ops.affine_transform([[[[1.0], [2.0], [3.0]]]], left_is_right).numpy().ravel()
    array([3., 2., 1.], dtype=float32)
    """
    images = _images(images)
    matrices = as_array(matrices, "float64")
    if matrices.shape != (images.shape[0], 6):
        raise ValueError(
            f"affine_transform: expected matrices of shape {(images.shape[0], 6)} for "
            f"{images.shape[0]} images, got {matrices.shape}"
        )
    if not np.isfinite(matrices).all():
        raise ValueError("affine_transform: expected finite matrices, got NaN or infinity")
    if not isinstance(fill_mode, str) or fill_mode not in FILL_MODES:
        raise ValueError(
            f"fill_mode: expected one of {', '.join(map(repr, FILL_MODES))}, got {fill_mode!r}"
        )
    if not is_number(order) or order not in (0, 1):
        raise ValueError(f"order: expected 0 (nearest pixel) or 1 (bilinear), got {order!r}")
    bits = constant(matrices.view(np.int32), "int32")
    mode = FILL_MODES[fill_mode]
    cval = number("cval", cval)
    return call("affine_transform", [images, bits], mode=mode, smooth=int(order), cval=cval)
