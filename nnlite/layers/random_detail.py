"""Random layers that change the details of images: sharper, smoother, or erased."""

import numpy as np

from nnlite import ops
from nnlite.layers import settings
from nnlite.layers.random_images import ColorLayer, FactorLayer, per_image

# Of a pixel and its neighbours in a smooth image.
_SMOOTH = np.array([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]]).reshape(3, 3, 1, 1) / 13


class RandomSharpness(FactorLayer):
    """While training, images become smoother or sharper.

    Parameters
    ----------
    factor : float in [0, 1], or two
        The limits of a factor: 0 makes an image smooth, 0.5 leaves it as it is, 1 makes it sharper.
        A number f stands for (0, f).
    **kwargs
        Of `ColorLayer`: value_range, data_format, seed, name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same: s + 2 factor (x - s), where s is the smooth
    image, in which a pixel counts 5/13 and each neighbour 1/13.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.RandomSharpness((1.0, 1.0))
    >>> layer([[[0.0], [130.0], [0.0]]]).numpy().ravel()
    array([  0., 210.,   0.], dtype=float32)
    """

    def _recolored(self, x, drawn):
        kernel = np.repeat(_SMOOTH, x.shape[3], axis=2)
        smooth = ops.depthwise_conv2d(x, kernel, padding="same")
        return self._clipped(smooth + per_image(drawn["factor"]) * 2.0 * (x - smooth))


class RandomGaussianBlur(ColorLayer):
    """While training, some images are blurred.

    Parameters
    ----------
    factor : float in [0, 1], or two, default 1.0
        The limits of the probability: a number f stands for (0, f).
    kernel_size : int, or two, default 3
        Rows and columns of the neighbourhood; odd numbers.
    sigma : float in [0, 1], or two, default 1.0
        The limits of the standard deviations along rows and columns, which are drawn for a batch:
        a number s stands for (0, s).
    **kwargs
        Of `ColorLayer`: value_range, data_format, seed, name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same. Pixels outside of an image count as 0.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.RandomGaussianBlur((1.0, 1.0), sigma=(1.0, 1.0))
    >>> layer([[[0.0], [100.0], [0.0]]]).numpy().ravel().round(1)
    array([12.4, 20.4, 12.4], dtype=float32)
    """

    _legal = {**dict.fromkeys(("factor", "sigma"), settings.limits_in("[0, 1]"))}
    _legal["kernel_size"] = settings.odd_sizes

    def __init__(
        self,
        factor=1.0,
        kernel_size=3,
        sigma=1.0,
        value_range=(0, 255),
        data_format=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(value_range, seed, data_format, **kwargs)
        self.factor, self.kernel_size, self.sigma = factor, kernel_size, sigma

    def _draw(self, draws):
        low, high = settings.limits(self.sigma, 0.0)
        return {
            "should_apply_blur": draws.chosen(*settings.limits(self.factor, 0.0)),
            "blur_factor": draws.uniform(low, high, (2,)) + 1e-6,
        }

    def _recolored(self, x, drawn):
        blurred = ops.image.gaussian_blur(x, self.kernel_size, drawn["blur_factor"])
        return self._clipped(ops.where(per_image(drawn["should_apply_blur"]), blurred, x))


class RandomErasing(ColorLayer):
    """While training, a rectangle of some images is overwritten.

    Z. Zhong, L. Zheng, G. Kang, S. Li, Y. Yang: "Random erasing data augmentation", AAAI 2020.

    Parameters
    ----------
    factor : float in [0, 1], or two, default 1.0
        The limits of the probability: a number f stands for (0, f).
    scale : float in [0, 1], or two, default (0.02, 0.33)
        The limits of the squares of the rectangle's height and width, as parts of the image's,
        each of which is drawn.
    fill_value : float, or three, optional
        What is written; by default normal noise with the deviation value_range[1], clipped.
    value_range : (float, float), default (0, 255)
        The least and the largest value of images.
    **kwargs
        Of `ColorLayer`: data_format, seed, name, input_shape.

    Notes
    -----
    Input (N, H, W, C) or (H, W, C), output the same.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.RandomErasing((1.0, 1.0), scale=(1.0, 1.0), fill_value=7.0)
    >>> layer([[[0.0], [130.0], [0.0]]]).numpy().ravel()
    array([7., 7., 7.], dtype=float32)
    """

    _legal = {
        **dict.fromkeys(("factor", "scale"), settings.limits_in("[0, 1]")),
        "fill_value": settings.value_or_color,
    }

    def __init__(
        self,
        factor=1.0,
        scale=(0.02, 0.33),
        fill_value=None,
        value_range=(0, 255),
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(value_range, seed, data_format, **kwargs)
        self.factor, self.scale, self.fill_value = factor, scale, fill_value

    def _draw(self, draws):
        limits = settings.limits(self.scale, 0.0)
        width, height = (ops.sqrt(draws.uniform(*limits)) for _ in range(2))
        if self.fill_value is None:
            fill = draws.normal(draws.shape) * float(max(self.value_range))
        else:
            fill = ops.zeros(draws.shape, draws.dtype) + np.asarray(self.fill_value, float)
        return {
            "apply_erasing": draws.chosen(*settings.limits(self.factor, 0.0)),
            "batch_masks": draws.boxes(width, height),
            "fill_value": self._clipped(fill),
        }

    def _recolored(self, x, drawn):
        masks, fill = ops.operands(drawn["batch_masks"], drawn["fill_value"])
        return ops.where(per_image(drawn["apply_erasing"]) * masks, fill, x)
