"""Random layers that change how light images are, each value by itself."""

from nnlite import ops
from nnlite.layers import settings
from nnlite.layers.image import ImageLayer
from nnlite.layers.random_images import ColorLayer, Recolors, per_image
from nnlite.ops.colors import equalize, equalize_tiles
from nnlite.ops.windows import pair


class RandomBrightness(ColorLayer):
    """While training, a number is added to all values of each image.

    Parameters
    ----------
    factor : float in [-1, 1], or two
        The limits of the number, as a part of the range of values: a number f stands for (-f, f).
        1 makes an image white, -1 black.
    **kwargs
        Of `ColorLayer`: value_range, seed, data_format, name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same.
    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.RandomBrightness((0.2, 0.2))
    >>> layer([[[0.0], [100.0], [250.0]]]).numpy().ravel()
    array([ 51., 151., 255.], dtype=float32)
    """

    _legal = {"factor": settings.limits_in("[-1, 1]")}

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(value_range, seed, **kwargs)
        self.factor = factor

    def _draw(self, draws):
        low, high = sorted(map(float, self.value_range))
        delta = draws.uniform(*settings.limits(self.factor)) * (high - low)
        return {"rgb_delta": per_image(delta)}

    def _recolored(self, x, drawn):
        return self._clipped(x + per_image(drawn["rgb_delta"]))


class RandomContrast(ColorLayer):
    """While training, the distance of each value from the mean of its image and channel is
    multiplied by a number.

    Parameters
    ----------
    factor : float in [0, 1], or two
        The number is drawn between 1 - a and 1 + b for two factors (a, b); a number f stands for
        (f, f).
    **kwargs
        Of `ColorLayer`: value_range, seed, data_format, name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same.
    Examples
    --------
    >>> import nnlite
    >>> y = nnlite.layers.RandomContrast(0.5, seed=0)([[[0.0], [100.0], [200.0]]]).numpy().ravel()
    >>> bool(0.0 <= y[0] <= 50.0), float(y[1])
    (True, 100.0)
    """

    _legal = {"factor": settings.limits_in("[0, 1]")}

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(value_range, seed, **kwargs)
        self.factor = factor

    def _draw(self, draws):
        pair = isinstance(self.factor, (tuple, list))
        a, b = sorted(self.factor) if pair else (self.factor, self.factor)
        return {"contrast_factor": per_image(draws.uniform(1.0 - a, 1.0 + b))}

    def _recolored(self, x, drawn):
        # Rows as one axis: loops over three channels would be short.
        n, height, width, channels = x.shape
        rows = ops.reshape(x, (n, height, width * channels))
        columns = ops.reshape(ops.mean(rows, axis=1), (n, 1, width, channels))
        mean = ops.broadcast_to(ops.mean(columns, axis=2, keepdims=True), columns.shape)
        mean = ops.reshape(mean, (n, 1, width * channels))
        factor = ops.reshape(per_image(drawn["contrast_factor"]), (n, 1, 1))
        return ops.reshape(self._clipped((rows - mean) * factor + mean), x.shape)


class RandomInvert(ColorLayer):
    """While training, some images become negatives: value_range[1] - x.

    Parameters
    ----------
    factor : float in [0, 1], or two, default 1.0
        The limits of the probability: a number f stands for (0, f).
    **kwargs
        Of `ColorLayer`: value_range, seed, data_format, name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same.
    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.RandomInvert((1.0, 1.0))([[[0.0], [100.0]]]).numpy().ravel()
    array([255., 155.], dtype=float32)
    """

    _legal = {"factor": settings.limits_in("[0, 1]")}

    def __init__(self, factor=1.0, value_range=(0, 255), seed=None, data_format=None, **kwargs):
        super().__init__(value_range, seed, data_format, **kwargs)
        self.factor = factor

    def _draw(self, draws):
        return {"apply_inversion": draws.chosen(*settings.limits(self.factor, 0.0))}

    def _recolored(self, x, drawn):
        negative = float(max(self.value_range)) - x
        return ops.where(per_image(drawn["apply_inversion"]), negative, x)


class RandomPosterization(ColorLayer):
    """While training, values keep their highest bits, of 8.

    Parameters
    ----------
    factor : int in [1, 8], or two
        The number of bits, or its limits, each as likely.
    **kwargs
        Of `ColorLayer`: value_range, seed, data_format, name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same.
    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.RandomPosterization(2)([[[10.0], [100.0], [200.0]]]).numpy().ravel()
    array([  0.,  64., 192.], dtype=float32)
    """

    _legal = {"factor": settings.bits}

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(value_range, seed, data_format, **kwargs)
        self.factor = factor

    def _draw(self, draws):
        pair = isinstance(self.factor, (tuple, list))
        low, high = sorted(self.factor) if pair else (self.factor, self.factor)
        return {"shift_factor": 8.0 - draws.integers(int(low), int(high))}

    def _recolored(self, x, drawn):
        # Steps of 2 to the power of the bits that are dropped.
        step = ops.floor(ops.power(2.0, per_image(drawn["shift_factor"])) + 0.5)
        whole = ops.floor(ops.clip(self._scaled(x, 255.0), 0.0, 255.0))
        return self._scaled_back(ops.floor(whole / step) * step, 255.0)


