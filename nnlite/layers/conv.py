"""Layers that slide a window over images (N, height, width, channels)."""

from nnlite import activations, ops
from nnlite.checks import positive_int
from nnlite.layers.images import ImageLayer
from nnlite.ops.windows import pair


class _Convolution(ImageLayer):
    """What the layers have in common: the window, the bias, the activation.

    A subclass writes out the arguments up to `activation`, in the order that Keras has for it; the
    rest is given by name, and what is not the subclass's own arrives here.
    """

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
        super().build(input_shape)
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
        """Make the kernels for images of so many channels; returns those of the result."""
        raise NotImplementedError

    def _add(self, settings, shape, name=None):
        """A weight made as the arguments `settings`_initializer, ... say."""
        return self.add_weight(
            shape,
            getattr(self, f"{settings}_initializer"),
            name=name or settings,
            regularizer=getattr(self, f"{settings}_regularizer"),
            constraint=getattr(self, f"{settings}_constraint"),
        )

    def _activated(self, function, *operands, **settings):
        """The function with its activation, fused where that can be."""
        if self._function in activations.FUSED:
            kind, alpha = activations.FUSED[self._function]
            return function(*operands, **settings, activation=kind, alpha=alpha)
        return self._function(function(*operands, **settings))


class Conv2D(_Convolution):
    """activation(convolution of images with filters + bias).

    Parameters
    ----------
    filters : int
        Channels of the result.
    kernel_size : int or two of them
        Height and width of the filters.
    strides : int or two of them, default (1, 1)
    padding : {'valid', 'same'}, default 'valid'
        'same': zeros around the images, so that the result has ceil(size / stride) rows and
        columns.
    data_format : {'channels_last'}, optional
    dilation_rate : int or two of them, default (1, 1)
        Distance of a filter's elements.
    groups : int, default 1
        Channels and filters in equal groups that do not see each other.
    activation : str or function, optional
    use_bias : bool, default True
    kernel_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
    kernel_constraint, bias_constraint : None
        Not supported.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, height, width, channels), output (N, new height, new width, filters); weights: kernel
    (kernel height, kernel width, channels / groups, filters), bias (filters,).

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
    """What the layers that convolve each channel by itself have in common: those kernels."""

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
        multiplier = positive_int("depth_multiplier", self.depth_multiplier)
        return self._add("depthwise", (*size, channels, multiplier), name)


class DepthwiseConv2D(_Depthwise):
    """activation(convolution of each channel with filters of its own + bias).

    Parameters
    ----------
    kernel_size : int or two of them
        Height and width of the filters.
    strides : int or two of them, default (1, 1)
    padding : {'valid', 'same'}, default 'valid'
    depth_multiplier : int, default 1
        Results for each channel.
    data_format : {'channels_last'}, optional
    dilation_rate : int or two of them, default (1, 1)
    activation : str or function, optional
    use_bias : bool, default True
    depthwise_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    depthwise_regularizer, bias_regularizer : str or Regularizer, optional
    depthwise_constraint, bias_constraint : None
        Not supported.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, height, width, channels), output (N, new height, new width, channels *
    depth_multiplier); weights: kernel (kernel height, kernel width, channels, depth_multiplier),
    bias (channels * depth_multiplier,).

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
    """Each channel convolved by itself, then all mixed pixel by pixel, plus bias and activation.

    Parameters
    ----------
    filters : int
        Channels of the result.
    kernel_size : int or two of them
        Height and width of the first part's filters.
    strides : int or two of them, default (1, 1)
    padding : {'valid', 'same'}, default 'valid'
    data_format : {'channels_last'}, optional
    dilation_rate : int or two of them, default (1, 1)
    depth_multiplier : int, default 1
        Results of the first part for each channel.
    activation : str or function, optional
    use_bias : bool, default True
    depthwise_initializer, pointwise_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    depthwise_regularizer, pointwise_regularizer, bias_regularizer : str or Regularizer, optional
    depthwise_constraint, pointwise_constraint, bias_constraint : None
        Not supported.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, height, width, channels), output (N, new height, new width, filters); weights:
    depthwise kernel (kernel height, kernel width, channels, depth_multiplier), pointwise kernel
    (1, 1, channels * depth_multiplier, filters), bias (filters,).

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
