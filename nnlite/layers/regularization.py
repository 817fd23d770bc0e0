"""Layers that drop values or add noise while training, and return their input unchanged
otherwise."""

import math

from nnlite import ops
from nnlite.config import next_seed
from nnlite.layers import settings
from nnlite.layers.layer import Layer
from nnlite.layers.spatial import Images, Sequences, SpatialLayer, Volumes
from nnlite.ops.random import seed_state
from nnlite.regularizers import L1L2


class _Noise(Layer):
    """Base: a layer with a strength, a seed, and a random transform for training, `_add_noise`."""

    supports_masking = True

    _legal = {
        "rate": "[0, 1)",
        "stddev": "[0, inf)",
        "noise_shape": settings.noise_shape,
        "seed": "int",
    }
    _takes = settings.ANY_TENSOR
    _strength = "rate"  # the name of the setting
    noise_shape = None

    def build(self, input_shape):
        self.seed_state = seed_state(next_seed() if self.seed is None else int(self.seed))

    def _add_noise(self, inputs, key):
        """The result while training; `key` is the key of one random op."""
        raise NotImplementedError

    def call(self, inputs, training=False):
        if not training or not getattr(self, self._strength):
            return inputs
        (inputs,) = ops.operands(inputs)
        return self._add_noise(inputs, ops.random_key(self.seed_state))

    def _shape_of_draws(self, shape):
        """The shape of the random numbers for inputs of a shape."""
        if self.noise_shape is None:
            return shape
        given = self.noise_shape
        if len(given) != len(shape) or any(m not in (1, n, None) for m, n in zip(given, shape)):
            raise ValueError(f"expected noise_shape to fit inputs of shape {shape}, got {given}")
        return tuple(n if m is None else m for m, n in zip(given, shape))


class _Dropout(_Noise):
    """Base: values become 0 while training."""

    def _add_noise(self, inputs, key):
        shape = self._shape_of_draws(inputs.shape)
        if shape == inputs.shape:
            return ops.dropout(inputs, key, self.rate)
        return inputs * ops.dropout(ops.ones(shape, inputs.dtype), key, self.rate)


class Dropout(_Dropout):
    """While training, each value becomes 0 with probability `rate`, else x / (1 - rate).

    N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov: "Dropout: a simple way
    to prevent neural networks from overfitting", JMLR 15, 2014.

    Parameters
    ----------
    rate : float in [0, 1)
    noise_shape : tuple of int or None, optional
        The shape of the random mask, with the batch. Values along an axis of size 1 share one draw;
        None in it stands for the input's size.
    seed : int, optional
        By default the next seed of the process.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input of any shape, output the same.

    Examples
    --------
    >>> import nnlite
    >>> dropout = nnlite.layers.Dropout(0.2, seed=0)
    >>> sorted(set(dropout(nnlite.ones((5, 8)), training=True).numpy().ravel().tolist()))
    [0.0, 1.25]
    """

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed
        self.noise_shape = noise_shape and settings.noise_shape("noise_shape", noise_shape)


class GaussianNoise(_Noise):
    """While training, x plus normal noise of mean 0.

    Parameters
    ----------
    stddev : float of at least 0
        The standard deviation of the noise.
    seed : int, optional
        By default the next seed of the process.
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

    _strength = "stddev"

    def __init__(self, stddev, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.stddev, self.seed = stddev, seed

    def _add_noise(self, inputs, key):
        return inputs + ops.random_normal(key, inputs.shape, inputs.dtype) * self.stddev


class GaussianDropout(_Noise):
    """While training, x times normal noise of mean 1 and variance rate / (1 - rate).

    N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov: "Dropout: a simple way
    to prevent neural networks from overfitting", JMLR 15, 2014, section 10.

    Parameters
    ----------
    rate : float in [0, 1)
        The noise has the variance of the factors in `Dropout(rate)`.
    seed : int, optional
        By default the next seed of the process.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input of any shape, output the same.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.GaussianDropout(0.5, seed=0)
    >>> bool(abs(layer(nnlite.ones((50, 50)), training=True).numpy().std() - 1.0) < 0.1)
    True
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed

    def _add_noise(self, inputs, key):
        noise = ops.random_normal(key, inputs.shape, inputs.dtype)
        return inputs * (noise * math.sqrt(self.rate / (1 - self.rate)) + 1.0)


# The limit of selu(x) for x towards -infinity.
_LEAST_SELU = -1.0507009873554805 * 1.6732632423543772


