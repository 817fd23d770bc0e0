"""Layers of images that draw at random what they do while training."""

from nnlite import ops
from nnlite.config import next_seed
from nnlite.layers.image import ImageLayer
from nnlite.ops.random import seed_state


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
        self.state, self.dtype = state, dtype
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

    def normal(self, shape=None):
        """Numbers of mean 0 and standard deviation 1, by default one for each image.

        Parameters
        ----------
        shape : tuple, optional
        """
        shape = (self.count,) if shape is None else shape
        return ops.random_normal(ops.random_key(self.state), shape, self.dtype)

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
        """What is done to each image of a batch: drawn anew at each call.

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

    def _draw(self, draws):
        """A dict of Tensors.

        Parameters
        ----------
        draws : Draws
        """
        raise NotImplementedError


class ColorLayer(RandomImageLayer):
    """Base of the layers that change the values of pixels, not their places: masks stay.

    Parameters
    ----------
    seed, data_format, **kwargs
        Of `RandomImageLayer`.
    """

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

    def _scaled(self, x, to, back=False):
        """Values in `value_range` as values in [0, to], or back."""
        low, high = sorted(map(float, self.value_range))
        factor = to / (high - low)
        if (low, high) == (0.0, to):
            return x
        return x / factor + low if back else (x - low) * factor


def per_image(values):
    """One value for each image, of any shape, as (N, 1, 1, 1).

    Parameters
    ----------
    values : tensor
    """
    (values,) = ops.operands(values)
    return ops.reshape(values, (-1, 1, 1, 1))
