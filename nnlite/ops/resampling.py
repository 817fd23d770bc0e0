"""Resizing along an axis: each new entry is a weighted mean of neighbours.

The one idea: an axis of n entries becomes one of m by a matrix with a few neighbouring entries in
each row. Its transpose is of the same kind, so the gradient is the same op.
"""

import functools
import math

import numpy as np

from nnlite.checks import check_choice
from nnlite.engine.dispatch import Op
from nnlite.ops.operands import call, constant, operands
from nnlite.ops.shape import broadcast_to, reshape
from nnlite.ops.windows import check_images, equal_windows, pair


def _lanczos(radius):
    return lambda d: np.where(d < radius, np.sinc(d) * np.sinc(d / radius), 0)


def _cubic(d):  # Keys's, with the slope -1/2
    inner, outer = ((1.5 * d - 2.5) * d) * d + 1, ((-0.5 * d + 2.5) * d - 4) * d + 2
    return np.where(d < 1, inner, np.where(d < 2, outer, 0))


def _gaussian(d):  # of standard deviation 1/2
    return np.where(d < 1.5, np.exp(-2 * d * d), 0)


def _mitchell(d):  # Mitchell's and Netravali's, with B = C = 1/3
    inner = ((7 * d - 12) * d * d + 16 / 3) / 6
    outer = (((-7 / 3 * d + 12) * d - 20) * d + 32 / 3) / 6
    return np.where(d < 1, inner, np.where(d < 2, outer, 0))


# The weight of an entry by its distance from the place that is read, and from where on it is 0.
_KERNELS = {
    "bilinear": (lambda d: np.maximum(1 - d, 0), 1),
    "bicubic": (_cubic, 2),
    "lanczos3": (_lanczos(3), 3),
    "lanczos5": (_lanczos(5), 5),
    "gaussian": (_gaussian, 1.5),
    "mitchellcubic": (_mitchell, 2),
}
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")  # of Keras's layers
METHODS = ("nearest", "area", *_KERNELS)


def _nearest(n, m):
    """In float32, as TensorFlow rounds where two entries are equally near."""
    centers = (np.arange(m, dtype=np.float32) + np.float32(0.5)) * np.float32(n / m)
    return np.minimum(centers.astype(np.int64), n - 1), np.ones((m, 1))


def _windows(n, m):
    """Means of entries in windows as equal as can be."""
    begin, end = equal_windows(n, m)
    entries = begin[:, None] + np.arange((end - begin).max())
    return begin, (entries < end[:, None]).astype(np.float64)


def _area(n, m):
    """Means of the parts of entries that a new entry covers."""
    edges = np.arange(m + 1) * (n / m)
    first = np.minimum(edges[:-1].astype(np.int64), n - 1)
    entries = first[:, None] + np.arange(min(n, math.ceil(n / m) + 1))
    covered = np.minimum(entries + 1, edges[1:, None]) - np.maximum(entries, edges[:-1, None])
    return first, np.maximum(covered, 0)


def _weighted(n, m, interpolation, antialias):
    """Means by a kernel, which is as wide as a new entry if that is wider, to smooth."""
    kernel, radius = _KERNELS[interpolation]
    centers = (np.arange(m) + 0.5) * (n / m) - 0.5
    width = max(n / m, 1) if antialias else 1
    first = np.floor(centers - radius * width).astype(np.int64) + 1
    entries = first[:, None] + np.arange(math.ceil(2 * radius * width))
    return first, kernel(abs(entries - centers[:, None]) / width)


_WITHOUT_KERNEL = {"nearest": _nearest, "area": _area, "windows": _windows}


@functools.lru_cache(64)
def taps(n, m, interpolation, antialias=False, transposed=False):
    """The matrix that makes m entries of n, as bands.

    Parameters
    ----------
    n, m : int of at least 1
    interpolation : str
        One of `METHODS`, or 'windows'.
    antialias : bool, default False
    transposed : bool, default False
        The transpose instead, which makes n entries of m.

    Returns
    -------
    (array of int32, shape (m,), array, shape (m, K))
        The first of the K neighbouring entries that have weights, and these.
    """
    if transposed:
        return _transposed(n, m, *taps(n, m, interpolation, antialias))
    if interpolation in _KERNELS:
        first, weights = _weighted(n, m, interpolation, antialias)
    else:
        first, weights = _WITHOUT_KERNEL[interpolation](n, m)
    entries = first[:, None] + np.arange(weights.shape[1])
    weights = np.where((entries >= 0) & (entries < n), weights, 0)
    weights /= weights.sum(1, keepdims=True)
    return _banded(entries, weights, n)


