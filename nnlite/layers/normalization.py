"""Normalization layers: mean 0 and variance 1, then a learned scale and offset. The ops normalize
the last axis; other axes are moved there and back."""

import math

import numpy as np

from nnlite import config, ops
from nnlite.checks import check_number
from nnlite.layers import settings
from nnlite.layers.layer import Layer


def _bounds(name, value):
    """Raise a ValueError unless a setting is bounds of a correction, by their names, or None."""
    given = {} if value is None else value
    if not isinstance(given, dict) or not given.keys() <= {"rmin", "rmax", "dmax"}:
        raise ValueError(f"{name}: expected a dict of some of 'rmin', 'rmax', 'dmax', got {value}")
    for key, bound in given.items():
        if bound is not None:
            check_number(f"{name}: {key}", bound, "(-inf, inf)" if key[0] == "r" else "[0, inf)")
    low, high = given.get("rmin"), given.get("rmax")
    if None not in (low, high) and high < low:
        raise ValueError(f"{name}: expected rmax of at least rmin={low}, got {high}")


class _Normalization(Layer):
    """Base: gamma and beta, one for each entry of the axes, and the inputs with these last."""

    _takes = settings.ROWS
    _legal = {
        "axis": settings.axes,
        **dict.fromkeys(("momentum", "renorm_momentum"), "[0, 1]"),
        "renorm_clipping": _bounds,
        "epsilon": settings.AT_LEAST_0,
        **dict.fromkeys(("center", "scale", "renorm"), "bool"),
        **settings.of_weights("beta", "gamma"),
        **dict.fromkeys(
            ("moving_mean_initializer", "moving_variance_initializer"), settings.initializer
        ),
    }

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
        self._ndim = len(input_shape)
        self._axes = settings.axes_of_samples(self.axis, input_shape)
        shape = self._sizes = tuple(input_shape[d] for d in self._axes)
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

    def _one_axis(self):
        """Raise a ValueError if there is more than one axis of channels."""
        if len(self._axes) > 1:
            raise ValueError(f"expected one axis, that of the channels, got axis={self.axis!r}")

    def _scale_and_center(self, dtype):
        """gamma and beta as vectors; ones and zeros if the layer has none."""
        n = (math.prod(self._sizes),)
        gamma = ops.ones(n, dtype) if self.gamma is None else _vector(self.gamma)
        return gamma, ops.zeros(n, dtype) if self.beta is None else _vector(self.beta)

    def _with_axes_last(self, function, inputs):
        """What a function gives that takes and returns inputs with the axes as their only last one;
        with the axes where they were."""
        if self._axes == [self._ndim - 1]:
            return function(inputs)
        sizes = dict(zip(self._axes, self._sizes))
        shape, expected = inputs.shape, tuple(sizes.get(d) for d in range(self._ndim))
        if len(shape) != self._ndim or any(shape[d] != n for d, n in sizes.items()):
            raise ValueError(f"expected an input of shape {expected}, got shape {shape}")
        order = [*(d for d in range(self._ndim) if d not in sizes), *self._axes]
        back = [order.index(d) for d in range(self._ndim)]
        moved = ops.transpose(inputs, order)
        rows = ops.reshape(moved, (*moved.shape[: -len(sizes)], math.prod(self._sizes)))
        return ops.transpose(ops.reshape(function(rows), moved.shape), back)


def _vector(weight):
    """A weight as a vector; one that is a vector itself, so that no copy is made."""
    return weight if weight.ndim == 1 else ops.reshape(weight, (weight.size,))


