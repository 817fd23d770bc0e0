"""Activations that have settings of their own, or weights, as layers."""

import numbers

from nnlite import ops
from nnlite.layers.layer import Layer


def _at_least_0(name, value):
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not value >= 0:
        raise ValueError(f"expected {name} to be a number of at least 0, got {value!r}")


class ReLU(Layer):
    """max(x, 0), with an upper limit, a slope below and a threshold if asked.

    Parameters
    ----------
    max_value : float of at least 0, optional
        The most that the result can be.
    negative_slope : float of at least 0, default 0.0
        Up to the threshold the result is `negative_slope * (x - threshold)`.
    threshold : float of at least 0, default 0.0
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input of any shape, output the same.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.ReLU(max_value=2.0)([[-1.0, 1.5, 3.0]]).numpy()
    array([[0. , 1.5, 2. ]], dtype=float32)
    """

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, **kwargs):
        super().__init__(**kwargs)
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def build(self, input_shape):
        if self.max_value is not None:
            _at_least_0("max_value", self.max_value)
        _at_least_0("negative_slope", self.negative_slope)
        _at_least_0("threshold", self.threshold)

    def call(self, inputs):
        return ops.relu(inputs, self.negative_slope, self.max_value, self.threshold)


class LeakyReLU(Layer):
    """x where it is positive, else `negative_slope * x`.

    Parameters
    ----------
    negative_slope : float of at least 0, default 0.3
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input of any shape, output the same.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.LeakyReLU(0.5)([[-1.0, 2.0]]).numpy()
    array([[-0.5,  2. ]], dtype=float32)
    """

    def __init__(self, negative_slope=0.3, **kwargs):
        super().__init__(**kwargs)
        self.negative_slope = negative_slope

    def build(self, input_shape):
        _at_least_0("negative_slope", self.negative_slope)

    def call(self, inputs):
        return ops.leaky_relu(inputs, self.negative_slope)


class ELU(Layer):
    """x where it is positive, else `alpha * (exp(x) - 1)`.

    Parameters
    ----------
    alpha : float of at least 0, default 1.0
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input of any shape, output the same.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.ELU()([[-1000.0, 2.0]]).numpy()
    array([[-1.,  2.]], dtype=float32)
    """

    def __init__(self, alpha=1.0, **kwargs):
        super().__init__(**kwargs)
        self.alpha = alpha

    def build(self, input_shape):
        _at_least_0("alpha", self.alpha)

    def call(self, inputs):
        return ops.elu(inputs, self.alpha)


class PReLU(Layer):
    """x where it is positive, else `alpha * x` with a learned alpha.

    K. He, X. Zhang, S. Ren, J. Sun: "Delving deep into rectifiers", ICCV 2015.

    Parameters
    ----------
    alpha_initializer : str or Initializer, default 'zeros'
    alpha_regularizer : str or Regularizer, optional
    shared_axes : int or list of int, optional
        Axes along which one alpha serves all; (1, 2) gives an image one for each channel.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, ...), output the same; weights: alpha, of the shape of one sample, 1 along shared
    axes.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.PReLU(shared_axes=(1, 2))
    >>> layer(nnlite.ones((2, 5, 5, 3))).shape, layer.alpha.shape
    ((2, 5, 5, 3), (1, 1, 3))
    """

    def __init__(
        self, alpha_initializer="zeros", alpha_regularizer=None, shared_axes=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.alpha_initializer, self.alpha_regularizer = alpha_initializer, alpha_regularizer
        self.shared_axes = shared_axes

    def build(self, input_shape):
        shared = self.shared_axes
        shared = [] if shared is None else [shared] if isinstance(shared, int) else list(shared)
        shape = list(input_shape[1:])
        for axis in shared:
            if not 1 <= axis <= len(shape):
                raise ValueError(
                    f"expected shared_axes from 1 to {len(shape)}, got {self.shared_axes!r}"
                )
            shape[axis - 1] = 1
        self.alpha = self.add_weight(
            tuple(shape), self.alpha_initializer, name="alpha", regularizer=self.alpha_regularizer
        )

    def call(self, inputs):
        return ops.where(ops.greater(inputs, 0.0), inputs, inputs * self.alpha)


class Softmax(Layer):
    """exp(x) / sum(exp(x)) along an axis.

    Parameters
    ----------
    axis : int, default -1
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input of any shape, output the same.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Softmax()([[1.0, 1.0]]).numpy()
    array([[0.5, 0.5]], dtype=float32)
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs):
        return ops.softmax(inputs, self.axis)
