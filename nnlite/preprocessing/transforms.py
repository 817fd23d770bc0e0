"""Random transformations of a batch of images: random numbers, parameters, and their application.

The random numbers of a sample depend only on the seed, the epoch, and the sample's position in the
epoch. Each kind of transformation has its own columns of numbers. Two generators with one seed
therefore rotate an image and its mask alike, whatever their other settings.
"""

import numbers

import numpy as np

from nnlite import config, ops

# The columns of `uniform`, named by what they determine.
THETA, TX, TX_SIGN, TY, TY_SIGN, SHEAR, ZX, ZY, FLIP_X, FLIP_Y, CHANNEL, BRIGHTNESS = range(12)
COLUMNS = 12
_PER_COUNT = 4  # numbers of Philox for each value of its counter

DEFAULTS = {
    "theta": 0.0,
    "tx": 0.0,
    "ty": 0.0,
    "shear": 0.0,
    "zx": 1.0,
    "zy": 1.0,
    "flip_horizontal": False,
    "flip_vertical": False,
    "channel_shift_intensity": None,
    "brightness": None,
}


def _generator(seed, epoch, *counter):
    key = np.array([seed, epoch], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array(counter, np.uint64)))


def uniform(seed, epoch, first, count):
    """Random numbers in [0, 1), shape (count, COLUMNS), of the samples from position `first` on."""
    generator = _generator(seed, epoch, first * (COLUMNS // _PER_COUNT), 0, 0, 0)
    return generator.random((count, COLUMNS))


def permutation(seed, epoch, n):
    """The random order of n samples in an epoch."""
    return _generator(seed, epoch, 0, 0, 0, 1).permutation(n)


def _draw_shift(amount, side, u, sign):
    """The shift of each sample in pixels; `amount` is a setting such as `width_shift_range`."""
    if isinstance(amount, numbers.Real) and not isinstance(amount, numbers.Integral):
        pixels = (2 * u - 1) * amount
    else:
        choices = np.arange(amount) if isinstance(amount, numbers.Integral) else np.asarray(amount)
        pixels = choices[(u * len(choices)).astype(np.intp)] if len(choices) else 0 * u
        pixels = np.where(sign < 0.5, -pixels, pixels).astype(np.float64)
    return pixels * side if np.max(amount) < 1 else pixels


def parameters(settings, u, height, width):
    """The parameters that the random numbers u give with the settings of an ImageDataGenerator.

    Returns
    -------
    dict
        For each name of DEFAULTS an array with one value for each image, or None.
    """
    low, high = settings.zoom_limits()
    drawn = {
        "theta": (2 * u[:, THETA] - 1) * settings.rotation_range,
        "tx": _draw_shift(settings.width_shift_range, width, u[:, TX], u[:, TX_SIGN]),
        "ty": _draw_shift(settings.height_shift_range, height, u[:, TY], u[:, TY_SIGN]),
        "shear": (2 * u[:, SHEAR] - 1) * settings.shear_range,
        "zx": low + (high - low) * u[:, ZX],
        "zy": low + (high - low) * u[:, ZY],
        "flip_horizontal": (u[:, FLIP_X] < 0.5) & bool(settings.horizontal_flip),
        "flip_vertical": (u[:, FLIP_Y] < 0.5) & bool(settings.vertical_flip),
        "channel_shift_intensity": None,
        "brightness": None,
    }
    if settings.channel_shift_range:
        drawn["channel_shift_intensity"] = (2 * u[:, CHANNEL] - 1) * settings.channel_shift_range
    if settings.brightness_range is not None:
        low, high = settings.brightness_range
        drawn["brightness"] = low + (high - low) * u[:, BRIGHTNESS]
    return drawn


def matrices(p, height, width):
    """The matrices for `ops.affine_transform`, which map pixels of a result to pixels of its image.

    With coordinates from the centre of the image, x to the right and y down, the map is rotation *
    shift * shear * zoom, after mirroring if the result is flipped:

        [cos theta  -sin theta] ( [1  -sin shear] [zx  0] [x]   [tx] )
        [sin theta   cos theta] ( [0   cos shear] [0  zy] [y] + [ty] )
    """
    theta, shear = np.deg2rad(p["theta"]), np.deg2rad(p["shear"])
    c, s = np.cos(theta), np.sin(theta)
    mirror_x = np.where(p["flip_horizontal"], -1.0, 1.0)
    mirror_y = np.where(p["flip_vertical"], -1.0, 1.0)
    x_of_x, x_of_y = c * p["zx"] * mirror_x, -np.sin(theta + shear) * p["zy"] * mirror_y
    y_of_x, y_of_y = s * p["zx"] * mirror_x, np.cos(theta + shear) * p["zy"] * mirror_y
    column, row = (width - 1) / 2, (height - 1) / 2
    moved_x = c * p["tx"] - s * p["ty"] + (1 - x_of_x) * column - x_of_y * row
    moved_y = s * p["tx"] + c * p["ty"] + (1 - y_of_y) * row - y_of_x * column
    return np.stack([y_of_y, y_of_x, moved_y, x_of_y, x_of_x, moved_x], axis=1)


_IDENTITY = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])


@config.isolated
def transform(images, p, fill_mode, cval, order):
    """Transform images: first their geometry, then channel shift, then brightness.

    Parameters
    ----------
    images : array of float32 or float64, shape (N, H, W, C)
    p : dict
        As `parameters` returns it.
    fill_mode, cval, order
        As for `ops.affine_transform`.
    """
    maps = matrices(p, *images.shape[1:3])
    if (maps != _IDENTITY).any():
        with config.precision(str(images.dtype)):
            images = ops.affine_transform(images, maps, fill_mode, cval, order).numpy()
    if p["channel_shift_intensity"] is not None:
        images = _shift_channels(images, _per_image(p["channel_shift_intensity"], images))
    if p["brightness"] is not None:
        images = _brighten(images, _per_image(p["brightness"], images))
    return images


def _per_image(values, images):
    """One value for each image, in a shape that broadcasts to the images."""
    return np.asarray(values).astype(images.dtype).reshape(-1, 1, 1, 1)


def _limits(images):
    """The minimum and the maximum of each image."""
    axes = (1, 2, 3)
    return images.min(axes, keepdims=True, initial=np.inf), images.max(
        axes, keepdims=True, initial=-np.inf
    )


def _shift_channels(images, intensity):
    low, high = _limits(images)
    return np.clip(images + intensity, low, high)


def _brighten(images, factor):
    """Grey levels times a factor, clipped to [0, 255].

    Images with other values are scaled to this range before and back after. The fourth channel,
    transparency, does not change.
    """
    low, high = _limits(images)
    rescaled = (low < 0) | (high > 255)
    span = np.where(high > low, high - low, 1)
    start, scale = np.where(rescaled, low, 0), np.where(rescaled, span / 255, 1)
    bright = np.clip((images - start) / scale * factor, 0, 255) * scale + start
    if images.shape[3] == 4:
        bright[..., 3] = images[..., 3]
    return bright.astype(images.dtype)
