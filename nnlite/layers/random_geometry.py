"""Random layers that move the pixels of images.

The one idea: each draws a map of places for each image, and one op, `warp`, reads all images at
their places.
"""

import math

from nnlite import ops
from nnlite.layers import settings
from nnlite.layers.image import SIZE, part_of
from nnlite.layers.random_images import RandomImageLayer, per_image
from nnlite.ops.warp import KERAS_FILLS, warp

_AXES = {"horizontal": (1, 0), "vertical": (0, 1), "horizontal_and_vertical": (1, 1)}


def maps(draws, *, x=(1.0, 0.0, 0.0), y=(0.0, 1.0, 0.0)):
    """The maps of places for `warp`, from three numbers, or Tensors of one for each image, for each
    row of the matrices.

    Parameters
    ----------
    draws : Draws
        Of the images.
    x, y : (of columns, of rows, constant)
        The column and the row that are read.
    """
    zero = ops.zeros((draws.count,), draws.dtype)
    return ops.stack([zero + entry for entry in (*x, *y, 0.0, 0.0)], axis=1)


def around_center(draws, a0, a1, b0, b1):
    """The maps of places whose matrix leaves the center of images where it is.

    Parameters
    ----------
    draws : Draws
    a0, a1, b0, b1 : float or Tensor
        The column that is read is a0 x + a1 y, the row b0 x + b1 y, from the center.
    """
    cx, cy = (draws.width - 1) / 2, (draws.height - 1) / 2
    x = a0, a1, (1.0 - a0) * cx - a1 * cy
    y = b0, b1, (1.0 - b1) * cy - b0 * cx
    return maps(draws, x=x, y=y)


class _Maps(RandomImageLayer):
    """Base: the layers that draw maps of places; `_draw` gives them as "maps"."""

    fill_mode, fill_value = "nearest", 0.0

    def _apply(self, x, drawn, interpolation):
        if drawn is None:
            return x
        smooth, fill = interpolation == "bilinear", KERAS_FILLS[self.fill_mode]
        return warp(x, drawn["maps"], smooth=smooth, fill=fill, value=float(self.fill_value))


class _Warp(_Maps):
    """Base: of those that are told how to read places between pixels and outside of images."""

    _legal = {
        "fill_mode": tuple(KERAS_FILLS),
        "interpolation": ("bilinear", "nearest"),
        "fill_value": "(-inf, inf)",
    }

    def _reads(self, fill_mode, interpolation, fill_value):
        self.fill_mode, self.interpolation, self.fill_value = fill_mode, interpolation, fill_value


class RandomFlip(_Maps):
    """While training, each image is mirrored with probability 1/2.

    Parameters
    ----------
    mode : {'horizontal_and_vertical', 'horizontal', 'vertical'}
        'horizontal' mirrors left and right, 'vertical' above and below, the default both, each of
        them by a draw of its own.
    seed : int, optional
        By default the next seed of the process.
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are: (N, C, H, W) for 'channels_first'.
    **kwargs
        Of `ImageLayer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same.

    Examples
    --------
    >>> import nnlite
    >>> flip = nnlite.layers.RandomFlip("horizontal", seed=0)
    >>> images = [[[[1.0], [2.0], [3.0]]]] * 4
    >>> flip(images, training=True).numpy().reshape(4, 3)
    array([[3., 2., 1.],
           [1., 2., 3.],
           [3., 2., 1.],
           [1., 2., 3.]], dtype=float32)
    """

    _legal = {"mode": tuple(_AXES)}
    interpolation = "nearest"  # pixels come to pixels

    def __init__(self, mode="horizontal_and_vertical", seed=None, data_format=None, **kwargs):
        super().__init__(seed, data_format, **kwargs)
        self.mode = mode

    def _draw(self, draws):
        # A factor of -1 mirrors, 1 leaves as it is.
        a0, b1 = (
            1.0 - 2.0 * ops.less(draws.uniform(), 0.5) if along else 1.0
            for along in _AXES[self.mode]
        )
        return {"maps": around_center(draws, a0, 0.0, 0.0, b1)}


class RandomRotation(_Warp):
    """While training, each image is turned around its center.

    Parameters
    ----------
    factor : float in [-1, 1], or two
        The limits of the angle in full turns, counter-clockwise: a number f stands for (-f, f).
        0.25 is up to 90 degrees to either side.
    fill_mode : {'reflect', 'wrap', 'constant', 'nearest'}
        The values outside of an image abcd: dcba|abcd|dcba ('reflect'), abcd|abcd|abcd ('wrap'),
        aaaa|abcd|dddd ('nearest'), or `fill_value`.
    interpolation : {'bilinear', 'nearest'}
    seed : int, optional
        By default the next seed of the process.
    fill_value : float, default 0.0
        The value outside for `fill_mode='constant'`.
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are: (N, C, H, W) for 'channels_first'.
    **kwargs
        Of `ImageLayer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same.

    Examples
    --------
    >>> import nnlite
    >>> turned = nnlite.layers.RandomRotation((0.25, 0.25))([[[1.0], [2.0]], [[3.0], [4.0]]])
    >>> turned.numpy().reshape(2, 2).round(5)
    array([[2., 4.],
           [1., 3.]], dtype=float32)
    """

    _legal = {"factor": settings.limits_in("[-1, 1]")}

    def __init__(
        self,
        factor,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed, data_format, **kwargs)
        self.factor = factor
        self._reads(fill_mode, interpolation, fill_value)

    def _draw(self, draws):
        low, high = settings.limits(self.factor)
        angle = draws.uniform(low * 2 * math.pi, high * 2 * math.pi)
        c, s = ops.cos(angle), ops.sin(angle)
        return {"maps": around_center(draws, c, ops.negative(s), s, c)}


