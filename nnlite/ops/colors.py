"""Colors of images: grey, and hue, saturation and value."""

from nnlite.engine.dispatch import Op
from nnlite.ops.elementwise import abs as absolute
from nnlite.ops.elementwise import clip, divide, equal, maximum, minimum, mod, where
from nnlite.ops.image_batches import as_batch
from nnlite.ops.operands import call
from nnlite.ops.shape import reshape
from nnlite.ops.slicing import concatenate

_GREY = (0.2989, 0.587, 0.114)


def _of_colors(images, data_format, channels=(3,)):
    x, back = as_batch(images, data_format)
    _check_colors(x, channels)
    return x, back


def _check_colors(x, channels):
    if x.shape[3] not in channels:
        words = " or ".join(map(str, channels))
        raise ValueError(f"expected images of {words} channels, got {x.shape[3]}")


def rgb_to_grayscale(images, data_format=None):
    """Grey images: 0.2989 red + 0.587 green + 0.114 blue.

    Parameters
    ----------
    images : tensor, shape (N, H, W, 3) or (H, W, 3)
        Images of one channel are returned as they are.
    data_format : {'channels_last', 'channels_first'}, optional

    Returns
    -------
    Tensor, shape (N, H, W, 1) or (H, W, 1)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.image.rgb_to_grayscale([[[255.0, 0.0, 0.0]]]).numpy().ravel().round(2)
    array([76.22], dtype=float32)
    """
    x, back = _of_colors(images, data_format, (1, 3))
    return back(grey_of(x))


def grey_of(x):
    """The grey values of a Tensor (N, H, W, 3), as (N, H, W, 1); one of one channel as it is."""
    if x.shape[3] == 1:
        return x
    _check_colors(x, (1, 3))
    red, green, blue = (x[..., k : k + 1] * share for k, share in enumerate(_GREY))
    return red + green + blue


def rgb_to_hsv(images, data_format=None):
    """Hue, saturation and value of images of red, green and blue.

    A. R. Smith: "Color gamut transform pairs", SIGGRAPH 1978.

    Parameters
    ----------
    images : tensor, shape (N, H, W, 3) or (H, W, 3)
        Values in [0, 1].
    data_format : {'channels_last', 'channels_first'}, optional

    Returns
    -------
    Tensor, shape of `images`
        Hue in [0, 1): 0 is red, 1/3 green, 2/3 blue. Saturation and value in [0, 1].

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.image.rgb_to_hsv([[[0.0, 1.0, 0.0]]]).numpy().ravel().round(3)
    array([0.333, 1.   , 1.   ], dtype=float32)
    """
    x, back = _of_colors(images, data_format)
    red, green, blue = (x[..., k : k + 1] for k in range(3))
    value = maximum(maximum(red, green), blue)
    spread = value - minimum(minimum(red, green), blue)
    flat, black = equal(spread, 0.0), equal(value, 0.0)
    unit = where(flat, 1.0, spread)
    sixth = where(
        equal(value, red),
        divide(green - blue, unit),
        where(equal(value, green), divide(blue - red, unit) + 2.0, divide(red - green, unit) + 4.0),
    )
    hue = where(flat, 0.0, mod(sixth / 6.0, 1.0))
    saturation = where(black, 0.0, divide(spread, where(black, 1.0, value)))
    return back(concatenate([hue, saturation, value], axis=3))


def hsv_to_rgb(images, data_format=None):
    """Red, green and blue of images of hue, saturation and value.

    A. R. Smith: "Color gamut transform pairs", SIGGRAPH 1978.

    Parameters
    ----------
    images : tensor, shape (N, H, W, 3) or (H, W, 3)
        Values in [0, 1].
    data_format : {'channels_last', 'channels_first'}, optional

    Returns
    -------
    Tensor, shape of `images`
        Values in [0, 1].

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.image.hsv_to_rgb([[[0.5, 1.0, 0.5]]]).numpy().ravel()
    array([0. , 0.5, 0.5], dtype=float32)
    """
    x, back = _of_colors(images, data_format)
    hue, saturation, value = (x[..., k : k + 1] for k in range(3))
    sixth = hue * 6.0
    shares = (
        absolute(sixth - 3.0) - 1.0,
        2.0 - absolute(sixth - 2.0),
        2.0 - absolute(sixth - 4.0),
    )
    # Without saturation every share is 1: grey.
    colors = [((clip(s, 0.0, 1.0) - 1.0) * saturation + 1.0) * value for s in shares]
    return back(concatenate(colors, axis=3))


Op("equalize", infer=lambda x, **_: [x], attrs={"bins": int}, gradient="none")


def equalize(x, bins):
    """Values in [0, 255] of each image and channel, spread so that all are about as often.

    Parameters
    ----------
    x : Tensor, shape (N, H, W, C)
    bins : int
        How many different values there are.
    """
    n, height, width, channels = x.shape
    flat = reshape(x, (n, height * width, channels))
    return reshape(call("equalize", [flat], bins=bins), x.shape)