class Solarization(ColorLayer):
    """While training, a number is added to all values of an image, then those of at least a
    threshold become negatives.

    Parameters
    ----------
    addition_factor, threshold_factor : float in [0, 1], or two, default 0.0
        The limits of the number and of the threshold, as parts of the range of values: a number f
        stands for (0, f).
    **kwargs
        Of `ColorLayer`: value_range, seed, data_format, name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same.
    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.Solarization(threshold_factor=(0.5, 0.5))
    >>> layer([[[10.0], [100.0], [200.0]]]).numpy().ravel()
    array([ 10., 100.,  55.], dtype=float32)
    """

    _legal = dict.fromkeys(("addition_factor", "threshold_factor"), settings.limits_in("[0, 1]"))

    def __init__(
        self,
        addition_factor=0.0,
        threshold_factor=0.0,
        value_range=(0, 255),
        seed=None,
        **kwargs,
    ):
        super().__init__(value_range, seed, **kwargs)
        self.addition_factor, self.threshold_factor = addition_factor, threshold_factor

    def _draw(self, draws):
        return {
            name: draws.uniform(*settings.limits(factor, 0.0)) * 255.0
            for name, factor in (
                ("additions", self.addition_factor),
                ("thresholds", self.threshold_factor),
            )
        }

    def _recolored(self, x, drawn):
        y = ops.clip(self._scaled(x, 255.0) + per_image(drawn["additions"]), 0.0, 255.0)
        y = ops.where(ops.less(y, per_image(drawn["thresholds"])), y, 255.0 - y)
        return self._scaled_back(y, 255.0)


class AutoContrast(Recolors, ImageLayer):
    """Values of each image and channel are stretched to the whole range, while training and
    otherwise.

    Parameters
    ----------
    value_range : (float, float), default (0, 255)
        The least and the largest value of images.
    **kwargs
        Of `ImageLayer`: data_format, name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same. A channel of one value stays as it is.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.AutoContrast()([[[100.0], [125.0], [150.0]]]).numpy().ravel()
    array([  0. , 127.5, 255. ], dtype=float32)
    """

    def __init__(self, value_range=(0, 255), **kwargs):
        super().__init__(**kwargs)
        self.value_range = value_range

    def _apply(self, x, drawn, interpolation):
        return self._recolored(x, drawn)

    def _recolored(self, x, drawn):
        least, most = (f(x, axis=(1, 2), keepdims=True) for f in (ops.min, ops.max))
        flat = ops.equal(least, most)
        stretched = (x - least) * (1.0 / ops.where(flat, 1.0, most - least))
        return ops.where(flat, x, self._scaled_back(stretched, 1.0))


class Equalization(Recolors, ImageLayer):
    """While training, values of each image and channel are spread so that all are about as often.

    R. C. Gonzalez, R. E. Woods: "Digital image processing", 4th edition, 2018, section 3.3.

    Parameters
    ----------
    value_range : (float, float), default (0, 255)
        The least and the largest value of images.
    bins : int in [2, 65536], default 256
        How many different values there are.
    **kwargs
        Of `ImageLayer`: data_format, name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same. A channel of one value stays as it is. There
    is no gradient.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Equalization()([[[10.0], [20.0], [30.0], [30.0]]]).numpy().ravel()
    array([  0.,  85., 255., 255.], dtype=float32)
    """

    _legal = {"bins": "int [2, 65536]"}

    def __init__(self, value_range=(0, 255), bins=256, data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self.value_range, self.bins = value_range, bins

    def get_random_transformation(self, data, training=True, seed=None):
        """Nothing is drawn.

        Parameters
        ----------
        data : tensor, or dict with "images"
        training : bool, default True
        seed : int, optional

        Returns
        -------
        dict or None
            None if `training` is false, when images stay as they are.
        """
        return {} if training else None

    def _recolored(self, x, drawn):
        return self._scaled_back(equalize(self._scaled(x, 255.0), int(self.bins)), 255.0)


class ContrastLimitedAdaptiveHistogramEqualization(Recolors, ImageLayer):
    """Values of each tile of an image and channel are spread so that all are about as often, while
    training and otherwise.

    A pixel gets a mean of what the four tiles whose centers are around it make of its value.
    K. Zuiderveld: "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994.

    Parameters
    ----------
    value_range : (float, float), default (0, 255)
        The least and the largest value of images, between which there are 256 values.
    clip_limit : float in [0, inf), default 4.0
        How often a value may count in a tile, as a multiple of the mean: less makes less contrast
        of little. 0 is no limit.
    tile_grid_size : int or (int, int), default (8, 8)
        How many tiles, down and across.
    **kwargs
        Of `ImageLayer`: data_format, name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same. There is no gradient.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(1, 1))
    >>> layer([[[10.0], [20.0], [30.0], [30.0]]]).numpy().ravel().round(1)
    array([13.5, 27.1, 40.6, 40.6], dtype=float32)
    """

    _legal = {"clip_limit": "[0, inf)", "tile_grid_size": pair}

    def __init__(
        self,
        value_range=(0, 255),
        clip_limit=4.0,
        tile_grid_size=(8, 8),
        data_format=None,
        **kwargs,
    ):
        super().__init__(data_format, **kwargs)
        self.value_range, self.clip_limit = value_range, clip_limit
        self.tile_grid_size = tile_grid_size

    def _apply(self, x, drawn, interpolation):
        return self._recolored(x, drawn)

    def _recolored(self, x, drawn):
        y = equalize_tiles(self._scaled(x, 255.0), self.tile_grid_size, self.clip_limit)
        return self._scaled_back(y, 255.0)
