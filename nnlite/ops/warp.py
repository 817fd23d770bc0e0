"""Affine and projective transformations of images (N, H, W, C)."""

import math

import numpy as np

from nnlite.checks import is_number
from nnlite.engine.dispatch import Op
from nnlite.engine.tensor import as_array
from nnlite.ops.elementwise import divide
from nnlite.ops.operands import call, constant, number, operands
from nnlite.ops.slicing import stack
from nnlite.ops.windows import check_images

# The codes of csrc/ops/warp.c for the values outside of an image.
FILL_CODES = {
    name: code
    for code, name in enumerate(["constant", "nearest", "reflect", "wrap", "blend", "tile"])
}
# SciPy's names for them.
FILL_MODES = {name: FILL_CODES[name] for name in ("constant", "nearest", "reflect", "wrap")}
# What Keras's names for them are here.
KERAS_FILLS = {"constant": "blend", "nearest": "nearest", "reflect": "reflect", "wrap": "tile"}


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
    (images,) = operands(images)
    check_images(images.shape)
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


def _check_maps(name, images, maps):
    if maps != (images[0], 8):
        raise ValueError(f"{name}: expected {images[0]} maps of 8 numbers, got shape {maps}")
    if math.prod(images[1:]) >= 2**31:
        raise ValueError(f"{name}: expected images of less than 2**31 values, got {images}")


def _infer_warp(x, maps, *, size, **_):
    _check_maps("warp", x, maps)
    return [(x[0], *size, x[3])]


def _infer_warp_gradient(dy, maps, *, size, **_):
    _check_maps("warp_gradient", dy, maps)
    return [(dy[0], *size, dy[3])]


def _with_size(name, c, dy, **changed):
    attrs = {**c.attrs, "size": c.inputs[0].shape[1:3], **changed}
    return [call(name, [dy, c.inputs[1]], **attrs), None]


# The gradient is that to the images. What the maps are made of has none: it is drawn.
_ATTRS = {"mode": int, "smooth": int, "cval": float, "size": None}
Op(
    "warp",
    infer=_infer_warp,
    attrs=_ATTRS,
    gradient=lambda c, dy, need: _with_size("warp_gradient", c, dy),
)
Op(
    "warp_gradient",
    infer=_infer_warp_gradient,
    attrs=_ATTRS,
    gradient=lambda c, dy, need: _with_size("warp", c, dy, cval=0.0),
)


def warp(x, maps, size=None, *, smooth=True, fill="nearest", value=0.0):
    """Transform each image by its own map of places.

    Parameters
    ----------
    x : Tensor, shape (N, H, W, C)
    maps : Tensor, shape (N, 8)
        Pixel (row i, column j) of a result is the image's value at column
        ``(m[0] * j + m[1] * i + m[2]) / d`` and row ``(m[3] * j + m[4] * i + m[5]) / d`` with
        ``d = m[6] * j + m[7] * i + 1``.
    size : (int, int), optional
        Of the results, by default (H, W).
    smooth : bool, default True
        Bilinear interpolation; else the nearest pixel.
    fill : str, default 'nearest'
        One of `FILL_CODES`: what lies outside of an image.
    value : float, default 0.0
        That, for 'constant' and 'blend'.
    """
    attrs = {"mode": FILL_CODES[fill], "smooth": int(smooth), "cval": value}
    return call("warp", [x, maps], **attrs, size=tuple(size or x.shape[1:3]))


def homography(start, end):
    """The maps that bring four points of each image to four other ones.

    A map of the unit square to four points has a formula; the rest is products of 3 x 3 matrices.

    Parameters
    ----------
    start, end : Tensor, shape (N, 4, 2)
        (column, row) of points of which no three are on a line.

    Returns
    -------
    Tensor, shape (N, 8)
        For `warp`.
    """
    of_start, of_end = _of_square(start), _of_square(end)
    product = _product(of_end, _adjugate(of_start))
    scale = product[2][2]
    return stack([divide(e, scale) for e in (*product[0], *product[1], *product[2][:2])], axis=1)


def _of_square(points):
    """The entries, as tensors of (N,), of the matrices that map (0, 0), (1, 0), (1, 1) and (0, 1)
    to four points."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = ([points[:, i, k] for k in range(2)] for i in range(4))
    dx1, dx2, dx = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, dy = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    # All entries times the determinant, which is 0 for points on a line.
    d, g, h = dx1 * dy2 - dx2 * dy1, dx * dy2 - dx2 * dy, dx1 * dy - dx * dy1
    return [
        [(x1 - x0) * d + g * x1, (x3 - x0) * d + h * x3, x0 * d],
        [(y1 - y0) * d + g * y1, (y3 - y0) * d + h * y3, y0 * d],
        [g, h, d],
    ]


def _adjugate(m):
    """The inverse times the determinant, which does not matter to a map of places."""
    return [
        [
            m[(j + 1) % 3][(i + 1) % 3] * m[(j + 2) % 3][(i + 2) % 3]
            - m[(j + 1) % 3][(i + 2) % 3] * m[(j + 2) % 3][(i + 1) % 3]
            for j in range(3)
        ]
        for i in range(3)
    ]


def _product(a, b):
    return [[sum(a[i][k] * b[k][j] for k in range(3)) for j in range(3)] for i in range(3)]