class BatchNormalization(_Normalization):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, with the statistics of each channel.

    - While training, the statistics are those of the batch, over all axes but that of the channels.
    - Otherwise, or if `trainable` is False, they are moving averages over the batches of training:
      moving = moving * momentum + batch * (1 - momentum), with the biased variance.

    S. Ioffe, C. Szegedy: "Batch normalization: accelerating deep network training by reducing
    internal covariate shift", ICML 2015.

    With `renorm` training, too, computes nearly what moving averages of the mean m and of the
    deviation s give: (x - mean) / deviation * r + d, where r = deviation / s and d = (mean - m) / s
    are constants to the gradient. S. Ioffe: "Batch renormalization: towards reducing minibatch
    dependence in batch-normalized models", NIPS 2017.

    Parameters
    ----------
    axis : int, default -1
        The axis of the channels. The last one is the fastest.
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
    beta_constraint, gamma_constraint : str or Constraint, optional
    renorm : bool, default False
    renorm_clipping : dict, optional
        Bounds of r, 'rmin' and 'rmax', and of the magnitude of d, 'dmax'; by default none.
    renorm_momentum : float in [0, 1], default 0.99
        The weight of the old m and s.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, ..., C), output the same. Weights, each (C,): gamma, beta, and, not trainable,
    moving_mean and moving_variance; with `renorm` also moving_stddev, of which the variance is
    made, and m and s, renorm_mean and renorm_stddev. What a mask leaves out, of shape (N, ...), is
    not part of the statistics.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.BatchNormalization(epsilon=0.0)
    >>> layer([[1.0], [3.0]], training=True).numpy().ravel()
    array([-1.,  1.], dtype=float32)
    >>> layer.moving_mean.numpy()
    array([0.02], dtype=float32)
    """

    supports_masking = True

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
        renorm=False,
        renorm_clipping=None,
        renorm_momentum=0.99,
        **kwargs,
    ):
        super().__init__(axis, epsilon, center, scale, **kwargs)
        self.momentum, self.renorm, self.renorm_momentum = momentum, renorm, renorm_momentum
        self.renorm_clipping = renorm_clipping
        self.moving_mean_initializer = moving_mean_initializer
        self.moving_variance_initializer = moving_variance_initializer

    def build(self, input_shape):
        super().build(input_shape)
        self._one_axis()
        for name in ("moving_mean", "moving_variance"):
            initializer = getattr(self, f"{name}_initializer")
            weight = self.add_weight(self._sizes, initializer, trainable=False, name=name)
            setattr(self, name, weight)
        if self.renorm:
            self._add_moving("moving_stddev", np.sqrt(self.moving_variance.numpy()))
            self._add_moving("renorm_mean", self.moving_mean)
            self._add_moving("renorm_stddev", self.moving_stddev)

    def _add_moving(self, name, values):
        """Make a moving average that begins with some values."""
        setattr(self, name, self.add_weight(self._sizes, "zeros", trainable=False, name=name))
        getattr(self, name).assign(values)

    def call(self, inputs, training=False, mask=None):
        (inputs,) = ops.operands(inputs)
        gamma, beta = self._scale_and_center(inputs.dtype)
        if mask is not None and mask.ndim != inputs.ndim - 1:
            raise ValueError(
                f"mask: expected one axis less than the input, of shape {inputs.shape}, has, got "
                f"shape {mask.shape}"
            )
        if training and self.trainable:
            if mask is not None:
                return self._train_masked(inputs, gamma, beta, mask)
            return self._with_axes_last(lambda x: self._train(x, gamma, beta), inputs)
        scale = gamma / ops.sqrt(self.moving_variance + self.epsilon)
        shift = beta - self.moving_mean * scale
        return self._with_axes_last(lambda x: ops.scale_shift(x, scale, shift), inputs)

    def _train(self, inputs, gamma, beta):
        if not self.renorm:
            y, mean, variance = ops.batch_norm(inputs, gamma, beta, self.epsilon)
            self._follow(mean, variance, gamma, beta)
            return y
        ones, zeros = ops.ones_like(gamma), ops.zeros_like(beta)
        y, mean, variance = ops.batch_norm(inputs, ones, zeros, self.epsilon)
        return ops.scale_shift(y, *self._follow(mean, variance, gamma, beta))

    def _follow(self, mean, variance, gamma, beta):
        """Let moving averages take the statistics of a batch into account; gamma and beta for what
        these make to 0 and 1."""
        ops.moving_update(self.moving_mean, mean, self.momentum)
        if not self.renorm:
            ops.moving_update(self.moving_variance, variance, self.momentum)
            return gamma, beta
        deviation = ops.sqrt(variance + self.epsilon)
        unit = ops.maximum(self.renorm_stddev, math.sqrt(self.epsilon))
        r, d = deviation / unit, (mean - self.renorm_mean) / unit
        bounds = self.renorm_clipping or {}
        r = r if (low := bounds.get("rmin")) is None else ops.maximum(r, low)
        r = r if (high := bounds.get("rmax")) is None else ops.minimum(r, high)
        d = d if (most := bounds.get("dmax")) is None else ops.clip(d, -most, most)
        ops.moving_update(self.renorm_mean, mean, self.renorm_momentum)
        ops.moving_update(self.renorm_stddev, deviation, self.renorm_momentum)
        ops.moving_update(self.moving_stddev, deviation, self.momentum)
        ops.assign(self.moving_variance, ops.relu(ops.square(self.moving_stddev) - self.epsilon))
        r, d = ops.stop_gradient(r), ops.stop_gradient(d)
        return r * gamma, d * gamma + beta

    def _train_masked(self, inputs, gamma, beta, mask):
        """As `_train`, with the statistics of what is not masked."""
        counts = ops.broadcast_to(ops.expand_dims(mask, -1), inputs.shape)
        others = [d for d in range(self._ndim) if d not in self._axes]
        count = ops.sum(counts, others, keepdims=True) + config.epsilon()

        def mean_of(x):
            return ops.sum(ops.where(counts, x, 0.0), others, keepdims=True) / count

        mean = mean_of(inputs)
        variance = mean_of(ops.square(inputs - mean))
        mean_, variance_ = (ops.reshape(x, self._sizes) for x in (mean, variance))
        gamma, beta = self._follow(mean_, variance_, gamma, beta)
        scale = gamma / ops.sqrt(variance_ + self.epsilon)
        shift = beta - mean_ * scale
        return self._with_axes_last(lambda x: ops.scale_shift(x, scale, shift), inputs)

    def get_config(self):
        """The constructor's arguments as a dict; those of `renorm` only with it, as Keras before
        3.15 lacks them.

        Returns
        -------
        dict
        """
        found = super().get_config()
        return {k: v for k, v in found.items() if self.renorm or not k.startswith("renorm")}


class LayerNormalization(_Normalization):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, with the statistics of each row.

    A row is the last axis, or several axes. The layer does the same while training and otherwise.

    J. L. Ba, J. R. Kiros, G. E. Hinton: "Layer normalization", arXiv 1607.06450, 2016.

    Parameters
    ----------
    axis : int or tuple of int, default -1
        The axes that make a row: each has a mean and a variance of its own.
    epsilon : float of at least 0, default 0.001
    center : bool, default True
        Whether the layer has beta.
    scale : bool, default True
        Whether the layer has gamma.
    beta_initializer, gamma_initializer : str or Initializer, default 'zeros' and 'ones'
    beta_regularizer, gamma_regularizer : str or Regularizer, optional
    beta_constraint, gamma_constraint : str or Constraint, optional
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, ..., C), output the same. Weights, with the sizes of `axis`: gamma, beta.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.LayerNormalization(epsilon=0.0)([[1.0, 3.0]]).numpy()
    array([[-1.,  1.]], dtype=float32)
    """

    supports_masking = True

    def call(self, inputs):
        (inputs,) = ops.operands(inputs)
        gamma, beta = self._scale_and_center(inputs.dtype)
        return self._with_axes_last(lambda x: ops.layer_norm(x, gamma, beta, self.epsilon), inputs)


