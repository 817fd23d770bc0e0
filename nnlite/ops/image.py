"""Images (N, H, W, C), or one (H, W, C): padding, resizing, transformations, patches.

`__all__` lists Keras's functions, which are public here.
"""

import numpy as np

from nnlite import names
from nnlite.checks import check_choice, is_number, positive_int
from nnlite.engine.symbolic import supports_symbols
from nnlite.engine.tensor import Tensor
from nnlite.ops.colors import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from nnlite.ops.convolution import conv2d, depthwise_conv2d
from nnlite.ops.elementwise import divide, exp, square
from nnlite.ops.image_batches import as_batch
from nnlite.ops.operands import constant, number, operands
from nnlite.ops.padding import crop_images, pad2d, pad_images
from nnlite.ops.reduce import sum as reduce_sum
from nnlite.ops.resampling import INTERPOLATIONS, resampled2d
from nnlite.ops.sampling import map_coordinates
from nnlite.ops.shape import broadcast_to, reshape
from nnlite.ops.warp import KERAS_FILLS, homography, warp
from nnlite.ops.windows import pair

__all__ = [
    "affine_transform",
    "crop_images",
    "extract_patches",
    "gaussian_blur",
    "hsv_to_rgb",
    "map_coordinates",
    "pad_images",
    "perspective_transform",
    "resize",
    "rgb_to_grayscale",
    "rgb_to_hsv",
]


RESIZE_INTERPOLATIONS = (*INTERPOLATIONS, "area")


def resize(
    images,
    size,
    interpolation="bilinear",
    antialias=False,
    crop_to_aspect_ratio=False,
    pad_to_aspect_ratio=False,
    fill_mode="constant",
    fill_value=0.0,
    data_format=None,
):
    """Images of another height and width.

    R. G. Keys: "Cubic convolution interpolation for digital image processing", IEEE Transactions on
    Acoustics, Speech, and Signal Processing 29, 1981. C. E. Duchon: "Lanczos filtering in one and
    two dimensions", Journal of Applied Meteorology 18, 1979.

    Parameters
    ----------
    images : tensor, shape (N, H, W, C) or (H, W, C)
    size : (int, int)
        The new height and width.
    interpolation : {'bilinear', 'nearest', 'bicubic', 'area', 'lanczos3', 'lanczos5'}
        - 'nearest': the pixel at the center of the new one.
        - 'bilinear', 'bicubic', 'lanczos3', 'lanczos5': weighted means of up to 2, 4, 6 or 10
          pixels along each axis around it. Pixels outside of the image do not count.
        - 'area': the mean of what the new pixel covers.
    antialias : bool, default False
        Make means as wide as a new pixel where that is wider than an old one. Without effect for
        'nearest' and 'area'.
    crop_to_aspect_ratio : bool, default False
        First take the largest part in the middle with the proportions of `size`.
    pad_to_aspect_ratio : bool, default False
        First add margins of `fill_value`, on both sides the same, to the proportions of `size`.
    fill_mode : {'constant'}
    fill_value : float, default 0.0
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are: (N, C, H, W) for 'channels_first'.

    Returns
    -------
    Tensor, shape (N, size[0], size[1], C) or (size[0], size[1], C), in the order of `images`

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.image.resize([[[1.0], [2.0], [3.0], [4.0]]], (1, 2)).numpy().ravel()
    array([1.5, 3.5], dtype=float32)
    """
    check_choice("interpolation", interpolation, RESIZE_INTERPOLATIONS)
    check_choice("fill_mode", fill_mode, ("constant",))
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError(
            "expected crop_to_aspect_ratio or pad_to_aspect_ratio, or none of them, got both"
        )
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise ValueError(f"size: expected (height, width), got {size!r}")
    size = tuple(positive_int("size", n) for n in size)
    x, back = as_batch(images, data_format)
    if crop_to_aspect_ratio:
        x = _cropped_to_ratio(x, size)
    elif pad_to_aspect_ratio:
        x = _padded_to_ratio(x, size, number("fill_value", fill_value))
    return back(resampled2d(x, size, interpolation, antialias))


def _sides_in_ratio(x, size):
    """The height that the width of images asks for, and the width that the height asks for, to have
    the proportions of a size; in float32, as TensorFlow rounds."""
    height, width = x.shape[1:3]
    return (
        int(np.float32(width * size[0]) / np.float32(size[1])),
        int(np.float32(height * size[1]) / np.float32(size[0])),
    )


