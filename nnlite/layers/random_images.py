"""Layers of images that draw at random what they do while training."""

import numpy as np

from nnlite import ops
from nnlite.config import next_seed
from nnlite.layers import settings
from nnlite.layers.image import ImageLayer
from nnlite.ops.order import places_in_order
from nnlite.ops.random import seed_state

_TRIES = 8


class Draws:
    """Random numbers for a batch of images, which a seed determines.

    Parameters
    ----------
    state : Variable
        Of `seed_state`.
    shape : tuple
        Of the images, (N, H, W, C).
    dtype : str
        Of the numbers.
    """

    def __init__(self, state, shape, dtype):
        self.state, self.shape, self.dtype = state, shape, dtype
        self.count, self.height, self.width, _ = shape

    def uniform(self, low=0.0, high=1.0, shape=None):
        """Uniform numbers in [low, high), by default one for each image.

        Parameters
        ----------
        low, high : float or Tensor
        shape : tuple, optional
        """
        shape = (self.count,) if shape is None else shape
        u = ops.random_uniform(ops.random_key(self.state), shape, self.dtype)
        return u * (high - low) + low

    def integers(self, low, high, shape=None):
        """Whole numbers from `low` to `high`, each as likely, by default one for each image.

        Parameters
        ----------
        low, high : int
        shape : tuple, optional
        """
        drawn = ops.floor(self.uniform(float(low), float(high + 1), shape))
        return ops.minimum(drawn, float(high))  # a product may be rounded up

    def normal(self, shape=None):
        """Numbers of mean 0 and standard deviation 1, by default one for each image.

        Parameters
        ----------
        shape : tuple, optional
        """
        shape = (self.count,) if shape is None else shape
        return ops.random_normal(ops.random_key(self.state), shape, self.dtype)

    def log_gamma(self, alpha, shape=None):
        """Logarithms of numbers of a gamma distribution, by default one for each image.

        G. Marsaglia, W. W. Tsang: "A simple method for generating gamma variables", ACM
        Transactions on Mathematical Software 26, 2000. Of `_TRIES` tries the first that is accepted
        counts; all of them fail once in 10^10 numbers.

        Parameters
        ----------
        alpha : float or Tensor
            The shape of the distribution, above 0; its scale is 1.
        shape : tuple, optional
        """
        shape = (self.count,) if shape is None else shape
        d = alpha + (1.0 - 1.0 / 3.0)  # of the distribution with alpha + 1
        n, u = self.normal((*shape, _TRIES)), 1.0 - self.uniform(shape=(*shape, _TRIES))
        root = 1.0 + n / ops.sqrt(9.0 * d)
        v = ops.maximum(root * root * root, 1e-30)
        good = ops.less(ops.log(u), 0.5 * n * n + d * (1.0 - v + ops.log(v)))
        first = ops.one_hot(ops.argmax(good, axis=-1), _TRIES, dtype=self.dtype)
        log_v = ops.sum(first * ops.log(v), axis=-1)
        return ops.log(d) + log_v + ops.log(1.0 - self.uniform(shape=shape)) / alpha

    def beta(self, alpha):
        """Numbers of the beta distribution whose two parameters are `alpha`, one for each image.

        Parameters
        ----------
        alpha : float or Tensor
        """
        return ops.sigmoid(self.log_gamma(alpha) - self.log_gamma(alpha))

    def permutation(self):
        """The numbers of the images in a random order."""
        return places_in_order(self.uniform(shape=(self.count,)))

    def boxes(self, width, height):
        """1 inside of a box in each image, at a place that is drawn, else 0.

        Parameters
        ----------
        width, height : Tensor, shape (N,)
            Of the boxes, as parts of the image's.

        Returns
        -------
        Tensor, shape (N, H, W, 1)
        """
        columns = self._between(width, self.width, (1, 1, self.width, 1))
        return columns * self._between(height, self.height, (1, self.height, 1, 1))

    def _between(self, part, side, shape):
        start = self.uniform() * (1.0 - part) * float(side)
        end = start + part * float(side)
        at = np.arange(side).reshape(shape)
        return ops.greater_equal(at, per_image(start)) * ops.less(at, per_image(end))

    def chosen(self, low, high):
        """1 for images that are chosen, with a probability that is drawn between two, else 0.

        Parameters
        ----------
        low, high : float
        """
        return ops.less(self.uniform(), self.uniform(low, high))


