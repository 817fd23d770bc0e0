"""Layers that disturb their input while training, and pass it on otherwise."""

import numbers

from nnlite import ops
from nnlite.config import next_seed
from nnlite.layers.layer import Layer
from nnlite.layers.pooling import check_data_format
from nnlite.ops.random import seed_state


class GaussianNoise(Layer):
    """While training, x plus normal numbers of mean 0.

    Parameters
    ----------
    stddev : float of at least 0
        Their standard deviation.
    seed : int, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input of any shape, output the same.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.GaussianNoise(0.1, seed=0)
    >>> bool(abs(layer(nnlite.zeros((50, 50)), training=True).numpy().std() - 0.1) < 0.01)
    True
    """

    def __init__(self, stddev, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.stddev, self.seed = stddev, seed

    def build(self, input_shape):
        if not isinstance(self.stddev, numbers.Real) or not self.stddev >= 0:
            raise ValueError(f"expected stddev of at least 0, got {self.stddev!r}")
        self.seed_state = seed_state(next_seed() if self.seed is None else int(self.seed))

    def call(self, inputs, training=False):
        if not training or not self.stddev:
            return inputs
        (inputs,) = ops.operands(inputs)
        noise = ops.random_normal(ops.random_key(self.seed_state), inputs.shape, inputs.dtype)
        return inputs + noise * self.stddev


class SpatialDropout2D(Layer):
    """While training, each channel of an image is 0 with probability `rate`, else x / (1 - rate).

    J. Tompson, R. Goroshin, A. Jain, Y. LeCun, C. Bregler: "Efficient object localization using
    convolutional networks", CVPR 2015.

    Parameters
    ----------
    rate : float in [0, 1)
    data_format : {'channels_last'}, optional
    seed : int, optional
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, height, width, channels), output the same.

    Examples
    --------
    >>> import nnlite
    >>> y = nnlite.layers.SpatialDropout2D(0.5, seed=1)(nnlite.ones((1, 3, 3, 8)), training=True)
    >>> bool((y.numpy() == y.numpy()[:, :1, :1]).all())
    True
    """

    def __init__(self, rate, data_format=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.data_format, self.seed = rate, data_format, seed

    def build(self, input_shape):
        check_data_format(self.data_format)
        if not isinstance(self.rate, numbers.Real) or not 0 <= self.rate < 1:
            raise ValueError(f"expected rate in [0, 1), got {self.rate!r}")
        if len(input_shape) != 4:
            raise ValueError(
                f"expected images of shape (N, height, width, channels), got shape {input_shape}"
            )
        self.seed_state = seed_state(next_seed() if self.seed is None else int(self.seed))

    def call(self, inputs, training=False):
        if not training or not self.rate:
            return inputs
        (inputs,) = ops.operands(inputs)
        whole = ops.ones((inputs.shape[0], 1, 1, inputs.shape[3]), inputs.dtype)
        return inputs * ops.dropout(whole, ops.random_key(self.seed_state), self.rate)
