"""Activations as layers: those with settings or weights."""

import numpy as np

from nnlite import ops
from nnlite.layers import settings
from nnlite.layers.layer import Layer


class _Function(Layer):
    """Base: a function of `nnlite.ops` whose settings, those in `_legal`, are attributes of the
    layer."""

    supports_masking = True
    _takes = settings.ANY_TENSOR

    def call(self, inputs):
        return self._function(inputs, **{name: getattr(self, name) for name in self._legal})


class ReLU(_Function):
    """max(x, 0), optionally with an upper limit, a threshold and a slope below the threshold.

    Parameters
    ----------
    max_value : float of at least 0, optional
        Upper limit of the result.
    negative_slope : float of at least 0, default 0.0
        Up to the threshold the result is `negative_slope * (x - threshold)`.
    threshold : float of at least 0, default 0.0
        Values above pass unchanged.
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

    _function = staticmethod(ops.relu)
    _legal = dict.fromkeys(("max_value", "negative_slope", "threshold"), settings.AT_LEAST_0)

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, **kwargs):
        super().__init__(**kwargs)
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold


class LeakyReLU(_Function):
    """x if x > 0, else `negative_slope * x`.

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

    _function = staticmethod(ops.leaky_relu)
    _legal = {"negative_slope": settings.AT_LEAST_0}

    def __init__(self, negative_slope=0.3, **kwargs):
        super().__init__(**kwargs)
        self.negative_slope = negative_slope


class ELU(_Function):
    """x if x > 0, else `alpha * (exp(x) - 1)`.

    D.-A. Clevert, T. Unterthiner, S. Hochreiter: "Fast and accurate deep network learning by
    exponential linear units (ELUs)", ICLR 2016.

    Parameters
    ----------
    alpha : float of at least 0, default 1.0
        Minus the limit for large negative x.
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

    _function = staticmethod(ops.elu)
    _legal = {"alpha": settings.AT_LEAST_0}

    def __init__(self, alpha=1.0, **kwargs):
        super().__init__(**kwargs)
        self.alpha = alpha


class PReLU(Layer):
    """x if x > 0, else `alpha * x` with a learned alpha.

    K. He, X. Zhang, S. Ren, J. Sun: "Delving deep into rectifiers", ICCV 2015.

    Parameters
    ----------
    alpha_initializer : str or Initializer, default 'zeros'
    alpha_regularizer : str or Regularizer, optional
    alpha_constraint : str or Constraint, optional
    shared_axes : int or list of int, optional
        Axes, counted from 1, along which all values share one alpha. (1, 2) gives one alpha per
        channel of an image.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, ...), output the same. Weight: alpha, of the shape of one sample with size 1 along
    shared axes.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.PReLU(shared_axes=(1, 2))
    >>> layer(nnlite.ones((2, 5, 5, 3))).shape, layer.alpha.shape
    ((2, 5, 5, 3), (1, 1, 3))
    """

    supports_masking = True
    _takes = settings.BATCH
    _legal = {**settings.of_weights("alpha"), "shared_axes": settings.axes}

    def __init__(
        self,
        alpha_initializer="zeros",
        alpha_regularizer=None,
        alpha_constraint=None,
        shared_axes=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.alpha_initializer, self.alpha_regularizer = alpha_initializer, alpha_regularizer
        self.alpha_constraint, self.shared_axes = alpha_constraint, shared_axes

    def build(self, input_shape):
        shared = self.shared_axes
        shared = () if shared is None else settings.axes("shared_axes", shared)
        axes = range(1, len(input_shape))
        if not set(shared) <= set(axes):
            raise ValueError(
                f"expected shared_axes from 1 to {len(axes)}, got {self.shared_axes!r}"
            )
        self._own_axes = [d for d in axes if d not in shared]
        self.alpha = self.add_weight(
            tuple(1 if d in shared else input_shape[d] for d in axes),
            self.alpha_initializer,
            name="alpha",
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )

    def call(self, inputs):
        given, alpha = inputs.shape, (None, *self.alpha.shape)
        if len(given) != len(alpha) or any(given[d] != alpha[d] for d in self._own_axes):
            expected = tuple(n if d in self._own_axes else None for d, n in enumerate(alpha))
            raise ValueError(f"expected an input of shape {expected}, got shape {given}")
        return ops.where(ops.greater(inputs, 0.0), inputs, inputs * self.alpha)


class Softmax(Layer):
    """exp(x) / sum(exp(x)) along an axis.

    Parameters
    ----------
    axis : int or tuple of int, default -1
        The axis of the classes; along several axes all their entries sum to 1.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input of any shape, output the same. What a mask that broadcasts to it leaves out gets 0.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Softmax()([[1.0, 1.0]]).numpy()
    array([[0.5, 0.5]], dtype=float32)
    """

    supports_masking = True
    _takes = settings.ANY_TENSOR
    _legal = {"axis": settings.axes}

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs, mask=None):
        axes = settings.axes_within("axis", self.axis, inputs.ndim)
        axes = axes[0] if len(axes) == 1 else tuple(axes)
        if mask is None:
            return ops.softmax(inputs, axes)
        on = mask > 0.5 if hasattr(mask, "dtype") else np.asarray(mask) > 0.5
        sizes = zip(reversed(on.shape), reversed(inputs.shape))
        if len(on.shape) > inputs.ndim or any(m not in (1, n) for m, n in sizes):
            raise ValueError(
                f"mask: expected a shape that broadcasts to {inputs.shape}, got {on.shape}"
            )
        on = ops.broadcast_to(on, inputs.shape)
        return ops.where(on, ops.softmax(ops.where(on, inputs, -1e30), axes), 0.0)
