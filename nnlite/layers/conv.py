"""Layers that slide a window over images (N, H, W, C)."""

from nnlite import activations, ops
from nnlite.checks import positive_int
from nnlite.layers import settings
from nnlite.layers.images import ImageLayer
from nnlite.ops.windows import pair


class _Convolution(ImageLayer):
    """Base: the window, the bias and the activation.

    A subclass lists the arguments up to `activation` in Keras's order. The others are keyword
    arguments; those that the subclass does not list are arguments of this class.
    """

    _legal = {
        **dict.fromkeys(("kernel_size", "strides", "dilation_rate"), pair),
        **dict.fromkeys(("filters", "groups", "depth_multiplier"), positive_int),
        "padding": settings.padding,
        "activation": settings.activation,
        "use_bias": "bool",
        **settings.of_weights("kernel", "depthwise", "pointwise", "bias"),
    }

    def __init__(
        self,
        kernel_size,
        strides,
        padding,
        data_format,
        dilation_rate,
        activation,
        *,
        use_bias=True,
        bias_initializer="zeros",
        bias_regularizer=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(data_format, **kwargs)
        self.kernel_size, self.strides, self.padding = kernel_size, strides, padding
        self.dilation_rate, self.activation, self.use_bias = dilation_rate, activation, use_bias
        self.bias_initializer, self.bias_regularizer = bias_initializer, bias_regularizer
        self.bias_constraint = bias_constraint

    def build(self, input_shape):
        self._window = {
            "strides": pair("strides", self.strides),
            "padding": self.padding,
            "dilation_rate": pair("dilation_rate", self.dilation_rate),
        }
        self._function = activations.get(self.activation)
        channels = positive_int("channels", input_shape[-1])
        features = self._add_kernels(pair("kernel_size", self.kernel_size), channels)
        self.bias = self._add("bias", (features,)) if self.use_bias else None

    def _add_kernels(self, size, channels):
        """Make the kernels for images with a number of channels; returns the number of the
        result's channels."""
        raise NotImplementedError

    def _add(self, settings, shape, name=None):
        """Make a weight with the `{settings}_initializer`, `_regularizer` and `_constraint`."""
        return self.add_weight(
            shape,
            getattr(self, f"{settings}_initializer"),
            name=name or settings,
            regularizer=getattr(self, f"{settings}_regularizer"),
            constraint=getattr(self, f"{settings}_constraint"),
        )

    def _activated(self, function, *operands, **settings):
        """The convolution with its activation, in one op if the op can apply the activation."""
        if self._function in activations.FUSED:
            kind, alpha = activations.FUSED[self._function]
            return function(*operands, **settings, activation=kind, alpha=alpha)
        return self._function(function(*operands, **settings))


class Conv2D(_Convolution):
    """activation(convolution of images with filters + bias).

    Parameters
    ----------
    filters : int
        F, the number of channels of the result.
    kernel_size : int or (int, int)
        KH, KW: height and width of the filters, in pixels.
    strides : int or (int, int), default (1, 1)
        Distance of neighbouring windows, in pixels.
    padding : {'valid', 'same'}, default 'valid'
        - 'valid': windows lie within the image.
        - 'same': zeros around the image, so that OH = ceil(H / stride) and OW = ceil(W / stride).
    data_format : {'channels_last'}, optional
    dilation_rate : int or (int, int), default (1, 1)
        Distance of neighbouring elements of a filter, in pixels.
    groups : int, default 1
        Channels and filters are split into this number of equal groups; the filters of a group see
        only its channels.
    activation : str or function, optional
    use_bias : bool, default True
    kernel_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
    kernel_constraint, bias_constraint : str or Constraint, optional
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, H, W, C), output (N, OH, OW, F). Weights: kernel (KH, KW, C / groups, F), bias (F,).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Conv2D(8, 3, activation="relu")(nnlite.ones((2, 28, 28, 1))).shape
    (2, 26, 26, 8)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        data_format=None,
        dilation_rate=(1, 1),
        groups=1,
        activation=None,
        *,
        kernel_initializer="glorot_uniform",
        kernel_regularizer=None,
        kernel_constraint=None,
        **kwargs,
    ):
        window = (kernel_size, strides, padding, data_format, dilation_rate)
        super().__init__(*window, activation, **kwargs)
        self.filters, self.groups = filters, groups
        self.kernel_initializer, self.kernel_regularizer = kernel_initializer, kernel_regularizer
        self.kernel_constraint = kernel_constraint

    def _add_kernels(self, size, channels):
        filters, groups = positive_int("filters", self.filters), positive_int("groups", self.groups)
        if channels % groups or filters % groups:
            raise ValueError(
                f"expected channels and filters in {groups} equal groups, "
                f"got {channels} channels and {filters} filters"
            )
        self._window["groups"] = groups
        self.kernel = self._add("kernel", (*size, channels // groups, filters))
        return filters

    def call(self, inputs):
        return self._activated(ops.conv2d, inputs, self.kernel, self.bias, **self._window)


class _Depthwise(_Convolution):
    """Base of the layers that convolve each channel separately: the kernels for that."""

    def __init__(
        self,
        *window_and_activation,
        depth_multiplier=1,
        depthwise_initializer="glorot_uniform",
        depthwise_regularizer=None,
        depthwise_constraint=None,
        **kwargs,
    ):
        super().__init__(*window_and_activation, **kwargs)
        self.depth_multiplier = depth_multiplier
        self.depthwise_initializer = depthwise_initializer
        self.depthwise_regularizer = depthwise_regularizer
        self.depthwise_constraint = depthwise_constraint

    def _add_depthwise(self, size, channels, name):
        """Make the kernel (KH, KW, C, depth_multiplier)."""
        multiplier = positive_int("depth_multiplier", self.depth_multiplier)
        return self._add("depthwise", (*size, channels, multiplier), name)


class DepthwiseConv2D(_Depthwise):
    """activation(convolution of each channel with its own filters + bias).

    Parameters
    ----------
    kernel_size : int or (int, int)
        KH, KW: height and width of the filters, in pixels.
    strides : int or (int, int), default (1, 1)
    padding : {'valid', 'same'}, default 'valid'
        As for `Conv2D`.
    depth_multiplier : int, default 1
        D, the number of filters for each channel.
    data_format : {'channels_last'}, optional
    dilation_rate : int or (int, int), default (1, 1)
    activation : str or function, optional
    use_bias : bool, default True
    depthwise_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    depthwise_regularizer, bias_regularizer : str or Regularizer, optional
    depthwise_constraint, bias_constraint : str or Constraint, optional
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, H, W, C), output (N, OH, OW, C * D). Weights: kernel (KH, KW, C, D), bias (C * D,).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.DepthwiseConv2D(3, padding="same")(nnlite.ones((2, 9, 9, 4))).shape
    (2, 9, 9, 4)
    """

    def __init__(
        self,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        depth_multiplier=1,
        data_format=None,
        dilation_rate=(1, 1),
        activation=None,
        **kwargs,
    ):
        window = (kernel_size, strides, padding, data_format, dilation_rate)
        super().__init__(*window, activation, depth_multiplier=depth_multiplier, **kwargs)

    def _add_kernels(self, size, channels):
        self.kernel = self._add_depthwise(size, channels, "kernel")
        return channels * self.kernel.shape[-1]

    def call(self, inputs):
        return self._activated(ops.depthwise_conv2d, inputs, self.kernel, self.bias, **self._window)


class SeparableConv2D(_Depthwise):
    """A depthwise convolution, then a 1 x 1 convolution over all channels, bias and activation.

    F. Chollet: "Xception: deep learning with depthwise separable convolutions", CVPR 2017.

    Parameters
    ----------
    filters : int
        F, the number of channels of the result.
    kernel_size : int or (int, int)
        KH, KW: height and width of the depthwise filters, in pixels.
    strides : int or (int, int), default (1, 1)
    padding : {'valid', 'same'}, default 'valid'
        As for `Conv2D`.
    data_format : {'channels_last'}, optional
    dilation_rate : int or (int, int), default (1, 1)
    depth_multiplier : int, default 1
        D, the number of depthwise filters for each channel.
    activation : str or function, optional
    use_bias : bool, default True
    depthwise_initializer, pointwise_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    depthwise_regularizer, pointwise_regularizer, bias_regularizer : str or Regularizer, optional
    depthwise_constraint, pointwise_constraint, bias_constraint : str or Constraint, optional
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, H, W, C), output (N, OH, OW, F). Weights: depthwise_kernel (KH, KW, C, D),
    pointwise_kernel (1, 1, C * D, F), bias (F,).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.SeparableConv2D(8, 3)(nnlite.ones((2, 9, 9, 4))).shape
    (2, 7, 7, 8)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        data_format=None,
        dilation_rate=(1, 1),
        depth_multiplier=1,
        activation=None,
        *,
        pointwise_initializer="glorot_uniform",
        pointwise_regularizer=None,
        pointwise_constraint=None,
        **kwargs,
    ):
        window = (kernel_size, strides, padding, data_format, dilation_rate)
        super().__init__(*window, activation, depth_multiplier=depth_multiplier, **kwargs)
        self.filters = filters
        self.pointwise_initializer = pointwise_initializer
        self.pointwise_regularizer = pointwise_regularizer
        self.pointwise_constraint = pointwise_constraint

    def _add_kernels(self, size, channels):
        filters = positive_int("filters", self.filters)
        self.depthwise_kernel = self._add_depthwise(size, channels, "depthwise_kernel")
        mixed = channels * self.depthwise_kernel.shape[-1]
        self.pointwise_kernel = self._add("pointwise", (1, 1, mixed, filters), "pointwise_kernel")
        return filters

    def call(self, inputs):
        return self._activated(
            ops.separable_conv2d,
            inputs,
            self.depthwise_kernel,
            self.pointwise_kernel,
            self.bias,
            **self._window,
        )


Convolution2D, SeparableConvolution2D = Conv2D, SeparableConv2D