def _banded(entries, weights, n):
    """Bands of weights whose entries all exist."""
    K = min(weights.shape[1], n)
    first = np.clip(entries[:, 0], 0, n - K)
    band = np.zeros((len(entries), K))
    rows = np.arange(len(entries))
    for column, weight in zip(entries.T, weights.T):
        there = weight != 0
        band[rows[there], (column - first)[there]] = weight[there]
    return first.astype(np.int32), band


def _transposed(n, m, first, weights):
    """The bands of the transpose; `first` never falls."""
    K = weights.shape[1]
    entry = np.arange(n)
    start = np.searchsorted(first, entry - K + 1, "left")
    end = np.searchsorted(first, entry, "right")
    wide = max(int((end - start).max()), 1)
    start = np.minimum(start, m - wide)
    rows = start[:, None] + np.arange(wide)
    tap = entry[:, None] - first[rows]
    inside = (tap >= 0) & (tap < K)
    return start.astype(np.int32), np.where(inside, weights[rows, np.clip(tap, 0, K - 1)], 0)


def _resampled_shape(x, first, weights, **_):
    if first != weights[:1] or not 0 < weights[1] <= x[1]:
        raise ValueError(f"resample: expected weights within {x[1]} entries, got {weights}")
    return [(x[0], weights[0], x[2])]


def _resample_gradient(c, dy, need):
    n, m, interpolation, antialias, transposed = c.attrs["along"]
    return [_resample(dy, (n, m, interpolation, antialias, not transposed)), None, None]


Op(
    "resample",
    infer=_resampled_shape,
    gradient=_resample_gradient,
    attrs={"along": None},
)


def _resample(x, along):
    first, weights = taps(*along)
    taken = [constant(first, "int32"), constant(weights, x.dtype)]
    return call("resample", [x, *taken], along=along)


def resampled(x, axis, m, interpolation, antialias=False):
    """`x` with m entries along an axis.

    Parameters
    ----------
    x : Tensor of real numbers
    axis, m : int
    interpolation : str
        One of `METHODS`, or 'windows' for those of `equal_windows`.
    antialias : bool, default False
        Make the kernel as wide as a new entry, where that is wider than an old one.
    """
    n, shape = x.shape[axis], (*x.shape[:axis], m, *x.shape[axis + 1 :])
    if n == m:  # each kernel is 1 at the entry itself, and 0 at the others
        return x
    if not n:
        raise ValueError(f"expected entries along axis {axis}, got shape {x.shape}")
    flat = reshape(x, (math.prod(x.shape[:axis]), n, math.prod(x.shape[axis + 1 :])))
    return reshape(_resample(flat, (n, m, interpolation, bool(antialias), False)), shape)


def resampled2d(x, size, interpolation, antialias=False):
    """Images (N, H, W, C) with `size` rows and columns, as `resampled` along both axes: first down,
    as whole rows are summed fastest, if there do not become more of them."""
    axes = (1, 2) if size[0] <= x.shape[1] else (2, 1)
    for axis in axes:
        x = resampled(x, axis, size[axis - 1], interpolation, antialias)
    return x


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
    (x,) = operands(x)
    check_images(x.shape)
    down, right = pair("size", size)
    check_choice("interpolation", interpolation, [*INTERPOLATIONS], "upsample2d")
    n, height, width, channels = x.shape
    if interpolation != "nearest":
        if max(height * down, width * right) > 2**20:
            raise ValueError(f"expected size to give images of at most 2**20 pixels, got {size}")
        return resampled2d(x, (height * down, width * right), interpolation)
    repeated = broadcast_to(
        reshape(x, (n, height, 1, width, 1, channels)), (n, height, down, width, right, channels)
    )
    return reshape(repeated, (n, height * down, width * right, channels))
