"""Layers that slide a window over images (N, H, W, C)."""

from nnlite.layers.conv_base import Conv, ConvTranspose, DepthwiseConv, SeparableConv
from nnlite.layers.spatial import Images


class Conv2D(Images, Conv):
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
    data_format : {'channels_last', 'channels_first'}, optional
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
        Of `Layer`: name, trainable, activity_regularizer, input_shape.

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
        **kwargs,
    ):
        window = (filters, kernel_size, strides, padding, data_format, dilation_rate)
        super().__init__(*window, activation, groups=groups, **kwargs)


class DepthwiseConv2D(Images, DepthwiseConv):
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
    data_format : {'channels_last', 'channels_first'}, optional
    dilation_rate : int or (int, int), default (1, 1)
    activation : str or function, optional
    use_bias : bool, default True
    depthwise_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    depthwise_regularizer, bias_regularizer : str or Regularizer, optional
    depthwise_constraint, bias_constraint : str or Constraint, optional
    **kwargs
        Of `Layer`: name, trainable, activity_regularizer, input_shape.

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


class SeparableConv2D(Images, SeparableConv):
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
    data_format : {'channels_last', 'channels_first'}, optional
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
        Of `Layer`: name, trainable, activity_regularizer, input_shape.

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
        **kwargs,
    ):
        window = (filters, kernel_size, strides, padding, data_format, dilation_rate)
        super().__init__(*window, activation, depth_multiplier=depth_multiplier, **kwargs)


class Conv2DTranspose(Images, ConvTranspose):
    """The transposed convolution of images, with bias and activation: it enlarges images.

    M. D. Zeiler, D. Krishnan, G. W. Taylor, R. Fergus: "Deconvolutional networks", CVPR 2010.

    Parameters
    ----------
    filters : int
        F, the number of channels of the result.
    kernel_size : int or (int, int)
        KH, KW: height and width of the filters, in pixels.
    strides : int or (int, int), default (1, 1)
        Distance, in the result, of what neighbouring pixels make.
    padding : {'valid', 'same'}, default 'valid'
        The result has OH rows, of which k = (KH - 1) * dilation + 1 are under a filter:

        - 'valid': OH = (H - 1) * stride + max(k, stride).
        - 'same': OH = H * stride.
    output_padding : int or (int, int), optional
        Less than strides. OH = (H - 1) * stride + k + output_padding then for 'valid', and
        OH = (H - 1) * stride + k % 2 + output_padding for 'same'.
    data_format : {'channels_last', 'channels_first'}, optional
    dilation_rate : int or (int, int), default (1, 1)
        Distance of neighbouring elements of a filter, in pixels.
    activation : str or function, optional
    use_bias : bool, default True
    kernel_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
    kernel_constraint, bias_constraint : str or Constraint, optional
    **kwargs
        Of `Layer`: name, trainable, activity_regularizer, input_shape.

    Notes
    -----
    Input (N, H, W, C), output (N, OH, OW, F). Weights: kernel (KH, KW, F, C), bias (F,).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Conv2DTranspose(8, 3, strides=2)(nnlite.ones((2, 14, 14, 1))).shape
    (2, 29, 29, 8)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        output_padding=None,
        data_format=None,
        dilation_rate=(1, 1),
        activation=None,
        **kwargs,
    ):
        window = (filters, kernel_size, strides, padding, data_format, dilation_rate)
        super().__init__(*window, activation, output_padding=output_padding, **kwargs)


Convolution2D, SeparableConvolution2D = Conv2D, SeparableConv2D
Convolution2DTranspose = Conv2DTranspose