class GroupNormalization(_Normalization):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, with the statistics of each sample and
    group of channels.

    Y. Wu, K. He: "Group normalization", ECCV 2018.

    Parameters
    ----------
    groups : int, default 32
        The channels are split into this number of equal groups. -1: each channel is a group, which
        is instance normalization.
    axis : int, default -1
        The axis of the channels.
    epsilon : float of at least 0, default 0.001
    center : bool, default True
        Whether the layer has beta.
    scale : bool, default True
        Whether the layer has gamma.
    beta_initializer, gamma_initializer : str or Initializer, default 'zeros' and 'ones'
    beta_regularizer, gamma_regularizer : str or Regularizer, optional
    beta_constraint, gamma_constraint : str or Constraint, optional
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, ..., C), output the same. Weights, each (C,): gamma, beta.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.GroupNormalization(2, epsilon=0.0)
    >>> layer([[1.0, 3.0, 10.0, 30.0]]).numpy()
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    supports_masking = True
    _legal = {"groups": settings.groups}

    def __init__(self, groups=32, axis=-1, epsilon=0.001, center=True, scale=True, **kwargs):
        super().__init__(axis, epsilon, center, scale, **kwargs)
        self.groups = groups

    def build(self, input_shape):
        super().build(input_shape)
        self._one_axis()
        (channels,) = self._sizes
        self._groups = channels if self.groups == -1 else int(self.groups)
        if not self._groups or channels % self._groups:
            raise ValueError(f"expected channels in {self.groups} equal groups, got {channels}")

    def call(self, inputs):
        (inputs,) = ops.operands(inputs)
        return self._with_axes_last(self._normalized, inputs)

    def _normalized(self, x):
        n, places, each = x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1] // self._groups
        groups = ops.transpose(ops.reshape(x, (n, places, self._groups, each)), (0, 2, 1, 3))
        rows = ops.reshape(groups, (n, self._groups, places * each))
        plain = ops.ones((places * each,), x.dtype), ops.zeros((places * each,), x.dtype)
        y = ops.reshape(ops.layer_norm(rows, *plain, self.epsilon), groups.shape)
        y = ops.reshape(ops.transpose(y, (0, 2, 1, 3)), x.shape)
        return ops.scale_shift(y, *self._scale_and_center(x.dtype))