class AlphaDropout(_Noise):
    """While training, each value is set to the lower limit of selu with probability `rate`.

    All values are then scaled and shifted, so that inputs of mean 0 and variance 1 keep both.

    G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter: "Self-normalizing neural networks", NIPS
    2017.

    Parameters
    ----------
    rate : float in [0, 1)
    noise_shape : tuple of int or None, optional
        The shape of the random mask, with the batch. Values along an axis of size 1 share one draw;
        None in it stands for the input's size.
    seed : int, optional
        By default the next seed of the process.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input of any shape, output the same.

    Examples
    --------
    >>> import nnlite
    >>> y = nnlite.layers.AlphaDropout(0.5, seed=0)(nnlite.zeros((50, 50)), training=True).numpy()
    >>> sorted({round(value, 3) for value in y.ravel().tolist()})
    [-0.779, 0.779]
    """

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed
        self.noise_shape = noise_shape and settings.noise_shape("noise_shape", noise_shape)

    def _add_noise(self, inputs, key):
        shape = self._shape_of_draws(inputs.shape)
        kept = ops.greater_equal(ops.random_uniform(key, shape, inputs.dtype), self.rate)
        scale = ((1 - self.rate) * (1 + self.rate * _LEAST_SELU**2)) ** -0.5
        y = ops.where(kept, inputs, _LEAST_SELU)
        return y * scale - scale * _LEAST_SELU * self.rate


class ActivityRegularization(Layer):
    """The input, unchanged; l1 * sum(|x|) + l2 * sum(x^2), divided by the size of the batch, is
    added to the loss.

    Parameters
    ----------
    l1, l2 : float of at least 0, default 0.0
    **kwargs
        Of `Layer`: name, input_shape.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.ActivityRegularization(l1=0.5)
    >>> y = layer([[1.0, -3.0]])
    >>> layer.losses[0].item()
    2.0
    """

    supports_masking = True
    _takes = settings.ANY_TENSOR
    _legal = dict.fromkeys(("l1", "l2"), "[0, inf)")

    def __init__(self, l1=0.0, l2=0.0, **kwargs):
        super().__init__(**kwargs)
        self.l1, self.l2 = l1, l2
        self.activity_regularizer = L1L2(l1, l2)

    def call(self, inputs):
        return inputs


class _SpatialDropout(_Dropout):
    """Base: all values of a channel share one draw."""

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed

    def get_config(self):
        """The constructor's arguments as a dict, without `trainable`, which Keras's layers refuse.

        Returns
        -------
        dict
        """
        return {k: v for k, v in super().get_config().items() if k != "trainable"}

    def _shape_of_draws(self, shape):
        kept = 0, self._channels_axis
        return tuple(n if d in kept else 1 for d, n in enumerate(shape))


class SpatialDropout1D(Sequences, _SpatialDropout):
    """While training, each channel of a sequence becomes 0 with probability `rate`, else
    x / (1 - rate).

    J. Tompson, R. Goroshin, A. Jain, Y. LeCun, C. Bregler: "Efficient object localization using
    convolutional networks", CVPR 2015.

    Parameters
    ----------
    rate : float in [0, 1)
    seed : int, optional
        By default the next seed of the process.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, T, C), output the same.

    Examples
    --------
    >>> import nnlite
    >>> y = nnlite.layers.SpatialDropout1D(0.5, seed=1)(nnlite.ones((1, 3, 8)), training=True)
    >>> bool((y.numpy() == y.numpy()[:, :1]).all())
    True
    """


class SpatialDropout2D(Images, _SpatialDropout, SpatialLayer):
    """While training, each channel of an image becomes 0 with probability `rate`, else
    x / (1 - rate).

    J. Tompson, R. Goroshin, A. Jain, Y. LeCun, C. Bregler: "Efficient object localization using
    convolutional networks", CVPR 2015.

    Parameters
    ----------
    rate : float in [0, 1)
    data_format : {'channels_last', 'channels_first'}, optional
    seed : int, optional
        By default the next seed of the process.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, H, W, C), output the same.

    Examples
    --------
    >>> import nnlite
    >>> y = nnlite.layers.SpatialDropout2D(0.5, seed=1)(nnlite.ones((1, 3, 3, 8)), training=True)
    >>> bool((y.numpy() == y.numpy()[:, :1, :1]).all())
    True
    """

    def __init__(self, rate, data_format=None, seed=None, **kwargs):
        super().__init__(rate, seed, data_format=data_format, **kwargs)


class SpatialDropout3D(Volumes, _SpatialDropout, SpatialLayer):
    """While training, each channel of a volume becomes 0 with probability `rate`, else
    x / (1 - rate).

    J. Tompson, R. Goroshin, A. Jain, Y. LeCun, C. Bregler: "Efficient object localization using
    convolutional networks", CVPR 2015.

    Parameters
    ----------
    rate : float in [0, 1)
    data_format : {'channels_last', 'channels_first'}, optional
    seed : int, optional
        By default the next seed of the process.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, D, H, W, C), output the same.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.SpatialDropout3D(0.5, seed=1)
    >>> y = layer(nnlite.ones((1, 2, 2, 2, 8)), training=True).numpy()
    >>> bool((y == y[:, :1, :1, :1]).all())
    True
    """

    def __init__(self, rate, data_format=None, seed=None, **kwargs):
        super().__init__(rate, seed, data_format=data_format, **kwargs)
