"""Images of one size out of images of any, as arrays in memory: each new pixel is a weighted mean
of a few that were near its place."""

import functools

import numpy as np

from nnlite.checks import check_choice, positive_int
from nnlite.engine.tensor import Tensor, convert_to_tensor
from nnlite.ops.image import INTERPOLATIONS


def _mitchell(d):
    inner = ((7 * d - 12) * d * d + 16 / 3) / 6
    outer = (((-7 / 3 * d + 12) * d - 20) * d + 32 / 3) / 6
    return np.where(d < 1, inner, np.where(d < 2, outer, 0))


def _gaussian(d):
    return np.where(d < 1.5, np.exp(-2 * d * d), 0)


# The reach of each kernel, in pixels, and its weights by the distance.
KERNELS = {
    "bilinear": (1, INTERPOLATIONS["bilinear"]),
    "bicubic": (2, INTERPOLATIONS["bicubic"]),
    "lanczos3": (3, INTERPOLATIONS["lanczos3"]),
    "lanczos5": (5, INTERPOLATIONS["lanczos5"]),
    "gaussian": (2, _gaussian),
    "mitchellcubic": (2, _mitchell),
}
METHODS = ("nearest", "area", *KERNELS)
ROWS = 8  # computed together: what lies between stays in the cache


def resized(image, size, interpolation, fit="stretch"):
    """An image of another size, as TensorFlow computes it without antialiasing.

    Parameters
    ----------
    image : array, shape (..., height, width, channels)
    size : (height, width)
    interpolation : str
        One of `METHODS`.
    fit : {'stretch', 'crop', 'pad'}, default 'stretch'
        What becomes of another ratio of the sides: 'crop' takes the largest part in the middle that
        has the new one, 'pad' puts zeros around the whole image.

    Returns
    -------
    float32 or float64 array, shape (..., *size, channels)
    """
    height, width = image.shape[-3:-1]
    new_height, new_width = size
    if fit == "crop":
        high = max(min(height, int(width * new_height / new_width)), 1)
        wide = max(min(width, int(height * new_width / new_height)), 1)
        top, left = (height - high) // 2, (width - wide) // 2
        image = image[..., top : top + high, left : left + wide, :]
    elif fit == "pad":
        # In float32, as TensorFlow: here and there a rounding decides about a pixel.
        given, new = np.float32([height, width]), np.float32(size)
        high, wide = given / (given / new).max()
        inner = _scaled(image, (max(int(high), 1), max(int(wide), 1)), interpolation)
        result = np.zeros((*image.shape[:-3], *size, image.shape[-1]), inner.dtype)
        top, left = int((new_height - high) / 2), int((new_width - wide) / 2)
        result[..., top : top + inner.shape[-3], left : left + inner.shape[-2], :] = inner
        return result
    return _scaled(image, size, interpolation)


def _scaled(image, size, interpolation):
    real = image.dtype if image.dtype.kind == "f" else np.dtype("float32")
    height, width, channels = image.shape[-3:]
    if (height, width) == tuple(size):
        return image.astype(real)
    (above, down), (beside, across) = (
        places(*ends, interpolation) for ends in zip((height, width), size)
    )
    down, across = down.astype(real), across.astype(real).repeat(channels, axis=1)
    lines = image.reshape(*image.shape[:-2], width * channels)
    result = np.empty((*image.shape[:-3], size[0], size[1] * channels), real)
    for first in range(0, size[0], ROWS):
        rows = slice(first, first + ROWS)
        part = _weighted((_taken(lines, at) for at in above[:, rows]), down[:, rows, None])
        pixels = part.reshape(*part.shape[:-1], width, channels)
        near = (_taken(pixels, at).reshape(*part.shape[:-1], -1) for at in beside)
        result[..., rows, :] = _weighted(near, across)
    return result.reshape(*result.shape[:-1], size[1], channels)


def _taken(values, at):
    """Entries of the last axis but one."""
    return values.take(at, -2, mode="clip")  # they are in range, but then it is faster


def _weighted(parts, weights):
    """The sum of some new arrays times their weights."""
    total = None
    for part, weight in zip(parts, weights):
        part = part.astype(weight.dtype, copy=False)
        part *= weight
        total = part if total is None else np.add(total, part, out=total)
    return total


@functools.lru_cache(256)  # the images of a folder have few sizes
def places(length, size, interpolation):
    """Which entries of an axis make each of its new ones, and by what weights.

    Parameters
    ----------
    length, size : int
        Of the axis, before and after.
    interpolation : str

    Returns
    -------
    where, weights : arrays of shape (entries of each, size)
    """
    step = length / size
    centers = (np.arange(size) + 0.5) * step
    if interpolation == "nearest":
        where, weights = np.floor(centers)[None], np.ones((1, size))
    elif interpolation == "area":
        starts, ends = centers - step / 2, centers + step / 2
        where = np.floor(starts) + np.arange(int(np.ceil(step)) + 1)[:, None]
        weights = (np.minimum(where + 1, ends) - np.maximum(where, starts)).clip(0)
    else:
        reach, kernel = KERNELS[interpolation]
        centers -= 0.5
        where = np.floor(centers) + np.arange(1 - reach, reach + 1)[:, None]
        weights = kernel(abs(where - centers))
    weights = np.where((where >= 0) & (where < length), weights, 0)
    return where.clip(0, length - 1).astype(np.intp), weights / weights.sum(0)


def check_size(name, size):
    """The height and the width of images, given as both or as one number for both."""
    sides = size if isinstance(size, (tuple, list)) else (size, size)
    if len(sides) != 2:
        raise ValueError(f"{name}: expected (height, width), got {size!r}")
    return tuple(positive_int(name, side) for side in sides)


def smart_resize(x, size, interpolation="bilinear", data_format="channels_last"):
    """Images of another size whose middle is cut out first, so that nothing is stretched.

    Parameters
    ----------
    x : array or tensor, shape (height, width, channels) or (N, height, width, channels)
    size : (height, width)
    interpolation : str, default 'bilinear'
        'bilinear', 'nearest', 'bicubic', 'area', 'lanczos3', 'lanczos5', 'gaussian' or
        'mitchellcubic'.
    data_format : {'channels_last', 'channels_first'}, default 'channels_last'
        Where the channels of `x` and of the result are.

    Returns
    -------
    array, or for a tensor a tensor, of floats

    Raises
    ------
    ValueError
        For other shapes and settings.

    Examples
    --------
    >>> import numpy as np
    >>> from nnlite.preprocessing.image import smart_resize
    >>> smart_resize(np.ones((340, 500, 3)), (200, 200)).shape
    (200, 200, 3)
    """
    check_choice("interpolation", interpolation, METHODS)
    check_choice("data_format", data_format, ("channels_last", "channels_first"))
    size = check_size("size", size)
    images = x.numpy() if isinstance(x, Tensor) else np.asarray(x)
    if images.ndim not in (3, 4) or not images.size:
        raise ValueError(
            f"x: expected one image (height, width, channels) or several, got shape {images.shape}"
        )
    first = data_format == "channels_first"
    images = np.moveaxis(images, -3, -1) if first else images
    result = resized(images, size, interpolation, "crop")
    result = np.moveaxis(result, -1, -3) if first else result
    return convert_to_tensor(result) if isinstance(x, Tensor) else result
