"""The random layer that moves the pixels of images a little, neighbours alike, like rubber.

Its one idea: noise that is smoothed says how far each pixel moves.
"""

import numpy as np

from nnlite import ops
from nnlite.engine.tensor import Tensor
from nnlite.layers import settings
from nnlite.layers.random_images import RandomImageLayer, per_image
from nnlite.ops.random import seed_state
from nnlite.ops.sampling import rows_at

_FILLS = "reflect", "constant", "nearest", "wrap", "mirror"
# What float32 counts exactly.
_PIXELS_AT_ONCE = 1 << 24


def _smoothing(n, sigma):
    """A matrix that makes means of neighbours among n, with the weights of a normal distribution up
    to three times its deviation, rounded down; beyond the ends there are zeros."""
    apart = np.arange(1.0 - n, n)
    bell = ops.exp(ops.square(ops.divide(apart, sigma)) * -0.5)
    bell = bell * ops.less_equal(np.abs(apart), 3.0 * ops.floor(sigma))
    at = np.arange(n)
    return ops.take(ops.divide(bell, ops.sum(bell)), at - at[:, None] + n - 1, 0)


class RandomElasticTransform(RandomImageLayer):
    """While training, the pixels of images are moved, neighbours alike, as on rubber.

    P. Y. Simard, D. Steinkraus, J. C. Platt: "Best practices for convolutional neural networks
    applied to visual document analysis", ICDAR 2003.

    Parameters
    ----------
    factor : float in [0, 1], or two, default 1.0
        The limits of the probability that an image is changed: a number f stands for (0, f).
    scale : float in [0, 1], or two, default 1.0
        The limits of a number s that is drawn for a batch: a number f stands for (0, f). Normal
        noise of the deviation t is smoothed over t pixels and multiplied by s / 10 of the longer
        side, with t = s / 20 of the shorter side; that is how far pixels move.
    interpolation : {'bilinear', 'nearest'}
    fill_mode : {'reflect', 'constant', 'nearest', 'wrap', 'mirror'}
        The values outside of an image abcd: dcba|abcd|dcba ('reflect'), `fill_value`,
        aaaa|abcd|dddd ('nearest'), abcd|abcd|abcd ('wrap'), or dcb|abcd|cba ('mirror').
    fill_value : float, default 0.0
        The value outside for `fill_mode='constant'`.
    value_range : (float, float), default (0, 255)
        The least and the largest value of images.
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
    >>> nnlite.layers.RandomElasticTransform(scale=0.5)(nnlite.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    _legal = {
        **dict.fromkeys(("factor", "scale"), settings.limits_in("[0, 1]")),
        "interpolation": ("bilinear", "nearest"),
        "fill_mode": _FILLS,
        "fill_value": "(-inf, inf)",
        "value_range": settings.value_range,
    }

    def __init__(
        self,
        factor=1.0,
        scale=1.0,
        interpolation="bilinear",
        fill_mode="reflect",
        fill_value=0.0,
        value_range=(0, 255),
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed, data_format, **kwargs)
        self.factor, self.scale = factor, scale
        self.interpolation, self.fill_mode, self.fill_value = interpolation, fill_mode, fill_value
        self.value_range = value_range

    def _draw(self, draws):
        return {
            "apply_transform": draws.chosen(*settings.limits(self.factor, 0.0)),
            "distortion_factor": draws.uniform(*settings.limits(self.scale, 0.0), (1,)),
            "seed": ops.random_key(draws.state),
        }

    def transform_images(self, images, transformation=None, training=True):
        """Images after what was drawn.

        Parameters
        ----------
        images : tensor
        transformation : dict of Tensor, or None
            From `get_random_transformation`. "seed" may be an int.
        training : bool, default True
        """
        moved = super().transform_images(images, transformation, training)
        return moved if transformation is None else ops.clip(moved, *sorted(self.value_range))

    def _apply(self, x, drawn, interpolation):
        if drawn is None:
            return x
        n, height, width, _ = x.shape
        if not x.size:
            return x
        down, across = self._distances(x, drawn)
        most = max(1, _PIXELS_AT_ONCE // (height * width))
        moved = [
            self._moved(x[i : i + most], down[i : i + most], across[i : i + most], interpolation)
            for i in range(0, n, most)
        ]
        moved = ops.concatenate(moved, axis=0) if len(moved) > 1 else moved[0]
        return ops.where(per_image(drawn["apply_transform"]), moved, x)

    def _distances(self, x, drawn):
        """How many rows and columns each pixel is moved."""
        n, height, width, _ = x.shape
        key = drawn["seed"]
        if not isinstance(key, Tensor):
            key = ops.random_key(seed_state(int(key)))
        (scale,) = ops.operands(drawn["distortion_factor"])
        sigma = ops.maximum(scale * (0.05 * min(height, width)), 1e-6)
        noise = ops.random_normal(key, (2, n, height, width), x.dtype)
        smooth = ops.matmul(_smoothing(height, sigma), ops.matmul(noise, _smoothing(width, sigma)))
        far = smooth * sigma * scale * (0.1 * max(height, width))
        return far[0], far[1]

    def _moved(self, x, down, across, interpolation):
        n, height, width, channels = x.shape
        places = [np.arange(height)[:, None] + down, np.arange(width) + across]
        return rows_at(
            ops.reshape(x, (-1, channels)),
            (height, width),
            places,
            int(interpolation == "bilinear"),
            fill_mode=self.fill_mode,
            fill_value=float(self.fill_value),
            first=np.arange(0.0, n * height * width, height * width).reshape(n, 1, 1),
        )