class RandomImageLayer(ImageLayer):
    """Base of the layers that draw what they do; a subclass says how by `_draw` and `_apply`.

    Parameters
    ----------
    seed : int, optional
        By default the next seed of the process.
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are: (N, C, H, W) for 'channels_first'.
    **kwargs
        Of `ImageLayer`: name, input_shape.
    """

    _legal = {"seed": "int"}

    def __init__(self, seed=None, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.seed = seed

    def build(self, input_shape):
        self.seed_state = seed_state(next_seed() if self.seed is None else int(self.seed))

    def get_random_transformation(self, data, training=True, seed=None):
        """Draw what is done to each image of a batch.

        Parameters
        ----------
        data : tensor, or dict with "images"
        training : bool, default True
        seed : int, optional
            Draw by it; by default by the seed of the layer.

        Returns
        -------
        dict of Tensor, or None
            None if `training` is false.
        """
        if not training:
            return None
        images = data["images"] if isinstance(data, dict) else data
        if seed is None and not self.built:
            self.build(tuple(images.shape))
        state = self.seed_state if seed is None else seed_state(int(seed))
        x = self._as_batch(images)[0]
        return self._draw(Draws(state, x.shape, x.dtype))


class Recolors:
    """Of layers that change the values of pixels, not their places: masks stay."""

    _legal = {"value_range": settings.value_range}

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        """Masks as they are.

        Parameters
        ----------
        segmentation_masks : tensor
        transformation : dict of Tensor, or None
        training : bool, default True
        """
        return segmentation_masks

    def _apply(self, x, drawn, interpolation):
        return x if drawn is None else self._recolored(x, drawn)

    def _recolored(self, x, drawn):
        """The images with what was drawn.

        Parameters
        ----------
        x : Tensor, shape (N, H, W, C)
        drawn : dict of Tensor
        """
        raise NotImplementedError

    def _clipped(self, x):
        return ops.clip(x, *sorted(self.value_range))

    def _scaled(self, x, to):
        """Values in `value_range` as values in [0, to]."""
        low, high = sorted(map(float, self.value_range))
        return x if (low, high) == (0.0, to) else (x - low) * (to / (high - low))

    def _from_zero(self, x, back=False):
        """Values in `value_range` as values from 0 on, or back."""
        least = float(min(self.value_range))
        return x if least == 0 else x + (least if back else -least)

    def _scaled_back(self, x, of):
        """Values in [0, of] as values in `value_range`."""
        low, high = sorted(map(float, self.value_range))
        return x if (low, high) == (0.0, of) else x * ((high - low) / of) + low


class ColorLayer(Recolors, RandomImageLayer):
    """Base of the layers that change the values of pixels, in a range, as they draw.

    Parameters
    ----------
    value_range : (float, float), default (0, 255)
        The least and the largest value of images.
    seed : int, optional
        By default the next seed of the process.
    data_format : {'channels_last', 'channels_first'}, optional
        Where the channels are: (N, C, H, W) for 'channels_first'.
    **kwargs
        Of `ImageLayer`: name, input_shape.
    """

    def __init__(self, value_range=(0, 255), seed=None, data_format=None, **kwargs):
        super().__init__(seed, data_format, **kwargs)
        self.value_range = value_range


class FactorLayer(ColorLayer):
    """Base of the layers that draw a factor in [0, 1] for each image.

    Parameters
    ----------
    factor : float in [0, 1], or two
        The limits of the factor: a number f stands for (0, f).
    value_range, data_format, seed, **kwargs
        Of `ColorLayer`.
    """

    _legal = {"factor": settings.limits_in("[0, 1]", "[-1, 1]")}

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(value_range, seed, data_format, **kwargs)
        self.factor = factor

    def _draw(self, draws):
        return {"factor": draws.uniform(*settings.limits(self.factor, 0.0))}


def per_image(values):
    """One value for each image, of any shape, as (N, 1, 1, 1).

    Parameters
    ----------
    values : tensor
    """
    (values,) = ops.operands(values)
    return ops.reshape(values, (-1, 1, 1, 1))
