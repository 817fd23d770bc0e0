"""Random layers that change the colors of images."""

from nnlite import ops
from nnlite.layers import settings
from nnlite.layers.random_images import (
    ColorLayer,
    FactorLayer,
    RandomImageLayer,
    Recolors,
    per_image,
)
from nnlite.layers.random_light import RandomBrightness, RandomContrast
from nnlite.ops.colors import change_saturation, grey_of, turn_hue


class RandomGrayscale(Recolors, RandomImageLayer):
    """While training, some images become grey: all three channels the same.

    Parameters
    ----------
    factor : float in [0, 1], default 0.5
        The probability.
    data_format, seed, **kwargs
        Of `RandomImageLayer`: data_format, seed, name, input_shape.

    Notes
    -----
    Input (N, H, W, 3) or (H, W, 3), output the same.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.RandomGrayscale(1.0)([[[100.0, 0.0, 0.0]]]).numpy().ravel().round(2)
    array([29.89, 29.89, 29.89], dtype=float32)
    """

    _legal = {"factor": "[0, 1]"}

    def __init__(self, factor=0.5, data_format=None, seed=None, **kwargs):
        super().__init__(seed, data_format, **kwargs)
        self.factor = factor

    def _draw(self, draws):
        return {"should_apply": ops.less(draws.uniform(), self.factor)}

    def _recolored(self, x, drawn):
        return ops.where(per_image(drawn["should_apply"]), grey_of(x), x)


class RandomColorDegeneration(FactorLayer):
    """While training, images become more grey.

    Parameters
    ----------
    factor : float in [0, 1], or two
        The limits of the share of grey: a number f stands for (0, f).
    **kwargs
        Of `ColorLayer`: value_range, data_format, seed, name, input_shape.

    Notes
    -----
    Input (N, H, W, 3) or (H, W, 3), output the same.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.RandomColorDegeneration((0.5, 0.5))
    >>> layer([[[100.0, 0.0, 0.0]]]).numpy().ravel().round(1)
    array([64.9, 14.9, 14.9], dtype=float32)
    """

    def _recolored(self, x, drawn):
        return self._clipped(x + per_image(drawn["factor"]) * (grey_of(x) - x))


class RandomHue(FactorLayer):
    """While training, the hue of all pixels of an image is turned by one angle.

    Parameters
    ----------
    factor : float in [0, 1], or two
        The limits of the angle, in half turns, to either side: a number f stands for (0, f).
    **kwargs
        Of `ColorLayer`: value_range, data_format, seed, name, input_shape.

    Notes
    -----
    Input (N, H, W, 3) or (H, W, 3), output the same.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.RandomHue((1.0, 1.0))
    >>> layer([[[255.0, 0.0, 0.0]]]).numpy().ravel()
    array([  0., 255., 255.], dtype=float32)
    """

    def _draw(self, draws):
        sign = 1.0 - 2.0 * ops.less(draws.uniform(), 0.5)
        return {"factor": sign * super()._draw(draws)["factor"] * 0.5}

    def _recolored(self, x, drawn):
        y = turn_hue(self._from_zero(x), per_image(drawn["factor"]))
        return self._clipped(self._from_zero(y, back=True))


class RandomSaturation(FactorLayer):
    """While training, the saturation of colors is changed.

    Parameters
    ----------
    factor : float in [0, 1], or two
        The limits of a factor: 0 makes an image grey, 0.5 leaves it as it is, 1 gives it the
        strongest colors. A number f stands for (0, f).
    **kwargs
        Of `ColorLayer`: value_range, data_format, seed, name, input_shape.

    Notes
    -----
    Input (N, H, W, 3) or (H, W, 3), output the same. The saturation is multiplied by
    factor / (1 - factor), and is at most 1.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.RandomSaturation((0.0, 0.0))
    >>> layer([[[255.0, 100.0, 0.0]]]).numpy().ravel()
    array([255., 255., 255.], dtype=float32)
    """

    def _draw(self, draws):
        factor = super()._draw(draws)["factor"]
        return {"factor": factor / (1.0 - factor + 1e-7)}

    def _recolored(self, x, drawn):
        y = change_saturation(self._from_zero(x), per_image(drawn["factor"]))
        return self._from_zero(y, back=True)


class RandomColorJitter(ColorLayer):
    """While training, brightness, contrast, saturation and hue are changed, one after the other.

    Parameters
    ----------
    value_range : (float, float), default (0, 255)
        The least and the largest value of images.
    brightness_factor, contrast_factor, saturation_factor, hue_factor : float, or two, optional
        As for `RandomBrightness`, `RandomContrast`, `RandomSaturation` and `RandomHue`; by default
        none of it.
    **kwargs
        Of `ColorLayer`: seed, data_format, name, input_shape.

    Notes
    -----
    Input (N, H, W, 3) or (H, W, 3), output the same.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.RandomColorJitter(brightness_factor=(0.2, 0.2))
    >>> layer([[[0.0, 100.0, 250.0]]]).numpy().ravel()
    array([ 51., 151., 255.], dtype=float32)
    """

    _legal = {
        "brightness_factor": settings.limits_in("[-1, 1]"),
        **dict.fromkeys(
            ("contrast_factor", "saturation_factor", "hue_factor"), settings.limits_in("[0, 1]")
        ),
    }

    def __init__(
        self,
        value_range=(0, 255),
        brightness_factor=None,
        contrast_factor=None,
        saturation_factor=None,
        hue_factor=None,
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(value_range, seed, data_format, **kwargs)
        self.brightness_factor, self.contrast_factor = brightness_factor, contrast_factor
        self.saturation_factor, self.hue_factor = saturation_factor, hue_factor

    def _parts(self):
        """The layers that do the work, by name."""
        factors = (
            ("random_brightness", RandomBrightness, self.brightness_factor),
            ("random_contrast", RandomContrast, self.contrast_factor),
            ("random_saturation", RandomSaturation, self.saturation_factor),
            ("random_hue", RandomHue, self.hue_factor),
        )
        return {
            name: cls(factor, value_range=self.value_range)
            for name, cls, factor in factors
            if factor is not None
        }

    def _draw(self, draws):
        return {name: part._draw(draws) for name, part in self._parts().items()}

    def _recolored(self, x, drawn):
        for name, part in self._parts().items():
            x = part._recolored(x, drawn[name])
        return x