def _cropped_to_ratio(x, size):
    height, width = x.shape[1:3]
    wanted = _sides_in_ratio(x, size)
    rows, columns = (max(min(n, m), 1) for n, m in zip((height, width), wanted))
    top, left = (height - rows) // 2, (width - columns) // 2
    return pad2d(x, ((-top, rows + top - height), (-left, columns + left - width)))


def _padded_to_ratio(x, size, value):
    height, width = x.shape[1:3]
    wanted = _sides_in_ratio(x, size)
    top, left = ((max(n, m) - n) // 2 for n, m in zip((height, width), wanted))
    padded = pad2d(x, ((top, top), (left, left)))
    if not value:
        return padded
    margin = np.full((*padded.shape[1:3], 1), value)
    margin[top : top + height, left : left + width] = 0
    return padded + margin


def affine_transform(
    images,
    transform,
    interpolation="bilinear",
    fill_mode="constant",
    fill_value=0,
    data_format=None,
):
    """Transform images by affine or projective maps of places.

    Pixel (row y, column x) of a result is the image's value at column
    ``(a0 * x + a1 * y + a2) / k`` and row ``(b0 * x + b1 * y + b2) / k``, with
    ``k = c0 * x + c1 * y + 1``. There is a gradient to the images, none to `transform`.

    Parameters
    ----------
    images : tensor, shape (N, H, W, C) or (H, W, C)
    transform : tensor, shape (N, 8) or (8,)
        a0, a1, a2, b0, b1, b2, c0 and c1 of each image, or of all.
    interpolation : {'bilinear', 'nearest'}
    fill_mode : {'constant', 'nearest', 'reflect', 'wrap'}
        The values outside of an image abcd: kkkk|abcd|kkkk with k = `fill_value`, aaaa|abcd|dddd,
        dcba|abcd|dcba, or abcd|abcd|abcd.
    fill_value : float, default 0
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are: (N, C, H, W) for 'channels_first'.

    Returns
    -------
    Tensor, shape of `images`

    Examples
    --------
    >>> from nnlite import ops
    >>> image = [[[1.0], [2.0], [3.0]]]
    >>> moved = ops.image.affine_transform(image, [1.0, 0, 0.5, 0, 1, 0, 0, 0])
    >>> moved.numpy().ravel()
    array([1.5, 2.5, 1.5], dtype=float32)
    """
    _check_interpolation(interpolation)
    check_choice("fill_mode", fill_mode, [*KERAS_FILLS])
    x, back = as_batch(images, data_format)
    x, maps = operands(x, transform)
    if maps.shape not in ((8,), (1, 8), (x.shape[0], 8)):
        raise ValueError(
            f"transform: expected shape (8,) or {(x.shape[0], 8)}, got shape {maps.shape}"
        )
    maps = broadcast_to(maps, (x.shape[0], 8))
    smooth, fill = interpolation == "bilinear", KERAS_FILLS[fill_mode]
    value = number("fill_value", fill_value)
    return back(warp(x, maps, smooth=smooth, fill=fill, value=value))


def _check_interpolation(interpolation):
    check_choice("interpolation", interpolation, ("nearest", "bilinear"))


def perspective_transform(
    images,
    start_points,
    end_points,
    interpolation="bilinear",
    fill_value=0,
    data_format=None,
):
    """Transform images so that four points of each come to four other ones.

    P. S. Heckbert: "Fundamentals of texture mapping and image warping", University of California,
    Berkeley, 1989.

    Parameters
    ----------
    images : tensor, shape (N, H, W, C) or (H, W, C)
    start_points, end_points : tensor, shape (N, 4, 2) or (4, 2)
        (column, row) of four points, of which no three are on a line, before and after.
    interpolation : {'bilinear', 'nearest'}
    fill_value : float, default 0
        The value outside of an image.
    data_format : {'channels_last', 'channels_first'}, optional

    Returns
    -------
    Tensor, shape of `images`

    Examples
    --------
    >>> from nnlite import ops
    >>> corners = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    >>> mirrored = [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [0.0, 1.0]]
    >>> image = [[[1.0], [2.0]], [[3.0], [4.0]]]
    >>> ops.image.perspective_transform(image, corners, mirrored).numpy().ravel()
    array([2., 1., 4., 3.], dtype=float32)
    """
    _check_interpolation(interpolation)
    x, back = as_batch(images, data_format)
    x, start, end = operands(x, start_points, end_points)
    for name, points in (("start_points", start), ("end_points", end)):
        if points.shape not in ((4, 2), (1, 4, 2), (x.shape[0], 4, 2)):
            raise ValueError(
                f"{name}: expected shape (4, 2) or {(x.shape[0], 4, 2)}, got shape {points.shape}"
            )
    if start.shape != end.shape:
        raise ValueError(
            f"expected start_points and end_points of one shape, got {start.shape} and {end.shape}"
        )
    start, end = (broadcast_to(p, (x.shape[0], 4, 2)) for p in (start, end))
    smooth, value = interpolation == "bilinear", number("fill_value", fill_value)
    return back(warp(x, homography(end, start), smooth=smooth, fill="blend", value=value))


def gaussian_blur(images, kernel_size=(3, 3), sigma=(1.0, 1.0), data_format=None):
    """Means of neighbouring pixels, with the weights of a normal distribution.

    Pixels outside of an image count as 0.

    Parameters
    ----------
    images : tensor, shape (N, H, W, C) or (H, W, C)
    kernel_size : (int, int), default (3, 3)
        Rows and columns of the neighbourhood.
    sigma : (float, float) or Tensor of two, default (1.0, 1.0)
        The standard deviations over the rows and over the columns.
    data_format : {'channels_last', 'channels_first'}, optional

    Returns
    -------
    Tensor, shape of `images`

    Examples
    --------
    >>> from nnlite import ops
    >>> blurred = ops.image.gaussian_blur([[[0.0], [1.0], [0.0]]], (1, 3), (1.0, 1.0))
    >>> blurred.numpy().ravel().round(3)
    array([0.274, 0.452, 0.274], dtype=float32)
    """
    given = kernel_size.tolist() if isinstance(kernel_size, np.ndarray) else kernel_size
    kernel_size = pair("kernel_size", given)
    x, back = as_batch(images, data_format)
    if not isinstance(sigma, Tensor):
        given = sigma if isinstance(sigma, (tuple, list)) else (sigma, sigma)
        if len(given) != 2 or not all(is_number(s, "(0, inf)") for s in given):
            raise ValueError(f"sigma: expected a pair of positive numbers, got {sigma!r}")
        sigma = constant(given, x.dtype)
    for axis, size in enumerate(kernel_size):
        places = (np.arange(size) - (size - 1) / 2).reshape(size, 1)
        weights = exp(square(divide(places, sigma[axis])) * -0.5)
        shape = (size, 1, 1, 1) if axis == 0 else (1, size, 1, 1)
        kernel = reshape(divide(weights, reduce_sum(weights)), shape)
        kernel = broadcast_to(kernel, (*shape[:2], x.shape[3], 1))
        x = depthwise_conv2d(x, kernel, padding="same")
    return back(x)


def extract_patches(
    images,
    size,
    strides=None,
    dilation_rate=1,
    padding="valid",
    data_format=None,
):
    """The windows of images, each as one vector.

    Parameters
    ----------
    images : tensor, shape (N, H, W, C) or (H, W, C)
    size : int or (int, int)
        Height and width of a window.
    strides : int or (int, int), optional
        Distance of neighbouring windows, by default `size`.
    dilation_rate : int or (int, int), default 1
        Distance of neighbouring pixels of a window.
    padding : {'valid', 'same'}, default 'valid'
        As for `ops.conv`.
    data_format : {'channels_last', 'channels_first'}, optional

    Returns
    -------
    Tensor, shape (N, rows, columns, size * size * C) or (rows, columns, size * size * C)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.image.extract_patches(ops.ones((1, 4, 6, 3)), 2).shape
    (1, 2, 3, 12)
    """
    height, width = pair("size", size)
    x, back = as_batch(images, data_format)
    values = height * width * x.shape[3]
    kernel = np.eye(values).reshape(height, width, x.shape[3], values)
    strides = (height, width) if strides is None else strides
    return back(conv2d(x, kernel, strides=strides, padding=padding, dilation_rate=dilation_rate))


__getattr__ = names.of(__name__)

# A call on symbols becomes a node of a functional model.
for _name in __all__:
    globals()[_name] = supports_symbols(globals()[_name], __name__)
