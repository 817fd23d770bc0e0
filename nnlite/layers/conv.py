"""Layers that slide a window over images (N, height, width, channels)."""

from nnlite import activations, config, ops
from nnlite.layers.core import positive_int
from nnlite.layers.layer import Layer
from nnlite.ops.conv import pair


class _Convolution(Layer):
    """What the layers have in common: the window, the bias, the activation."""

    def _check(self, input_shape):
        """The channels of images of this shape."""
        if self.data_format not in (None, config.image_data_format()):
            raise ValueError(
                f"expected data_format {config.image_data_format()!r}, got {self.data_format!r}"
            )
        if len(input_shape) != 4:
            raise ValueError(
                f"expected images (N, height, width, channels), got shape {input_shape}"
            )
        self._window = {
            "strides": pair("strides", self.strides),
            "padding": self.padding,
            "dilation_rate": pair("dilation_rate", self.dilation_rate),
        }
        self._function = activations.get(self.activation)
        return positive_int("channels", input_shape[-1])

    def _add_bias(self, size):
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (size,),
                self.bias_initializer,
                name="bias",
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
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
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.strides = filters, kernel_size, strides
        self.padding, self.data_format, self.dilation_rate = padding, data_format, dilation_rate
        self.groups, self.activation, self.use_bias = groups, activation, use_bias
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel_constraint, self.bias_constraint = kernel_constraint, bias_constraint

    def build(self, input_shape):
        channels, filters = self._check(input_shape), positive_int("filters", self.filters)
        groups = self._window["groups"] = positive_int("groups", self.groups)
        if channels % groups or filters % groups:
            raise ValueError(
                f"expected channels and filters in {groups} equal groups, "
                f"got {channels} channels and {filters} filters"
            )
        self.kernel = self.add_weight(
            (*pair("kernel_size", self.kernel_size), channels // groups, filters),
            self.kernel_initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self._add_bias(filters)

    def call(self, inputs):
        return self._activated(ops.conv2d, inputs, self.kernel, self.bias, **self._window)


class DepthwiseConv2D(_Convolution):
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
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        depthwise_regularizer=None,
        bias_regularizer=None,
        depthwise_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.kernel_size, self.strides, self.padding = kernel_size, strides, padding
        self.depth_multiplier, self.data_format = depth_multiplier, data_format
        self.dilation_rate, self.activation = dilation_rate, activation
        self.use_bias, self.bias_initializer = use_bias, bias_initializer
        self.depthwise_initializer = depthwise_initializer
        self.depthwise_regularizer, self.bias_regularizer = depthwise_regularizer, bias_regularizer
        self.depthwise_constraint, self.bias_constraint = depthwise_constraint, bias_constraint

    def build(self, input_shape):
        channels = self._check(input_shape)
        multiplier = positive_int("depth_multiplier", self.depth_multiplier)
        self.kernel = self.add_weight(
            (*pair("kernel_size", self.kernel_size), channels, multiplier),
            self.depthwise_initializer,
            name="kernel",
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        self._add_bias(channels * multiplier)

    def call(self, inputs):
        return self._activated(ops.depthwise_conv2d, inputs, self.kernel, self.bias, **self._window)


class SeparableConv2D(_Convolution):
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
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        pointwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        depthwise_regularizer=None,
        pointwise_regularizer=None,
        bias_regularizer=None,
        depthwise_constraint=None,
        pointwise_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.strides = filters, kernel_size, strides
        self.padding, self.data_format, self.dilation_rate = padding, data_format, dilation_rate
        self.depth_multiplier, self.activation = depth_multiplier, activation
        self.use_bias, self.bias_initializer = use_bias, bias_initializer
        self.depthwise_initializer = depthwise_initializer
        self.pointwise_initializer = pointwise_initializer
        self.depthwise_regularizer = depthwise_regularizer
        self.pointwise_regularizer = pointwise_regularizer
        self.bias_regularizer = bias_regularizer
        self.depthwise_constraint = depthwise_constraint
        self.pointwise_constraint = pointwise_constraint
        self.bias_constraint = bias_constraint

    def build(self, input_shape):
        channels, filters = self._check(input_shape), positive_int("filters", self.filters)
        multiplier = positive_int("depth_multiplier", self.depth_multiplier)
        self.depthwise_kernel = self.add_weight(
            (*pair("kernel_size", self.kernel_size), channels, multiplier),
            self.depthwise_initializer,
            name="depthwise_kernel",
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        self.pointwise_kernel = self.add_weight(
            (1, 1, channels * multiplier, filters),
            self.pointwise_initializer,
            name="pointwise_kernel",
            regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
        )
        self._add_bias(filters)

    def call(self, inputs):
        return self._activated(
            ops.separable_conv2d,
            inputs,
            self.depthwise_kernel,
            self.pointwise_kernel,
            self.bias,
            **self._window,
        )


Convolution2D = Conv2D
