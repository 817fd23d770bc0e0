"""Images of one size out of images of any, as arrays in memory."""

import numpy as np

from nnlite.checks import check_choice, positive_int
from nnlite.engine.tensor import REALS, Tensor, convert_to_tensor
from nnlite.ops.resampling import METHODS, resampled2d


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
    real = image.dtype if image.dtype in REALS else "float32"
    x = np.ascontiguousarray(image, real).reshape(-1, *image.shape[-3:])
    y = resampled2d(Tensor(x.shape, x.dtype.name, x), size, interpolation).numpy()
    return y.reshape(*image.shape[:-3], *y.shape[1:])


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
