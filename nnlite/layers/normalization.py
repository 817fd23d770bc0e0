"""Normalization layers: mean 0 and variance 1, then a learned scale and offset."""

from nnlite import ops
from nnlite.checks import check_number
from nnlite.layers.layer import Layer


class _Normalization(Layer):
    """Base: gamma and beta along the last axis, and the checks of the settings."""

    def __init__(
        self,
        axis=-1,
        epsilon=0.001,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.axis, self.epsilon, self.center, self.scale = axis, epsilon, center, scale
        self.beta_initializer, self.gamma_initializer = beta_initializer, gamma_initializer
        self.beta_regularizer, self.gamma_regularizer = beta_regularizer, gamma_regularizer
        self.beta_constraint, self.gamma_constraint = beta_constraint, gamma_constraint

    def build(self, input_shape):
        axis = self.axis
        if isinstance(axis, (list, tuple)) and len(axis) == 1:
            axis = axis[0]
        if len(input_shape) < 2:
            raise ValueError(f"expected an input of at least 2 dimensions, got shape {input_shape}")
        if axis not in (-1, len(input_shape) - 1):
            raise ValueError(
                f"expected axis -1, the channels, got {self.axis!r} (input shape {input_shape})"
            )
        check_number("epsilon", self.epsilon, "[0, inf]", expected="of at least 0")
        shape = input_shape[-1:]
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(
                shape,
                self.gamma_initializer,
                name="gamma",
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if self.center:
            self.beta = self.add_weight(
                shape,
                self.beta_initializer,
                name="beta",
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )

    def _scale_and_center(self, inputs):
        """gamma and beta; ones and zeros if the layer has none."""
        shape = inputs.shape[-1:]
        gamma = ops.ones(shape, inputs.dtype) if self.gamma is None else self.gamma
        return gamma, ops.zeros(shape, inputs.dtype) if self.beta is None else self.beta


class BatchNormalization(_Normalization):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, with the statistics of each channel.

    - While training, the statistics are those of the batch, over all axes but the last.
    - Otherwise, or if `trainable` is False, they are moving averages over the batches of training:
      moving = moving * momentum + batch * (1 - momentum), with the biased variance.

    S. Ioffe, C. Szegedy: "Batch normalization: accelerating deep network training by reducing
    internal covariate shift", ICML 2015.

    Parameters
    ----------
    axis : int, default -1
        The axis of the channels. Only the last axis is supported.
    momentum : float in [0, 1], default 0.99
        The weight of the old moving average.
    epsilon : float of at least 0, default 0.001
    center : bool, default True
        Whether the layer has beta.
    scale : bool, default True
        Whether the layer has gamma.
    beta_initializer, gamma_initializer : str or Initializer, default 'zeros' and 'ones'
    moving_mean_initializer : str or Initializer, default 'zeros'
    moving_variance_initializer : str or Initializer, default 'ones'
    beta_regularizer, gamma_regularizer : str or Regularizer, optional
    beta_constraint, gamma_constraint : None
        Not supported.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, ..., C), output the same. Weights, each (C,): gamma, beta, and, not trainable,
    moving_mean and moving_variance.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.BatchNormalization(epsilon=0.0)
    >>> layer([[1.0], [3.0]], training=True).numpy().ravel()
    array([-1.,  1.], dtype=float32)
    >>> layer.moving_mean.numpy()
    array([0.02], dtype=float32)
    """

    def __init__(
        self,
        axis=-1,
        momentum=0.99,
        epsilon=0.001,
        center=True,
        scale=True,
        *,
        moving_mean_initializer="zeros",
        moving_variance_initializer="ones",
        **kwargs,
    ):
        super().__init__(axis, epsilon, center, scale, **kwargs)
        self.momentum = momentum
        self.moving_mean_initializer = moving_mean_initializer
        self.moving_variance_initializer = moving_variance_initializer

    def build(self, input_shape):
        check_number("momentum", self.momentum, "[0, 1]")
        super().build(input_shape)
        self.moving_mean = self.add_weight(
            input_shape[-1:], self.moving_mean_initializer, trainable=False, name="moving_mean"
        )
        self.moving_variance = self.add_weight(
            input_shape[-1:],
            self.moving_variance_initializer,
            trainable=False,
            name="moving_variance",
        )

    def call(self, inputs, training=False):
        (inputs,) = ops.operands(inputs)
        gamma, beta = self._scale_and_center(inputs)
        if training and self.trainable:
            y, mean, variance = ops.batch_norm(inputs, gamma, beta, self.epsilon)
            ops.moving_update(self.moving_mean, mean, self.momentum)
            ops.moving_update(self.moving_variance, variance, self.momentum)
            return y
        scale = gamma / ops.sqrt(self.moving_variance + self.epsilon)
        return ops.scale_shift(inputs, scale, beta - self.moving_mean * scale)


class LayerNormalization(_Normalization):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, with the statistics of each row.

    A row is the last axis. The layer does the same while training and otherwise.

    J. L. Ba, J. R. Kiros, G. E. Hinton: "Layer normalization", arXiv 1607.06450, 2016.

    Parameters
    ----------
    axis : int, default -1
        The axis of the channels. Only the last axis is supported.
    epsilon : float of at least 0, default 0.001
    center : bool, default True
        Whether the layer has beta.
    scale : bool, default True
        Whether the layer has gamma.
    beta_initializer, gamma_initializer : str or Initializer, default 'zeros' and 'ones'
    beta_regularizer, gamma_regularizer : str or Regularizer, optional
    beta_constraint, gamma_constraint : None
        Not supported.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, ..., C), output the same. Weights, each (C,): gamma, beta.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.LayerNormalization(epsilon=0.0)([[1.0, 3.0]]).numpy()
    array([[-1.,  1.]], dtype=float32)
    """

    def call(self, inputs):
        (inputs,) = ops.operands(inputs)
        return ops.layer_norm(inputs, *self._scale_and_center(inputs), self.epsilon)