class RandomZoom(_Warp):
    """While training, each image is read from a larger or smaller area around its center.

    Parameters
    ----------
    height_factor : float in (-1, 1], or two
        The limits of what is added to the height of the area, as a part of the image's: a number f
        stands for (-f, f). 0.2 reads up to 20 % more, so that the image becomes smaller, -0.2 up to
        20 % less.
    width_factor : float in (-1, 1], or two, optional
        The same of the width; by default both are drawn as one, and proportions stay.
    fill_mode : {'reflect', 'wrap', 'constant', 'nearest'}
        The values outside of an image abcd: dcba|abcd|dcba ('reflect'), abcd|abcd|abcd ('wrap'),
        aaaa|abcd|dddd ('nearest'), or `fill_value`.
    interpolation : {'bilinear', 'nearest'}
    seed : int, optional
        By default the next seed of the process.
    fill_value : float, default 0.0
        The value outside for `fill_mode='constant'`.
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are: (N, C, H, W) for 'channels_first'.
    **kwargs
        Of `ImageLayer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same.

    Examples
    --------
    >>> import nnlite
    >>> zoom = nnlite.layers.RandomZoom((-0.5, -0.5))
    >>> zoom([[[0.0], [2.0], [4.0], [6.0]]]).numpy().ravel()
    array([1.5, 2.5, 3.5, 4.5], dtype=float32)
    """

    _legal = dict.fromkeys(("height_factor", "width_factor"), settings.limits_in("(-1, 1]"))

    def __init__(
        self,
        height_factor,
        width_factor=None,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed, data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._reads(fill_mode, interpolation, fill_value)

    def _draw(self, draws):
        low, high = settings.limits(self.height_factor)
        height = width = draws.uniform(1 + low, 1 + high)
        if self.width_factor is not None:
            low, high = settings.limits(self.width_factor)
            width = draws.uniform(1 + low, 1 + high)
        return {"maps": around_center(draws, width, 0.0, 0.0, height)}


class RandomTranslation(_Warp):
    """While training, each image is moved.

    Parameters
    ----------
    height_factor, width_factor : float in [-1, 1], or two
        The limits of how far it is moved down and to the right, as parts of its height and width: a
        number f stands for (-f, f).
    fill_mode : {'reflect', 'wrap', 'constant', 'nearest'}
        The values outside of an image abcd: dcba|abcd|dcba ('reflect'), abcd|abcd|abcd ('wrap'),
        aaaa|abcd|dddd ('nearest'), or `fill_value`.
    interpolation : {'bilinear', 'nearest'}
    seed : int, optional
        By default the next seed of the process.
    fill_value : float, default 0.0
        The value outside for `fill_mode='constant'`.
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are: (N, C, H, W) for 'channels_first'.
    **kwargs
        Of `ImageLayer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same.

    Examples
    --------
    >>> import nnlite
    >>> move = nnlite.layers.RandomTranslation(0.0, (0.25, 0.25), fill_mode="nearest")
    >>> move([[[1.0], [2.0], [3.0], [4.0]]]).numpy().ravel()
    array([1., 1., 2., 3.], dtype=float32)
    """

    _legal = dict.fromkeys(("height_factor", "width_factor"), settings.limits_in("[-1, 1]"))

    def __init__(
        self,
        height_factor,
        width_factor,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed, data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._reads(fill_mode, interpolation, fill_value)

    def _draw(self, draws):
        down = draws.uniform(*settings.limits(self.height_factor))
        right = draws.uniform(*settings.limits(self.width_factor))
        x = 1.0, 0.0, right * -float(draws.width)
        y = 0.0, 1.0, down * -float(draws.height)
        return {"maps": maps(draws, x=x, y=y)}


class RandomShear(_Warp):
    """While training, the rows of each image slide along each other, or its columns, or both.

    Parameters
    ----------
    x_factor, y_factor : float in [0, 1], or two, default 0.0
        The limits of how far a row is moved to the side for each row above it, and a column for
        each column: a number f stands for (-f, f). Limits (a, b) stand for (-b, -a) as often.
    interpolation : {'bilinear', 'nearest'}
    fill_mode : {'reflect', 'wrap', 'constant', 'nearest'}
        The values outside of an image abcd: dcba|abcd|dcba ('reflect'), abcd|abcd|abcd ('wrap'),
        aaaa|abcd|dddd ('nearest'), or `fill_value`.
    fill_value : float, default 0.0
        The value outside for `fill_mode='constant'`.
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are: (N, C, H, W) for 'channels_first'.
    seed : int, optional
        By default the next seed of the process.
    **kwargs
        Of `ImageLayer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same.

    Examples
    --------
    >>> import nnlite
    >>> shear = nnlite.layers.RandomShear((1.0, 1.0), fill_mode="wrap", seed=4)
    >>> shear([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]]).numpy().reshape(2, 3)
    array([[1., 2., 3.],
           [6., 4., 5.]], dtype=float32)
    """

    _legal = dict.fromkeys(("x_factor", "y_factor"), settings.limits_in("[0, 1]", "[-1, 1]"))

    def __init__(
        self,
        x_factor=0.0,
        y_factor=0.0,
        interpolation="bilinear",
        fill_mode="reflect",
        fill_value=0.0,
        data_format=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(seed, data_format, **kwargs)
        self.x_factor, self.y_factor = x_factor, y_factor
        self._reads(fill_mode, interpolation, fill_value)

    def _draw(self, draws):
        sign = 1.0 - 2.0 * draws.chosen(0.5, 0.5)
        along_x = sign * draws.uniform(*settings.limits(self.x_factor))
        along_y = sign * draws.uniform(*settings.limits(self.y_factor))
        return {"maps": maps(draws, x=(1.0, along_x, 0.0), y=(along_y, 1.0, 0.0))}


class RandomPerspective(_Warp):
    """While training, the corners of each image are moved, each by itself.

    Parameters
    ----------
    factor : float in [0, 1], or two, default 1.0
        The limits of the probability that an image is changed: a number f stands for (0, f).
    scale : float in [0, 1], default 1.0
        A coordinate of a corner is moved by up to half of it, to either side, times `scale`.
    interpolation : {'bilinear', 'nearest'}
    fill_value : float, default 0.0
        The value outside of an image.
    seed : int, optional
        By default the next seed of the process.
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are: (N, C, H, W) for 'channels_first'.
    **kwargs
        Of `ImageLayer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.RandomPerspective(scale=0.5)(nnlite.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    _legal = {"factor": settings.limits_in("[0, 1]"), "scale": "[0, 1]"}

    def __init__(
        self,
        factor=1.0,
        scale=1.0,
        interpolation="bilinear",
        fill_value=0.0,
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed, data_format, **kwargs)
        self.factor, self.scale = factor, scale
        self._reads("constant", interpolation, fill_value)

    def _draw(self, draws):
        right, bottom = float(draws.width - 1), float(draws.height - 1)
        corners = [[0.0, 0.0], [right, 0.0], [0.0, bottom], [right, bottom]]
        shape, half = (draws.count, 4, 2), 0.5 * self.scale
        start = ops.zeros(shape, draws.dtype) + corners
        return {
            "apply_perspective": draws.chosen(*settings.limits(self.factor, 0.0)),
            "start_points": start,
            "end_points": start * (1.0 + draws.uniform(-half, half, shape)),
        }

    def _apply(self, x, drawn, interpolation):
        if drawn is None:
            return x
        moved = ops.image.perspective_transform(
            x, drawn["start_points"], drawn["end_points"], interpolation, self.fill_value
        )
        return ops.where(per_image(drawn["apply_perspective"]), moved, x)


class RandomCrop(_Maps):
    """While training, a part of each image, for a batch at one place that is drawn; otherwise the
    part in the middle.

    Of images that are too small, the largest part with the new proportions is enlarged.

    Parameters
    ----------
    height, width : int
    seed : int, optional
        By default the next seed of the process.
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are: (N, C, H, W) for 'channels_first'.
    **kwargs
        Of `ImageLayer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same with `height` and `width`, also while
    predicting: Keras 3.15 then returns whole images, which do not fit what comes behind them.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.RandomCrop(4, 6)(nnlite.ones((2, 8, 8, 3))).shape
    (2, 4, 6, 3)
    """

    _legal = SIZE

    def __init__(self, height, width, seed=None, data_format=None, **kwargs):
        super().__init__(seed, data_format, **kwargs)
        self.height, self.width = height, width

    def _draw(self, draws):
        top, left = draws.height - self.height, draws.width - self.width
        if top < 0 or left < 0:
            return None
        right, down = (draws.integers(0, n, (1,)) for n in (left, top))
        return {"maps": maps(draws, x=(1.0, 0.0, right), y=(0.0, 1.0, down))}

    def _apply(self, x, drawn, interpolation):
        if drawn is None:
            return part_of(x, self.height, self.width, interpolation)
        return warp(x, drawn["maps"], (self.height, self.width), smooth=False)
