"""Colors of images: grey, and hue, saturation and value."""

from nnlite.engine.dispatch import Op
from nnlite.ops.elementwise import abs as absolute
from nnlite.ops.elementwise import clip, divide, equal, maximum, minimum, mod, where
from nnlite.ops.image_batches import as_batch
from nnlite.ops.operands import call
from nnlite.ops.shape import reshape
from nnlite.ops.slicing import concatenate
from nnlite.ops.windows import pair

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
    red, green, blue = _planes(x)
    value, spread = _value_and_spread(red, green, blue)
    black = equal(value, 0.0)
    hue = mod(_sixths(red, green, blue, value, spread) / 6.0, 1.0)
    saturation = where(black, 0.0, divide(spread, where(black, 1.0, value)))
    return back(concatenate([hue, saturation, value], axis=3))


def _planes(x):
    """The three channels of images."""
    return [x[..., k : k + 1] for k in range(3)]


def _value_and_spread(red, green, blue):
    """The largest of three colors, and how far it is above the least."""
    value = maximum(maximum(red, green), blue)
    return value, value - minimum(minimum(red, green), blue)


def _sixths(red, green, blue, value, spread):
    """The hue in sixths of the circle, in [-1, 5]; 0 of grey."""
    of_red, of_green = equal(value, red), equal(value, green)
    apart = where(of_red, green - blue, where(of_green, blue - red, red - green))
    center = where(of_red, 0.0, where(of_green, 2.0, 4.0))
    return divide(apart, where(equal(spread, 0.0), 1.0, spread)) + center


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
    hue, saturation, value = _planes(x)
    # Without saturation every share is 1: grey.
    colors = [((share - 1.0) * saturation + 1.0) * value for share in _shares(hue * 6.0)]
    return back(concatenate(colors, axis=3))


def _shares(sixths):
    """How much of red, green and blue the pure color of a hue has, in [0, 1]."""
    shares = (
        absolute(sixths - 3.0) - 1.0,
        2.0 - absolute(sixths - 2.0),
        2.0 - absolute(sixths - 4.0),
    )
    return [clip(s, 0.0, 1.0) for s in shares]


def turn_hue(x, turns):
    """Images whose hues are others by some turns of the circle; value and saturation stay.

    Parameters
    ----------
    x : Tensor, shape (N, H, W, 3)
        Values from 0 on.
    turns : Tensor, shape (N, 1, 1, 1)
    """
    _check_colors(x, (3,))
    colors = _planes(x)
    value, spread = _value_and_spread(*colors)
    hue = mod(_sixths(*colors, value, spread) + turns * 6.0, 6.0)
    least = value - spread
    return concatenate([share * spread + least for share in _shares(hue)], axis=3)


def change_saturation(x, factor):
    """Images whose saturation is multiplied, and then at most 1; value and hue stay.

    Parameters
    ----------
    x : Tensor, shape (N, H, W, 3)
        Values from 0 on.
    factor : Tensor, shape (N, 1, 1, 1)
        From 0 on.
    """
    _check_colors(x, (3,))
    colors = _planes(x)
    value, spread = _value_and_spread(*colors)
    # Grey has no distances that could become larger.
    factor = minimum(factor, divide(value, where(equal(spread, 0.0), 1.0, spread)))
    return concatenate([value - (value - color) * factor for color in colors], axis=3)


Op("equalize", infer=lambda x, **_: [x], attrs={"bins": int}, gradient="none")
Op(
    "clahe",
    infer=lambda x, **_: [x],
    attrs={"tiles_down": int, "tiles_across": int, "limit": float},
    gradient="none",
)


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


def equalize_tiles(x, tiles, limit):
    """Values in [0, 255], spread as those of the tiles around a pixel ask for.

    Parameters
    ----------
    x : Tensor, shape (N, H, W, C)
    tiles : int or (int, int)
        How many, down and across.
    limit : float
        How often a value may count, as a multiple of the mean; 0: always.
    """
    down, across = pair("tiles", tiles)
    return call("clahe", [x], tiles_down=down, tiles_across=across, limit=float(limit))
