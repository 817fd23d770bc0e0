"""What convolutions of sequences, images and volumes have in common."""

from nnlite import activations, ops
from nnlite.checks import positive_int
from nnlite.layers import settings
from nnlite.layers.spatial import SpatialLayer
from nnlite.ops.windows import sizes


class Convolution(SpatialLayer):
    """Base: the window, the bias and the activation.

    A class that users see lists the arguments up to `activation` in Keras's order, with their
    defaults. The others are keyword arguments, and those of its bases.
    """

    _legal = {
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
            "strides": sizes("strides", self.strides, self.rank),
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": sizes("dilation_rate", self.dilation_rate, self.rank),
        }
        self._function = activations.get(self.activation)
        channels = positive_int("channels", input_shape[self._channels_axis])
        features = self._add_kernels(sizes("kernel_size", self.kernel_size, self.rank), channels)
        self.bias = self._add("bias", (features,)) if self.use_bias else None

    def _add_kernels(self, size, channels):
        """Make the kernels for inputs with a number of channels; returns the number of the
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


class AcrossChannels(Convolution):
    """Base of the layers of which each filter sees several channels: one kernel."""

    def __init__(
        self,
        filters,
        *window_and_activation,
        kernel_initializer="glorot_uniform",
        kernel_regularizer=None,
        kernel_constraint=None,
        **kwargs,
    ):
        super().__init__(*window_and_activation, **kwargs)
        self.filters = filters
        self.kernel_initializer, self.kernel_regularizer = kernel_initializer, kernel_regularizer
        self.kernel_constraint = kernel_constraint


class Conv(AcrossChannels):
    """Base of Conv1D, Conv2D and Conv3D."""

    def __init__(self, *filters_window_and_activation, groups=1, **kwargs):
        super().__init__(*filters_window_and_activation, **kwargs)
        self.groups = groups

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
        return self._activated(ops.conv, inputs, self.kernel, bias=self.bias, **self._window)


class Depthwise(Convolution):
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
        """Make the kernel (size, C, depth_multiplier)."""
        multiplier = positive_int("depth_multiplier", self.depth_multiplier)
        return self._add("depthwise", (*size, channels, multiplier), name)


class DepthwiseConv(Depthwise):
    """Base of DepthwiseConv1D and DepthwiseConv2D."""

    def _add_kernels(self, size, channels):
        self.kernel = self._add_depthwise(size, channels, "kernel")
        return channels * self.kernel.shape[-1]

    def call(self, inputs):
        return self._activated(
            ops.depthwise_conv, inputs, self.kernel, bias=self.bias, **self._window
        )


class SeparableConv(Depthwise):
    """Base of SeparableConv1D and SeparableConv2D."""

    def __init__(
        self,
        filters,
        *window_and_activation,
        pointwise_initializer="glorot_uniform",
        pointwise_regularizer=None,
        pointwise_constraint=None,
        **kwargs,
    ):
        super().__init__(*window_and_activation, **kwargs)
        self.filters = filters
        self.pointwise_initializer = pointwise_initializer
        self.pointwise_regularizer = pointwise_regularizer
        self.pointwise_constraint = pointwise_constraint

    def _add_kernels(self, size, channels):
        filters = positive_int("filters", self.filters)
        self.depthwise_kernel = self._add_depthwise(size, channels, "depthwise_kernel")
        mixed = channels * self.depthwise_kernel.shape[-1]
        shape = (*(1,) * self.rank, mixed, filters)
        self.pointwise_kernel = self._add("pointwise", shape, "pointwise_kernel")
        return filters

    def call(self, inputs):
        kernels = self.depthwise_kernel, self.pointwise_kernel
        return self._activated(ops.separable_conv, inputs, *kernels, bias=self.bias, **self._window)


class ConvTranspose(AcrossChannels):
    """Base of Conv1DTranspose, Conv2DTranspose and Conv3DTranspose."""

    def __init__(self, *filters_window_and_activation, output_padding=None, **kwargs):
        super().__init__(*filters_window_and_activation, **kwargs)
        self.output_padding = output_padding
        if output_padding is not None:
            given = sizes("output_padding", output_padding, self.rank, least=0)
            strides = sizes("strides", self.strides, self.rank)
            if any(extra >= stride for extra, stride in zip(given, strides)):
                raise ValueError(
                    f"{type(self).__name__}: output_padding: expected less than strides, "
                    f"{self.strides!r}, got {output_padding!r}"
                )

    def _add_kernels(self, size, channels):
        filters = positive_int("filters", self.filters)
        self._window["output_padding"] = self.output_padding
        self.kernel = self._add("kernel", (*size, filters, channels))
        return filters

    def call(self, inputs):
        return self._function(
            ops.conv_transpose(inputs, self.kernel, bias=self.bias, **self._window)
        )