class RMSNormalization(Layer):
    """x / sqrt(mean(x^2) + epsilon) * scale, with the mean of each row.

    B. Zhang, R. Sennrich: "Root mean square layer normalization", NeurIPS 2019.

    Parameters
    ----------
    axis : int or tuple of int, default -1
        The axes that make a row.
    epsilon : float of at least 0, default 1e-6
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, ..., C), output the same. Weight, with the sizes of `axis`: scale.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.RMSNormalization(epsilon=0.0)([[1.0, 7.0]]).numpy()
    array([[0.2, 1.4]], dtype=float32)
    """

    _takes = settings.ROWS
    _legal = {"axis": settings.axes, "epsilon": settings.AT_LEAST_0}

    def __init__(self, axis=-1, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.axis, self.epsilon = axis, epsilon

    def build(self, input_shape):
        sizes = [input_shape[d] for d in settings.axes_of_samples(self.axis, input_shape)]
        self.scale = self.add_weight(tuple(sizes), "ones", name="scale")

    def call(self, inputs):
        (inputs,) = ops.operands(inputs)
        axes = settings.axes_of_samples(self.axis, inputs.shape)
        if [inputs.shape[d] for d in axes] != [*self.scale.shape]:
            raise ValueError(
                f"expected an input with sizes {self.scale.shape} along axis {self.axis!r}, got "
                f"shape {inputs.shape}"
            )
        squares = ops.mean(ops.square(inputs), tuple(axes), keepdims=True)
        sizes = [n if d in axes else 1 for d, n in enumerate(inputs.shape)]
        return inputs / ops.sqrt(squares + float(self.epsilon)) * ops.reshape(self.scale, sizes)


class UnitNormalization(Layer):
    """x / sqrt(sum(x^2)), with the sum of each row: rows of length 1.

    Parameters
    ----------
    axis : int or tuple of int, default -1
        The axes that make a row.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, ..., C), output the same. A row shorter than 1e-12 is divided by 1e-12.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.UnitNormalization()([[3.0, 4.0], [0.0, 0.0]]).numpy()
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """

    supports_masking = True
    _takes = settings.ROWS
    _legal = {"axis": settings.axes}

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs):
        (inputs,) = ops.operands(inputs)
        axes = settings.axes_of_samples(self.axis, inputs.shape)
        squares = ops.sum(ops.square(inputs), tuple(axes), keepdims=True)
        return inputs / ops.sqrt(ops.maximum(squares, 1e-24))
